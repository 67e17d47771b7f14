/* Chunked bodies: what decodes to what, what is refused, and that no cut of the bytes changes either. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "net/chunk.h"

/* Feeds one piece; appends what was decoded. */
static enum chunk_result feed(struct chunk_reader *r, struct str *in, struct buf *out)
{
    struct str piece;
    enum chunk_result res;
    while ((res = chunk_read(r, in, &piece)) == CHUNK_DATA) buf_add_str(out, piece);
    return res;
}

/* Decodes in two pieces cut at `cut`; returns the result, the decoded bytes and how many input bytes are left. */
static enum chunk_result decode(struct str in, size_t cut, struct buf *out, size_t *left)
{
    struct chunk_reader r;
    struct str first = {in.p, cut}, second = {in.p + cut, in.n - cut};
    chunk_init(&r);
    buf_reset(out);
    enum chunk_result res = feed(&r, &first, out);
    *left = first.n + second.n;
    if (res != CHUNK_MORE) return res;
    assert_int_equal(first.n, 0);
    res = feed(&r, &second, out);
    *left = second.n;
    return res;
}

static const struct {
    const char *in, *out;
    size_t left;
} good[] = {
    {"0\r\n\r\n", "", 0},
    {"5\r\nhello\r\n0\r\n\r\nGET", "hello", 3},
    {"5\r\nhello\r\n00A\r\n0123456789\r\n000\r\n\r\n", "hello0123456789", 0},
    {"5;a\r\nhello\r\n0\r\n\r\n", "hello", 0},
    {"5;a=b;c=\"q;\\\"\r\";d\r\nhello\r\n0;x\r\n\r\n", NULL, 0}, /* CR inside quotes */
    {"5;a=b;c=\"q;\\\" \";d\r\nhello\r\n0;x\r\n\r\n", "hello", 0},
    {"1\r\n\n\r\n0\r\nA: b\r\nC:\r\n\r\nx", "\n", 1},
};

static const char *const bad[] = {
    "\r\n",
    "x\r\n",
    "-5\r\n",
    "+5\r\n",
    " 5\r\n",
    "0x5\r\n",
    "5 \r\n",
    "5;\r\n",
    "5 ;a\r\n",
    "5; a\r\n",
    "5;a=\r\n",
    "5;a=\"b\r\n",
    "5;a=\"b\"c\r\n",
    "5\n",
    "5;a\n",
    "5\r\r\n",
    "5_0\r\n",
    "5\r\nhelloX\r\n",
    "5\r\nhello\n",
    "5\r\nhello\rX",
    "1000000000000000\r\n",
    "FFFFFFFFFFFFFFFFF\r\n",
    "0000000000000005\r\n",
    "0\r\nx\r\n",
    "0\r\n: a\r\n",
    "0\r\n a: b\r\n",
    "0\r\na: b\n",
    "0\r\na : b\r\n",
    "0\r\na: \x01\r\n",
    "0\r\n\n",
    "0\r\n\rX",
    "5\r\nhello0\r\n\r\n",
};

static void decodes(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(1000);
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct str in = str_of(good[i].in);
        for (size_t cut = 0; cut <= in.n; cut++) {
            size_t left;
            enum chunk_result r = decode(in, cut, &out, &left);
            if (r != (good[i].out ? CHUNK_DONE : CHUNK_ERROR)) fail_msg("%d at cut %zu: %s", r, cut, good[i].in);
            if (!good[i].out) continue;
            assert_string_equal(buf_cstr(&out), good[i].out);
            assert_int_equal(left, good[i].left);
        }
    }
    buf_free(&out);
}

static void refuses(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(1000);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct str in = str_of(bad[i]);
        for (size_t cut = 0; cut <= in.n; cut++) {
            size_t left;
            if (decode(in, cut, &out, &left) != CHUNK_ERROR) fail_msg("accepted, cut %zu: %s", cut, bad[i]);
        }
    }
    size_t left;
    assert_int_equal(decode(STR("5;a=\"\0\"\r\nhello\r\n"), 0, &out, &left), CHUNK_ERROR);
    buf_free(&out);
}

static void fault_is_final(void **state)
{
    (void)state;
    struct chunk_reader r;
    struct str in = STR("z5\r\nhello\r\n0\r\n\r\n"), piece;
    chunk_init(&r);
    assert_int_equal(chunk_read(&r, &in, &piece), CHUNK_ERROR);
    assert_int_equal(chunk_read(&r, &in, &piece), CHUNK_ERROR);
}

static enum chunk_result long_line(const char *before, size_t n, const char *after)
{
    struct buf b = BUF_INIT(20000), out = BUF_INIT(100);
    size_t left;
    buf_puts(&b, before);
    for (size_t i = 0; i < n; i++) buf_putc(&b, 'x');
    buf_puts(&b, after);
    enum chunk_result r = decode(buf_str(&b), b.len / 2, &out, &left);
    buf_free(&b);
    buf_free(&out);
    return r;
}

static void keeps_limits(void **state)
{
    (void)state;
    assert_int_equal(long_line("1;", 252, "\r\nx\r\n0\r\n\r\n"), CHUNK_DONE);
    assert_int_equal(long_line("1;", 253, "\r\nx\r\n0\r\n\r\n"), CHUNK_ERROR);
    assert_int_equal(long_line("0\r\na:", 8186, "\r\n\r\n"), CHUNK_DONE);
    assert_int_equal(long_line("0\r\na:", 8187, "\r\n\r\n"), CHUNK_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes),
        cmocka_unit_test(refuses),
        cmocka_unit_test(fault_is_final),
        cmocka_unit_test(keeps_limits),
    };
    return cmocka_run_group_tests_name("chunk", tests, NULL, NULL);
}
