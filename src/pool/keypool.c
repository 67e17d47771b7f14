/* Leases: which key serves a request, and its way back.
 *
 * Picking is one pass over the keys in order of joining, under the lock. A key may serve when it is on and not INVALID;
 * it is free when none of the limits on its way (account, paid scope, cell of the model) is cooling or waiting for a
 * probe, and the model's configured limit of a minute is not used up (quota.c). Of the free keys that the request has
 * not tried, the strategy takes one; otherwise the answer says who could serve, and when the soonest will.
 *
 * Rotation is per model, then per account, then per key, by the number of the last lease: the one that waited longest
 * goes next. So traffic is even although keys drop out and come back, models that alternate do not split the accounts
 * among themselves, and two keys of one account share one turn.
 *
 * Waiting: who finds no free key may stand in line (lanes.c). While somebody does, nobody overtakes: newcomers go to
 * the end. A key that one of them was given is held for the others until its gate has passed, or for 200 ms.
 *
 * Invariants: leases_out = sum of key.in_flight = sum of account.in_flight; a lease's slot stays its key's until it is
 * returned; only limits that are half-open have a probe. */
#include "pool/pool_priv.h"

#include "base/check.h"
#include "base/mem.h"

enum { HOLD_MS = 200, LOOK_MS = 1000, ANY_ACCOUNT = -1, NO_ACCOUNT = -2 };

struct model_query model_query(const struct keypool *p, struct str model, enum model_cost cost)
{
    struct model_query q = {.model = model.p ? model : STR(""), .cost = cost};
    q.hash = cells_hash(&p->cells, q.model);
    if (q.cost == COST_UNKNOWN) q.cost = model_cost(q.model, NULL);
    q.pro = str_starts(q.model, "Pro/");
    q.sure = q.cost != COST_UNKNOWN;
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

static int64_t hold_wait(const struct cell *cell, mono_t now)
{
    return cell && cell->hold ? MAX(HOLD_MS - mono_since(now, cell->hold_at), 0) : 0;
}

static void end_hold(struct cell *cell, uint64_t seq)
{
    if (cell && cell->hold == seq) cell->hold = 0;
}

struct block pool_block(struct keypool *p, const struct key *k, const struct model_query *q, struct cell *cell,
                        mono_t now)
{
    struct limit *limits[3];
    size_t n = pool_scopes(&p->accounts[k->account], q, limits);
    struct block b = {.reason = VERDICT_OK};
    if (cell) limits[n++] = &cell->limit;
    for (size_t i = 0; i < n; i++) {
        int64_t ms = limit_wait(limits[i], now);
        if (ms <= b.wait_ms) continue;
        b = (struct block){.reason = limits[i]->reason, .wait_ms = ms, .limit = limits[i]};
    }
    int64_t quota = cell && p->limit_count ? pool_quota_wait(p, cell, now) : 0;
    if (quota > b.wait_ms) b = (struct block){.reason = VERDICT_RATE_MINUTE, .wait_ms = quota, .by_quota = true};
    return b;
}

struct choice {
    int64_t account; /* only keys of this one; ANY_ACCOUNT, NO_ACCOUNT */
    struct key *key;
    struct turn turn; /* of `key` */
    bool tried_usable, any_wait, any_rate, any_funds;
};

/* 0, or 1: only when nobody else is free. What was refused a day ago is tried again, so that an account that was topped
 * up or verified comes back by itself. */
static unsigned rank_of(const struct keypool *p, const struct key *k, const struct model_query *q)
{
    bool believed = pool_believes(p, k->class_seen);
    if (k->class == CLASS_UNVERIFIED && believed) return 1;
    if (q->cost == COST_FREE || q->model.n == 0) return 0;
    if (k->class == CLASS_FREE && believed) return 1;
    return q->pro && pool_believes(p, k->no_charge_seen);
}

struct turn pool_turn(const struct keypool *p, const struct key *k, const struct model_query *q,
                      const struct cell *cell)
{
    const struct account *a = &p->accounts[k->account];
    bool by_load = p->strategy == STRATEGY_LEAST_BUSY;
    if (p->strategy == STRATEGY_FILL_FIRST) return (struct turn){{rank_of(p, k, q)}};
    return (struct turn){{rank_of(p, k, q), by_load ? a->in_flight : 0, by_load ? k->in_flight : 0,
                          cell ? cell->last_pick : 0, a->last_pick, k->last_pick}};
}

int turn_compare(const struct turn *a, const struct turn *b)
{
    for (size_t i = 0; i < ARRAY_LEN(a->parts); i++)
        if (a->parts[i] != b->parts[i]) return a->parts[i] < b->parts[i] ? -1 : 1;
    return 0;
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
    /* Keys that cannot pay or are not verified do not hide what the others wait for. */
    bool cannot = reason == VERDICT_NO_FUNDS || reason == VERDICT_NOT_VERIFIED;
    c->any_wait = true;
    c->any_rate |= verdict_is_rate(reason);
    c->any_funds |= reason == VERDICT_NO_FUNDS;
    out->all_rate &= verdict_is_rate(reason) || cannot;
    out->all_no_funds &= cannot;
    out->all_not_verified &= reason == VERDICT_NOT_VERIFIED;
}

static void consider(struct keypool *p, struct key *k, const struct pick_ask *ask, const struct model_query *q,
                     struct choice *c, struct pick *out)
{
    if (ask->only_key && strcmp(k->id, ask->only_key) != 0) return;
    if (c->account != ANY_ACCOUNT && k->account != c->account) return;
    if (!ask->ignore_state && !key_may_serve(k)) return;
    out->candidates++;
    struct cell *cell = cells_find(&p->cells, k->account, q->hash, q->model);
    struct block b = {.reason = VERDICT_OK};
    if (!ask->ignore_state) b = pool_block(p, k, q, cell, ask->now);
    int64_t held = ask->ticket ? hold_wait(cell, ask->now) : 0;
    if (b.wait_ms > 0) {
        note_wait(out, c, b.reason, b.wait_ms);
    } else if (held > 0) {
        note_wait(out, c, VERDICT_RATE_UNKNOWN, held);
    } else if (was_tried(ask, k->slot)) {
        c->tried_usable = true;
    } else {
        struct turn turn = pool_turn(p, k, q, cell);
        if (c->key && turn_compare(&turn, &c->turn) >= 0) return;
        c->key = k;
        c->turn = turn;
    }
}

/* Counts the lease out and makes it the probe of every limit on its way that is half-open. */
static void hand_out(struct keypool *p, struct key *k, const struct pick_ask *ask, const struct model_query *q,
                     struct lease *l)
{
    struct account *a = &p->accounts[k->account];
    struct cell *cell = NULL; /* a test is no use of a model */
    bool counts = !ask->ignore_state && !ask->own_call;
    if (counts) cell = cells_get(&p->cells, k->account, &a->cells, q->hash, q->model, ask->now);
    struct limit *limits[3];
    size_t n = pool_scopes(a, q, limits);
    *l = (struct lease){.slot = k->slot, .seq = ++p->seq, .auth = k->auth, .cell = -1, .account = k->account};
    l->test = !counts;
    struct lane *lane = l->test ? NULL : lanes_get(&p->lanes, q->hash, q->model, ask->now);
    l->lane = lane ? (int32_t)(lane - p->lanes.at) : -1;
    if (lane) lane->leases++;
    if (!l->test) l->trial = pool_outage_enter(p, lane, l->seq, ask->now);
    memcpy(l->key_id, k->id, sizeof l->key_id);
    if (cell) {
        cells_touch(&p->cells, cell, ask->now);
        cell->in_flight++;
        cell->last_pick = l->seq;
        rate_add(&cell->rate, ask->now, 1, 0);
        l->cell = (int32_t)(cell - p->cells.at);
        limits[n++] = &cell->limit;
    }
    for (size_t i = 0; i < n && !l->test; i++) l->probe |= limit_enter(limits[i], l->seq, ask->now);
    k->in_flight++;
    k->last_pick = a->last_pick = l->seq;
    a->in_flight++;
    p->leases_out++;
}

/* The key to hand out, or why there is none. */
static enum pick_result choose(struct keypool *p, const struct pick_ask *ask, const struct model_query *q,
                               struct choice *c, struct pick *out)
{
    for (size_t i = 0; i < p->count; i++) consider(p, p->order[i], ask, q, c, out);
    out->all_rate &= c->any_rate;
    out->all_no_funds &= c->any_funds;
    if (!p->count) return PICK_NO_KEYS;
    if (c->key) return PICK_OK;
    return !out->candidates ? PICK_NONE_USABLE : c->tried_usable ? PICK_TRIED : PICK_COOLING;
}

/* Index of the owner's account, NO_ACCOUNT when the pool has no key of it. */
static int64_t account_of(struct keypool *p, const struct key_owner *o)
{
    const struct key *k = pool_find(p, o->key_id);
    if (k) return k->account;
    for (size_t i = 0; o->account[0] && i < p->account_count; i++) {
        const struct account *a = &p->accounts[i];
        if (!a->own && a->keys && strcmp(a->name, o->account) == 0) return (int64_t)i;
    }
    return NO_ACCOUNT;
}

/* Others of the model were here before. */
static bool must_queue(const struct keypool *p, const struct lane *lane, const struct pick_ask *ask)
{
    if (!lane || list_empty(&lane->waiters) || ask->only_key || ask->owner) return false;
    if (ask->ignore_state || ask->own_call) return false;
    return !ask->ticket || !lanes_is_first(&p->lanes, ask->ticket);
}

/* No key now. Waits when that can help within the time it has. */
static enum pick_result stand_in_line(struct keypool *p, const struct pick_ask *ask, const struct model_query *q,
                                      struct pick *out)
{
    if (out->soonest_ms > ask->wait_ms) return PICK_COOLING;
    out->ticket = ask->ticket;
    if (!out->ticket) {
        struct lane *lane = lanes_get(&p->lanes, q->hash, q->model, ask->now);
        if (!lane) return PICK_COOLING;
        struct place place = {ask->worker, ask->exchange, ask->waited, ask->wait_room};
        out->ticket = lanes_join(&p->lanes, lane, &place);
        if (!out->ticket) return PICK_QUEUE_FULL;
    }
    bool first = lanes_is_first(&p->lanes, out->ticket);
    out->look_ms = first ? MIN(MAX(out->soonest_ms, 1), (int64_t)LOOK_MS) : 0;
    return PICK_WAIT;
}

static enum pick_result pick(struct keypool *p, const struct pick_ask *ask, const struct model_query *q,
                             struct pick *out)
{
    struct lane *lane = lanes_find(&p->lanes, q->hash, q->model);
    struct choice c = {.account = ask->owner ? account_of(p, ask->owner) : ANY_ACCOUNT};
    bool passes = ask->under_way || ask->ignore_state || ask->only_key || !p->count;
    if (ask->ticket) lanes_look(&p->lanes, ask->ticket);
    int64_t outage = passes ? 0 : pool_outage_wait(p, lane, ask->now, &out->soonest_verdict, &out->whole_upstream);
    if (outage > 0) {
        out->soonest_ms = outage;
        return PICK_OUTAGE;
    }
    enum pick_result result = choose(p, ask, q, &c, out);
    if (result == PICK_OK && must_queue(p, lane, ask)) {
        note_wait(out, &c, VERDICT_RATE_UNKNOWN, 1);
        result = PICK_COOLING;
    }
    if (result == PICK_COOLING && ask->wait_ms > 0 && !ask->owner) return stand_in_line(p, ask, q, out);
    if (result != PICK_OK) return result;
    hand_out(p, c.key, ask, q, &out->lease);
    if (ask->ticket && out->lease.cell >= 0) {
        p->cells.at[out->lease.cell].hold = out->lease.seq;
        p->cells.at[out->lease.cell].hold_at = ask->now;
    }
    return result;
}

static void send_wake(struct keypool *p, const struct wake *w)
{
    if (w->due && p->wake) p->wake(p->wake_arg, w->worker, w->exchange);
}

void keypool_acquire(struct keypool *p, const struct pick_ask *ask, struct pick *out)
{
    struct model_query q = model_query(p, ask->model, ask->cost);
    struct wake next = {.due = false};
    *out = (struct pick){.result = PICK_NO_KEYS};
    lock_get(&p->lock);
    p->now = ask->now;
    out->result = pick(p, ask, &q, out);
    if (ask->ticket && out->result != PICK_WAIT) next = lanes_leave(&p->lanes, ask->ticket);
    lock_put(&p->lock);
    send_wake(p, &next);
}

void keypool_leave(struct keypool *p, uint32_t ticket)
{
    lock_get(&p->lock);
    struct wake next = lanes_leave(&p->lanes, ticket);
    lock_put(&p->lock);
    send_wake(p, &next);
}

void keypool_set_waker(struct keypool *p, void (*wake)(void *arg, unsigned worker, uint64_t exchange), void *arg)
{
    p->wake = wake;
    p->wake_arg = arg;
}

/* The key of a lease that must be out. */
static struct key *key_of(struct keypool *p, const struct lease *l)
{
    BUG_ON(l->seq == 0 || l->seq > p->seq || l->slot >= POOL_KEYS_MAX);
    struct key *k = p->slots[l->slot];
    BUG_ON(!k || !k->in_flight || strcmp(k->id, l->key_id) != 0);
    return k;
}

void keypool_gate(struct keypool *p, struct lease *l, mono_t now)
{
    struct outage_news news = {.count = 0};
    struct wake next = {.due = false};
    bool opened = false;
    if (l->test) return;
    lock_get(&p->lock);
    struct account *a = &p->accounts[l->account];
    struct cell *cell = l->cell >= 0 ? &p->cells.at[l->cell] : NULL;
    struct lane *lane = pool_lane(p, l);
    key_of(p, l);
    for (size_t i = 0; l->probe && i < ACCOUNT_SCOPES; i++) opened |= limit_leave(&a->scopes[i], l->seq, true, now);
    if (l->probe && cell) opened |= limit_leave(&cell->limit, l->seq, true, now);
    if (opened) pool_changed(p);
    pool_outage_gate(p, l, now, &news);
    end_hold(cell, l->seq);
    if (lane) next = lanes_tell(lane);
    lock_put(&p->lock);
    send_wake(p, &next);
    pool_outage_log(&news);
}

/* The counts of a lease that is over. The key, when nobody uses it any more: to be freed after the lock. */
static struct key *count_back(struct keypool *p, struct key *k, struct account *a, struct cell *cell, struct lane *lane)
{
    BUG_ON(!a->in_flight || !p->leases_out || (cell && !cell->in_flight) || (lane && !lane->leases));
    k->in_flight--;
    a->in_flight--;
    p->leases_out--;
    if (cell) cell->in_flight--;
    if (lane) lane->leases--;
    if (!k->removed || k->in_flight) return NULL;
    pool_release(p, k);
    return k;
}

void keypool_return(struct keypool *p, struct lease *l, const struct lease_end *end)
{
    struct model_query q = model_query(p, end->model, end->cost);
    struct outage_news news = {.count = 0};
    struct wake next = {.due = false};
    q.sure = q.sure && !end->cost_observed;
    if (!q.sure && end->verdict == VERDICT_NO_FUNDS) q.cost = COST_UNKNOWN; /* what showed it to be free was wrong */
    lock_get(&p->lock);
    p->now = end->now;
    struct key *k = key_of(p, l);
    struct account *a = &p->accounts[l->account];
    struct cell *cell = l->cell >= 0 ? &p->cells.at[l->cell] : NULL;
    struct lane *lane = pool_lane(p, l);
    if (cell) pool_note_rate(cell, end);
    if (!l->test) {
        bool excused = pool_outage_end(p, k, cell, l, &q, end, &news);
        pool_apply(p, k, a, cell, l, &q, end, excused);
        end_hold(cell, l->seq);
    }
    struct key *gone = count_back(p, k, a, cell, lane);
    if (lane) next = lanes_tell(lane);
    lock_put(&p->lock);
    free(gone);
    l->seq = 0;
    l->auth = NULL;
    send_wake(p, &next);
    pool_outage_log(&news);
}

bool keypool_owner(struct keypool *p, const char *key_id, struct key_owner *out)
{
    *out = (struct key_owner){.account = ""};
    lock_get(&p->lock);
    const struct key *k = pool_find(p, key_id);
    if (k) {
        const struct account *a = &p->accounts[k->account];
        memcpy(out->key_id, k->id, sizeof out->key_id);
        if (!a->own) memcpy(out->account, a->name, sizeof out->account);
    }
    lock_put(&p->lock);
    return k != NULL;
}

bool keypool_has_owner(struct keypool *p, const struct key_owner *owner)
{
    lock_get(&p->lock);
    bool has = account_of(p, owner) != NO_ACCOUNT;
    lock_put(&p->lock);
    return has;
}

size_t keypool_accounts(struct keypool *p, char (*ids)[KEY_ID_LEN + 1], size_t room)
{
    size_t n = 0;
    lock_get(&p->lock);
    uint64_t stamp = ++p->stamp;
    for (size_t i = 0; i < p->count && n < room; i++) {
        const struct key *k = p->order[i];
        struct account *a = &p->accounts[k->account];
        if (!key_may_serve(k) || a->stamp == stamp) continue;
        a->stamp = stamp;
        memcpy(ids[n++], k->id, sizeof ids[0]);
    }
    lock_put(&p->lock);
    return n;
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
    lock_get(&p->lock);
    for (size_t i = 0; i < p->count; i++) {
        struct key *k = p->order[i];
        struct cell *cell = cells_find(&p->cells, k->account, q.hash, q.model);
        n += key_may_serve(k) && !pool_block(p, k, &q, cell, now).wait_ms;
    }
    lock_put(&p->lock);
    return n;
}
