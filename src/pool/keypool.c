/* Leases: which key serves a request, and its way back.
 *
 * Picking is one pass over the keys in order of joining, under the lock. A key may serve when it is on and not INVALID;
 * it is free when none of the limits on its way (account, paid scope, cell of the model) is cooling or waiting for a
 * probe. Of the free keys that the request has not tried, the strategy takes one; otherwise the answer says who could
 * serve, and when the soonest will.
 *
 * Rotation is per model, then per account, then per key, by the number of the last lease: the one that waited longest
 * goes next. So traffic is even although keys drop out and come back, models that alternate do not split the accounts
 * among themselves, and two keys of one account share one turn.
 *
 * Invariants: leases_out = sum of key.in_flight = sum of account.in_flight; a lease's slot stays its key's until it is
 * returned; only limits that are half-open have a probe. */
#include "pool/pool_priv.h"

#include "base/check.h"
#include "base/mem.h"

struct model_query model_query(const struct keypool *p, struct str model, enum model_cost cost)
{
    struct model_query q = {.model = model.p ? model : STR(""), .cost = cost};
    q.hash = cells_hash(&p->cells, q.model);
    if (q.cost == COST_UNKNOWN) q.cost = model_cost(q.model, NULL);
    q.pro = str_starts(q.model, "Pro/");
    return q;
}

struct key *pool_find(struct keypool *p, const char *id)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->order[i]->id, id) == 0) return p->order[i];
    return NULL;
}

/* A model that is not known to be free counts as paid; calls without a model cost nothing. */
size_t pool_scopes(struct account *a, const struct model_query *q, struct limit *out[2])
{
    out[0] = &a->scopes[ON_ACCOUNT];
    if (q->cost == COST_FREE || q->model.n == 0) return 1;
    out[1] = &a->scopes[q->pro ? ON_PAID_PRO : ON_PAID_PLAIN];
    return 2;
}

/* Longest wait of the limits on the way, and which one it is; NULL: free. */
static const struct limit *blocker(struct keypool *p, const struct key *k, const struct model_query *q,
                                   struct cell *cell, mono_t now, int64_t *wait)
{
    struct limit *limits[3];
    size_t n = pool_scopes(&p->accounts[k->account], q, limits);
    const struct limit *worst = NULL;
    if (cell) limits[n++] = &cell->limit;
    *wait = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t ms = limit_wait(limits[i], now);
        if (ms <= *wait) continue;
        *wait = ms;
        worst = limits[i];
    }
    return worst;
}

struct choice {
    struct key *key;
    struct cell *cell;
    bool tried_usable, any_wait;
};

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Negative: a goes before b. */
static int compare_turn(const struct keypool *p, const struct key *a, const struct cell *a_cell, const struct key *b,
                        const struct cell *b_cell)
{
    const struct account *aa = &p->accounts[a->account], *ba = &p->accounts[b->account];
    int d = 0;
    if (p->strategy == STRATEGY_LEAST_BUSY) {
        d = compare_u64(aa->in_flight, ba->in_flight);
        if (!d) d = compare_u64(a->in_flight, b->in_flight);
    }
    if (!d) d = compare_u64(a_cell ? a_cell->last_pick : 0, b_cell ? b_cell->last_pick : 0);
    if (!d) d = compare_u64(aa->last_pick, ba->last_pick);
    return d ? d : compare_u64(a->last_pick, b->last_pick);
}

static bool was_tried(const struct pick_ask *ask, uint32_t slot)
{
    for (size_t i = 0; i < ask->tried_count; i++)
        if (ask->tried[i] == slot) return true;
    return false;
}

static void note_wait(struct pick *out, struct choice *c, enum verdict reason, int64_t wait)
{
    if (!c->any_wait) out->all_rate = out->all_no_funds = out->all_not_verified = true;
    if (!c->any_wait || wait < out->soonest_ms) {
        out->soonest_ms = wait;
        out->soonest_verdict = reason;
    }
    c->any_wait = true;
    out->all_rate &= verdict_is_rate(reason);
    out->all_no_funds &= reason == VERDICT_NO_FUNDS;
    out->all_not_verified &= reason == VERDICT_NOT_VERIFIED;
}

static void consider(struct keypool *p, struct key *k, const struct pick_ask *ask, const struct model_query *q,
                     struct choice *c, struct pick *out)
{
    if (ask->only_key && strcmp(k->id, ask->only_key) != 0) return;
    if (!ask->ignore_state && !key_may_serve(k)) return;
    out->candidates++;
    int64_t wait = 0;
    struct cell *cell = cells_find(&p->cells, k->account, q->hash, q->model);
    const struct limit *limit = ask->ignore_state ? NULL : blocker(p, k, q, cell, ask->now, &wait);
    if (limit) {
        note_wait(out, c, limit->reason, wait);
    } else if (was_tried(ask, k->slot)) {
        c->tried_usable = true;
    } else if (!c->key || (p->strategy != STRATEGY_FILL_FIRST && compare_turn(p, k, cell, c->key, c->cell) < 0)) {
        c->key = k;
        c->cell = cell;
    }
}

/* Counts the lease out and makes it the probe of every limit on its way that is half-open. */
static void hand_out(struct keypool *p, struct key *k, const struct pick_ask *ask, const struct model_query *q,
                     struct lease *l)
{
    struct account *a = &p->accounts[k->account];
    struct cell *cell = NULL; /* a test is no use of a model */
    if (!ask->ignore_state) cell = cells_get(&p->cells, k->account, &a->cells, q->hash, q->model, ask->now);
    struct limit *limits[3];
    size_t n = pool_scopes(a, q, limits);
    *l = (struct lease){.slot = k->slot, .seq = ++p->seq, .auth = k->auth, .cell = -1, .account = k->account};
    l->test = ask->ignore_state;
    memcpy(l->key_id, k->id, sizeof l->key_id);
    if (cell) {
        cells_touch(&p->cells, cell, ask->now);
        cell->in_flight++;
        cell->last_pick = l->seq;
        l->cell = (int32_t)(cell - p->cells.at);
        limits[n++] = &cell->limit;
    }
    for (size_t i = 0; i < n && !l->test; i++) l->probe |= limit_enter(limits[i], l->seq, ask->now);
    k->in_flight++;
    k->last_pick = a->last_pick = l->seq;
    a->in_flight++;
    p->leases_out++;
}

void keypool_acquire(struct keypool *p, const struct pick_ask *ask, struct pick *out)
{
    struct model_query q = model_query(p, ask->model, ask->cost);
    struct choice c = {.key = NULL};
    *out = (struct pick){.result = PICK_NO_KEYS};
    lock_get(&p->lock);
    for (size_t i = 0; i < p->count; i++) consider(p, p->order[i], ask, &q, &c, out);
    if (c.key) {
        hand_out(p, c.key, ask, &q, &out->lease);
        out->result = PICK_OK;
    } else if (p->count) {
        out->result = !out->candidates ? PICK_NONE_USABLE : c.tried_usable ? PICK_TRIED : PICK_COOLING;
    }
    lock_put(&p->lock);
}

/* The key of a lease that must be out. */
static struct key *key_of(struct keypool *p, const struct lease *l)
{
    BUG_ON(l->seq == 0 || l->seq > p->seq || l->slot >= POOL_KEYS_MAX);
    struct key *k = p->slots[l->slot];
    BUG_ON(!k || !k->in_flight || strcmp(k->id, l->key_id) != 0);
    return k;
}

void keypool_gate(struct keypool *p, const struct lease *l, mono_t now)
{
    if (!l->probe) return;
    bool opened = false;
    lock_get(&p->lock);
    struct account *a = &p->accounts[l->account];
    key_of(p, l);
    for (size_t i = 0; i < ACCOUNT_SCOPES; i++) opened |= limit_leave(&a->scopes[i], l->seq, true, now);
    if (l->cell >= 0) opened |= limit_leave(&p->cells.at[l->cell].limit, l->seq, true, now);
    if (opened) pool_changed(p);
    lock_put(&p->lock);
}

void keypool_return(struct keypool *p, struct lease *l, const struct lease_end *end)
{
    struct model_query q = model_query(p, end->model, end->cost);
    lock_get(&p->lock);
    struct key *k = key_of(p, l), *gone = NULL;
    struct account *a = &p->accounts[l->account];
    struct cell *cell = l->cell >= 0 ? &p->cells.at[l->cell] : NULL;
    if (!l->test) pool_apply(p, k, a, cell, l, &q, end);
    BUG_ON(!a->in_flight || !p->leases_out);
    k->in_flight--;
    a->in_flight--;
    p->leases_out--;
    if (cell) {
        BUG_ON(!cell->in_flight);
        cell->in_flight--;
    }
    if (k->removed && !k->in_flight) {
        gone = k;
        pool_release(p, k);
    }
    lock_put(&p->lock);
    free(gone);
    l->seq = 0;
    l->auth = NULL;
}

void keypool_set_strategy(struct keypool *p, enum pool_strategy s)
{
    lock_get(&p->lock);
    p->strategy = s;
    lock_put(&p->lock);
}

unsigned keypool_leases_out(struct keypool *p)
{
    lock_get(&p->lock);
    unsigned n = p->leases_out;
    lock_put(&p->lock);
    return n;
}

unsigned keypool_usable_for(struct keypool *p, struct str model, mono_t now)
{
    struct model_query q = model_query(p, model, COST_UNKNOWN);
    unsigned n = 0;
    int64_t wait;
    lock_get(&p->lock);
    for (size_t i = 0; i < p->count; i++) {
        struct key *k = p->order[i];
        struct cell *cell = cells_find(&p->cells, k->account, q.hash, q.model);
        n += key_may_serve(k) && !blocker(p, k, &q, cell, now, &wait);
    }
    lock_put(&p->lock);
    return n;
}
