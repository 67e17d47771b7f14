/* The control thread's switchboard: commands in, snapshots out. The engine gives it the two things it cannot know: how
 * a command is carried out and how a snapshot is made. Everything here that is not marked "any thread" in command.h
 * belongs to the control thread. */
#ifndef SFPROXY_CONTROL_CONTROL_H
#define SFPROXY_CONTROL_CONTROL_H

#include "control/command.h"
#include "net/loop.h"

struct control_ops {
    /* Carries it out and calls control_answer(), now or later, exactly once. */
    void (*command)(void *arg, struct command *cmd);
    /* Begins to gather a snapshot; control_publish() follows. Not called again before. */
    void (*gather)(void *arg);
    const char *(*setting)(void *arg, const char *name);
};

struct control *control_new(struct loop *l, const struct control_ops *ops, void *arg);
void control_free(struct control *c);
/* Something a watcher should see changed: a snapshot soon, at most 20 a second. */
void control_changed(struct control *c);
/* A new snapshot is ready; takes the reference over. Answers the SNAPSHOT commands that waited for it. */
void control_publish(struct control *c, struct snapshot *s);
/* Ends a command: runs its `done`, frees it. `fmt` is the sentence. */
void control_answer(struct command *cmd, int status, const char *fmt, ...) PRINTF(3, 4);
void control_answer_result(struct command *cmd, const struct command_result *r);
/* From now on every command is answered 503. */
void control_close(struct control *c);

#endif
