/* How many requests each client has running, over all workers: the counts behind limits.max_requests_per_client. A
 * client is in the table only while it has a request, so the table is bounded by the connections. Any thread. */
#ifndef SFPROXY_PROXY_CLIENTS_H
#define SFPROXY_PROXY_CLIENTS_H

#include "base/lock.h"
#include "base/map.h"

struct client_counts {
    struct lock lock;
    struct map running; /* name -> number, as a pointer */
};

void client_counts_init(struct client_counts *c);
void client_counts_destroy(struct client_counts *c);
/* Counts one more request of the client; false, and nothing is counted, when it has `limit` already. */
bool client_counts_enter(struct client_counts *c, const char *name, size_t limit);
void client_counts_leave(struct client_counts *c, const char *name); /* once per enter that was true */

#endif
