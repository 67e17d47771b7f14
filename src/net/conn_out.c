/* What goes out: reply heads, framing, and the output queue (one buffer, pooled while empty). The queue leaves in one
 * send() at the end of the turn; data of 16 KiB and more is sent from where it lies, together with what is queued, and
 * only the rest is copied. A failed send marks the connection broken; its task draws the conclusion. */
#include "net/conn.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/check.h"

/* ---- the queue ---- */

int conn_unacked(const struct conn *c)
{
    int n = 0;
    return ioctl(c->fd, SIOCOUTQ, &n) == 0 ? n : 0;
}

void conn_out_add(struct conn *c, const void *data, size_t n)
{
    if (!n) return;
    if (!c->out.room) c->out = output_take(c->server);
    if (!conn_out_len(c)) c->write_since = loop_now(c->server->loop);
    if (c->out_pos && c->out_pos >= c->out.len / 2) {
        buf_consume(&c->out, c->out_pos);
        c->out_pos = 0;
    }
    if (!buf_add(&c->out, data, n)) c->broken = true;
}

static void out_str(struct conn *c, struct str s)
{
    conn_out_add(c, s.p, s.n);
}

/* Bytes the kernel took; 0 when it is full or the connection broke. */
static size_t send_some(struct conn *c, struct iovec *iov, size_t count)
{
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = count};
    ssize_t n;
    do {
        n = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        c->write_since = loop_now(c->server->loop);
        return (size_t)n;
    }
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        c->writable = false;
        c->unacked = conn_unacked(c);
    } else {
        c->broken = true;
    }
    return 0;
}

/* Drops n sent bytes from the front of the queue; returns how many of them were not the queue's. */
static size_t out_sent(struct conn *c, size_t n)
{
    size_t mine = MIN(n, conn_out_len(c));
    c->out_pos += mine;
    if (c->out.room && !conn_out_len(c)) {
        output_give(c->server, &c->out);
        c->out_pos = 0;
    }
    return n - mine;
}

void conn_flush(struct conn *c)
{
    while (conn_out_len(c) && c->writable && !c->broken) {
        struct iovec iov = {c->out.data + c->out_pos, conn_out_len(c)};
        out_sent(c, send_some(c, &iov, 1));
    }
}

/* Queue, data and tail in one go; what the kernel does not take is queued. */
static void out_large(struct conn *c, struct str data, struct str tail)
{
    struct iovec iov[] = {{conn_out_len(c) ? c->out.data + c->out_pos : NULL, conn_out_len(c)},
                          {(char *)(uintptr_t)data.p, data.n},
                          {(char *)(uintptr_t)tail.p, tail.n}};
    size_t n = out_sent(c, send_some(c, iov, ARRAY_LEN(iov)));
    size_t of_data = MIN(n, data.n), of_tail = n - of_data;
    conn_out_add(c, data.p + of_data, data.n - of_data);
    conn_out_add(c, tail.p + of_tail, tail.n - of_tail);
}

static void out_data(struct conn *c, struct str data, struct str tail)
{
    if (data.n >= DIRECT_WRITE_MIN && c->writable && !c->broken) {
        out_large(c, data, tail);
        return;
    }
    out_str(c, data);
    out_str(c, tail);
}

/* ---- heads ---- */

static void out_status_line(struct conn *c, int status)
{
    char line[16] = "HTTP/1.1 000 ";
    line[9] = (char)('0' + status / 100 % 10);
    line[10] = (char)('0' + status / 10 % 10);
    line[11] = (char)('0' + status % 10);
    conn_out_add(c, line, 13);
    out_str(c, str_of(http_reason(status)));
    conn_out_add(c, "\r\n", 2);
}

static void out_content_length(struct conn *c, int64_t n)
{
    char line[48];
    char *p = line + sizeof line;
    *--p = '\n';
    *--p = '\r';
    uint64_t rest = (uint64_t)n;
    do {
        *--p = (char)('0' + rest % 10);
    } while (rest /= 10);
    conn_out_add(c, "Content-Length: ", 16);
    conn_out_add(c, p, (size_t)(line + sizeof line - p));
}

static bool bodiless(int status)
{
    return status < 200 || status == 204 || status == 304;
}

/* Whether the connection persists is decided here, because the head has to say it. */
static void decide_framing(struct conn *c, int status, int64_t length)
{
    const struct head *h = conn_head(c);
    bool old = h && h->minor == 0;
    c->no_content = bodiless(status) || (h && h->is_head);
    c->chunked_out = length < 0 && !old && !c->no_content;
    c->reply_left = length;
    if (!h || !h->keep_alive || !c->body_done || c->server->draining) c->close_after = true;
    if (length < 0 && old && !c->no_content) c->close_after = true; /* only the end of the connection ends it */
}

static void out_head(struct conn *c, int status, struct str headers, int64_t length)
{
    const struct head *h = conn_head(c);
    decide_framing(c, status, length);
    out_status_line(c, status);
    out_str(c, server_date_line(c->server));
    out_str(c, headers);
    if (length >= 0 && !bodiless(status)) out_content_length(c, length);
    if (c->chunked_out || (length < 0 && !bodiless(status) && h && h->is_head && h->minor == 1))
        out_str(c, STR("Transfer-Encoding: chunked\r\n"));
    if (c->close_after)
        out_str(c, STR("Connection: close\r\n"));
    else if (h->minor == 0)
        out_str(c, STR("Connection: keep-alive\r\n"));
    conn_out_add(c, "\r\n", 2);
    c->started = true;
}

/* ---- the handler's calls ---- */

static bool is_over(const struct conn *c)
{
    return c->state == CONN_CLOSED || c->state == CONN_DONE || c->state == CONN_FLUSH;
}

static void finish(struct conn *c)
{
    c->state = CONN_DONE;
    conn_kick(c);
}

static bool may_start(struct conn *c)
{
    if (is_over(c)) return false;
    return !WARN_BUG(c->started || (c->state != CONN_HANDLE && c->state != CONN_BODY));
}

void conn_reply(struct conn *c, int status, struct str headers, struct str body)
{
    if (!may_start(c)) return;
    out_head(c, status, headers, (int64_t)body.n);
    if (!c->no_content) {
        out_data(c, body, STR(""));
        c->bytes_out = body.n;
    }
    finish(c);
}

void conn_start(struct conn *c, int status, struct str headers, int64_t content_length)
{
    if (!may_start(c)) return;
    out_head(c, status, headers, content_length);
    c->state = CONN_REPLY;
    conn_drop_head(c);
    conn_kick(c);
}

static void out_chunk(struct conn *c, struct str data)
{
    static const char hex[] = "0123456789abcdef";
    char line[20];
    char *p = line + sizeof line;
    *--p = '\n';
    *--p = '\r';
    size_t n = data.n;
    do {
        *--p = hex[n & 15];
    } while (n >>= 4);
    conn_out_add(c, p, (size_t)(line + sizeof line - p));
    out_data(c, data, STR("\r\n"));
}

bool conn_write(struct conn *c, struct str data)
{
    if (is_over(c)) return true;
    if (WARN_BUG(c->state != CONN_REPLY)) return true;
    if (c->no_content || !data.n) return true;
    if (c->reply_left >= 0) {
        if (WARN_BUG((uint64_t)c->reply_left < data.n)) data.n = (size_t)c->reply_left;
        c->reply_left -= (int64_t)data.n;
    }
    if (c->chunked_out)
        out_chunk(c, data);
    else
        out_data(c, data, STR(""));
    c->bytes_out += data.n;
    conn_kick(c);
    if (conn_out_len(c) <= c->server->limits.client_queue) return true;
    c->stopped = true;
    return false;
}

void conn_end(struct conn *c)
{
    if (is_over(c)) return;
    if (WARN_BUG(c->state != CONN_REPLY)) return;
    if (!c->no_content && WARN_BUG(c->reply_left > 0)) c->close_after = true; /* shorter than promised: breaks off */
    if (c->chunked_out) conn_out_add(c, "0\r\n\r\n", 5);
    finish(c);
}

void conn_abort(struct conn *c)
{
    if (is_over(c)) return;
    if (WARN_BUG(!conn_is_open(c))) return;
    c->close_after = true;
    finish(c);
}

size_t conn_queued(const struct conn *c)
{
    return conn_out_len(c);
}

bool conn_started(const struct conn *c)
{
    return c->started;
}

uint64_t conn_bytes_out(const struct conn *c)
{
    return c->bytes_out;
}
