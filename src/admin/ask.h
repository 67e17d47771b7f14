/* One question of a route to the control thread. The worker sends a command; the control thread carries it out and
 * posts the result back; the worker answers its client, unless that has left. */
#ifndef SFPROXY_ADMIN_ASK_H
#define SFPROXY_ADMIN_ASK_H

#include "control/command.h"
#include "proxy/local.h"

/* Makes the answer, on the worker's thread; must end in one local_reply*(). The head and the body of the call may be
 * gone by now: take what is needed from `extra`. `r` and its snapshot live until it returns. */
typedef void ask_answer_fn(struct local_call *lc, const struct command_result *r, void *extra);

/* Takes `cmd` and `extra` over (`extra` is freed with free()). When the control thread is gone the answer is 503. */
void ask_control(struct control *c, struct local_call *lc, struct command *cmd, ask_answer_fn *answer, void *extra);

#endif
