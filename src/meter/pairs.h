/* Own requests and tokens of each (key, model) pair in the last 60 s, made at first use, at most POOL_CELLS_MAX; what
 * does not fit is not counted here (only here). Owner: the control thread. */
#ifndef SFPROXY_METER_PAIRS_H
#define SFPROXY_METER_PAIRS_H

#include "base/clock.h"

struct pairs;

struct pairs *pairs_new(void);
void pairs_free(struct pairs *c);
void pairs_add(struct pairs *c, const char *key_id, const char *model, mono_t now, uint32_t requests, uint64_t tokens);
/* Zeros for a pair that is not known. */
void pairs_get(const struct pairs *c, const char *key_id, const char *model, mono_t now, uint64_t *requests,
               uint64_t *tokens);
size_t pairs_count(const struct pairs *c);

#endif
