#include "ui/tui/inbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

struct inbox {
    atomic_uint refs;
    struct mailbox box;
    int fd; /* eventfd, not blocking */
    atomic_uint bits;
    atomic_bool stopping;
    void (*deliver)(void *reader, const struct reply *r);
};

/* The one inbox a reply belongs to is needed when it is delivered. */
struct letter {
    struct reply reply;
    struct inbox *inbox;
};

static void wake(void *arg)
{
    struct inbox *b = arg;
    uint64_t one = 1;
    ssize_t n = write(b->fd, &one, sizeof one);
    (void)n; /* full means that a wake-up is already pending */
}

struct inbox *inbox_new(void (*deliver)(void *, const struct reply *))
{
    struct inbox *b = xcalloc(1, sizeof *b);
    atomic_init(&b->refs, 1);
    b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    b->deliver = deliver;
    mailbox_init(&b->box, wake, b);
    return b;
}

void inbox_put(struct inbox *b)
{
    if (atomic_fetch_sub(&b->refs, 1) != 1) return;
    mailbox_destroy(&b->box);
    close(b->fd);
    free(b);
}

int inbox_fd(const struct inbox *b)
{
    return b->fd;
}

void inbox_wake(struct inbox *b, unsigned bits)
{
    if (bits & WAKE_STOP) atomic_store(&b->stopping, true);
    if (atomic_fetch_or(&b->bits, bits) == 0) wake(b);
}

void inbox_wake_fresh(void *arg)
{
    inbox_wake(arg, WAKE_FRESH);
}

bool inbox_stopping(const struct inbox *b)
{
    return atomic_load(&b->stopping);
}

unsigned inbox_drain(struct inbox *b, void *reader)
{
    uint64_t n;
    ssize_t got = read(b->fd, &n, sizeof n);
    (void)got;
    unsigned bits = atomic_exchange(&b->bits, 0);
    mailbox_drain(&b->box, reader);
    return bits;
}

void inbox_close(struct inbox *b, void *reader)
{
    mailbox_close(&b->box, reader);
}

static void deliver_letter(void *reader, struct mail *m)
{
    struct letter *l = CONTAINER_OF(m, struct letter, reply.mail);
    l->inbox->deliver(reader, &l->reply);
    free(l);
}

/* Control thread. */
static void answered(struct command *c, const struct command_result *r)
{
    struct inbox *b = c->arg;
    struct letter *l = xcalloc(1, sizeof *l);
    l->inbox = b;
    l->reply.mail.deliver = deliver_letter;
    l->reply.kind = c->kind;
    l->reply.tag = c->tag;
    str_copy(l->reply.subject, sizeof l->reply.subject, str_of(c->subject));
    l->reply.result = *r;
    l->reply.result.snapshot = NULL;
    snapshot_put(r->snapshot);
    if (!mailbox_post(&b->box, &l->reply.mail)) free(l);
    inbox_put(b);
}

void inbox_attach(struct inbox *b, struct command *c)
{
    atomic_fetch_add(&b->refs, 1);
    c->done = answered;
    c->arg = b;
}

void inbox_detach(struct inbox *b, struct command *c)
{
    c->done = NULL;
    c->arg = NULL;
    inbox_put(b);
}
