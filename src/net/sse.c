/* Server-sent events as an observer (WHATWG HTML §9.2): the bytes go to the client unchanged elsewhere, this only sees
 * where an event ends and what it says. Owner: whoever owns the stream; no thread of its own.
 *
 * Two parts. The splitter walks lines with memchr() and keeps two bits between slices: LINE_BEGUN (the current line has
 * bytes) and LF_DUE (the last byte was CR; an LF right after it belongs to it). A line end without LINE_BEGUN is the
 * blank line that ends an event. The reader then takes the event's lines apart. An event that lies inside one slice
 * is read where it is; only one that was cut goes through `pending`.
 *
 * What is delivered does not depend on how the stream was cut; the fuzz target holds us to it. */
#include "net/sse.h"

enum { LINE_BEGUN = 1, LF_DUE = 2 };

/* `pending` gives its memory back after an event larger than this. */
enum { KEEP_ROOM = 16384 };

struct deliver {
    void (*fn)(void *arg, const struct sse_event *e);
    void *arg;
};

void sse_init(struct sse_reader *r)
{
    *r = (struct sse_reader){.skipping = false};
    buf_init(&r->pending, SSE_EVENT_MAX);
    buf_init(&r->data, SSE_EVENT_MAX);
}

void sse_free(struct sse_reader *r)
{
    buf_free(&r->pending);
    buf_free(&r->data);
}

static void release(struct buf *b)
{
    if (b->room > KEEP_ROOM) {
        buf_free(b);
    } else {
        buf_reset(b);
    }
}

/* Cuts one line off; \r\n counts as one end. */
static bool next_line(struct str *rest, const char **next_cr, struct str *line)
{
    if (rest->n == 0) return false;
    const char *p = rest->p, *end = p + rest->n;
    const char *lf = memchr(p, '\n', rest->n);
    const char *stop = lf ? lf : end;
    if (*next_cr < p) {
        *next_cr = memchr(p, '\r', rest->n);
        if (!*next_cr) *next_cr = end;
    }
    const char *after = MIN(stop + 1, end);
    if (*next_cr < stop) {
        stop = *next_cr;
        after = stop + 1 < end && stop[1] == '\n' ? stop + 2 : stop + 1;
    }
    *line = (struct str){p, (size_t)(stop - p)};
    *rest = (struct str){after, (size_t)(end - after)};
    return true;
}

/* The value of a field, without the one blank after the colon; false when `line` is another field. */
static bool field(struct str line, struct str name, struct str *value)
{
    if (line.n < name.n || memcmp(line.p, name.p, name.n) != 0) return false;
    struct str v = {line.p + name.n, line.n - name.n};
    if (v.n > 0) {
        if (v.p[0] != ':') return false;
        v = (struct str){v.p + 1, v.n - 1};
    }
    if (v.n > 0 && v.p[0] == ' ') v = (struct str){v.p + 1, v.n - 1};
    *value = v;
    return true;
}

static void read_event(struct sse_reader *r, struct str text, const struct deliver *to)
{
    struct sse_event e = {.type = STR(""), .data = STR(""), .comment_only = true, .raw = text};
    struct str line, value;
    const char *next_cr = NULL;
    unsigned lines = 0;
    while (next_line(&text, &next_cr, &line)) {
        if (field(line, STR("data"), &value)) {
            e.comment_only = false;
            if (lines == 1) buf_add_str(&r->data, e.data);
            if (lines >= 1) {
                buf_putc(&r->data, '\n');
                buf_add_str(&r->data, value);
            }
            if (lines++ == 0) e.data = value;
        } else if (field(line, STR("event"), &value)) {
            e.comment_only = false;
            e.type = value;
        }
    }
    if (lines > 1) e.data = buf_str(&r->data);
    if (!e.comment_only) r->events++;
    to->fn(to->arg, &e);
    release(&r->data);
}

static void hand_part(struct sse_reader *r, struct str bytes, bool ends, const struct deliver *to)
{
    struct sse_event e = {.type = STR(""), .data = STR(""), .comment_only = true, .raw = bytes, .part = true};
    e.part_ends = ends;
    if (r->parts && (bytes.n || ends)) to->fn(to->arg, &e);
}

/* Keeps the beginning of an event that was cut. */
static void keep(struct sse_reader *r, struct str piece, const struct deliver *to)
{
    if (piece.n == 0) return;
    if (!r->skipping && buf_add_str(&r->pending, piece)) return;
    if (!r->skipping) {
        r->skipping = true;
        hand_part(r, buf_str(&r->pending), false, to);
        buf_free(&r->pending);
    }
    hand_part(r, piece, false, to);
}

/* A byte order mark counts for nothing at the stream's beginning. */
static struct str without_bom(struct sse_reader *r, struct str text)
{
    bool first = !r->begun;
    r->begun = true;
    if (first && str_starts(text, "\xEF\xBB\xBF")) return (struct str){text.p + 3, text.n - 3};
    return text;
}

/* The blank line was found; `piece` is the event's end (all of it when nothing is pending). */
static void finish(struct sse_reader *r, struct str piece, const struct deliver *to)
{
    if (r->pending.len > 0 || r->skipping) {
        keep(r, piece, to);
        piece = buf_str(&r->pending);
    }
    if (r->skipping || piece.n > SSE_EVENT_MAX) {
        hand_part(r, r->skipping ? (struct str){"", 0} : piece, true, to);
        r->skipping = false;
        r->begun = true;
        r->skipped++;
    } else if (piece.n > 0) {
        piece = without_bom(r, piece);
        if (piece.n > 0) read_event(r, piece, to);
    }
    release(&r->pending);
}

void sse_feed(struct sse_reader *r, struct str bytes, void (*fn)(void *arg, const struct sse_event *e), void *arg)
{
    const struct deliver to = {fn, arg};
    if (bytes.n == 0) return;
    const char *p = bytes.p, *end = p + bytes.n, *start = p, *next_cr = NULL;
    while (p < end) {
        if (r->state & LF_DUE) {
            r->state &= ~LF_DUE;
            if (*p == '\n') {
                if (start == p && r->pending.len == 0) start++; /* of the blank line: no part of the next event */
                p++;
                continue;
            }
        }
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        if (!next_cr || next_cr < p) next_cr = memchr(p, '\r', (size_t)(end - p));
        if (!next_cr) next_cr = end;
        const char *eol = MIN(lf ? lf : end, next_cr);
        if (eol > p) r->state |= LINE_BEGUN;
        if (eol == end) break;
        if (*eol == '\r') r->state |= LF_DUE;
        if (!(r->state & LINE_BEGUN)) {
            finish(r, (struct str){start, (size_t)(eol - start)}, &to);
            start = eol + 1;
        }
        r->state &= ~LINE_BEGUN;
        p = eol + 1;
    }
    keep(r, (struct str){start, (size_t)(end - start)}, &to);
}

void sse_finish(struct sse_reader *r, void (*fn)(void *arg, const struct sse_event *e), void *arg)
{
    const struct deliver to = {fn, arg};
    finish(r, (struct str){"", 0}, &to);
    r->state = 0;
}
