/* The two retry budgets: every verdict alone, then mixtures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/retry.h"

static const struct retry_budget fresh = {.max_refusals = 8, .max_attempts = 3};

/* How many retries in a row the budget allows for a verdict. */
static unsigned retries(struct retry_budget b, enum verdict v, enum retry_action want)
{
    int64_t delay;
    unsigned n = 0;
    while (n < 100 && retry_after(&b, v, 0, &delay) == want) n++;
    assert_int_equal(retry_after(&b, v, 0, &delay), RETRY_END); /* and stays so */
    return n;
}

static void test_each_verdict(void **state)
{
    (void)state;
    for (enum verdict v = 0; v < VERDICT_COUNT; v++) {
        unsigned now = retries(fresh, v, RETRY_NOW), later = 0;
        switch (verdict_kind(v)) {
        case KIND_REFUSAL: assert_int_equal(now, 8); break;
        case KIND_FAILURE: assert_int_equal(now, 2); break; /* three tries */
        case KIND_ONCE:
            assert_int_equal(now, 0);
            later = 1;
            break;
        case KIND_STALL:
        case KIND_FINAL:
        case KIND_OK: assert_int_equal(now, 0); break;
        }
        if (later) assert_int_equal(retries(fresh, v, RETRY_LATER), later);
    }
}

static void test_stalls_only_when_asked(void **state)
{
    (void)state;
    struct retry_budget b = fresh;
    assert_int_equal(retries(b, VERDICT_GW_TIMEOUT, RETRY_NOW), 0);
    b.retry_stalls = true;
    assert_int_equal(retries(b, VERDICT_GW_TIMEOUT, RETRY_NOW), 2);
}

static void test_forwarded_routes_retry_refusals_only(void **state)
{
    (void)state;
    struct retry_budget b = fresh;
    b.refusals_only = b.retry_stalls = true;
    for (enum verdict v = 0; v < VERDICT_COUNT; v++)
        assert_int_equal(retries(b, v, RETRY_NOW), verdict_kind(v) == KIND_REFUSAL ? 8 : 0);
}

static void test_delay(void **state)
{
    (void)state;
    for (int64_t random_ms = 0; random_ms < 1500; random_ms += 499) {
        struct retry_budget b = fresh;
        int64_t delay = -1;
        assert_int_equal(retry_after(&b, VERDICT_BUSY, random_ms, &delay), RETRY_LATER);
        assert_int_equal(delay, 500 + random_ms);
        assert_int_equal(retry_after(&b, VERDICT_SERVER, random_ms, &delay), RETRY_NOW);
        assert_int_equal(delay, 0);
    }
}

/* Refusals and failures do not eat each other's budget; ONCE counts as a failure. */
static void test_budgets_are_apart(void **state)
{
    (void)state;
    struct retry_budget b = fresh;
    int64_t delay;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(retry_after(&b, VERDICT_RATE_MINUTE, 0, &delay), RETRY_NOW);
        if (i < 2) assert_int_equal(retry_after(&b, VERDICT_SERVER, 0, &delay), RETRY_NOW);
    }
    assert_int_equal(retry_after(&b, VERDICT_RATE_MINUTE, 0, &delay), RETRY_END);
    assert_int_equal(retry_after(&b, VERDICT_SERVER, 0, &delay), RETRY_END);
    b = fresh;
    assert_int_equal(retry_after(&b, VERDICT_SERVER, 0, &delay), RETRY_NOW);
    assert_int_equal(retry_after(&b, VERDICT_BUSY, 0, &delay), RETRY_LATER);
    assert_int_equal(retry_after(&b, VERDICT_SERVER, 0, &delay), RETRY_END);
    b = fresh;
    assert_int_equal(retry_after(&b, VERDICT_BUSY, 0, &delay), RETRY_LATER);
    assert_int_equal(retry_after(&b, VERDICT_CONNECT, 0, &delay), RETRY_END); /* once for both */
}

static void test_smallest_budgets(void **state)
{
    (void)state;
    const struct retry_budget none = {.max_refusals = 0, .max_attempts = 1};
    for (enum verdict v = 0; v < VERDICT_COUNT; v++) {
        struct retry_budget b = none;
        int64_t delay;
        assert_int_equal(retry_after(&b, v, 0, &delay), RETRY_END);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_verdict),
                                       cmocka_unit_test(test_stalls_only_when_asked),
                                       cmocka_unit_test(test_forwarded_routes_retry_refusals_only),
                                       cmocka_unit_test(test_delay),
                                       cmocka_unit_test(test_budgets_are_apart),
                                       cmocka_unit_test(test_smallest_budgets)};
    return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
