/* The sliding windows have 60 buckets: seconds for a minute, minutes for an hour, 24 minutes for a day. A request
 * refused by a limit does not count against it. */
#include "accounts.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>

static const struct metric {
    const char *name;
    enum unit unit;
    int minutes;
} metrics[N_METRICS] = {
    {"rpm", UNIT_REQUESTS, 1},  {"tpm", UNIT_TOKENS, 1}, {"rph", UNIT_REQUESTS, 60}, {"rpd", UNIT_REQUESTS, 1440},
    {"tpd", UNIT_TOKENS, 1440}, {"ipm", UNIT_IMAGES, 1}, {"ipd", UNIT_IMAGES, 1440},
};

struct limit {
    struct limit *next;
    char *model;             /* "*" = each model that has no limit of its own */
    uint64_t max[N_METRICS]; /* 0 = none */
};

static struct table keys, accounts, cells;
static uint64_t generation;
static int64_t minute_ns = 60000000000ll;
static bool unknown_keys_ok = true;

static struct account *account_of(const char *name)
{
    struct account *a = table_get(&accounts, name, strlen(name));
    if (a) return a;
    a = xalloc(sizeof *a);
    a->name = xstrdup(name);
    table_put(&accounts, name, strlen(name), a);
    return a;
}

struct key *accounts_key(const char *text)
{
    struct key *k = table_get(&keys, text, strlen(text));
    if (k) return k;
    k = xalloc(sizeof *k);
    k->name = xstrdup(text);
    k->account = account_of(text);
    k->kind = unknown_keys_ok && strncmp(text, "sk-", 3) == 0 ? KIND_PAID : KIND_INVALID;
    memcpy(k->balance, "88.88", 6);
    table_put(&keys, text, strlen(text), k);
    return k;
}

static bool parse_kind(const cJSON *v, enum kind *out)
{
    static const char *const names[] = {"paid", "free", "empty", "unverified", "invalid"};
    for (int i = 0; cJSON_IsString(v) && i < 5; i++) {
        if (strcmp(names[i], v->valuestring) == 0) {
            *out = (enum kind)i;
            return true;
        }
    }
    return v == NULL;
}

static bool parse_limits(struct account *a, const cJSON *limits, struct buf *why)
{
    const cJSON *m, *v;
    if (!limits) return true;
    if (a->limits_of != generation) a->limits = NULL;
    a->limits_of = generation;
    cJSON_ArrayForEach(m, limits)
    {
        struct limit *l = xalloc(sizeof *l);
        l->model = xstrdup(m->string);
        l->next = a->limits;
        a->limits = l;
        cJSON_ArrayForEach(v, m)
        {
            int i = 0;
            while (i < N_METRICS && strcmp(metrics[i].name, v->string) != 0) i++;
            if (i == N_METRICS || !cJSON_IsNumber(v)) {
                buf_printf(why, "limits: \"%s\" is none of rpm tpm rph rpd tpd ipm ipd with a number", v->string);
                return false;
            }
            l->max[i] = (uint64_t)v->valuedouble;
        }
    }
    return true;
}

static bool declare(const cJSON *v, struct buf *why)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(v, "key");
    const cJSON *account = cJSON_GetObjectItemCaseSensitive(v, "account");
    const cJSON *balance = cJSON_GetObjectItemCaseSensitive(v, "balance");
    if (!cJSON_IsString(name)) {
        buf_puts(why, "keys: each needs a \"key\"");
        return false;
    }
    struct key *k = accounts_key(name->valuestring);
    k->declared = true;
    k->kind = KIND_PAID;
    k->account = account_of(cJSON_IsString(account) ? account->valuestring : name->valuestring);
    if (!parse_kind(cJSON_GetObjectItemCaseSensitive(v, "kind"), &k->kind)) {
        buf_puts(why, "keys: kind is paid, free, empty, unverified or invalid");
        return false;
    }
    const char *money = cJSON_IsString(balance) ? balance->valuestring : k->kind == KIND_PAID ? "88.88" : "0.00";
    size_t n = strlen(money) < sizeof k->balance ? strlen(money) : sizeof k->balance - 1;
    memcpy(k->balance, money, n);
    k->balance[n] = 0;
    return parse_limits(k->account, cJSON_GetObjectItemCaseSensitive(v, "limits"), why);
}

bool accounts_set(const cJSON *list, long minute_ms, bool unknown_ok, struct buf *why)
{
    const cJSON *v;
    generation++;
    minute_ns = (int64_t)minute_ms * 1000000;
    unknown_keys_ok = unknown_ok;
    TABLE_EACH(&keys, s)
    {
        struct key *k = s->value;
        k->declared = false;
        k->account = account_of(k->name);
        k->kind = unknown_ok && strncmp(k->name, "sk-", 3) == 0 ? KIND_PAID : KIND_INVALID;
    }
    TABLE_EACH(&accounts, s)((struct account *)s->value)->limits = NULL;
    TABLE_EACH(&cells, s)
    {
        struct cell *c = s->value;
        free(c->windows);
        c->windows = NULL;
    }
    cJSON_ArrayForEach(v, list)
    {
        if (!declare(v, why)) return false;
    }
    return true;
}

struct cell *accounts_cell(struct account *a, const char *model)
{
    struct buf id = {0};
    buf_printf(&id, "%s\n%s", a->name, model);
    struct cell *c = table_get(&cells, id.p, id.len);
    if (!c) {
        c = xalloc(sizeof *c);
        c->account = a;
        c->model = xstrdup(model);
        table_put(&cells, id.p, id.len, c);
    }
    buf_free(&id);
    return c;
}

struct model_count *accounts_count(struct key *k, const char *model)
{
    struct model_count *m = k->models;
    while (m && strcmp(m->model, model) != 0) m = m->next;
    if (m) return m;
    if (k->n_models >= MAX_MODELS && strcmp(model, "(other)") != 0) return accounts_count(k, "(other)");
    k->n_models++;
    m = xalloc(sizeof *m);
    m->model = xstrdup(model);
    m->next = k->models;
    return k->models = m;
}

static void roll(struct window *w, int64_t now, int minutes)
{
    int64_t width = minute_ns * minutes / 60, b = now / (width > 0 ? width : 1);
    if (b - w->last >= 60) {
        *w = (struct window){.last = b};
        return;
    }
    while (w->last < b) {
        uint32_t *oldest = &w->bucket[++w->last % 60];
        w->sum -= *oldest;
        *oldest = 0;
    }
}

static const struct limit *limit_of(const struct cell *c)
{
    const struct limit *all = NULL;
    for (const struct limit *l = c->account->limits; l; l = l->next) {
        if (strcmp(l->model, c->model) == 0) return l;
        if (strcmp(l->model, "*") == 0) all = l;
    }
    return all;
}

const char *accounts_limited(struct cell *c, int64_t now, bool images)
{
    const struct limit *l = limit_of(c);
    if (!l) return NULL;
    if (!c->windows) c->windows = xalloc(N_METRICS * sizeof *c->windows);
    for (int i = 0; i < N_METRICS; i++) {
        if (!l->max[i] || (metrics[i].unit == UNIT_IMAGES && !images)) continue;
        roll(&c->windows[i], now, metrics[i].minutes);
        if (c->windows[i].sum < l->max[i]) continue;
        c->limited++;
        return metrics[i].name;
    }
    return NULL;
}

void accounts_used(struct cell *c, int64_t now, enum unit unit, uint32_t n)
{
    if (!c->windows) return;
    for (int i = 0; i < N_METRICS; i++) {
        if (metrics[i].unit != unit) continue;
        roll(&c->windows[i], now, metrics[i].minutes);
        c->windows[i].bucket[c->windows[i].last % 60] += n;
        c->windows[i].sum += n;
    }
}

void accounts_reset(void)
{
    TABLE_EACH(&keys, s)
    {
        struct key *k = s->value;
        k->requests = k->tokens_in = k->tokens_out = k->faults = 0;
        k->max_in_flight = k->in_flight;
        memset(k->by_status, 0, sizeof k->by_status);
        for (struct model_count *m = k->models; m; m = m->next) m->requests = m->tokens_in = m->tokens_out = 0;
    }
    TABLE_EACH(&cells, s)
    {
        struct cell *c = s->value;
        c->requests = c->limited = c->tokens_in = c->tokens_out = 0;
        free(c->windows);
        c->windows = NULL;
    }
}

static void report_key(struct buf *o, const struct key *k)
{
    static const char *const kinds[] = {"paid", "free", "empty", "unverified", "invalid"};
    buf_json_s(o, k->name);
    buf_puts(o, ":{\"account\":");
    buf_json_s(o, k->account->name);
    buf_printf(o,
               ",\"kind\":\"%s\",\"requests\":%llu,\"in_flight\":%u,\"max_in_flight\":%u,\"faults\":%llu,"
               "\"tokens_in\":%llu,\"tokens_out\":%llu,\"statuses\":{",
               kinds[k->kind], (unsigned long long)k->requests, k->in_flight, k->max_in_flight,
               (unsigned long long)k->faults, (unsigned long long)k->tokens_in, (unsigned long long)k->tokens_out);
    const char *comma = "";
    for (int i = 0; i < MAX_STATUS; i++) {
        if (!k->by_status[i]) continue;
        buf_printf(o, "%s\"%d\":%u", comma, i, k->by_status[i]);
        comma = ",";
    }
    buf_puts(o, "},\"models\":{");
    comma = "";
    for (const struct model_count *m = k->models; m; m = m->next) {
        if (!m->requests) continue;
        buf_puts(o, comma);
        buf_json_s(o, m->model);
        buf_printf(o, ":{\"requests\":%llu,\"tokens_in\":%llu,\"tokens_out\":%llu}", (unsigned long long)m->requests,
                   (unsigned long long)m->tokens_in, (unsigned long long)m->tokens_out);
        comma = ",";
    }
    buf_puts(o, "}}");
}

void accounts_report(struct buf *o)
{
    const char *comma = "";
    buf_puts(o, "\"keys\":{");
    TABLE_EACH(&keys, s)
    {
        const struct key *k = s->value;
        if (!k->requests && !k->in_flight && !k->declared) continue;
        buf_puts(o, comma);
        report_key(o, k);
        comma = ",";
    }
    buf_puts(o, "},\"cells\":[");
    comma = "";
    TABLE_EACH(&cells, s)
    {
        const struct cell *c = s->value;
        if (!c->requests && !c->limited) continue;
        buf_printf(o, "%s{\"account\":", comma);
        buf_json_s(o, c->account->name);
        buf_puts(o, ",\"model\":");
        buf_json_s(o, c->model);
        buf_printf(o, ",\"requests\":%llu,\"limited\":%llu,\"tokens_in\":%llu,\"tokens_out\":%llu}",
                   (unsigned long long)c->requests, (unsigned long long)c->limited, (unsigned long long)c->tokens_in,
                   (unsigned long long)c->tokens_out);
        comma = ",";
    }
    buf_puts(o, "]");
}
