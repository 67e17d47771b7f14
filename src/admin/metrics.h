/* Prometheus text (exposition format 0.0.4) of a snapshot. Names follow the Prometheus conventions: seconds, _total for
 * counters. Cardinality is bounded by what the meter keeps: 512 models, the keys of the pool (ids, never labels).
 * Counters begin at 0 when the process starts. Pure; any thread. */
#ifndef SFPROXY_ADMIN_METRICS_H
#define SFPROXY_ADMIN_METRICS_H

#include "control/snapshot.h"

void metrics_write(const struct snapshot *s, struct buf *out);

#endif
