/* Life of a connection:
 *
 *   accept -> HEAD -> BODY -> (HOLD) -> ANSWER -> HEAD ...
 *              |                          |-> LINGER -> close     scripted ends
 *              '-> DRAIN (early answer)   '-> close               peer gone, cut, RST
 *
 * Invariants: the epoll set holds every live connection exactly once; a connection that dies stays in memory until
 * the turn is over (an event for it may already be in the batch); at most one timer per connection, in a binary heap;
 * while an answer is under way at most IN_CAP bytes of the next request are read, then reading is switched off, but a
 * peer that leaves is still seen (EPOLLRDHUP). A peer that shuts down its sending side counts as gone. */
#include "serve.h"
#include "script.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int epoll_fd, listen_fd;
static bool accepting;
static int64_t turn_ns;
static struct conn *dead_list;
static uint64_t next_number = 1;

int64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t now_ns(void)
{
    return turn_ns;
}

static void arm(struct conn *c, uint32_t events)
{
    if (c->armed == events || c->dead) return;
    struct epoll_event ev = {.events = events, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &ev);
    c->armed = events;
}

static void listen_on(bool on)
{
    if (accepting == on) return;
    accepting = on;
    struct epoll_event ev = {.events = on ? EPOLLIN : 0, .data.ptr = NULL};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, listen_fd, &ev);
}

static void set_rst(int fd)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

void conn_close(struct conn *c, bool rst)
{
    if (c->dead) return;
    c->dead = true;
    if (c->ex.active) exchange_end(c, FAULTED);
    if (rst) set_rst(c->fd);
    close(c->fd);
    conn_timer(c, 0);
    if (!c->is_control) totals.open_connections--;
    c->next_dead = dead_list;
    dead_list = c;
    listen_on(true);
}

static void bury(void)
{
    for (struct conn *c = dead_list, *next; c; c = next) {
        next = c->next_dead;
        buf_free(&c->in);
        buf_free(&c->out);
        buf_free(&c->ex.body);
        buf_free(&c->ex.model_raw);
        buf_free(&c->ex.fill_tail);
        http_free(&c->rq);
        free(c);
    }
    dead_list = NULL;
}

static void settle_counts(struct conn *c, enum ending how)
{
    struct exchange *x = &c->ex;
    if (how == COMPLETED) totals.completed++;
    if (how == CANCELLED) totals.cancelled++;
    if (how == FAULTED) totals.faulted++;
    totals.in_flight--;
    if (x->stream_open) totals.open_streams--;
    if (x->head_sent && x->status == 200 && x->flow != FLOW_BENCH) {
        totals.tokens_in += (uint64_t)x->tokens_in;
        totals.tokens_out += (uint64_t)x->tokens_out;
    } else {
        x->tokens_in = x->tokens_out = 0;
    }
    if (x->key) {
        x->key->in_flight--;
        if (how == FAULTED) x->key->faults++;
        x->key->tokens_in += (uint64_t)x->tokens_in;
        x->key->tokens_out += (uint64_t)x->tokens_out;
        if (x->model && x->tokens_in) {
            struct model_count *m = accounts_count(x->key, x->model);
            m->tokens_in += (uint64_t)x->tokens_in;
            m->tokens_out += (uint64_t)x->tokens_out;
        }
    }
    if (x->cell) {
        x->cell->tokens_in += (uint64_t)x->tokens_in;
        x->cell->tokens_out += (uint64_t)x->tokens_out;
        accounts_used(x->cell, turn_ns, UNIT_TOKENS, (uint32_t)(x->tokens_in + x->tokens_out));
    }
}

static void settle_row(struct conn *c, enum ending how, const char *cause)
{
    struct exchange *x = &c->ex;
    const char *phase = x->head_sent ? "streaming" : "waiting";
    int64_t at = how == CANCELLED ? clock_ns() : turn_ns;
    if (how == CANCELLED) report_cancel(x->seq, x->model ? x->model : "", phase, cause, at);
    struct row *r = report_find(x->seq);
    if (!r) return;
    r->ending = how;
    r->end = at;
    r->phase = phase;
    r->how = cause;
    r->tokens_in = x->tokens_in;
    r->tokens_out = x->tokens_out;
    r->events = x->events;
}

static void exchange_free(struct exchange *x)
{
    struct buf body = x->body, raw = x->model_raw, tail = x->fill_tail;
    act_drop(x->act);
    free(x->model);
    buf_clear(&body, 4096);
    buf_clear(&raw, 512);
    buf_clear(&tail, 512);
    *x = (struct exchange){.body = body, .model_raw = raw, .fill_tail = tail};
}

static void exchange_close(struct conn *c, enum ending how, const char *cause)
{
    struct exchange *x = &c->ex;
    x->active = false;
    if (c->phase == PH_WAIT) control_forget(c);
    if (!x->control) {
        settle_counts(c, how);
        settle_row(c, how, cause);
    }
    exchange_free(x);
}

/* What the connection does next is read from the act before the exchange is freed. */
void exchange_end(struct conn *c, enum ending how)
{
    struct exchange *x = &c->ex;
    const struct act *a = x->act;
    enum after after = x->after;
    int64_t linger = a && a->linger_ms >= 0 ? a->linger_ms : -1;
    bool half = a && a->half_close, silent = a && a->close_idle_silently;
    exchange_close(c, how, NULL);
    conn_timer(c, 0);
    if (c->dead) return;
    if (after == AFTER_RST) {
        /* the peer gets a moment to read what came before: an RST throws away what it has not read yet */
        c->phase = PH_LINGER;
        c->rst_at_timer = true;
        conn_timer(c, turn_ns + 20 * 1000000);
    } else if (after == AFTER_CLOSE) {
        conn_close(c, false);
    } else if (half) {
        shutdown(c->fd, SHUT_WR);
        c->phase = PH_LINGER;
    } else if (linger >= 0) {
        c->phase = PH_LINGER;
        conn_timer(c, turn_ns + linger * 1000000 + 1);
    } else {
        c->reset_next = silent;
        if (c->phase != PH_DRAIN) c->phase = PH_HEAD;
    }
    if (c->phase == PH_LINGER) arm(c, EPOLLRDHUP);
}

static void peer_gone(struct conn *c, const char *how)
{
    if (c->ex.active) {
        exchange_close(c, CANCELLED, how);
    } else if (!c->is_control && c->phase != PH_LINGER &&
               (c->phase == PH_BODY || (c->phase == PH_HEAD && buf_size(&c->in)))) {
        totals.partial_requests++;
    }
    conn_close(c, false);
}

/* Sends until everything is out (true) or the socket is full or lost (false). */
static bool send_waiting(struct conn *c)
{
    size_t limit = c->ex.act && c->ex.act->split > 0 ? (size_t)c->ex.act->split : SIZE_MAX;
    while (buf_size(&c->out)) {
        size_t n = buf_size(&c->out) < limit ? buf_size(&c->out) : limit;
        ssize_t k = send(c->fd, buf_data(&c->out), n, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0 && errno == EAGAIN) {
            arm(c, (c->armed | EPOLLOUT));
            return false;
        }
        if (k < 0) {
            peer_gone(c, errno == ECONNRESET ? "rst" : "pipe");
            return false;
        }
        if (!c->ex.control) totals.bytes_out += (uint64_t)k;
        c->ex.head_sent = true;
        buf_consume(&c->out, (size_t)k);
    }
    if (c->armed & EPOLLOUT) arm(c, c->armed & ~(uint32_t)EPOLLOUT);
    buf_clear(&c->out, 2 * OUT_CAP);
    return true;
}

static void flush(struct conn *c)
{
    while (!c->dead && send_waiting(c)) {
        struct exchange *x = &c->ex;
        if (!x->active) return;
        if (x->finished) {
            exchange_end(c, x->faulted ? FAULTED : COMPLETED);
            return;
        }
        if (!x->blocked) return;
        respond_pump(c);
    }
}

static bool busy(const struct conn *c)
{
    return c->phase >= PH_HOLD;
}

static void refuse(struct conn *c)
{
    totals.bad_requests++;
    buf_puts(&c->out, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n"
                      "Connection: close\r\n\r\nbad request");
    c->in.off = c->in.len = 0;
    if (send_waiting(c)) conn_close(c, false);
}

/* A head is complete. */
static void head_done(struct conn *c, long n)
{
    buf_consume(&c->in, (size_t)n);
    c->served++;
    c->phase = PH_BODY;
    if (c->reset_next) {
        conn_close(c, true);
        return;
    }
    if (answer_early(c)) {
        if (!c->dead) c->phase = PH_DRAIN;
    } else if (c->rq.expect && (c->rq.length || c->rq.chunked)) {
        buf_puts(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
        send_waiting(c);
    }
}

/* One step of reading; false when more bytes are needed or the connection is busy. */
static bool step(struct conn *c)
{
    size_t have = buf_size(&c->in);
    if (c->phase == PH_HEAD) {
        long n = have ? http_head(&c->rq, buf_data(&c->in), have) : 0;
        if (n < 0) refuse(c);
        if (n > 0) head_done(c, n);
        return n > 0 && !c->dead;
    }
    if (c->phase != PH_BODY && c->phase != PH_DRAIN) return false;
    bool drain = c->phase == PH_DRAIN;
    if (c->rq.chunked) {
        size_t used = 0;
        int k = have ? http_chunked(&c->rq, buf_data(&c->in), have, &used) : 0;
        buf_consume(&c->in, used);
        if (drain) buf_clear(&c->rq.body, 0);
        if (k < 0) refuse(c);
        if (k <= 0) return false;
        if (!drain) answer_request(c, buf_data(&c->rq.body), buf_size(&c->rq.body));
    } else if (drain) {
        size_t n = have < c->rq.length ? have : (size_t)c->rq.length;
        buf_consume(&c->in, n);
        c->rq.length -= n;
        if (c->rq.length) return false;
    } else {
        if (have < c->rq.length) return false;
        answer_request(c, buf_data(&c->in), (size_t)c->rq.length);
        buf_consume(&c->in, (size_t)c->rq.length);
        buf_clear(&c->in, 4 * IN_CAP);
    }
    http_reset(&c->rq);
    if (drain) c->phase = c->ex.active ? PH_ANSWER : PH_HEAD;
    return !c->dead;
}

void conn_process(struct conn *c)
{
    do {
        flush(c);
    } while (!c->dead && step(c));
    if (!c->dead) flush(c);
    if (c->dead) return;
    if (c->eof) {
        peer_gone(c, "fin");
        return;
    }
    if (c->phase != PH_LINGER && !(c->armed & EPOLLIN) && (!busy(c) || buf_size(&c->in) < IN_CAP))
        arm(c, c->armed | EPOLLIN);
}

/* How much to make room for: the rest of a known body, but at most as much again as is there. */
static size_t wanted(const struct conn *c)
{
    size_t have = buf_size(&c->in), n = 4096;
    if (c->phase == PH_DRAIN || (c->phase == PH_BODY && c->rq.chunked)) return IN_CAP;
    if (c->phase == PH_BODY && !c->rq.chunked && c->rq.length > have) {
        size_t rest = (size_t)(c->rq.length - have);
        n = rest < have + IN_CAP ? rest : have + IN_CAP;
    }
    return n < 4096 ? 4096 : n;
}

static void read_input(struct conn *c)
{
    for (int turns = 0; turns < 16; turns++) {
        if (c->phase == PH_LINGER) return;
        if (busy(c) && buf_size(&c->in) >= IN_CAP) {
            arm(c, c->armed & ~(uint32_t)EPOLLIN);
            return;
        }
        size_t room = wanted(c);
        char *at = buf_room(&c->in, room);
        room = c->in.cap - c->in.len;
        ssize_t n = recv(c->fd, at, room, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) {
            peer_gone(c, "rst");
            return;
        }
        if (n == 0) {
            c->eof = true;
            return;
        }
        c->in.len += (size_t)n;
        if ((size_t)n < room) return;
        if (c->phase == PH_DRAIN || c->phase == PH_HEAD || c->rq.chunked) return;
    }
}

static void on_event(struct conn *c, uint32_t ev)
{
    if (c->dead) return;
    if (ev & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_input(c);
    if (c->dead) return;
    if ((ev & (EPOLLHUP | EPOLLERR)) || ((ev & EPOLLRDHUP) && !(c->armed & EPOLLIN))) {
        if (c->phase == PH_LINGER || busy(c)) {
            peer_gone(c, ev & EPOLLERR ? "rst" : "fin");
            return;
        }
    }
    conn_process(c);
}

static void on_timer(struct conn *c)
{
    conn_timer(c, 0);
    if (c->phase == PH_LINGER) {
        conn_close(c, c->rst_at_timer);
        return;
    }
    if (c->phase == PH_HOLD)
        respond_begin(c);
    else if (c->phase == PH_WAIT)
        control_timeout(c);
    else if (c->ex.active)
        respond_pump(c);
    if (!c->dead) conn_process(c);
}

static void adopt(int fd)
{
    int on = 1;
    if (script_has(AT_ACCEPT)) {
        struct candidate nobody = {.stream = -1};
        struct act *a = script_match(&nobody, AT_ACCEPT);
        if (a) {
            totals.accepted++;
            totals.faulted++;
            act_drop(a);
            set_rst(fd);
            close(fd);
            return;
        }
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct conn *c = xalloc(sizeof *c);
    c->fd = fd;
    c->number = next_number++;
    c->armed = EPOLLIN | EPOLLRDHUP;
    struct epoll_event ev = {.events = c->armed, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
        close(fd);
        free(c);
        return;
    }
    totals.accepted++;
    totals.open_connections++;
}

static void accept_some(void)
{
    for (int i = 0; i < 128; i++) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            adopt(fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            listen_on(false); /* on again when a connection closes */
            return;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

int serve_listen(const char *host, int port, struct buf *why)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t len = sizeof a;
    int on = 1;
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1) {
        buf_printf(why, "--host: \"%s\" is not an IPv4 address", host);
        return -1;
    }
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listen_fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(listen_fd, 16384) < 0 ||
        getsockname(listen_fd, (struct sockaddr *)&a, &len) < 0) {
        buf_printf(why, "cannot listen on %s:%d: %s", host, port, strerror(errno));
        return -1;
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &ev);
    accepting = true;
    return ntohs(a.sin_port);
}

void serve_run(volatile int *stop)
{
    static struct epoll_event events[512];
    turn_ns = clock_ns();
    while (!*stop) {
        int n = epoll_wait(epoll_fd, events, 512, timers_wait_ms());
        turn_ns = clock_ns();
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                on_event(events[i].data.ptr, events[i].events);
            else
                accept_some();
        }
        turn_ns = clock_ns();
        /* those due now only: a timer set for "at once" waits for the next turn, after the sockets */
        struct conn *due;
        for (size_t k = timers_count(); k && (due = timers_due(turn_ns)) != NULL; k--) on_timer(due);
        if (control_waiting()) control_check();
        bury();
        if (n < 0) listen_on(true);
    }
}
