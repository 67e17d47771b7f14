/* The stream of a live page: what changed from one snapshot to the next, as JSON. Rows are compact and hold points in
 * time instead of ages, so that a row only changes when something happened. Pure apart from the state it keeps; one
 * thread at a time (control).
 *
 * {"seq":N,"prev":M,"head":{...},"totals":{...},"series":{...},
 *  "keys":[row...],"models":[row...],"requests":[row...],     rows that are new or changed; in full: all
 *  "gone":{"keys":[id...],"models":[...],"requests":[...]},
 *  "order":[key id...]                                        present when the list of keys changed
 *  "log":[...]}                                               new lines, warnings and errors only */
#ifndef SFPROXY_ADMIN_LIVE_H
#define SFPROXY_ADMIN_LIVE_H

#include "control/snapshot.h"

enum { LIVE_RUNNING = 40, LIVE_REQUESTS = 60, LIVE_LOG = 50 };

struct live;

struct live *live_new(void);
void live_free(struct live *l);
/* Takes the next snapshot: `full` gets everything, `change` what is different from the one before (for viewers that
 * have that one). */
void live_next(struct live *l, const struct snapshot *s, struct buf *full, struct buf *change);

uint64_t live_seq(const struct live *l); /* of the snapshot taken last; 0 none */

#endif
