/* The growing buffer: cap, sticky error, termination. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"

static void grows_up_to_its_cap(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(1000);
    for (int i = 0; i < 1000; i++) {
        assert_true(buf_putc(&b, 'x'));
        assert_int_equal(b.data[b.len], '\0');
    }
    assert_int_equal(b.len, 1000);
    assert_false(buf_putc(&b, 'y'));
    assert_int_equal(b.len, 1000);
    buf_free(&b);
    assert_false(b.failed);
    assert_true(buf_puts(&b, "again"));
    buf_free(&b);
}

static void error_sticks_until_reset(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(4);
    assert_true(buf_puts(&b, "abc"));
    assert_false(buf_printf(&b, "%d", 12));
    assert_false(buf_putc(&b, 'd')); /* would fit, but something is missing before it */
    assert_true(b.failed);
    assert_string_equal(buf_cstr(&b), "abc");
    buf_reset(&b);
    assert_string_equal(buf_cstr(&b), "");
    assert_true(buf_puts(&b, "abcd"));
    buf_free(&b);
}

static void without_a_cap(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(SIZE_MAX);
    assert_true(buf_puts(&b, "abc"));
    assert_null(buf_reserve(&b, SIZE_MAX - 2));
    buf_free(&b);
}

static void consume_take_and_views(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(100);
    assert_string_equal(buf_cstr(&b), "");
    assert_int_equal(buf_str(&b).n, 0);
    buf_consume(&b, 0);
    assert_true(buf_printf(&b, "%s-%d", "head", 42));
    buf_consume(&b, 5);
    assert_true(str_is(buf_str(&b), "42"));
    char *taken = buf_take(&b);
    assert_string_equal(taken, "42");
    assert_int_equal(b.len, 0);
    free(taken);
    taken = buf_take(&b);
    assert_string_equal(taken, "");
    free(taken);
}

static void reserve_then_added(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(10);
    memcpy(buf_reserve(&b, 10), "0123456789", 10);
    buf_added(&b, 7);
    assert_string_equal(buf_cstr(&b), "0123456");
    assert_non_null(buf_reserve(&b, 3));
    assert_null(buf_reserve(&b, 4));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_up_to_its_cap), cmocka_unit_test(error_sticks_until_reset),
        cmocka_unit_test(without_a_cap),       cmocka_unit_test(consume_take_and_views),
        cmocka_unit_test(reserve_then_added),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
