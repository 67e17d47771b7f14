/* For test_server*.c: a server on a loop of this thread, driven turn by turn, loopback clients, and a handler that
 * does what the path says and writes down what it was told. */
#ifndef SFPROXY_TESTS_SERVER_HARNESS_H
#define SFPROXY_TESTS_SERVER_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "net/server.h"

static struct loop *loop;
static struct server *server;
static struct memory_budget budget;
static struct server_limits limits;
static struct buf told;   /* "head /now;gone closed;" ... */
static struct conn *last; /* of the last open request */
static struct buf got;    /* what a client received */

static const char *const fault_names[] = {"bad_head",  "head_timeout", "body_timeout",
                                          "bad_chunk", "too_large",    "no_memory"};
static const char *const gone_names[] = {"closed", "stalled", "shutdown"};

static void h_head(void *arg, struct conn *c, const struct head *h)
{
    assert_ptr_equal(arg, &told);
    assert_null(conn_user(c));
    assert_ptr_equal(conn_head(c), h);
    buf_printf(&told, "head %.*s;", STR_ARG(h->path));
    conn_set_user(c, &budget);
    last = c;
    if (str_is(h->path, "/now")) conn_reply(c, 200, STR("X-A: b\r\n"), STR("hello"));
    if (str_is(h->path, "/refuse")) conn_reply(c, 401, STR(""), STR("no"));
    if (str_is(h->path, "/empty")) conn_reply(c, 204, STR(""), STR(""));
    if (str_is(h->path, "/echo")) conn_read_body(c, 4 << 20);
    if (str_is(h->path, "/small")) conn_read_body(c, 10);
    if (str_is(h->path, "/stream")) conn_start(c, 200, STR(""), -1);
    if (str_is(h->path, "/sized")) conn_start(c, 200, STR(""), 6);
}

static void h_body(void *arg, struct conn *c)
{
    (void)arg;
    buf_printf(&told, "body %zu;", conn_body(c).n);
    const struct head *h = conn_head(c);
    if (!str_is(h->query, "wait")) conn_reply(c, 200, STR(""), conn_body(c));
}

static void h_fault(void *arg, struct conn *c, const struct head *h, enum request_fault fault, int status)
{
    (void)arg;
    assert_ptr_equal(conn_head(c), h);
    buf_printf(&told, "fault %s %d;", fault_names[fault], status);
    conn_reply(c, status, STR(""), STR("bad"));
}

static void h_drain(void *arg, struct conn *c)
{
    (void)arg;
    (void)c;
    buf_puts(&told, "drain;");
}

static void h_gone(void *arg, struct conn *c, enum gone_reason why)
{
    (void)arg;
    assert_ptr_equal(conn_user(c), &budget);
    buf_printf(&told, "gone %s;", gone_names[why]);
    conn_reply(c, 200, STR(""), STR("ignored"));
    last = NULL;
}

static const struct server_ops ops = {h_head, h_body, h_fault, h_drain, h_gone};

static int setup(void **state)
{
    (void)state;
    limits = (struct server_limits){.head = {16384, 8192, 100},
                                    .head_timeout_ms = 60000,
                                    .body_timeout_ms = 60000,
                                    .keepalive_timeout_ms = 60000,
                                    .write_timeout_ms = 60000,
                                    .client_queue = 65536};
    budget.used = 0;
    budget.limit = 64 << 20;
    told = BUF_INIT(1 << 20);
    got = BUF_INIT(64 << 20);
    last = NULL;
    loop = loop_new(NULL);
    server = loop ? server_new(loop, &ops, &told, &limits, &budget) : NULL;
    return server ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    server_free(server);
    assert_int_equal(budget.used, 0);
    loop_close_mailbox(loop);
    loop_free(loop);
    buf_free(&told);
    buf_free(&got);
    return 0;
}

static inline void turn(void)
{
    loop_stop(loop);
    loop_run(loop);
}

static inline void turns(int n)
{
    while (n--) turn();
}

/* Turns until cond holds, 10 s at most. */
#define UNTIL(cond)                                                                                                    \
    do {                                                                                                               \
        mono_t until_end = mono_add(mono_now(), 10000);                                                                \
        while (!(cond)) {                                                                                              \
            if (mono_now().ms > until_end.ms) fail_msg("never: %s; told: %s", #cond, buf_cstr(&told));                 \
            turn();                                                                                                    \
        }                                                                                                              \
    } while (0)

static inline void assert_told(const char *want)
{
    if (strcmp(buf_cstr(&told), want) != 0) fail_msg("told \"%s\", not \"%s\"", buf_cstr(&told), want);
}

/* A loopback TCP connection; the far end is the server's. receive_buffer 0: the system's default. */
static inline int dial(int receive_buffer)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &n), 0);
    if (receive_buffer) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    int far = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(far >= 0);
    close(listener);
    assert_true(fd_set_nonblocking(fd));
    server_adopt(server, far, "127.0.0.1", false);
    return fd;
}

static inline void say_n(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t done = send(fd, p, n, MSG_NOSIGNAL);
        if (done < 0 && errno != EAGAIN) return; /* the server closed: the test looks at what it said */
        if (done > 0) p += done, n -= (size_t)done;
        turn();
    }
}

static inline void say(int fd, const char *text)
{
    say_n(fd, text, strlen(text));
}

/* Takes what is there into `got`; false at the connection's end. */
static inline bool listen_once(int fd)
{
    char *to = buf_reserve(&got, 65536);
    assert_non_null(to);
    ssize_t n = recv(fd, to, 65536, 0);
    if (n > 0) buf_added(&got, (size_t)n);
    return n > 0 || (n < 0 && errno == EAGAIN);
}

/* Cuts the Date lines out of `got`, so that answers can be compared. */
static inline void drop_dates(void)
{
    char *at;
    while (got.len && (at = strstr(got.data, "Date: "))) {
        char *end = strstr(at, "\r\n");
        if (!end) return;
        assert_int_equal(end - at, 35);
        memmove(at, end + 2, (size_t)(got.data + got.len + 1 - (end + 2)));
        got.len -= (size_t)(end + 2 - at);
    }
}

static inline void hear(int fd, const char *want)
{
    UNTIL((listen_once(fd), drop_dates(), got.len >= strlen(want)));
    if (strcmp(buf_cstr(&got), want) != 0) fail_msg("heard \"%s\", not \"%s\"", buf_cstr(&got), want);
    buf_reset(&got);
}

static inline void hear_end(int fd)
{
    UNTIL(!listen_once(fd));
    drop_dates();
}

static inline void hang_up(int fd)
{
    close(fd);
    UNTIL(server_count(server) == 0);
}

static inline void reset(int fd)
{
    struct linger l = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    close(fd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
