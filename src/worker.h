/* A worker thread: an event loop with its share of the proxy. Everything reaches it by mail. */
#ifndef SFPROXY_WORKER_H
#define SFPROXY_WORKER_H

#include "proxy/proxy.h"

struct worker;

/* Main thread. Takes one reference of conf. NULL: no descriptors or no thread, see errno. */
struct worker *worker_new(unsigned id, struct proxy_shared *shared, struct conf *conf);
/* Any thread: runs fn(proxy, arg) on the worker's thread. False: the worker is stopping and fn will not run. */
bool worker_call(struct worker *w, void (*fn)(struct proxy *p, void *arg), void *arg);
/* Any thread: hands a connection over; the descriptor is closed when the worker is stopping. */
void worker_adopt(struct worker *w, int fd, const char *peer, bool is_local);
/* Any thread. Connections handed over but not yet adopted count too. */
unsigned worker_connections(const struct worker *w);
unsigned worker_idle_connections(const struct worker *w); /* those of them without a request */
unsigned worker_in_flight(const struct worker *w);
struct ring *worker_records(struct worker *w); /* consumer: the control thread */
void worker_stop(struct worker *w);            /* any thread: ends its loop */
void worker_join(struct worker *w);            /* after worker_stop(); what it held is settled, records stay readable */
bool worker_take_overflow(struct worker *w, struct record *out); /* after worker_join() */
void worker_free(struct worker *w);                              /* after the records were read */

#endif
