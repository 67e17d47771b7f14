/* Limits of (account, model) pairs: those of the configuration are kept to, those learned from traffic are shown.
 *
 * The configuration's limits stand in an array that is swapped whole. A cell looks its own up when it is first used
 * after a swap, so that picking costs one comparison. */
#include "pool/pool_priv.h"

#include "base/mem.h"

struct model_limit {
    uint64_t hash;
    int64_t rpm, tpm;
    char model[MODEL_NAME_MAX + 1];
};

void keypool_set_limits(struct keypool *p, const struct model_rule *rules, size_t count)
{
    struct model_limit *rows = xcalloc(MAX(count, (size_t)1), sizeof *rows);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const struct model_rule *r = &rules[i];
        if ((!r->limit_rpm && !r->limit_tpm) || !str_copy(rows[n].model, sizeof rows[n].model, str_of(r->name)))
            continue;
        rows[n].hash = cells_hash(&p->cells, str_of(r->name));
        rows[n].rpm = r->limit_rpm;
        rows[n++].tpm = r->limit_tpm;
    }
    lock_get(&p->lock);
    struct model_limit *old = p->limits;
    p->limits = rows;
    p->limit_count = n;
    p->limits_version++;
    pool_changed(p);
    lock_put(&p->lock);
    free(old);
}

static void look_up(const struct keypool *p, struct cell *cell)
{
    cell->limits_version = p->limits_version;
    cell->limit_rpm = cell->limit_tpm = 0;
    for (size_t i = 0; i < p->limit_count; i++) {
        const struct model_limit *l = &p->limits[i];
        if (l->hash != cell->hash || strcmp(l->model, cell->model) != 0) continue;
        cell->limit_rpm = l->rpm;
        cell->limit_tpm = l->tpm;
    }
}

int64_t pool_quota_wait(const struct keypool *p, struct cell *cell, mono_t now)
{
    if (cell->limits_version != p->limits_version) look_up(p, cell);
    if (!cell->limit_rpm && !cell->limit_tpm) return 0;
    return rate_wait(&cell->rate, cell->limit_rpm, cell->limit_tpm, now);
}

void pool_note_rate(struct cell *cell, const struct lease_end *end)
{
    rate_add(&cell->rate, end->now, 0, end->tokens);
    cell->last_verdict = end->verdict;
    if (end->verdict == VERDICT_OK) learned_pass(&cell->learned, cell->rate.request_sum, cell->rate.token_sum);
    if (end->verdict == VERDICT_RATE_MINUTE)
        learned_refuse(&cell->learned, end->message, cell->rate.request_sum, cell->rate.token_sum);
}

/* ---- views ---- */

enum { CHUNK = 64 }; /* cells looked at with the lock held */

struct spot {
    int32_t index;
    mono_t used_at;
};

static int by_last_use(const void *a, const void *b)
{
    const struct spot *x = a, *y = b;
    return (x->used_at.ms < y->used_at.ms) - (x->used_at.ms > y->used_at.ms);
}

/* Where the cells in use are, most recently used first. */
static size_t find_spots(struct keypool *p, struct spot *out)
{
    size_t n = 0;
    bool more = true;
    for (int32_t from = 0; more; from += CHUNK) {
        lock_get(&p->lock);
        for (int32_t i = from; i < MIN(from + CHUNK, p->cells.used); i++)
            if (p->cells.at[i].in_use && p->cells.at[i].used_at.ms) out[n++] = (struct spot){i, p->cells.at[i].used_at};
        more = from + CHUNK < p->cells.used;
        lock_put(&p->lock);
    }
    qsort(out, n, sizeof *out, by_last_use);
    return n;
}

static void view_cell(struct keypool *p, struct cell *cell, mono_t now, struct cell_view *v)
{
    const struct account *a = &p->accounts[cell->account];
    int64_t quota = pool_quota_wait(p, cell, now), cooling = MAX(mono_since(cell->limit.until, now), 0);
    rate_advance(&cell->rate, now);
    *v = (struct cell_view){.in_flight = cell->in_flight,
                            .rpm = cell->rate.request_sum,
                            .tpm = cell->rate.token_sum,
                            .limit_rpm = cell->limit_rpm ? cell->limit_rpm : learned_rpm(&cell->learned),
                            .limit_tpm = cell->limit_tpm ? cell->limit_tpm : learned_tpm(&cell->learned),
                            .configured = cell->limit_rpm || cell->limit_tpm,
                            .reason = cooling >= quota ? cell->limit.reason : VERDICT_RATE_MINUTE,
                            .last_verdict = cell->last_verdict,
                            .ms_left = MAX(cooling, quota),
                            .idle_ms = cell->in_flight ? 0 : MAX(mono_since(now, cell->used_at), 0)};
    memcpy(v->account, a->name, sizeof v->account);
    memcpy(v->model, cell->model, sizeof v->model);
}

size_t keypool_cells(struct keypool *p, mono_t now, struct cell_view *out, size_t room)
{
    struct spot *spots = xcalloc(POOL_CELLS_MAX, sizeof *spots);
    size_t found = MIN(find_spots(p, spots), room), n = 0;
    for (size_t from = 0; from < found; from += CHUNK) {
        lock_get(&p->lock);
        for (size_t i = from; i < MIN(from + CHUNK, found); i++) {
            struct cell *cell = &p->cells.at[spots[i].index];
            if (cell->in_use) view_cell(p, cell, now, &out[n++]);
        }
        lock_put(&p->lock);
    }
    free(spots);
    return n;
}
