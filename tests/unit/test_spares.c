/* A pool gives back what was not needed, and nothing that was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/spares.h"

static void add(struct spares *s, int n)
{
    while (n-- > 0) spares_added(s);
}

static void take(struct spares *s, unsigned n)
{
    while (n-- > 0) spares_taken(s);
}

static unsigned reap(struct spares *s)
{
    unsigned n = spares_unneeded(s);
    take(s, n);
    return n;
}

static void what_lay_there_all_the_time_goes(void **state)
{
    (void)state;
    struct spares s = {0};
    add(&s, 100);
    assert_int_equal(reap(&s), 0); /* it was empty in this time */
    take(&s, 30);
    add(&s, 30);
    assert_int_equal(reap(&s), 70); /* 30 were needed at once */
    assert_int_equal(s.count, 30);
    take(&s, 30);
    add(&s, 30);
    assert_int_equal(reap(&s), 0);
    assert_int_equal(reap(&s), 30); /* nobody came */
    assert_int_equal(s.count, 0);
    assert_int_equal(reap(&s), 0);
}

static void a_busy_pool_keeps_what_it_needs(void **state)
{
    (void)state;
    struct spares s = {0};
    for (int minute = 0; minute < 100; minute++) {
        for (unsigned i = 0; i < 50; i++) {
            take(&s, s.count < 20 ? s.count : 20);
            add(&s, 20);
        }
        reap(&s);
        assert_true(s.count <= 1000);
    }
    unsigned kept = s.count;
    take(&s, 20);
    add(&s, 20);
    assert_int_equal(reap(&s), kept - 20);
    assert_int_equal(s.count, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lay_there_all_the_time_goes),
        cmocka_unit_test(a_busy_pool_keeps_what_it_needs),
    };
    return cmocka_run_group_tests_name("spares", tests, NULL, NULL);
}
