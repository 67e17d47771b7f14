/* How often a duration fell into which range: fixed bounds that suit answers of language models, from an error of a few
 * milliseconds to a stream of ten minutes. Counts since start. Pure; owner: the control thread. */
#ifndef SFPROXY_METER_HISTOGRAM_H
#define SFPROXY_METER_HISTOGRAM_H

#include "base/base.h"

enum { HISTOGRAM_BOUNDS = 15 };
extern const int64_t histogram_bounds_ms[HISTOGRAM_BOUNDS]; /* rising; a value belongs to the first bound >= it */

struct histogram {
    uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* not cumulative; the last: beyond all bounds */
    uint64_t total, sum_ms;
};

void histogram_add(struct histogram *h, int64_t ms); /* negative counts as 0 */

#endif
