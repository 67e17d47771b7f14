/* `sfproxy usage`: from the running instance over control.sock, else straight from state.db, read only. Both ways give
 * the same JSON, which is printed as it is, as a table, or as CSV. */
#include "cli_usage.h"

#include <inttypes.h>
#include <unistd.h>

#include "admin/usage.h"
#include "base/mem.h"
#include "cli_http.h"
#include "cli_text.h"
#include "store/statedb.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, ANSWER_MAX = 64 * 1024 * 1024 };

static const char usage[] = "usage: sfproxy usage [--since 7d] [--by model|key|client|day] [--csv | --json]\n"
                            "--since: 7d (today and the six days before), 12h, a date (2026-11-01), or all\n"
                            "--by: one, or several with commas: day,model\n";

struct wish {
    char since[64], by[64];
    bool csv, json;
};

static int failed(const char *sentence)
{
    char clean[600];
    text_clean(str_of(sentence), clean, sizeof clean);
    fprintf(stderr, "sfproxy: %s\n", clean);
    return EXIT_FAILED;
}

/* Goes into a query string as it is. */
static bool is_plain(const char *s)
{
    return *s && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789,-") == strlen(s);
}

static bool parse_args(int argc, char **argv, struct wish *w)
{
    snprintf(w->since, sizeof w->since, "7d");
    snprintf(w->by, sizeof w->by, "model");
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--csv") == 0)
            w->csv = true;
        else if (strcmp(argv[i], "--json") == 0)
            w->json = true;
        else if (strcmp(argv[i], "--since") == 0 && is_plain(value) &&
                 str_copy(w->since, sizeof w->since, str_of(value)))
            i++;
        else if (strcmp(argv[i], "--by") == 0 && is_plain(value) && str_copy(w->by, sizeof w->by, str_of(value)))
            i++;
        else
            return false;
    }
    return !(w->csv && w->json);
}

/* ---- where it comes from ---- */

static bool from_file(const struct conf *c, const struct usage_ask *ask, struct buf *out, struct buf *why)
{
    char *path = xasprintf("%s/state.db", c->state_dir);
    struct usage_list list = {0};
    bool ok = access(path, F_OK) == 0;
    if (!ok) buf_printf(why, "no sfproxy runs, and there is no %s", path);
    struct statedb *db = ok ? statedb_open_readonly(path, why) : NULL;
    ok = db && ledger_usage(db, ask, &list, why);
    if (ok) usage_json(ask, &list, out);
    usage_list_free(&list);
    statedb_close(db);
    free(path);
    return ok;
}

static bool fetch(const struct conf *c, const struct wish *w, struct buf *out, struct buf *why)
{
    char query[200], sentence[160], socket_path[4200];
    struct usage_ask ask;
    snprintf(query, sizeof query, "since=%s&by=%s", w->since, w->by);
    if (!usage_ask_parse(str_of(query), wall_now(), &ask, sentence, sizeof sentence)) {
        buf_puts(why, sentence);
        return false;
    }
    snprintf(socket_path, sizeof socket_path, "%s/control.sock", c->state_dir);
    char path[260];
    snprintf(path, sizeof path, "usage?%s", query);
    int status = cli_http(socket_path, "GET", path, NULL, STR(""), out, why);
    if (status == 200) return true;
    buf_reset(out);
    if (status) buf_printf(why, "the running sfproxy answered %d", status);
    if (status) return false;
    buf_reset(why);
    return from_file(c, &ask, out, why);
}

/* ---- how it is shown ---- */

static const char *const figures[] = {"requests",  "ok",         "errors",        "attempts",
                                      "tokens_in", "tokens_out", "tokens_cached", "tokens_reasoning",
                                      "cost",      "unpriced"};
static const char *const heads[] = {">REQUESTS", ">OK",     ">ERRORS",  ">TRIES", ">IN",
                                    ">OUT",      ">CACHED", ">THOUGHT", ">CNY"};
enum { FIGURES_SHOWN = 9, COST = 8 };

static void figure(const cJSON *row, size_t n, char *out, size_t size)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(row, figures[n]);
    if (!cJSON_IsNumber(v))
        snprintf(out, size, "%s", n == COST ? "?" : "");
    else
        snprintf(out, size, n == COST ? "%.6f" : "%.0f", v->valuedouble);
}

/* The names of the groups: day, model, key and label, client. Returns how many. */
static size_t names_of(const cJSON *root, const char *names[5])
{
    size_t n = 0;
    const cJSON *by;
    cJSON_ArrayForEach(by, cJSON_GetObjectItemCaseSensitive(root, "by"))
    {
        if (n >= 4 || !cJSON_IsString(by)) continue;
        names[n++] = by->valuestring;
        if (strcmp(by->valuestring, "key") == 0) names[n++] = "label";
    }
    return n;
}

static void table_row(struct text_table *t, const cJSON *row, const char *const *names, size_t n)
{
    char text[64];
    size_t at = text_table_row(t);
    for (size_t i = 0; i < n; i++) text_table_set(t, at, i, json_text(row, names[i], "-"));
    for (size_t i = 0; i < FIGURES_SHOWN && n + i < TABLE_COLUMNS; i++) {
        figure(row, i, text, sizeof text);
        text_table_set(t, at, n + i, text);
    }
}

static void write_table(const cJSON *root, struct buf *out)
{
    const char *names[5], *titles[TABLE_COLUMNS];
    static const char *const upper[][2] = {
        {"day", "DAY"}, {"model", "MODEL"}, {"key", "KEY"}, {"label", "LABEL"}, {"client", "CLIENT"}};
    size_t n = names_of(root, names), columns = 0;
    struct text_table t;
    const cJSON *row, *total = cJSON_GetObjectItemCaseSensitive(root, "total");
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < ARRAY_LEN(upper); k++)
            if (strcmp(upper[k][0], names[i]) == 0) titles[columns++] = upper[k][1];
    for (size_t i = 0; i < FIGURES_SHOWN && columns < TABLE_COLUMNS; i++) titles[columns++] = heads[i];
    text_table_init(&t, titles, columns);
    const cJSON *rows = cJSON_GetObjectItemCaseSensitive(root, "rows");
    cJSON_ArrayForEach(row, rows)
    {
        table_row(&t, row, names, n);
    }
    table_row(&t, total, names, n);
    if (n) text_table_set(&t, t.rows - 1, 0, "total");
    text_table_write(&t, out);
    text_table_free(&t);
    if (json_number(total, "unpriced", 0) > 0)
        buf_printf(out, "%.0f requests have no known price: the cost is without them\n",
                   json_number(total, "unpriced", 0));
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "cut")))
        buf_puts(out, "there are more rows than are shown\n");
}

void csv_cell(struct buf *out, const char *text)
{
    bool formula = *text && strchr("=+-@\t\r", *text);
    if (!formula && !strpbrk(text, ",\"\r\n")) {
        buf_puts(out, text);
        return;
    }
    buf_puts(out, formula ? "\"'" : "\"");
    for (const char *c = text; *c; c++) {
        if (*c == '"') buf_putc(out, '"');
        buf_putc(out, *c);
    }
    buf_putc(out, '"');
}

static void csv_row(struct buf *out, const cJSON *row, const char *const *names, size_t n)
{
    char text[64];
    for (size_t i = 0; i < n; i++) {
        csv_cell(out, json_text(row, names[i], ""));
        buf_putc(out, ',');
    }
    for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
        figure(row, i, text, sizeof text);
        buf_printf(out, "%s%s", strcmp(text, "?") == 0 ? "" : text, i + 1 < ARRAY_LEN(figures) ? "," : "\r\n");
    }
}

static void write_csv(const cJSON *root, struct buf *out)
{
    const char *names[5];
    size_t n = names_of(root, names);
    const cJSON *row;
    for (size_t i = 0; i < n; i++) buf_printf(out, "%s,", names[i]);
    for (size_t i = 0; i < ARRAY_LEN(figures); i++)
        buf_printf(out, "%s%s", figures[i], i + 1 < ARRAY_LEN(figures) ? "," : "\r\n");
    const cJSON *rows = cJSON_GetObjectItemCaseSensitive(root, "rows");
    cJSON_ArrayForEach(row, rows)
    {
        csv_row(out, row, names, n);
    }
}

static int print(const struct wish *w, const struct buf *answer)
{
    struct buf out = BUF_INIT(ANSWER_MAX);
    cJSON *root = w->json ? NULL : cJSON_ParseWithLengthOpts(buf_cstr(answer), answer->len, NULL, false);
    if (w->json)
        buf_printf(&out, "%s\n", buf_cstr(answer));
    else if (root)
        (w->csv ? write_csv : write_table)(root, &out);
    bool ok = (w->json || root) && !out.failed && fwrite(buf_cstr(&out), 1, out.len, stdout) == out.len &&
              fflush(stdout) == 0;
    cJSON_Delete(root);
    buf_free(&out);
    return ok ? EXIT_OK : failed("the answer could not be read or written");
}

int cli_usage(const struct conf *c, int argc, char **argv)
{
    struct wish w = {0};
    struct buf answer = BUF_INIT(ANSWER_MAX), why = BUF_INIT(4096);
    if (!parse_args(argc, argv, &w)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    int rc = fetch(c, &w, &answer, &why) ? print(&w, &answer) : failed(buf_cstr(&why));
    buf_free(&answer);
    buf_free(&why);
    return rc;
}
