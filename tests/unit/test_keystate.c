/* The key pool: invalid keys and tests, joining and leaving, persistence, bounds. */
#include "tests/unit/keypool_help.h"

/* --- invalid keys and tests --- */

static void invalid_keys_are_probed(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, "A"), *b = add(p, 2, "A");
    char ids[4][KEY_ID_LEN + 1];
    assert_int_equal(keypool_due_tests(p, now_ms, ids, 4), 2);
    assert_int_equal(keypool_due_tests(p, now_ms, ids, 4), 0);
    struct lease_end ok = end_with(VERDICT_OK, "");
    assert_true(keypool_test_begin(p, a));
    assert_int_equal(view_of(p, a).state, KEY_TESTING);
    keypool_test_end(p, a, &ok);
    keypool_test_end(p, b, &ok);
    assert_int_equal(view_of(p, a).state, KEY_READY);

    run(p, a, FREE_MODEL, VERDICT_KEY_INVALID);
    assert_int_equal(view_of(p, a).state, KEY_BAD);
    assert_int_equal(view_of(p, a).class, CLASS_INVALID);
    assert_false(can(p, a, FREE_MODEL));
    assert_true(can(p, b, FREE_MODEL));
    later(10 * M - 1);
    assert_int_equal(keypool_due_tests(p, now_ms, ids, 4), 0);
    later(1);
    assert_int_equal(keypool_due_tests(p, now_ms, ids, 4), 1);
    assert_string_equal(ids[0], a);

    struct pick pick;
    struct pick_ask ask = {.model = STR(""), .only_key = a, .ignore_state = true, .now = now_ms};
    keypool_acquire(p, &ask, &pick);
    assert_int_equal(pick.result, PICK_OK);
    assert_non_null(strstr(pick.lease.auth, "Authorization: Bearer sk-test-"));
    uint64_t failed = view_of(p, a).failed;
    give_back(p, &pick, "", VERDICT_KEY_INVALID);
    struct lease_end no = end_with(VERDICT_KEY_INVALID, "");
    keypool_test_end(p, a, &no);
    assert_int_equal(view_of(p, a).failed, failed);
    later(1 * H - 1);
    assert_int_equal(keypool_due_tests(p, now_ms, ids, 4), 0);
    later(1);
    assert_int_equal(keypool_due_tests(p, now_ms, ids, 4), 1);
    ok.now = now_ms;
    keypool_test_end(p, a, &ok);
    assert_true(can(p, a, FREE_MODEL));
    assert_int_equal(view_of(p, a).class, CLASS_UNKNOWN);
    assert_int_equal(keypool_due_tests(p, now_ms, ids, 4), 0);
    keypool_free(p);
}

static void what_is_off_stays_off(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, "");
    struct pick pick = pick_for(p, FREE_MODEL);
    assert_int_equal(view_of(p, a).state, KEY_BUSY);
    keypool_set_enabled(p, a, false);
    assert_int_equal(view_of(p, a).state, KEY_DRAINING);
    give_back(p, &pick, FREE_MODEL, VERDICT_OK);
    assert_int_equal(view_of(p, a).state, KEY_OFF);
    struct lease_end ok = end_with(VERDICT_OK, "");
    keypool_test_end(p, a, &ok);
    keypool_reset(p, a, now_ms);
    assert_false(can(p, a, FREE_MODEL));
    keypool_free(p);
}

static void classes_by_balance(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, "");
    keypool_set_balance(p, a, BALANCE_API, 30000, wall0);
    assert_int_equal(view_of(p, a).class, CLASS_FREE);
    keypool_set_balance(p, a, BALANCE_API, 30001, wall0);
    assert_int_equal(view_of(p, a).class, CLASS_PAID);
    const char *b = add(p, 2, "");
    keypool_set_balance(p, b, BALANCE_SET, 0, wall0);
    assert_int_equal(view_of(p, b).class, CLASS_UNKNOWN);
    keypool_free(p);
}

/* --- joining and leaving --- */

static void configuring_keeps_what_was_added(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    struct key_conf keys[3] = {conf_of("sk-aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "A", "sfproxy.conf:3"),
                               conf_of("sk-bbbbbbbbbbbbbbbbbbbbbbbbbbbb", "", "sfproxy.conf:4"),
                               conf_of("sk-aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "", "keys.txt:1")};
    char id[KEY_ID_LEN + 1], origin[64];
    assert_int_equal(keypool_configure(p, keys, 3, now_ms), 2);
    const char *runtime = add(p, 1, "");
    assert_int_equal(keypool_add(p, &keys[0], now_ms, id), KEY_DUPLICATE);
    assert_int_equal(keypool_remove(p, id, origin, sizeof origin), KEY_FROM_FILE);
    assert_string_equal(origin, "keys.txt:1");
    keypool_set_enabled(p, id, false);
    keypool_set_label(p, id, "by\x1bhand");
    assert_int_equal(keypool_configure(p, keys, 1, now_ms), 0);
    assert_int_equal(keypool_count(p), 2);
    assert_false(view_of(p, id).enabled);
    assert_string_equal(view_of(p, id).label, "by?hand");
    assert_string_equal(view_of(p, id).account, "A");
    assert_string_equal(view_of(p, id).masked, "sk-aaaa..aaaa");

    struct key_conf same = conf_of("sk-test-0123456789abcdef0123456789-1", "", "keys.txt:9");
    assert_int_equal(keypool_configure(p, &same, 1, now_ms), 0);
    assert_int_equal(keypool_count(p), 1);
    assert_true(view_of(p, runtime).from_file);
    keypool_configure(p, NULL, 0, now_ms);
    assert_int_equal(keypool_count(p), 1);
    assert_false(view_of(p, runtime).from_file);
    assert_int_equal(keypool_remove(p, runtime, NULL, 0), KEY_REMOVED);
    assert_int_equal(keypool_remove(p, runtime, NULL, 0), KEY_NOT_FOUND);
    assert_int_equal(keypool_count(p), 0);
    keypool_free(p);
}

static void a_removed_key_serves_its_leases(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, "");
    struct pick pick = pick_for(p, FREE_MODEL);
    assert_int_equal(keypool_remove(p, a, NULL, 0), KEY_REMOVED);
    assert_int_equal(pick_for(p, FREE_MODEL).result, PICK_NO_KEYS);
    add(p, 1, "");
    struct pick again = pick_for(p, FREE_MODEL);
    assert_int_not_equal(again.lease.slot, pick.lease.slot);
    assert_string_equal(pick.lease.auth, "Authorization: Bearer sk-test-0123456789abcdef0123456789-1");
    const char *secret = pick.lease.auth;
    give_back(p, &pick, FREE_MODEL, VERDICT_RATE_MINUTE);
    assert_int_equal(secret[0], 0);
    give_back(p, &again, FREE_MODEL, VERDICT_OK);
    assert_int_equal(pick_for(p, FREE_MODEL).result, PICK_COOLING); /* the limit was the account's */
    keypool_free(p);
}

static void accounts_can_be_learned(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, ""), *b = add(p, 2, "U7");
    run(p, a, FREE_MODEL, VERDICT_RATE_MINUTE);
    struct pick pick = pick_key(p, PAID_MODEL, a);
    assert_true(keypool_set_account(p, a, "U7"));
    assert_string_equal(view_of(p, a).account, "U7");
    assert_true(can(p, a, FREE_MODEL));
    give_back(p, &pick, PAID_MODEL, VERDICT_RATE_MINUTE); /* counts where it was taken */
    assert_true(can(p, b, PAID_MODEL));
    run(p, a, PAID_MODEL, VERDICT_RATE_MINUTE);
    assert_false(can(p, b, PAID_MODEL));
    keypool_free(p);
}

/* --- persistence --- */

static void a_restart_changes_no_pick(void **state)
{
    (void)state;
    static const char *const models[] = {FREE_MODEL, PAID_MODEL, PRO_MODEL, "x/unknown", ""};
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN), *q = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *ids[6];
    for (unsigned i = 0; i < 6; i++) {
        ids[i] = add(p, i, i < 2 ? "A" : "");
        add(q, i, i == 1 ? "A" : "");
    }
    run(p, ids[0], PAID_MODEL, VERDICT_NO_FUNDS);
    run(p, ids[2], PRO_MODEL, VERDICT_NO_FUNDS);
    run(p, ids[2], FREE_MODEL, VERDICT_RATE_MINUTE);
    run(p, ids[3], FREE_MODEL, VERDICT_NOT_VERIFIED);
    run(p, ids[4], "x/unknown", VERDICT_KEY_INVALID);
    keypool_set_enabled(p, ids[5], false);
    keypool_set_label(p, ids[5], "mine");
    keypool_set_balance(p, ids[5], BALANCE_SET, 14500000, wall0);
    later(20 * S);
    run(p, ids[2], FREE_MODEL, VERDICT_RATE_MINUTE);
    later(40 * S); /* half-open now */
    struct key_saved *keys;
    struct cooldown_saved *cooldowns;
    size_t n, m;
    keypool_save(p, now_ms, wall0, &keys, &n, &cooldowns, &m);
    assert_int_equal(n, 6);
    mono_t old = now_ms;
    now_ms = (mono_t){50000}; /* another boot, seven seconds later */
    keypool_restore(q, keys, n, cooldowns, m, now_ms, (wall_t){wall0.ms + 7 * S});
    for (size_t i = 0; i < 6; i++)
        for (size_t k = 0; k < ARRAY_LEN(models); k++) {
            mono_t fresh = now_ms;
            now_ms = mono_add(old, 7 * S);
            bool before = can(p, ids[i], models[k]);
            now_ms = fresh;
            assert_int_equal(can(q, ids[i], models[k]), before);
        }
    assert_string_equal(view_of(q, ids[5]).label, "mine");
    assert_int_equal(view_of(q, ids[5]).balance_micro, 14500000);
    assert_int_equal(view_of(q, ids[4]).state, KEY_BAD);
    struct pick probe = pick_key(q, FREE_MODEL, ids[2]);
    assert_true(probe.lease.probe);
    give_back(q, &probe, FREE_MODEL, VERDICT_RATE_MINUTE);
    assert_int_equal(view_of(q, ids[2]).cooldowns[1].ms_left, 60 * S); /* the third step of the ladder */
    free(keys);
    free(cooldowns);
    keypool_free(p);
    keypool_free(q);
    now_ms = mono_add(old, 1 * H);
}

static void runtime_keys_are_exported(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    struct key_conf conf = conf_of("sk-bbbbbbbbbbbbbbbbbbbbbbbbbbbb", "", "sfproxy.conf:4");
    keypool_configure(p, &conf, 1, now_ms);
    const char *a = add(p, 1, "");
    add(p, 2, "my account");
    keypool_set_label(p, a, "a=b;c");
    keypool_set_balance(p, a, BALANCE_SET, -1500000, wall0);
    struct buf out = BUF_INIT(1 << 16);
    keypool_export_runtime(p, &out);
    assert_string_equal(buf_cstr(&out), "a-b-c = sk-test-0123456789abcdef0123456789-1 balance=-1.500000\n"
                                        "sk-test-0123456789abcdef0123456789-2 account=my-account\n");
    assert_false(out.failed);
    buf_free(&out);
    keypool_free(p);
}

/* --- many models, many keys --- */

static void the_cell_table_is_bounded(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a = add(p, 1, "");
    char model[400];
    run(p, a, FREE_MODEL, VERDICT_RATE_DAY);
    for (int i = 0; i < 2 * POOL_CELLS_MAX; i++) {
        snprintf(model, sizeof model, "made/up-%d", i);
        struct pick pick = pick_for(p, model);
        assert_true(pick.lease.cell >= 0);
        give_back(p, &pick, model, VERDICT_BAD_REQUEST);
    }
    assert_false(can(p, a, FREE_MODEL));
    memset(model, 'x', sizeof model - 1);
    model[sizeof model - 1] = '\0';
    struct pick pick = pick_for(p, model);
    assert_int_equal(pick.lease.cell, -1);
    give_back(p, &pick, model, VERDICT_RATE_MINUTE);
    later(31 * M);
    for (int i = 0; i < POOL_CELLS_MAX; i++) {
        snprintf(model, sizeof model, "cooling/%d", i);
        run(p, a, model, VERDICT_MODEL_DENIED);
    }
    pick = pick_for(p, "one/more");
    assert_int_equal(pick.result, PICK_OK);
    assert_int_equal(pick.lease.cell, -1);
    assert_false(can(p, a, "cooling/0"));
    give_back(p, &pick, "one/more", VERDICT_MODEL_DENIED);
    keypool_free(p);
}

static void the_pool_is_bounded(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    for (unsigned i = 0; i < POOL_KEYS_MAX; i++) add(p, i, "");
    struct key_conf c = conf_of("sk-one-too-many-aaaaaaaaaaaaaaaa", "", "state");
    char id[KEY_ID_LEN + 1];
    assert_int_equal(keypool_add(p, &c, now_ms, id), KEY_POOL_FULL);
    char *huge = xcalloc(1, 5000);
    memset(huge, 'k', 4999);
    c.secret = huge;
    assert_int_equal(keypool_add(p, &c, now_ms, id), KEY_POOL_FULL);
    free(huge);
    keypool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(invalid_keys_are_probed),
        cmocka_unit_test(what_is_off_stays_off),
        cmocka_unit_test(classes_by_balance),
        cmocka_unit_test(configuring_keeps_what_was_added),
        cmocka_unit_test(a_removed_key_serves_its_leases),
        cmocka_unit_test(accounts_can_be_learned),
        cmocka_unit_test(a_restart_changes_no_pick),
        cmocka_unit_test(runtime_keys_are_exported),
        cmocka_unit_test(the_cell_table_is_bounded),
        cmocka_unit_test(the_pool_is_bounded),
    };
    return cmocka_run_group_tests_name("keystate", tests, NULL, NULL);
}
