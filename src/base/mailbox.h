/* Messages between threads: many writers, one reader. The reader's owner gives a wake function (an eventfd write, a
 * loop wake-up); it is called at most once per batch. A message embeds struct mail; ownership goes to the reader. */
#ifndef SFPROXY_BASE_MAILBOX_H
#define SFPROXY_BASE_MAILBOX_H

#include <stdatomic.h>

#include "base/lock.h"

struct mail {
    struct mail *next;
    void (*deliver)(void *reader, struct mail *m); /* runs on the reader's thread; frees the message */
};

struct mailbox {
    struct lock lock;
    struct mail *first, *last; /* [lock] */
    bool closed;               /* [lock] */
    void (*wake)(void *arg);
    void *arg;
};

void mailbox_init(struct mailbox *b, void (*wake)(void *), void *arg);
/* Any thread. False when the mailbox is closed: the caller keeps the message. */
bool mailbox_post(struct mailbox *b, struct mail *m) MUST_CHECK;
/* Reader: delivers everything posted so far, in order. Returns how many. */
size_t mailbox_drain(struct mailbox *b, void *reader);
/* Reader: refuses further posts, then delivers the rest. */
void mailbox_close(struct mailbox *b, void *reader);
void mailbox_destroy(struct mailbox *b);

#endif
