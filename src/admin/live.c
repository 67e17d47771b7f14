/* Each row is written once, its hash compared with the one of the same id before. Hashes are kept, not rows: a
 * collision would delay one change of one row until its next. */
#include "admin/live.h"

#include "base/map.h"
#include "base/mem.h"

enum { ROW_CAP = 16384, HOUR_BARS = 60, DAY_BARS = 24 };

enum { KEYS, MODELS, REQUESTS, KINDS };
static const char *const kind_names[KINDS] = {"keys", "models", "requests"};

struct row_state {
    uint64_t hash, seen; /* `seen`: number of the snapshot */
};

struct live {
    struct map rows[KINDS]; /* id -> struct row_state */
    uint64_t number;        /* of snapshots taken */
    uint64_t seq;           /* of the newest */
    uint64_t order_hash;
    struct log_mark {
        wall_t until; /* lines up to here were told, */
        size_t same;  /* and so many of exactly that millisecond */
    } log;
    struct buf row;
};

struct live *live_new(void)
{
    struct live *l = xcalloc(1, sizeof *l);
    buf_init(&l->row, ROW_CAP);
    return l;
}

static void forget_rows(struct map *m)
{
    MAP_FOR(slot, m) free(slot->value);
    map_free(m);
}

void live_free(struct live *l)
{
    if (!l) return;
    for (int i = 0; i < KINDS; i++) forget_rows(&l->rows[i]);
    buf_free(&l->row);
    free(l);
}

static uint64_t hash_of(struct str s, uint64_t h)
{
    for (size_t i = 0; i < s.n; i++) h = (h ^ (unsigned char)s.p[i]) * 1099511628211ull; /* FNV-1a */
    return h;
}

/* ---- rows ---- */

static void put_balance(struct json *j, const struct snap_key *key)
{
    static const char *const origins[] = {
        [BALANCE_UNKNOWN] = "unknown", [BALANCE_API] = "api", [BALANCE_SET] = "set", [BALANCE_METERED] = "metered"};
    json_name(j, "balance");
    if (key->balance_origin == BALANCE_UNKNOWN) {
        json_null(j);
        return;
    }
    json_object(j);
    json_name(j, "value");
    json_micro(j, key->balance_left_micro);
    json_put_str(j, "origin", origins[key->balance_origin]);
    json_put_int(j, "at", key->view.balance_at.ms);
    json_object_end(j);
}

/* The cooldown that ends last, with its end in whole seconds, so that it does not tremble. */
static void put_cooldown(struct json *j, const struct snapshot *s, const struct key_view *k)
{
    size_t n = MIN((size_t)k->cooldown_count, ARRAY_LEN(k->cooldowns));
    json_name(j, "cooldown");
    if (!n) {
        json_null(j);
        return;
    }
    const struct key_cooldown_view *c = &k->cooldowns[0];
    json_object(j);
    json_put_str(j, "model", c->model);
    json_put_str(j, "reason", verdict_name(c->reason));
    json_put_int(j, "until", (s->time.ms + c->ms_left + 500) / 1000 * 1000);
    json_put_int(j, "more", (int64_t)k->cooldown_count - 1);
    json_object_end(j);
}

static void put_error(struct json *j, const struct key_view *k)
{
    json_name(j, "error");
    if (!k->last_error.at.ms) {
        json_null(j);
        return;
    }
    json_object(j);
    json_put_int(j, "at", k->last_error.at.ms);
    json_put_int(j, "status", k->last_error.status);
    json_put_str(j, "verdict", verdict_name(k->last_error.verdict));
    json_put_str(j, "message", k->last_error.message);
    json_object_end(j);
}

static const char *write_key(const struct snapshot *s, size_t i, struct json *j)
{
    const struct key_view *k = &s->keys[i].view;
    json_object(j);
    json_put_str(j, "id", k->id);
    json_put_str(j, "label", k->label);
    json_put_str(j, "masked", k->masked);
    json_put_str(j, "account", k->account);
    json_put_str(j, "class", key_class_name(k->class));
    json_put_str(j, "evidence", k->class_evidence);
    json_put_str(j, "state", key_state_name(k->state));
    json_put_bool(j, "enabled", k->enabled);
    json_put_int(j, "in_flight", k->in_flight);
    snapshot_rates_json(&s->keys[i].meter.rates, j);
    json_put_int(j, "ok", (int64_t)k->ok);
    json_put_int(j, "failed", (int64_t)k->failed);
    json_put_int(j, "limited", (int64_t)k->limited);
    put_balance(j, &s->keys[i]);
    put_cooldown(j, s, k);
    put_error(j, k);
    json_put_known(j, "tested_at", k->tested_at.ms ? k->tested_at.ms : -1);
    json_object_end(j);
    return k->id;
}

static const char *write_model(const struct snapshot *s, size_t i, struct json *j)
{
    const struct snap_model *m = &s->models[i];
    static const char *const costs[] = {[COST_UNKNOWN] = "unknown", [COST_FREE] = "free", [COST_PAID] = "paid"};
    json_object(j);
    json_put_str(j, "id", m->id);
    json_put_str(j, "sub_type", m->sub_type);
    json_put_str(j, "cost", costs[m->cost]);
    json_put_str(j, "evidence", m->evidence);
    json_put_str(j, "price", m->price);
    json_put_bool(j, "banned", m->banned);
    json_put_bool(j, "ban_from_file", m->ban_from_file);
    snapshot_rates_json(&m->rates, j);
    json_put_int(j, "ok", (int64_t)m->ok);
    json_put_int(j, "failed", (int64_t)m->failed);
    json_put_known(j, "ttft_ms", m->ttft_ms);
    json_put_int(j, "keys_usable", m->keys_usable);
    json_put_str(j, "breaker", m->breaker);
    json_put_str(j, "trouble", m->trouble);
    json_object_end(j);
    return m->id;
}

static const char *key_name(const struct snapshot *s, const char *id)
{
    for (size_t i = 0; i < s->key_count; i++) {
        const struct key_view *k = &s->keys[i].view;
        if (strcmp(k->id, id) == 0) return *k->label ? k->label : k->masked;
    }
    return id;
}

/* Running requests come first in the snapshot, then finished ones. */
static size_t running_shown(const struct snapshot *s)
{
    return MIN(s->live_count, (size_t)LIVE_RUNNING);
}

static size_t requests_shown(const struct snapshot *s)
{
    return running_shown(s) + MIN(s->request_count - s->live_count, (size_t)LIVE_REQUESTS);
}

static const char *write_request(const struct snapshot *s, size_t i, struct json *j)
{
    static _Thread_local char id[24];
    const struct snap_request *q = &s->requests[i < running_shown(s) ? i : s->live_count + i - running_shown(s)];
    const struct record *r = &q->r;
    snprintf(id, sizeof id, "%llu", (unsigned long long)r->id);
    json_object(j);
    json_put_str(j, "id", id);
    json_put_int(j, "time", r->wall.ms);
    json_put_str(j, "state", q->live ? q->state : end_name(r->end));
    json_put_bool(j, "live", q->live);
    json_put_bool(j, "is_error", !q->live && end_is_error(r->end));
    json_put_str(j, "client", r->client);
    json_put_str(j, "model", r->model);
    json_put_str(j, "key", *r->key_id ? key_name(s, r->key_id) : "");
    json_put_bool(j, "stream", r->stream);
    json_put_int(j, "status", r->status);
    json_put_known(j, "ttft_ms", r->ttft_ms);
    json_put_known(j, "duration_ms", q->live ? -1 : r->duration_ms);
    json_put_known(j, "tokens_in", r->usage.known ? r->usage.in : -1);
    json_put_known(j, "tokens_out", r->usage.known ? r->usage.out : -1);
    json_put_int(j, "tries", r->tries);
    json_object_end(j);
    return id;
}

/* ---- comparing ---- */

/* True when the row is new or different. */
static bool note_row(struct live *l, int kind, const char *id)
{
    struct map *m = &l->rows[kind];
    struct row_state *state = map_get(m, str_of(id));
    uint64_t hash = hash_of(buf_str(&l->row), 14695981039346656037ull);
    if (!state) {
        state = xcalloc(1, sizeof *state);
        map_put(m, str_of(id), state);
    }
    bool changed = !state->seen || state->hash != hash;
    *state = (struct row_state){hash, l->number};
    return changed;
}

static void add_row(struct buf *out, const struct buf *row, bool *first)
{
    if (!*first) buf_putc(out, ',');
    *first = false;
    buf_add_str(out, buf_str(row));
}

static void write_rows(struct live *l, const struct snapshot *s, int kind, size_t count,
                       const char *(*write)(const struct snapshot *, size_t, struct json *), struct buf *full,
                       struct buf *change)
{
    bool first_full = true, first_change = true;
    buf_printf(full, ",\"%s\":[", kind_names[kind]);
    buf_printf(change, ",\"%s\":[", kind_names[kind]);
    for (size_t i = 0; i < count; i++) {
        struct json j;
        buf_reset(&l->row);
        json_init(&j, &l->row);
        const char *id = write(s, i, &j);
        if (l->row.failed) continue;
        if (note_row(l, kind, id)) add_row(change, &l->row, &first_change);
        add_row(full, &l->row, &first_full);
    }
    buf_putc(full, ']');
    buf_putc(change, ']');
}

/* Ids that are no longer there, told and forgotten. */
static void write_gone(struct live *l, struct buf *change)
{
    struct json j;
    buf_puts(change, ",\"gone\":");
    json_init(&j, change);
    json_object(&j);
    for (int kind = 0; kind < KINDS; kind++) {
        struct map *m = &l->rows[kind], kept = MAP_INIT;
        json_name(&j, kind_names[kind]);
        json_array(&j);
        MAP_FOR(slot, m)
        {
            struct row_state *state = slot->value;
            if (state->seen == l->number) {
                map_put(&kept, str_of(slot->key), state);
                continue;
            }
            json_cstr(&j, slot->key);
            free(state);
        }
        json_array_end(&j);
        map_free(m);
        *m = kept;
    }
    json_object_end(&j);
}

static void write_order(struct live *l, const struct snapshot *s, struct buf *full, struct buf *change)
{
    struct json j;
    uint64_t hash = 14695981039346656037ull;
    struct buf order = BUF_INIT(256 * 1024);
    json_init(&j, &order);
    json_array(&j);
    for (size_t i = 0; i < s->key_count; i++) json_cstr(&j, s->keys[i].view.id);
    json_array_end(&j);
    hash = hash_of(buf_str(&order), hash);
    buf_printf(full, ",\"order\":%s", buf_cstr(&order));
    if (hash != l->order_hash) buf_printf(change, ",\"order\":%s", buf_cstr(&order));
    l->order_hash = hash;
    buf_free(&order);
}

/* ---- the rest of a picture ---- */

static void put_bars(struct json *j, const char *name, const int64_t *values, size_t bars, size_t each)
{
    json_name(j, name);
    json_array(j);
    for (size_t b = 0; b < bars; b++) {
        int64_t sum = -1;
        for (size_t i = b * each; i < (b + 1) * each; i++)
            if (values[i] >= 0) sum = MAX(sum, 0) + values[i];
        if (sum < 0)
            json_null(j);
        else
            json_int(j, sum);
    }
    json_array_end(j);
}

static void put_series(struct json *j, const struct snapshot *s)
{
    json_name(j, "series");
    json_object(j);
    put_bars(j, "rpm", s->req_10s, HOUR_BARS, RING_TENS / HOUR_BARS);
    put_bars(j, "tpm", s->tok_10s, HOUR_BARS, RING_TENS / HOUR_BARS);
    put_bars(j, "rpd", s->req_60s, DAY_BARS, RING_MINUTES / DAY_BARS);
    put_bars(j, "tpd", s->tok_60s, DAY_BARS, RING_MINUTES / DAY_BARS);
    json_object_end(j);
}

static void put_totals(struct json *j, const struct snapshot *s)
{
    const struct meter_totals *t = &s->totals;
    json_name(j, "totals");
    json_object(j);
    snapshot_rates_json(&t->rates, j);
    json_put_int(j, "in_flight", (int64_t)s->in_flight);
    json_put_int(j, "waiting", s->waiting);
    json_put_int(j, "limited_per_min", (int64_t)t->limited_per_min);
    json_put_int(j, "errors_per_min", (int64_t)t->errors_per_min);
    json_put_known(j, "ttft_p50_ms", t->ttft_p50_ms);
    json_put_known_micro(j, "cost_today", t->cost_today);
    json_put_known_micro(j, "burn_per_hour", t->burn_per_hour);
    json_put_known(j, "hours_left", t->hours_left);
    json_object_end(j);
}

static void put_head(struct json *j, const struct snapshot *s, uint64_t prev)
{
    json_put_int(j, "seq", (int64_t)s->seq);
    json_put_int(j, "prev", (int64_t)prev);
    json_name(j, "head");
    json_object(j);
    json_put_int(j, "time", s->time.ms);
    json_put_int(j, "uptime_s", s->uptime_s);
    json_put_str(j, "breaker", s->breaker);
    json_put_str(j, "trouble", s->upstream_trouble);
    json_put_str(j, "alarm", s->alarm);
    json_put_str(j, "conf_error", s->conf_error);
    json_put_bool(j, "draining", s->draining);
    json_put_bool(j, "readonly", s->readonly);
    json_object_end(j);
}

static bool is_told(const struct log_line *line, struct log_mark *mark)
{
    if (line->time.ms != mark->until.ms) return line->time.ms < mark->until.ms;
    if (!mark->same) return false;
    mark->same--;
    return true;
}

/* Warnings and errors that were not told yet, the newest LIVE_LOG of them. */
static void put_log(struct json *j, const struct snapshot *s, struct log_mark mark)
{
    size_t news[LIVE_LOG], count = 0;
    for (size_t i = 0; i < s->log_count; i++)
        if (!is_told(&s->log[i], &mark) && s->log[i].level <= LOG_WARN) news[count++ % LIVE_LOG] = i;
    json_name(j, "log");
    json_array(j);
    for (size_t n = count > LIVE_LOG ? count - LIVE_LOG : 0; n < count; n++) {
        const struct log_line *line = &s->log[news[n % LIVE_LOG]];
        json_object(j);
        json_put_int(j, "time", line->time.ms);
        json_put_str(j, "level", log_level_name(line->level));
        json_put_str(j, "text", line->text);
        json_object_end(j);
    }
    json_array_end(j);
}

static void mark_log(struct live *l, const struct snapshot *s)
{
    if (!s->log_count) return;
    l->log = (struct log_mark){.until = s->log[s->log_count - 1].time};
    for (size_t i = s->log_count; i > 0 && s->log[i - 1].time.ms == l->log.until.ms; i--) l->log.same++;
}

static void write_common(const struct snapshot *s, struct buf *out, uint64_t prev, struct log_mark log)
{
    struct json j;
    json_init(&j, out);
    json_object(&j);
    put_head(&j, s, prev);
    put_totals(&j, s);
    put_series(&j, s);
    put_log(&j, s, log);
}

void live_next(struct live *l, const struct snapshot *s, struct buf *full, struct buf *change)
{
    l->number++;
    write_common(s, full, 0, (struct log_mark){{0}, 0});
    write_common(s, change, l->seq, l->log);
    write_rows(l, s, KEYS, s->key_count, write_key, full, change);
    write_rows(l, s, MODELS, s->model_count, write_model, full, change);
    write_rows(l, s, REQUESTS, requests_shown(s), write_request, full, change);
    write_order(l, s, full, change);
    write_gone(l, change);
    buf_putc(full, '}');
    buf_putc(change, '}');
    l->seq = s->seq;
    mark_log(l, s);
}

uint64_t live_seq(const struct live *l)
{
    return l->seq;
}
