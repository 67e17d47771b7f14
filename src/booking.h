/* Counting, on the control thread: what a worker reported goes to the meter and, when a request is over, to the ledger;
 * at start the meter gets back what the ledger knows of the last 24 hours and of today. */
#ifndef SFPROXY_BOOKING_H
#define SFPROXY_BOOKING_H

#include "engine.h"

/* One record: the only way into the meter and the ledger. Fills its cost; engine_pay() is due after a while. */
void booking_add(struct engine *g, struct record *r, mono_t now);
/* Main, before the listener is open. False: the database could not be read. */
bool booking_restore(struct engine *g, struct buf *why);

#endif
