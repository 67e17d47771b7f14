/* Small counters of the last 60 s, for the things that need no graph: seconds for rates of the whole (exact), tens of
 * seconds for the many (key, model) pairs (a sum covers 50 to 60 s). Pure: time is an argument. Owner: the control
 * thread. */
#ifndef SFPROXY_METER_MINUTE_H
#define SFPROXY_METER_MINUTE_H

#include "base/clock.h"

struct minute_count {
    uint32_t seconds[60];
    int64_t newest; /* number of the newest second */
    uint64_t sum;
};

/* A zeroed struct is an empty counter. */
void minute_add(struct minute_count *c, mono_t now, uint32_t n);
uint64_t minute_sum(struct minute_count *c, mono_t now);

struct pair_count {
    uint32_t requests[6];
    uint64_t tokens[6];
    int64_t newest; /* number of the newest ten seconds */
};

void pair_add(struct pair_count *c, mono_t now, uint32_t requests, uint64_t tokens);
void pair_sum(const struct pair_count *c, mono_t now, uint64_t *requests, uint64_t *tokens);
/* Nothing in it within the last 60 s: it may be dropped. */
bool pair_is_idle(const struct pair_count *c, mono_t now);

#endif
