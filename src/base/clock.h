/* Two clocks with types of their own, so that they cannot be mixed up.
 * mono: deadlines, cooldowns, windows, durations. wall: rows, display, day boundaries. Any thread. */
#ifndef SFPROXY_BASE_CLOCK_H
#define SFPROXY_BASE_CLOCK_H

#include "base/base.h"

typedef struct {
    int64_t ms; /* CLOCK_MONOTONIC milliseconds; 0 = "never" where a field says so */
} mono_t;

typedef struct {
    int64_t ms; /* Unix time in milliseconds */
} wall_t;

mono_t mono_now(void);
wall_t wall_now(void);
int64_t mono_us(void); /* CLOCK_MONOTONIC microseconds, for TTFT and durations */

static inline int64_t mono_since(mono_t now, mono_t then)
{
    return now.ms - then.ms;
}

static inline mono_t mono_add(mono_t t, int64_t ms)
{
    return (mono_t){t.ms + ms};
}

/* "2026-11-23T14:02:31.104+08:00" in the process's time zone (set once at start with clock_set_timezone). */
void wall_format(wall_t t, char *out, size_t size);
/* "14:02:31". */
void wall_format_time(wall_t t, char *out, size_t size);
/* Next local midnight after t, and the local day as YYYYMMDD. */
wall_t wall_next_midnight(wall_t t);
int wall_day(wall_t t);
int wall_day_before(wall_t t, int days); /* so many days before that of t */
/* The same, remembered for the quarter of an hour it was asked for: clocks are set and days begin at full quarters
 * everywhere (time zones differ by multiples of 15 minutes). A zeroed struct is empty. */
struct day_cache {
    int64_t quarter;
    int day;
};
int wall_day_cached(struct day_cache *c, wall_t t);
/* True when the system's database has this zone ("UTC" and "Asia/Shanghai" work without one). */
bool clock_has_timezone(const char *name);
/* Sets TZ for the process; before any thread starts. False: no such zone in the system's database. */
bool clock_set_timezone(const char *name);

#endif
