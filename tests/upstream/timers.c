/* The timers of the connections, at most one each, in a binary heap ordered by their time. */
#include "serve.h"

#include <stdlib.h>

static struct conn **heap;
static size_t heap_n, heap_cap;

static void heap_put(size_t i, struct conn *c)
{
    heap[i] = c;
    c->heap_at = i;
}

static void heap_up(size_t i, struct conn *c)
{
    while (i && heap[(i - 1) / 2]->timer > c->timer) {
        heap_put(i, heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    heap_put(i, c);
}

static void heap_down(size_t i, struct conn *c)
{
    for (size_t k; (k = 2 * i + 1) < heap_n; i = k) {
        if (k + 1 < heap_n && heap[k + 1]->timer < heap[k]->timer) k++;
        if (heap[k]->timer >= c->timer) break;
        heap_put(i, heap[k]);
    }
    heap_put(i, c);
}

static void heap_remove(struct conn *c)
{
    size_t i = c->heap_at;
    struct conn *last = heap[--heap_n];
    if (last == c) return;
    if (i && heap[(i - 1) / 2]->timer > last->timer)
        heap_up(i, last);
    else
        heap_down(i, last);
}

void conn_timer(struct conn *c, int64_t at)
{
    if (c->timer == at) return;
    if (c->timer) heap_remove(c);
    c->timer = at;
    if (!at) return;
    if (heap_n == heap_cap) {
        heap_cap = heap_cap ? heap_cap * 2 : 256;
        heap = realloc(heap, heap_cap * sizeof(struct conn *));
        if (!heap) abort();
    }
    heap_up(heap_n++, c);
}

size_t timers_count(void)
{
    return heap_n;
}

struct conn *timers_due(int64_t now)
{
    return heap_n && heap[0]->timer <= now ? heap[0] : NULL;
}

int timers_wait_ms(void)
{
    if (!heap_n) return 1000;
    int64_t left = heap[0]->timer - clock_ns();
    if (left <= 0) return 0;
    return left > 1000000000 ? 1000 : (int)((left + 999999) / 1000000);
}
