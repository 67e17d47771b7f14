/* What a batch writes:
 *
 *   request     a row each
 *   day_total   (day, model, key, client): added to
 *   slice       (step, total | model | client | key): added to. Requests at their admission, tokens and cost at their
 *               end, tries of a key when they began: exactly what the meter's windows count
 *
 * Sums are gathered in maps first, so that a batch of many equal requests changes few rows. Names that come from
 * outside are bounded: models nobody knows are "(other)" here, and so are clients beyond LEDGER_DAY_CLIENTS a day. */
#include "store/ledger_rows.h"

#include <inttypes.h>
#include <sys/stat.h>

#include "store/query.h"

#define OTHER "(other)"

enum { KEY_ROOM = 2 * LEDGER_MODEL_MAX + 256 };

struct day_sum {
    const struct ledger_row *row; /* for day and key */
    const char *model, *client;
    struct usage_sums sums;
};

struct batch {
    struct map days;   /* -> struct day_sum */
    struct map slices; /* -> struct slice */
};

static void batch_free(struct batch *b)
{
    MAP_FOR(slot, &b->days) free(slot->value);
    MAP_FOR(slot, &b->slices) free(slot->value);
    map_free(&b->days);
    map_free(&b->slices);
}

/* ---- names ---- */

static const char *model_of(const struct ledger_row *r)
{
    return r->model_known ? r->model : OTHER;
}

static bool load_clients(struct statedb *db, struct day_clients *c, int day, struct buf *why)
{
    if (c->day == day) return true;
    map_free(&c->names);
    c->names = MAP_INIT;
    c->day = 0;
    struct query q = query_begin(db, "SELECT DISTINCT client FROM day_total WHERE day = ?1 LIMIT ?2");
    bind_int(&q, day);
    bind_int(&q, LEDGER_DAY_CLIENTS);
    while (next_row(&q)) {
        char name[LEDGER_CLIENT_MAX + 1];
        read_text(&q, name, sizeof name);
        map_put(&c->names, str_of(name), c);
    }
    if (!query_end(&q, "read clients from", why)) return false;
    c->day = day;
    return true;
}

/* A row of yesterday (a request over midnight) goes by today's list: what matters is that there is a bound. */
static const char *client_of(struct day_clients *c, const struct ledger_row *r)
{
    if (map_get(&c->names, str_of(r->client))) return r->client;
    if (c->names.count >= LEDGER_DAY_CLIENTS) return OTHER;
    map_put(&c->names, str_of(r->client), c);
    return r->client;
}

/* ---- gathering ---- */

static void add_usage(struct usage_sums *s, const struct ledger_row *r)
{
    s->requests++;
    s->ok += r->ok;
    s->errors += r->is_error;
    s->attempts += r->attempts;
    s->units += r->units;
    if (r->usage_known) {
        s->tokens_in += r->tokens_in;
        s->tokens_out += r->tokens_out;
        s->tokens_cached += r->tokens_cached;
        s->tokens_reasoning += r->tokens_reasoning;
    }
    s->cost_micro += MAX(r->cost_micro, 0);
    s->cost_unknown += r->cost_micro < 0 && (r->ok || r->usage_known || r->units);
}

static void gather_day(struct batch *b, const struct ledger_row *r, const char *client)
{
    char key[KEY_ROOM];
    snprintf(key, sizeof key, "%d\n%s\n%s\n%s", r->day, model_of(r), r->key_id, client);
    struct day_sum *d = map_get(&b->days, str_of(key));
    if (!d) {
        d = xcalloc(1, sizeof *d);
        *d = (struct day_sum){.row = r, .model = model_of(r), .client = client};
        map_put(&b->days, str_of(key), d);
    }
    add_usage(&d->sums, r);
}

static void gather_slice(struct batch *b, enum slice_kind kind, const char *name, int64_t at_ms, int64_t requests,
                         int64_t tokens, int64_t cost)
{
    char key[KEY_ROOM];
    int64_t step = kind == SLICE_TOTAL ? SLICE_TOTAL_S : SLICE_S, at = at_ms / 1000 / step * step;
    if (!requests && !tokens && !cost) return;
    snprintf(key, sizeof key, "%" PRId64 "\n%d\n%s", at, kind, name);
    struct slice *s = map_get(&b->slices, str_of(key));
    if (!s) {
        s = xcalloc(1, sizeof *s);
        s->at_s = at;
        s->kind = kind;
        str_copy(s->name, sizeof s->name, str_of(name));
        map_put(&b->slices, str_of(key), s);
    }
    s->requests += requests;
    s->tokens += tokens;
    s->cost_micro += cost;
}

static void gather_slices(struct batch *b, const struct ledger_row *r, const char *client)
{
    const struct {
        enum slice_kind kind;
        const char *name;
    } of[] = {{SLICE_TOTAL, ""}, {SLICE_MODEL, model_of(r)}, {SLICE_CLIENT, client}};
    int64_t begin_ms = r->time.ms, end_ms = r->time.ms + r->duration_ms, cost = MAX(r->cost_micro, 0);
    int64_t tokens = r->usage_known ? r->tokens_in + r->tokens_out : 0;
    for (size_t i = 0; i < ARRAY_LEN(of); i++) {
        gather_slice(b, of[i].kind, of[i].name, begin_ms, 1, 0, 0);
        gather_slice(b, of[i].kind, of[i].name, end_ms, 0, tokens, cost);
    }
    for (size_t i = 0; i < r->tries; i++)
        if (*r->try_list[i].key_id)
            gather_slice(b, SLICE_KEY, r->try_list[i].key_id, begin_ms + r->try_list[i].at_ms, 1, 0, 0);
    if (*r->key_id) gather_slice(b, SLICE_KEY, r->key_id, end_ms, 0, tokens, cost);
}

static bool gather(struct statedb *db, struct day_clients *clients, struct batch *b, const struct ledger_row *rows,
                   size_t count, struct buf *why)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].day > clients->day && !load_clients(db, clients, rows[i].day, why)) return false;
        const char *client = client_of(clients, &rows[i]);
        gather_day(b, &rows[i], client);
        gather_slices(b, &rows[i], client);
    }
    return true;
}

/* ---- writing ---- */

static void put_row(struct query *q, const struct ledger_row *r)
{
    bind_int(q, r->time.ms);
    bind_int(q, r->day);
    bind_int(q, r->duration_ms);
    bind_known(q, r->ttft_ms >= 0, r->ttft_ms);
    bind_text(q, r->asked);
    bind_text(q, r->model);
    bind_text(q, r->key_id);
    bind_text(q, r->account);
    bind_text(q, r->client);
    bind_text(q, r->path);
    bind_known(q, r->status != 0, r->status);
    bind_text(q, r->reason);
    bind_int(q, r->attempts);
    bind_known(q, r->usage_known, r->tokens_in);
    bind_known(q, r->usage_known, r->tokens_out);
    bind_known(q, r->usage_known, r->tokens_cached);
    bind_known(q, r->usage_known, r->tokens_reasoning);
    bind_int(q, r->units);
    bind_known(q, r->cost_micro >= 0, r->cost_micro);
    bind_int(q, r->stream);
    bind_int(q, (int64_t)r->bytes_up);
    bind_int(q, (int64_t)r->bytes_down);
    run(q);
}

static bool put_rows(struct statedb *db, const struct ledger_row *rows, size_t count, struct buf *why)
{
    struct query q = query_begin(
        db,
        "INSERT INTO request(time, day, duration, ttft, asked, model, key_id, account, client, path, status, reason,"
        " attempts, tokens_in, tokens_out, tokens_cached, tokens_reasoning, units, cost, stream, bytes_up,"
        " bytes_down) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22)");
    for (size_t i = 0; i < count && q.ok; i++) put_row(&q, &rows[i]);
    return query_end(&q, "write requests to", why);
}

static void put_day(struct query *q, const struct day_sum *d)
{
    const struct usage_sums *s = &d->sums;
    const int64_t sums[] = {s->requests,  s->ok,         s->errors,        s->attempts,
                            s->tokens_in, s->tokens_out, s->tokens_cached, s->tokens_reasoning,
                            s->units,     s->cost_micro, s->cost_unknown};
    bind_int(q, d->row->day);
    bind_text(q, d->model);
    bind_text(q, d->row->key_id);
    bind_text(q, d->client);
    for (size_t i = 0; i < ARRAY_LEN(sums); i++) bind_int(q, sums[i]);
    run(q);
}

#define ADDED(name) name " = " name " + excluded." name

static bool put_days(struct statedb *db, const struct batch *b, struct buf *why)
{
    struct query q = query_begin(
        db, "INSERT INTO day_total(day, model, key_id, client, requests, ok, errors, attempts, tokens_in, tokens_out,"
            " tokens_cached, tokens_reasoning, units, cost, cost_unknown)"
            " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)"
            " ON CONFLICT DO UPDATE SET " ADDED("requests") ", " ADDED("ok") ", " ADDED("errors") ", " ADDED("attempts") ", " ADDED("tokens_in") ", " ADDED(
                "tokens_out") ", " ADDED("tokens_cached") ", " ADDED("tokens_reasoning") ", " ADDED("units") ", " ADDED("cost") ", " ADDED("cost_unknown"));
    MAP_FOR(slot, &b->days) put_day(&q, slot->value);
    return query_end(&q, "write sums to", why);
}

static bool put_slices(struct statedb *db, const struct batch *b, struct buf *why)
{
    struct query q =
        query_begin(db, "INSERT INTO slice(at, kind, name, requests, tokens, cost) VALUES(?1,?2,?3,?4,?5,?6)"
                        " ON CONFLICT DO UPDATE SET " ADDED("requests") ", " ADDED("tokens") ", " ADDED("cost"));
    MAP_FOR(slot, &b->slices)
    {
        const struct slice *s = slot->value;
        bind_int(&q, s->at_s);
        bind_int(&q, s->kind);
        bind_text(&q, s->name);
        bind_int(&q, s->requests);
        bind_int(&q, s->tokens);
        bind_int(&q, s->cost_micro);
        run(&q);
    }
    return query_end(&q, "write slices to", why);
}

/* The log before the database can be shortened only when nobody reads an old state of it. Somebody who does (a sqlite3
 * shell in a transaction) would let it grow for ever. */
static bool log_is_bounded(struct statedb *db, struct buf *why)
{
    struct stat st;
    char *wal = xasprintf("%s-wal", db->path);
    bool small = stat(wal, &st) != 0 || st.st_size <= LEDGER_WAL_MAX;
    free(wal);
    int pages = 0, done = 0;
    if (small) return true;
    sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &done);
    if (done >= pages) return true;
    buf_printf(why, "another program reads %s and keeps its log from being emptied: end it; requests are not recorded",
               db->path);
    return false;
}

bool ledger_write(struct statedb *db, struct day_clients *clients, const struct ledger_row *rows, size_t count,
                  struct buf *why)
{
    struct batch b = {MAP_INIT, MAP_INIT};
    if (!statedb_ready(db, why) || !log_is_bounded(db, why) || !begin(db, why)) return false;
    bool ok = gather(db, clients, &b, rows, count, why) && put_rows(db, rows, count, why) && put_days(db, &b, why) &&
              put_slices(db, &b, why);
    ok = end(db, ok, why);
    if (!ok) clients->day = 0; /* what was undone is asked for again */
    batch_free(&b);
    return ok;
}

/* ---- forgetting ---- */

static bool delete_before(struct statedb *db, const char *sql, int64_t before, int limit, struct buf *why)
{
    struct query q = query_begin(db, sql);
    bind_int(&q, before);
    bind_int(&q, limit);
    run(&q);
    return query_end(&q, "delete old rows of", why);
}

bool ledger_forget(struct statedb *db, wall_t before, wall_t now, int limit, int *deleted, struct buf *why)
{
    *deleted = 0;
    if (!statedb_ready(db, why) || !log_is_bounded(db, why) || !begin(db, why)) return false;
    bool ok = delete_before(db,
                            "DELETE FROM request WHERE id IN"
                            " (SELECT id FROM request WHERE time < ?1 ORDER BY time LIMIT ?2)",
                            before.ms, limit, why);
    if (ok) *deleted = sqlite3_changes(db->handle);
    ok = ok && delete_before(db,
                             "DELETE FROM slice WHERE (at, kind, name) IN"
                             " (SELECT at, kind, name FROM slice WHERE at < ?1 ORDER BY at LIMIT ?2)",
                             now.ms / 1000 - SLICES_KEPT_S, limit, why);
    return end(db, ok, why);
}
