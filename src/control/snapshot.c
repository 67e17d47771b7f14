/* The snapshot and its JSON. The names are those of the admin API; whatever is not known is null, never 0: a price
 * without a table, a time to first byte before the first byte, the cost of what has no price. Money is CNY. Times are
 * Unix milliseconds. Everything here comes from fields that were cleaned and masked before. */
#include "control/snapshot.h"

#include "base/check.h"
#include "base/mem.h"

enum { SERIES_MINUTES = 60, SERIES_HOURS = 24 };

struct snapshot *snapshot_new(void)
{
    struct snapshot *s = xcalloc(1, sizeof *s);
    atomic_init(&s->refs, 1);
    return s;
}

struct snapshot *snapshot_get(struct snapshot *s)
{
    unsigned before = atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    BUG_ON(before == 0);
    return s;
}

void snapshot_put(struct snapshot *s)
{
    if (!s) return;
    unsigned before = atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel);
    BUG_ON(before == 0);
    if (before > 1) return;
    free(s->keys);
    free(s->models);
    free(s->clients);
    free(s->cells);
    free(s->requests);
    free(s->jobs);
    free(s->log);
    free(s);
}

/* ---- small pieces ---- */

static void put_u64(struct json *j, const char *name, uint64_t v)
{
    json_put_int(j, name, (int64_t)MIN(v, (uint64_t)INT64_MAX));
}

static void put_text(struct json *j, const char *name, const char *s)
{
    json_put_str(j, name, *s ? s : NULL);
}

void snapshot_rates_json(const struct rates *r, struct json *j)
{
    put_u64(j, "rpm", r->rpm);
    put_u64(j, "tpm", r->tpm);
    put_u64(j, "rpd", r->rpd);
    put_u64(j, "tpd", r->tpd);
}

static int64_t seconds_since(const struct snapshot *s, wall_t t)
{
    return t.ms > 0 ? MAX(s->time.ms - t.ms, 0) / 1000 : -1;
}

static void open_named(struct json *j, const char *name, void (*open)(struct json *))
{
    json_name(j, name);
    open(j);
}

/* ---- keys ---- */

static void put_balance(const struct snapshot *s, struct json *j, const struct snap_key *key)
{
    static const char *const origins[] = {"unknown", "api", "set", "metered"};
    const struct key_view *k = &key->view;
    bool known = key->balance_origin != BALANCE_UNKNOWN;
    open_named(j, "balance", json_object);
    json_name(j, "value");
    if (known)
        json_micro(j, key->balance_left_micro);
    else
        json_null(j);
    json_put_str(j, "origin", origins[key->balance_origin]);
    json_put_known(j, "age_s", known ? seconds_since(s, k->balance_at) : -1);
    json_object_end(j);
}

static void put_cooldowns(struct json *j, const struct key_view *k)
{
    open_named(j, "cooldowns", json_array);
    for (size_t i = 0; i < MIN((size_t)k->cooldown_count, ARRAY_LEN(k->cooldowns)); i++) {
        const struct key_cooldown_view *c = &k->cooldowns[i];
        json_object(j);
        json_put_str(j, "model", c->model);
        json_put_str(j, "reason", verdict_name(c->reason));
        json_put_int(j, "seconds_left", MAX(c->ms_left + 999, 0) / 1000);
        json_object_end(j);
    }
    json_array_end(j);
    json_put_int(j, "cooldown_count", k->cooldown_count);
}

static void put_last_error(struct json *j, const struct key_view *k)
{
    json_name(j, "last_error");
    if (!k->last_error.at.ms) {
        json_null(j);
        return;
    }
    json_object(j);
    json_put_int(j, "time", k->last_error.at.ms);
    json_put_known(j, "status", k->last_error.status ? k->last_error.status : -1);
    json_put_known(j, "code", k->last_error.code ? k->last_error.code : -1);
    json_put_str(j, "verdict", verdict_name(k->last_error.verdict));
    json_put_str(j, "message", k->last_error.message);
    json_object_end(j);
}

static void put_key(const struct snapshot *s, struct json *j, const struct snap_key *key)
{
    const struct key_view *k = &key->view;
    json_object(j);
    json_put_str(j, "id", k->id);
    json_put_str(j, "label", k->label);
    json_put_str(j, "masked", k->masked);
    json_put_str(j, "account", k->account);
    json_put_str(j, "class", key_class_name(k->class));
    put_text(j, "class_evidence", k->class_evidence);
    json_put_str(j, "state", key_state_name(k->state));
    json_put_bool(j, "enabled", k->enabled);
    json_put_bool(j, "from_file", k->from_file);
    json_put_str(j, "origin", k->origin);
    json_put_int(j, "in_flight", k->in_flight);
    snapshot_rates_json(&key->meter.rates, j);
    put_u64(j, "tries", key->meter.tries);
    put_u64(j, "ok", k->ok);
    put_u64(j, "failed", k->failed);
    put_u64(j, "limited", k->limited);
    json_put_known(j, "ttft_ms", key->meter.ttft_ms);
    put_balance(s, j, key);
    json_put_known_micro(j, "spent_today", key->spent_today_micro);
    json_put_known_micro(j, "spent_total", key->meter.spent.total);
    put_cooldowns(j, k);
    put_last_error(j, k);
    json_put_known(j, "tested_s_ago", seconds_since(s, k->tested_at));
    json_put_known(j, "used_s_ago", seconds_since(s, k->used_at));
    json_put_bool(j, "ever_worked", k->ever_worked);
    open_named(j, "trend", json_array);
    for (size_t i = 0; i < ARRAY_LEN(key->meter.trend); i++) json_int(j, key->meter.trend[i]);
    json_array_end(j);
    json_object_end(j);
}

void snapshot_keys_json(const struct snapshot *s, struct json *j)
{
    json_array(j);
    for (size_t i = 0; i < s->key_count; i++) put_key(s, j, &s->keys[i]);
    json_array_end(j);
}

/* ---- models ---- */

static void put_model(struct json *j, const struct snap_model *m)
{
    json_object(j);
    json_put_str(j, "id", m->id);
    put_text(j, "type", m->type);
    put_text(j, "sub_type", m->sub_type);
    json_name(j, "free");
    if (m->cost == COST_UNKNOWN)
        json_null(j);
    else
        json_bool(j, m->cost == COST_FREE);
    json_put_str(j, "evidence", *m->evidence ? m->evidence : "unknown");
    put_text(j, "price", m->price);
    json_put_known(j, "context", m->context ? (int64_t)m->context : -1);
    json_put_bool(j, "banned", m->banned);
    json_put_bool(j, "ban_from_file", m->ban_from_file);
    json_put_bool(j, "in_catalog", m->in_catalog);
    snapshot_rates_json(&m->rates, j);
    put_u64(j, "ok", m->ok);
    put_u64(j, "failed", m->failed);
    json_put_known(j, "ttft_ms", m->ttft_ms);
    json_put_known_micro(j, "spent_today", m->spent_today_micro);
    json_put_int(j, "keys_usable", m->keys_usable);
    put_text(j, "breaker", m->breaker);
    put_text(j, "trouble", m->trouble);
    json_put_int(j, "waiting", m->waiting);
    json_object_end(j);
}

void snapshot_models_json(const struct snapshot *s, struct json *j)
{
    json_array(j);
    for (size_t i = 0; i < s->model_count; i++) put_model(j, &s->models[i]);
    json_array_end(j);
}

/* ---- requests ---- */

static void put_tries(struct json *j, const struct record *r)
{
    open_named(j, "tries", json_array);
    for (size_t i = 0; i < MIN((size_t)r->tries, (size_t)RECORD_TRIES); i++) {
        const struct try_record *t = &r->try_list[i];
        json_object(j);
        put_text(j, "key", t->key_id);
        json_put_str(j, "verdict", verdict_name((enum verdict)t->verdict));
        json_put_known(j, "status", t->status ? t->status : -1);
        json_put_int(j, "at_ms", t->at_ms);
        json_put_int(j, "took_ms", t->took_ms);
        put_text(j, "message", t->message);
        json_object_end(j);
    }
    json_array_end(j);
}

/* Output tokens while they were coming; null without usage or without a measured time. */
static void put_speed(struct json *j, const struct record *r)
{
    json_name(j, "tokens_per_s");
    if (r->usage.known && r->usage.out > 0 && r->gen_ms > 0 && r->usage.out < INT64_MAX / 10000)
        json_tenths(j, r->usage.out * 10000 / r->gen_ms);
    else
        json_null(j);
}

static void put_request(struct json *j, const struct snap_request *q)
{
    const struct record *r = &q->r;
    char id[24];
    snprintf(id, sizeof id, "%llu", (unsigned long long)r->id);
    json_object(j);
    json_put_str(j, "id", id); /* text: a script's numbers end at 2^53 */
    json_put_int(j, "time", r->wall.ms);
    json_put_str(j, "state", q->state);
    json_put_bool(j, "live", q->live);
    json_put_str(j, "client", r->client);
    json_put_str(j, "method", r->method);
    json_put_str(j, "path", r->path);
    put_text(j, "model", r->model);
    put_text(j, "asked", r->asked);
    put_text(j, "key", r->key_id);
    json_put_bool(j, "stream", r->stream);
    json_put_int(j, "attempts", r->tries);
    json_put_known(j, "status", r->status ? r->status : -1);
    json_put_str(j, "reason", q->live ? NULL : end_name(r->end));
    json_put_known(j, "ttft_ms", r->ttft_ms);
    json_put_int(j, "duration_ms", q->live ? q->age_ms : r->duration_ms);
    json_put_known(j, "tokens_in", r->usage.known ? r->usage.in : -1);
    json_put_known(j, "tokens_out", r->usage.known ? r->usage.out : -1);
    json_put_known(j, "tokens_cached", r->usage.known ? r->usage.cached : -1);
    json_put_known(j, "tokens_reasoning", r->usage.known ? r->usage.reasoning : -1);
    json_put_known(j, "units", r->usage.units ? r->usage.units : -1);
    json_put_known_micro(j, "cost", q->live ? -1 : r->cost_micro);
    put_speed(j, r);
    put_u64(j, "bytes_up", r->bytes_up);
    put_u64(j, "bytes_down", r->bytes_down);
    put_tries(j, r);
    json_object_end(j);
}

void snapshot_requests_json(const struct snapshot *s, struct json *j)
{
    json_array(j);
    for (size_t i = 0; i < s->request_count; i++) put_request(j, &s->requests[i]);
    json_array_end(j);
}

/* ---- the whole ---- */

static void put_totals(const struct snapshot *s, struct json *j)
{
    const struct meter_totals *t = &s->totals;
    open_named(j, "totals", json_object);
    snapshot_rates_json(&t->rates, j);
    put_u64(j, "in_flight", s->in_flight);
    put_u64(j, "leases", s->leases);
    put_u64(j, "connections", s->connections);
    put_u64(j, "waiting", s->waiting);
    put_u64(j, "retries_per_min", t->retries_per_min);
    put_u64(j, "errors_per_min", t->errors_per_min);
    put_u64(j, "limited_per_min", t->limited_per_min);
    put_u64(j, "done_per_min", t->done_per_min);
    json_put_known_micro(j, "cost_today", t->cost_today);
    json_put_known_micro(j, "cost_total", t->spent.total);
    put_u64(j, "unpriced_today", t->spent.unpriced_today);
    json_put_known_micro(j, "burn_per_hour", t->burn_per_hour);
    json_put_known(j, "hours_left", t->hours_left);
    put_u64(j, "requests_total", t->requests);
    put_u64(j, "tries", t->tries);
    put_u64(j, "ok", t->ok);
    put_u64(j, "errors", t->errors);
    put_u64(j, "limited", t->limited);
    put_u64(j, "retries", t->retries);
    put_u64(j, "cancelled", t->cancelled);
    put_u64(j, "tokens_in", t->tokens_in);
    put_u64(j, "tokens_out", t->tokens_out);
    json_put_known(j, "ttft_p50_ms", t->ttft_p50_ms);
    json_put_known(j, "ttft_p95_ms", t->ttft_p95_ms);
    open_named(j, "ends", json_object);
    for (int i = 0; i < END_COUNT; i++) put_u64(j, end_name((enum end_reason)i), t->ends[i]);
    json_object_end(j);
    json_object_end(j);
}

static void put_series(struct json *j, const char *name, const int64_t *values, size_t n)
{
    open_named(j, name, json_array);
    for (size_t i = 0; i < n; i++) {
        if (values[i] < 0)
            json_null(j);
        else
            json_int(j, values[i]);
    }
    json_array_end(j);
}

/* 24 sums of 60 minutes each; an hour without any data is null. */
static void put_hours(struct json *j, const char *name, const int64_t minutes[RING_MINUTES])
{
    int64_t hours[SERIES_HOURS];
    for (size_t h = 0; h < SERIES_HOURS; h++) {
        hours[h] = -1;
        for (size_t i = h * 60; i < (h + 1) * 60; i++)
            if (minutes[i] >= 0) hours[h] = MAX(hours[h], 0) + minutes[i];
    }
    put_series(j, name, hours, SERIES_HOURS);
}

static void put_all_series(const struct snapshot *s, struct json *j)
{
    open_named(j, "series", json_object);
    put_series(j, "rpm", s->req_60s + RING_MINUTES - SERIES_MINUTES, SERIES_MINUTES);
    put_series(j, "tpm", s->tok_60s + RING_MINUTES - SERIES_MINUTES, SERIES_MINUTES);
    put_hours(j, "rpd", s->req_60s);
    put_hours(j, "tpd", s->tok_60s);
    json_object_end(j);
}

static void put_clients(const struct snapshot *s, struct json *j)
{
    open_named(j, "clients", json_array);
    for (size_t i = 0; i < s->client_count; i++) {
        const struct meter_client *c = &s->clients[i];
        json_object(j);
        json_put_str(j, "name", c->name);
        snapshot_rates_json(&c->rates, j);
        json_put_known_micro(j, "spent_today", c->spent.today);
        json_put_known_micro(j, "spent_total", c->spent.total);
        put_u64(j, "requests", c->requests);
        put_u64(j, "errors", c->errors);
        json_object_end(j);
    }
    json_array_end(j);
}

static void put_cell(struct json *j, const struct snap_cell *c)
{
    json_object(j);
    json_put_str(j, "account", c->account);
    json_put_str(j, "model", c->model);
    json_put_int(j, "in_flight", c->in_flight);
    put_u64(j, "rpm", c->rpm);
    put_u64(j, "tpm", c->tpm);
    json_put_known(j, "limit_rpm", c->limit_rpm);
    json_put_known(j, "limit_tpm", c->limit_tpm);
    put_text(j, "limit_origin", c->limit_origin);
    json_put_str(j, "reason", c->ms_left > 0 ? verdict_name(c->reason) : NULL);
    json_put_int(j, "seconds_left", (MAX(c->ms_left, 0) + 999) / 1000);
    json_put_str(j, "last_verdict", verdict_name(c->last_verdict));
    json_put_int(j, "idle_s", c->idle_s);
    json_object_end(j);
}

static void put_cells(const struct snapshot *s, struct json *j)
{
    open_named(j, "cells", json_array);
    for (size_t i = 0; i < s->cell_count; i++) put_cell(j, &s->cells[i]);
    json_array_end(j);
}

static void put_jobs(const struct snapshot *s, struct json *j)
{
    open_named(j, "jobs", json_array);
    for (size_t i = 0; i < s->job_count; i++) {
        const struct sticky_row *row = &s->jobs[i];
        json_object(j);
        json_put_str(j, "id", row->id);
        json_put_str(j, "kind", sticky_kind_name(row->kind));
        put_text(j, "account", row->owner.account);
        put_text(j, "key", row->owner.key_id);
        json_put_known(j, "age_s", seconds_since(s, row->made));
        json_object_end(j);
    }
    json_array_end(j);
    json_put_int(j, "jobs_known", (int64_t)s->jobs_known);
}

static void put_log(const struct snapshot *s, struct json *j)
{
    open_named(j, "log", json_array);
    for (size_t i = 0; i < s->log_count; i++) {
        json_object(j);
        json_put_int(j, "time", s->log[i].time.ms);
        json_put_str(j, "level", log_level_name(s->log[i].level));
        json_put_str(j, "text", s->log[i].text);
        json_object_end(j);
    }
    json_array_end(j);
}

static void put_progress(const struct snapshot *s, struct json *j)
{
    json_name(j, "progress");
    if (!s->progress.running) {
        json_null(j);
        return;
    }
    json_object(j);
    json_put_str(j, "what", s->progress.what);
    json_put_int(j, "done", s->progress.done);
    json_put_int(j, "total", s->progress.total);
    json_put_int(j, "failed", s->progress.failed);
    json_object_end(j);
}

static void put_head(const struct snapshot *s, struct json *j)
{
    json_put_str(j, "version", s->version);
    json_put_int(j, "time", s->time.ms);
    put_u64(j, "seq", s->seq);
    json_put_int(j, "uptime_s", s->uptime_s);
    json_put_str(j, "listen", s->listen);
    json_put_str(j, "base_url", s->base_url);
    open_named(j, "upstream", json_object);
    json_put_str(j, "base_url", s->upstream_url);
    put_text(j, "breaker", s->breaker);
    put_text(j, "reason", s->upstream_trouble);
    json_object_end(j);
    json_put_str(j, "state_dir", s->state_dir);
    put_text(j, "conf_path", s->conf_path);
    json_put_bool(j, "draining", s->draining);
    json_put_known(j, "drain_left_ms", s->draining ? s->drain_left_ms : -1);
    json_put_bool(j, "readonly", s->readonly);
    put_text(j, "alarm", s->alarm);
    put_u64(j, "writes_dropped", s->writes_dropped);
    put_text(j, "conf_error", s->conf_error);
    put_progress(s, j);
}

void snapshot_json(const struct snapshot *s, struct buf *out)
{
    struct json j;
    json_init(&j, out);
    json_object(&j);
    put_head(s, &j);
    put_totals(s, &j);
    json_name(&j, "keys");
    snapshot_keys_json(s, &j);
    json_name(&j, "models");
    snapshot_models_json(s, &j);
    put_cells(s, &j);
    put_clients(s, &j);
    json_name(&j, "requests");
    snapshot_requests_json(s, &j);
    put_all_series(s, &j);
    put_jobs(s, &j);
    put_log(s, &j);
    json_object_end(&j);
}
