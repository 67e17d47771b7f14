/* The command line behind ":". Every verb that matters has a word here, for keyboards and input methods that eat
 * letters. */
#include "ui/tui/app.h"
#include "ui/tui/text.h"

static void cmd_view(struct app *a, const char *arg, int number)
{
    (void)arg;
    app_show(a, (enum view_id)number);
}

static void cmd_add(struct app *a, const char *arg, int number)
{
    (void)arg, (void)number;
    keys_act_add(a);
}

static void cmd_test(struct app *a, const char *arg, int number)
{
    (void)number;
    keys_test_all(a, strcmp(arg, "bad") == 0 ? "bad" : "all", false);
}

static void cmd_lang(struct app *a, const char *arg, int number)
{
    (void)number;
    app_set_language(a, strcmp(arg, "zh") == 0 ? LANG_ZH : strcmp(arg, "en") == 0 ? LANG_EN : lang_now());
}

static void cmd_post(struct app *a, const char *arg, int number)
{
    (void)arg;
    (void)app_post(a, (enum command_kind)number, "", NULL, 0, 0);
}

static void cmd_act(struct app *a, const char *arg, int number)
{
    (void)arg;
    (void)app_act(a, (enum action)number, 0);
}

static void cmd_map(struct app *a, const char *arg, int number)
{
    (void)arg, (void)number;
    app_show(a, VIEW_KEYS);
    a->heat_map = true;
}

static void cmd_save(struct app *a, const char *arg, int number)
{
    (void)number;
    str_copy(a->save_name, sizeof a->save_name, str_of(arg));
    a->save_asked = true;
}

static void cmd_deep(struct app *a, const char *arg, int number)
{
    (void)arg, (void)number;
    keys_test_deep(a);
}

static void cmd_other(struct app *a, const char *arg, int number)
{
    (void)arg, (void)number;
    region_ask(a);
}

static void cmd_refresh(struct app *a, const char *arg, int number)
{
    (void)arg, (void)number;
    models_refresh(a);
}

static void cmd_hide(struct app *a, const char *arg, int number)
{
    (void)arg, (void)number;
    a->hide_asked = true;
}

/* Each is a line of Help and of docs/keys.md. */
static const struct {
    const char *name;
    void (*run)(struct app *a, const char *arg, int number);
    int number;
    enum msg help;
} commands[] = {
    {"overview", cmd_view, VIEW_OVERVIEW, MSG_HE_CMD_VIEW},
    {"keys", cmd_view, VIEW_KEYS, MSG_HE_CMD_VIEW},
    {"models", cmd_view, VIEW_MODELS, MSG_HE_CMD_VIEW},
    {"requests", cmd_view, VIEW_REQUESTS, MSG_HE_CMD_VIEW},
    {"log", cmd_view, VIEW_LOG, MSG_HE_CMD_VIEW},
    {"help", cmd_view, VIEW_HELP, MSG_HE_CMD_VIEW},
    {"add", cmd_add, 0, MSG_HE_ADD},
    {"test all", cmd_test, 0, MSG_HE_TEST_ALL},
    {"test bad", cmd_test, 0, MSG_HE_CMD_TEST_BAD},
    {"test deep", cmd_deep, 0, MSG_HE_CMD_TEST_DEEP},
    {"test other", cmd_other, 0, MSG_HE_CMD_TEST_OTHER},
    {"refresh", cmd_refresh, 0, MSG_HE_REFRESH},
    {"save [FILE]", cmd_save, 0, MSG_HE_CMD_SAVE},
    {"columns", cmd_act, ACT_COLUMNS, MSG_HE_CMD_COLUMNS},
    {"map", cmd_map, 0, MSG_HE_MAP},
    {"reload", cmd_post, CMD_RELOAD, MSG_HE_CMD_RELOAD},
    {"lang en", cmd_lang, 0, MSG_HE_CMD_LANG},
    {"lang zh", cmd_lang, 0, MSG_HE_CMD_LANG},
    {"mouse", cmd_act, ACT_MOUSE, MSG_HE_MOUSE},
    {"privacy", cmd_act, ACT_PRIVACY, MSG_HE_PRIVACY},
    {"pause", cmd_act, ACT_PAUSE, MSG_HE_PAUSE},
    {"undo", cmd_act, ACT_UNDO, MSG_HE_UNDO},
    {"quit", cmd_act, ACT_QUIT, MSG_HE_QUIT},
    {"hide", cmd_hide, 0, MSG_HE_CMD_HIDE},
    {"drain", cmd_post, CMD_DRAIN, MSG_HE_CMD_DRAIN},
};

/* "save [FILE]" takes one word more, whatever it is. */
static bool is_command(const char *name, const char *line)
{
    size_t n = strcspn(name, "[");
    if (!name[n]) return strcmp(name, line) == 0;
    return strncmp(name, line, n) == 0 || (strncmp(name, line, n - 1) == 0 && !line[n - 1]);
}

/* A full-width colon or letters are ASCII already (input_normalise()). */
void app_command(struct app *a, const char *line)
{
    char word[FILTER_MAX * 4], text[FILTER_MAX * 5];
    struct str s = str_trim(str_of(line));
    if (s.n == 0) return;
    str_copy(word, sizeof word, s);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (!is_command(commands[i].name, word)) continue;
        const char *arg = strchr(word, ' ');
        commands[i].run(a, arg ? arg + 1 : "", commands[i].number);
        return;
    }
    app_toast(a, TOAST_WARN, tr_with(text, sizeof text, MSG_T_UNKNOWN_COMMAND, word, NULL));
}

/* To what all commands with this beginning have in common. */
void app_command_complete(struct buf *line)
{
    const char *found = NULL;
    size_t common = 0;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        const char *name = commands[i].name;
        if (strncmp(name, buf_cstr(line), line->len) != 0) continue;
        size_t n = found ? 0 : strcspn(name, "[");
        while (found && n < common && found[n] == name[n]) n++;
        if (!found) found = name;
        common = n;
    }
    if (found && common > line->len) buf_add(line, found + line->len, common - line->len);
}

const char *app_command_at(size_t i, enum msg *help)
{
    if (i >= ARRAY_LEN(commands)) return NULL;
    if (help) *help = commands[i].help;
    return commands[i].name;
}
