/* Sums of costs, and the rate of the last hour. Integer micro-CNY that saturates. Pure: time is an argument. Owner: the
 * control thread. */
#ifndef SFPROXY_METER_MONEY_H
#define SFPROXY_METER_MONEY_H

#include "meter/record.h"

struct money {         /* zeroed: nothing yet */
    int64_t micro;     /* of requests whose cost is known */
    uint64_t unpriced; /* requests whose cost is not: the sum is without them */
};

/* `cost` -1: not known. */
void money_book(struct money *m, int64_t cost);
void money_merge(struct money *to, const struct money *m);

/* As shown. -1: not known, because something was used and nothing of it had a known price. */
struct spent {
    int64_t today, total; /* of the day in server.timezone; since start */
    uint64_t unpriced_today, unpriced_total;
};
struct spent spent_of(const struct money *today, const struct money *total);

enum { BURN_MINUTES = 60 };
struct burn { /* zeroed: nothing yet */
    int64_t minutes[BURN_MINUTES];
    int64_t newest; /* number of the newest minute */
};
void burn_add(struct burn *b, mono_t now, int64_t cost);
/* micro-CNY an hour: the last hour's, or what the time since `started` (at least ten minutes) makes of it. */
int64_t burn_per_hour(const struct burn *b, mono_t started, mono_t now);

/* What a finished request cost. Refused or failed before it did any work: 0. Work of which nothing was told: -1, unless
 * the model is free. A request without a model (lists, files) costs nothing. */
int64_t record_cost(const struct record *r, const struct price *p);

#endif
