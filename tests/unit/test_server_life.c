/* How connections of the server side end: clients that leave, stall or are slow, drain and shutdown, backpressure. */
#include "server_harness.h"

#define HOST "Host: a\r\n"
#define WAIT "GET /wait HTTP/1.1\r\n" HOST "\r\n"
#define NOW  "GET /now HTTP/1.1\r\n" HOST "\r\n"
#define BODY "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nabc"

static void leave_fin(int fd)
{
    close(fd);
}

static void leave_half(int fd)
{
    shutdown(fd, SHUT_WR); /* closed by the caller, once the server has let go */
}

static void (*const leaving[])(int) = {leave_fin, reset, leave_half};

/* In every phase, with and without unread pipelined bytes before the FIN, and both in one turn with the request. */
static void gone_is_told_exactly_once(void **state)
{
    (void)state;
    static const struct {
        const char *said, *told;
    } phases[] = {
        {WAIT, "head /wait;gone closed;"},
        {WAIT NOW NOW, "head /wait;gone closed;"},
        {BODY, "head /echo;gone closed;"},
        {"POST /echo?wait HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx", "head /echo;body 1;gone closed;"},
        {"GET /stream HTTP/1.1\r\n" HOST "\r\n", "head /stream;gone closed;"},
    };
    for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
        for (size_t how = 0; how < ARRAY_LEN(leaving); how++) {
            for (int wait = 0; wait < 3; wait++) {
                buf_reset(&told);
                last = NULL;
                int fd = dial(0);
                assert_int_equal(send(fd, phases[i].said, strlen(phases[i].said), 0), strlen(phases[i].said));
                turns(wait * 2); /* 0: request and end arrive together */
                leaving[how](fd);
                UNTIL(server_count(server) == 0);
                turns(2);
                if (strcmp(buf_cstr(&told), phases[i].told) != 0)
                    fail_msg("phase %zu, leaving %zu, wait %d: %s", i, how, wait, buf_cstr(&told));
                if (leaving[how] == leave_half) close(fd);
            }
        }
    }
}

static void pipelined_bytes_after_the_request_do_not_hide_a_fin(void **state)
{
    (void)state;
    int fd = dial(0);
    say(fd, WAIT);
    UNTIL(last);
    for (int i = 0; i < 20; i++) say(fd, NOW);
    turns(3);
    assert_told("head /wait;");
    reset(fd);
    UNTIL(server_count(server) == 0);
    assert_told("head /wait;gone closed;");
}

static void half_closed_clients_get_local_answers(void **state)
{
    (void)state;
    int fd = dial(0);
    assert_true(send(fd, NOW NOW, strlen(NOW NOW), 0) > 0);
    shutdown(fd, SHUT_WR);
    hear_end(fd);
    assert_told("head /now;head /now;");
    assert_true(str_ends(buf_str(&got), "hello"));
    hang_up(fd);
}

static void ends_before_a_request_are_silent(void **state)
{
    (void)state;
    static const char *const starts[] = {"", "\r\n", "GET", "GET / HTTP/1.1\r\nHost: a\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        for (size_t how = 0; how < 2; how++) {
            int fd = dial(0);
            say(fd, starts[i]);
            leaving[how](fd);
            UNTIL(server_count(server) == 0);
        }
        int fd = dial(0);
        say(fd, starts[i]);
        shutdown(fd, SHUT_WR);
        hear_end(fd);
        assert_int_equal(got.len, 0);
        hang_up(fd);
    }
    assert_told("");
}

static void a_complete_reply_is_flushed_to_a_leaving_client(void **state)
{
    (void)state;
    enum { SIZE = 8 << 20 };
    char *big = calloc(1, SIZE);
    int fd = dial(4096);
    say(fd, WAIT);
    UNTIL(last);
    conn_reply(last, 200, STR(""), (struct str){big, SIZE});
    turns(3);
    shutdown(fd, SHUT_WR);
    hear_end(fd);
    assert_true(got.len > SIZE);
    assert_told("head /wait;");
    hang_up(fd);
    free(big);
}

static void slow_heads_and_bodies_time_out(void **state)
{
    (void)state;
    limits.head_timeout_ms = 40;
    limits.body_timeout_ms = 40;
    server_set_limits(server, &limits);
    static const struct {
        const char *said, *told;
    } rows[] = {
        {"G", "fault head_timeout 408;"},
        {NOW "\r\n", "head /now;fault head_timeout 408;"},
        {BODY, "head /echo;fault body_timeout 408;"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_reset(&told);
        buf_reset(&got);
        int fd = dial(0);
        say(fd, rows[i].said);
        hear_end(fd);
        assert_told(rows[i].told);
        assert_non_null(strstr(buf_cstr(&got), "HTTP/1.1 408 Request Timeout\r\n"));
        hang_up(fd);
    }
}

static void dribbling_does_not_extend_the_head(void **state)
{
    (void)state;
    limits.head_timeout_ms = 60;
    server_set_limits(server, &limits);
    int fd = dial(0);
    say(fd, "GET /now HTTP/1.1\r\nX: ");
    UNTIL((say(fd, "x"), !listen_once(fd)));
    assert_told("fault head_timeout 408;");
    hang_up(fd);
}

static void idle_connections_close_silently(void **state)
{
    (void)state;
    limits.keepalive_timeout_ms = 40;
    server_set_limits(server, &limits);
    int fresh = dial(0), used = dial(0);
    say(used, NOW);
    hear_end(fresh);
    assert_int_equal(got.len, 0);
    hear_end(used);
    assert_true(str_ends(buf_str(&got), "hello"));
    assert_told("head /now;");
    close(fresh);
    hang_up(used);
}

static void a_waiting_request_has_no_timeout_of_ours(void **state)
{
    (void)state;
    limits.head_timeout_ms = limits.body_timeout_ms = limits.keepalive_timeout_ms = limits.write_timeout_ms = 5;
    server_set_limits(server, &limits);
    int fd = dial(0);
    say(fd, WAIT);
    UNTIL(last);
    mono_t end = mono_add(mono_now(), 60);
    UNTIL(mono_now().ms > end.ms);
    assert_told("head /wait;");
    conn_reply(last, 200, STR(""), STR(""));
    hear_end(fd); /* then idle */
    assert_true(got.len > 0);
    hang_up(fd);
}

static char chunk_of_data[20000];

/* Writes until told to stop. */
static size_t write_until_stopped(void)
{
    size_t n = 0;
    while (last && conn_write(last, (struct str){chunk_of_data, sizeof chunk_of_data})) {
        n++;
        turn();
        assert_true(n < 10000);
    }
    return n;
}

static void a_stalled_reader_is_gone(void **state)
{
    (void)state;
    limits.write_timeout_ms = 50;
    server_set_limits(server, &limits);
    int fd = dial(4096);
    say(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    UNTIL(last);
    write_until_stopped();
    UNTIL(!last);
    assert_told("head /stream;gone stalled;");
    assert_int_equal(server_count(server), 0);
    close(fd);
}

static void a_slow_reader_is_not_a_stalled_one(void **state)
{
    (void)state;
    char some[1024];
    limits.write_timeout_ms = 300;
    server_set_limits(server, &limits);
    int fd = dial(4096);
    say(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    UNTIL(last);
    write_until_stopped();
    size_t queued = conn_queued(last);
    for (int i = 0; i < 300; i++) {
        usleep(3000);
        turn();
        ssize_t n = recv(fd, some, sizeof some, 0);
        assert_true(n > 0 || errno == EAGAIN);
    }
    assert_told("head /stream;");                /* three times the timeout later */
    assert_int_equal(conn_queued(last), queued); /* and the kernel still had enough to feed it from */
    reset(fd);
    UNTIL(!last);
}

static void backpressure_stops_and_drains(void **state)
{
    (void)state;
    int fd = dial(4096);
    say(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    UNTIL(last);
    size_t written = write_until_stopped() + 1;
    assert_true(conn_queued(last) > limits.client_queue);
    assert_true(conn_queued(last) < limits.client_queue + 2 * sizeof chunk_of_data);
    turns(3);
    assert_told("head /stream;");
    UNTIL((listen_once(fd), strstr(buf_cstr(&told), "drain;")));
    assert_told("head /stream;drain;");
    conn_end(last);
    UNTIL((listen_once(fd), str_ends(buf_str(&got), "\r\n0\r\n\r\n")));
    assert_true(got.len > written * sizeof chunk_of_data);
    assert_true(got.len < written * (sizeof chunk_of_data + 10) + 200);
    hang_up(fd);
}

static void a_pipeliner_who_does_not_read_is_bounded(void **state)
{
    (void)state;
    static const char request[] = "GET /now HTTP/1.1\r\n" HOST "\r\n";
    int fd = dial(4096);
    size_t sent = 0;
    for (int idle = 0; idle < 20 && sent < 200000; turn()) {
        ssize_t n = send(fd, request, sizeof request - 1, MSG_NOSIGNAL);
        if (n > 0 && (size_t)n < sizeof request - 1) break; /* cut: stop here */
        sent += n > 0;
        idle = n > 0 ? 0 : idle + 1;
    }
    assert_true(sent * 60 > limits.client_queue); /* enough to fill more than the queue with answers */
    assert_true(conn_queued(last) >= limits.client_queue);
    assert_true(conn_queued(last) < limits.client_queue + 200); /* the rest of the requests waits in the kernel */
    reset(fd);
    UNTIL(server_count(server) == 0);
}

static void drain_closes_idle_and_lets_requests_end(void **state)
{
    (void)state;
    int idle = dial(0), busy = dial(0);
    say(idle, NOW);
    say(busy, WAIT);
    UNTIL(strstr(buf_cstr(&told), "wait"));
    server_drain(server);
    hear_end(idle);
    turns(3);
    assert_int_equal(server_count(server), 1);
    conn_reply(last, 200, STR(""), STR(""));
    buf_reset(&got);
    hear_end(busy);
    assert_string_equal(buf_cstr(&got), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    close(idle);
    hang_up(busy);
}

static void free_tells_open_requests(void **state)
{
    (void)state;
    int fds[] = {dial(0), dial(0), dial(0)};
    say(fds[0], NOW);
    say(fds[1], BODY);
    say(fds[2], WAIT);
    UNTIL(strstr(buf_cstr(&told), "echo") && strstr(buf_cstr(&told), "wait"));
    buf_reset(&told);
    server_free(server);
    server = NULL;
    assert_told("gone shutdown;gone shutdown;");
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) close(fds[i]);
}

static void lingers_so_that_the_status_arrives(void **state)
{
    (void)state;
    static char junk[60000];
    int fd = dial(0);
    say(fd, "POST /refuse HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n");
    hear(fd, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    UNTIL(!listen_once(fd)); /* our side is shut, */
    assert_int_equal(send(fd, junk, 30000, MSG_NOSIGNAL), 30000);
    turns(3);
    assert_int_equal(server_count(server), 1); /* what comes is dropped, */
    say_n(fd, junk, sizeof junk);
    UNTIL(server_count(server) == 0); /* but not without end */
    close(fd);
}

static void local_sockets_work_alike(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    server_adopt(server, fds[1], "local", true);
    say(fds[0], WAIT);
    UNTIL(last);
    assert_true(conn_is_local(last));
    assert_string_equal(conn_peer(last), "local");
    conn_reply(last, 200, STR(""), STR(""));
    hear(fds[0], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    say(fds[0], WAIT NOW);
    UNTIL(strstr(buf_cstr(&told), "head /wait;head /wait;"));
    close(fds[0]);
    UNTIL(server_count(server) == 0);
    assert_told("head /wait;head /wait;gone closed;");
}

static void many_connections_come_and_go(void **state)
{
    (void)state;
    int fds[300];
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(fds); i++) fds[i] = dial(0);
        for (size_t i = 0; i < ARRAY_LEN(fds); i++) say(fds[i], i % 3 ? NOW : WAIT);
        assert_int_equal(server_count(server), ARRAY_LEN(fds));
        for (size_t i = 0; i < ARRAY_LEN(fds); i++) close(fds[i]);
        UNTIL(server_count(server) == 0);
    }
    size_t gone = 0;
    for (const char *p = told.data; (p = strstr(p, "gone closed;")); p++) gone++;
    assert_int_equal(gone, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(gone_is_told_exactly_once),
        T(pipelined_bytes_after_the_request_do_not_hide_a_fin),
        T(half_closed_clients_get_local_answers),
        T(ends_before_a_request_are_silent),
        T(a_complete_reply_is_flushed_to_a_leaving_client),
        T(slow_heads_and_bodies_time_out),
        T(dribbling_does_not_extend_the_head),
        T(idle_connections_close_silently),
        T(a_waiting_request_has_no_timeout_of_ours),
        T(a_stalled_reader_is_gone),
        T(a_slow_reader_is_not_a_stalled_one),
        T(backpressure_stops_and_drains),
        T(a_pipeliner_who_does_not_read_is_bounded),
        T(drain_closes_idle_and_lets_requests_end),
        T(free_tells_open_requests),
        T(lingers_so_that_the_status_arrives),
        T(local_sockets_work_alike),
        T(many_connections_come_and_go),
    };
    return cmocka_run_group_tests_name("server_life", tests, NULL, NULL);
}
