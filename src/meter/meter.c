/* Counting. Control feeds every record of every worker into meter_apply(); what comes out is read for snapshots.
 *
 *   ADMITTED  +1 request   total, model, client
 *   TRY       +1 try       the key, the (key, model) pair
 *   DONE      tokens, end, cost  total, model, client, the last key, its pair; the list of recent requests
 *
 * A request is therefore counted once however many keys were tried, and keys count tries. A record is booked at the
 * time it was made, not when control came to it. The sums of a day belong to the day of the request's admission, as in
 * the ledger.
 *
 * Every entity (model, client, key) is found by name in a table with a limit, because names come from outside: a model
 * gets an entry only once it is known to exist, and when a table is full, an entry that was idle for a whole day makes
 * room (all its windows are zero by then, so nothing that is shown disappears); otherwise "(other)" takes the count.
 * The 15 KB window of an entity is made with the entity, at first use. Owner: the control thread; no locks. */
#include "meter/meter.h"

#include "base/map.h"
#include "base/mem.h"
#include "meter/pairs.h"
#include "meter/minute.h"
#include "meter/recent.h"

enum { TTFT_SCALE = 16, TTFT_WEIGHT = 8, IDLE_MS = 24 * 3600 * 1000 };

#define OTHER METER_OTHER

struct today {
    int day; /* YYYYMMDD; an older one: nothing has been booked today */
    struct day_sums sums;
};

struct entity {
    char *name;
    struct window window;
    mono_t used;
    uint64_t requests, ok, failed, tokens;
    int64_t ttft_scaled; /* smoothed, in 1/16 ms, so that small steps are not lost to rounding; -1 unknown */
    struct today today;
    struct money money; /* since start */
};

struct table {
    struct map by_name;
    struct entity **items; /* in order of appearance */
    size_t count, max;
    mono_t full_until; /* no search for an idle entry before this */
};

struct meter {
    mono_t started;
    int day; /* YYYYMMDD */
    struct day_cache day_cache;
    struct today today;
    struct money money; /* since start */
    struct burn burn;
    struct window total;
    struct meter_totals sums; /* only what counts since start */
    struct minute_count retries, errors, limited, done;
    struct table models, clients, keys;
    struct pairs *pairs;
    struct recent *recent;
};

/* ---- entities ---- */

static void table_init(struct table *t, size_t max)
{
    *t = (struct table){.max = max};
    t->items = xcalloc(max, sizeof *t->items);
}

static void entity_free(struct entity *e)
{
    free(e->name);
    free(e);
}

static void table_free(struct table *t)
{
    for (size_t i = 0; i < t->count; i++) entity_free(t->items[i]);
    free(t->items);
    map_free(&t->by_name);
}

static bool drop_idle(struct table *t, mono_t now)
{
    if (now.ms < t->full_until.ms) return false;
    for (size_t i = 0; i < t->count; i++) {
        struct entity *e = t->items[i];
        if (mono_since(now, e->used) <= IDLE_MS || strcmp(e->name, OTHER) == 0) continue;
        map_remove(&t->by_name, str_of(e->name));
        entity_free(e);
        memmove(&t->items[i], &t->items[i + 1], (--t->count - i) * sizeof *t->items);
        return true;
    }
    t->full_until = mono_add(now, 60000);
    return false;
}

static struct entity *entity_new(struct table *t, const char *name, mono_t now)
{
    struct entity *e = xcalloc(1, sizeof *e);
    e->name = xstrdup(name);
    e->ttft_scaled = -1;
    window_init(&e->window, now);
    map_put(&t->by_name, str_of(name), e);
    t->items[t->count++] = e;
    return e;
}

static bool has_room(const struct table *t)
{
    return t->count + (map_get(&t->by_name, STR(OTHER)) ? 0 : 1) < t->max;
}

/* The entity of that name; a new one when `may_make`; else that of "(other)", for which one place is kept. */
static struct entity *entity_of(struct table *t, const char *name, bool may_make, mono_t now)
{
    struct entity *e = map_get(&t->by_name, str_of(name));
    if (!e && may_make && *name && (has_room(t) || drop_idle(t, now))) e = entity_new(t, name, now);
    if (!e) e = map_get(&t->by_name, STR(OTHER));
    if (!e) e = entity_new(t, OTHER, now);
    if (e->used.ms < now.ms) e->used = now;
    return e;
}

static void smooth_ttft(struct entity *e, int32_t ttft_ms)
{
    int64_t value = (int64_t)ttft_ms * TTFT_SCALE;
    if (ttft_ms < 0) return;
    e->ttft_scaled = e->ttft_scaled < 0 ? value : e->ttft_scaled + (value - e->ttft_scaled) / TTFT_WEIGHT;
}

static int64_t ttft_of(const struct entity *e)
{
    return e->ttft_scaled < 0 ? -1 : (e->ttft_scaled + TTFT_SCALE / 2) / TTFT_SCALE;
}

static struct rates rates_of(struct window *w, mono_t now)
{
    window_advance(w, now);
    return (struct rates){w->requests_60s, w->tokens_60s, w->requests_24h, w->tokens_24h};
}

/* ---- the meter ---- */

struct meter *meter_new(mono_t now)
{
    struct meter *m = xcalloc(1, sizeof *m);
    m->started = now;
    window_init(&m->total, now);
    table_init(&m->models, METER_MODELS_MAX);
    table_init(&m->clients, METER_CLIENTS_MAX);
    table_init(&m->keys, POOL_KEYS_MAX);
    m->pairs = pairs_new();
    m->recent = recent_new();
    return m;
}

void meter_free(struct meter *m)
{
    if (!m) return;
    table_free(&m->models);
    table_free(&m->clients);
    table_free(&m->keys);
    pairs_free(m->pairs);
    recent_free(m->recent);
    free(m);
}

/* ---- days ---- */

static struct day_sums *sums_of(struct today *t, int day)
{
    if (t->day != day) *t = (struct today){.day = day};
    return &t->sums;
}

static struct day_sums read_sums(const struct today *t, int day)
{
    return t->day == day ? t->sums : (struct day_sums){0};
}

static void add_sums(struct day_sums *to, const struct day_sums *s)
{
    to->requests += s->requests;
    to->ok += s->ok;
    to->errors += s->errors;
    to->tokens_in += s->tokens_in;
    to->tokens_out += s->tokens_out;
    money_merge(&to->money, &s->money);
}

void meter_set_day(struct meter *m, int day)
{
    m->day = day;
}

/* False: it belongs to another day, a request that ran over midnight for example. */
static bool is_of_today(struct meter *m, const struct record *r)
{
    return wall_day_cached(&m->day_cache, r->wall) == m->day;
}

static struct day_sums sums_of_record(const struct record *r)
{
    struct day_sums s = {.requests = 1, .ok = r->end == END_OK, .errors = end_is_error(r->end)};
    if (r->usage.known) {
        s.tokens_in = (uint64_t)MAX(r->usage.in, 0);
        s.tokens_out = (uint64_t)MAX(r->usage.out, 0);
    }
    money_book(&s.money, r->cost_micro);
    return s;
}

/* ---- counting ---- */

static void count_admitted(struct meter *m, const struct record *r, mono_t at)
{
    m->sums.requests++;
    window_add(&m->total, at, 1, 0);
    struct entity *model = entity_of(&m->models, r->model, r->model_known, at);
    struct entity *client = entity_of(&m->clients, r->client, true, at);
    model->requests++;
    client->requests++;
    window_add(&model->window, at, 1, 0);
    window_add(&client->window, at, 1, 0);
}

static void count_try(struct meter *m, const struct record *r, mono_t at)
{
    m->sums.tries++;
    if (!r->key_id[0]) return;
    struct entity *key = entity_of(&m->keys, r->key_id, true, at);
    struct entity *model = entity_of(&m->models, r->model, r->model_known, at);
    key->requests++;
    window_add(&key->window, at, 1, 0);
    pairs_add(m->pairs, r->key_id, model->name, at, 1, 0);
}

static void count_end(struct meter *m, const struct record *r, mono_t at)
{
    struct meter_totals *t = &m->sums;
    bool is_error = end_is_error(r->end);
    uint32_t retries = r->tries > 1 ? r->tries - 1u : 0, limited = 0;
    for (size_t i = 0; i < MIN((size_t)r->tries, (size_t)RECORD_TRIES); i++)
        limited += verdict_is_rate((enum verdict)r->try_list[i].verdict);
    if ((unsigned)r->end < END_COUNT) t->ends[r->end]++;
    histogram_add(&t->duration, r->duration_ms);
    if (r->ttft_ms >= 0) histogram_add(&t->ttft, r->ttft_ms);
    t->ok += r->end == END_OK;
    t->errors += is_error;
    t->cancelled += r->end == END_CLIENT_ABORT || r->end == END_CLIENT_STALLED;
    t->limited += limited;
    t->retries += retries;
    minute_add(&m->retries, at, retries);
    minute_add(&m->errors, at, is_error);
    minute_add(&m->limited, at, limited);
    minute_add(&m->done, at, 1);
}

static const char *last_key(const struct record *r)
{
    if (r->key_id[0] || !r->tries) return r->key_id;
    return r->try_list[MIN((size_t)r->tries, (size_t)RECORD_TRIES) - 1].key_id;
}

static uint64_t tokens_of(const struct record *r)
{
    return r->usage.known ? (uint64_t)MAX(r->usage.in, 0) + (uint64_t)MAX(r->usage.out, 0) : 0;
}

/* `sums`: NULL when it is not of today. */
static void book(struct meter *m, struct entity *e, const struct record *r, const struct day_sums *sums, mono_t at)
{
    uint64_t tokens = tokens_of(r);
    if (sums) add_sums(sums_of(&e->today, m->day), sums);
    e->ok += r->end == END_OK;
    e->failed += end_is_error(r->end);
    e->tokens += tokens;
    money_book(&e->money, r->cost_micro);
    if (r->end == END_OK) smooth_ttft(e, r->ttft_ms);
    window_add(&e->window, at, 0, tokens);
}

static void count_done(struct meter *m, const struct record *r, mono_t at)
{
    count_end(m, r, at);
    if (r->usage.known) {
        m->sums.tokens_in += (uint64_t)MAX(r->usage.in, 0);
        m->sums.tokens_out += (uint64_t)MAX(r->usage.out, 0);
    }
    window_add(&m->total, at, 0, tokens_of(r));
    money_book(&m->money, r->cost_micro);
    burn_add(&m->burn, at, r->cost_micro);
    struct day_sums one = sums_of_record(r), *sums = is_of_today(m, r) ? &one : NULL;
    if (sums) add_sums(sums_of(&m->today, m->day), sums);
    struct entity *model = entity_of(&m->models, r->model, r->model_known, at);
    book(m, model, r, sums, at);
    book(m, entity_of(&m->clients, r->client, true, at), r, sums, at);
    const char *key_id = last_key(r);
    if (*key_id) {
        book(m, entity_of(&m->keys, key_id, true, at), r, sums, at);
        if (tokens_of(r)) pairs_add(m->pairs, key_id, model->name, at, 0, tokens_of(r));
    }
    recent_add(m->recent, r);
}

void meter_apply(struct meter *m, const struct record *r, mono_t now)
{
    mono_t at = r->at.ms > 0 && r->at.ms <= now.ms ? r->at : now;
    switch (r->kind) {
    case RECORD_ADMITTED: count_admitted(m, r, at); break;
    case RECORD_TRY: count_try(m, r, at); break;
    case RECORD_DONE: count_done(m, r, at); break;
    }
}

/* ---- what the run before counted ---- */

static struct entity *restored(struct meter *m, enum meter_kind kind, const char *name)
{
    struct table *t = kind == METER_MODEL ? &m->models : kind == METER_CLIENT ? &m->clients : &m->keys;
    return entity_of(t, name, true, m->started);
}

void meter_restore(struct meter *m, enum meter_kind kind, const char *name, mono_t at, int step, uint32_t requests,
                   uint64_t tokens)
{
    struct window *w = kind == METER_TOTAL ? &m->total : &restored(m, kind, name)->window;
    window_restore(w, at, step, requests, tokens);
}

void meter_restore_today(struct meter *m, enum meter_kind kind, const char *name, const struct day_sums *sums)
{
    struct today *t = kind == METER_TOTAL ? &m->today : &restored(m, kind, name)->today;
    add_sums(sums_of(t, m->day), sums);
}

/* ---- reading ---- */

void meter_totals(struct meter *m, mono_t now, struct meter_totals *out)
{
    *out = m->sums;
    out->rates = rates_of(&m->total, now);
    out->retries_per_min = minute_sum(&m->retries, now);
    out->errors_per_min = minute_sum(&m->errors, now);
    out->limited_per_min = minute_sum(&m->limited, now);
    out->done_per_min = minute_sum(&m->done, now);
    out->today = read_sums(&m->today, m->day);
    out->spent = spent_of(&out->today.money, &m->money);
    out->cost_today = out->spent.today;
    out->burn_per_hour = out->spent.total < 0 ? -1 : burn_per_hour(&m->burn, m->started, now);
    out->hours_left = -1;
    recent_ttft(m->recent, &out->ttft_p50_ms, &out->ttft_p95_ms);
}

const struct window *meter_window(struct meter *m, mono_t now)
{
    window_advance(&m->total, now);
    return &m->total;
}

bool meter_key_rates(struct meter *m, const char *key_id, mono_t now, struct meter_key *out)
{
    *out = (struct meter_key){.ttft_ms = -1};
    struct entity *e = map_get(&m->keys.by_name, str_of(key_id));
    if (!e) return false;
    int64_t minutes[ARRAY_LEN(out->trend)];
    out->rates = rates_of(&e->window, now);
    out->tries = e->requests;
    out->today = read_sums(&e->today, m->day);
    out->spent = spent_of(&out->today.money, &e->money);
    out->ttft_ms = ttft_of(e);
    window_series(&e->window, 60, false, minutes, ARRAY_LEN(minutes));
    for (size_t i = 0; i < ARRAY_LEN(minutes); i++) out->trend[i] = (uint32_t)MAX(minutes[i], 0);
    return true;
}

void meter_cell(struct meter *m, const char *key_id, const char *model, mono_t now, struct rates *out)
{
    *out = (struct rates){0};
    pairs_get(m->pairs, key_id, model, now, &out->rpm, &out->tpm);
}

size_t meter_models(struct meter *m, mono_t now, struct meter_model *out, size_t room)
{
    size_t n = MIN(m->models.count, room);
    for (size_t i = 0; i < n; i++) {
        struct entity *e = m->models.items[i];
        out[i] = (struct meter_model){.ok = e->ok, .failed = e->failed, .requests = e->requests, .tokens = e->tokens};
        str_copy(out[i].id, sizeof out[i].id, str_of(e->name));
        out[i].rates = rates_of(&e->window, now);
        out[i].ttft_ms = ttft_of(e);
        out[i].today = read_sums(&e->today, m->day);
        out[i].spent = spent_of(&out[i].today.money, &e->money);
    }
    return n;
}

size_t meter_clients(struct meter *m, mono_t now, struct meter_client *out, size_t room)
{
    size_t n = MIN(m->clients.count, room);
    for (size_t i = 0; i < n; i++) {
        struct entity *e = m->clients.items[i];
        out[i] = (struct meter_client){.requests = e->requests, .errors = e->failed};
        str_copy(out[i].name, sizeof out[i].name, str_of(e->name));
        out[i].rates = rates_of(&e->window, now);
        out[i].today = read_sums(&e->today, m->day);
        out[i].spent = spent_of(&out[i].today.money, &e->money);
    }
    return n;
}

size_t meter_recent(const struct meter *m, const struct record **out, size_t room)
{
    return recent_list(m->recent, out, room);
}
