/* Single-producer single-consumer ring of fixed-size records: how a worker hands what it counted to the control
 * thread without a wake-up per request. When full the producer is told and keeps the record in a list of its own. */
#ifndef SFPROXY_BASE_RING_H
#define SFPROXY_BASE_RING_H

#include <stdatomic.h>

#include "base/base.h"

struct ring {
    char *slots;
    size_t record_size;
    size_t mask; /* number of records - 1; a power of two */
    /* Padding, not _Alignas, keeps the two indexes on cache lines of their own: a struct with an over-aligned member
     * could not come from malloc. */
    char pad_before[64];
    _Atomic size_t head; /* written by the consumer */
    char pad_between[64];
    _Atomic size_t tail; /* written by the producer */
    char pad_after[64];
};

void ring_init(struct ring *r, size_t records /* a power of two */, size_t record_size);
void ring_destroy(struct ring *r);
/* Producer: where the next record goes, NULL when full; then ring_push(). */
void *ring_slot(struct ring *r);
void ring_push(struct ring *r);
/* Consumer: the oldest record, its own until ring_pop(); NULL when empty. */
void *ring_peek(struct ring *r);
void ring_pop(struct ring *r);
size_t ring_used(struct ring *r);

#endif
