/* Limits and the table of (account, model) cells; see cells.c. Private to pool/; under the pool's lock, except
 * cells_hash, which needs no lock. */
#ifndef SFPROXY_POOL_CELLS_H
#define SFPROXY_POOL_CELLS_H

#include "base/clock.h"
#include "base/list.h"
#include "pool/rate.h"
#include "pool/verdict.h"

enum { MODEL_NAME_MAX = 256, PROBE_BLOCKS_MS = 60000, PROBE_WAIT_MS = 1000 };

/* Something that refused us for a while: a cell, or a scope of an account.
 * open (until 0) -> cooling (now < until) -> half-open (until passed, one probe at a time) -> open or cooling again. */
struct limit {
    mono_t until; /* 0: open */
    enum verdict reason;
    unsigned repeats; /* refusals for the same reason before this one, without a success between */
    uint64_t probe;   /* seq of the lease let through while half-open; 0 none */
    mono_t probe_at;
};

struct cell {
    struct list lru;        /* least recently used first; free cells are on the free list by it */
    struct list of_account; /* account.cells */
    uint64_t hash;
    int32_t next; /* chain of the bucket; -1 end */
    uint32_t account;
    bool in_use;
    struct limit limit;
    mono_t ok_at, used_at; /* last success, last lease; 0 never */
    uint64_t last_pick;    /* seq of the last lease: rotation goes model by model */
    unsigned in_flight;
    /* A failure that may turn out to be everybody's: which, when the first of the window came, the limit before it. */
    enum verdict struck;
    mono_t struck_at;
    struct limit before;
    /* The waiter that was last given a key here and is not past its gate: the next one waits a moment. 0 none */
    uint64_t hold;
    mono_t hold_at;
    struct rate rate;
    struct learned learned;
    enum verdict last_verdict;
    uint32_t limits_version;      /* the swap that limit_rpm and limit_tpm are of */
    int64_t limit_rpm, limit_tpm; /* configured; 0 none */
    char model[MODEL_NAME_MAX + 1];
};

struct cells {
    struct cell *at; /* preallocated; the kernel gives pages as they are touched */
    int32_t *buckets;
    int32_t used; /* cells ever taken */
    struct list lru, unused;
    uint64_t seed[2];
};

void cells_init(struct cells *c);
void cells_free(struct cells *c);
/* Keyed, so that clients cannot choose model names that collide. */
uint64_t cells_hash(const struct cells *c, struct str model);
struct cell *cells_find(struct cells *c, uint32_t account, uint64_t hash, struct str model);
/* Finds or makes; `of_account` is the account's list. When the table is full the oldest idle cell that is not cooling
 * is reused. NULL: none could be had, or the name is too long. */
struct cell *cells_get(struct cells *c, uint32_t account, struct list *of_account, uint64_t hash, struct str model,
                       mono_t now);
void cells_touch(struct cells *c, struct cell *cell, mono_t now); /* used now */
void cells_drop_all(struct cells *c, struct list *of_account);    /* none of them in flight */

/* Time until the limit lets a request through: 0 now (open or half-open and free); PROBE_WAIT_MS while a probe decides.
 */
int64_t limit_wait(const struct limit *l, mono_t now);
static inline bool limit_cooling(const struct limit *l, mono_t now)
{
    return l->until.ms > now.ms;
}
/* Repeats that a further refusal for `reason` counts as: refusals that arrive while it cools do not climb the ladder.
 */
unsigned limit_repeats(const struct limit *l, enum verdict reason, mono_t now);
/* Sets or prolongs the deadline; never shortens one. True: something changed. */
bool limit_refuse(struct limit *l, enum verdict reason, unsigned repeats, int64_t ms, mono_t now);
/* The probe `seq` takes its place when the limit is half-open. True: it is the probe now. */
bool limit_enter(struct limit *l, uint64_t seq, mono_t now);
/* What the lease `seq` says when it was the probe: passed opens the limit, else the place is free again. */
bool limit_leave(struct limit *l, uint64_t seq, bool passed, mono_t now);

#endif
