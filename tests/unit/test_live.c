/* The stream of a live page: what is told again and what is not; metrics text; histogram. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "admin/live.h"
#include "admin/metrics.h"
#include "base/mem.h"

static struct snapshot *picture(size_t keys)
{
    struct snapshot *s = snapshot_new();
    static uint64_t seq;
    s->seq = ++seq;
    s->time = (wall_t){1700000000000 + (int64_t)seq * 1000};
    s->keys = xcalloc(keys + 1, sizeof *s->keys);
    s->key_count = keys;
    for (size_t i = 0; i < keys; i++)
        snprintf(s->keys[i].view.id, sizeof s->keys[i].view.id, "key%05u", (unsigned)i % 100000);
    s->models = xcalloc(1, sizeof *s->models);
    s->requests = xcalloc(1, sizeof *s->requests);
    s->log = xcalloc(4, sizeof *s->log);
    return s;
}

struct told {
    struct buf full, change;
};

static struct told tell(struct live *l, struct snapshot *s)
{
    struct told t = {BUF_INIT(1 << 20), BUF_INIT(1 << 20)};
    live_next(l, s, &t.full, &t.change);
    assert_false(t.full.failed || t.change.failed);
    return t;
}

static void forget(struct told *t, struct snapshot *s)
{
    buf_free(&t->full);
    buf_free(&t->change);
    snapshot_put(s);
}

static size_t count(const struct buf *b, const char *what)
{
    size_t n = 0;
    for (const char *p = buf_cstr(b); (p = strstr(p, what)); p++) n++;
    return n;
}

static void test_only_changes_are_told_again(void **state)
{
    (void)state;
    struct live *l = live_new();
    struct snapshot *s = picture(3);
    struct told t = tell(l, s);
    assert_int_equal(count(&t.full, "\"masked\""), 3);
    assert_int_equal(count(&t.change, "\"masked\""), 3);
    forget(&t, s);

    s = picture(3); /* the same again, a second later */
    t = tell(l, s);
    assert_int_equal(count(&t.full, "\"masked\""), 3);
    assert_int_equal(count(&t.change, "\"masked\""), 0);
    assert_null(strstr(buf_cstr(&t.change), "\"order\""));
    forget(&t, s);

    s = picture(3);
    s->keys[1].view.in_flight = 7;
    t = tell(l, s);
    assert_int_equal(count(&t.change, "\"masked\""), 1);
    assert_non_null(strstr(buf_cstr(&t.change), "key00001"));
    forget(&t, s);

    s = picture(2);
    t = tell(l, s);
    assert_non_null(strstr(buf_cstr(&t.change), "\"gone\":{\"keys\":[\"key00002\"]"));
    assert_non_null(strstr(buf_cstr(&t.change), "\"order\":[\"key00000\",\"key00001\"]"));
    forget(&t, s);
    live_free(l);
}

static void add_line(struct snapshot *s, int64_t ms, enum log_level level, const char *text)
{
    struct log_line *line = &s->log[s->log_count++];
    line->time = (wall_t){ms};
    line->level = level;
    snprintf(line->text, sizeof line->text, "%s", text);
}

static void test_log_lines_are_told_once(void **state)
{
    (void)state;
    struct live *l = live_new();
    struct snapshot *s = picture(0);
    add_line(s, 5000, LOG_WARN, "first");
    add_line(s, 5000, LOG_INFO, "not of interest");
    struct told t = tell(l, s);
    assert_int_equal(count(&t.change, "first"), 1);
    assert_int_equal(count(&t.full, "interest"), 0);
    forget(&t, s);

    s = picture(0); /* another line in the very same millisecond */
    add_line(s, 5000, LOG_WARN, "first");
    add_line(s, 5000, LOG_INFO, "not of interest");
    add_line(s, 5000, LOG_ERROR, "second");
    t = tell(l, s);
    assert_int_equal(count(&t.change, "first"), 0);
    assert_int_equal(count(&t.change, "second"), 1);
    assert_int_equal(count(&t.full, "first"), 1);
    forget(&t, s);
    live_free(l);
}

static void test_metrics_escape_labels(void **state)
{
    (void)state;
    struct snapshot *s = picture(1);
    struct buf out = BUF_INIT(1 << 20);
    s->model_count = 1;
    s->models[0].requests = 3;
    snprintf(s->models[0].id, sizeof s->models[0].id, "a\"b\\c\nd\x1b[0m");
    histogram_add(&s->totals.duration, 70);
    histogram_add(&s->totals.duration, 700000);
    metrics_write(s, &out);
    const char *text = buf_cstr(&out);
    assert_non_null(strstr(text, "sfproxy_model_requests_total{model=\"a\\\"b\\\\c"));
    assert_null(strchr(text, '\x1b'));
    assert_non_null(strstr(text, "sfproxy_request_duration_seconds_bucket{le=\"0.100\"} 1\n"));
    assert_non_null(strstr(text, "sfproxy_request_duration_seconds_bucket{le=\"600.000\"} 1\n"));
    assert_non_null(strstr(text, "sfproxy_request_duration_seconds_bucket{le=\"+Inf\"} 2\n"));
    assert_non_null(strstr(text, "sfproxy_request_duration_seconds_sum 700.070\n"));
    assert_non_null(strstr(text, "sfproxy_key_state{key=\"key00000\",state=\"ready\",class=\"?\"} 1\n"));
    buf_free(&out);
    snapshot_put(s);
}

static void test_histogram_bounds(void **state)
{
    (void)state;
    struct histogram h = {0};
    histogram_add(&h, -5);
    histogram_add(&h, 10);
    histogram_add(&h, 11);
    histogram_add(&h, 600000);
    histogram_add(&h, 600001);
    assert_int_equal(h.counts[0], 2);
    assert_int_equal(h.counts[1], 1);
    assert_int_equal(h.counts[HISTOGRAM_BOUNDS - 1], 1);
    assert_int_equal(h.counts[HISTOGRAM_BOUNDS], 1);
    assert_int_equal(h.total, 5);
    for (size_t i = 1; i < HISTOGRAM_BOUNDS; i++) assert_true(histogram_bounds_ms[i] > histogram_bounds_ms[i - 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_changes_are_told_again),
        cmocka_unit_test(test_log_lines_are_told_once),
        cmocka_unit_test(test_metrics_escape_labels),
        cmocka_unit_test(test_histogram_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
