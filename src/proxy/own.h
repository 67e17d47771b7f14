/* The client-facing routes we answer ourselves: the model list, health, readiness. A table for the dispatcher. */
#ifndef SFPROXY_PROXY_OWN_H
#define SFPROXY_PROXY_OWN_H

#include "proxy/proxy.h"

/* Static; its arg is the `shared` given here. Main thread, once. */
const struct local_table *own_table(struct proxy_shared *shared);

#endif
