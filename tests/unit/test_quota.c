/* Limits of (account, model), balances of accounts, and why a key is chosen. Time is made up throughout. */
#include "pool/rate.h"
#include "tests/unit/keypool_help.h"

/* --- the window --- */

static void a_minute_is_never_too_short(void **state)
{
    (void)state;
    struct rate r = {0};
    mono_t t0 = {100003};
    rate_add(&r, t0, 1, 10);
    rate_add(&r, mono_add(t0, 20 * S), 2, 20);
    assert_int_equal(r.request_sum, 3);
    assert_int_equal(r.token_sum, 30);
    rate_advance(&r, mono_add(t0, 60 * S));
    assert_int_equal(r.request_sum, 3); /* a minute later the first one still counts */
    rate_advance(&r, mono_add(t0, 65 * S));
    assert_int_equal(r.request_sum, 2);
    rate_advance(&r, mono_add(t0, 500 * S));
    assert_int_equal(r.request_sum + r.token_sum, 0);
}

static void the_wait_is_honest(void **state)
{
    (void)state;
    struct rate r = {0};
    mono_t t0 = {100000};
    assert_int_equal(rate_wait(&r, 1, 1, t0), 0);
    rate_add(&r, t0, 2, 100);
    rate_add(&r, mono_add(t0, 30 * S), 2, 0);
    mono_t now = mono_add(t0, 31 * S);
    assert_int_equal(rate_wait(&r, 0, 0, now), 0);
    assert_int_equal(rate_wait(&r, 5, 101, now), 0);
    assert_int_equal(rate_wait(&r, 4, 0, now), 34 * S);
    assert_int_equal(rate_wait(&r, 2, 0, now), 64 * S); /* the two in the second slot are too many as well */
    assert_int_equal(rate_wait(&r, 0, 100, now), 34 * S);
    assert_int_equal(rate_wait(&r, 2, 100, now), 64 * S);
    mono_t then = mono_add(now, rate_wait(&r, 4, 0, now));
    assert_int_equal(rate_wait(&r, 4, 0, mono_add(then, -1)), 1);
    assert_int_equal(rate_wait(&r, 4, 0, then), 0);
    rate_add(&r, then, UINT32_MAX, UINT64_MAX);
    rate_add(&r, then, UINT32_MAX, UINT64_MAX);
    assert_true(r.token_sum == UINT32_MAX && r.request_sum == 2ull + UINT32_MAX);
}

static void limits_are_learned(void **state)
{
    (void)state;
    struct learned l = {0};
    assert_int_equal(learned_rpm(&l), -1);
    learned_pass(&l, 50, 1000);
    assert_int_equal(learned_rpm(&l), -1);
    learned_refuse(&l, "Request was rejected due to rate limiting. Details: TPM limit reached.", 60, 1200);
    assert_int_equal(learned_rpm(&l), -1);
    assert_int_equal(learned_tpm(&l), 1200);
    learned_pass(&l, 50, 1100);
    assert_int_equal(learned_tpm(&l), 1200);
    learned_pass(&l, 50, 1500); /* it was raised */
    assert_int_equal(learned_tpm(&l), 1500);
    learned_refuse(&l, "RPM limit reached.", 21, 900);
    assert_int_equal(learned_rpm(&l), 20);
    learned_refuse(&l, "IPM limit reached.", 3, 0);
    assert_int_equal(learned_rpm(&l), 2);
    learned_refuse(&l, "slow down", 1, 1);
    learned_refuse(&l, NULL, 1, 1);
    assert_int_equal(learned_rpm(&l), 2);
    assert_int_equal(learned_tpm(&l), 1500);
}

/* --- picking --- */

static void limit(struct keypool *p, const char *model, int64_t rpm, int64_t tpm)
{
    struct model_rule rule = {.name = (char *)(uintptr_t)model, .free = -1, .limit_rpm = rpm, .limit_tpm = tpm};
    keypool_set_limits(p, &rule, 1);
}

static void a_used_up_limit_is_passed_over(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_FILL_FIRST);
    const char *a = add(p, 1, "A"), *twin = add(p, 2, "A"), *b = add(p, 3, "B");
    limit(p, PAID_MODEL, 2, 0);
    now_ms.ms = now_ms.ms / (5 * S) * (5 * S);
    run(p, a, PAID_MODEL, VERDICT_OK);
    run(p, twin, PAID_MODEL, VERDICT_OK); /* two keys of one account share it */
    assert_false(can(p, a, PAID_MODEL));
    assert_false(can(p, twin, PAID_MODEL));
    assert_true(can(p, a, FREE_MODEL));
    assert_int_equal(keypool_usable_for(p, STR(PAID_MODEL), now_ms), 1);
    assert_int_equal(view_of(p, a).cooldowns[0].reason, VERDICT_RATE_MINUTE);
    later(10 * S);
    struct pick pick = pick_for(p, PAID_MODEL);
    assert_string_equal(pick.lease.key_id, b);
    give_back(p, &pick, PAID_MODEL, VERDICT_OK);
    run(p, b, PAID_MODEL, VERDICT_OK);
    pick = pick_for(p, PAID_MODEL);
    assert_int_equal(pick.result, PICK_COOLING);
    assert_true(pick.all_rate);
    assert_int_equal(pick.soonest_ms, 55 * S); /* of A */
    assert_int_equal(pick.soonest_verdict, VERDICT_RATE_MINUTE);
    later(54999);
    assert_int_equal(pick_for(p, PAID_MODEL).result, PICK_COOLING);
    later(1);
    assert_true(can(p, a, PAID_MODEL));
    keypool_free(p);
}

static void tokens_have_a_limit_too(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, "");
    limit(p, PAID_MODEL, 0, 1000);
    for (int i = 0; i < 2; i++) {
        assert_true(can(p, a, PAID_MODEL));
        struct pick pick = pick_key(p, PAID_MODEL, a);
        struct lease_end end = end_with(VERDICT_OK, PAID_MODEL);
        end.tokens = 500;
        keypool_return(p, &pick.lease, &end);
    }
    assert_false(can(p, a, PAID_MODEL));
    limit(p, PAID_MODEL, 0, 5000); /* a reload */
    assert_true(can(p, a, PAID_MODEL));
    limit(p, PAID_MODEL, 1, 0);
    assert_false(can(p, a, PAID_MODEL));
    assert_true(keypool_reset(p, a, now_ms)); /* by hand */
    assert_true(can(p, a, PAID_MODEL));
    keypool_set_limits(p, NULL, 0);
    for (int i = 0; i < 5; i++) assert_true(can(p, a, PAID_MODEL));
    keypool_free(p);
}

static void cells_can_be_seen(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    struct cell_view cells[8];
    const char *a = add(p, 1, "A"), *b = add(p, 2, "");
    limit(p, PAID_MODEL, 10, 0);
    assert_int_equal(keypool_cells(p, now_ms, cells, 8), 0);
    run(p, a, PAID_MODEL, VERDICT_OK);
    later(1000);
    struct pick pick = pick_key(p, FREE_MODEL, b);
    struct lease_end end = end_with(VERDICT_RATE_MINUTE, FREE_MODEL);
    end.message = "RPM limit reached.";
    keypool_return(p, &pick.lease, &end);
    later(1000);
    assert_int_equal(keypool_cells(p, now_ms, cells, 8), 2);
    assert_string_equal(cells[0].account, b);
    assert_string_equal(cells[0].model, FREE_MODEL);
    assert_int_equal(cells[0].rpm, 1);
    assert_int_equal(cells[0].limit_rpm, 1);
    assert_int_equal(cells[0].limit_tpm, -1);
    assert_false(cells[0].configured);
    assert_int_equal(cells[0].last_verdict, VERDICT_RATE_MINUTE);
    assert_int_equal(cells[0].ms_left, 19 * S);
    assert_int_equal(cells[0].idle_ms, 1000);
    assert_string_equal(cells[1].account, "A");
    assert_int_equal(cells[1].limit_rpm, 10);
    assert_true(cells[1].configured);
    assert_int_equal(cells[1].ms_left, 0);
    assert_int_equal(keypool_cells(p, now_ms, cells, 1), 1);
    keypool_free(p);
}

/* --- why --- */

static void every_reason_is_told(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *ids[7];
    for (unsigned i = 0; i < 7; i++) ids[i] = add(p, i, "");
    struct explain e;
    struct explain_row rows[8];
    limit(p, PAID_MODEL, 1, 0);
    keypool_set_enabled(p, ids[0], false);
    run(p, ids[1], FREE_MODEL, VERDICT_KEY_INVALID);
    run(p, ids[2], PAID_MODEL, VERDICT_NO_FUNDS);
    run(p, ids[3], FREE_MODEL, VERDICT_NOT_VERIFIED);
    run(p, ids[4], PAID_MODEL, VERDICT_OK);
    assert_int_equal(keypool_explain(p, STR(PAID_MODEL), COST_UNKNOWN, now_ms, &e, rows, 8), 7);
    static const enum explain_why whys[] = {EXPLAIN_OFF,   EXPLAIN_BAD,  EXPLAIN_COOLING, EXPLAIN_COOLING,
                                            EXPLAIN_LIMIT, EXPLAIN_NEXT, EXPLAIN_READY};
    for (size_t i = 0; i < 7; i++) {
        assert_string_equal(rows[i].id, ids[i]);
        assert_int_equal(rows[i].why, whys[i]);
    }
    assert_string_equal(rows[2].scope, "paid models");
    assert_int_equal(rows[2].reason, VERDICT_NO_FUNDS);
    assert_int_equal(rows[2].wait_ms, 15 * M);
    assert_string_equal(rows[3].scope, "account");
    assert_true(rows[4].wait_ms > 60 * S && rows[4].wait_ms <= 65 * S);
    assert_int_equal(e.cost, COST_PAID);
    assert_int_equal(e.outage_ms, 0);
    struct pick pick = pick_for(p, PAID_MODEL); /* what was told is what happens */
    assert_string_equal(pick.lease.key_id, ids[5]);
    give_back(p, &pick, PAID_MODEL, VERDICT_OK);
    assert_int_equal(keypool_explain(p, STR(PAID_MODEL), COST_UNKNOWN, now_ms, &e, rows, 3), 3);
    keypool_free(p);
}

/* Whatever happened before: the key that is named next is the one that is picked. */
static void next_is_what_is_picked(void **state)
{
    (void)state;
    static const enum verdict verdicts[] = {VERDICT_OK, VERDICT_OK, VERDICT_RATE_MINUTE, VERDICT_SERVER,
                                            VERDICT_NO_FUNDS};
    static const char *const models[] = {FREE_MODEL, PAID_MODEL, PRO_MODEL};
    for (int strategy = 0; strategy < 3; strategy++) {
        struct keypool *p = keypool_new((enum pool_strategy)strategy);
        uint32_t random = 1;
        struct explain e;
        struct explain_row rows[8];
        for (unsigned i = 0; i < 8; i++) add(p, i, i % 3 ? "" : "A");
        limit(p, FREE_MODEL, 9, 0);
        for (int i = 0; i < 3000; i++) {
            random = random * 1664525 + 1013904223;
            const char *model = models[(random >> 8) % 3], *next = "";
            size_t n = keypool_explain(p, str_of(model), COST_UNKNOWN, now_ms, &e, rows, 8);
            for (size_t k = 0; k < n; k++)
                if (rows[k].why == EXPLAIN_NEXT) next = rows[k].id;
            struct pick pick = pick_for(p, model);
            assert_string_equal(pick.result == PICK_OK ? pick.lease.key_id : "", next);
            if (pick.result == PICK_OK) give_back(p, &pick, model, verdicts[(random >> 16) % 5]);
            later((random >> 20) % 4000);
        }
        keypool_free(p);
    }
}

/* --- balances --- */

static void keys_of_an_account_share_a_balance(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    struct pool_balances b;
    const char *a = add(p, 1, "A"), *twin = add(p, 2, "A"), *other = add(p, 3, "");
    assert_false(keypool_spend(p, a, 100)); /* nothing known, nothing to take it from */
    keypool_set_balance(p, a, BALANCE_SET, 5000000, wall0);
    assert_true(keypool_spend(p, twin, 1500000));
    assert_false(keypool_spend(p, a, 0));
    assert_int_equal(view_of(p, a).balance_micro, 3500000);
    assert_int_equal(view_of(p, twin).balance_micro, 3500000);
    assert_int_equal(view_of(p, twin).balance_spent_micro, 1500000);
    assert_int_equal(view_of(p, a).balance_origin, BALANCE_SET);
    assert_int_equal(view_of(p, other).balance_origin, BALANCE_UNKNOWN);
    keypool_balances(p, &b);
    assert_int_equal(b.left_micro, 3500000);
    assert_int_equal(b.accounts, 2);
    assert_int_equal(b.known, 1);
    keypool_spend(p, a, INT64_MAX); /* overdrawn: shown as it is, counted as nothing */
    keypool_spend(p, a, INT64_MAX);
    assert_true(view_of(p, a).balance_micro < 0);
    keypool_balances(p, &b);
    assert_int_equal(b.left_micro, 0);
    keypool_set_balance(p, twin, BALANCE_API, 2000000, wall0);
    assert_int_equal(view_of(p, a).balance_micro, 2000000);
    keypool_set_balance(p, other, BALANCE_SET, 1, wall0);
    keypool_set_enabled(p, other, false); /* its money cannot be used */
    keypool_balances(p, &b);
    assert_int_equal(b.known, 1);
    keypool_free(p);
}

static void a_learned_account_takes_the_balance_along(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, ""), *b = add(p, 2, "");
    keypool_set_balance(p, a, BALANCE_API, 7000000, wall0);
    keypool_set_account(p, a, "u1");
    assert_int_equal(view_of(p, a).balance_micro, 7000000);
    keypool_spend(p, a, 1000000);
    keypool_set_balance(p, b, BALANCE_API, 5900000, (wall_t){wall0.ms + 5});
    keypool_set_account(p, b, "u1");
    assert_int_equal(view_of(p, a).balance_micro, 5900000); /* the newer word */
    keypool_free(p);
}

/* Keys as configured, then what a restart remembers. */
static struct keypool *reborn(struct keypool *old, struct key_conf *keys, size_t count)
{
    struct key_saved *saved;
    struct cooldown_saved *cooldowns;
    size_t n, m;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    keypool_save(old, now_ms, wall0, &saved, &n, &cooldowns, &m);
    keypool_configure(p, keys, count, now_ms);
    keypool_restore(p, saved, n, cooldowns, m, now_ms, wall0);
    free(saved);
    free(cooldowns);
    keypool_free(old);
    return p;
}

static int64_t only_balance(struct keypool *p)
{
    struct key_view v[2];
    assert_in_range(keypool_view(p, now_ms, v, 2), 1, 2);
    return v[0].balance_micro;
}

static void metering_survives_a_restart(void **state)
{
    (void)state;
    struct key_conf keys[] = {conf_of("sk-test-0123456789abcdef0123456789-a", "A", "sfproxy.conf:3"),
                              conf_of("sk-test-0123456789abcdef0123456789-b", "A", "sfproxy.conf:4")};
    struct key_view v[2];
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    keys[0].has_balance = true;
    keys[0].balance_micro = 14000000;
    keypool_configure(p, keys, 2, now_ms);
    keypool_view(p, now_ms, v, 2);
    keypool_spend(p, v[1].id, 4000000);
    p = reborn(p, keys, 2);
    assert_int_equal(only_balance(p), 10000000);
    keypool_configure(p, keys, 2, now_ms); /* a reload with the same file */
    assert_int_equal(only_balance(p), 10000000);
    keypool_set_balance(p, v[0].id, BALANCE_SET, 3000000, wall0); /* typed: newer than the file */
    keypool_spend(p, v[0].id, 1000000);
    p = reborn(p, keys, 2);
    assert_int_equal(only_balance(p), 2000000);
    keys[0].balance_micro = 20000000; /* changed in the file while it was not running */
    p = reborn(p, keys, 2);
    assert_int_equal(only_balance(p), 20000000);
    p = reborn(p, keys, 2);
    assert_int_equal(only_balance(p), 20000000);
    keypool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_minute_is_never_too_short),
        cmocka_unit_test(the_wait_is_honest),
        cmocka_unit_test(limits_are_learned),
        cmocka_unit_test(a_used_up_limit_is_passed_over),
        cmocka_unit_test(tokens_have_a_limit_too),
        cmocka_unit_test(cells_can_be_seen),
        cmocka_unit_test(every_reason_is_told),
        cmocka_unit_test(next_is_what_is_picked),
        cmocka_unit_test(keys_of_an_account_share_a_balance),
        cmocka_unit_test(a_learned_account_takes_the_balance_along),
        cmocka_unit_test(metering_survives_a_restart),
    };
    return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
