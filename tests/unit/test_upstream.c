/* Calls against a scripted server: one thread per connection, the path says how it behaves. Everything the server saw
 * is kept in `srv`; a test reads it under its mutex. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>
#include <sys/wait.h>

#include "net/upstream.h"
#include "base/mem.h"

/* ---- libcurl's memory: one allocation, counted from arming, may fail ---- */

static _Thread_local long fail_at; /* 1: the next one; 0: none. The server's threads use no libcurl */

static bool fails(void)
{
    if (fail_at == 0 || --fail_at > 0) return false;
    errno = ENOMEM;
    return true;
}

static void *curls_malloc(size_t n)
{
    return fails() ? NULL : malloc(n);
}

static void *curls_calloc(size_t count, size_t size)
{
    return fails() ? NULL : calloc(count, size);
}

static void *curls_realloc(void *p, size_t n)
{
    return fails() ? NULL : realloc(p, n);
}

static char *curls_strdup(const char *s)
{
    return fails() ? NULL : strdup(s);
}

/* ---- the server ---- */

static struct {
    pthread_mutex_t m;
    pthread_cond_t idle;
    int listener, port;
    unsigned connections, open, requests, peer_gone;
    char last[4096]; /* head of the last request */
    size_t last_body;
} srv = {.m = PTHREAD_MUTEX_INITIALIZER, .idle = PTHREAD_COND_INITIALIZER};

static void say(int fd, const char *s)
{
    size_t n = strlen(s), at = 0;
    while (at < n) {
        ssize_t k = send(fd, s + at, n - at, MSG_NOSIGNAL);
        if (k <= 0) return;
        at += (size_t)k;
    }
}

static void say_many(int fd, const char *s, int times)
{
    for (int i = 0; i < times; i++) say(fd, s);
}

/* Reads until the peer closes. */
static void wait_gone(int fd)
{
    char junk[4096];
    while (recv(fd, junk, sizeof(junk), 0) > 0) continue;
    pthread_mutex_lock(&srv.m);
    srv.peer_gone++;
    pthread_mutex_unlock(&srv.m);
}

static void reset(int fd)
{
    struct linger hard = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

static const struct {
    const char *path, *reply;
} fixed[] = {
    /* keep-alive */
    {"+/ok", OK_HEAD "Content-Length: 5\r\nX-Trace: t1\r\n\r\nhello"},
    {"+/chunked", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: 1\r\n\r\n"},
    {"+/interim",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK_HEAD "Content-Length: 2\r\n\r\nok"},
    {"+/redirect", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n"},
    {"+/429", "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}"},
    {"+/empty", "HTTP/1.1 204 No Content\r\n\r\n"},
    /* then closed */
    {"/stale", OK_HEAD "Content-Length: 2\r\n\r\nok"},
    {"/close", ""},
    {"/half", "HTTP/1.1 200 OK\r\nContent-Ty"},
    {"/halfline", "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n"},
    {"/garbage", "this is no web server\r\nat all\r\n\r\n"},
    {"/binary", "\x16\x03\x01\x02\x01\x01\x01\x01\x01"},
    {"/shortcl", OK_HEAD "Content-Length: 50\r\n\r\nonly this"},
    {"/shortchunk", OK_HEAD "Transfer-Encoding: chunked\r\n\r\nff\r\nonly this"},
    {"/nolast", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"},
    {"/badchunk", OK_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"},
    {"/twocl", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"},
    {"/badcl", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello!"},
    {"/101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nboo"},
    {"/999", "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"},
    {"/eof", "HTTP/1.1 200 OK\r\n\r\nuntil the end"},
};

/* Behaviours that need code; false: unknown path. */
static bool special(int fd, const char *path)
{
    if (strcmp(path, "/reset") == 0) {
        reset(fd);
    } else if (strcmp(path, "/resetmid") == 0) {
        say(fd, OK_HEAD "Content-Length: 100000\r\n\r\nsome");
        struct pollfd wait = {.fd = fd, .events = POLLIN}; /* give the client time to read, by waiting for nothing */
        poll(&wait, 1, 50);
        reset(fd);
    } else if (strcmp(path, "/flood") == 0) {
        say_many(fd, "HTTP/1.1 103 Early Hints\r\n\r\n", 2000);
    } else if (strcmp(path, "/hugeline") == 0) {
        say(fd, "HTTP/1.1 200 OK\r\nX: ");
        say_many(fd, "0123456789abcdef", 25000);
        say(fd, "\r\nContent-Length: 0\r\n\r\n");
    } else if (strcmp(path, "/hugehead") == 0) {
        say(fd, "HTTP/1.1 200 OK\r\n");
        say_many(fd, "X: 0123456789abcdef0123456789abcdef\r\n", 2500);
        say(fd, "Content-Length: 0\r\n\r\n");
    } else if (strcmp(path, "/hang") == 0) {
        wait_gone(fd);
    } else if (strcmp(path, "/drip") == 0) {
        say(fd, OK_HEAD "Content-Length: 100\r\n\r\nfirst");
        wait_gone(fd);
    } else {
        return false;
    }
    return true;
}

static bool read_head(int fd, char *head, size_t size, size_t *have)
{
    *have = 0;
    while (!memmem(head, *have, "\r\n\r\n", 4)) {
        ssize_t n = recv(fd, head + *have, size - 1 - *have, 0);
        if (n <= 0) return false;
        *have += (size_t)n;
        head[*have] = '\0';
        if (head[0] == 0x16) { /* a TLS hello */
            say(fd, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            return false;
        }
    }
    return true;
}

static void read_body(int fd, const char *head, size_t have)
{
    const char *cl = strcasestr(head, "content-length: "), *end = strstr(head, "\r\n\r\n") + 4;
    size_t due = cl ? (size_t)strtoul(cl + 16, NULL, 10) : 0, got = have - (size_t)(end - head);
    char junk[65536];
    while (got < due) {
        ssize_t n = recv(fd, junk, sizeof(junk), 0);
        if (n <= 0) break;
        got += (size_t)n;
    }
    pthread_mutex_lock(&srv.m);
    srv.last_body = got;
    pthread_mutex_unlock(&srv.m);
}

/* /big?N: N bytes. */
static bool big(int fd, const char *path)
{
    if (strncmp(path, "/big?", 5) != 0) return false;
    size_t n = (size_t)strtoul(path + 5, NULL, 10);
    char head[200], *body = xmalloc(n + 1);
    memset(body, 'b', n);
    body[n] = '\0';
    snprintf(head, sizeof(head), OK_HEAD "Content-Length: %zu\r\n\r\n", n);
    say(fd, head);
    say(fd, body);
    free(body);
    return true;
}

/* True: the connection stays. */
static bool answer(int fd, const char *head, size_t have)
{
    char path[200] = "";
    sscanf(head, "%*s %199s", path);
    if (strcmp(path, "/early") == 0) { /* before the body is read */
        say(fd, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
        wait_gone(fd);
        return false;
    }
    read_body(fd, head, have);
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        bool keep = fixed[i].path[0] == '+';
        if (strcmp(fixed[i].path + keep, path) != 0) continue;
        say(fd, fixed[i].reply);
        return keep;
    }
    if (strcmp(path, "/once") == 0) {
        char c;
        say(fd, OK_HEAD "Content-Length: 2\r\n\r\nok");
        recv(fd, &c, 1, MSG_PEEK); /* the next request is here: closing now resets the connection */
        return false;
    }
    if (big(fd, path)) return true;
    if (!special(fd, path)) say(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    return false;
}

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char head[4096];
    size_t have;
    bool more = true;
    while (more && read_head(fd, head, sizeof(head), &have)) {
        pthread_mutex_lock(&srv.m);
        srv.requests++;
        memcpy(srv.last, head, have + 1);
        pthread_mutex_unlock(&srv.m);
        more = answer(fd, head, have);
    }
    close(fd);
    pthread_mutex_lock(&srv.m);
    srv.open--;
    pthread_cond_broadcast(&srv.idle);
    pthread_mutex_unlock(&srv.m);
    return NULL;
}

static void *accept_all(void *arg)
{
    (void)arg;
    int fd;
    while ((fd = accept(srv.listener, NULL, NULL)) >= 0) {
        pthread_t t;
        pthread_mutex_lock(&srv.m);
        srv.connections++;
        srv.open++;
        pthread_mutex_unlock(&srv.m);
        pthread_create(&t, NULL, serve, (void *)(intptr_t)fd);
        pthread_detach(t);
    }
    return NULL;
}

static int listen_any(int *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 128), 0);
    getsockname(fd, (struct sockaddr *)&a, &len);
    *port = ntohs(a.sin_port);
    return fd;
}

static unsigned srv_get(unsigned *field)
{
    pthread_mutex_lock(&srv.m);
    unsigned v = *field;
    pthread_mutex_unlock(&srv.m);
    return v;
}

/* ---- one call under observation ---- */

struct probe {
    struct call *call;
    char order[64]; /* s sent, h head, b body (once), d done */
    int status;
    char type[64], trace[64], retry[64];
    int64_t length;
    struct buf body;
    bool done;
    struct call_end end;
    char cancel_at;      /* 's', 'h', 'b', or 0 */
    unsigned pause_left; /* pieces to answer with false */
    bool resume_by_timer;
    struct probe *kill; /* cancelled in on_done */
    const char *again;  /* path to start in on_done */
    int *pending;
};

static struct loop *loop;
static struct upstream *up;
static struct loop_timer guard, tick;
static bool timed_out;
static int pending;

static void probe_start(struct probe *p, const char *method, const char *path, struct body *body);

static void mark(struct probe *p, char c)
{
    size_t n = strlen(p->order);
    if (c == 'b' && n > 0 && p->order[n - 1] == 'b') return;
    if (n + 1 < sizeof(p->order)) p->order[n] = c;
    if (p->cancel_at == c) {
        upstream_cancel(p->call);
        p->call = NULL;
        if (--pending == 0) loop_stop(loop);
    }
}

static void on_sent(void *arg)
{
    mark(arg, 's');
}

static void on_head(void *arg, const struct call_head *h)
{
    struct probe *p = arg;
    p->status = h->status;
    p->length = h->content_length;
    str_copy(p->type, sizeof(p->type), h->content_type);
    for (size_t i = 0; i < h->field_count; i++) {
        if (str_ieq(h->fields[i].name, STR("x-trace"))) str_copy(p->trace, sizeof(p->trace), h->fields[i].value);
        if (str_ieq(h->fields[i].name, STR("retry-after"))) str_copy(p->retry, sizeof(p->retry), h->fields[i].value);
    }
    mark(p, 'h');
}

static bool on_body(void *arg, struct str data)
{
    struct probe *p = arg;
    assert_non_null(p->call); /* nothing after a cancel */
    buf_add_str(&p->body, data);
    mark(p, 'b');
    if (p->pause_left == 0) return true;
    p->pause_left--;
    return false;
}

static void on_done(void *arg, const struct call_end *end)
{
    struct probe *p = arg;
    assert_non_null(p->call);
    mark(p, 'd');
    p->done = true;
    p->call = NULL;
    p->end = *end;
    assert_null(strstr(end->sentence, "secret"));
    if (p->kill && p->kill->call) {
        upstream_cancel(p->kill->call);
        p->kill->call = NULL;
        pending--;
    }
    const char *again = p->again;
    p->again = NULL;
    pending--;
    if (again) probe_start(p, "GET", again, NULL);
    if (pending == 0) loop_stop(loop);
}

static const struct call_ops ops = {on_sent, on_head, on_body, on_done};

static void start_url(struct probe *p, const char *method, const char *url, struct body *body, struct addrs *addrs)
{
    const char *const headers[] = {"Content-Type: application/json", "X-Test: 1"};
    struct call_spec spec = {.method = method, .url = url, .headers = headers, .body = body, .addrs = addrs};
    spec.header_count = body ? 2 : 0;
    spec.has_body = body != NULL;
    spec.auth = "Authorization: Bearer sk-secretsecretsecret";
    if (!p->body.cap) buf_init(&p->body, 100 << 20);
    pending++;
    p->call = upstream_start(up, &spec, &ops, p);
}

static void probe_start(struct probe *p, const char *method, const char *path, struct body *body)
{
    char url[300];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", srv.port, path);
    start_url(p, method, url, body, NULL);
}

static void on_guard(void *arg)
{
    (void)arg;
    timed_out = true;
    loop_stop(loop);
}

static void run(void)
{
    loop_timer_start(&guard, 15000);
    if (pending > 0) loop_run(loop);
    loop_timer_stop(&guard);
    assert_false(timed_out);
    assert_int_equal(pending, 0);
}

static void run_turn(void)
{
    loop_stop(loop);
    loop_run(loop);
}

/* Runs the loop until the server's counter has reached n. */
static void until(unsigned *field, unsigned n)
{
    mono_t deadline = mono_add(mono_now(), 10000);
    while (srv_get(field) < n) {
        assert_true(mono_now().ms < deadline.ms);
        run_turn();
        poll(NULL, 0, 1);
    }
}

static struct probe *get(const char *path)
{
    static struct probe p;
    buf_free(&p.body);
    memset(&p, 0, sizeof(p));
    probe_start(&p, "GET", path, NULL);
    run();
    return &p;
}

static int setup(void **state)
{
    (void)state;
    const struct upstream_options o = {"", "", 5000, true};
    loop = loop_new(NULL);
    up = upstream_new(loop, &o);
    loop_timer_init(&guard, loop, on_guard, NULL);
    loop_timer_init(&tick, loop, NULL, NULL);
    pending = 0;
    timed_out = false;
    pthread_mutex_lock(&srv.m);
    srv.connections = srv.requests = srv.peer_gone = 0;
    srv.last[0] = '\0';
    pthread_mutex_unlock(&srv.m);
    return 0;
}

/* Also proves that no connection is left: the server's threads all see the end. */
static int teardown(void **state)
{
    (void)state;
    assert_int_equal(upstream_count(up), 0);
    upstream_free(up);
    loop_timer_destroy(&guard);
    loop_timer_destroy(&tick);
    loop_free(loop);
    struct timespec until_time;
    clock_gettime(CLOCK_REALTIME, &until_time);
    until_time.tv_sec += 10;
    pthread_mutex_lock(&srv.m);
    int rc = 0;
    while (srv.open > 0 && rc == 0) rc = pthread_cond_timedwait(&srv.idle, &srv.m, &until_time);
    pthread_mutex_unlock(&srv.m);
    assert_int_equal(rc, 0);
    return 0;
}

static struct body *body_of(size_t n)
{
    static struct memory_budget budget;
    atomic_store(&budget.limit, 1 << 30);
    struct body *b = body_new(&budget, n + 1);
    memset(buf_reserve(&b->bytes, n), 'x', n);
    buf_added(&b->bytes, n);
    return b;
}

/* ---- tests ---- */

static void test_normal(void **state)
{
    (void)state;
    struct probe *p = get("/ok");
    assert_string_equal(p->order, "shbd");
    assert_int_equal(p->end.result, CALL_OK);
    assert_int_equal(p->status, 200);
    assert_int_equal(p->length, 5);
    assert_string_equal(p->type, "application/json");
    assert_string_equal(p->trace, "t1");
    assert_string_equal(buf_cstr(&p->body), "hello");
    assert_true(p->end.sent);
    assert_false(p->end.reused);
    assert_true(p->end.connect_us > 0);
    assert_int_equal(p->end.bytes_down, 5);
    p = get("/chunked");
    assert_string_equal(buf_cstr(&p->body), "hello world");
    assert_int_equal(p->length, -1);
    p = get("/interim");
    assert_string_equal(p->order, "shbd");
    assert_int_equal(p->status, 200);
    p = get("/429");
    assert_int_equal(p->status, 429);
    assert_string_equal(p->retry, "7");
    p = get("/empty");
    assert_string_equal(p->order, "shd");
    p = get("/eof");
    assert_int_equal(p->end.result, CALL_OK);
    assert_string_equal(buf_cstr(&p->body), "until the end");
}

static void test_request_lines(void **state)
{
    (void)state;
    struct probe p = {0};
    char expected[1000];
    get("/ok?a=../b");
    snprintf(expected, sizeof(expected),
             "GET /ok?a=../b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept-Encoding: identity\r\n"
             "Authorization: Bearer sk-secretsecretsecret\r\n\r\n",
             srv.port);
    assert_string_equal(srv.last, expected);
    struct body *b = body_of(3);
    probe_start(&p, "POST", "/ok", b);
    run();
    body_put(b);
    snprintf(expected, sizeof(expected),
             "POST /ok HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nX-Test: 1\r\n"
             "Accept-Encoding: identity\r\nAuthorization: Bearer sk-secretsecretsecret\r\nContent-Length: 3\r\n\r\nxxx",
             srv.port);
    assert_string_equal(srv.last, expected);
    static const char *const methods[] = {"DELETE", "PATCH", "PUT", "GET"};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) { /* the same handle after a POST */
        probe_start(&p, methods[i], "/ok", NULL);
        run();
        assert_int_equal(strncmp(srv.last, methods[i], strlen(methods[i])), 0);
        assert_null(strcasestr(srv.last, "content-"));
        assert_null(strstr(srv.last, "X-Test"));
    }
    probe_start(&p, "HEAD", "/ok", NULL);
    run();
    assert_int_equal(p.end.result, CALL_OK);
    buf_free(&p.body);
}

static void test_injection_refused(void **state)
{
    (void)state;
    struct probe p = {0};
    const char *const headers[] = {"X-A: 1\r\nX-B: 2"};
    struct call_spec spec = {.method = "GET", .url = "http://127.0.0.1:1/", .headers = headers, .header_count = 1};
    pending++;
    p.call = upstream_start(up, &spec, &ops, &p);
    assert_false(p.done); /* never from inside upstream_start() */
    run();
    assert_int_equal(p.end.result, CALL_INTERNAL);
    assert_false(p.end.sent);
}

static void test_reuse(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct probe *p = get(i % 2 ? "/ok" : "/chunked");
        assert_int_equal(p->end.result, CALL_OK);
        assert_int_equal(p->end.reused, i > 0);
        if (i > 0) assert_int_equal(p->end.connect_us, 0);
    }
    assert_int_equal(srv.connections, 1);
    assert_int_equal(srv.requests, 20);
}

/* Handles that a busy moment left behind go; calls under way and what is needed again stay good. */
static void test_reap(void **state)
{
    (void)state;
    struct probe many[20] = {0};
    for (size_t i = 0; i < ARRAY_LEN(many); i++) probe_start(&many[i], "GET", "/ok", NULL);
    run();
    upstream_reap(up); /* in this time all of them were needed */
    assert_true(get("/ok")->end.reused);
    struct probe hang = {0};
    probe_start(&hang, "GET", "/hang", NULL);
    until(&srv.requests, 22);
    upstream_reap(up);
    upstream_reap(up);
    upstream_cancel(hang.call);
    pending--;
    until(&srv.peer_gone, 1);
    for (int i = 0; i < 3; i++) {
        assert_true(get("/ok")->end.reused); /* connections are the shard's, not the handle's */
        upstream_reap(up);
        upstream_reap(up);
    }
    for (size_t i = 0; i < ARRAY_LEN(many); i++) buf_free(&many[i].body);
}

static void test_stale_connection(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct probe *p = get("/stale"); /* answered, kept in the pool, closed by the server */
        assert_int_equal(p->end.result, CALL_OK);
        assert_string_equal(p->order, "shbd");
        if (i % 2) poll(NULL, 0, 2); /* both ways: the close known, and perhaps not yet known */
        if (i % 4 == 1) run_turn();
    }
    assert_int_equal(srv.requests, 20);
}

struct expectation {
    const char *path;
    enum call_result result;
    const char *order;
};

/* The server drops the connection on the second request, every time: libcurl's own retry must not run out over the life
 * of a reused handle. */
static void test_dropped_on_reuse(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        struct probe *p = get("/once");
        assert_int_equal(p->end.result, CALL_OK);
        assert_string_equal(p->order, "shbd");
        assert_false(p->end.reused);
    }
    assert_int_equal(srv.requests, 30);
    assert_int_equal(srv.connections, 30);
}

static void test_failures(void **state)
{
    (void)state;
    static const struct expectation rows[] = {
        {"/reset", CALL_RESET, "sd"},          {"/close", CALL_RESET, "sd"},
        {"/half", CALL_RESET, "sd"},           {"/halfline", CALL_RESET, "sd"},
        {"/garbage", CALL_GARBAGE, "sd"},      {"/binary", CALL_GARBAGE, "sd"},
        {"/shortcl", CALL_TRUNCATED, "shbd"},  {"/shortchunk", CALL_TRUNCATED, "shbd"},
        {"/nolast", CALL_TRUNCATED, "shbd"},   {"/badchunk", CALL_TRUNCATED, "shd"},
        {"/resetmid", CALL_TRUNCATED, "shbd"}, {"/twocl", CALL_GARBAGE, "sd"},
        {"/badcl", CALL_GARBAGE, "sd"},        {"/101", CALL_GARBAGE, "sd"},
        {"/999", CALL_GARBAGE, "sd"},          {"/flood", CALL_GARBAGE, "sd"},
        {"/hugeline", CALL_GARBAGE, "sd"},     {"/hugehead", CALL_GARBAGE, "sd"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct probe *p = get(rows[i].path);
        if (p->end.result != rows[i].result || strcmp(p->order, rows[i].order) != 0)
            fail_msg("%s: result %d order %s (%s)", rows[i].path, p->end.result, p->order, p->end.sentence);
        assert_true(p->end.sent);
        assert_true(p->end.sentence[0] != '\0');
        assert_null(strstr(p->end.sentence, "Out of memory"));
        assert_int_equal(get("/ok")->end.result, CALL_OK); /* nothing is left behind */
    }
}

enum { REACHED = 100, POLICY = 200 };

/* In a process of its own: GET with libcurl's n-th allocation failing. The result, plus REACHED when it did fail;
 * POLICY when it ended the process with the sentence of base/mem.h. */
static int result_without_memory(const char *path, long n)
{
    int status, hush[2];
    assert_int_equal(pipe(hush), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct upstream_options o = {"", "", 5000, true};
        dup2(hush[1], STDERR_FILENO); /* the sentence */
        loop = loop_new(NULL);
        up = upstream_new(loop, &o);
        loop_timer_init(&guard, loop, on_guard, NULL);
        fail_at = n;
        int result = (int)get(path)->end.result;
        _exit(result + (fail_at == 0 ? REACHED : 0));
    }
    close(hush[1]);
    char said[100] = "";
    ssize_t got = read(hush[0], said, sizeof(said) - 1);
    close(hush[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status) && got > 0 && strstr(said, "out of memory")) return POLICY;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Memory that runs out inside libcurl is never the upstream's doing, wherever it happens. */
static void test_no_memory(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* libcurl starts a thread when a literal address gets no memory; TSan allows none after a fork */
#endif
    unsigned told = 0;
    long n = 0;
    for (int result = REACHED; result >= REACHED; told += result == REACHED + CALL_NO_MEMORY) {
        result = result_without_memory("/ok", ++n);
        bool good =
            result == CALL_OK || result == REACHED + CALL_OK || result == REACHED + CALL_NO_MEMORY || result == POLICY;
        if (!good) fail_msg("allocation %ld: result %d", n, result);
    }
    assert_true(n > 50);
    assert_true(told > 20);
    assert_int_equal(result_without_memory("/hugeline", LONG_MAX), CALL_GARBAGE); /* the same code of libcurl */
}

static void test_redirect_not_followed(void **state)
{
    (void)state;
    struct probe *p = get("/redirect");
    assert_int_equal(p->status, 302);
    assert_int_equal(p->end.result, CALL_OK);
    assert_int_equal(srv.requests, 1);
}

static void test_no_connection(void **state)
{
    (void)state;
    struct probe p = {0};
    int port, fd = listen_any(&port);
    close(fd);
    char url[100];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/x?secret=1", port);
    start_url(&p, "GET", url, NULL, NULL);
    run();
    assert_int_equal(p.end.result, CALL_CONNECT);
    assert_string_equal(p.order, "d");
    assert_false(p.end.sent);
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/ok?secret=1", srv.port);
    start_url(&p, "GET", url, NULL, NULL);
    run();
    assert_int_equal(p.end.result, CALL_TLS);
    assert_false(p.end.sent);
    assert_null(strstr(srv.last, "Authorization"));
    start_url(&p, "GET", "ftp://127.0.0.1/secret", NULL, NULL);
    run();
    assert_int_equal(p.end.result, CALL_INTERNAL);
}

static void test_http_needs_permission(void **state)
{
    (void)state;
    const struct upstream_options o = {"", "", 5000, false};
    upstream_set_options(up, &o);
    assert_int_equal(get("/ok")->end.result, CALL_INTERNAL);
    assert_int_equal(srv.connections, 0);
}

static void test_environment_proxy_ignored(void **state)
{
    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    assert_int_equal(get("/ok")->end.result, CALL_OK);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

static void on_tick(void *arg)
{
    upstream_resume(((struct probe *)arg)->call);
    upstream_resume(((struct probe *)arg)->call); /* harmless */
}

static void test_pause_resume(void **state)
{
    (void)state;
    struct probe p = {.pause_left = 30};
    loop_timer_init(&tick, loop, on_tick, &p);
    probe_start(&p, "GET", "/big?4000000", NULL);
    loop_timer_start(&guard, 15000);
    unsigned paused_turns = 0;
    while (!p.done && !timed_out) {
        size_t before = p.body.len;
        unsigned left = p.pause_left;
        run_turn();
        if (p.pause_left == left) continue;
        /* Paused: more turns bring no byte. */
        before = p.body.len;
        for (int i = 0; i < 3; i++) run_turn();
        assert_int_equal(p.body.len, before);
        paused_turns++;
        loop_timer_start(&tick, 1);
    }
    run();
    assert_int_equal(p.end.result, CALL_OK);
    assert_int_equal(p.body.len, 4000000);
    assert_int_equal(paused_turns, 30);
    assert_int_equal(p.end.bytes_down, 4000000);
    buf_free(&p.body);
}

static void test_pause_is_backpressure(void **state)
{
    (void)state;
    struct probe p = {.pause_left = 1};
    probe_start(&p, "GET", "/big?50000000", NULL);
    until(&srv.requests, 1);
    while (p.pause_left) run_turn();
    for (int i = 0; i < 200; i++) run_turn();
    assert_true(p.body.len <= 16384);
    upstream_cancel(p.call);
    pending--;
    run_turn();
    buf_free(&p.body);
}

static void test_cancel_in_callbacks(void **state)
{
    (void)state;
    static const char phases[] = "shb";
    for (const char *ph = phases; *ph; ph++) {
        struct probe p = {.cancel_at = *ph};
        unsigned gone = srv_get(&srv.peer_gone);
        probe_start(&p, "GET", "/drip", NULL);
        run();
        assert_false(p.done);
        assert_int_equal(p.order[strlen(p.order) - 1], *ph);
        until(&srv.peer_gone, gone + 1); /* the upstream sees it */
        assert_int_equal(upstream_count(up), 0);
        buf_free(&p.body);
    }
}

static void test_cancel_phases(void **state)
{
    (void)state;
    struct probe p = {0};
    probe_start(&p, "GET", "/hang", NULL); /* at once */
    upstream_cancel(p.call);
    assert_int_equal(upstream_count(up), 0);
    run_turn();
    assert_int_equal(srv_get(&srv.connections), 0);
    probe_start(&p, "GET", "/hang", NULL); /* while connecting */
    run_turn();
    upstream_cancel(p.call);
    run_turn();
    struct probe w = {0}; /* while waiting for the first byte */
    probe_start(&w, "GET", "/hang", NULL);
    while (!strchr(w.order, 's')) run_turn();
    upstream_cancel(w.call);
    run_turn();
    until(&srv.peer_gone, 1);
    struct probe q = {.pause_left = 1}; /* while paused */
    probe_start(&q, "GET", "/big?5000000", NULL);
    while (q.pause_left) run_turn();
    for (int i = 0; i < 20; i++) run_turn();
    upstream_cancel(q.call);
    run_turn();
    struct probe r = {.pause_left = 1}; /* resumed and cancelled in one breath */
    probe_start(&r, "GET", "/big?5000000", NULL);
    while (r.pause_left) run_turn();
    for (int i = 0; i < 20; i++) run_turn();
    size_t had = r.body.len;
    upstream_resume(r.call);
    upstream_cancel(r.call);
    run_turn();
    assert_int_equal(r.body.len, had);
    pending = 0;
    buf_free(&q.body);
    buf_free(&r.body);
}

static void test_cancel_other_and_restart(void **state)
{
    (void)state;
    struct probe other = {0}, p = {.kill = &other, .again = "/chunked"};
    probe_start(&other, "GET", "/hang", NULL);
    until(&srv.requests, 1);
    probe_start(&p, "GET", "/ok", NULL);
    run();
    assert_false(other.done);
    assert_string_equal(p.order, "shbdshbd");
    assert_string_equal(buf_cstr(&p.body), "hellohello world");
    buf_free(&p.body);
}

static void test_free_with_running_calls(void **state)
{
    (void)state;
    static struct probe p[20];
    memset(p, 0, sizeof(p));
    for (int i = 0; i < 20; i++) probe_start(&p[i], "GET", i % 2 ? "/hang" : "/drip", NULL);
    until(&srv.requests, 20);
    probe_start(&p[0], "GET", "/ok", NULL); /* and one not begun */
    pending = 0;
    upstream_free(up);
    const struct upstream_options o = {"", "", 5000, true};
    up = upstream_new(loop, &o);
    until(&srv.peer_gone, 20);
    for (int i = 0; i < 20; i++) {
        assert_false(p[i].done);
        buf_free(&p[i].body);
    }
}

static void test_bodies(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 65535, 65536, 300000, 5000000, 10};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct probe p = {0};
        struct body *b = body_of(sizes[i]);
        probe_start(&p, "POST", "/ok", b);
        body_put(b); /* the call has its own reference */
        run();
        assert_int_equal(p.end.result, CALL_OK);
        assert_string_equal(p.order, "shbd");
        assert_int_equal(p.end.bytes_up, sizes[i]);
        assert_int_equal(srv.last_body, sizes[i]);
        assert_null(strstr(srv.last, "Expect"));
        buf_free(&p.body);
    }
}

static void test_early_answer(void **state)
{
    (void)state;
    struct probe p = {0};
    struct body *b = body_of(30000000);
    probe_start(&p, "POST", "/early", b);
    body_put(b);
    run();
    assert_int_equal(p.status, 413);
    assert_null(strchr(p.order, 's')); /* it was not sent completely */
    assert_string_equal(buf_cstr(&p.body), "{}");
    buf_free(&p.body);
}

static void test_many_at_once(void **state)
{
    (void)state;
    enum { N = 600 };
    static struct probe p[N];
    memset(p, 0, sizeof(p));
    for (int i = 0; i < N; i++) probe_start(&p[i], "GET", "/ok", NULL);
    assert_int_equal(upstream_count(up), N);
    run();
    for (int i = 0; i < N; i++) {
        assert_int_equal(p[i].end.result, CALL_OK);
        assert_string_equal(p[i].order, "shbd");
        buf_free(&p[i].body);
    }
    assert_int_equal(srv_get(&srv.requests), N);
    assert_int_equal(get("/ok")->end.reused, true);
}

static struct addrs *addrs_make(int port, const char *ip)
{
    struct addrs *a = xcalloc(1, sizeof(*a));
    atomic_init(&a->refs, 1);
    a->host = xstrdup("up.example");
    a->port = port;
    a->resolve_entry = xasprintf("up.example:%d:%s", port, ip);
    return a;
}

static void test_given_addresses(void **state)
{
    (void)state;
    struct probe p = {0};
    char url[100];
    snprintf(url, sizeof(url), "http://up.example:%d/stale", srv.port);
    struct addrs *good = addrs_make(srv.port, "127.0.0.1"), *bad = addrs_make(srv.port, "127.0.0.9");
    for (int i = 0; i < 3; i++) { /* a change of addresses takes effect, in both directions */
        start_url(&p, "GET", url, NULL, good);
        run();
        assert_int_equal(p.end.result, CALL_OK);
        assert_non_null(strstr(srv.last, "Host: up.example"));
        for (int k = 0; k < 5; k++) poll(NULL, 0, 2); /* let the server's close arrive */
        start_url(&p, "GET", url, NULL, bad);
        run();
        assert_int_equal(p.end.result, CALL_CONNECT);
    }
    struct addrs *failed = addrs_make(srv.port, "127.0.0.1");
    failed->failed = true;
    start_url(&p, "GET", url, NULL, failed);
    run();
    assert_int_equal(p.end.result, CALL_DNS);
    assert_int_equal(atomic_load(&failed->refs), 1);
    addrs_put(good);
    addrs_put(bad);
    addrs_put(failed);
    buf_free(&p.body);
}

static void test_new_options_drop_connections(void **state)
{
    (void)state;
    struct upstream_options o = {"", "", 4000, true};
    struct probe hang = {0};
    get("/ok");
    upstream_set_options(up, &o); /* a timeout changed: connections stay */
    assert_true(get("/ok")->end.reused);
    probe_start(&hang, "GET", "/hang", NULL);
    until(&srv.requests, 3);
    pending--;
    o.ca_file = "/nonexistent/ca.pem";
    upstream_set_options(up, &o);
    assert_false(get("/ok")->end.reused);
    assert_non_null(hang.call); /* what runs goes on */
    upstream_cancel(hang.call);
    until(&srv.peer_gone, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_normal),
        T(test_request_lines),
        T(test_injection_refused),
        T(test_reuse),
        T(test_reap),
        T(test_stale_connection),
        T(test_dropped_on_reuse),
        T(test_failures),
        T(test_no_memory),
        T(test_redirect_not_followed),
        T(test_no_connection),
        T(test_http_needs_permission),
        T(test_environment_proxy_ignored),
        T(test_pause_resume),
        T(test_pause_is_backpressure),
        T(test_cancel_in_callbacks),
        T(test_cancel_phases),
        T(test_cancel_other_and_restart),
        T(test_free_with_running_calls),
        T(test_bodies),
        T(test_early_answer),
        T(test_many_at_once),
        T(test_given_addresses),
        T(test_new_options_drop_connections),
    };
    struct buf why = BUF_INIT(200);
    signal(SIGPIPE, SIG_IGN);
    curl_global_init_mem(CURL_GLOBAL_DEFAULT, curls_malloc, free, curls_realloc, curls_strdup, curls_calloc);
    if (!upstream_global_init(&why)) return 1;
    srv.listener = listen_any(&srv.port);
    pthread_t t;
    pthread_create(&t, NULL, accept_all, NULL);
    return cmocka_run_group_tests_name("upstream", tests, NULL, NULL);
}
