/* The server side's protocol: framing, pipelining, persistence, bodies, refusals, at every cut of the input. */
#include "server_harness.h"

#define HOST   "Host: a\r\n"
#define OK5    "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 5\r\n"
#define ECHO   "POST /echo HTTP/1.1\r\n" HOST
#define CLOSE  "Connection: close\r\n"
#define CHUNKS "Transfer-Encoding: chunked\r\n\r\n"

static void answers_and_persists(void **state)
{
    (void)state;
    int fd = dial(0);
    for (int i = 0; i < 3; i++) {
        say(fd, "GET /now HTTP/1.1\r\n" HOST "\r\n");
        hear(fd, OK5 "\r\nhello");
    }
    say(fd, "HEAD /now HTTP/1.1\r\n" HOST "\r\n");
    hear(fd, OK5 "\r\n");
    say(fd, "GET /empty HTTP/1.1\r\n" HOST "\r\n");
    hear(fd, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_string_equal(conn_peer(last), "127.0.0.1");
    say(fd, "\r\nGET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    hear(fd, OK5 "Connection: keep-alive\r\n\r\nhello");
    say(fd, "GET /now HTTP/1.0\r\n\r\n");
    hear_end(fd);
    assert_string_equal(buf_cstr(&got), OK5 CLOSE "\r\nhello");
    hang_up(fd);
}

/* One request per row, sent in two pieces cut at every byte; the answer is always the same, and ends the connection. */
static const struct {
    const char *in, *out, *told;
} talks[] = {
    {"GET /now HTTP/1.1\r\n" HOST CLOSE "\r\n", OK5 CLOSE "\r\nhello", "head /now;"},
    {ECHO CLOSE "Content-Length: 3\r\n\r\nabc", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n" CLOSE "\r\nabc",
     "head /echo;body 3;"},
    {ECHO "Content-Length: 3\r\n\r\nabcGET http://x/now HTTP/1.1\r\n" HOST CLOSE "\r\n",
     "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc" OK5 CLOSE "\r\nhello", "head /echo;body 3;head /now;"},
    {ECHO CHUNKS "3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\nGET /now HTTP/1.0\r\n\r\n",
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde" OK5 CLOSE "\r\nhello", "head /echo;body 5;head /now;"},
    {ECHO CLOSE "\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" CLOSE "\r\n", "head /echo;body 0;"},
    {ECHO CLOSE "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n",
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" CLOSE "\r\n", "head /echo;body 0;"},
    {"POST /refuse HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabcGET /now HTTP/1.1\r\n\r\n",
     "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n" CLOSE "\r\nno", "head /refuse;"},
    {"POST /small HTTP/1.1\r\n" HOST "Content-Length: 11\r\n\r\n0123456789x",
     "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n" CLOSE "\r\nbad", "head /small;fault too_large 413;"},
    {"POST /small HTTP/1.1\r\n" HOST CHUNKS "6\r\n012345\r\n5\r\n6789x\r\n0\r\n\r\n",
     "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n" CLOSE "\r\nbad", "head /small;fault too_large 413;"},
    {ECHO CHUNKS "0x3\r\nabc\r\n0\r\n\r\nGET /now HTTP/1.1\r\n\r\n",
     "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n" CLOSE "\r\nbad", "head /echo;fault bad_chunk 400;"},
    {"GET /now HTTP/1.1\r\n" HOST "\r\nGET /now HTTP/1.1\n",
     OK5 "\r\nhelloHTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n" CLOSE "\r\nbad", "head /now;fault bad_head 400;"},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
     "HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Length: 3\r\n" CLOSE "\r\nbad", "fault bad_head 505;"},
    {ECHO "Expect: else\r\n\r\n", "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 3\r\n" CLOSE "\r\nbad",
     "fault bad_head 417;"},
};

static void every_cut_gives_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(talks); i++) {
        size_t n = strlen(talks[i].in);
        for (size_t cut = 0; cut < n; cut++) {
            buf_reset(&told);
            buf_reset(&got);
            int fd = dial(0);
            say_n(fd, talks[i].in, cut);
            turns(2);
            say_n(fd, talks[i].in + cut, n - cut);
            hear_end(fd);
            if (strcmp(buf_cstr(&got), talks[i].out) != 0) fail_msg("row %zu cut %zu: %s", i, cut, buf_cstr(&got));
            assert_told(talks[i].told);
            hang_up(fd);
        }
    }
}

static void byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(talks); i++) {
        buf_reset(&got);
        int fd = dial(0);
        for (const char *p = talks[i].in; *p; p++) say_n(fd, p, 1);
        hear_end(fd);
        assert_string_equal(buf_cstr(&got), talks[i].out);
        hang_up(fd);
    }
}

static void pipelines_in_order(void **state)
{
    (void)state;
    enum { REQUESTS = 500 };
    struct buf all = BUF_INIT(1 << 20), want = BUF_INIT(1 << 20);
    for (int i = 0; i < REQUESTS; i++) {
        buf_printf(&all, ECHO "Content-Length: 4\r\n\r\n%04d", i);
        buf_printf(&want, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n%04d", i);
    }
    int fd = dial(0);
    say_n(fd, all.data, all.len);
    hear(fd, want.data);
    hang_up(fd);
    buf_free(&all);
    buf_free(&want);
}

static void later_answers_keep_the_order(void **state)
{
    (void)state;
    int fd = dial(0);
    say(fd, "GET /wait HTTP/1.1\r\n" HOST "\r\nGET /now HTTP/1.1\r\n" HOST "\r\n");
    turns(3);
    assert_told("head /wait;");
    conn_reply(last, 202, STR(""), STR("late"));
    hear(fd, "HTTP/1.1 202 Accepted\r\nContent-Length: 4\r\n\r\nlate" OK5 "\r\nhello");
    hang_up(fd);
}

static void streams(void **state)
{
    (void)state;
    int fd = dial(0);
    say(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    hear(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_true(conn_started(last));
    assert_true(conn_write(last, STR("data: 0123456789\n\n")));
    hear(fd, "12\r\ndata: 0123456789\n\n\r\n");
    conn_write(last, STR("a"));
    conn_write(last, STR(""));
    conn_write(last, STR("b"));
    assert_int_equal(conn_bytes_out(last), 20);
    conn_end(last);
    hear(fd, "1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
    say(fd, "HEAD /stream HTTP/1.1\r\n" HOST "\r\n");
    hear(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    conn_write(last, STR("unseen"));
    conn_end(last);
    say(fd, "GET /sized HTTP/1.1\r\n" HOST "\r\n");
    UNTIL(strstr(buf_cstr(&told), "/sized"));
    conn_write(last, STR("abc"));
    conn_write(last, STR("def"));
    conn_end(last);
    hear(fd, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef");
    say(fd, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    hear(fd, "HTTP/1.1 200 OK\r\n" CLOSE "\r\n");
    conn_write(last, STR("abc"));
    conn_end(last);
    hear_end(fd);
    assert_string_equal(buf_cstr(&got), "abc");
    hang_up(fd);
}

static void aborted_streams_have_no_last_chunk(void **state)
{
    (void)state;
    int fd = dial(0);
    say(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    UNTIL(last);
    conn_write(last, STR("all of this"));
    conn_abort(last);
    hear_end(fd);
    assert_string_equal(buf_cstr(&got), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nall of this\r\n");
    buf_reset(&got);
    close(fd);
    fd = dial(0);
    last = NULL;
    say(fd, "GET /wait HTTP/1.1\r\n" HOST "\r\n");
    UNTIL(last);
    conn_abort(last);
    hear_end(fd);
    assert_int_equal(got.len, 0);
    assert_told("head /stream;head /wait;");
    hang_up(fd);
}

static void continues_when_asked_for_the_body(void **state)
{
    (void)state;
    int fd = dial(0);
    say(fd, ECHO "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    hear(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    say(fd, "abc");
    hear(fd, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
    say(fd, "POST /small HTTP/1.1\r\n" HOST "Content-Length: 11\r\nExpect: 100-continue\r\n\r\n");
    hear_end(fd);
    assert_string_equal(buf_cstr(&got), "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n" CLOSE "\r\nbad");
    hang_up(fd);
}

static void fill_pattern(struct buf *b, size_t n)
{
    while (b->len < n) buf_putc(b, (char)('a' + b->len % 23 + b->len / 4096 % 3));
}

static void large_bodies_both_ways(void **state)
{
    (void)state;
    struct buf data = BUF_INIT(4 << 20);
    fill_pattern(&data, 3000000);
    for (int chunked = 0; chunked < 2; chunked++) {
        int fd = dial(0);
        if (!chunked) {
            say(fd, ECHO CLOSE "Content-Length: 3000000\r\n\r\n");
            say_n(fd, data.data, data.len);
        } else {
            say(fd, ECHO CLOSE CHUNKS);
            for (size_t at = 0; at < data.len; at += 100000) {
                say(fd, "186a0\r\n");
                say_n(fd, data.data + at, 100000);
                say(fd, "\r\n");
            }
            assert_true(budget.used >= 3000000 - 100000 || strstr(buf_cstr(&told), "body"));
            say(fd, "0\r\n\r\n");
        }
        hear_end(fd);
        struct str head = STR("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n" CLOSE "\r\n");
        assert_int_equal(got.len, head.n + data.len);
        assert_memory_equal(got.data, head.p, head.n);
        assert_memory_equal(got.data + head.n, data.data, data.len);
        buf_reset(&got);
        hang_up(fd);
        assert_int_equal(budget.used, 0);
    }
    buf_free(&data);
}

static void memory_is_charged_and_given_back(void **state)
{
    (void)state;
    int a = dial(0), b = dial(0);
    budget.limit = 1500000;
    say(a, "POST /echo?wait HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\nx");
    UNTIL(budget.used == 1000000);
    say(b, ECHO "Content-Length: 1000000\r\n\r\n");
    hear_end(b);
    assert_non_null(strstr(buf_cstr(&got), "503 Service Unavailable"));
    assert_told("head /echo;head /echo;fault no_memory 503;");
    buf_reset(&got);
    close(b);
    b = dial(0);
    say(b, ECHO CHUNKS "1\r\nx");
    hear_end(b);
    assert_non_null(strstr(buf_cstr(&got), "503 Service Unavailable"));
    close(b);
    assert_int_equal(budget.used, 1000000);
    close(a);
    UNTIL(server_count(server) == 0);
    assert_int_equal(budget.used, 0);
}

static void a_taken_body_outlives_the_request(void **state)
{
    (void)state;
    int fd = dial(0);
    say(fd, "POST /echo?wait HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc");
    UNTIL(strstr(buf_cstr(&told), "body 3;"));
    struct body *body = conn_take_body(last);
    assert_null(conn_take_body(last));
    assert_int_equal(conn_body(last).n, 0);
    conn_reply(last, 200, STR(""), STR(""));
    hear(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    hang_up(fd);
    assert_string_equal(buf_cstr(&body->bytes), "abc");
    assert_int_equal(budget.used, 3);
    body_put(body_get(body));
    body_put(body);
    assert_int_equal(budget.used, 0);
}

static void limits_of_a_head(void **state)
{
    (void)state;
    static const struct {
        const char *before, *want;
    } rows[] = {
        {"GET /", "HTTP/1.1 414 "}, {"GET / HTTP/1.1\r\nX: ", "HTTP/1.1 431 "}, {"\x16\x03\x01", "HTTP/1.1 400 "}};
    struct buf junk = BUF_INIT(1 << 20);
    fill_pattern(&junk, 40000);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_reset(&got);
        int fd = dial(0);
        say(fd, rows[i].before);
        say_n(fd, junk.data, junk.len);
        hear_end(fd); /* although most of it was never looked at: lingering close */
        if (!str_starts(buf_str(&got), rows[i].want)) fail_msg("%s: %s", rows[i].before, buf_cstr(&got));
        hang_up(fd);
    }
    buf_free(&junk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(answers_and_persists),
        T(every_cut_gives_the_same),
        T(byte_by_byte),
        T(pipelines_in_order),
        T(later_answers_keep_the_order),
        T(streams),
        T(aborted_streams_have_no_last_chunk),
        T(continues_when_asked_for_the_body),
        T(large_bodies_both_ways),
        T(memory_is_charged_and_given_back),
        T(a_taken_body_outlives_the_request),
        T(limits_of_a_head),
    };
    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
