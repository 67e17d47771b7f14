/* One thread's event loop: descriptors, timers, end-of-turn tasks, a mailbox. On libevent's core, which nothing above
 * this header sees. All functions: the loop's own thread, except loop_wake(), loop_post() and loop_stop().
 *
 * A turn: wait, run the callbacks of everything that is ready, then the tasks deferred meanwhile (also those deferred
 * by tasks), then wait again. Nothing is freed while a callback of the same turn may still hold it: free in a task. */
#ifndef SFPROXY_NET_LOOP_H
#define SFPROXY_NET_LOOP_H

#include "base/clock.h"
#include "base/mailbox.h"

struct loop;
struct loop_io;

enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_CLOSED = 4 /* the peer shut down its side */, LOOP_EDGE = 8 };

struct loop *loop_new(void *mail_reader /* what deliver() gets */); /* NULL: no descriptors left */
void loop_free(struct loop *l); /* close the mailbox and free watches and timers first; NULL is fine */
void loop_run(struct loop *l);  /* until loop_stop() */
void loop_stop(struct loop *l); /* any thread: ends loop_run() after the current turn */
void loop_wake(struct loop *l); /* any thread */
/* Any thread. False after the loop was closed: the caller keeps the message. */
bool loop_post(struct loop *l, struct mail *m) MUST_CHECK;
void loop_close_mailbox(struct loop *l); /* delivers what is there, refuses the rest */
mono_t loop_now(const struct loop *l);   /* read once per turn */

/* Runs what is still deferred, after loop_run() has ended and before what the tasks belong to is freed. */
void loop_run_tasks(struct loop *l);

typedef void loop_io_fn(void *arg, unsigned events);
/* NULL: the kernel refused (out of memory or watches). Watches fd; `events` with LOOP_EDGE: edge-triggered, registered
 * once and not removed before loop_io_free(). */
struct loop_io *loop_io_new(struct loop *l, int fd, unsigned events, loop_io_fn *fn, void *arg);
/* Changes a level-triggered watch; 0 = none for now. */
void loop_io_set(struct loop_io *io, unsigned events);
void loop_io_free(struct loop_io *io); /* call before closing the fd; no callback after it; NULL is fine */

struct loop_timer {
    struct loop *loop;
    void *event;
    void (*fn)(void *arg);
    void *arg;
    bool armed;
};
void loop_timer_init(struct loop_timer *t, struct loop *l, void (*fn)(void *), void *arg);
void loop_timer_start(struct loop_timer *t, int64_t ms); /* one shot; replaces a running one */
void loop_timer_stop(struct loop_timer *t);
void loop_timer_destroy(struct loop_timer *t); /* safe on a zeroed one */

struct loop_task {
    struct loop_task *next;
    void (*fn)(void *arg);
    void *arg;
    bool queued;
};
/* Runs fn(arg) once at the end of this turn; a task already queued stays queued once. */
void loop_defer(struct loop *l, struct loop_task *t, void (*fn)(void *), void *arg);
/* Like loop_defer(), but at the end of the next turn, which does not wait: gives way to others between two portions of
 * a long piece of work. */
void loop_defer_next(struct loop *l, struct loop_task *t, void (*fn)(void *), void *arg);
/* Takes a task off whatever list it is on; nothing when it is on none. */
void loop_task_cancel(struct loop *l, struct loop_task *t);

#endif
