/* The event loop: order of tasks, timers, wake-ups from another thread, edge and level watches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "net/loop.h"

static struct loop *loop;
static char trace[64];

static void mark(char c)
{
    size_t n = strlen(trace);
    assert_true(n + 1 < sizeof trace);
    trace[n] = c;
    trace[n + 1] = '\0';
}

static void turn(void)
{
    loop_stop(loop);
    loop_run(loop);
}

/* Turns until the trace is as long as `want`, 5 s at most. */
static void turn_until(const char *want)
{
    mono_t end = mono_add(mono_now(), 5000);
    while (strlen(trace) < strlen(want) && mono_now().ms < end.ms) turn();
    assert_string_equal(trace, want);
}

static int setup(void **state)
{
    (void)state;
    trace[0] = '\0';
    loop = loop_new(trace);
    return loop ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    loop_close_mailbox(loop);
    loop_free(loop);
    return 0;
}

struct named {
    struct loop_task task;
    char name;
    struct named *then, *later;
};

static void run_named(void *arg)
{
    struct named *t = arg;
    mark(t->name);
    if (t->then) loop_defer(loop, &t->then->task, run_named, t->then);
    if (t->later) loop_defer_next(loop, &t->later->task, run_named, t->later);
}

static void tasks_run_once_in_order(void **state)
{
    (void)state;
    struct named c = {.name = 'c'}, d = {.name = 'd'}, b = {.name = 'b', .then = &c}, a = {.name = 'a', .later = &d};
    loop_defer(loop, &a.task, run_named, &a);
    loop_defer(loop, &b.task, run_named, &b);
    loop_defer(loop, &a.task, run_named, &a);
    turn();
    assert_string_equal(trace, "abcd"); /* d: a turn later than a, which the turn before the first wait allows */
    assert_false(a.task.queued);
}

static void next_turn_gives_way(void **state)
{
    (void)state;
    struct named x = {.name = 'x'}, a = {.name = 'a', .later = &x};
    turn();
    loop_defer_next(loop, &a.task, run_named, &a);
    turn();
    assert_string_equal(trace, "a");
    turn();
    assert_string_equal(trace, "ax");
}

static void stop_now(void *arg)
{
    (void)arg;
    mark('s');
    loop_stop(loop);
}

static void put_off(void *arg)
{
    static struct loop_task stop;
    (void)arg;
    mark('p');
    loop_defer_next(loop, &stop, stop_now, NULL);
}

/* Nothing else would end the wait: without the rule this runs into the alarm. */
static void next_turn_does_not_wait(void **state)
{
    (void)state;
    struct loop_timer t;
    loop_timer_init(&t, loop, put_off, NULL);
    loop_timer_start(&t, 1);
    alarm(10);
    loop_run(loop);
    alarm(0);
    assert_string_equal(trace, "ps");
    loop_timer_destroy(&t);
}

static void cancelled_tasks_do_not_run(void **state)
{
    (void)state;
    struct named t[] = {{.name = 'a'}, {.name = 'b'}, {.name = 'c'}, {.name = 'd'}};
    for (size_t i = 0; i < 3; i++) loop_defer(loop, &t[i].task, run_named, &t[i]);
    loop_defer_next(loop, &t[3].task, run_named, &t[3]);
    loop_task_cancel(loop, &t[2].task);
    loop_task_cancel(loop, &t[0].task);
    loop_task_cancel(loop, &t[3].task);
    loop_defer(loop, &t[0].task, run_named, &t[0]);
    turn();
    assert_string_equal(trace, "ba");
}

static void timer_a(void *arg)
{
    (void)arg;
    mark('a');
}

static void timer_b(void *arg)
{
    mark('b');
    loop_timer_start(arg, 1);
}

static void timers_fire_in_order_and_once(void **state)
{
    (void)state;
    struct loop_timer a, b, never;
    loop_timer_init(&a, loop, timer_a, NULL);
    loop_timer_init(&b, loop, timer_b, &b);
    loop_timer_init(&never, loop, timer_a, NULL);
    loop_timer_start(&never, 1);
    loop_timer_stop(&never);
    loop_timer_start(&a, 60000);
    loop_timer_start(&a, 5); /* replaced */
    turn_until("a");
    assert_false(a.armed);
    loop_timer_start(&b, 1);
    turn_until("abbb");
    loop_timer_destroy(&a);
    loop_timer_destroy(&b);
    loop_timer_destroy(&never);
}

struct letter {
    struct mail mail;
    char name;
};

static void deliver(void *reader, struct mail *m)
{
    assert_ptr_equal(reader, trace);
    struct letter *l = CONTAINER_OF(m, struct letter, mail);
    mark(l->name);
    free(l);
}

static struct letter *letter(char name)
{
    struct letter *l = xcalloc(1, sizeof *l);
    l->mail.deliver = deliver;
    l->name = name;
    return l;
}

static void *post_some(void *arg)
{
    (void)arg;
    for (char c = '0'; c <= '9'; c++)
        if (!loop_post(loop, &letter(c)->mail)) abort();
    loop_stop(loop);
    return NULL;
}

static void mail_from_another_thread(void **state)
{
    (void)state;
    pthread_t t;
    pthread_create(&t, NULL, post_some, NULL);
    loop_run(loop); /* woken by the thread, ended by its stop */
    pthread_join(t, NULL);
    assert_string_equal(trace, "0123456789");
}

static void closed_mailbox_delivers_then_refuses(void **state)
{
    (void)state;
    struct letter *last = letter('z');
    assert_true(loop_post(loop, &letter('a')->mail));
    loop_close_mailbox(loop);
    assert_string_equal(trace, "a");
    assert_false(loop_post(loop, &last->mail));
    free(last);
}

struct watch {
    int fds[2];
    struct loop_io *io;
    unsigned seen;
    int calls;
    bool free_in_callback;
};

static void on_watch(void *arg, unsigned events)
{
    struct watch *w = arg;
    w->seen |= events;
    w->calls++;
    if (w->free_in_callback) {
        loop_io_free(w->io);
        w->io = NULL;
    }
}

static void watch_open(struct watch *w, unsigned events)
{
    *w = (struct watch){.io = NULL};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, w->fds), 0);
    w->io = loop_io_new(loop, w->fds[0], events, on_watch, w);
    assert_non_null(w->io);
}

static void watch_close(struct watch *w)
{
    loop_io_free(w->io);
    close(w->fds[0]);
    if (w->fds[1] >= 0) close(w->fds[1]);
}

static void level_watch_repeats_and_changes(void **state)
{
    (void)state;
    struct watch w;
    watch_open(&w, LOOP_READ);
    assert_true(fd_write_all(w.fds[1], "x", 1));
    turn();
    turn();
    assert_int_equal(w.calls, 2);
    assert_int_equal(w.seen, LOOP_READ);
    loop_io_set(w.io, 0);
    turn();
    assert_int_equal(w.calls, 2);
    w.seen = 0;
    loop_io_set(w.io, LOOP_WRITE);
    turn();
    assert_int_equal(w.seen, LOOP_WRITE);
    loop_io_set(w.io, LOOP_READ | LOOP_WRITE);
    turn();
    assert_int_equal(w.seen, LOOP_READ | LOOP_WRITE);
    w.free_in_callback = true;
    w.calls = 0;
    turn();
    assert_int_equal(w.calls, 1); /* both were ready: no callback after loop_io_free() */
    watch_close(&w);
}

static void edge_watch_tells_once(void **state)
{
    (void)state;
    struct watch w;
    watch_open(&w, LOOP_READ | LOOP_WRITE | LOOP_CLOSED | LOOP_EDGE);
    turn();
    assert_int_equal(w.seen, LOOP_WRITE);
    turn();
    assert_int_equal(w.calls, 1);
    assert_true(fd_write_all(w.fds[1], "unread", 6));
    turn();
    assert_true(w.seen & LOOP_READ);
    assert_false(w.seen & LOOP_CLOSED);
    shutdown(w.fds[1], SHUT_WR);
    turn();
    assert_true(w.seen & LOOP_CLOSED); /* although data is still unread */
    int calls = w.calls;
    turn();
    assert_int_equal(w.calls, calls);
    watch_close(&w);
}

static void time_stands_still_within_a_turn(void **state)
{
    (void)state;
    mono_t first = loop_now(loop);
    usleep(3000);
    assert_int_equal(loop_now(loop).ms, first.ms);
    turn();
    assert_true(loop_now(loop).ms > first.ms);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(tasks_run_once_in_order),
        T(next_turn_gives_way),
        T(next_turn_does_not_wait),
        T(cancelled_tasks_do_not_run),
        T(timers_fire_in_order_and_once),
        T(mail_from_another_thread),
        T(closed_mailbox_delivers_then_refuses),
        T(level_watch_repeats_and_changes),
        T(edge_watch_tells_once),
        T(time_stands_still_within_a_turn),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
