/* Any bytes as a chunked body, whole and cut in two: both ways decode to the same bytes, end alike and consume the same
 * number of bytes. The first byte chooses the cut. */
#include "base/buf.h"
#include "base/check.h"
#include "net/chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum chunk_result feed(struct chunk_reader *r, struct str *in, struct buf *out)
{
    struct str piece;
    enum chunk_result res;
    while ((res = chunk_read(r, in, &piece)) == CHUNK_DATA) {
        BUG_ON(!piece.n);
        buf_add_str(out, piece);
    }
    BUG_ON(res == CHUNK_MORE && in->n);
    return res;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    const char *p = (const char *)data + 1;
    size_t n = size - 1, cut = n ? data[0] * n / 255 : 0;
    struct chunk_reader one, two;
    struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20);
    struct str whole = {p, n}, first = {p, cut}, second = {p + cut, n - cut};
    chunk_init(&one);
    chunk_init(&two);
    enum chunk_result ra = feed(&one, &whole, &a);
    enum chunk_result rb = feed(&two, &first, &b);
    if (rb == CHUNK_MORE) rb = feed(&two, &second, &b);
    size_t left = second.p == p + cut ? first.n + second.n : second.n;
    BUG_ON(ra != rb || !str_eq(buf_str(&a), buf_str(&b)));
    if (ra == CHUNK_DONE) BUG_ON(whole.n != left);
    buf_free(&a);
    buf_free(&b);
    return 0;
}
