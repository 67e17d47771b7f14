/* What comes to the UI thread from others: results of commands, "there is a new snapshot", stop and terminal signals.
 * Reference-counted, because a command may be answered after the screen is gone. */
#ifndef SFPROXY_UI_TUI_INBOX_H
#define SFPROXY_UI_TUI_INBOX_H

#include "control/command.h"

/* Answer to a command, copied out of it on the control thread. */
struct reply {
    struct mail mail;
    enum command_kind kind;
    char subject[64];
    uint64_t tag;
    struct command_result result; /* snapshot is always NULL */
};

enum { WAKE_FRESH = 1, WAKE_RESIZE = 2, WAKE_SUSPEND = 4, WAKE_CONTINUE = 8, WAKE_STOP = 16 };

struct inbox;

/* One reference. `deliver` runs on the UI thread, inside inbox_drain(), and does not free the reply. */
struct inbox *inbox_new(void (*deliver)(void *reader, const struct reply *r));
void inbox_put(struct inbox *b); /* any thread */
int inbox_fd(const struct inbox *b);
void inbox_wake(struct inbox *b, unsigned bits); /* any thread, never blocks */
void inbox_wake_fresh(void *arg);                /* for control_watch() */
/* UI thread: clears the wake-up, returns the bits raised since, delivers replies. */
unsigned inbox_drain(struct inbox *b, void *reader);
bool inbox_stopping(const struct inbox *b); /* WAKE_STOP was raised; stays true */
/* UI thread: no more replies are wanted. */
void inbox_close(struct inbox *b, void *reader);
/* Makes `c` answer into this inbox (takes a reference until it is answered). */
void inbox_attach(struct inbox *b, struct command *c);
void inbox_detach(struct inbox *b, struct command *c); /* the command was not accepted */

#endif
