/* The counting of everything: totals, per key, per client, per model, per (key, model), and the list of recent
 * requests. Fed by records, read for snapshots. Owner: the control thread; no locks. */
#ifndef SFPROXY_METER_METER_H
#define SFPROXY_METER_METER_H

#include "meter/histogram.h"
#include "meter/money.h"
#include "meter/record.h"
#include "meter/window.h"

enum { METER_MODELS_MAX = 512, METER_CLIENTS_MAX = 256, METER_RECENT = 500 };

struct meter;

struct rates {
    uint64_t rpm, tpm, rpd, tpd;
};

#define METER_OTHER "(other)"

/* Requests that ended, of those admitted since the last midnight of server.timezone. */
struct day_sums {
    uint64_t requests, ok, errors, tokens_in, tokens_out;
    struct money money;
};
enum meter_kind { METER_TOTAL, METER_MODEL, METER_CLIENT, METER_KEY }; /* stored: never renumber */

struct meter_model {
    char id[MODEL_NAME_MAX + 1]; /* "(other)": names that were never accepted, or beyond the limit */
    struct rates rates;
    uint64_t ok, failed, requests, tokens;
    int64_t ttft_ms; /* smoothed; -1 unknown */
    struct spent spent;
    struct day_sums today;
};
struct meter_client {
    char name[CLIENT_NAME_MAX + 1];
    struct rates rates;
    struct spent spent;
    uint64_t requests, errors;
    struct day_sums today;
};
struct meter_key {
    struct rates rates;
    uint64_t tries;
    int64_t ttft_ms;    /* smoothed; -1 unknown */
    uint32_t trend[10]; /* tries a minute, oldest first */
    struct spent spent;
    struct day_sums today; /* of requests that ended with this key */
};

struct meter *meter_new(mono_t now);
void meter_free(struct meter *m);
void meter_apply(struct meter *m, const struct record *r, mono_t now);
/* What day it is (YYYYMMDD), often enough; a new one begins new sums. */
void meter_set_day(struct meter *m, int day);
/* At start: what the run before counted. `name` as in the records ("" for the total); `at` may be negative; `step`: how
 * many seconds the counts stand for. Keys: tries. */
void meter_restore(struct meter *m, enum meter_kind kind, const char *name, mono_t at, int step, uint32_t requests,
                   uint64_t tokens);
void meter_restore_today(struct meter *m, enum meter_kind kind, const char *name, const struct day_sums *sums);

/* Sums since start, and per minute (last 60 s). */
struct meter_totals {
    struct rates rates;
    uint64_t requests, ok, errors, limited, retries, cancelled, tries;
    uint64_t retries_per_min, errors_per_min, limited_per_min, done_per_min;
    uint64_t tokens_in, tokens_out;
    struct spent spent;
    int64_t cost_today;    /* = spent.today */
    int64_t burn_per_hour; /* micro-CNY, of the last hour; -1 not known */
    int64_t hours_left;    /* of the known balances at that rate; -1 not known; filled by who knows balances */
    int64_t ttft_p50_ms, ttft_p95_ms; /* of the last 500 with a first byte; -1 unknown */
    uint64_t ends[END_COUNT];
    struct histogram duration, ttft; /* of finished requests; ttft of those that sent a byte */
    struct day_sums today;
};
void meter_totals(struct meter *m, mono_t now, struct meter_totals *out);
const struct window *meter_window(struct meter *m, mono_t now); /* of the total */
bool meter_key_rates(struct meter *m, const char *key_id, mono_t now, struct meter_key *out);
/* Own tokens and requests of the pair in the last 60 s; 0 when unknown. */
void meter_cell(struct meter *m, const char *key_id, const char *model, mono_t now, struct rates *out);
size_t meter_models(struct meter *m, mono_t now, struct meter_model *out, size_t room);
size_t meter_clients(struct meter *m, mono_t now, struct meter_client *out, size_t room);
/* Finished requests, newest first. */
size_t meter_recent(const struct meter *m, const struct record **out, size_t room);

#endif
