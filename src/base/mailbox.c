#include "base/mailbox.h"

void mailbox_init(struct mailbox *b, void (*wake)(void *), void *arg)
{
    lock_init(&b->lock, "mailbox");
    b->first = b->last = NULL;
    b->closed = false;
    b->wake = wake;
    b->arg = arg;
}

bool mailbox_post(struct mailbox *b, struct mail *m)
{
    m->next = NULL;
    lock_get(&b->lock);
    bool open = !b->closed, was_empty = b->first == NULL;
    if (open) {
        if (was_empty)
            b->first = m;
        else
            b->last->next = m;
        b->last = m;
    }
    lock_put(&b->lock);
    if (open && was_empty && b->wake) b->wake(b->arg);
    return open;
}

static size_t deliver_all(struct mailbox *b, void *reader, bool close)
{
    lock_get(&b->lock);
    struct mail *m = b->first;
    b->first = b->last = NULL;
    if (close) b->closed = true;
    lock_put(&b->lock);
    size_t n = 0;
    while (m) {
        struct mail *next = m->next;
        m->deliver(reader, m);
        m = next;
        n++;
    }
    return n;
}

size_t mailbox_drain(struct mailbox *b, void *reader)
{
    return deliver_all(b, reader, false);
}

void mailbox_close(struct mailbox *b, void *reader)
{
    deliver_all(b, reader, true);
}

void mailbox_destroy(struct mailbox *b)
{
    lock_destroy(&b->lock);
}
