#include "base/ring.h"

#include "base/check.h"
#include "base/mem.h"

void ring_init(struct ring *r, size_t records, size_t record_size)
{
    BUG_ON(records == 0 || (records & (records - 1)) != 0);
    r->slots = xcalloc(records, record_size);
    r->record_size = record_size;
    r->mask = records - 1;
    atomic_init(&r->head, 0);
    atomic_init(&r->tail, 0);
}

void ring_destroy(struct ring *r)
{
    free(r->slots);
    r->slots = NULL;
}

void *ring_slot(struct ring *r)
{
    size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    size_t head = atomic_load_explicit(&r->head, memory_order_acquire);
    if (tail - head > r->mask) return NULL;
    return r->slots + (tail & r->mask) * r->record_size;
}

void ring_push(struct ring *r)
{
    size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
}

void *ring_peek(struct ring *r)
{
    size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    size_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
    return head == tail ? NULL : r->slots + (head & r->mask) * r->record_size;
}

void ring_pop(struct ring *r)
{
    size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    atomic_store_explicit(&r->head, head + 1, memory_order_release);
}

size_t ring_used(struct ring *r)
{
    return atomic_load_explicit(&r->tail, memory_order_acquire) - atomic_load_explicit(&r->head, memory_order_acquire);
}
