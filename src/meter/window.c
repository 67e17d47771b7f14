/* Three rings of buckets, each addressed by the absolute number of its period (time / step), so that "which bucket" is
 * a modulo and "is it still there" a subtraction:
 *
 *      newest - len + 1  ...  newest - 60 | newest - 59 ... newest        (seconds: 120 kept, the last 60 summed)
 *
 * Invariants: requests_60s/tokens_60s are exactly the sum of the newest 60 second buckets, requests_24h/tokens_24h of
 * all minute buckets. Therefore a sum grows by what the bucket really took (a full bucket takes no more), and shrinks
 * by what the bucket holds when it falls out. Time never runs backwards here: an event older than the newest bucket
 * goes into the bucket of its own time when that is still kept, and advancing to an older time does nothing. */
#include "meter/window.h"

#include "base/base.h"

enum { SUM_SECONDS = 60 };

/* Rounded down, also before the clock's zero. */
static int64_t period(mono_t t, int64_t step)
{
    int64_t n = t.ms / (step * 1000);
    return n * step * 1000 > t.ms ? n - 1 : n;
}

void window_init(struct window *w, mono_t now)
{
    *w = (struct window){.since = now};
    w->second_at = period(now, 1);
    w->ten_at = period(now, 10);
    w->minute_at = period(now, 60);
}

static struct bucket *bucket_at(struct bucket *ring, int64_t len, int64_t n)
{
    return &ring[((n % len) + len) % len];
}

static void leave_60s(struct window *w, int64_t n)
{
    const struct bucket *b = bucket_at(w->seconds, RING_SECONDS, n);
    w->requests_60s -= b->requests;
    w->tokens_60s -= b->tokens;
}

static void advance_seconds(struct window *w, int64_t to)
{
    if (to - w->second_at >= RING_SECONDS) {
        memset(w->seconds, 0, sizeof w->seconds);
        w->requests_60s = w->tokens_60s = 0;
        w->second_at = to;
    }
    while (w->second_at < to) {
        w->second_at++;
        leave_60s(w, w->second_at - SUM_SECONDS);
        *bucket_at(w->seconds, RING_SECONDS, w->second_at) = (struct bucket){0};
    }
}

static void advance_tens(struct window *w, int64_t to)
{
    if (to - w->ten_at >= RING_TENS) {
        memset(w->tens, 0, sizeof w->tens);
        w->ten_at = to;
    }
    while (w->ten_at < to) *bucket_at(w->tens, RING_TENS, ++w->ten_at) = (struct bucket){0};
}

static void advance_minutes(struct window *w, int64_t to)
{
    if (to - w->minute_at >= RING_MINUTES) {
        memset(w->minutes, 0, sizeof w->minutes);
        w->requests_24h = w->tokens_24h = 0;
        w->minute_at = to;
    }
    while (w->minute_at < to) {
        struct bucket *b = bucket_at(w->minutes, RING_MINUTES, ++w->minute_at);
        w->requests_24h -= b->requests;
        w->tokens_24h -= b->tokens;
        *b = (struct bucket){0};
    }
}

void window_advance(struct window *w, mono_t now)
{
    advance_seconds(w, period(now, 1));
    advance_tens(w, period(now, 10));
    advance_minutes(w, period(now, 60));
}

/* What the bucket took; less than asked for when it is full. */
static struct bucket fill(struct bucket *b, uint32_t requests, uint64_t tokens)
{
    struct bucket took = {MIN(requests, UINT32_MAX - b->requests),
                          (uint32_t)MIN(tokens, (uint64_t)(UINT32_MAX - b->tokens))};
    b->requests += took.requests;
    b->tokens += took.tokens;
    return took;
}

static void add_second(struct window *w, mono_t at, uint32_t requests, uint64_t tokens)
{
    int64_t age = w->second_at - period(at, 1);
    if (age >= RING_SECONDS) return;
    struct bucket took = fill(bucket_at(w->seconds, RING_SECONDS, period(at, 1)), requests, tokens);
    w->requests_60s += age < SUM_SECONDS ? took.requests : 0;
    w->tokens_60s += age < SUM_SECONDS ? took.tokens : 0;
}

static void add_ten(struct window *w, mono_t at, uint32_t requests, uint64_t tokens)
{
    int64_t ten = period(at, 10);
    if (w->ten_at - ten < RING_TENS) fill(bucket_at(w->tens, RING_TENS, ten), requests, tokens);
}

static void add_minute(struct window *w, mono_t at, uint32_t requests, uint64_t tokens)
{
    int64_t minute = period(at, 60);
    if (w->minute_at - minute >= RING_MINUTES) return;
    struct bucket took = fill(bucket_at(w->minutes, RING_MINUTES, minute), requests, tokens);
    w->requests_24h += took.requests;
    w->tokens_24h += took.tokens;
}

void window_add(struct window *w, mono_t now, uint32_t requests, uint64_t tokens)
{
    window_advance(w, now);
    add_second(w, now, requests, tokens);
    add_ten(w, now, requests, tokens);
    add_minute(w, now, requests, tokens);
}

void window_restore(struct window *w, mono_t at, int step, uint32_t requests, uint64_t tokens)
{
    window_advance(w, at);
    if (step <= 10) add_ten(w, at, requests, tokens);
    add_minute(w, at, requests, tokens);
    if (at.ms < w->since.ms) w->since = at;
}

size_t window_series(const struct window *w, int step, bool tokens, int64_t *out, size_t n)
{
    const struct bucket *ring = step == 1 ? w->seconds : step == 10 ? w->tens : w->minutes;
    int64_t len = step == 1 ? RING_SECONDS : step == 10 ? RING_TENS : RING_MINUTES;
    int64_t newest = step == 1 ? w->second_at : step == 10 ? w->ten_at : w->minute_at;
    int64_t first = period(w->since, step == 1 || step == 10 ? step : 60);
    for (size_t i = 0; i < n; i++) {
        int64_t age = (int64_t)(n - 1 - i), at = newest - age;
        bool has_data = age < len && at >= first;
        const struct bucket *b = &ring[((at % len) + len) % len];
        out[i] = !has_data ? -1 : tokens ? (int64_t)b->tokens : (int64_t)b->requests;
    }
    return n;
}
