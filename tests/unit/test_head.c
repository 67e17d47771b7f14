/* Request heads: what is accepted, what is refused with which status, and that no cut of the bytes changes either. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "net/head.h"

static const struct head_limits limits = {.max_head = 2048, .max_line = 512, .max_fields = 20};
static struct head_field fields[20];

/* The answer for the whole input, after checking that every prefix says 0 or the same. The input is copied to its
 * exact size, so that the sanitizer sees a read beyond the end. */
static int parse(struct str in, struct head *h)
{
    int whole = head_parse(in.p, in.n, &limits, fields, h);
    for (size_t n = 0; n < in.n; n++) {
        char *exact = malloc(n ? n : 1);
        struct head_field some[20];
        struct head part;
        assert_non_null(exact);
        memcpy(exact, in.p, n);
        int r = head_parse(exact, n, &limits, some, &part);
        free(exact);
        if (r && r != whole) fail_msg("cut at %zu says %d, whole says %d: %.*s", n, r, whole, STR_ARG(in));
        if (r > 0) assert_true((size_t)r <= n);
    }
    return whole;
}

#define H "Host: a\r\n"

static const struct {
    const char *text;
    int status;
} refused[] = {
    /* request line */
    {" / HTTP/1.1\r\n", 400},
    {"GET  / HTTP/1.1\r\n", 400},
    {"GET /  HTTP/1.1\r\n", 400},
    {"GET / HTTP/1.1 \r\n", 400},
    {"GET /\r\n", 400},
    {"GET\r\n", 400},
    {"G(T / HTTP/1.1\r\n", 400},
    {"GETGETGETGETGETGETGETGETGETGETGETG", 400},
    {"GET / HTTP/1.1\n", 400},
    {"\nGET / HTTP/1.1\r\n", 400},
    {"\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", 400},
    {"\rGET / HTTP/1.1\r\n", 400},
    {"GET / http/1.1\r\n", 400},
    {"GET / HTTP/1.10\r\n", 400},
    {"GET / HTTP/2.0\r\n", 505},
    {"GET / HTTP/0.9\r\n", 505},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"\x16\x03\x01\x02", 400},
    {"CONNECT a:443 HTTP/1.1\r\n", 400},
    {"GET a:80 HTTP/1.1\r\n", 400},
    {"GET * HTTP/1.1\r\n", 400},
    {"GET ftp://a/ HTTP/1.1\r\n", 400},
    {"GET http:///x HTTP/1.1\r\n", 400},
    {"GET http://u@a/x HTTP/1.1\r\n", 400},
    {"GET /a#b HTTP/1.1\r\n", 400},
    {"GET /a\tb HTTP/1.1\r\n", 400},
    {"GET /\xc3\xa4 HTTP/1.1\r\n", 400},
    /* fields */
    {"GET / HTTP/1.1\r\n" H "a : b\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n", 400},
    {"GET / HTTP/1.1\r\n" H " folded\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "\tfolded\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "a\r\n", 400},
    {"GET / HTTP/1.1\r\n" H ": b\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "a: b\n", 400},
    {"GET / HTTP/1.1\r\n" H "a: b\rc\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "a: b\x7f\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "a: b\x01\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "\n", 400},
    /* Host */
    {"GET / HTTP/1.1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H H "\r\n", 400},
    {"GET / HTTP/1.0\r\n" H H "\r\n", 400},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: u@b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: []\r\n\r\n", 400},
    {"GET http://a/ HTTP/1.1\r\n\r\n", 400},
    /* framing */
    {"POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\nContent-Length: 1\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 27\r\nContent-Length: 28\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 27\r\nContent-Length: 27\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: +27\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 27, 27\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 0x1b\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 2 7\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 9223372036854775808\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999999\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, gzip\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked;q=1\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: ,chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked,\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Expect: 200-ok\r\n\r\n", 417},
};

static void refuses(void **state)
{
    (void)state;
    struct head h;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        int r = parse(str_of(refused[i].text), &h);
        if (r != -refused[i].status) fail_msg("%d, not %d: %s", r, -refused[i].status, refused[i].text);
    }
    assert_int_equal(parse(STR("GET / HTTP/1.1\r\n" H "a: b\0c\r\n\r\n"), &h), -400);
}

static struct head accept(const char *text)
{
    struct head h;
    int r = parse(str_of(text), &h);
    if (r != (int)strlen(text)) fail_msg("%d: %s", r, text);
    return h;
}

static void assert_str(struct str s, const char *want)
{
    if (!str_is(s, want)) fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(s), want);
}

static void reads_a_plain_head(void **state)
{
    (void)state;
    struct head h = accept(
        "\r\n\r\nPOST //v1/x?a=1?b HTTP/1.1\r\nhost: a.b-c_d:80\r\nX: \t a  b \t\r\nx:\r\nContent-Length: 007\r\n\r\n");
    assert_str(h.method, "POST");
    assert_str(h.target, "//v1/x?a=1?b");
    assert_str(h.path, "//v1/x");
    assert_str(h.query, "a=1?b");
    assert_str(h.host, "a.b-c_d:80");
    assert_str(head_value(&h, "X"), "a  b");
    assert_str(head_value(&h, "none"), "");
    assert_null(head_find(&h, "none"));
    assert_int_equal(h.content_length, 7);
    assert_int_equal(h.field_count, 4);
    assert_int_equal(h.minor, 1);
    assert_true(h.keep_alive);
    assert_false(h.chunked || h.is_head || h.expect_continue);
}

static void reads_targets(void **state)
{
    (void)state;
    struct head h = accept("GET HTTP://x:1/p?q HTTP/1.1\r\nHost: other\r\n\r\n");
    assert_str(h.path, "/p");
    assert_str(h.query, "q");
    assert_str(h.host, "x:1");
    h = accept("GET http://x?q HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_str(h.path, "/");
    assert_str(h.query, "q");
    h = accept("GET https://[::1]:8 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_str(h.path, "/");
    assert_str(h.host, "[::1]:8");
    h = accept("OPTIONS * HTTP/1.1\r\nHost: [fe80::1]\r\n\r\n");
    assert_str(h.path, "*");
}

static void reads_versions_and_persistence(void **state)
{
    (void)state;
    assert_false(accept("GET / HTTP/1.0\r\n\r\n").keep_alive);
    assert_true(accept("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
    assert_false(accept("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n").keep_alive);
    assert_false(accept("GET / HTTP/1.1\r\n" H "Connection: x ,\tClose\r\n\r\n").keep_alive);
    assert_false(accept("GET / HTTP/1.1\r\n" H "Connection: x\r\nConnection: close\r\n\r\n").keep_alive);
    assert_int_equal(accept("GET / HTTP/1.7\r\n" H "\r\n").minor, 1);
    assert_true(accept("HEAD / HTTP/1.1\r\n" H "\r\n").is_head);
    assert_true(accept("POST / HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n").chunked);
    assert_true(accept("POST / HTTP/1.1\r\n" H "expect: 100-Continue\r\n\r\n").expect_continue);
    assert_false(accept("POST / HTTP/1.0\r\nexpect: 100-continue\r\n\r\n").expect_continue);
}

static void fill(struct buf *b, const char *before, size_t n, const char *after)
{
    buf_reset(b);
    buf_puts(b, before);
    for (size_t i = 0; i < n; i++) buf_putc(b, 'x');
    buf_puts(b, after);
}

static void keeps_limits(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(100000);
    struct head h;
    fill(&b, "GET /", 512 - 14, " HTTP/1.1\r\n" H "\r\n");
    assert_true(parse(buf_str(&b), &h) > 0);
    fill(&b, "GET /", 512 - 13, " HTTP/1.1\r\n" H "\r\n");
    assert_int_equal(parse(buf_str(&b), &h), -414);
    fill(&b, "GET / HTTP/1.1\r\n" H "a:", 510, "\r\n\r\n");
    assert_true(parse(buf_str(&b), &h) > 0);
    fill(&b, "GET / HTTP/1.1\r\n" H "a:", 511, "\r\n\r\n");
    assert_int_equal(parse(buf_str(&b), &h), -431);
    for (int total = 2047; total <= 2049; total++) {
        buf_reset(&b);
        buf_puts(&b, "GET / HTTP/1.1\r\n" H);
        while ((int)b.len < total - 310) buf_printf(&b, "a:%0296d\r\n", 1);
        buf_printf(&b, "a:%0*d\r\n\r\n", total - (int)b.len - 6, 1);
        assert_int_equal((int)b.len, total);
        assert_int_equal(parse(buf_str(&b), &h), total <= 2048 ? total : -431);
    }
    fill(&b, "GET / HTTP/1.1\r\n" H, 0, "");
    for (int i = 0; i < 19; i++) buf_puts(&b, "a:b\r\n");
    size_t base = b.len;
    buf_puts(&b, "\r\n");
    assert_int_equal(parse(buf_str(&b), &h), (int)base + 2);
    assert_int_equal(h.field_count, 20);
    b.len = base;
    buf_puts(&b, "a:b\r\n\r\n");
    assert_int_equal(parse(buf_str(&b), &h), -431);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),       cmocka_unit_test(reads_a_plain_head),
        cmocka_unit_test(reads_targets), cmocka_unit_test(reads_versions_and_persistence),
        cmocka_unit_test(keeps_limits),
    };
    return cmocka_run_group_tests_name("head", tests, NULL, NULL);
}
