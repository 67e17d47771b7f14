/* The life of one connection. Owner: the worker's thread.
 *
 *            bytes          on_head           conn_read_body
 *   HEAD ------------> HEAD --------> HANDLE ----------------> BODY
 *    ^                  | on_fault      |  ^                    | on_body / on_fault
 *    |                  `-------------->|  `--------------------'
 *    |                                  | conn_start        conn_end
 *    |                                  |-----------> REPLY -------.
 *    |                                  | conn_reply               v
 *    |                                  `----------------------> DONE
 *    `---------------- connection persists ------------------------|
 *                                              else  FLUSH <-------'
 *                                    nothing unread |   | unread input
 *                                               CLOSED <- LINGER
 *
 * Everything happens in conn_run(), a task at the end of the loop's turn: events, timers and the handler's calls only
 * leave marks and queue it. So the handler is never called from inside one of its own calls, pipelined requests are
 * answered in a loop instead of by recursion, and what was written during a turn leaves in one send().
 *
 * Invariants:
 *  - on_gone exactly once for a request that was open and got no complete reply; never after a complete one.
 *  - Heads are not read while a request is open; pipelined bytes stay in the kernel (or behind `in->pos`).
 *  - Sockets are edge-triggered: `readable` and `writable` fall only on EAGAIN. `drained` is the guess that a short
 *    recv() emptied the socket; it is trusted only by an idle connection, where the next edge corrects it.
 *  - libevent reports an RST as READ|WRITE, like new data: while a request is open a read event makes us ask the
 *    kernel (check_peer).
 *  - CLOSED: descriptor, watch and buffers are gone; the struct lives until its task has run. */
#include "net/conn.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

static void conn_run(void *arg);

void conn_kick(struct conn *c)
{
    if (!c->running) loop_defer(c->server->loop, &c->task, conn_run, c);
}

bool conn_is_open(const struct conn *c)
{
    return c->state == CONN_HANDLE || c->state == CONN_BODY || c->state == CONN_REPLY;
}

void conn_set_idle(struct conn *c, bool idle)
{
    struct server *s = c->server;
    if (c->idle == idle || c->is_local) return;
    c->idle = idle;
    list_remove(&c->link);
    list_append(idle ? &s->idle : &s->open, &c->link);
    atomic_fetch_add_explicit(&s->idle_count, idle ? 1u : -1u, memory_order_relaxed);
}

static void on_io(void *arg, unsigned events)
{
    struct conn *c = arg;
    if (events & LOOP_CLOSED) c->peer_closed = true;
    if (events & (LOOP_READ | LOOP_CLOSED)) {
        c->readable = c->check_peer = true;
        c->drained = false;
    }
    if (events & LOOP_WRITE) c->writable = true;
    conn_kick(c);
}

void conn_open(struct conn *c)
{
    struct server *s = c->server;
    c->state = CONN_HEAD;
    conn_set_idle(c, true);
    c->writable = true;
    c->since = loop_now(s->loop);
    c->io = loop_io_new(s->loop, c->fd, LOOP_READ | LOOP_WRITE | LOOP_CLOSED | LOOP_EDGE, on_io, c);
    if (c->io)
        conn_kick(c); /* starts the timer */
    else
        conn_close(c);
}

void conn_close(struct conn *c)
{
    struct server *s = c->server;
    c->state = CONN_CLOSED;
    conn_set_idle(c, false);
    loop_io_free(c->io);
    c->io = NULL;
    close(c->fd);
    c->fd = -1;
    loop_timer_stop(&c->timer);
    input_give(s, c->in);
    input_give(s, c->leftover);
    c->in = c->leftover = NULL;
    output_give(s, &c->out);
    c->out_pos = 0;
    body_put(c->body);
    c->body = NULL;
    atomic_fetch_sub_explicit(&s->count, 1, memory_order_relaxed);
    list_remove(&c->link);
    list_append(&s->dead, &c->link);
    loop_defer(s->loop, &c->task, conn_run, c);
}

void conn_gone(struct conn *c, enum gone_reason why)
{
    if (conn_is_open(c)) {
        c->state = CONN_DONE; /* what the handler still says is ignored */
        c->close_after = true;
        c->server->ops->on_gone(c->server->arg, c, why);
    }
    conn_close(c);
}

/* ---- faults and deadlines ---- */

void conn_raise(struct conn *c, enum request_fault fault, int status)
{
    c->state = CONN_HANDLE;
    conn_set_idle(c, false);
    c->fault_status = 0;
    c->close_after = true;
    c->body_done = false; /* whatever comes behind is not to be parsed: linger */
    if (!c->has_head) {
        c->user = NULL;
        c->started = c->stopped = false;
        c->bytes_out = 0;
    }
    c->server->ops->on_fault(c->server->arg, c, c->has_head ? &c->in->head : NULL, fault, status);
}

static bool head_is_waited_for(const struct conn *c)
{
    return c->state == CONN_HEAD && !c->unparsed && !c->blocked;
}

/* A connection that has not said anything yet has only as long as a head has. */
static int64_t head_patience(const struct conn *c)
{
    const struct server_limits *limits = &c->server->limits;
    if (conn_has_input(c)) return limits->head_timeout_ms;
    if (c->served) return limits->keepalive_timeout_ms;
    return MIN(limits->head_timeout_ms, limits->keepalive_timeout_ms);
}

/* The earlier of two: nothing came for body_timeout, or what came is less than the least rate. */
static mono_t body_deadline(const struct conn *c)
{
    int64_t patience = c->server->limits.body_timeout_ms;
    int64_t earned = c->body ? (int64_t)c->body->bytes.len * 1000 / BODY_RATE_MIN : 0;
    mono_t silent = mono_add(c->since, patience), slow = mono_add(c->body_began, patience + earned);
    return slow.ms < silent.ms ? slow : silent;
}

/* When to look at this connection again if nothing happens; 0 = never. */
static mono_t state_deadline(const struct conn *c)
{
    if (head_is_waited_for(c)) return mono_add(c->since, head_patience(c));
    if (c->state == CONN_BODY) return body_deadline(c);
    if (c->state == CONN_LINGER) return mono_add(c->since, LINGER_MS);
    return (mono_t){0};
}

static mono_t write_deadline(const struct conn *c)
{
    if (!conn_out_len(c)) return (mono_t){0};
    return mono_add(c->write_since, c->server->limits.write_timeout_ms);
}

static bool passed(mono_t deadline, mono_t now)
{
    return deadline.ms && deadline.ms <= now.ms;
}

/* The peer may be reading slowly from what the kernel holds, without room for us having come up yet. */
static bool kernel_made_progress(struct conn *c, mono_t now)
{
    int left = conn_unacked(c);
    if (left >= c->unacked) return false;
    c->unacked = left;
    c->write_since = now;
    return true;
}

static void check_deadlines(struct conn *c)
{
    mono_t now = loop_now(c->server->loop);
    c->timer_fired = false;
    if (c->state == CONN_CLOSED) return;
    if (passed(write_deadline(c), now) && !kernel_made_progress(c, now)) {
        conn_gone(c, GONE_STALLED);
        return;
    }
    if (!passed(state_deadline(c), now)) return;
    if (c->state == CONN_BODY)
        conn_raise(c, FAULT_BODY_TIMEOUT, 408);
    else if (c->state == CONN_HEAD && conn_has_input(c))
        conn_raise(c, FAULT_HEAD_TIMEOUT, 408);
    else
        conn_close(c);
}

/* An armed timer is only ever moved forward in time, by itself: no event_add() per request. */
static void arm_timer(struct conn *c)
{
    mono_t a = state_deadline(c), b = write_deadline(c);
    mono_t first = !a.ms || (b.ms && b.ms < a.ms) ? b : a;
    if (!first.ms || (c->timer.armed && c->timer_at.ms <= first.ms)) return;
    c->timer_at = first;
    loop_timer_start(&c->timer, MAX(1, mono_since(first, loop_now(c->server->loop))));
}

/* ---- steps ---- */

static bool step_done(struct conn *c)
{
    struct server *s = c->server;
    body_put(c->body);
    c->body = NULL;
    c->user = NULL;
    bool unread = !c->body_done || (c->readable && !c->drained);
    conn_next_request(c);
    c->linger = unread || conn_has_input(c);
    c->state = c->close_after ? CONN_FLUSH : CONN_HEAD;
    c->served = true;
    conn_set_idle(c, c->state == CONN_HEAD);
    c->since = loop_now(s->loop);
    return true;
}

/* False: nothing more can be done without the world's or the handler's doing. */
static bool step(struct conn *c)
{
    switch (c->state) {
    case CONN_HEAD: return conn_step_head(c);
    case CONN_BODY: return conn_step_body(c);
    case CONN_DONE: return step_done(c);
    case CONN_LINGER: return conn_step_linger(c);
    default: return false;
    }
}

static void look_at_peer(struct conn *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};
    if (poll(&p, 1, 0) <= 0) return;
    if (p.revents & (POLLERR | POLLHUP | POLLNVAL)) c->broken = true;
    if (p.revents & POLLRDHUP) c->peer_closed = true;
}

static bool last_answer_is_out(struct conn *c)
{
    if (!c->linger || shutdown(c->fd, SHUT_WR) != 0) {
        conn_close(c);
        return false;
    }
    c->state = CONN_LINGER;
    c->linger_left = LINGER_BYTES;
    c->since = loop_now(c->server->loop);
    return true;
}

/* After a flush: what the output's state or the peer's leads to. True: look again. */
static bool settle(struct conn *c)
{
    size_t queued = conn_out_len(c), queue = c->server->limits.client_queue;
    bool waiting = c->state == CONN_HANDLE || c->state == CONN_REPLY;
    if (waiting && c->check_peer && !c->broken) look_at_peer(c);
    c->check_peer = false;
    if (c->state == CONN_CLOSED) return false;
    if (c->broken || (waiting && c->peer_closed)) {
        conn_gone(c, GONE_CLOSED);
        return false;
    }
    if (c->state == CONN_FLUSH && !queued) return last_answer_is_out(c);
    if (c->blocked && queued < queue) {
        c->blocked = false;
        c->since = loop_now(c->server->loop);
        return true;
    }
    if (c->state == CONN_REPLY && c->stopped && queued < queue / 2 + 1) {
        c->stopped = false;
        c->server->ops->on_drain(c->server->arg, c);
        return true;
    }
    return false;
}

static void conn_run(void *arg)
{
    struct conn *c = arg;
    if (c->state == CONN_CLOSED) {
        conn_destroy(c);
        return;
    }
    unsigned steps = 0;
    c->running = true;
    if (c->timer_fired) check_deadlines(c);
    do {
        while (steps < STEPS_PER_TURN && step(c)) steps++;
        conn_flush(c);
    } while (settle(c) && steps++ < STEPS_PER_TURN);
    c->running = false;
    if (c->state == CONN_CLOSED) return;
    if (steps >= STEPS_PER_TURN) loop_defer_next(c->server->loop, &c->task, conn_run, c);
    arm_timer(c);
}

/* ---- what the handler may ask ---- */

void conn_set_user(struct conn *c, void *user)
{
    c->user = user;
}

void *conn_user(const struct conn *c)
{
    return c->user;
}

const char *conn_peer(const struct conn *c)
{
    return c->peer;
}

bool conn_is_local(const struct conn *c)
{
    return c->is_local;
}

const struct head *conn_head(const struct conn *c)
{
    return c->has_head && c->in ? &c->in->head : NULL;
}

bool conn_said_tls(const struct conn *c)
{
    return !c->has_head && c->in && c->in->bytes.len > c->in->pos && c->in->bytes.data[c->in->pos] == 0x16;
}

void conn_close_after(struct conn *c)
{
    c->close_after = true;
}
