/* The events must not depend on how the stream is cut: whole against pieces of the length in the first byte. */
#include "base/check.h"
#include "net/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(void *arg, const struct sse_event *e)
{
    struct buf *b = arg;
    buf_printf(b, "%d %zu %zu ", e->comment_only, e->type.n, e->data.n);
    buf_add_str(b, e->type);
    buf_add_str(b, e->data);
}

static void read_all(struct str stream, size_t step, struct buf *out, uint64_t *events)
{
    struct sse_reader r;
    sse_init(&r);
    for (size_t at = 0; at < stream.n; at += step)
        sse_feed(&r, (struct str){stream.p + at, MIN(step, stream.n - at)}, note, out);
    sse_finish(&r, note, out);
    *events = r.events;
    sse_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    struct str stream = {(const char *)data + 1, size - 1};
    struct buf whole = BUF_INIT(1 << 24), pieces = BUF_INIT(1 << 24);
    uint64_t a, b;
    read_all(stream, stream.n, &whole, &a);
    read_all(stream, (size_t)data[0] + 1, &pieces, &b);
    BUG_ON(a != b || !str_eq(buf_str(&whole), buf_str(&pieces)));
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
