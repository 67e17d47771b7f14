/* Lanes: what the pool keeps per model beside the cells, namely the model's breaker and the queue of requests that wait
 * for a key. Private to pool/; under the pool's lock. See lanes.c. */
#ifndef SFPROXY_POOL_LANES_H
#define SFPROXY_POOL_LANES_H

#include "base/list.h"
#include "pool/breaker.h"
#include "pool/cells.h"

enum { LANES_MAX = 512, WAITERS_MAX = 10000 };

struct lane {
    struct list lru; /* least recently used first */
    int32_t next;    /* chain of the bucket; -1 end */
    uint64_t hash;
    unsigned leases; /* out for this model */
    struct breaker breaker;
    struct list waiters; /* struct waiter.node, first come first */
    unsigned waiting;    /* how many */
    bool told;           /* the first waiter was sent a wake-up and has not looked since */
    char model[MODEL_NAME_MAX + 1];
};

struct waiter {
    struct list node; /* lane.waiters, or lanes.unused */
    struct lane *lane;
    unsigned worker;
    uint64_t exchange;
};

struct lanes {
    struct lane *at; /* preallocated; the kernel gives pages as they are touched */
    int32_t *buckets;
    int32_t used; /* lanes ever taken */
    struct list lru;
    struct waiter *waiters;
    uint32_t waiters_used; /* ever taken */
    struct list unused;
    unsigned waiting;
};

struct wake { /* for whom; `due` false: nobody */
    bool due;
    unsigned worker;
    uint64_t exchange;
};

void lanes_init(struct lanes *s);
void lanes_free(struct lanes *s); /* BUG when somebody waits */
struct lane *lanes_find(struct lanes *s, uint64_t hash, struct str model);
/* Finds or makes, and counts as a use. When the table is full the oldest lane without leases, waiters and news in its
 * breaker is reused. NULL: none could be had, or the name is too long. */
struct lane *lanes_get(struct lanes *s, uint64_t hash, struct str model, mono_t now);

struct place {
    unsigned worker;
    uint64_t exchange;
    bool again;  /* it stood in line before: it goes to the front */
    size_t room; /* how many may wait, in all lanes together */
};
/* Goes to the end of the queue, or to its front. The ticket; 0: no room. */
uint32_t lanes_join(struct lanes *s, struct lane *l, const struct place *place);
/* Leaves the queue; the ticket is void. The new first one is to be woken when the first one left. */
struct wake lanes_leave(struct lanes *s, uint32_t ticket);
bool lanes_is_first(const struct lanes *s, uint32_t ticket);
/* The first waiter looks for a key now: a wake-up on its way is used up. */
void lanes_look(struct lanes *s, uint32_t ticket);
/* Whom to wake because something changed: the first waiter, once until it looks. */
struct wake lanes_tell(struct lane *l);

#endif
