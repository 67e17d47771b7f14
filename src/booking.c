#include "booking.h"

#include "base/mem.h"
#include "store/statedb.h"

_Static_assert((int)SLICE_TOTAL == (int)METER_TOTAL && (int)SLICE_MODEL == (int)METER_MODEL &&
                   (int)SLICE_CLIENT == (int)METER_CLIENT && (int)SLICE_KEY == (int)METER_KEY,
               "a slice's kind is the meter's");
_Static_assert((int)LEDGER_MODEL_MAX == (int)MODEL_NAME_MAX && (int)LEDGER_CLIENT_MAX == (int)CLIENT_NAME_MAX &&
                   (int)LEDGER_TRIES == (int)RECORD_TRIES,
               "a row holds a whole record");

static void fill_usage(struct ledger_row *row, const struct record *r)
{
    row->usage_known = r->usage.known;
    if (r->usage.known) {
        row->tokens_in = MAX(r->usage.in, 0);
        row->tokens_out = MAX(r->usage.out, 0);
        row->tokens_cached = MAX(r->usage.cached, 0);
        row->tokens_reasoning = MAX(r->usage.reasoning, 0);
    }
    row->units = MAX(r->usage.units, 0);
    row->cost_micro = r->cost_micro;
}

static void fill_tries(struct ledger_row *row, const struct record *r)
{
    row->attempts = r->tries;
    row->tries = (uint8_t)MIN((size_t)r->tries, (size_t)LEDGER_TRIES);
    for (size_t i = 0; i < row->tries; i++) {
        str_copy(row->try_list[i].key_id, sizeof row->try_list[i].key_id, str_of(r->try_list[i].key_id));
        row->try_list[i].at_ms = r->try_list[i].at_ms;
    }
}

static void fill_row(struct engine *g, struct ledger_row *row, const struct record *r)
{
    struct key_owner owner;
    row->time = r->wall;
    row->day = wall_day_cached(&g->row_day, r->wall);
    row->duration_ms = r->duration_ms;
    row->ttft_ms = r->ttft_ms;
    str_copy(row->model, sizeof row->model, str_of(r->model));
    str_copy(row->asked, sizeof row->asked, str_of(*r->asked ? r->asked : r->model));
    row->model_known = r->model_known;
    str_copy(row->client, sizeof row->client, str_of(r->client));
    str_copy(row->path, sizeof row->path, str_of(r->path));
    const char *key = *r->key_id || !r->tries ? r->key_id : r->try_list[MIN(r->tries, RECORD_TRIES) - 1].key_id;
    str_copy(row->key_id, sizeof row->key_id, str_of(key));
    if (*key && keypool_owner(g->pool, key, &owner))
        str_copy(row->account, sizeof row->account, str_of(*owner.account ? owner.account : key));
    row->status = r->status;
    row->reason = end_name(r->end);
    row->ok = r->end == END_OK;
    row->is_error = end_is_error(r->end);
    row->stream = r->stream;
    row->bytes_up = r->bytes_up;
    row->bytes_down = r->bytes_down;
    fill_usage(row, r);
    fill_tries(row, r);
}

void booking_add(struct engine *g, struct record *r, mono_t now)
{
    struct ledger_row row = {0};
    if (r->kind == RECORD_DONE) engine_bill(g, r);
    meter_apply(g->meter, r, now);
    if (r->kind != RECORD_DONE || !g->ledger) return;
    fill_row(g, &row, r);
    ledger_add(g->ledger, &row);
}

/* ---- at start ---- */

struct restoring {
    struct engine *g;
    wall_t wall; /* now */
    mono_t mono;
};

static uint32_t in_32_bits(int64_t n)
{
    return (uint32_t)MIN(n, (int64_t)UINT32_MAX);
}

/* Counts of a slice stand in its middle. */
static void put_slice(void *arg, const struct slice *s)
{
    struct restoring *r = arg;
    int step = s->kind == SLICE_TOTAL ? SLICE_TOTAL_S : SLICE_S;
    mono_t at = mono_add(r->mono, s->at_s * 1000 + step * 500 - r->wall.ms);
    if (at.ms > r->mono.ms) at = r->mono;
    meter_restore(r->g->meter, (enum meter_kind)s->kind, s->name, at, step, in_32_bits(s->requests),
                  (uint64_t)s->tokens);
}

static struct day_sums day_sums_of(const struct usage_sums *s)
{
    return (struct day_sums){.requests = (uint64_t)MAX(s->requests, 0),
                             .ok = (uint64_t)MAX(s->ok, 0),
                             .errors = (uint64_t)MAX(s->errors, 0),
                             .tokens_in = (uint64_t)MAX(s->tokens_in, 0),
                             .tokens_out = (uint64_t)MAX(s->tokens_out, 0),
                             .money = {MAX(s->cost_micro, 0), (uint64_t)MAX(s->cost_unknown, 0)}};
}

static void put_today(struct engine *g, enum meter_kind kind, const char *name, const struct usage_sums *s)
{
    struct day_sums sums = day_sums_of(s);
    if (kind == METER_TOTAL || *name) meter_restore_today(g->meter, kind, name, &sums);
}

static bool restore_today(struct engine *g, enum usage_by by, enum meter_kind kind, struct buf *why)
{
    int day = wall_day(wall_now());
    struct usage_ask ask = {.by = by, .from_day = day, .to_day = day};
    struct usage_list list;
    if (!ledger_usage(state_db(g->state), &ask, &list, why)) return false;
    for (size_t i = 0; i < list.count; i++) {
        const struct usage_row *r = &list.rows[i];
        put_today(g, kind, by == USAGE_MODEL ? r->model : by == USAGE_KEY ? r->key_id : r->client, &r->sums);
    }
    if (by == USAGE_MODEL) put_today(g, METER_TOTAL, "", &list.total);
    usage_list_free(&list);
    return true;
}

bool booking_restore(struct engine *g, struct buf *why)
{
    struct restoring r = {g, wall_now(), mono_now()};
    int64_t now_s = r.wall.ms / 1000;
    if (!statedb_is_open(state_db(g->state))) return true; /* it could not be made: nothing is known */
    return ledger_load_slices(state_db(g->state), now_s - 24 * 3600, now_s, put_slice, &r, why) &&
           restore_today(g, USAGE_MODEL, METER_MODEL, why) && restore_today(g, USAGE_KEY, METER_KEY, why) &&
           restore_today(g, USAGE_CLIENT, METER_CLIENT, why);
}
