/* The last METER_RECENT finished requests, and the times to first byte of the last 500 that had one. Owner: the
 * control thread. */
#ifndef SFPROXY_METER_RECENT_H
#define SFPROXY_METER_RECENT_H

#include "meter/record.h"

struct recent;

struct recent *recent_new(void);
void recent_free(struct recent *l);
void recent_add(struct recent *l, const struct record *r); /* copies */
/* Newest first; the pointers are good until the next recent_add(). */
size_t recent_list(const struct recent *l, const struct record **out, size_t room);
void recent_ttft(const struct recent *l, int64_t *p50_ms, int64_t *p95_ms); /* -1: none yet */

#endif
