/* Snapshots are gathered on demand: four times a second while somebody watches, at once (but at most 20 a second) after
 * a change or when a command asks for a fresh one. One is gathered at a time.
 * The newest one stands behind a lock of its own, held for a pointer's copy. */
#include "control/control.h"

#include <stdarg.h>

#include "base/check.h"
#include "base/mem.h"

enum { WATCHERS_MAX = 32, EVERY_MS = 250, SOONEST_MS = 50 };

struct watcher {
    void (*notify)(void *arg); /* NULL: free */
    void *arg;
};

struct control {
    struct loop *loop;
    const struct control_ops *ops;
    void *arg;
    struct lock lock;
    struct snapshot *newest;               /* [lock] */
    struct watcher watchers[WATCHERS_MAX]; /* [lock] */
    struct loop_timer timer;
    mono_t gathered_at; /* when the last one began */
    bool gathering, again;
    struct mail *waiting, **waiting_end; /* SNAPSHOT commands */
    bool closed;
};

static void on_timer(void *arg);

struct control *control_new(struct loop *l, const struct control_ops *ops, void *arg)
{
    struct control *c = xcalloc(1, sizeof *c);
    c->loop = l;
    c->ops = ops;
    c->arg = arg;
    c->waiting_end = &c->waiting;
    lock_init(&c->lock, "snapshot");
    loop_timer_init(&c->timer, l, on_timer, c);
    return c;
}

void control_free(struct control *c)
{
    loop_timer_destroy(&c->timer);
    snapshot_put(c->newest);
    lock_destroy(&c->lock);
    free(c);
}

static void gather(struct control *c)
{
    c->gathering = true;
    c->again = false;
    c->gathered_at = loop_now(c->loop);
    c->ops->gather(c->arg);
}

static bool is_watched(struct control *c)
{
    bool any = false;
    lock_get(&c->lock);
    for (size_t i = 0; i < WATCHERS_MAX && !any; i++) any = c->watchers[i].notify != NULL;
    lock_put(&c->lock);
    return any;
}

static void soon(struct control *c)
{
    if (c->closed) return;
    if (c->gathering) {
        c->again = true;
        return;
    }
    int64_t wait = SOONEST_MS - mono_since(loop_now(c->loop), c->gathered_at);
    if (wait <= 0)
        gather(c);
    else
        loop_timer_start(&c->timer, wait);
}

static void on_timer(void *arg)
{
    struct control *c = arg;
    if (!c->gathering && !c->closed) gather(c);
}

void control_changed(struct control *c)
{
    if (is_watched(c)) soon(c);
}

static void answer_waiting(struct control *c, struct snapshot *s)
{
    struct mail *m = c->waiting;
    c->waiting = NULL;
    c->waiting_end = &c->waiting;
    while (m) {
        struct command *cmd = CONTAINER_OF(m, struct command, mail);
        m = m->next;
        struct command_result r = {.ok = s != NULL, .status = s ? 200 : 503, .snapshot = s ? snapshot_get(s) : NULL};
        control_answer_result(cmd, &r);
    }
}

void control_publish(struct control *c, struct snapshot *s)
{
    struct watcher watchers[WATCHERS_MAX];
    lock_get(&c->lock);
    struct snapshot *old = c->newest;
    c->newest = s;
    memcpy(watchers, c->watchers, sizeof watchers);
    lock_put(&c->lock);
    snapshot_put(old);
    c->gathering = false;
    answer_waiting(c, s);
    bool watched = false;
    for (size_t i = 0; i < WATCHERS_MAX; i++) {
        if (!watchers[i].notify) continue;
        watched = true;
        watchers[i].notify(watchers[i].arg);
    }
    if (c->again)
        soon(c);
    else if (watched && !c->closed)
        loop_timer_start(&c->timer, EVERY_MS);
}

struct snapshot *control_snapshot(struct control *c)
{
    lock_get(&c->lock);
    struct snapshot *s = c->newest ? snapshot_get(c->newest) : NULL;
    lock_put(&c->lock);
    return s;
}

struct nudge {
    struct mail mail;
    struct control *c;
};

static void on_nudge(void *reader, struct mail *m)
{
    (void)reader;
    struct nudge *n = CONTAINER_OF(m, struct nudge, mail);
    soon(n->c);
    free(n);
}

int control_watch(struct control *c, void (*notify)(void *arg), void *arg)
{
    int handle = -1;
    lock_get(&c->lock);
    for (int i = 0; i < WATCHERS_MAX && handle < 0; i++)
        if (!c->watchers[i].notify) handle = i;
    if (handle >= 0) c->watchers[handle] = (struct watcher){notify, arg};
    lock_put(&c->lock);
    struct nudge *n = xcalloc(1, sizeof *n);
    n->mail.deliver = on_nudge;
    n->c = c;
    if (handle < 0 || !loop_post(c->loop, &n->mail)) free(n);
    return handle;
}

void control_unwatch(struct control *c, int handle)
{
    if (handle < 0) return;
    lock_get(&c->lock);
    c->watchers[handle].notify = NULL;
    lock_put(&c->lock);
}

const char *control_setting(struct control *c, const char *name)
{
    return c->ops->setting(c->arg, name);
}

static void deliver(void *reader, struct mail *m)
{
    (void)reader;
    struct command *cmd = CONTAINER_OF(m, struct command, mail);
    struct control *c = cmd->control;
    if (c->closed) {
        control_answer(cmd, 503, "sfproxy is shutting down");
        return;
    }
    if (cmd->kind != CMD_SNAPSHOT) {
        c->ops->command(c->arg, cmd);
        return;
    }
    cmd->mail.next = NULL;
    *c->waiting_end = &cmd->mail;
    c->waiting_end = &cmd->mail.next;
    soon(c);
}

bool control_post(struct control *c, struct command *cmd)
{
    cmd->control = c;
    cmd->mail.deliver = deliver;
    return loop_post(c->loop, &cmd->mail);
}

/* Of a command that nobody waits for. */
static void free_result(const struct command_result *r)
{
    snapshot_put(r->snapshot);
    free(r->json);
}

void control_answer_result(struct command *cmd, const struct command_result *r)
{
    if (cmd->done)
        cmd->done(cmd, r);
    else
        free_result(r);
    command_free(cmd);
}

void control_answer(struct command *cmd, int status, const char *fmt, ...)
{
    struct command_result r = {.ok = status < 400, .status = status};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r.message, sizeof r.message, fmt, ap);
    va_end(ap);
    control_answer_result(cmd, &r);
}

void control_close(struct control *c)
{
    c->closed = true;
    loop_timer_stop(&c->timer);
    answer_waiting(c, NULL);
}
