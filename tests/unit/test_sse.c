/* Every stream of the table is fed whole, byte by byte, and in every two pieces: the events must be the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/sse.h"
#include "base/mem.h"

struct seen {
    struct buf text; /* "[type|data]" per event, "[#]" for a comment */
};

static void note(void *arg, const struct sse_event *e)
{
    struct seen *s = arg;
    if (e->comment_only)
        buf_puts(&s->text, "[#]");
    else
        buf_printf(&s->text, "[%.*s|%.*s]", STR_ARG(e->type), STR_ARG(e->data));
}

static const struct {
    const char *stream, *events; /* fed only */
    const char *at_end;          /* events after sse_finish(), NULL: the same */
    unsigned count;
} table[] = {
    {"data: a\n\n", "[|a]", NULL, 1},
    {"data: a\r\n\r\n", "[|a]", NULL, 1},
    {"data: a\r\r", "[|a]", NULL, 1},
    {"data: a\r\n\n", "[|a]", NULL, 1},
    {"data: a\n\r\n", "[|a]", NULL, 1},
    {"data: a\n\rdata: b\n\r", "[|a][|b]", NULL, 2},
    {"data:a\n\ndata:  b\n\n", "[|a][| b]", NULL, 2},
    {"data: a\ndata: b\n\n", "[|a\nb]", NULL, 1},
    {"data: a\r\ndata: b\r\ndata:\r\n\r\n", "[|a\nb\n]", NULL, 1},
    {"data\n\n", "[|]", NULL, 1},
    {"data:\n\n", "[|]", NULL, 1},
    {"event: error\ndata: {\"e\":1}\n\n", "[error|{\"e\":1}]", NULL, 1},
    {"data: x\nevent: late\n\n", "[late|x]", NULL, 1},
    {"event: only\n\n", "[only|]", NULL, 1},
    {": comment\n\n", "[#]", NULL, 0},
    {":\n\n:\n\ndata: x\n\n", "[#][#][|x]", NULL, 1},
    {": c\ndata: x\n: d\nid: 7\nretry: 5\n\n", "[|x]", NULL, 1},
    {"retry: 3000\n\n", "[#]", NULL, 0},
    {"\n\n\n\ndata: x\n\n\n\n\n", "[|x]", NULL, 1},
    {"\r\n\r\n\r\ndata: x\r\n\r\n\r\n", "[|x]", NULL, 1},
    {"\xEF\xBB\xBF"
     "data: x\n\n",
     "[|x]", NULL, 1},
    {"data: x\n\n\xEF\xBB\xBF"
     "data: y\n\n",
     "[|x][#]", NULL, 1},
    {"datax: x\nDATA: y\n data: z\n\n", "[#]", NULL, 0},
    {"data: [DONE]\n\n", "[|[DONE]]", NULL, 1},
    {"data: a\n\ndata: [DONE]", "[|a]", "[|a][|[DONE]]", 1},
    {"data: a\n\ndata: [DONE]\n", "[|a]", "[|a][|[DONE]]", 1},
    {"data: a\n\ndata: [DONE]\r\n", "[|a]", "[|a][|[DONE]]", 1},
    {"data: a\n\n\n", "[|a]", NULL, 1},
    {"", "", NULL, 0},
    {"data: a: b: c\n\n", "[|a: b: c]", NULL, 1},
    {"data: \xE4\xBD\xA0\xE5\xA5\xBD\n\n", "[|\xE4\xBD\xA0\xE5\xA5\xBD]", NULL, 1},
};

static void feed(struct sse_reader *r, const char *p, size_t n, struct seen *s)
{
    char *copy = xmalloc(n ? n : 1); /* so that ASan sees a step beyond the slice */
    if (n) memcpy(copy, p, n);
    sse_feed(r, (struct str){copy, n}, note, s);
    free(copy);
}

static void check(size_t row, size_t cut, bool bytewise)
{
    struct sse_reader r;
    struct seen s = {BUF_INIT(10000)};
    const char *p = table[row].stream;
    size_t n = strlen(p);
    sse_init(&r);
    if (bytewise) {
        for (size_t i = 0; i < n; i++) feed(&r, p + i, 1, &s);
    } else {
        feed(&r, p, cut, &s);
        feed(&r, p + cut, n - cut, &s);
    }
    if (strcmp(buf_cstr(&s.text), table[row].events) != 0 || r.events != table[row].count)
        fail_msg("row %zu cut %zu: %s, %u events", row, cut, buf_cstr(&s.text), (unsigned)r.events);
    sse_finish(&r, note, &s);
    const char *at_end = table[row].at_end ? table[row].at_end : table[row].events;
    if (strcmp(buf_cstr(&s.text), at_end) != 0) fail_msg("row %zu cut %zu at end: %s", row, cut, buf_cstr(&s.text));
    assert_int_equal(r.skipped, 0);
    buf_free(&s.text);
    sse_free(&r);
}

static void test_every_cut(void **state)
{
    (void)state;
    for (size_t row = 0; row < ARRAY_LEN(table); row++) {
        for (size_t cut = 0; cut <= strlen(table[row].stream); cut++) check(row, cut, false);
        check(row, 0, true);
    }
}

/* An event of exactly `size` bytes before its blank line, then a small one. */
static void huge(size_t size, size_t step, unsigned skipped)
{
    struct sse_reader r;
    struct seen s = {BUF_INIT(4 << 20)};
    struct buf b = BUF_INIT(8 << 20);
    buf_puts(&b, "data: ");
    while (b.len < size - 1) buf_putc(&b, 'x');
    buf_puts(&b, "\n\ndata: after\n\n");
    sse_init(&r);
    for (size_t at = 0; at < b.len; at += step) feed(&r, b.data + at, MIN(step, b.len - at), &s);
    assert_int_equal(r.skipped, skipped);
    assert_int_equal(r.events, 2 - skipped);
    assert_true(str_ends(buf_str(&s.text), "[|after]"));
    assert_int_equal(s.text.len, skipped ? 8 : size - 7 + 3 + 8);
    assert_true(r.pending.room <= 16384); /* the memory was given back */
    buf_free(&b);
    buf_free(&s.text);
    sse_free(&r);
}

static void test_too_large(void **state)
{
    (void)state;
    static const size_t steps[] = {1000, 16384, 1 << 23};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        huge(SSE_EVENT_MAX, steps[i], 0);
        huge(SSE_EVENT_MAX + 1, steps[i], 1);
        huge(5 << 20, steps[i], 1);
    }
}

/* 100 000 small events in one slice, with \r far away: no step may look at the rest of the slice again and again. */
static void test_linear(void **state)
{
    (void)state;
    struct sse_reader r;
    struct seen s = {BUF_INIT(4 << 20)};
    struct buf b = BUF_INIT(8 << 20);
    for (int i = 0; i < 100000; i++) buf_puts(&b, "data: x\n\n");
    buf_puts(&b, "data: y\r\r");
    sse_init(&r);
    sse_feed(&r, buf_str(&b), note, &s);
    assert_int_equal(r.events, 100001);
    assert_int_equal(r.pending.room, 0); /* nothing was copied */
    buf_free(&b);
    buf_free(&s.text);
    sse_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_linear),
    };
    return cmocka_run_group_tests_name("sse", tests, NULL, NULL);
}
