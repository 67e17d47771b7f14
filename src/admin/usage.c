#include "admin/usage.h"

#include <inttypes.h>

#include "admin/ask.h"
#include "admin/browser.h"
#include "admin/inside.h"
#include "base/json.h"
#include "base/mem.h"

enum { DAYS_MAX = 40000, FOREVER_DAY = 99999999 };

static const struct {
    enum usage_by by;
    const char *name;
} dimensions[] = {{USAGE_DAY, "day"}, {USAGE_MODEL, "model"}, {USAGE_KEY, "key"}, {USAGE_CLIENT, "client"}};

/* --- the question --- */

/* "2026-11-01" -> 20261101; 0: no date. One-digit months and days are taken too. */
static int date_of(struct str s)
{
    struct str part;
    uint64_t n[3] = {0};
    size_t count = 0;
    while (str_split(&s, '-', &part)) {
        if (count == 3 || !part.n || part.n > 4 || !str_u64(part, &n[count])) return 0;
        count++;
    }
    bool ok = count == 3 && n[0] >= 1970 && n[1] >= 1 && n[1] <= 12 && n[2] >= 1 && n[2] <= 31;
    return ok ? (int)(n[0] * 10000 + n[1] * 100 + n[2]) : 0;
}

static bool parse_since(struct str since, wall_t now, struct usage_ask *out)
{
    int64_t ms = 0, day_ms = 24 * 3600 * 1000;
    out->to_day = FOREVER_DAY;
    out->from_day = 0;
    if (str_is(since, "all")) return true;
    if ((out->from_day = date_of(since)) != 0) return true;
    if (!str_duration_ms(since, &ms) || ms <= 0 || ms / day_ms > DAYS_MAX) return false;
    if (str_ends(since, "d"))
        out->from_day = wall_day_before(now, (int)(ms / day_ms) - 1);
    else
        out->from_ms = now.ms - ms;
    return true;
}

static bool parse_by(struct str by, struct usage_ask *out)
{
    struct str part;
    while (str_split(&by, ',', &part)) {
        size_t i = 0;
        while (i < ARRAY_LEN(dimensions) && !str_is(part, dimensions[i].name)) i++;
        if (i == ARRAY_LEN(dimensions)) return false;
        out->by |= dimensions[i].by;
    }
    return out->by != 0;
}

bool usage_ask_parse(struct str query, wall_t now, struct usage_ask *out, char *why, size_t size)
{
    struct buf since = BUF_INIT(64), by = BUF_INIT(64);
    *out = (struct usage_ask){0};
    bool has_since = form_find(query, "since", &since), has_by = form_find(query, "by", &by);
    bool since_ok = parse_since(has_since ? buf_str(&since) : STR("7d"), now, out);
    bool by_ok = parse_by(has_by ? buf_str(&by) : STR("model"), out);
    if (!since_ok)
        snprintf(why, size, "since is a time like 7d or 12h, a date like 2026-11-01, or all");
    else if (!by_ok)
        snprintf(why, size, "by is one or more of day, model, key, client, comma separated");
    buf_free(&since);
    buf_free(&by);
    return since_ok && by_ok;
}

bool billing_ask_parse(enum billing_kind kind, struct str query, wall_t now, struct usage_ask *out)
{
    struct buf from = BUF_INIT(64), to = BUF_INIT(64);
    bool ok = true;
    *out = (struct usage_ask){.from_day = wall_day(now) / 100 * 100 + 1, .to_day = FOREVER_DAY};
    if (kind == BILLING_USAGE) {
        out->by = USAGE_DAY | USAGE_MODEL;
        if (form_find(query, "start_date", &from)) ok = (out->from_day = date_of(buf_str(&from))) != 0;
        if (form_find(query, "end_date", &to)) ok = (out->to_day = date_of(buf_str(&to))) != 0 && ok;
    }
    buf_free(&from);
    buf_free(&to);
    return ok;
}

/* --- the answer --- */

static void put_sums(struct json *j, const struct usage_sums *s)
{
    json_put_int(j, "requests", s->requests);
    json_put_int(j, "ok", s->ok);
    json_put_int(j, "errors", s->errors);
    json_put_int(j, "attempts", s->attempts);
    json_put_int(j, "tokens_in", s->tokens_in);
    json_put_int(j, "tokens_out", s->tokens_out);
    json_put_int(j, "tokens_cached", s->tokens_cached);
    json_put_int(j, "tokens_reasoning", s->tokens_reasoning);
    json_put_int(j, "units", s->units);
    json_name(j, "cost");
    if (s->cost_unknown && !s->cost_micro)
        json_null(j);
    else
        json_micro(j, s->cost_micro);
    json_put_int(j, "unpriced", s->cost_unknown);
}

static void put_date(struct json *j, const char *name, int day)
{
    char text[32];
    snprintf(text, sizeof text, "%04d-%02d-%02d", day / 10000, day / 100 % 100, day % 100);
    json_put_str(j, name, day ? text : NULL);
}

static void put_row(struct json *j, unsigned by, const struct usage_row *r)
{
    json_object(j);
    if (by & USAGE_DAY) put_date(j, "day", r->day);
    if (by & USAGE_MODEL) json_put_str(j, "model", r->model);
    if (by & USAGE_KEY) {
        json_put_str(j, "key", *r->key_id ? r->key_id : NULL);
        json_put_str(j, "label", *r->label ? r->label : NULL);
    }
    if (by & USAGE_CLIENT) json_put_str(j, "client", r->client);
    put_sums(j, &r->sums);
    json_object_end(j);
}

void usage_json(const struct usage_ask *ask, const struct usage_list *list, struct buf *out)
{
    struct json j;
    json_init(&j, out);
    json_object(&j);
    json_name(&j, "since"); /* Unix milliseconds; null: a day, or ever */
    if (ask->from_ms)
        json_int(&j, ask->from_ms);
    else
        json_null(&j);
    put_date(&j, "from", ask->from_ms ? 0 : ask->from_day);
    json_name(&j, "by");
    json_array(&j);
    for (size_t i = 0; i < ARRAY_LEN(dimensions); i++)
        if (ask->by & dimensions[i].by) json_cstr(&j, dimensions[i].name);
    json_array_end(&j);
    json_name(&j, "rows");
    json_array(&j);
    for (size_t i = 0; i < list->count; i++) put_row(&j, ask->by, &list->rows[i]);
    json_array_end(&j);
    json_name(&j, "total");
    json_object(&j);
    put_sums(&j, &list->total);
    json_object_end(&j);
    json_put_bool(&j, "cut", list->cut);
    json_object_end(&j);
}

/* Names end in _usd because the clients' do; the amounts are CNY. */
static void put_money(struct json *j, const char *name, int64_t micro)
{
    json_name(j, name);
    json_micro(j, micro);
}

static void put_subscription(struct json *j, int64_t granted)
{
    static const char *const names[] = {"soft_limit",     "hard_limit",     "system_hard_limit",
                                        "soft_limit_usd", "hard_limit_usd", "system_hard_limit_usd"};
    json_put_str(j, "object", "billing_subscription");
    json_put_bool(j, "has_payment_method", true); /* one-api then asks for this month, as all others do */
    for (size_t i = 0; i < ARRAY_LEN(names); i++) put_money(j, names[i], granted);
    json_put_int(j, "access_until", 253402185600);
}

/* Unix time of the local midnight that begins a day. */
static int64_t begin_of_day(int day)
{
    struct tm tm = {.tm_year = day / 10000 - 1900, .tm_mon = day / 100 % 100 - 1, .tm_mday = day % 100, .tm_isdst = -1};
    return (int64_t)mktime(&tm);
}

static void put_daily_costs(struct json *j, const struct usage_list *list)
{
    json_name(j, "daily_costs");
    json_array(j);
    for (size_t i = 0; i < list->count;) {
        int day = list->rows[i].day;
        json_object(j);
        json_put_int(j, "timestamp", begin_of_day(day));
        json_name(j, "line_items");
        json_array(j);
        for (; i < list->count && list->rows[i].day == day; i++) {
            json_object(j);
            json_put_str(j, "name", list->rows[i].model);
            put_money(j, "cost", list->rows[i].sums.cost_micro * 100); /* cents, as total_usage */
            json_object_end(j);
        }
        json_array_end(j);
        json_object_end(j);
    }
    json_array_end(j);
}

void billing_json(enum billing_kind kind, const struct usage_list *list, int64_t balance_micro, struct buf *out)
{
    struct json j;
    int64_t spent = list->total.cost_micro, left = MAX(balance_micro, 0);
    json_init(&j, out);
    json_object(&j);
    if (kind == BILLING_SUBSCRIPTION) {
        put_subscription(&j, left + spent);
    } else if (kind == BILLING_USAGE) {
        json_put_str(&j, "object", "list");
        put_money(&j, "total_usage", spent * 100);
        put_daily_costs(&j, list);
    } else {
        json_put_str(&j, "object", "credit_summary");
        put_money(&j, "total_granted", left + spent);
        put_money(&j, "total_used", spent);
        put_money(&j, "total_available", left);
    }
    json_object_end(&j);
}

/* --- the routes --- */

static void reply_text(struct local_call *lc, const struct command_result *r, void *extra)
{
    const bool *for_clients = extra;
    if (!r->json)
        local_reply_error(lc, r->status >= 400 ? r->status : 503, r->status == 400 ? "bad_request" : "unavailable",
                          r->message);
    else if (for_clients)
        local_reply(lc, 200,
                    STR("Content-Type: application/json\r\nCache-Control: no-store\r\n"
                        "Access-Control-Allow-Origin: *\r\n"),
                    str_of(r->json));
    else
        local_reply_json(lc, 200, str_of(r->json));
}

static void ask(void *arg, struct local_call *lc, enum command_kind kind, uint64_t number, bool for_clients)
{
    struct admin *a = arg;
    struct command *cmd = command_new(kind);
    bool *extra = for_clients ? xcalloc(1, sizeof *extra) : NULL;
    cmd->number = number;
    cmd->text = str_dup(local_query(lc));
    ask_control(a->control, lc, cmd, reply_text, extra);
}

void api_usage(void *arg, struct local_call *lc)
{
    ask(arg, lc, CMD_USAGE, 0, false);
}

void billing_subscription(void *arg, struct local_call *lc)
{
    ask(arg, lc, CMD_BILLING, BILLING_SUBSCRIPTION, true);
}

void billing_usage(void *arg, struct local_call *lc)
{
    ask(arg, lc, CMD_BILLING, BILLING_USAGE, true);
}

void billing_credit_grants(void *arg, struct local_call *lc)
{
    ask(arg, lc, CMD_BILLING, BILLING_CREDIT_GRANTS, true);
}
