/* Who may enter the admin routes: the whole table of classes and credentials. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "admin/gate.h"

static enum gate_result decide(enum route_class class, enum gate_token token, enum gate_cookie cookie, bool same)
{
    struct gate_facts f = {.class = class, .host_ours = true, .token = token, .cookie = cookie, .same_origin = same};
    return gate_decide(&f);
}

static void test_credentials(void **state)
{
    (void)state;
    static const struct {
        enum gate_token token;
        enum gate_cookie cookie;
        bool same;
        enum gate_result view, act, own;
    } rows[] = {
        {TOKEN_NONE, COOKIE_NONE, false, GATE_NO_LOGIN, GATE_NO_LOGIN, GATE_NO_LOGIN},
        {TOKEN_NONE, COOKIE_NONE, true, GATE_NO_LOGIN, GATE_NO_LOGIN, GATE_NO_LOGIN},
        {TOKEN_NONE, COOKIE_WRONG, true, GATE_NO_LOGIN, GATE_NO_LOGIN, GATE_NO_LOGIN},
        {TOKEN_NONE, COOKIE_RIGHT, false, GATE_ENTER, GATE_FOREIGN, GATE_NEEDS_TOKEN},
        {TOKEN_NONE, COOKIE_RIGHT, true, GATE_ENTER, GATE_ENTER, GATE_NEEDS_TOKEN},
        {TOKEN_RIGHT, COOKIE_NONE, false, GATE_ENTER, GATE_ENTER, GATE_ENTER},
        {TOKEN_WRONG, COOKIE_RIGHT, true, GATE_WRONG_TOKEN, GATE_WRONG_TOKEN, GATE_WRONG_TOKEN},
        {TOKEN_BLOCKED, COOKIE_RIGHT, true, GATE_BLOCKED, GATE_BLOCKED, GATE_BLOCKED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(decide(ROUTE_VIEW, rows[i].token, rows[i].cookie, rows[i].same), rows[i].view);
        assert_int_equal(decide(ROUTE_METRICS, rows[i].token, rows[i].cookie, rows[i].same), rows[i].view);
        assert_int_equal(decide(ROUTE_ACT, rows[i].token, rows[i].cookie, rows[i].same), rows[i].act);
        assert_int_equal(decide(ROUTE_OWN, rows[i].token, rows[i].cookie, rows[i].same), rows[i].own);
    }
}

static void test_open_on_loopback_is_for_looking_only(void **state)
{
    (void)state;
    static const enum gate_result expected[] = {[ROUTE_METRICS] = GATE_ENTER,
                                                [ROUTE_VIEW] = GATE_ENTER,
                                                [ROUTE_ACT] = GATE_NO_LOGIN,
                                                [ROUTE_OWN] = GATE_NO_LOGIN};
    for (enum route_class c = ROUTE_METRICS; c <= ROUTE_OWN; c++) {
        struct gate_facts f = {.class = c, .host_ours = true, .open_view = true, .same_origin = true};
        assert_int_equal(gate_decide(&f), expected[c]);
        f.host_ours = false; /* a rebound name sees nothing */
        assert_int_equal(gate_decide(&f), GATE_BAD_HOST);
    }
}

static void test_a_foreign_host_gets_nothing_but_metrics_with_the_token(void **state)
{
    (void)state;
    for (enum route_class c = ROUTE_METRICS; c <= ROUTE_OWN; c++) {
        struct gate_facts f = {.class = c, .token = TOKEN_RIGHT};
        assert_int_equal(gate_decide(&f), c == ROUTE_METRICS ? GATE_ENTER : GATE_BAD_HOST);
        f = (struct gate_facts){.class = c, .metrics_public = true};
        assert_int_equal(gate_decide(&f), c == ROUTE_METRICS ? GATE_ENTER : GATE_BAD_HOST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credentials),
        cmocka_unit_test(test_open_on_loopback_is_for_looking_only),
        cmocka_unit_test(test_a_foreign_host_gets_nothing_but_metrics_with_the_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
