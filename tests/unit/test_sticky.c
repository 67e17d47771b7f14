/* The map from ids to the accounts that own them, and leases that are bound to an account. */
#include "keypool_help.h"

#include "pool/sticky.h"

static const wall_t t0 = {1790000000000};

static struct key_owner owner(const char *key_id, const char *account)
{
    struct key_owner o = {.account = ""};
    str_copy(o.key_id, sizeof o.key_id, str_of(key_id));
    str_copy(o.account, sizeof o.account, str_of(account));
    return o;
}

static bool learn(struct sticky *s, enum sticky_kind kind, const char *id, const char *key_id)
{
    struct key_owner o = owner(key_id, "");
    return sticky_learn(s, kind, str_of(id), &o, t0);
}

static const char *found(struct sticky *s, enum sticky_kind kind, const char *id, int64_t later_ms)
{
    static struct key_owner o;
    return sticky_find(s, kind, str_of(id), (wall_t){t0.ms + later_ms}, &o) ? o.key_id : "";
}

static void what_was_learned_is_found(void **state)
{
    (void)state;
    struct sticky *s = sticky_new(10);
    assert_true(learn(s, STICKY_VIDEO, "a", "11111111"));
    assert_true(learn(s, STICKY_FILE, "a", "22222222")); /* another kind, another thing */
    assert_false(learn(s, STICKY_VIDEO, "a", "11111111"));
    assert_string_equal(found(s, STICKY_VIDEO, "a", 0), "11111111");
    assert_string_equal(found(s, STICKY_FILE, "a", 0), "22222222");
    assert_string_equal(found(s, STICKY_BATCH, "a", 0), "");
    assert_true(learn(s, STICKY_VIDEO, "a", "33333333")); /* the last word counts */
    assert_string_equal(found(s, STICKY_VIDEO, "a", 0), "33333333");
    assert_int_equal(sticky_count(s), 2);
    sticky_free(s);
}

static void ids_that_are_no_ids(void **state)
{
    (void)state;
    struct sticky *s = sticky_new(10);
    char longest[STICKY_ID_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[STICKY_ID_MAX + 1] = '\0';
    assert_false(learn(s, STICKY_FILE, "", "11111111"));
    assert_false(learn(s, STICKY_FILE, longest, "11111111"));
    assert_false(learn(s, STICKY_FILE, "a\nb", "11111111"));
    longest[STICKY_ID_MAX] = '\0';
    assert_true(learn(s, STICKY_FILE, longest, "11111111"));
    assert_string_equal(found(s, STICKY_FILE, longest, 0), "11111111");
    sticky_free(s);
}

static void each_kind_has_its_time(void **state)
{
    (void)state;
    struct sticky *s = sticky_new(10);
    const int64_t hour = H, day = 24 * hour;
    for (enum sticky_kind k = 0; k < STICKY_KINDS; k++) learn(s, k, "x", "11111111");
    assert_string_equal(found(s, STICKY_VIDEO, "x", 2 * hour - 1), "11111111");
    assert_string_equal(found(s, STICKY_VIDEO, "x", 2 * hour), "");
    assert_string_equal(found(s, STICKY_FILE, "x", 45 * day - 1), "11111111");
    assert_string_equal(found(s, STICKY_BATCH, "x", 45 * day), "");
    assert_string_equal(found(s, STICKY_VOICE, "x", 3650 * day), "11111111");
    assert_int_equal(sticky_count(s), 2); /* what was found too late is dropped */
    assert_true(learn(s, STICKY_VIDEO, "x", "22222222"));
    sticky_free(s);
}

static void the_one_used_longest_ago_makes_room(void **state)
{
    (void)state;
    struct sticky *s = sticky_new(3);
    learn(s, STICKY_FILE, "a", "11111111");
    learn(s, STICKY_FILE, "b", "11111111");
    learn(s, STICKY_FILE, "c", "11111111");
    found(s, STICKY_FILE, "a", 0);
    learn(s, STICKY_FILE, "d", "11111111");
    assert_string_equal(found(s, STICKY_FILE, "b", 0), "");
    assert_string_equal(found(s, STICKY_FILE, "a", 0), "11111111");
    assert_string_equal(found(s, STICKY_FILE, "d", 0), "11111111");
    assert_int_equal(sticky_count(s), 3);
    sticky_free(s);
}

static void a_full_table_keeps_the_newest(void **state)
{
    (void)state;
    struct sticky *s = sticky_new(STICKY_MAX);
    char id[40];
    for (int i = 0; i < STICKY_MAX + 500; i++) {
        snprintf(id, sizeof id, "file-%d", i);
        assert_true(learn(s, STICKY_FILE, id, "11111111"));
    }
    assert_int_equal(sticky_count(s), STICKY_MAX);
    assert_string_equal(found(s, STICKY_FILE, "file-499", 0), "");
    assert_string_equal(found(s, STICKY_FILE, "file-500", 0), "11111111");
    sticky_free(s);
}

static void changes_are_told_once(void **state)
{
    (void)state;
    struct sticky *s = sticky_new(10);
    struct sticky_row rows[10];
    assert_false(sticky_has_changes(s));
    learn(s, STICKY_FILE, "a", "11111111");
    learn(s, STICKY_FILE, "b", "11111111");
    learn(s, STICKY_FILE, "a", "11111111");
    assert_true(sticky_has_changes(s));
    assert_int_equal(sticky_changes(s, rows, 1), 1);
    assert_string_equal(rows[0].id, "a");
    assert_int_equal(sticky_changes(s, rows, 10), 1);
    assert_false(sticky_has_changes(s));
    found(s, STICKY_FILE, "a", 0); /* a use is no change */
    assert_false(sticky_has_changes(s));
    sticky_forget(s, STICKY_FILE, str_of("a"));
    sticky_forget(s, STICKY_FILE, str_of("nothing"));
    assert_string_equal(found(s, STICKY_FILE, "a", 0), "");
    assert_int_equal(sticky_count(s), 1);
    assert_int_equal(sticky_changes(s, rows, 10), 1);
    assert_true(rows[0].gone);
    learn(s, STICKY_FILE, "a", "22222222"); /* and back again */
    assert_int_equal(sticky_changes(s, rows, 10), 1);
    assert_false(rows[0].gone);
    assert_int_equal(sticky_count(s), 2);
    sticky_free(s);
}

static void a_restart_brings_back_what_is_not_over(void **state)
{
    (void)state;
    struct sticky *s = sticky_new(10);
    struct sticky_row rows[4] = {{.kind = STICKY_VIDEO, .id = "v", .made = t0},
                                 {.kind = STICKY_VOICE, .id = "speech:a:b:c", .made = t0},
                                 {.kind = (enum sticky_kind)77, .id = "w", .made = t0},
                                 {.kind = STICKY_FILE, .id = "", .made = t0}};
    rows[1].owner = owner("11111111", "A");
    sticky_restore(s, rows, 4, (wall_t){t0.ms + 3 * H});
    assert_int_equal(sticky_count(s), 1);
    assert_false(sticky_has_changes(s));
    struct key_owner o;
    assert_true(sticky_find(s, STICKY_VOICE, STR("speech:a:b:c"), t0, &o));
    assert_string_equal(o.account, "A");
    struct sticky_row seen[4];
    assert_int_equal(sticky_recent(s, t0, seen, 4), 1);
    sticky_free(s);
}

static struct pick pick_owned(struct keypool *p, const struct key_owner *o)
{
    struct pick out;
    struct pick_ask ask = {.model = STR(""), .owner = o, .wait_ms = 10000, .wait_room = 10, .now = now_ms};
    keypool_acquire(p, &ask, &out);
    return out;
}

static void a_lease_of_the_owner_only(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *a1 = add(p, 1, "A"), *a2 = add(p, 2, "A"), *b = add(p, 3, "");
    struct key_owner of_a, of_b;
    assert_true(keypool_owner(p, a1, &of_a));
    assert_string_equal(of_a.account, "A");
    assert_true(keypool_owner(p, b, &of_b));
    assert_string_equal(of_b.account, "");
    for (int i = 0; i < 4; i++) {
        struct pick pick = pick_owned(p, &of_a);
        assert_int_equal(pick.result, PICK_OK);
        assert_string_equal(pick.lease.key_id, i % 2 ? a2 : a1); /* both keys, in turn */
        give_back(p, &pick, "", VERDICT_OK);
    }
    struct pick pick = pick_owned(p, &of_b);
    give_back(p, &pick, "", VERDICT_RATE_MINUTE);
    pick = pick_owned(p, &of_b); /* does not stand in line, and takes nobody else's */
    assert_int_equal(pick.result, PICK_COOLING);
    assert_true(pick.all_rate);
    assert_int_equal(pick.candidates, 1);
    keypool_set_enabled(p, b, false);
    assert_int_equal(pick_owned(p, &of_b).result, PICK_NONE_USABLE);
    char origin[64];
    keypool_remove(p, a1, origin, sizeof origin); /* its account is still there */
    pick = pick_owned(p, &of_a);
    assert_string_equal(pick.lease.key_id, a2);
    give_back(p, &pick, "", VERDICT_OK);
    keypool_remove(p, a2, origin, sizeof origin);
    assert_false(keypool_has_owner(p, &of_a));
    assert_int_equal(pick_owned(p, &of_a).result, PICK_NONE_USABLE);
    keypool_free(p);
}

static void an_account_that_got_a_name_is_still_the_owner(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *one = add(p, 1, ""), *two = add(p, 2, "A");
    struct key_owner o;
    keypool_owner(p, one, &o);
    keypool_set_account(p, one, "A"); /* both keys turn out to be of one account */
    for (int i = 0; i < 2; i++) {
        struct pick pick = pick_owned(p, &o);
        assert_int_equal(pick.result, PICK_OK);
        assert_int_equal(pick.candidates, 2);
        give_back(p, &pick, "", VERDICT_OK);
    }
    char ids[4][KEY_ID_LEN + 1];
    assert_int_equal(keypool_accounts(p, ids, 4), 1);
    assert_string_equal(ids[0], one);
    keypool_set_enabled(p, one, false);
    assert_int_equal(keypool_accounts(p, ids, 4), 1);
    assert_string_equal(ids[0], two);
    keypool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_learned_is_found),
        cmocka_unit_test(ids_that_are_no_ids),
        cmocka_unit_test(each_kind_has_its_time),
        cmocka_unit_test(the_one_used_longest_ago_makes_room),
        cmocka_unit_test(a_full_table_keeps_the_newest),
        cmocka_unit_test(changes_are_told_once),
        cmocka_unit_test(a_restart_brings_back_what_is_not_over),
        cmocka_unit_test(a_lease_of_the_owner_only),
        cmocka_unit_test(an_account_that_got_a_name_is_still_the_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
