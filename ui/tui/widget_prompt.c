/* What is asked: a line at the bottom (filter, command, label, balance, one-key questions), the panel that takes pasted
 * keys, and the dialogs. While one is open only the keys of its mode exist (bindings.h); Esc always closes it and
 * changes nothing. Text may hold keys: it is echoed masked and wiped when the prompt closes. */
#include "ui/tui/app.h"
#include "base/mem.h"
#include "ui/tui/text.h"

/* Kind by kind: whose keys, whether it stands on the message line, what else it draws. */
static const struct {
    int mode;
    bool line;
    void (*draw)(struct app *a);
} kinds[] = {
    [PROMPT_NONE] = {0, false, NULL},
    [PROMPT_FILTER] = {MODE_LINE, true, NULL},
    [PROMPT_COMMAND] = {MODE_COMMAND, true, NULL},
    [PROMPT_ADD] = {MODE_ADD, false, prompt_draw_add},
    [PROMPT_LABEL] = {MODE_LINE, true, NULL},
    [PROMPT_BALANCE] = {MODE_LINE, true, NULL},
    [ASK_CANCEL] = {MODE_YES_NO, true, NULL},
    [ASK_TEST_ALL] = {MODE_YES_NO, true, NULL},
    [ASK_TEST_OTHER] = {MODE_YES_NO, false, prompt_draw_other},
    [ASK_DELETE] = {MODE_YES_NO, false, prompt_draw_delete},
    [ASK_QUIT] = {MODE_QUIT, false, prompt_draw_quit},
    [ASK_COLUMNS] = {MODE_COLUMNS, false, columns_draw},
};

int prompt_mode(const struct app *a)
{
    return kinds[a->prompt.kind].mode;
}

void prompt_open(struct app *a, enum prompt_kind kind, const char *title)
{
    prompt_close(a);
    a->prompt.kind = kind;
    str_copy(a->prompt.title, sizeof a->prompt.title, str_of(title));
    buf_init(&a->prompt.text, kind == PROMPT_ADD ? PASTE_MAX : 512);
    if (kind == PROMPT_ADD) (void)buf_reserve(&a->prompt.text, 8192); /* growing would leave copies behind */
}

void prompt_close(struct app *a)
{
    struct prompt *p = &a->prompt;
    if (p->text.data) wipe(p->text.data, p->text.room);
    buf_free(&p->text);
    memset(p, 0, sizeof *p);
}

void prompt_draw(struct app *a)
{
    if (a->lay.size != SIZE_NANO && kinds[a->prompt.kind].draw) kinds[a->prompt.kind].draw(a);
}

bool prompt_is_line(const struct app *a)
{
    return kinds[a->prompt.kind].line || (a->prompt.kind != PROMPT_NONE && a->lay.size == SIZE_NANO);
}

void prompt_draw_line(struct app *a, struct rect r)
{
    const struct prompt *p = &a->prompt;
    char head[200], text[1024];
    if (prompt_mode(a) >= MODE_ADD) {
        put(&a->canvas, r.y, r.x + 1, r.w - 1, ROLE_WARN, p->kind == ASK_QUIT ? "q: d h Q Esc" : p->title);
        return;
    }
    snprintf(head, sizeof head, "%s", p->kind == PROMPT_COMMAND ? ":" : p->kind == PROMPT_FILTER ? "/" : p->title);
    if (head[1]) text_add(head, sizeof head, ": ");
    int x = r.x + 1 + put(&a->canvas, r.y, r.x + 1, r.w / 2, ROLE_KEY, head);
    text_mask_keys(text, sizeof text, buf_cstr(&p->text));
    int room = r.x + r.w - x - 1, over = text_width(text) - room, cells;
    /* The end of a long line is what is being typed. */
    x += put(&a->canvas, r.y, x, room, ROLE_STRONG, over > 0 ? text + text_prefix(text, over, &cells) : text);
    put_cursor(&a->canvas, r.y, x, true);
}

/* --- keys --- */

static void drop_last(struct buf *b)
{
    while (b->len && ((unsigned char)b->data[b->len - 1] & 0xC0) == 0x80) b->data[--b->len] = '\0';
    if (b->len) b->data[--b->len] = '\0';
}

static void type(struct app *a, uint32_t c)
{
    char s[5] = "";
    if (c < 0x20 || c == 0x7F || c > 0x10FFFF) return;
    if (c < 0x80) {
        s[0] = (char)c;
    } else if (c < 0x800) {
        s[0] = (char)(0xC0 | c >> 6), s[1] = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        s[0] = (char)(0xE0 | c >> 12), s[1] = (char)(0x80 | (c >> 6 & 0x3F)), s[2] = (char)(0x80 | (c & 0x3F));
    } else {
        s[0] = (char)(0xF0 | c >> 18), s[1] = (char)(0x80 | (c >> 12 & 0x3F)), s[2] = (char)(0x80 | (c >> 6 & 0x3F)),
        s[3] = (char)(0x80 | (c & 0x3F));
    }
    buf_puts(&a->prompt.text, s);
}

static void take_filter(struct app *a)
{
    char *f = app_view(a)->filter ? app_view(a)->filter(a) : NULL;
    if (f) str_copy(f, FILTER_MAX, str_trim(buf_str(&a->prompt.text)));
}

static void accept(struct app *a)
{
    struct prompt *p = &a->prompt;
    int64_t micro;
    switch (p->kind) {
    case PROMPT_FILTER: take_filter(a); break;
    case PROMPT_COMMAND: {
        char line[FILTER_MAX * 4];
        str_copy(line, sizeof line, buf_str(&p->text));
        prompt_close(a);
        app_command(a, line);
        return;
    }
    case PROMPT_ADD:
        if (p->text.len) (void)app_post(a, CMD_KEYS_ADD, "", buf_cstr(&p->text), 0, 0);
        break;
    case PROMPT_LABEL: (void)app_post(a, CMD_KEY_LABEL, p->subject, buf_cstr(&p->text), 0, 0); break;
    case PROMPT_BALANCE:
        if (p->text.len && !str_micro(str_trim(buf_str(&p->text)), &micro)) {
            app_say(a, TOAST_WARN, MSG_T_BAD_BALANCE);
            return;
        }
        (void)app_post(a, CMD_KEY_BALANCE, p->subject, buf_cstr(&p->text), 0, 0);
        break;
    default: break;
    }
    prompt_close(a);
}

static void dismiss(struct app *a)
{
    char *f = app_view(a)->filter ? app_view(a)->filter(a) : NULL;
    if (a->prompt.kind == PROMPT_FILTER && f) memcpy(f, a->prompt.before, FILTER_MAX);
    prompt_close(a);
}

static void yes(struct app *a)
{
    struct prompt asked = a->prompt;
    if (asked.kind == ASK_DELETE) keys_delete_now(a);
    prompt_close(a);
    if (asked.kind == ASK_CANCEL) (void)app_post(a, CMD_REQUEST_CANCEL, "", NULL, asked.number, 0);
    if (asked.kind == ASK_TEST_ALL) keys_test_all(a, "all", true);
    if (asked.kind == ASK_TEST_OTHER) region_test_now(a, asked.subject, asked.host);
}

/* Leaving the program, from its dialog. */
static void leave(struct app *a, enum action act)
{
    prompt_close(a);
    if (act == ACT_DRAIN) (void)app_post(a, CMD_DRAIN, "", NULL, 0, 0);
    if (act == ACT_QUIT_NOW) (void)app_post(a, CMD_QUIT, "", NULL, 0, 0);
    if (act == ACT_HIDE) a->hide_asked = true;
}

static void clear_line(struct buf *text)
{
    if (text->data) wipe(text->data, text->len);
    buf_reset(text);
}

static void prompt_act(struct app *a, enum action act)
{
    struct prompt *p = &a->prompt;
    if (p->kind == ASK_COLUMNS && columns_act(a, act)) return;
    switch (act) {
    case ACT_ACCEPT: accept(a); return;
    case ACT_DISMISS: dismiss(a); return;
    case ACT_YES: yes(a); return;
    case ACT_DRAIN:
    case ACT_QUIT_NOW:
    case ACT_HIDE: leave(a, act); return;
    case ACT_ERASE: drop_last(&p->text); break;
    case ACT_CLEAR_LINE: clear_line(&p->text); break;
    case ACT_COMPLETE: app_command_complete(&p->text); break;
    default: break;
    }
    if (p->kind == PROMPT_FILTER) take_filter(a);
}

/* A question takes everything but its letters for a no; a line takes everything but its keys for text. */
void prompt_key(struct app *a, uint32_t key)
{
    const struct binding *b = binding_find(prompt_mode(a), key);
    if (b) {
        prompt_act(a, b->action);
    } else if (prompt_mode(a) == MODE_YES_NO) {
        prompt_close(a);
    } else if (prompt_mode(a) <= MODE_ADD) {
        type(a, key);
        if (a->prompt.kind == PROMPT_FILTER) take_filter(a);
    }
}

void prompt_paste(struct app *a, const struct event *e)
{
    struct str rest = buf_str(e->paste), line;
    if (a->prompt.kind == PROMPT_ADD) {
        if (a->prompt.text.len) buf_putc(&a->prompt.text, '\n');
        buf_add_str(&a->prompt.text, rest);
        if (e->paste_cut || a->prompt.text.failed) app_say(a, TOAST_WARN, MSG_T_TOO_LONG);
        return;
    }
    if (prompt_mode(a) > MODE_ADD || !str_split(&rest, '\n', &line)) return;
    buf_add_str(&a->prompt.text, str_trim(line)); /* one line into a line */
    if (a->prompt.kind == PROMPT_FILTER) take_filter(a);
}
