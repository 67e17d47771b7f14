/* Rings of counters over time: 1 s x 120, 10 s x 360, 60 s x 1440, each with requests and tokens, and running sums of
 * the last 60 s and 24 h. Monotonic clock. Pure: time is an argument. Not thread-safe; owner: the control thread. */
#ifndef SFPROXY_METER_WINDOW_H
#define SFPROXY_METER_WINDOW_H

#include "base/clock.h"

enum { RING_SECONDS = 120, RING_TENS = 360, RING_MINUTES = 1440 };

struct bucket {
    uint32_t requests, tokens; /* saturating */
};

struct window {
    struct bucket seconds[RING_SECONDS], tens[RING_TENS], minutes[RING_MINUTES];
    int64_t second_at, ten_at, minute_at; /* number of the newest bucket since the clock's zero */
    uint64_t requests_60s, tokens_60s, requests_24h, tokens_24h;
    mono_t since; /* buckets before this are "no data", not zero */
};

void window_init(struct window *w, mono_t now);
void window_add(struct window *w, mono_t now, uint32_t requests, uint64_t tokens);
/* Puts back what was counted at `at` (a start's memory of the run before, at most a day old; may be negative: before
 * the machine began), as one who counted then would have it: into the rings whose step is at least `step` seconds. */
void window_restore(struct window *w, mono_t at, int step, uint32_t requests, uint64_t tokens);
void window_advance(struct window *w, mono_t now); /* lets old buckets fall out; call before reading */
/* Newest last. `step`: 1, 10 or 60 seconds. -1 = no data (before `since`). Fills n values, returns n. */
size_t window_series(const struct window *w, int step, bool tokens, int64_t *out, size_t n);

#endif
