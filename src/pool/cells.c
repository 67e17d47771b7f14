/* The table of (account, model) cells: what the platform limits.
 *
 * A hash table of fixed size, chained by index, allocated once: nothing is allocated under the lock. Every cell in use
 * is on three chains: its bucket, the list of its account (views, reset), and one list by last use for reuse when the
 * table is full. A cell with a request in flight or a running cooldown is never reused.
 *
 * A limit's life (cells and account scopes alike):
 *
 *      open --refusal--> cooling --deadline--> half-open --probe passes--> open
 *                           ^                     |
 *                           +------- refusal -----+   (next step of the ladder)
 *
 * Half-open lets one lease through, the probe. Whoever was sent earlier says nothing when it succeeds; a refusal counts
 * whoever got it. A probe that neither passes nor returns within a minute does not block: the next lease is the probe.
 */
#include "pool/cells.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/secret.h"
#include "pool/keypool.h"

enum { BUCKETS = 2 * POOL_CELLS_MAX, REUSE_LOOKS = 64 };

void cells_init(struct cells *c)
{
    *c = (struct cells){.at = xcalloc(POOL_CELLS_MAX, sizeof *c->at), .buckets = xcalloc(BUCKETS, sizeof *c->buckets)};
    for (size_t i = 0; i < BUCKETS; i++) c->buckets[i] = -1;
    list_init(&c->lru);
    list_init(&c->unused);
    random_bytes(c->seed, sizeof c->seed);
}

void cells_free(struct cells *c)
{
    free(c->at);
    free(c->buckets);
}

static uint64_t rotl(uint64_t x, unsigned b)
{
    return x << b | x >> (64 - b);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = rotl(v[1], 13), v[1] ^= v[0], v[0] = rotl(v[0], 32);
    v[2] += v[3], v[3] = rotl(v[3], 16), v[3] ^= v[2];
    v[0] += v[3], v[3] = rotl(v[3], 21), v[3] ^= v[0];
    v[2] += v[1], v[1] = rotl(v[1], 17), v[1] ^= v[2], v[2] = rotl(v[2], 32);
}

/* SipHash-1-3. */
uint64_t cells_hash(const struct cells *c, struct str model)
{
    uint64_t v[4] = {c->seed[0] ^ 0x736f6d6570736575ull, c->seed[1] ^ 0x646f72616e646f6dull,
                     c->seed[0] ^ 0x6c7967656e657261ull, c->seed[1] ^ 0x7465646279746573ull};
    for (size_t i = 0; i <= model.n; i += 8) {
        uint64_t word = 0;
        size_t n = MIN(model.n - i, (size_t)8);
        if (n) memcpy(&word, model.p + i, n);
        if (n < 8) word |= (uint64_t)(model.n & 0xff) << 56;
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static int32_t *bucket_of(struct cells *c, uint32_t account, uint64_t hash)
{
    uint64_t mixed = (hash ^ account * 0x9E3779B97F4A7C15ull) * 0xD6E8FEB86659FD93ull;
    return &c->buckets[(mixed >> 40) % BUCKETS];
}

struct cell *cells_find(struct cells *c, uint32_t account, uint64_t hash, struct str model)
{
    for (int32_t i = *bucket_of(c, account, hash); i >= 0; i = c->at[i].next) {
        struct cell *cell = &c->at[i];
        if (cell->hash == hash && cell->account == account && str_is(model, cell->model)) return cell;
    }
    return NULL;
}

static void unhook(struct cells *c, struct cell *cell)
{
    int32_t *link = bucket_of(c, cell->account, cell->hash), index = (int32_t)(cell - c->at);
    while (*link != index) {
        BUG_ON(*link < 0);
        link = &c->at[*link].next;
    }
    *link = cell->next;
    list_remove(&cell->lru);
    list_remove(&cell->of_account);
    cell->in_use = false;
}

/* A cell that is on no list. Cells that cool are moved to the young end, so that the next search does not meet them. */
static struct cell *take_cell(struct cells *c, mono_t now)
{
    struct cell *cell;
    if (!list_empty(&c->unused)) {
        cell = LIST_ENTRY(c->unused.next, struct cell, lru);
        list_remove(&cell->lru);
        return cell;
    }
    if (c->used < POOL_CELLS_MAX) return &c->at[c->used++];
    for (int looks = 0; looks < REUSE_LOOKS; looks++) {
        cell = LIST_ENTRY(c->lru.next, struct cell, lru);
        if (!cell->in_flight && !limit_cooling(&cell->limit, now)) {
            unhook(c, cell);
            return cell;
        }
        list_remove(&cell->lru);
        list_append(&c->lru, &cell->lru);
    }
    return NULL;
}

struct cell *cells_get(struct cells *c, uint32_t account, struct list *of_account, uint64_t hash, struct str model,
                       mono_t now)
{
    struct cell *cell = cells_find(c, account, hash, model);
    if (cell || model.n > MODEL_NAME_MAX || memchr(model.p, '\0', model.n)) return cell;
    cell = take_cell(c, now);
    if (!cell) return NULL;
    *cell = (struct cell){.hash = hash, .account = account, .in_use = true};
    str_copy(cell->model, sizeof cell->model, model);
    int32_t *bucket = bucket_of(c, account, hash);
    cell->next = *bucket;
    *bucket = (int32_t)(cell - c->at);
    list_append(&c->lru, &cell->lru);
    list_append(of_account, &cell->of_account);
    return cell;
}

void cells_touch(struct cells *c, struct cell *cell, mono_t now)
{
    cell->used_at = now;
    list_remove(&cell->lru);
    list_append(&c->lru, &cell->lru);
}

void cells_drop_all(struct cells *c, struct list *of_account)
{
    while (!list_empty(of_account)) {
        struct cell *cell = LIST_ENTRY(of_account->next, struct cell, of_account);
        BUG_ON(cell->in_flight);
        unhook(c, cell);
        list_append(&c->unused, &cell->lru);
    }
}

int64_t limit_wait(const struct limit *l, mono_t now)
{
    if (!l->until.ms) return 0;
    if (l->until.ms > now.ms) return mono_since(l->until, now);
    return l->probe && mono_since(now, l->probe_at) < PROBE_BLOCKS_MS ? PROBE_WAIT_MS : 0;
}

unsigned limit_repeats(const struct limit *l, enum verdict reason, mono_t now)
{
    if (!l->until.ms || l->reason != reason) return 0;
    return limit_cooling(l, now) ? l->repeats : l->repeats + 1;
}

bool limit_refuse(struct limit *l, enum verdict reason, unsigned repeats, int64_t ms, mono_t now)
{
    mono_t until = mono_add(now, ms);
    if (ms <= 0 || until.ms <= l->until.ms) return false;
    *l = (struct limit){.until = until, .reason = reason, .repeats = repeats};
    return true;
}

bool limit_enter(struct limit *l, uint64_t seq, mono_t now)
{
    if (!l->until.ms || limit_cooling(l, now)) return false;
    l->probe = seq;
    l->probe_at = now;
    return true;
}

bool limit_leave(struct limit *l, uint64_t seq, bool passed, mono_t now)
{
    if (!l->until.ms || l->probe != seq || limit_cooling(l, now)) return false;
    if (passed)
        *l = (struct limit){0};
    else
        l->probe = 0;
    return passed;
}
