/* From a prepared exchange to bytes: response head, framing, and the pump that makes the next piece whenever its time
 * has come and there is room. Every scripted fault of the answer itself happens here. */
#include "events.h"
#include "script.h"

#include <stdlib.h>
#include <string.h>

static const char garbage[] = "\x16\x03\x01\x00\xff this is not HTTP \xfe\xff\x00 at all\r\n\r\n";

static long pick(long own, long otherwise)
{
    return own >= 0 ? own : otherwise;
}

static const char junk[] = "data: {not json \xff\xfe\x80\n\nno colon at all\n\ndata:\n\n";

void respond_ready(struct conn *c)
{
    struct exchange *x = &c->ex;
    const struct act *a = x->act;
    long wait = pick(a ? a->latency_ms : -1, script.defaults.latency_ms);
    if (a && x->flow == FLOW_PLAIN && a->first_byte_ms > 0) wait += a->first_byte_ms;
    if (a && a->before == BEFORE_STALL) {
        if (a->stall_ms < 0) {
            c->phase = PH_HOLD; /* for ever: no timer */
            return;
        }
        wait += a->stall_ms;
    }
    if (wait <= 0 || (a && a->early)) {
        respond_begin(c);
        return;
    }
    c->phase = PH_HOLD;
    conn_timer(c, now_ns() + (int64_t)wait * 1000000);
}

static uint32_t crc32_of(uint32_t crc, const char *p, size_t n)
{
    static uint32_t t[256];
    if (!t[1]) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t v = i;
            for (int k = 0; k < 8; k++) v = v & 1 ? 0xedb88320u ^ (v >> 1) : v >> 1;
            t[i] = v;
        }
    }
    crc = ~crc;
    for (size_t i = 0; i < n; i++) crc = t[(crc ^ (unsigned char)p[i]) & 255] ^ (crc >> 8);
    return ~crc;
}

static void le32(struct buf *b, uint32_t v)
{
    char x[4] = {(char)v, (char)(v >> 8), (char)(v >> 16), (char)(v >> 24)};
    buf_add(b, x, 4);
}

/* gzip without compressing: stored blocks are valid deflate. */
static void gzip_open(struct buf *b)
{
    buf_add(b, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
}

static void gzip_block(struct exchange *x, struct buf *b, const char *p, size_t n)
{
    x->gz_crc = crc32_of(x->gz_crc, p, n);
    x->gz_len += (uint32_t)n;
    while (n) {
        size_t k = n < 65535 ? n : 65535;
        char h[5] = {0, (char)k, (char)(k >> 8), (char)~k, (char)(~k >> 8)};
        buf_add(b, h, 5);
        buf_add(b, p, k);
        p += k;
        n -= k;
    }
}

static void gzip_close(struct exchange *x, struct buf *b)
{
    buf_add(b, "\x01\0\0\xff\xff", 5);
    le32(b, x->gz_crc);
    le32(b, x->gz_len);
}

/* One gzip member of 1 MiB of zeros, again and again: fixed Huffman codes, 258 bytes of output for 13 bits. */
static void gzip_bomb(struct buf *out, long bytes)
{
    struct buf m = {0}, zeros = {0};
    uint64_t bits = 0;
    int n = 0;
    size_t made = 1;
#define PUT(v, k)                                                                                                      \
    for (bits |= (uint64_t)(v) << n, n += (k); n >= 8; bits >>= 8, n -= 8) buf_putc(&m, (char)bits)
    gzip_open(&m);
    PUT(3, 3);    /* last block, fixed codes */
    PUT(0x0c, 8); /* literal 0: code 00110000, most significant bit first */
    for (; made + 258 <= 1 << 20; made += 258) {
        PUT(0xa3, 8); /* length 258: code 11000101 */
        PUT(0, 5);    /* distance 1 */
    }
    PUT(0, 7); /* end of block */
    PUT(0, 7);
#undef PUT
    buf_fill(&zeros, 0, made);
    le32(&m, crc32_of(0, zeros.p, made));
    le32(&m, (uint32_t)made);
    for (size_t k = 0; k < (size_t)bytes; k += made) buf_add(out, m.p, m.len);
    buf_free(&m);
    buf_free(&zeros);
}

static void odd_headers(struct buf *o)
{
    buf_puts(o, "Set-Cookie: session=standin; Path=/\r\nLocation: https://elsewhere.invalid/\r\n"
                "Server: standin/1.0\r\nX-Powered-By: standin\r\nConnection: x-hop, keep-alive\r\nX-Hop: 1\r\n"
                "Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nWWW-Authenticate: Bearer\r\n"
                "Access-Control-Allow-Origin: https://elsewhere.invalid\r\nAlt-Svc: h3=\":443\"\r\n"
                "Strict-Transport-Security: max-age=1\r\nX-Api-Key: sk-leaked-by-upstream\r\n"
                "Trailer: X-Late\r\nUpgrade: h2c\r\nContent-Security-Policy: default-src *\r\n"
                "x-ratelimit-remaining-requests: 7\r\nx-request-id: upstream-request-id\r\n");
}

/* length < 0: no Content-Length. */
static void write_head(struct conn *c, int64_t length)
{
    struct exchange *x = &c->ex;
    const struct act *a = x->act;
    struct buf *o = &c->out;
    for (long i = 0; a && i < a->many_1xx; i++) buf_puts(o, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
    buf_printf(o, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n", x->status, http_reason(x->status), x->type);
    if (x->chunked)
        buf_puts(o, "Transfer-Encoding: chunked\r\n");
    else if (length >= 0)
        buf_printf(o, "Content-Length: %lld\r\n", (long long)length);
    if (x->flow == FLOW_BENCH) {
        buf_puts(o, "\r\n");
        return;
    }
    buf_printf(o, "x-siliconcloud-trace-id: %s\r\n", x->trace);
    if (x->flow == FLOW_CHAT) buf_puts(o, "Cache-Control: no-cache\r\n");
    if (a && a->two_lengths && length >= 0) buf_printf(o, "Content-Length: %lld\r\n", (long long)length + 1);
    if (a && (a->gzip || a->gzip_bomb > 0)) buf_puts(o, "Content-Encoding: gzip\r\n");
    if (a && a->headers) buf_puts(o, a->headers);
    if (a && a->odd_headers) odd_headers(o);
    if (a && a->huge_head > 0) {
        buf_puts(o, "X-Filler: ");
        buf_fill(o, 'f', (size_t)a->huge_head);
        buf_puts(o, "\r\n");
    }
    buf_puts(o, x->after == AFTER_KEEP ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
}

static void count_status(struct exchange *x)
{
    int s = x->status > 0 && x->status < MAX_STATUS ? x->status : 0;
    totals.by_status[s]++;
    if (x->key) x->key->by_status[s]++;
    struct row *r = report_find(x->seq);
    if (r) r->status = x->status;
}

/* Faults that take the place of the answer; true when there was one. */
static bool instead(struct conn *c)
{
    struct exchange *x = &c->ex;
    switch (x->act ? x->act->before : BEFORE_NONE) {
    case BEFORE_RESET: conn_close(c, true); return true;
    case BEFORE_CLOSE: conn_close(c, false); return true;
    case BEFORE_GARBAGE:
        buf_add(&c->out, garbage, sizeof garbage - 1);
        x->after = AFTER_CLOSE;
        x->finished = x->faulted = true;
        return true;
    default: return false;
    }
}

/* Prepares a plain body: the filler of big_body, gzip. Returns the length on the wire. */
static int64_t plain_length(struct exchange *x)
{
    const struct act *a = x->act;
    if (!a) return (int64_t)buf_size(&x->body);
    if (a->gzip_bomb > 0) {
        buf_clear(&x->body, 0);
        gzip_bomb(&x->body, a->gzip_bomb);
    } else if (a->gzip) {
        struct buf z = {0};
        gzip_open(&z);
        gzip_block(x, &z, buf_data(&x->body), buf_size(&x->body));
        gzip_close(x, &z);
        buf_free(&x->body);
        x->body = z;
    } else if (a->big_body >= 0) {
        buf_clear(&x->body, 4096);
        buf_puts(&x->body, "{\"object\":\"big\",\"filler\":\"");
        x->fill_left = (uint64_t)a->big_body;
        buf_puts(&x->fill_tail, "\"");
        usage_member(x, &x->fill_tail);
        buf_puts(&x->fill_tail, "}");
    }
    return (int64_t)(buf_size(&x->body) + x->fill_left + buf_size(&x->fill_tail));
}

void respond_begin(struct conn *c)
{
    struct exchange *x = &c->ex;
    const struct act *a = x->act;
    if (c->phase != PH_DRAIN) c->phase = PH_ANSWER;
    if (instead(c)) return;
    bool stream = x->flow != FLOW_PLAIN, bare = (a && a->no_framing) || (stream && c->rq.minor == 0);
    if (!c->rq.keep_alive || bare || (a && (a->connection_close || a->early_close))) x->after = AFTER_CLOSE;
    int64_t length = stream ? -1 : plain_length(x);
    x->chunked = !bare && (stream || (a && a->mid == MID_TRUNCATE));
    if (a && a->type && (!stream || a->status == 0)) x->type = a->type;
    write_head(c, bare || x->chunked ? -1 : length);
    count_status(x);
    if (strcmp(c->rq.method, "HEAD") == 0) {
        x->fill_left = 0;
        x->finished = true;
        return;
    }
    if (stream) {
        x->stream_open = true;
        if (++totals.open_streams > totals.max_streams) totals.max_streams = totals.open_streams;
        if (a && a->first_byte_ms > 0) x->due = now_ns() + (int64_t)a->first_byte_ms * 1000000;
    } else if (a && a->body_ms > 0) {
        x->due = now_ns() + (int64_t)a->body_ms * 1000000;
    }
    respond_pump(c);
}

/* Puts stream data on the wire: as HTTP chunks, cut into pieces of act.split bytes when it is set. */
static void frame(struct conn *c, const char *p, size_t n)
{
    struct exchange *x = &c->ex;
    struct buf z = {0};
    if (x->act && x->act->gzip) {
        if (!x->gz_len) gzip_open(&z);
        gzip_block(x, &z, p, n);
        p = buf_data(&z);
        n = buf_size(&z);
    }
    size_t piece = x->act && x->act->split > 0 ? (size_t)x->act->split : n;
    for (size_t k; n; p += k, n -= k) {
        k = n < piece ? n : piece;
        if (x->chunked) buf_printf(&c->out, "%zx\r\n", k);
        buf_add(&c->out, p, k);
        if (x->chunked) buf_add(&c->out, "\r\n", 2);
    }
    buf_free(&z);
}

/* One event with its lines. */
static void emit(struct conn *c, const char *name, const struct buf *payload)
{
    static struct buf line;
    const struct exchange *x = &c->ex;
    const char *eol = x->act && x->act->crlf ? "\r\n" : "\n";
    line.off = line.len = 0;
    if (x->act && x->act->comments) buf_printf(&line, ": keep-alive %llu%s%s", (unsigned long long)x->events, eol, eol);
    if (name) buf_printf(&line, "event: %s%s", name, eol);
    if (x->flow != FLOW_BYTES) buf_puts(&line, "data: ");
    buf_add(&line, buf_data(payload), buf_size(payload));
    if (x->flow != FLOW_BYTES) buf_printf(&line, "%s%s", eol, eol);
    frame(c, buf_data(&line), buf_size(&line));
    c->ex.events++;
    totals.events++;
}

static void finish(struct conn *c, bool clean_framing)
{
    struct exchange *x = &c->ex;
    if (clean_framing && x->chunked) {
        if (x->act && x->act->gzip && x->gz_len && x->flow != FLOW_PLAIN) {
            struct buf z = {0};
            gzip_close(x, &z);
            buf_printf(&c->out, "%zx\r\n", buf_size(&z));
            buf_add(&c->out, z.p, z.len);
            buf_puts(&c->out, "\r\n");
            buf_free(&z);
        }
        buf_puts(&c->out, "0\r\n\r\n");
    }
    if (x->act && x->act->extra_bytes > 0) buf_fill(&c->out, 'E', (size_t)x->act->extra_bytes);
    x->finished = true;
}

static void error_event(struct conn *c)
{
    struct buf e = {0};
    const char *text = c->ex.act->event;
    buf_puts(&e, text ? text
                      : "{\"error\":{\"message\":\"System is too busy now. Please try again later.\","
                        "\"type\":\"server_error\",\"param\":null,\"code\":50508}}");
    emit(c, c->ex.flow == FLOW_MESSAGES ? "error" : NULL, &e);
    buf_free(&e);
}

/* The fault of the middle. True: the answer is over or waits; false: it goes on. */
static bool strike(struct conn *c)
{
    struct exchange *x = &c->ex;
    const struct act *a = x->act;
    x->stalled = true; /* strikes once */
    x->faulted = a->mid != MID_STALL && a->mid != MID_JUNK;
    switch (a->mid) {
    case MID_CUT:
        x->after = AFTER_CLOSE;
        finish(c, false);
        return true;
    case MID_RST:
        x->after = AFTER_RST;
        finish(c, false);
        return true;
    case MID_TRUNCATE: finish(c, true); return true;
    case MID_STALL:
        x->due = a->stall_ms < 0 ? INT64_MAX : now_ns() + (int64_t)a->stall_ms * 1000000;
        if (x->due != INT64_MAX) conn_timer(c, x->due);
        return true;
    case MID_ERROR:
        error_event(c);
        finish(c, true);
        return true;
    case MID_GARBAGE:
        buf_add(&c->out, garbage, sizeof garbage - 1);
        x->after = AFTER_CLOSE;
        finish(c, false);
        return true;
    case MID_JUNK: frame(c, junk, sizeof junk - 1); return false;
    case MID_NONE: break;
    }
    return false;
}

/* The oversized event: its filler is made piece by piece, so that a GB costs no memory. */
static void begin_big_event(struct conn *c)
{
    struct exchange *x = &c->ex;
    struct buf before = {0};
    buf_puts(&before, "data: ");
    event_around(x, &before, &x->fill_tail);
    buf_puts(&x->fill_tail, "\n\n");
    x->fill_left = (uint64_t)x->act->big_event;
    if (x->chunked) {
        buf_printf(&c->out, "%llx\r\n",
                   (unsigned long long)(buf_size(&before) + x->fill_left + buf_size(&x->fill_tail)));
        buf_puts(&x->fill_tail, "\r\n");
    }
    buf_add(&c->out, before.p, before.len);
    buf_free(&before);
    x->events++;
    totals.events++;
}

static void fill(struct conn *c)
{
    struct exchange *x = &c->ex;
    size_t n = x->fill_left < IN_CAP ? (size_t)x->fill_left : IN_CAP;
    buf_fill(&c->out, 'x', n);
    x->fill_left -= n;
    if (x->fill_left) return;
    buf_add(&c->out, buf_data(&x->fill_tail), buf_size(&x->fill_tail));
    buf_clear(&x->fill_tail, 512);
}

/* A plain body goes out at once; a fault of the middle strikes after its half. */
static void plain_step(struct conn *c)
{
    struct exchange *x = &c->ex;
    size_t n = buf_size(&x->body), half = n / 2;
    bool fault = x->act && x->act->mid != MID_NONE && x->act->mid != MID_JUNK && x->act->mid != MID_ERROR;
    if (x->step == 0 && fault) {
        x->step = 1;
        if (x->chunked)
            frame(c, buf_data(&x->body), half);
        else
            buf_add(&c->out, buf_data(&x->body), half);
        buf_consume(&x->body, half);
        if (strike(c)) return;
    }
    if (x->step < 2) {
        x->step = 2;
        buf_add(&c->out, buf_data(&x->body), buf_size(&x->body));
        if (x->fill_left || buf_size(&x->fill_tail)) return;
    }
    finish(c, true);
}

static void stream_step(struct conn *c)
{
    static struct buf payload;
    struct exchange *x = &c->ex;
    const char *name;
    const struct act *a = x->act;
    if (a && a->mid != MID_NONE && !x->stalled && x->events >= (uint64_t)a->after && strike(c)) return;
    if (a && a->big_event >= 0 && x->events == 1 && x->flow == FLOW_CHAT) {
        begin_big_event(c);
        return;
    }
    payload.off = payload.len = 0;
    if (!event_next(x, &payload, &name)) {
        finish(c, true);
        return;
    }
    emit(c, name, &payload);
    if (x->interval > 0 && x->due != INT64_MAX) {
        int64_t now = now_ns();
        x->due = (x->due && x->due + x->interval > now - 100 * x->interval ? x->due : now) + x->interval;
    }
}

void respond_pump(struct conn *c)
{
    struct exchange *x = &c->ex;
    x->blocked = false;
    while (x->active && !x->finished) {
        if (buf_size(&c->out) >= OUT_CAP) {
            x->blocked = true;
            return;
        }
        bool filling = x->fill_left || buf_size(&x->fill_tail);
        if (filling && (x->flow != FLOW_PLAIN || x->step == 2)) {
            fill(c);
            continue;
        }
        if (x->due > now_ns()) {
            if (x->due != INT64_MAX) conn_timer(c, x->due);
            return;
        }
        if (x->flow == FLOW_PLAIN)
            plain_step(c);
        else
            stream_step(c);
    }
}
