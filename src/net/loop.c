/* The event loop of one thread, on libevent's core; the only file that sees libevent.
 *
 *   turn:  event_base_loop(EVLOOP_ONCE)   waits, runs the callbacks of ready descriptors and due timers
 *          run_tasks()                    what they deferred, until nothing is deferred any more
 *
 * Owner: the thread that calls loop_run(). The base is made without locks; other threads reach the loop only through
 * an eventfd: a mailbox post, a wake-up and a stop all end up as one write to it.
 * Tasks are two lists of nodes owned by the callers: `now` for the end of this turn, `next` for the end of the next
 * one, which then does not wait. A task is on at most one of them (`queued`). Clock: the time is read at the first
 * loop_now() of a turn and kept, so that one turn sees one time. */
#include "net/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/check.h"
#include "base/mem.h"

struct task_list {
    struct loop_task *first, *last;
};

struct loop {
    struct event_base *base;
    struct event *wake_event;
    int wake_fd;
    atomic_bool stop;
    struct mailbox box;
    void *mail_reader;
    mono_t now;
    bool now_known; /* `now` was read in this turn */
    struct task_list tasks, next;
};

/* An edge-triggered watch is one event for everything. A level-triggered one is two, so that adding or dropping the
 * wish to write is one epoll_ctl(MOD) and not a DEL and an ADD. */
struct loop_io {
    loop_io_fn *fn;
    void *arg;
    struct loop *loop;
    int fd;
    unsigned events;   /* armed now */
    struct event ev[]; /* [0] all or all but writing, [1] writing */
};

/* ---- wake-ups from other threads ---- */

void loop_wake(struct loop *l)
{
    uint64_t one = 1;
    while (write(l->wake_fd, &one, sizeof one) < 0 && errno == EINTR) continue;
}

static void wake_from_mailbox(void *arg)
{
    loop_wake(arg);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct loop *l = arg;
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof count);
    (void)n; /* the mailbox is looked at in any case */
    mailbox_drain(&l->box, l->mail_reader);
}

bool loop_post(struct loop *l, struct mail *m)
{
    return mailbox_post(&l->box, m);
}

void loop_close_mailbox(struct loop *l)
{
    mailbox_close(&l->box, l->mail_reader);
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stop, true);
    loop_wake(l);
}

/* ---- birth and death ---- */

static struct event_base *base_new(void)
{
    struct event_config *cfg = event_config_new();
    if (!cfg) return NULL;
    event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
    event_config_require_features(cfg, EV_FEATURE_ET | EV_FEATURE_O1 | EV_FEATURE_EARLY_CLOSE);
    struct event_base *base = event_base_new_with_config(cfg);
    event_config_free(cfg);
    return base;
}

struct loop *loop_new(void *mail_reader)
{
    struct loop *l = xcalloc(1, sizeof *l);
    l->mail_reader = mail_reader;
    mailbox_init(&l->box, wake_from_mailbox, l);
    l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (l->wake_fd >= 0) l->base = base_new();
    if (l->base) l->wake_event = event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST, on_wake, l);
    if (!l->wake_event || event_add(l->wake_event, NULL) != 0) {
        loop_free(l);
        return NULL;
    }
    return l;
}

void loop_free(struct loop *l)
{
    if (!l) return;
    if (l->wake_event) event_free(l->wake_event);
    if (l->base) event_base_free(l->base);
    if (l->wake_fd >= 0) close(l->wake_fd);
    mailbox_destroy(&l->box);
    free(l);
}

mono_t loop_now(const struct loop *l)
{
    struct loop *own = (struct loop *)l; /* the cached time is no part of what const promises */
    if (!own->now_known) {
        own->now = mono_now();
        own->now_known = true;
    }
    return own->now;
}

/* ---- tasks ---- */

static void list_push(struct task_list *list, struct loop_task *t)
{
    t->next = NULL;
    if (list->first)
        list->last->next = t;
    else
        list->first = t;
    list->last = t;
}

static void queue_task(struct task_list *list, struct loop_task *t, void (*fn)(void *), void *arg)
{
    if (t->queued) return;
    t->queued = true;
    t->fn = fn;
    t->arg = arg;
    list_push(list, t);
}

void loop_defer(struct loop *l, struct loop_task *t, void (*fn)(void *), void *arg)
{
    queue_task(&l->tasks, t, fn, arg);
}

void loop_defer_next(struct loop *l, struct loop_task *t, void (*fn)(void *), void *arg)
{
    queue_task(&l->next, t, fn, arg);
}

static bool list_take(struct task_list *list, struct loop_task *t)
{
    struct loop_task *before = NULL;
    for (struct loop_task *it = list->first; it; before = it, it = it->next) {
        if (it != t) continue;
        if (before)
            before->next = it->next;
        else
            list->first = it->next;
        if (list->last == it) list->last = before;
        return true;
    }
    return false;
}

void loop_task_cancel(struct loop *l, struct loop_task *t)
{
    if (!t->queued) return;
    if (!list_take(&l->tasks, t)) list_take(&l->next, t);
    t->queued = false;
}

static void run_tasks(struct loop *l)
{
    struct loop_task *t;
    while ((t = l->tasks.first)) {
        l->tasks.first = t->next;
        t->queued = false;
        t->fn(t->arg); /* may free or queue t */
    }
}

/* What was put off joins the tasks of the turn that begins. True: there was something, so this turn does not wait. */
static bool promote_next(struct loop *l)
{
    if (!l->next.first) return false;
    if (l->tasks.first)
        l->tasks.last->next = l->next.first;
    else
        l->tasks.first = l->next.first;
    l->tasks.last = l->next.last;
    l->next.first = l->next.last = NULL;
    return true;
}

void loop_run_tasks(struct loop *l)
{
    do run_tasks(l);
    while (promote_next(l));
}

void loop_run(struct loop *l)
{
    run_tasks(l); /* deferred before the loop ran */
    do {
        bool more = promote_next(l);
        l->now_known = false;
        event_base_loop(l->base, more ? EVLOOP_NONBLOCK : EVLOOP_ONCE);
        run_tasks(l);
    } while (!atomic_exchange(&l->stop, false));
}

/* ---- descriptors ---- */

static const struct {
    unsigned ours;
    short theirs;
} event_bits[] = {{LOOP_READ, EV_READ}, {LOOP_WRITE, EV_WRITE}, {LOOP_CLOSED, EV_CLOSED}, {LOOP_EDGE, (short)EV_ET}};

static short to_libevent(unsigned events)
{
    short out = EV_PERSIST;
    for (size_t i = 0; i < ARRAY_LEN(event_bits); i++)
        if (events & event_bits[i].ours) out = (short)(out | event_bits[i].theirs);
    return out;
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct loop_io *io = arg;
    unsigned events = 0;
    for (size_t i = 0; i < 3; i++)
        if (what & event_bits[i].theirs) events |= event_bits[i].ours;
    io->fn(io->arg, events); /* may free io */
}

static bool arm(struct loop_io *io, struct event *ev, unsigned had, unsigned wanted)
{
    if (had == wanted) return true;
    if (had) event_del(ev);
    if (!wanted) return true;
    event_assign(ev, io->loop->base, io->fd, to_libevent(wanted), on_event, io);
    return event_add(ev, NULL) == 0;
}

static bool arm_all(struct loop_io *io, unsigned events)
{
    unsigned had = io->events;
    io->events = events;
    if ((had | events) & LOOP_EDGE) return arm(io, &io->ev[0], had, events);
    unsigned rest = ~(unsigned)LOOP_WRITE;
    bool ok = arm(io, &io->ev[0], had & rest, events & rest);
    return arm(io, &io->ev[1], had & LOOP_WRITE, events & LOOP_WRITE) && ok;
}

struct loop_io *loop_io_new(struct loop *l, int fd, unsigned events, loop_io_fn *fn, void *arg)
{
    size_t count = events & LOOP_EDGE ? 1 : 2;
    struct loop_io *io = xcalloc(1, sizeof *io + count * sizeof io->ev[0]);
    io->fn = fn;
    io->arg = arg;
    io->loop = l;
    io->fd = fd;
    if (!arm_all(io, events)) {
        loop_io_free(io);
        return NULL;
    }
    return io;
}

void loop_io_set(struct loop_io *io, unsigned events)
{
    if (WARN_BUG((io->events | events) & LOOP_EDGE)) return;
    arm_all(io, events);
}

void loop_io_free(struct loop_io *io)
{
    if (!io) return;
    arm_all(io, 0);
    free(io);
}

/* ---- timers ---- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct loop_timer *t = arg;
    t->armed = false;
    t->fn(t->arg);
}

void loop_timer_init(struct loop_timer *t, struct loop *l, void (*fn)(void *), void *arg)
{
    *t = (struct loop_timer){.loop = l, .fn = fn, .arg = arg};
}

void loop_timer_start(struct loop_timer *t, int64_t ms)
{
    if (!t->event) t->event = event_new(t->loop->base, -1, 0, on_timer, t);
    if (ms < 0) ms = 0;
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    /* It fails for want of memory only, and a timer that never fires would be a request that never ends. */
    if (!t->event || event_add(t->event, &tv) != 0) out_of_memory();
    t->armed = true;
}

void loop_timer_stop(struct loop_timer *t)
{
    if (!t->armed) return;
    event_del(t->event);
    t->armed = false;
}

void loop_timer_destroy(struct loop_timer *t)
{
    if (t->event) event_free(t->event);
    t->event = NULL;
    t->armed = false;
}
