/* `sfproxy status` and `sfproxy keys`: one or two requests over control.sock, printed for people. Nothing is decided
 * here; the running instance has the last word, and its sentence is printed as it is (cleaned for the terminal). */
#include "cli.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <inttypes.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli_http.h"
#include "cli_text.h"
#include "conf/address.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, KEYS_MAX = 1024 * 1024, ANSWER_MAX = 64 * 1024 * 1024 };
enum { TEST_WAIT_MS = 300000, POLL_MS = 250 };

static const char usage[] = "usage: sfproxy status [--json | --tmux]\n"
                            "       sfproxy explain --model M\n"
                            "       sfproxy keys list\n"
                            "       sfproxy keys add                    reads keys from standard input\n"
                            "       sfproxy keys import FILE | -\n"
                            "       sfproxy keys enable | disable | remove ID\n"
                            "       sfproxy keys test [ID | all]\n"
                            "       sfproxy keys test ID --other-region [--yes]   is it a key of .com instead of .cn?\n"
                            "ID is a key's id, the beginning of it, or its label.\n";

static int usage_error(const char *sentence)
{
    fprintf(stderr, "sfproxy: %s\n%s", sentence, usage);
    return EXIT_USAGE;
}

static int failed(const char *sentence)
{
    char clean[600];
    text_clean(str_of(sentence), clean, sizeof clean);
    fprintf(stderr, "sfproxy: %s\n", clean);
    return EXIT_FAILED;
}

/* Set once by cli_main(); the process serves one subcommand and ends. */
static const char *control_path;

/* One call; the JSON answer, or NULL after the reason was printed. */
static cJSON *call(const char *method, const char *path, const char *type, struct str body)
{
    struct buf out = BUF_INIT(ANSWER_MAX), why = BUF_INIT(2048);
    int status = cli_http(control_path, method, path, type, body, &out, &why);
    cJSON *answer = status ? cJSON_ParseWithLengthOpts(buf_cstr(&out), out.len, NULL, false) : NULL;
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(answer, "error");
    if (!status) {
        failed(buf_cstr(&why));
    } else if (status >= 300 || !answer) {
        buf_printf(&why, "the running sfproxy answered %d", status);
        failed(json_text(error, "message", buf_cstr(&why)));
        cJSON_Delete(answer);
        answer = NULL;
    }
    buf_free(&out);
    buf_free(&why);
    return answer;
}

static int print(struct buf *out)
{
    bool ok = !out->failed && fwrite(buf_cstr(out), 1, out->len, stdout) == out->len && fflush(stdout) == 0;
    buf_free(out);
    return ok ? EXIT_OK : failed("the output could not be written");
}

static int say(cJSON *answer)
{
    char clean[600];
    if (!answer) return EXIT_FAILED;
    text_clean(str_of(json_text(answer, "message", "done")), clean, sizeof clean);
    cJSON_Delete(answer);
    return printf("%s\n", clean) > 0 && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

/* --- status --- */

static const char *const states[] = {"ready", "busy", "cooling", "draining", "off", "bad", "untested", "testing"};
static const char *const marks[] = {"✓", "▸", "~", "d", "-", "✗", "?", "t"};

static void count_states(const cJSON *keys, unsigned counts[ARRAY_LEN(states)])
{
    const cJSON *k;
    cJSON_ArrayForEach(k, keys)
    {
        const char *state = json_text(k, "state", "");
        for (size_t i = 0; i < ARRAY_LEN(states); i++) counts[i] += strcmp(states[i], state) == 0;
    }
}

static void add_total(struct buf *out, const cJSON *totals, const char *title, const char *name)
{
    char figure[32];
    text_count(json_number(totals, name, 0), figure, sizeof figure);
    buf_printf(out, "%s%s %s", out->len && out->data[out->len - 1] != '\n' ? "   " : "", title, figure);
}

static void status_line(const cJSON *s, struct buf *out)
{
    unsigned counts[ARRAY_LEN(states)] = {0};
    const cJSON *totals = cJSON_GetObjectItemCaseSensitive(s, "totals");
    char rpm[32], tpm[32];
    text_count(json_number(totals, "rpm", 0), rpm, sizeof rpm);
    text_count(json_number(totals, "tpm", 0), tpm, sizeof tpm);
    buf_printf(out, "RPM %s TPM %s", rpm, tpm);
    count_states(cJSON_GetObjectItemCaseSensitive(s, "keys"), counts);
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (counts[i]) buf_printf(out, " %s%u", marks[i], counts[i]);
    buf_putc(out, '\n');
}

static void status_keys(const cJSON *keys, struct buf *out)
{
    unsigned counts[ARRAY_LEN(states)] = {0};
    const char *glue = ":";
    count_states(keys, counts);
    buf_printf(out, "keys %d", cJSON_GetArraySize(keys));
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        if (!counts[i]) continue;
        buf_printf(out, "%s %u %s", glue, counts[i], states[i]);
        glue = ",";
    }
    buf_putc(out, '\n');
}

static void add_clean(struct buf *out, const char *before, const char *text)
{
    char clean[600];
    if (!*text) return;
    text_clean(str_of(text), clean, sizeof clean);
    buf_printf(out, "%s%s", before, clean);
}

/* What is known of it; nothing when nothing was spent. */
static void status_money(const cJSON *totals, struct buf *out)
{
    double today = json_number(totals, "cost_today", -1), burn = json_number(totals, "burn_per_hour", -1);
    double hours = json_number(totals, "hours_left", -1), unpriced = json_number(totals, "unpriced_today", 0);
    if (today <= 0 && unpriced <= 0) return;
    if (today >= 0)
        buf_printf(out, "cost today %.4f CNY", today);
    else
        buf_puts(out, "cost today ?");
    if (unpriced > 0) buf_printf(out, " without %.0f requests of unknown cost", unpriced);
    if (burn > 0) buf_printf(out, "   %.4f an hour", burn);
    if (hours >= 0) buf_printf(out, "   known balances last about %.0f h", hours);
    buf_putc(out, '\n');
}

static void status_text(const cJSON *s, struct buf *out)
{
    const cJSON *totals = cJSON_GetObjectItemCaseSensitive(s, "totals");
    const cJSON *upstream = cJSON_GetObjectItemCaseSensitive(s, "upstream");
    char age[32];
    text_age(json_number(s, "uptime_s", 0), age, sizeof age);
    add_clean(out, "sfproxy ", json_text(s, "version", "?"));
    buf_printf(out, ", up for %s%s", age,
               cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(s, "draining")) ? ", draining" : "");
    add_clean(out, ", clients use ", json_text(s, "base_url", json_text(s, "listen", "")));
    add_clean(out, "\nplatform ", json_text(upstream, "base_url", "?"));
    add_clean(out, ": ", json_text(upstream, "reason", ""));
    buf_putc(out, '\n');
    add_total(out, totals, "RPM", "rpm");
    add_total(out, totals, "TPM", "tpm");
    add_total(out, totals, "RPD", "rpd");
    add_total(out, totals, "TPD", "tpd");
    buf_putc(out, '\n');
    add_total(out, totals, "in flight", "in_flight");
    add_total(out, totals, "429/min", "limited_per_min");
    add_total(out, totals, "errors/min", "errors_per_min");
    add_total(out, totals, "retries/min", "retries_per_min");
    buf_putc(out, '\n');
    status_money(totals, out);
    status_keys(cJSON_GetObjectItemCaseSensitive(s, "keys"), out);
    add_clean(out, "alarm: ", json_text(s, "alarm", ""));
    if (*json_text(s, "alarm", "")) buf_putc(out, '\n');
    add_clean(out, "last reload failed: ", json_text(s, "conf_error", ""));
    if (*json_text(s, "conf_error", "")) buf_putc(out, '\n');
}

static int status_json(void)
{
    struct buf out = BUF_INIT(ANSWER_MAX), why = BUF_INIT(2048);
    int status = cli_http(control_path, "GET", "snapshot", NULL, STR(""), &out, &why);
    if (status && status != 200) buf_printf(&why, "the running sfproxy answered %d", status);
    int rc = status == 200 ? EXIT_OK : failed(buf_cstr(&why));
    buf_free(&why);
    if (rc == EXIT_OK) buf_putc(&out, '\n');
    if (rc == EXIT_OK) return print(&out);
    buf_free(&out);
    return rc;
}

static int cmd_status(int argc, char **argv)
{
    bool json = argc == 2 && strcmp(argv[1], "--json") == 0, line = argc == 2 && strcmp(argv[1], "--tmux") == 0;
    struct buf out = BUF_INIT(1024 * 1024);
    if (argc > 2 || (argc == 2 && !json && !line)) return usage_error("status takes --json or --tmux, or nothing");
    if (json) return status_json();
    cJSON *s = call("GET", "snapshot", NULL, STR(""));
    if (!s) return EXIT_FAILED;
    (line ? status_line : status_text)(s, &out);
    cJSON_Delete(s);
    return print(&out);
}

/* --- keys --- */

static cJSON *fetch_keys(void)
{
    cJSON *answer = call("GET", "keys", NULL, STR(""));
    cJSON *keys = cJSON_DetachItemFromObjectCaseSensitive(answer, "keys");
    if (answer && !keys) failed("the running sfproxy sent no list of keys");
    cJSON_Delete(answer);
    return keys;
}

static void key_balance(const cJSON *k, char *out, size_t size)
{
    const cJSON *b = cJSON_GetObjectItemCaseSensitive(k, "balance");
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(b, "value");
    bool by_hand = *json_text(b, "origin", "") && strcmp(json_text(b, "origin", ""), "api") != 0;
    if (cJSON_IsNumber(value))
        snprintf(out, size, "%s%.2f", by_hand ? "<=" : "", value->valuedouble);
    else
        snprintf(out, size, "?");
}

static void key_trouble(const cJSON *k, char *out, size_t size)
{
    const cJSON *cooldown = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(k, "cooldowns"), 0);
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(k, "last_error");
    char left[32];
    *out = '\0';
    if (cooldown && strcmp(json_text(k, "state", ""), "cooling") == 0) {
        text_age(json_number(cooldown, "seconds_left", 0), left, sizeof left);
        snprintf(out, size, "%s %s %s", left, json_text(cooldown, "reason", ""), json_text(cooldown, "model", ""));
    } else if (cJSON_IsObject(error)) {
        snprintf(out, size, "%.0f %s", json_number(error, "status", 0), json_text(error, "message", ""));
    }
}

static void key_row(struct text_table *t, const cJSON *k)
{
    static const char *const figures[] = {"in_flight", "rpm", "tpm", "limited"};
    char text[400];
    size_t row = text_table_row(t);
    text_table_set(t, row, 0, json_text(k, "id", "?"));
    text_table_set(t, row, 1, json_text(k, "label", ""));
    text_table_set(t, row, 2, json_text(k, "masked", ""));
    text_table_set(t, row, 3, json_text(k, "class", "?"));
    text_table_set(t, row, 4, json_text(k, "state", "?"));
    for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
        text_count(json_number(k, figures[i], 0), text, sizeof text);
        text_table_set(t, row, 5 + i, text);
    }
    key_balance(k, text, sizeof text);
    text_table_set(t, row, 9, text);
    key_trouble(k, text, sizeof text);
    text_table_set(t, row, 10, text);
}

/* `only`: this id, or NULL for all. */
static int print_keys(const cJSON *keys, const char *only)
{
    static const char *const heads[] = {"ID",   "LABEL", "KEY",  "CLASS",    "STATE",  ">BUSY",
                                        ">RPM", ">TPM",  ">429", ">BALANCE", "TROUBLE"};
    struct text_table t;
    struct buf out = BUF_INIT(ANSWER_MAX);
    const cJSON *k;
    text_table_init(&t, heads, ARRAY_LEN(heads));
    cJSON_ArrayForEach(k, keys) if (!only || strcmp(json_text(k, "id", ""), only) == 0) key_row(&t, k);
    if (t.rows > 1)
        text_table_write(&t, &out);
    else
        buf_puts(&out, "no keys; add some with: sfproxy keys add\n");
    text_table_free(&t);
    return print(&out);
}

static int keys_list(const char *arg)
{
    (void)arg;
    cJSON *keys = fetch_keys();
    if (!keys) return EXIT_FAILED;
    int rc = print_keys(keys, NULL);
    cJSON_Delete(keys);
    return rc;
}

static bool read_all(int fd, struct buf *out)
{
    for (;;) {
        char *room = buf_reserve(out, 4096);
        if (!room) return false;
        ssize_t n = read(fd, room, 4096);
        if (n <= 0) return n == 0;
        buf_added(out, (size_t)n);
    }
}

/* From a terminal: with a prompt, and without showing what is typed. */
static bool read_stdin(struct buf *out)
{
    struct termios was, quiet;
    bool terminal = isatty(0) && tcgetattr(0, &was) == 0;
    if (terminal) {
        fprintf(stderr, "Paste keys, one on each line (they are not shown), then press Enter and Ctrl-D:\n");
        quiet = was;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(0, TCSANOW, &quiet);
    }
    bool ok = read_all(0, out);
    if (terminal) tcsetattr(0, TCSANOW, &was);
    return ok;
}

static int send_keys(struct buf *text)
{
    int rc = EXIT_FAILED;
    struct str trimmed = str_trim(buf_str(text));
    if (!trimmed.n)
        rc = failed("there was no key in the input");
    else
        rc = say(call("POST", "keys", "text/plain", trimmed));
    if (text->data) wipe(text->data, text->room);
    buf_free(text);
    return rc;
}

static int keys_add(const char *arg)
{
    struct buf text = BUF_INIT(KEYS_MAX);
    (void)arg;
    if (!read_stdin(&text)) {
        if (text.data) wipe(text.data, text.room);
        buf_free(&text);
        return failed("the keys could not be read, or are more than 1 MiB");
    }
    return send_keys(&text);
}

static int keys_import(const char *arg)
{
    struct buf text = BUF_INIT(KEYS_MAX);
    char why[400];
    if (strcmp(arg, "-") == 0) return keys_add(arg);
    int fd = open(arg, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && read_all(fd, &text);
    if (fd >= 0) close(fd);
    if (ok) return send_keys(&text);
    if (text.data) wipe(text.data, text.room);
    buf_free(&text);
    snprintf(why, sizeof why, "%s cannot be read, or is more than 1 MiB", arg);
    return failed(why);
}

/* The id of the key meant by `what`; false after the reason was printed. */
static bool find_key(const char *what, char *id, size_t size)
{
    const cJSON *k = NULL;
    char why[200];
    cJSON *keys = fetch_keys();
    if (!keys) return false;
    enum key_match match = key_find(keys, what, &k);
    if (match == KEY_MATCH_ONE) {
        snprintf(id, size, "%s", json_text(k, "id", ""));
    } else {
        snprintf(why, sizeof why,
                 match == KEY_MATCH_NONE ? "no key has the id or label %.64s"
                                         : "several keys fit %.64s; give a whole id",
                 what);
        failed(why);
    }
    cJSON_Delete(keys);
    return match == KEY_MATCH_ONE;
}

static int key_verb(const char *what, const char *method, const char *verb)
{
    char id[64], path[128];
    if (!find_key(what, id, sizeof id)) return EXIT_FAILED;
    snprintf(path, sizeof path, "keys/%s%s%s", id, *verb ? "/" : "", verb);
    return say(call(method, path, NULL, STR("")));
}

static int keys_enable(const char *arg)
{
    return key_verb(arg, "POST", "enable");
}

static int keys_disable(const char *arg)
{
    return key_verb(arg, "POST", "disable");
}

static int keys_remove(const char *arg)
{
    return key_verb(arg, "DELETE", "");
}

/* --- explain --- */

static bool plain_byte(char c)
{
    return ascii_alnum(c) || strchr("-._~/", c);
}

/* The path with the model as a query, escaped. */
static void explain_path(const char *model, struct buf *out)
{
    buf_puts(out, "explain?model=");
    for (const char *c = model; *c; c++) {
        if (plain_byte(*c))
            buf_putc(out, *c);
        else
            buf_printf(out, "%%%02X", (unsigned char)*c);
    }
}

static void why_text(const cJSON *k, char *out, size_t size)
{
    const char *why = json_text(k, "why", "?");
    char left[32];
    text_age(json_number(k, "seconds_left", 0), left, sizeof left);
    if (strcmp(why, "limit") == 0)
        snprintf(out, size, "its limit of a minute is used up, %s", left);
    else if (strcmp(why, "cooling") == 0)
        snprintf(out, size, "%s: %s, %s%s", json_text(k, "scope", ""), json_text(k, "reason", ""), left,
                 cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(k, "probing")) ? ", another request probes" : "");
    else if (strcmp(why, "bad") == 0)
        snprintf(out, size, "bad: %s", json_text(k, "class_evidence", "INVALID"));
    else
        snprintf(out, size, "%s", why);
}

static void explain_row(struct text_table *t, const cJSON *k)
{
    static const char *const names[] = {"id", "label", "masked", "account", "class"};
    char why[300];
    size_t row = text_table_row(t);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) text_table_set(t, row, i, json_text(k, names[i], ""));
    why_text(k, why, sizeof why);
    text_table_set(t, row, ARRAY_LEN(names), why);
}

static void explain_head(const cJSON *a, struct buf *out)
{
    const cJSON *free_model = cJSON_GetObjectItemCaseSensitive(a, "free");
    const cJSON *breaker = cJSON_GetObjectItemCaseSensitive(a, "breaker");
    char left[32];
    add_clean(out, "", json_text(a, "model", "?"));
    buf_printf(out, " is %s",
               !cJSON_IsBool(free_model)  ? "not known to be free or paid"
               : cJSON_IsTrue(free_model) ? "free"
                                          : "paid");
    add_clean(out, " (", json_text(a, "evidence", "unknown"));
    buf_puts(out, ")");
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(a, "banned"))) buf_puts(out, ", and banned: 404 model_banned");
    buf_putc(out, '\n');
    if (!cJSON_IsObject(breaker)) return;
    text_age(json_number(breaker, "seconds_left", 0), left, sizeof left);
    add_clean(out, "the breaker is open for the ", json_text(breaker, "of", ""));
    add_clean(out, ": ", json_text(breaker, "reason", ""));
    buf_printf(out, ", next probe in %s\n", left);
}

static int cmd_explain(int argc, char **argv)
{
    static const char *const heads[] = {"ID", "LABEL", "KEY", "ACCOUNT", "CLASS", "WHY"};
    struct buf out = BUF_INIT(ANSWER_MAX), path = BUF_INIT(4096);
    struct text_table t;
    const cJSON *k;
    if (argc != 3 || strcmp(argv[1], "--model") != 0 || !*argv[2]) return usage_error("explain takes --model M");
    explain_path(argv[2], &path);
    cJSON *a = path.failed ? NULL : call("GET", buf_cstr(&path), NULL, STR(""));
    buf_free(&path);
    if (!a) return EXIT_FAILED;
    explain_head(a, &out);
    text_table_init(&t, heads, ARRAY_LEN(heads));
    const cJSON *keys = cJSON_GetObjectItemCaseSensitive(a, "keys");
    cJSON_ArrayForEach(k, keys)
    {
        explain_row(&t, k);
    }
    if (t.rows > 1)
        text_table_write(&t, &out);
    else
        buf_puts(&out, "no keys; add some with: sfproxy keys add\n");
    text_table_free(&t);
    cJSON_Delete(a);
    return print(&out);
}

/* --- tests --- */

/* Is a test still going on, of this key or of any? */
static bool is_testing(const cJSON *s, const char *only)
{
    const cJSON *k;
    if (!only && cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(s, "progress"))) return true;
    cJSON_ArrayForEach(k, cJSON_GetObjectItemCaseSensitive(s, "keys"))
    {
        bool meant = !only || strcmp(json_text(k, "id", ""), only) == 0;
        if (meant && strcmp(json_text(k, "state", ""), "testing") == 0) return true;
    }
    return false;
}

/* Waits for the end of a test that began, then shows the keys. */
static int await_test(const char *only)
{
    mono_t until = mono_add(mono_now(), TEST_WAIT_MS);
    const struct timespec pause = {0, POLL_MS * 1000000L};
    for (;;) {
        cJSON *s = call("GET", "snapshot", NULL, STR(""));
        if (!s) return EXIT_FAILED;
        bool going_on = is_testing(s, only), late = mono_now().ms >= until.ms;
        int rc = EXIT_OK;
        if (!going_on) rc = print_keys(cJSON_GetObjectItemCaseSensitive(s, "keys"), only);
        cJSON_Delete(s);
        if (!going_on) return rc;
        if (late) return failed("the test goes on; look again with: sfproxy keys list");
        nanosleep(&pause, NULL);
    }
}

static int keys_test(const char *arg)
{
    char id[64], path[128];
    bool all = !arg || strcmp(arg, "all") == 0;
    if (!all && !find_key(arg, id, sizeof id)) return EXIT_FAILED;
    snprintf(path, sizeof path, all ? "keys/test" : "keys/%s/test", id);
    cJSON *answer =
        all ? call("POST", path, "application/json", STR("{\"what\":\"all\"}")) : call("POST", path, NULL, STR(""));
    int rc = say(answer);
    return rc == EXIT_OK ? await_test(all ? NULL : id) : rc;
}

/* The key is shown to another host than the configured one: not without a yes. False: the reason was printed. */
static bool agrees_to_other_region(const char *id)
{
    cJSON *s = call("GET", "snapshot", NULL, STR(""));
    const char *base = json_text(cJSON_GetObjectItemCaseSensitive(s, "upstream"), "base_url", "");
    struct buf why = BUF_INIT(256);
    struct url_parts u;
    const char *other = s && url_parse(str_of(base), &u, &why) ? other_region_host(u.host) : NULL;
    char answer[16] = "";
    bool asked = s && other && isatty(0);
    buf_free(&why);
    if (asked) {
        fprintf(stderr, "Key %s would be shown to %s, another platform than the configured one. Go on? [y/N] ", id,
                other);
        if (!fgets(answer, sizeof answer, stdin)) answer[0] = '\0';
    }
    cJSON_Delete(s);
    if (!s || answer[0] == 'y' || answer[0] == 'Y' || (!other && !asked))
        return s != NULL; /* without a host it is refused there */
    failed(asked ? "not tested" : "the key would be shown to another host: say --yes");
    return false;
}

/* keys test ID --other-region [--yes], in any order. */
static int keys_test_other(int argc, char **argv)
{
    const char *what = NULL;
    char id[64], path[128];
    bool yes = false, other = false;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--other-region") == 0)
            other = true;
        else if (strcmp(argv[i], "--yes") == 0)
            yes = true;
        else if (!what && argv[i][0] != '-')
            what = argv[i];
        else
            return usage_error("keys test does not understand that");
    }
    if (!other || !what || strcmp(what, "all") == 0) return usage_error("--other-region takes the id of one key");
    if (!find_key(what, id, sizeof id) || (!yes && !agrees_to_other_region(id))) return EXIT_FAILED;
    snprintf(path, sizeof path, "keys/%s/test?other_region=yes", id);
    return say(call("POST", path, NULL, STR("")));
}

static bool has_option(int argc, char **argv)
{
    for (int i = 2; i < argc; i++)
        if (strncmp(argv[i], "--", 2) == 0) return true;
    return false;
}

static const struct {
    const char *name;
    int least, most; /* arguments after the name */
    int (*run)(const char *arg);
} verbs[] = {
    {"list", 0, 0, keys_list},     {"add", 0, 0, keys_add},         {"import", 1, 1, keys_import},
    {"enable", 1, 1, keys_enable}, {"disable", 1, 1, keys_disable}, {"test", 0, 1, keys_test},
    {"remove", 1, 1, keys_remove},
};

static int cmd_keys(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "test") == 0 && has_option(argc, argv)) return keys_test_other(argc, argv);
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(verbs); i++) {
        if (strcmp(argv[1], verbs[i].name) != 0) continue;
        int given = argc - 2;
        if (verbs[i].run == keys_add && given > 0)
            return usage_error("keys add takes no key as an argument, every user of this machine could read it; "
                               "it reads standard input");
        if (given < verbs[i].least || given > verbs[i].most) return usage_error("wrong number of arguments");
        return verbs[i].run(given ? argv[2] : NULL);
    }
    return usage_error("keys needs one of list, add, import, enable, disable, test, remove");
}

int cli_main(const char *socket_path, int argc, char **argv)
{
    control_path = socket_path;
    if (argc < 1) return usage_error("which subcommand?");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return failed("libcurl does not start");
    int rc = strcmp(argv[0], "status") == 0    ? cmd_status(argc, argv)
             : strcmp(argv[0], "keys") == 0    ? cmd_keys(argc, argv)
             : strcmp(argv[0], "explain") == 0 ? cmd_explain(argc, argv)
                                               : usage_error("unknown subcommand");
    curl_global_cleanup();
    return rc;
}
