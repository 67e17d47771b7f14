/* What comes in: heads into a pooled buffer, bodies with a length straight into the body's own memory, chunked ones
 * through the worker's scratch buffer. Each step does one recv() at most. */
#include "net/conn.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/mem.h"

static struct str unread(const struct conn *c)
{
    if (!c->in) return STR("");
    struct str all = buf_str(&c->in->bytes);
    return (struct str){all.p + c->in->pos, all.n - c->in->pos};
}

bool conn_has_input(const struct conn *c)
{
    return c->in && c->in->bytes.len > c->in->pos;
}

/* > 0: bytes; 0: the peer's end, or the connection broke; -1: nothing there now. */
static ssize_t receive(struct conn *c, char *to, size_t room)
{
    ssize_t n;
    do {
        n = recv(c->fd, to, room, 0);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        c->drained = (size_t)n < room && !c->peer_closed;
        return n;
    }
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        c->readable = false;
        return -1;
    }
    if (n < 0) c->broken = true;
    c->peer_closed = true;
    c->readable = false;
    return 0;
}

/* ---- heads ---- */

static void keep_head(struct input *in, const struct head *parsed)
{
    struct head_field *fields = in->head.fields;
    if (in->fields_room < parsed->field_count) {
        in->fields_room = MAX(parsed->field_count, (size_t)16);
        free(fields);
        fields = xmalloc(in->fields_room * sizeof *fields);
    }
    if (parsed->field_count) memcpy(fields, parsed->fields, parsed->field_count * sizeof *fields);
    in->head = *parsed;
    in->head.fields = fields;
}

static void begin_request(struct conn *c)
{
    const struct head *h = &c->in->head;
    c->state = CONN_HANDLE;
    conn_set_idle(c, false);
    c->has_head = true;
    c->user = NULL;
    c->body_asked = false;
    c->body_done = h->content_length <= 0 && !h->chunked;
    c->started = c->stopped = false;
    c->bytes_out = 0;
    c->fault_status = 0;
    c->server->ops->on_head(c->server->arg, c, h);
}

/* True: there is a request or a fault now. */
static bool try_head(struct conn *c)
{
    struct server *s = c->server;
    struct str bytes = unread(c);
    struct head parsed;
    c->unparsed = false;
    int r = head_parse(bytes.p, bytes.n, &s->limits.head, s->fields, &parsed);
    if (r == 0) return false;
    if (r < 0) {
        conn_raise(c, FAULT_BAD_HEAD, -r);
        return true;
    }
    keep_head(c->in, &parsed);
    c->in->pos += (size_t)r;
    begin_request(c);
    return true;
}

/* Most bytes of a slow head change nothing: only a line's end, the first bytes, or a good deal more can. */
static bool worth_parsing(struct str all, size_t fresh, size_t max_line)
{
    return all.n <= 64 || all.n - fresh <= 64 || all.n > max_line || memchr(all.p + all.n - fresh, '\n', fresh);
}

static bool read_head(struct conn *c)
{
    struct server *s = c->server;
    bool first = !conn_has_input(c);
    if (first && c->drained) return false;
    if (!c->in) c->in = input_take(s);
    if (c->in->pos) {
        buf_consume(&c->in->bytes, c->in->pos);
        c->in->pos = 0;
    }
    struct buf *b = &c->in->bytes;
    size_t room = b->room > b->len + 1 + 512 ? b->room - b->len - 1 : MAX(b->len, (size_t)INPUT_FIRST - 1);
    char *to = buf_reserve(b, room);
    if (!to) {
        c->broken = true; /* out of memory: head_parse() refuses long before the cap */
        return false;
    }
    ssize_t n = receive(c, to, room);
    if (n <= 0) return n == 0;
    buf_added(b, (size_t)n);
    if (first) c->since = loop_now(s->loop);
    c->unparsed = worth_parsing(unread(c), (size_t)n, s->limits.head.max_line);
    return true;
}

static void give_idle_input(struct conn *c)
{
    if (!c->in || conn_has_input(c)) return;
    input_give(c->server, c->in);
    c->in = NULL;
}

void conn_drop_head(struct conn *c)
{
    if (c->body_done) give_idle_input(c); /* else the connection closes after the answer, and the head says how */
}

bool conn_step_head(struct conn *c)
{
    if (conn_out_len(c) >= MAX(c->server->limits.client_queue, (size_t)1)) {
        c->blocked = true;
        return false;
    }
    if (c->unparsed && try_head(c)) return true;
    if (c->readable && read_head(c)) return true;
    give_idle_input(c);
    bool ended = c->peer_closed && !c->readable;
    if (ended || (c->server->draining && !c->in)) {
        conn_set_idle(c, false);
        c->state = CONN_FLUSH; /* earlier answers may still be on their way */
        c->linger = false;
        return true;
    }
    return false;
}

void conn_next_request(struct conn *c)
{
    c->has_head = false;
    if (c->leftover) {
        input_give(c->server, c->in);
        c->in = c->leftover;
        c->leftover = NULL;
    }
    give_idle_input(c);
    c->unparsed = c->in != NULL;
}

/* ---- bodies ---- */

static void fail_body(struct conn *c, enum request_fault fault, int status)
{
    c->fault = fault;
    c->fault_status = status;
}

static void prepare_body(struct conn *c, const struct head *h)
{
    uint64_t length = h->content_length > 0 ? (uint64_t)h->content_length : 0;
    if (length > c->body_limit) {
        fail_body(c, FAULT_BODY_TOO_LARGE, 413);
        return;
    }
    c->body = body_new(c->server->budget, h->chunked ? (size_t)MIN(c->body_limit, SIZE_MAX / 4) : (size_t)length);
    if (!h->chunked && !body_charge(c->body, (int64_t)length)) {
        fail_body(c, FAULT_NO_MEMORY, 503);
        return;
    }
    chunk_init(&c->chunks);
    if (h->expect_continue && !conn_has_input(c)) conn_out_add(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

void conn_read_body(struct conn *c, uint64_t limit)
{
    if (c->state == CONN_CLOSED || c->state == CONN_DONE) return;
    if (WARN_BUG(c->state != CONN_HANDLE || c->body_asked || !c->has_head)) return;
    c->state = CONN_BODY;
    c->body_asked = true;
    c->body_limit = limit;
    c->since = c->body_began = loop_now(c->server->loop);
    if (!c->body_done) prepare_body(c, &c->in->head);
    conn_kick(c);
}

/* Memory or limit for n more bytes of a chunked body. */
static bool room_for(struct conn *c, size_t n)
{
    struct body *b = c->body;
    if (n > c->body_limit || b->bytes.len > c->body_limit - n) {
        fail_body(c, FAULT_BODY_TOO_LARGE, 413);
        return false;
    }
    int64_t need = (int64_t)(b->bytes.len + n);
    int64_t step = (need + CHUNKED_CHARGE - 1) / CHUNKED_CHARGE * CHUNKED_CHARGE;
    if (need > b->charged && !body_charge(b, step)) {
        fail_body(c, FAULT_NO_MEMORY, 503);
        return false;
    }
    return true;
}

/* Decodes what it can; *bytes keeps what belongs to the next request. */
static void take_chunked(struct conn *c, struct str *bytes)
{
    struct str piece;
    enum chunk_result r;
    while ((r = chunk_read(&c->chunks, bytes, &piece)) == CHUNK_DATA) {
        if (!room_for(c, piece.n)) return;
        if (!buf_add_str(&c->body->bytes, piece)) {
            fail_body(c, FAULT_NO_MEMORY, 503);
            return;
        }
    }
    if (r == CHUNK_DONE) c->body_done = true;
    if (r == CHUNK_ERROR) fail_body(c, FAULT_BAD_CHUNK, 400);
}

/* Bytes that came together with the head. */
static void take_from_input(struct conn *c)
{
    struct str bytes = unread(c);
    if (c->in->head.chunked) {
        take_chunked(c, &bytes);
        c->in->pos = c->in->bytes.len - bytes.n;
        return;
    }
    size_t length = (size_t)c->in->head.content_length, n = MIN(bytes.n, length);
    if (!buf_add(&c->body->bytes, bytes.p, n)) fail_body(c, FAULT_NO_MEMORY, 503);
    c->in->pos += n;
    if (n == length) c->body_done = true;
}

static ssize_t read_sized(struct conn *c)
{
    struct buf *b = &c->body->bytes;
    size_t left = (size_t)c->in->head.content_length - b->len;
    size_t want = MIN(MIN(left, (size_t)BODY_PER_STEP), MAX(b->len, (size_t)BUFFER_KEPT_MAX));
    /* A length costs nothing to claim: room for all of it comes once a part has come, and then without more copies. */
    char *to = buf_reserve(b, b->len < BODY_BELIEVED ? want : MIN(left, MAX(want, 4 * b->len)));
    if (!to) {
        fail_body(c, FAULT_NO_MEMORY, 503);
        return 1;
    }
    ssize_t n = receive(c, to, want);
    if (n <= 0) return n;
    buf_added(b, (size_t)n);
    if ((size_t)n == left) c->body_done = true;
    return n;
}

static ssize_t read_chunked(struct conn *c)
{
    struct server *s = c->server;
    ssize_t n = receive(c, s->scratch, sizeof s->scratch);
    if (n <= 0) return n;
    struct str bytes = {s->scratch, (size_t)n};
    take_chunked(c, &bytes);
    if (c->body_done && bytes.n) {
        c->leftover = input_take(s);
        if (!buf_add_str(&c->leftover->bytes, bytes)) c->close_after = true;
    }
    return n;
}

static bool read_body(struct conn *c)
{
    ssize_t n = c->in->head.chunked ? read_chunked(c) : read_sized(c);
    if (n < 0) return false;
    if (n == 0) {
        conn_gone(c, GONE_CLOSED);
        return false;
    }
    c->since = loop_now(c->server->loop);
    return true;
}

bool conn_step_body(struct conn *c)
{
    if (c->fault_status) {
        conn_raise(c, c->fault, c->fault_status);
        return true;
    }
    if (c->body_done) {
        c->state = CONN_HANDLE;
        c->server->ops->on_body(c->server->arg, c);
        return true;
    }
    if (conn_has_input(c)) {
        take_from_input(c);
        return true;
    }
    return c->readable && read_body(c);
}

struct str conn_body(const struct conn *c)
{
    return c->body ? buf_str(&c->body->bytes) : STR("");
}

struct body *conn_take_body(struct conn *c)
{
    struct body *b = c->body;
    c->body = NULL;
    return b;
}

/* ---- lingering ---- */

bool conn_step_linger(struct conn *c)
{
    struct server *s = c->server;
    if (!c->readable) {
        if (c->peer_closed) conn_close(c);
        return false;
    }
    ssize_t n = receive(c, s->scratch, MIN(sizeof s->scratch, c->linger_left));
    if (n < 0) return false;
    c->linger_left -= (size_t)n;
    if (n > 0 && c->linger_left) return true;
    conn_close(c);
    return false;
}
