#include "meter/recent.h"

#include "base/mem.h"
#include "meter/meter.h"

enum { TTFT_KEPT = 500 };

struct recent {
    struct record *ring; /* METER_RECENT; `added` counts all, the newest is at (added - 1) % METER_RECENT */
    uint64_t added;
    int32_t ttft[TTFT_KEPT];
    uint64_t ttft_added;
};

struct recent *recent_new(void)
{
    struct recent *l = xcalloc(1, sizeof *l);
    l->ring = xcalloc(METER_RECENT, sizeof *l->ring);
    return l;
}

void recent_free(struct recent *l)
{
    free(l->ring);
    free(l);
}

void recent_add(struct recent *l, const struct record *r)
{
    l->ring[l->added++ % METER_RECENT] = *r;
    if (r->ttft_ms >= 0) l->ttft[l->ttft_added++ % TTFT_KEPT] = r->ttft_ms;
}

size_t recent_list(const struct recent *l, const struct record **out, size_t room)
{
    size_t n = (size_t)MIN(l->added, (uint64_t)MIN(room, (size_t)METER_RECENT));
    for (size_t i = 0; i < n; i++) out[i] = &l->ring[(l->added - 1 - i) % METER_RECENT];
    return n;
}

static int by_value(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* Nearest rank: the smallest value that at least `percent` of all do not exceed. */
static int64_t percentile(const int32_t *sorted, size_t n, size_t percent)
{
    return n ? sorted[(n * percent + 99) / 100 - 1] : -1;
}

void recent_ttft(const struct recent *l, int64_t *p50_ms, int64_t *p95_ms)
{
    int32_t sorted[TTFT_KEPT];
    size_t n = (size_t)MIN(l->ttft_added, (uint64_t)TTFT_KEPT);
    memcpy(sorted, l->ttft, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    *p50_ms = percentile(sorted, n, 50);
    *p95_ms = percentile(sorted, n, 95);
}
