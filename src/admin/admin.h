/* The routes for people and scripts who look after the proxy: the page at /, its login, and /admin/api. The engine
 * hands the table to the proxy. gate.h says who may enter over TCP; control.sock may everything. */
#ifndef SFPROXY_ADMIN_ADMIN_H
#define SFPROXY_ADMIN_ADMIN_H

#include "control/command.h"
#include "proxy/local.h"

struct admin;

/* `token`: for the page when the configuration has none; copied. `readonly`: everything that changes something is
 * refused with 403. Before the workers run. */
struct admin *admin_new(struct control *control, const char *token, bool readonly);
void admin_free(struct admin *a); /* after the workers have ended */
/* Lives as long as `a`; its handlers may run on all workers at once. */
const struct local_table *admin_table(struct admin *a);

#endif
