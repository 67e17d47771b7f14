/* The key pool: picking, strategies, cooldowns, half-open probes. Time is made up throughout: nothing waits. */
#include "tests/unit/keypool_help.h"

/* --- picking --- */

static void reasons_for_no_key(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    assert_int_equal(pick_for(p, FREE_MODEL).result, PICK_NO_KEYS);
    const char *a = add(p, 1, ""), *b = add(p, 2, "");
    keypool_set_enabled(p, a, false);
    keypool_set_enabled(p, b, false);
    struct pick none = pick_for(p, FREE_MODEL);
    assert_int_equal(none.result, PICK_NONE_USABLE);
    assert_int_equal(none.candidates, 0);
    keypool_set_enabled(p, a, true);
    keypool_set_enabled(p, b, true);
    run(p, a, FREE_MODEL, VERDICT_RATE_MINUTE);
    later(5 * S);
    run(p, b, FREE_MODEL, VERDICT_FORBIDDEN_OTHER);
    struct pick cooling = pick_for(p, FREE_MODEL);
    assert_int_equal(cooling.result, PICK_COOLING);
    assert_int_equal(cooling.candidates, 2);
    assert_int_equal(cooling.soonest_ms, 15 * S);
    assert_int_equal(cooling.soonest_verdict, VERDICT_RATE_MINUTE);
    assert_false(cooling.all_rate || cooling.all_no_funds || cooling.all_not_verified);
    keypool_free(p);
}

static void reasons_that_agree(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, ""), *b = add(p, 2, "");
    run(p, a, PAID_MODEL, VERDICT_NO_FUNDS);
    run(p, b, PAID_MODEL, VERDICT_NO_FUNDS);
    assert_true(pick_for(p, PAID_MODEL).all_no_funds);
    run(p, a, FREE_MODEL, VERDICT_RATE_DAY);
    run(p, b, FREE_MODEL, VERDICT_RATE_MINUTE);
    assert_true(pick_for(p, FREE_MODEL).all_rate);
    assert_int_equal(pick_for(p, FREE_MODEL).soonest_ms, 20 * S);
    keypool_free(p);
}

static void tried_keys_come_last(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_FILL_FIRST);
    const char *a = add(p, 1, ""), *b = add(p, 2, "");
    uint32_t tried[2];
    struct pick_ask ask = {.model = STR(FREE_MODEL), .tried = tried, .now = now_ms};
    struct pick one, two, three;
    keypool_acquire(p, &ask, &one);
    assert_string_equal(one.lease.key_id, a);
    tried[0] = one.lease.slot;
    ask.tried_count = 1;
    keypool_acquire(p, &ask, &two);
    assert_string_equal(two.lease.key_id, b);
    tried[1] = two.lease.slot;
    ask.tried_count = 2;
    keypool_acquire(p, &ask, &three);
    assert_int_equal(three.result, PICK_TRIED);
    assert_int_equal(three.candidates, 2);
    give_back(p, &two, FREE_MODEL, VERDICT_RATE_MINUTE);
    keypool_acquire(p, &ask, &three);
    assert_int_equal(three.result, PICK_TRIED);
    assert_int_equal(three.soonest_ms, 20 * S);
    give_back(p, &one, FREE_MODEL, VERDICT_RATE_MINUTE);
    keypool_acquire(p, &ask, &three);
    assert_int_equal(three.result, PICK_COOLING);
    keypool_free(p);
}

static void round_robin_is_fair(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *ids[5];
    for (unsigned i = 0; i < 3; i++) ids[i] = add(p, i, "");
    ids[3] = add(p, 3, "shared");
    ids[4] = add(p, 4, "shared");
    /* Two models in turn must not split the accounts between them. */
    unsigned free_served = 0;
    for (int i = 0; i < 160; i++) {
        const char *model = i % 2 ? FREE_MODEL : PAID_MODEL;
        struct pick pick = pick_for(p, model);
        free_served += i % 2 && strcmp(pick.lease.key_id, ids[0]) == 0;
        give_back(p, &pick, model, VERDICT_OK);
    }
    for (int i = 0; i < 3; i++) assert_int_equal(view_of(p, ids[i]).ok, 40);
    assert_int_equal(free_served, 20);
    assert_int_equal(view_of(p, ids[3]).ok + view_of(p, ids[4]).ok, 40);
    assert_in_range(view_of(p, ids[3]).ok, 15, 25);
    keypool_free(p);
}

static void least_busy_and_fill_first(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_LEAST_BUSY);
    const char *ids[3];
    struct pick picks[9];
    for (unsigned i = 0; i < 3; i++) ids[i] = add(p, i, "");
    for (int i = 0; i < 6; i++) picks[i] = pick_for(p, FREE_MODEL);
    for (int i = 0; i < 3; i++) assert_int_equal(view_of(p, ids[i]).in_flight, 2);
    char freed[KEY_ID_LEN + 1];
    memcpy(freed, picks[4].lease.key_id, sizeof freed);
    give_back(p, &picks[4], FREE_MODEL, VERDICT_OK);
    picks[4] = pick_for(p, FREE_MODEL);
    assert_string_equal(picks[4].lease.key_id, freed);
    keypool_set_strategy(p, STRATEGY_FILL_FIRST);
    for (int i = 6; i < 9; i++) {
        picks[i] = pick_for(p, FREE_MODEL);
        assert_string_equal(picks[i].lease.key_id, ids[0]);
    }
    assert_int_equal(keypool_leases_out(p), 9);
    for (int i = 0; i < 9; i++) give_back(p, &picks[i], FREE_MODEL, VERDICT_OK);
    assert_int_equal(keypool_leases_out(p), 0);
    keypool_free(p);
}

/* --- cooldowns --- */

static void accounts_share_and_models_do_not(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, "A"), *b = add(p, 2, "A"), *c = add(p, 3, "");
    run(p, a, FREE_MODEL, VERDICT_RATE_MINUTE);
    assert_false(can(p, a, FREE_MODEL));
    assert_false(can(p, b, FREE_MODEL));
    assert_true(can(p, c, FREE_MODEL));
    assert_true(can(p, b, PAID_MODEL));
    assert_int_equal(keypool_usable_for(p, STR(FREE_MODEL), now_ms), 1);
    assert_int_equal(keypool_usable_for(p, STR(PAID_MODEL), now_ms), 3);
    keypool_free(p);
}

static void no_funds_by_purse(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, "");
    run(p, a, PRO_MODEL, VERDICT_NO_FUNDS);
    assert_int_equal(view_of(p, a).class, CLASS_UNKNOWN); /* vouchers may pay for plain ids */
    assert_false(can(p, a, "Pro/other"));
    assert_true(can(p, a, PAID_MODEL));
    run(p, a, PAID_MODEL, VERDICT_NO_FUNDS);
    assert_int_equal(view_of(p, a).class, CLASS_FREE);
    assert_false(can(p, a, "an/unknown-model"));
    assert_true(can(p, a, FREE_MODEL));
    assert_true(can(p, a, ""));
    run(p, a, FREE_MODEL, VERDICT_NO_FUNDS);
    assert_false(can(p, a, FREE_MODEL));
    assert_false(can(p, a, ""));
    later(15 * M - 1);
    assert_false(can(p, a, PRO_MODEL));
    later(1);
    assert_true(can(p, a, PRO_MODEL));
    run(p, a, PRO_MODEL, VERDICT_NO_FUNDS);
    later(15 * M);
    assert_false(can(p, a, PRO_MODEL));
    later(15 * M);
    run(p, a, PRO_MODEL, VERDICT_OK);
    assert_int_equal(view_of(p, a).class, CLASS_PAID);
    keypool_free(p);
}

/* Who serves `n` requests for the model; all answered. Returns how many each of two keys got. */
static void spread(struct keypool *p, const char *model, unsigned n, const char *a, unsigned *of_a)
{
    *of_a = 0;
    for (unsigned i = 0; i < n; i++) {
        struct pick pick = pick_for(p, model);
        assert_int_equal(pick.result, PICK_OK);
        *of_a += strcmp(pick.lease.key_id, a) == 0;
        give_back(p, &pick, model, VERDICT_OK);
    }
}

static void who_can_pay_goes_first(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *poor = add(p, 1, ""), *rich = add(p, 2, "");
    unsigned n;
    run(p, poor, PAID_MODEL, VERDICT_NO_FUNDS);
    later(3 * H); /* its cooldown has passed */
    assert_true(can(p, poor, PAID_MODEL));
    spread(p, PAID_MODEL, 10, poor, &n);
    assert_int_equal(n, 0);
    spread(p, "x/of-unknown-cost", 10, poor, &n);
    assert_int_equal(n, 0);
    spread(p, FREE_MODEL, 10, poor, &n); /* costs nobody anything: all keys alike */
    assert_int_equal(n, 5);
    run(p, rich, PAID_MODEL, VERDICT_RATE_MINUTE);
    struct pick pick = pick_for(p, PAID_MODEL); /* nobody else can */
    assert_int_equal(pick.result, PICK_OK);
    assert_string_equal(pick.lease.key_id, poor);
    give_back(p, &pick, PAID_MODEL, VERDICT_NO_FUNDS);
    pick = pick_for(p, PAID_MODEL);
    assert_int_equal(pick.result, PICK_COOLING);
    assert_true(pick.all_rate); /* the empty account does not hide what the other one waits for */
    assert_false(pick.all_no_funds);
    later(24 * H);
    spread(p, PAID_MODEL, 2, poor, &n); /* perhaps it was topped up */
    assert_int_equal(n, 1);
    assert_int_equal(view_of(p, poor).class, CLASS_PAID);
    keypool_free(p);
}

static void by_hand_a_class_is_doubted(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *poor = add(p, 1, "");
    add(p, 2, "");
    unsigned n;
    run(p, poor, PAID_MODEL, VERDICT_NO_FUNDS);
    spread(p, PAID_MODEL, 4, poor, &n);
    assert_int_equal(n, 0);
    keypool_reset(p, poor, now_ms);
    spread(p, PAID_MODEL, 4, poor, &n);
    assert_int_equal(n, 2);
    run(p, poor, PAID_MODEL, VERDICT_NO_FUNDS);
    keypool_set_balance(p, poor, BALANCE_SET, 14000000, wall0);
    assert_int_equal(view_of(p, poor).class, CLASS_PAID);
    keypool_free(p);
}

static void pro_by_charged_balance(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *gift = add(p, 1, ""), *funded = add(p, 2, "");
    unsigned n;
    later(1);
    can(p, gift, FREE_MODEL);
    keypool_set_charge(p, gift, 0);
    spread(p, PRO_MODEL, 4, gift, &n);
    assert_int_equal(n, 0);
    spread(p, PAID_MODEL, 4, gift, &n);
    assert_int_equal(n, 2);
    keypool_set_charge(p, gift, 5000000);
    spread(p, PRO_MODEL, 4, gift, &n);
    assert_int_equal(n, 2);
    run(p, gift, PRO_MODEL, VERDICT_NO_FUNDS);
    assert_int_equal(view_of(p, gift).class, CLASS_PAID); /* it served a plain one */
    assert_true(can(p, gift, PAID_MODEL));
    assert_false(can(p, gift, "Pro/other"));
    assert_true(can(p, funded, PRO_MODEL));
    keypool_free(p);
}

static void classes_are_of_the_account(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, "A"), *b = add(p, 2, "A"), *dead = add(p, 3, "A"), *other = add(p, 4, "");
    run(p, dead, FREE_MODEL, VERDICT_KEY_INVALID);
    assert_true(strstr(view_of(p, dead).class_evidence, ".cn / .com") != NULL);
    run(p, a, PAID_MODEL, VERDICT_OK);
    assert_int_equal(view_of(p, b).class, CLASS_PAID);
    assert_int_equal(view_of(p, dead).class, CLASS_INVALID);
    assert_int_equal(view_of(p, other).class, CLASS_UNKNOWN);
    run(p, b, FREE_MODEL, VERDICT_NOT_VERIFIED);
    assert_int_equal(view_of(p, a).class, CLASS_UNVERIFIED);
    assert_true(strstr(view_of(p, a).class_evidence, "verify the real name") != NULL);
    later(H);
    run(p, a, FREE_MODEL, VERDICT_OK);
    assert_int_equal(view_of(p, b).class, CLASS_PAID);
    assert_int_equal(view_of(p, dead).class, CLASS_INVALID);
    keypool_free(p);
}

static void what_traffic_shows(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    struct pool_observed seen[4];
    const char *poor = add(p, 1, ""), *new_one = add(p, 2, "");
    run(p, new_one, "x/served-by-who-knows", VERDICT_OK);
    assert_int_equal(keypool_take_observed(p, seen, 4), 0);
    run(p, poor, PAID_MODEL, VERDICT_NO_FUNDS);
    later(H);
    run(p, poor, "x/free", VERDICT_OK);
    run(p, new_one, "x/paid", VERDICT_NO_FUNDS);
    run(p, poor, FREE_MODEL, VERDICT_OK);
    assert_int_equal(keypool_take_observed(p, seen, 4), 2);
    assert_string_equal(seen[0].model, "x/free");
    assert_int_equal(seen[0].cost, COST_FREE);
    assert_string_equal(seen[1].model, "x/paid");
    assert_int_equal(seen[1].cost, COST_PAID);
    assert_int_equal(keypool_take_observed(p, seen, 4), 0);
    keypool_free(p);
}

/* What traffic showed to be free was not: the account is not in debt for that. */
static void observed_costs_are_guesses(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    struct pool_observed seen[4];
    const char *a = add(p, 1, "");
    struct pick_ask ask = {.model = STR("x/new"), .cost = COST_FREE, .now = now_ms};
    struct pick pick;
    keypool_acquire(p, &ask, &pick);
    struct lease_end end = end_with(VERDICT_NO_FUNDS, "x/new");
    end.cost = COST_FREE;
    end.cost_observed = true;
    keypool_return(p, &pick.lease, &end);
    assert_true(can(p, a, FREE_MODEL));
    assert_int_equal(keypool_take_observed(p, seen, 4), 1);
    assert_int_equal(seen[0].cost, COST_PAID);
    keypool_free(p);
}

static void configured_cost_wins(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, "");
    struct pick_ask ask = {.model = STR("x/new"), .cost = COST_FREE, .now = now_ms};
    struct pick pick;
    keypool_acquire(p, &ask, &pick);
    struct lease_end end = end_with(VERDICT_NO_FUNDS, "x/new");
    end.cost = COST_FREE;
    keypool_return(p, &pick.lease, &end);
    assert_false(can(p, a, FREE_MODEL));
    keypool_free(p);
}

static void half_open_lets_one_through(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, "");
    run(p, a, FREE_MODEL, VERDICT_RATE_MINUTE);
    later(20 * S - 1);
    assert_int_equal(pick_for(p, FREE_MODEL).result, PICK_COOLING);
    later(1);
    struct pick probe = pick_for(p, FREE_MODEL);
    assert_int_equal(probe.result, PICK_OK);
    assert_true(probe.lease.probe);
    assert_int_equal(pick_for(p, FREE_MODEL).result, PICK_COOLING);
    assert_true(can(p, a, PAID_MODEL));
    give_back(p, &probe, FREE_MODEL, VERDICT_CANCELLED);
    probe = pick_for(p, FREE_MODEL);
    assert_true(probe.lease.probe);
    give_back(p, &probe, FREE_MODEL, VERDICT_RATE_MINUTE);
    later(40 * S - 1);
    assert_int_equal(pick_for(p, FREE_MODEL).result, PICK_COOLING);
    later(1);
    probe = pick_for(p, FREE_MODEL);
    keypool_gate(p, &probe.lease, now_ms);
    struct pick follower = pick_for(p, FREE_MODEL);
    assert_int_equal(follower.result, PICK_OK);
    assert_false(follower.lease.probe);
    give_back(p, &follower, FREE_MODEL, VERDICT_OK);
    give_back(p, &probe, FREE_MODEL, VERDICT_OK);
    run(p, a, FREE_MODEL, VERDICT_RATE_MINUTE);
    assert_int_equal(view_of(p, a).cooldowns[0].ms_left, 20 * S);
    keypool_free(p);
}

static void a_silent_probe_does_not_block(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, "");
    run(p, a, FREE_MODEL, VERDICT_RATE_MINUTE);
    later(20 * S);
    struct pick first = pick_for(p, FREE_MODEL);
    later(60 * S - 1);
    assert_int_equal(pick_for(p, FREE_MODEL).result, PICK_COOLING);
    later(1);
    struct pick second = pick_for(p, FREE_MODEL);
    assert_true(second.lease.probe);
    give_back(p, &first, FREE_MODEL, VERDICT_OK);
    assert_int_equal(pick_for(p, FREE_MODEL).result, PICK_COOLING);
    give_back(p, &second, FREE_MODEL, VERDICT_BAD_REQUEST);
    assert_true(can(p, a, FREE_MODEL));
    keypool_free(p);
}

static void probes_that_say_nothing(void **state)
{
    (void)state;
    static const enum verdict mute[] = {VERDICT_CONNECT, VERDICT_BUSY, VERDICT_CANCELLED};
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, "");
    run(p, a, FREE_MODEL, VERDICT_RATE_MINUTE);
    later(20 * S);
    for (size_t i = 0; i < ARRAY_LEN(mute); i++) {
        struct pick probe = pick_key(p, FREE_MODEL, a);
        assert_true(probe.lease.probe);
        give_back(p, &probe, FREE_MODEL, mute[i]);
    }
    keypool_free(p);
}

static void refusals_in_a_burst_climb_once(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, "");
    struct pick burst[10];
    for (int i = 0; i < 10; i++) burst[i] = pick_for(p, FREE_MODEL);
    for (int i = 0; i < 9; i++) give_back(p, &burst[i], FREE_MODEL, VERDICT_RATE_MINUTE);
    assert_int_equal(view_of(p, a).cooldowns[0].ms_left, 20 * S);
    later(5 * S);
    give_back(p, &burst[9], FREE_MODEL, VERDICT_OK);
    assert_int_equal(view_of(p, a).cooldowns[0].ms_left, 15 * S);
    keypool_free(p);
}

static void failures_double_while_another_succeeds(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, ""), *b = add(p, 2, "");
    static const int64_t alone[] = {5 * S, 5 * S}, doubled[] = {10 * S, 20 * S, 40 * S, 60 * S, 60 * S};
    for (size_t i = 0; i < ARRAY_LEN(alone); i++) {
        run(p, a, FREE_MODEL, VERDICT_SERVER);
        assert_int_equal(view_of(p, a).cooldowns[0].ms_left, alone[i]);
        later(alone[i]);
    }
    run(p, b, FREE_MODEL, VERDICT_OK);
    run(p, a, FREE_MODEL, VERDICT_OK);
    later(1);
    run(p, b, FREE_MODEL, VERDICT_OK);
    run(p, a, FREE_MODEL, VERDICT_RESET);
    assert_int_equal(view_of(p, a).cooldowns[0].ms_left, 5 * S);
    later(5 * S);
    for (size_t i = 0; i < ARRAY_LEN(doubled); i++) {
        run(p, a, FREE_MODEL, VERDICT_RESET);
        assert_int_equal(view_of(p, a).cooldowns[0].ms_left, doubled[i]);
        later(doubled[i]);
    }
    keypool_free(p);
}

static void a_bad_request_touches_nothing(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, "");
    run(p, a, FREE_MODEL, VERDICT_OK);
    uint64_t before = keypool_generation(p);
    run(p, a, FREE_MODEL, VERDICT_BAD_REQUEST);
    struct key_view v = view_of(p, a);
    assert_int_equal(keypool_generation(p), before);
    assert_int_equal(v.failed + v.limited, 0);
    assert_int_equal(v.ok, 1);
    assert_int_equal(v.last_error.at.ms, 0);
    assert_int_equal(v.state, KEY_READY);
    assert_true(can(p, a, FREE_MODEL));
    keypool_free(p);
}

static void reset_by_hand(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, "");
    run(p, a, PAID_MODEL, VERDICT_NO_FUNDS);
    run(p, a, FREE_MODEL, VERDICT_NOT_VERIFIED);
    assert_int_equal(view_of(p, a).class, CLASS_UNVERIFIED);
    assert_int_equal(view_of(p, a).state, KEY_COOLING);
    assert_int_equal(view_of(p, a).cooldown_count, 2);
    assert_string_equal(view_of(p, a).cooldowns[0].model, "");
    assert_string_equal(view_of(p, a).cooldowns[1].model, "(paid)");
    assert_int_equal(keypool_usable(p, now_ms), 0);
    assert_true(keypool_reset(p, a, now_ms));
    assert_true(can(p, a, PAID_MODEL));
    run(p, a, FREE_MODEL, VERDICT_OK);
    assert_int_equal(view_of(p, a).class, CLASS_FREE);
    assert_false(keypool_reset(p, "00000000", now_ms));
    keypool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons_for_no_key),
        cmocka_unit_test(reasons_that_agree),
        cmocka_unit_test(tried_keys_come_last),
        cmocka_unit_test(round_robin_is_fair),
        cmocka_unit_test(least_busy_and_fill_first),
        cmocka_unit_test(accounts_share_and_models_do_not),
        cmocka_unit_test(no_funds_by_purse),
        cmocka_unit_test(who_can_pay_goes_first),
        cmocka_unit_test(by_hand_a_class_is_doubted),
        cmocka_unit_test(pro_by_charged_balance),
        cmocka_unit_test(classes_are_of_the_account),
        cmocka_unit_test(what_traffic_shows),
        cmocka_unit_test(observed_costs_are_guesses),
        cmocka_unit_test(configured_cost_wins),
        cmocka_unit_test(half_open_lets_one_through),
        cmocka_unit_test(a_silent_probe_does_not_block),
        cmocka_unit_test(probes_that_say_nothing),
        cmocka_unit_test(refusals_in_a_burst_climb_once),
        cmocka_unit_test(failures_double_while_another_succeeds),
        cmocka_unit_test(a_bad_request_touches_nothing),
        cmocka_unit_test(reset_by_hand),
    };
    return cmocka_run_group_tests_name("keypool", tests, NULL, NULL);
}
