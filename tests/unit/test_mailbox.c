/* Messages between threads, and the log's cleaning and levels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "base/log.h"
#include "base/mailbox.h"
#include "base/mem.h"

struct note {
    struct mail mail;
    int writer, number;
};

enum { WRITERS = 4, NOTES = 20000 };

struct reader {
    int last[WRITERS];
    size_t delivered, out_of_order;
};

static void deliver(void *arg, struct mail *m)
{
    struct reader *r = arg;
    struct note *n = CONTAINER_OF(m, struct note, mail);
    if (n->number != r->last[n->writer] + 1) r->out_of_order++;
    r->last[n->writer] = n->number;
    r->delivered++;
    free(n);
}

static struct note *note_new(int writer, int number)
{
    struct note *n = xcalloc(1, sizeof *n);
    *n = (struct note){.mail = {.deliver = deliver}, .writer = writer, .number = number};
    return n;
}

static void count_wakes(void *arg)
{
    ++*(int *)arg;
}

static void wakes_once_per_batch(void **state)
{
    (void)state;
    int wakes = 0;
    struct mailbox box;
    struct reader r = {.delivered = 0};
    mailbox_init(&box, count_wakes, &wakes);
    for (int i = 1; i <= 3; i++) assert_true(mailbox_post(&box, &note_new(0, i)->mail));
    assert_int_equal(wakes, 1);
    assert_int_equal(mailbox_drain(&box, &r), 3);
    assert_int_equal(mailbox_drain(&box, &r), 0);
    assert_true(mailbox_post(&box, &note_new(0, 4)->mail));
    assert_int_equal(wakes, 2);
    mailbox_close(&box, &r);
    assert_int_equal(r.delivered, 4);
    assert_int_equal(r.out_of_order, 0);
    struct note *late = note_new(0, 5);
    assert_false(mailbox_post(&box, &late->mail));
    assert_int_equal(wakes, 2);
    free(late);
    mailbox_destroy(&box);
}

struct writer {
    struct mailbox *box;
    int id;
};

static void *write_notes(void *arg)
{
    struct writer *w = arg;
    for (int i = 1; i <= NOTES; i++)
        if (!mailbox_post(w->box, &note_new(w->id, i)->mail)) abort();
    return NULL;
}

static void keeps_each_writers_order(void **state)
{
    (void)state;
    struct mailbox box;
    struct reader r = {.delivered = 0};
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    mailbox_init(&box, NULL, NULL);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){&box, i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_notes, &writers[i]), 0);
    }
    while (r.delivered < (size_t)WRITERS * NOTES)
        if (!mailbox_drain(&box, &r)) sched_yield();
    for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(r.out_of_order, 0);
    mailbox_close(&box, &r);
    mailbox_destroy(&box);
}

struct captured {
    int lines;
    struct log_line last;
};

static void capture(void *arg, const struct log_line *line)
{
    struct captured *c = arg;
    c->lines++;
    c->last = *line;
}

static void log_lines(void **state)
{
    (void)state;
    struct captured c = {.lines = 0};
    log_set_sink(capture, &c);
    log_msg(LOG_DEBUG, "not wanted");
    assert_int_equal(c.lines, 0);
    log_msg(LOG_WARN, "model %s", "a\nb\033[2J");
    assert_int_equal(c.lines, 1);
    assert_int_equal(c.last.level, LOG_WARN);
    assert_string_equal(c.last.text, "model a?b?[2J");
    log_set_level(LOG_ERROR);
    log_msg(LOG_WARN, "not wanted");
    assert_int_equal(c.lines, 1);
    log_set_level(LOG_INFO);
    for (int i = 0; i < 50; i++) LOG_LIMITED(LOG_INFO, 5, "again %d", i);
    assert_int_equal(c.lines, 6);
    assert_string_equal(c.last.text, "again 4");
    log_set_sink(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wakes_once_per_batch),
        cmocka_unit_test(keeps_each_writers_order),
        cmocka_unit_test(log_lines),
    };
    return cmocka_run_group_tests_name("mailbox, log", tests, NULL, NULL);
}
