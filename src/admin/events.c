/* Threads: events_open(), a viewer's end and the passing on run on the viewer's worker; the picture is made on control.
 * A stage is one worker's share: its list of viewers is touched by that worker only, its mail by whoever holds the
 * lock. Pictures are immutable and counted. The watch on the control thread exists while there are viewers: the first
 * one starts it, the picture-maker ends it when it finds nobody. */
#include "admin/events.h"

#include "admin/live.h"
#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/mem.h"
#include "net/loop.h"

enum { EVERY_MS = 1000, STAGES_MAX = 64, PICTURE_CAP = 8 * 1024 * 1024 };

struct picture {
    atomic_uint refs;
    uint64_t seq, prev;
    bool last; /* sfproxy drains */
    struct buf full, change;
};

struct stage {
    struct events *events;
    struct loop *loop;
    struct list viewers; /* its worker's */
    struct mail mail;
    bool mail_out;           /* [lock] */
    struct picture *picture; /* [lock] the newest that was not taken yet */
};

struct viewer {
    struct list node;
    struct events *events;
    struct local_call *lc; /* held */
    uint64_t seq;          /* of the picture it has; 0 none */
};

struct events {
    struct control *control;
    struct lock lock;
    struct stage *stages[STAGES_MAX]; /* [lock] */
    size_t stage_count;               /* [lock] */
    unsigned viewers;                 /* [lock] */
    bool watching;                    /* [lock] */
    int watch;                        /* [lock] -1: not known yet */
    struct live *live;                /* control's */
    mono_t made;                      /* control's */
};

struct events *events_new(struct control *control)
{
    struct events *e = xcalloc(1, sizeof *e);
    e->control = control;
    e->watch = -1;
    e->live = live_new();
    lock_init(&e->lock, "events");
    return e;
}

static void picture_put(struct picture *p)
{
    if (!p || atomic_fetch_sub(&p->refs, 1) != 1) return;
    buf_free(&p->full);
    buf_free(&p->change);
    free(p);
}

void events_free(struct events *e)
{
    if (!e) return;
    for (size_t i = 0; i < e->stage_count; i++) {
        WARN_BUG(!list_empty(&e->stages[i]->viewers));
        picture_put(e->stages[i]->picture);
        free(e->stages[i]);
    }
    live_free(e->live);
    lock_destroy(&e->lock);
    free(e);
}

/* ---- control: one picture for everybody ---- */

static void wrap(struct buf *out, const char *event, const struct picture *p, const struct buf *json)
{
    buf_printf(out, "event: %s\nid: %llu\ndata: ", event, (unsigned long long)p->seq);
    buf_add_str(out, buf_str(json));
    buf_puts(out, "\n\n");
}

static struct picture *picture_new(struct events *e, const struct snapshot *s)
{
    struct picture *p = xcalloc(1, sizeof *p);
    struct buf full = BUF_INIT(PICTURE_CAP), change = BUF_INIT(PICTURE_CAP);
    atomic_init(&p->refs, 1);
    p->seq = s->seq;
    p->prev = live_seq(e->live);
    p->last = s->draining;
    buf_init(&p->full, PICTURE_CAP + 256);
    buf_init(&p->change, PICTURE_CAP + 256);
    live_next(e->live, s, &full, &change);
    wrap(&p->full, "snap", p, &full);
    wrap(&p->change, "d", p, &change);
    if (full.failed || change.failed) p->seq = 0; /* nobody gets a cut one */
    buf_free(&full);
    buf_free(&change);
    return p;
}

static void deliver(void *reader, struct mail *m);

static void hand_out(struct events *e, struct picture *p)
{
    struct stage *to[STAGES_MAX];
    size_t count = 0;
    struct picture *old[STAGES_MAX];
    size_t old_count = 0;
    lock_get(&e->lock);
    for (size_t i = 0; i < e->stage_count; i++) {
        struct stage *st = e->stages[i];
        if (st->picture) old[old_count++] = st->picture;
        atomic_fetch_add(&p->refs, 1);
        st->picture = p;
        if (!st->mail_out) to[count++] = st;
        st->mail_out = true;
    }
    lock_put(&e->lock);
    for (size_t i = 0; i < old_count; i++) picture_put(old[i]);
    for (size_t i = 0; i < count; i++) {
        to[i]->mail.deliver = deliver;
        if (!loop_post(to[i]->loop, &to[i]->mail)) continue; /* its worker has ended, and with it its viewers */
    }
}

/* True: nobody looks any more; `watch` is to be given back. */
static bool stop_watching(struct events *e, int *watch)
{
    lock_get(&e->lock);
    bool stop = e->viewers == 0 && e->watch >= 0;
    *watch = e->watch;
    if (stop) {
        e->watching = false;
        e->watch = -1;
    }
    lock_put(&e->lock);
    return stop;
}

/* On the control thread, after each snapshot. */
static void on_snapshot(void *arg)
{
    struct events *e = arg;
    int watch;
    mono_t now = mono_now();
    if (stop_watching(e, &watch)) {
        control_unwatch(e->control, watch);
        return;
    }
    struct snapshot *s = control_snapshot(e->control);
    if (s && (s->draining || mono_since(now, e->made) >= EVERY_MS)) {
        e->made = now;
        struct picture *p = picture_new(e, s);
        if (p->seq) hand_out(e, p);
        picture_put(p);
    }
    snapshot_put(s);
}

/* ---- the viewer's worker ---- */

static void viewer_free(struct viewer *v)
{
    struct events *e = v->events;
    list_remove(&v->node);
    lock_get(&e->lock);
    e->viewers--;
    lock_put(&e->lock);
    local_release(v->lc);
    free(v);
}

static void on_gone(void *arg)
{
    viewer_free(arg);
}

static void show(struct viewer *v, const struct picture *p)
{
    if (local_queued(v->lc)) return; /* the last one is still on its way */
    bool follows = v->seq && v->seq == p->prev;
    local_write(v->lc, buf_str(follows ? &p->change : &p->full));
    v->seq = p->seq;
}

static void deliver(void *reader, struct mail *m)
{
    (void)reader;
    struct stage *st = CONTAINER_OF(m, struct stage, mail);
    lock_get(&st->events->lock);
    struct picture *p = st->picture;
    st->picture = NULL;
    st->mail_out = false;
    lock_put(&st->events->lock);
    LIST_FOR_SAFE(it, &st->viewers)
    {
        struct viewer *v = LIST_ENTRY(it, struct viewer, node);
        if (p) show(v, p);
        if (!p || !p->last) continue;
        local_end(v->lc);
        viewer_free(v);
    }
    picture_put(p);
}

/* The worker's stage, made at its first viewer; NULL: too many viewers or workers. Counts the viewer. */
static struct stage *take_place(struct events *e, struct loop *loop, bool *start)
{
    struct stage *fresh = xcalloc(1, sizeof *fresh), *found = NULL;
    *fresh = (struct stage){.events = e, .loop = loop};
    list_init(&fresh->viewers);
    lock_get(&e->lock);
    for (size_t i = 0; i < e->stage_count && !found; i++)
        if (e->stages[i]->loop == loop) found = e->stages[i];
    if (!found && e->stage_count < STAGES_MAX) {
        found = e->stages[e->stage_count++] = fresh;
        fresh = NULL;
    }
    if (e->viewers >= EVENTS_VIEWERS) found = NULL;
    *start = found && !e->watching;
    if (found) {
        e->viewers++;
        e->watching = true;
    }
    lock_put(&e->lock);
    free(fresh);
    return found;
}

static void start_watching(struct events *e)
{
    int watch = control_watch(e->control, on_snapshot, e);
    lock_get(&e->lock);
    e->watch = watch;
    if (watch < 0) e->watching = false; /* the next viewer tries again */
    lock_put(&e->lock);
}

void events_open(struct events *e, struct local_call *lc)
{
    bool start;
    if (local_head(lc)->is_head) {
        local_reply(lc, 200, STR("Content-Type: text/event-stream\r\nCache-Control: no-store\r\n"), STR(""));
        return;
    }
    struct stage *st = take_place(e, local_loop(lc), &start);
    if (!st) {
        local_reply_error_with(lc, 503, "too_many_viewers", "as many pages are open as may be; this one asks again",
                               STR("Retry-After: 5\r\n"));
        return;
    }
    struct viewer *v = xcalloc(1, sizeof *v);
    v->events = e;
    v->lc = local_hold(lc);
    list_append(&st->viewers, &v->node);
    local_start(lc,
                STR("Content-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n"
                    "X-Content-Type-Options: nosniff\r\n"),
                on_gone, v);
    local_write(lc, STR("retry: 3000\n\n"));
    if (start) start_watching(e);
}
