/* GET admin/api/events: server-sent events for live pages. One picture a second at most is written, once, on the
 * control thread, and shared by all viewers; each worker passes it on to the viewers it has.
 *
 * A viewer gets `event: snap` (everything) first, then `event: d` (what changed). One that has not taken the last
 * picture yet misses the next ones and gets a whole one afterwards; one that takes nothing for limits.write_timeout is
 * dropped by the server. At most EVENTS_VIEWERS at once. When sfproxy drains the streams end. */
#ifndef SFPROXY_ADMIN_EVENTS_H
#define SFPROXY_ADMIN_EVENTS_H

#include "control/command.h"
#include "proxy/local.h"

enum { EVENTS_VIEWERS = 16 };

struct events;

struct events *events_new(struct control *control);
void events_free(struct events *e); /* after the workers have ended */
/* Worker's thread: answers with a stream, or 503 when there are too many. */
void events_open(struct events *e, struct local_call *lc);

#endif
