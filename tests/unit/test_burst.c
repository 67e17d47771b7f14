/* The end of a burst: told once, not for small ones, not too often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/burst.h"

static mono_t at(int64_t seconds)
{
    return (mono_t){1000000 + seconds * 1000};
}

static void a_burst_ends_when_half_is_gone_for_a_while(void **state)
{
    (void)state;
    struct burst b = {0};
    assert_false(burst_over(&b, 10, at(0)));
    assert_false(burst_over(&b, 1000, at(1)));
    assert_false(burst_over(&b, 500, at(2)));
    assert_false(burst_over(&b, 499, at(3)));
    assert_false(burst_over(&b, 0, at(7)));
    assert_false(burst_over(&b, 600, at(8))); /* not over yet */
    assert_false(burst_over(&b, 100, at(9)));
    assert_false(burst_over(&b, 100, at(13)));
    assert_true(burst_over(&b, 100, at(14)));
    assert_false(burst_over(&b, 100, at(200))); /* told once */
    assert_false(burst_over(&b, 20, at(201)));
    assert_true(burst_over(&b, 20, at(206)));
}

static void steady_load_and_small_changes_are_no_burst(void **state)
{
    (void)state;
    struct burst b = {0};
    for (int i = 0; i < 1000; i++) assert_false(burst_over(&b, i % 100 ? 0 : 63, at(i)));
    for (int i = 0; i < 1000; i++) assert_false(burst_over(&b, i % 100 ? 2000 : 3000, at(i)));
}

static void at_most_once_a_minute_and_none_is_forgotten(void **state)
{
    (void)state;
    struct burst b = {0};
    burst_over(&b, 1000, at(0));
    burst_over(&b, 0, at(1));
    assert_true(burst_over(&b, 0, at(6)));
    burst_over(&b, 1000, at(7));
    for (int i = 8; i < 66; i++) assert_false(burst_over(&b, 0, at(i)));
    assert_true(burst_over(&b, 0, at(66)));
    assert_false(burst_over(&b, 0, at(1000)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_ends_when_half_is_gone_for_a_while),
        cmocka_unit_test(steady_load_and_small_changes_are_no_burst),
        cmocka_unit_test(at_most_once_a_minute_and_none_is_forgotten),
    };
    return cmocka_run_group_tests_name("burst", tests, NULL, NULL);
}
