/* One lane per model that was asked for lately: a hash table of fixed size, allocated once, and queues in it.
 *
 * Waiting is first come first served per model. Nobody holds a timer for the pool: the first waiter of each lane looks
 * for a key when the soonest one is due (at least once a second) and when it is told that something changed; the others
 * only listen. So a key that becomes free wakes one request, and whoever leaves the front, served or not, has the next
 * one told. Who was given a key and was refused with it stands in front again. A ticket is the waiter's place in the
 * table, plus one; only its owner uses it. */
#include "pool/lanes.h"

#include "base/check.h"
#include "base/mem.h"

enum { BUCKETS = 2 * LANES_MAX, REUSE_LOOKS = 64 };

void lanes_init(struct lanes *s)
{
    *s = (struct lanes){.at = xcalloc(LANES_MAX, sizeof *s->at),
                        .buckets = xcalloc(BUCKETS, sizeof *s->buckets),
                        .waiters = xcalloc(WAITERS_MAX, sizeof *s->waiters)};
    for (size_t i = 0; i < BUCKETS; i++) s->buckets[i] = -1;
    list_init(&s->lru);
    list_init(&s->unused);
}

void lanes_free(struct lanes *s)
{
    BUG_ON(s->waiting);
    for (int32_t i = 0; i < s->used; i++) BUG_ON(s->at[i].leases);
    free(s->at);
    free(s->buckets);
    free(s->waiters);
}

static int32_t *bucket_of(struct lanes *s, uint64_t hash)
{
    return &s->buckets[(hash >> 32) % BUCKETS];
}

struct lane *lanes_find(struct lanes *s, uint64_t hash, struct str model)
{
    for (int32_t i = *bucket_of(s, hash); i >= 0; i = s->at[i].next)
        if (s->at[i].hash == hash && str_is(model, s->at[i].model)) return &s->at[i];
    return NULL;
}

static void unhook(struct lanes *s, struct lane *l)
{
    int32_t *link = bucket_of(s, l->hash), index = (int32_t)(l - s->at);
    while (*link != index) {
        BUG_ON(*link < 0);
        link = &s->at[*link].next;
    }
    *link = l->next;
    list_remove(&l->lru);
}

static bool is_idle(const struct lane *l, mono_t now)
{
    return !l->leases && list_empty(&l->waiters) && breaker_is_idle(&l->breaker, now);
}

static struct lane *take_lane(struct lanes *s, mono_t now)
{
    if (s->used < LANES_MAX) return &s->at[s->used++];
    for (int looks = 0; looks < REUSE_LOOKS; looks++) {
        struct lane *l = LIST_ENTRY(s->lru.next, struct lane, lru);
        if (is_idle(l, now)) {
            unhook(s, l);
            return l;
        }
        list_remove(&l->lru);
        list_append(&s->lru, &l->lru);
    }
    return NULL;
}

struct lane *lanes_get(struct lanes *s, uint64_t hash, struct str model, mono_t now)
{
    struct lane *l = lanes_find(s, hash, model);
    if (l) {
        list_remove(&l->lru);
    } else {
        if (model.n > MODEL_NAME_MAX || memchr(model.p, '\0', model.n)) return NULL;
        l = take_lane(s, now);
        if (!l) return NULL;
        *l = (struct lane){.hash = hash};
        str_copy(l->model, sizeof l->model, model);
        breaker_init(&l->breaker, false);
        list_init(&l->waiters);
        int32_t *bucket = bucket_of(s, hash);
        l->next = *bucket;
        *bucket = (int32_t)(l - s->at);
    }
    list_append(&s->lru, &l->lru);
    return l;
}

static struct waiter *waiter_of(const struct lanes *s, uint32_t ticket)
{
    BUG_ON(ticket == 0 || ticket > s->waiters_used);
    struct waiter *w = &s->waiters[ticket - 1];
    BUG_ON(!w->lane);
    return w;
}

uint32_t lanes_join(struct lanes *s, struct lane *l, const struct place *place)
{
    struct waiter *w;
    if (s->waiting >= MIN(place->room, (size_t)WAITERS_MAX)) return 0;
    if (!list_empty(&s->unused)) {
        w = LIST_ENTRY(s->unused.next, struct waiter, node);
        list_remove(&w->node);
    } else {
        w = &s->waiters[s->waiters_used++];
    }
    w->lane = l;
    w->worker = place->worker;
    w->exchange = place->exchange;
    if (place->again) {
        list_prepend(&l->waiters, &w->node);
        l->told = false;
    } else {
        list_append(&l->waiters, &w->node);
    }
    s->waiting++;
    l->waiting++;
    return (uint32_t)(w - s->waiters) + 1;
}

bool lanes_is_first(const struct lanes *s, uint32_t ticket)
{
    const struct waiter *w = waiter_of(s, ticket);
    return w->lane->waiters.next == &w->node;
}

void lanes_look(struct lanes *s, uint32_t ticket)
{
    if (lanes_is_first(s, ticket)) waiter_of(s, ticket)->lane->told = false;
}

struct wake lanes_tell(struct lane *l)
{
    if (list_empty(&l->waiters) || l->told) return (struct wake){.due = false};
    const struct waiter *w = LIST_ENTRY(l->waiters.next, struct waiter, node);
    l->told = true;
    return (struct wake){true, w->worker, w->exchange};
}

struct wake lanes_leave(struct lanes *s, uint32_t ticket)
{
    bool first = lanes_is_first(s, ticket);
    struct waiter *w = waiter_of(s, ticket);
    struct lane *l = w->lane;
    list_remove(&w->node);
    w->lane = NULL;
    list_append(&s->unused, &w->node);
    s->waiting--;
    l->waiting--;
    if (!first) return (struct wake){.due = false};
    l->told = false;
    return lanes_tell(l);
}
