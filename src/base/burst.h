/* When a burst is over: how many things were in use at most, and that most of them have been gone for a while. Pure. */
#ifndef SFPROXY_BASE_BURST_H
#define SFPROXY_BASE_BURST_H

#include "base/clock.h"

enum {
    BURST_MIN = 64,         /* fewer things that went make no burst */
    BURST_CALM_MS = 5000,   /* it is over after so long below half of the peak */
    BURST_EVERY_MS = 60000, /* the end of one is told once in this time */
};

struct burst {
    int64_t peak; /* since the last end */
    mono_t calm;  /* when it fell below half of it; 0: it did not */
    mono_t told;
};

/* To be called now and then with what is in use. True when a burst is over. */
bool burst_over(struct burst *b, int64_t in_use, mono_t now);

#endif
