/* Why this key: the same looks at the same limits as picking takes, without taking anything. */
#include "pool/pool_priv.h"

static enum explain_why why_not(const struct key *k, enum verdict blocked, bool by_quota)
{
    if (!k->enabled) return EXPLAIN_OFF;
    if (k->class == CLASS_INVALID) return EXPLAIN_BAD;
    if (blocked == VERDICT_OK) return EXPLAIN_READY;
    return by_quota ? EXPLAIN_LIMIT : EXPLAIN_COOLING;
}

static void explain_key(struct keypool *p, const struct key *k, const struct model_query *q, mono_t now,
                        struct explain_row *row)
{
    struct cell *cell = cells_find(&p->cells, k->account, q->hash, q->model);
    struct block b = pool_block(p, k, q, cell, now);
    *row = (struct explain_row){.why = why_not(k, b.reason, b.by_quota), .turn = pool_turn(p, k, q, cell)};
    memcpy(row->id, k->id, sizeof row->id);
    if (row->why != EXPLAIN_COOLING && row->why != EXPLAIN_LIMIT) return;
    row->reason = b.reason;
    row->wait_ms = b.wait_ms;
    row->probing = b.limit && b.limit->until.ms <= now.ms;
    row->scope = b.limit && !(cell && b.limit == &cell->limit)
                     ? (b.limit == &p->accounts[k->account].scopes[ON_ACCOUNT] ? "account" : "paid models")
                     : "model";
}

size_t keypool_explain(struct keypool *p, struct str model, enum model_cost cost, mono_t now, struct explain *out,
                       struct explain_row *rows, size_t room)
{
    struct model_query q = model_query(p, model, cost);
    size_t n = 0, next = SIZE_MAX;
    *out = (struct explain){.cost = q.cost};
    lock_get(&p->lock);
    const struct lane *lane = lanes_find(&p->lanes, q.hash, q.model);
    out->outage_ms = pool_outage_wait(p, lane, now, &out->outage_reason, &out->whole_upstream);
    out->waiting = lane && !list_empty(&lane->waiters);
    for (; n < MIN(p->count, room); n++) {
        explain_key(p, p->order[n], &q, now, &rows[n]);
        if (rows[n].why != EXPLAIN_READY) continue;
        if (next == SIZE_MAX || turn_compare(&rows[n].turn, &rows[next].turn) < 0) next = n;
    }
    lock_put(&p->lock);
    if (next != SIZE_MAX && !out->outage_ms) rows[next].why = EXPLAIN_NEXT;
    return n;
}

const char *explain_word(enum explain_why why)
{
    static const char *const words[] = {"next", "ready", "limit", "cooling", "bad", "off"};
    return (unsigned)why < ARRAY_LEN(words) ? words[why] : "?";
}
