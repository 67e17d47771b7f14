/* Questions to the ledger: sums of usage by day, model, key and client, and the slices a start needs. The SQL is put
 * together from literals only; what comes from outside is bound. */
#include "store/ledger.h"
#include "store/query.h"

#define SUMS                                                                                                           \
    "sum(requests), sum(ok), sum(errors), sum(attempts), sum(tokens_in), sum(tokens_out), sum(tokens_cached),"         \
    " sum(tokens_reasoning), sum(units), sum(cost), sum(cost_unknown)"
/* The same of rows. Which reasons are no errors: as in the END table of meter/record.h (a test compares them). */
#define ROW_SUMS                                                                                                       \
    "count(*), sum(reason = 'ok'), sum(reason NOT IN ('ok', 'client_error', 'client_abort', 'client_stalled')),"       \
    " sum(attempts), sum(tokens_in), sum(tokens_out), sum(tokens_cached), sum(tokens_reasoning), sum(units),"          \
    " sum(cost), sum(cost IS NULL AND (reason = 'ok' OR tokens_in IS NOT NULL OR units > 0))"

static const struct {
    unsigned by;
    const char *column;
} dimensions[] = {{USAGE_DAY, "day"}, {USAGE_MODEL, "model"}, {USAGE_KEY, "key_id"}, {USAGE_CLIENT, "client"}};

static void add_columns(struct buf *sql, unsigned by)
{
    for (size_t i = 0; i < ARRAY_LEN(dimensions); i++) {
        if (by & dimensions[i].by)
            buf_printf(sql, "%s, ", dimensions[i].column);
        else
            buf_puts(sql, dimensions[i].by == USAGE_DAY ? "0, " : "'', ");
    }
    buf_puts(sql, by & USAGE_KEY ? "(SELECT label FROM key WHERE key.id = key_id), " : "'', ");
}

static void add_grouping(struct buf *sql, unsigned by)
{
    const char *glue = " GROUP BY ";
    for (size_t i = 0; i < ARRAY_LEN(dimensions); i++) {
        if (!(by & dimensions[i].by)) continue;
        buf_printf(sql, "%s%s", glue, dimensions[i].column);
        glue = ", ";
    }
    buf_puts(sql, by & USAGE_DAY ? " ORDER BY day, 6 DESC, 2, 3, 4" : " ORDER BY 6 DESC, 2, 3, 4");
}

static struct query begin_usage(struct statedb *db, const struct usage_ask *ask, unsigned by)
{
    struct buf sql = BUF_INIT(4096);
    buf_puts(&sql, "SELECT ");
    add_columns(&sql, by);
    if (ask->from_ms)
        buf_puts(&sql, ROW_SUMS " FROM request WHERE time >= ?1");
    else
        buf_puts(&sql, SUMS " FROM day_total WHERE day BETWEEN ?1 AND ?2");
    add_grouping(&sql, by);
    struct query q = query_begin(db, buf_cstr(&sql));
    buf_free(&sql);
    bind_int(&q, ask->from_ms ? ask->from_ms : ask->from_day);
    if (!ask->from_ms) bind_int(&q, ask->to_day);
    return q;
}

static void read_sums(struct query *q, struct usage_sums *s)
{
    int64_t *const to[] = {&s->requests,  &s->ok,         &s->errors,        &s->attempts,
                           &s->tokens_in, &s->tokens_out, &s->tokens_cached, &s->tokens_reasoning,
                           &s->units,     &s->cost_micro, &s->cost_unknown};
    for (size_t i = 0; i < ARRAY_LEN(to); i++) *to[i] = read_int(q);
}

static void read_row(struct query *q, struct usage_row *r)
{
    *r = (struct usage_row){.day = (int)read_int(q)};
    read_text(q, r->model, sizeof r->model);
    read_text(q, r->key_id, sizeof r->key_id);
    read_text(q, r->client, sizeof r->client);
    read_text(q, r->label, sizeof r->label);
    read_sums(q, &r->sums);
}

static bool read_groups(struct statedb *db, const struct usage_ask *ask, struct usage_list *out, struct buf *why)
{
    size_t room = 0;
    struct query q = begin_usage(db, ask, ask->by);
    while (next_row(&q)) {
        if (out->count == USAGE_ROWS_MAX) {
            out->cut = true;
            break;
        }
        if (out->count == room) {
            room = room ? 2 * room : 64;
            out->rows = xrealloc(out->rows, room, sizeof *out->rows);
        }
        read_row(&q, &out->rows[out->count++]);
    }
    return query_end(&q, "read usage from", why);
}

static bool read_total(struct statedb *db, const struct usage_ask *ask, struct usage_list *out, struct buf *why)
{
    struct usage_row row = {0};
    struct query q = begin_usage(db, ask, 0);
    if (next_row(&q)) read_row(&q, &row);
    out->total = row.sums;
    return query_end(&q, "read usage from", why);
}

bool ledger_usage(struct statedb *db, const struct usage_ask *ask, struct usage_list *out, struct buf *why)
{
    *out = (struct usage_list){0};
    if (!statedb_ready(db, why)) return false;
    if ((!ask->by || read_groups(db, ask, out, why)) && read_total(db, ask, out, why)) return true;
    usage_list_free(out);
    return false;
}

static int64_t read_count(struct query *q)
{
    int64_t n = read_int(q);
    return MAX(n, 0);
}

bool ledger_load_slices(struct statedb *db, int64_t from_s, int64_t to_s,
                        void (*each)(void *arg, const struct slice *s), void *arg, struct buf *why)
{
    if (!db->handle) return true; /* never written */
    struct query q = query_begin(db, "SELECT at, kind, name, requests, tokens, cost FROM slice"
                                     " WHERE at > ?1 AND at <= ?2 ORDER BY at");
    bind_int(&q, from_s);
    bind_int(&q, to_s);
    while (next_row(&q)) {
        struct slice s = {.at_s = read_int(&q)};
        s.kind = (enum slice_kind)read_in_range(&q, SLICE_KEY + 1);
        read_text(&q, s.name, sizeof s.name);
        s.requests = read_count(&q);
        s.tokens = read_count(&q);
        s.cost_micro = read_count(&q);
        each(arg, &s);
    }
    return query_end(&q, "read slices from", why);
}
