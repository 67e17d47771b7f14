/* The breaker's rules, one by one, and random histories against a plain list of everything that happened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pool/breaker.h"

enum { S = 1000, M1 = 1, M2 = 2, HISTORY = 400 };

static mono_t now = {1000000};
static uint64_t seq;

static struct breaker_try try_of(unsigned account, enum verdict v)
{
    return (struct breaker_try){
        .verdict = v, .model = M1, .account = account, .seq = ++seq, .proven = true, .now = now};
}

/* A census in which the accounts 0 ... usable-1 could be asked. */
static struct breaker_census census_of(const struct breaker *b, enum verdict v, unsigned usable)
{
    struct breaker_census c = {.usable = usable};
    for (unsigned i = 0; i < usable; i++) c.covered += breaker_saw(b, v, i, now);
    return c;
}

static bool hear(struct breaker *b, struct breaker_try t, unsigned usable)
{
    if (breaker_hear(b, &t) != BREAKER_SUSPECTS) return false;
    struct breaker_census c = census_of(b, t.verdict, usable);
    return breaker_judge(b, &t, &c);
}

static bool strike(struct breaker *b, unsigned account, enum verdict v, unsigned usable)
{
    return hear(b, try_of(account, v), usable);
}

static void later(int64_t ms)
{
    now = mono_add(now, ms);
}

/* Opens it with every one of `usable` accounts; returns how many tries that took. */
static unsigned open_it(struct breaker *b, enum verdict v, unsigned usable)
{
    for (unsigned i = 0; i < 40; i++)
        if (strike(b, i % usable, v, usable)) return i + 1;
    return 0;
}

static void thresholds(void **state)
{
    (void)state;
    static const struct {
        unsigned usable, tries;
    } rows[] = {{1, 0}, {2, 4}, {3, 5}, {4, 5}, {5, 5}, {6, 6}, {8, 8}, {9, 8}, {200, 8}};
    static const enum verdict causes[] = {VERDICT_BUSY, VERDICT_SERVER, VERDICT_RESET};
    for (size_t v = 0; v < ARRAY_LEN(causes); v++)
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            struct breaker b;
            breaker_init(&b, false);
            assert_int_equal(open_it(&b, causes[v], rows[i].usable), rows[i].tries);
            assert_int_equal(breaker_state(&b, now), rows[i].tries ? BREAKER_OPEN : BREAKER_CLOSED);
        }
}

static void never_by_these(void **state)
{
    (void)state;
    static const enum verdict never[] = {
        VERDICT_NO_FUNDS, VERDICT_NOT_VERIFIED, VERDICT_MODEL_DENIED, VERDICT_RATE_MINUTE, VERDICT_RATE_HOUR,
        VERDICT_RATE_DAY, VERDICT_RATE_UNKNOWN, VERDICT_GW_TIMEOUT,   VERDICT_GARBAGE,     VERDICT_BAD_REQUEST,
        VERDICT_REDIRECT, VERDICT_RETIRED,      VERDICT_CANCELLED,    VERDICT_OK,          VERDICT_STREAM_BROKEN};
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        for (int whole = 0; whole < 2; whole++) {
            struct breaker b;
            breaker_init(&b, whole);
            assert_int_equal(open_it(&b, never[i], 4), 0);
        }
}

static void a_success_within_the_window_prevents_it(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, false);
    hear(&b, try_of(2, VERDICT_OK), 3);
    later(BREAKER_WINDOW_MS - 1);
    assert_int_equal(open_it(&b, VERDICT_SERVER, 3), 0);
    later(1);
    assert_true(strike(&b, 0, VERDICT_SERVER, 3));
}

static void tries_that_are_too_old_do_not_count(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, false);
    for (int i = 0; i < 60; i++) {
        assert_false(strike(&b, (unsigned)i % 3, VERDICT_BUSY, 3));
        later(2500);
    }
}

static void different_failures_do_not_add_up(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, false);
    for (unsigned i = 0; i < 3; i++) assert_false(strike(&b, i, VERDICT_BUSY, 6));
    for (unsigned i = 3; i < 6; i++) assert_false(strike(&b, i, VERDICT_SERVER, 6));
}

static void one_account_that_was_not_asked(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, false);
    for (unsigned i = 0; i < 30; i++) assert_false(strike(&b, i % 3, VERDICT_SERVER, 4));
    assert_true(strike(&b, 3, VERDICT_SERVER, 4));
}

static void keys_that_worked_are_not_doubted_at_once(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, true);
    hear(&b, try_of(0, VERDICT_OK), 3); /* a moment ago all was well */
    later(1);
    assert_false(strike(&b, 0, VERDICT_KEY_INVALID, 3));
    assert_false(strike(&b, 1, VERDICT_KEY_INVALID, 3));
    assert_true(strike(&b, 2, VERDICT_KEY_INVALID, 3));

    breaker_init(&b, true);
    assert_false(strike(&b, 0, VERDICT_KEY_INVALID, 2));
    assert_false(strike(&b, 1, VERDICT_KEY_INVALID, 2));

    breaker_init(&b, true);
    for (unsigned i = 0; i < 5; i++) {
        struct breaker_try t = try_of(i, VERDICT_KEY_INVALID);
        t.proven = i < 2;
        assert_false(hear(&b, t, 5));
    }
    breaker_init(&b, true);
    strike(&b, 0, VERDICT_KEY_INVALID, 3);
    strike(&b, 1, VERDICT_KEY_INVALID, 3);
    strike(&b, 2, VERDICT_RATE_MINUTE, 3); /* the platform knows this one */
    assert_false(strike(&b, 2, VERDICT_KEY_INVALID, 3));
}

static void believed_after_a_minute(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, true);
    assert_int_equal(open_it(&b, VERDICT_KEY_INVALID, 3), 3);
    mono_t opened = now;
    for (;;) {
        later(breaker_wait(&b, now));
        struct breaker_try t = try_of(1, VERDICT_KEY_INVALID);
        assert_true(breaker_enter(&b, t.seq, now));
        enum breaker_news news = breaker_hear(&b, &t);
        if (news == BREAKER_BELIEVES) break;
        assert_int_equal(news, BREAKER_NOTHING);
        assert_true(mono_since(now, opened) < BREAKER_BELIEVE_MS);
    }
    assert_true(mono_since(now, opened) >= BREAKER_BELIEVE_MS);
    assert_int_equal(breaker_state(&b, now), BREAKER_CLOSED);
}

static void probes_come_slower_and_one_success_closes(void **state)
{
    (void)state;
    static const int64_t waits[] = {2 * S, 4 * S, 8 * S, 16 * S, 30 * S, 30 * S};
    struct breaker b;
    breaker_init(&b, false);
    assert_int_equal(open_it(&b, VERDICT_SERVER, 2), 4);
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        assert_int_equal(breaker_wait(&b, now), waits[i]);
        later(waits[i] - 1);
        assert_int_equal(breaker_wait(&b, now), 1);
        assert_false(breaker_enter(&b, 1, now));
        later(1);
        struct breaker_try t = try_of(0, VERDICT_SERVER);
        assert_int_equal(breaker_wait(&b, now), 0);
        assert_true(breaker_enter(&b, t.seq, now));
        assert_int_equal(breaker_state(&b, now), BREAKER_HALF_OPEN);
        assert_true(breaker_wait(&b, now) > 0);
        later(500);
        t.now = now;
        assert_int_equal(breaker_hear(&b, &t), BREAKER_NOTHING);
        assert_int_equal(breaker_state(&b, now), BREAKER_OPEN);
    }
    struct breaker_try t = try_of(0, VERDICT_OK);
    assert_int_equal(breaker_hear(&b, &t), BREAKER_CLOSES);
    assert_int_equal(breaker_wait(&b, now), 0);
}

static void a_probe_that_says_nothing(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, false);
    open_it(&b, VERDICT_BUSY, 2);
    later(2 * S);
    struct breaker_try left = try_of(0, VERDICT_CANCELLED);
    assert_true(breaker_enter(&b, left.seq, now));
    assert_int_equal(breaker_hear(&b, &left), BREAKER_NOTHING);
    assert_int_equal(breaker_wait(&b, now), 2 * S); /* the pace stays */
    later(2 * S);
    struct breaker_try limited = try_of(0, VERDICT_RATE_MINUTE); /* of its own account: the next key may try at once */
    assert_true(breaker_enter(&b, limited.seq, now));
    assert_int_equal(breaker_hear(&b, &limited), BREAKER_NOTHING);
    assert_int_equal(breaker_wait(&b, now), 0);
    struct breaker_try silent = try_of(0, VERDICT_BUSY);
    assert_true(breaker_enter(&b, silent.seq, now));
    later(BREAKER_PROBE_MS - 1);
    assert_int_equal(breaker_wait(&b, now), 1);
    later(1);
    assert_true(breaker_enter(&b, try_of(1, VERDICT_OK).seq, now));
}

static void one_model_does_not_stop_the_rest(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, true);
    assert_int_equal(open_it(&b, VERDICT_BUSY, 3), 0);
    struct breaker_try t = try_of(1, VERDICT_BUSY);
    t.model = M2;
    assert_true(hear(&b, t, 3));
    breaker_init(&b, true);
    assert_int_equal(open_it(&b, VERDICT_CONNECT, 3), 5);
    struct breaker_try answered = try_of(1, VERDICT_RATE_MINUTE);
    assert_int_equal(breaker_hear(&b, &answered), BREAKER_CLOSES);
}

static void system_busy_holds_for_a_minute(void **state)
{
    (void)state;
    struct breaker b;
    struct breaker_try t = try_of(0, VERDICT_BUSY);
    t.code = CODE_SYSTEM_BUSY;
    breaker_init(&b, true);
    for (int i = 0; i < 10; i++) assert_false(hear(&b, t, 5));
    t.account = 1;
    assert_true(hear(&b, t, 5));
    assert_int_equal(breaker_wait(&b, now), 60 * S);
    later(60 * S);
    t.now = now;
    assert_true(breaker_enter(&b, t.seq, now));
    assert_int_equal(breaker_hear(&b, &t), BREAKER_NOTHING);
    assert_int_equal(breaker_wait(&b, now), 60 * S);
    breaker_init(&b, false); /* no business of a model's */
    for (unsigned i = 0; i < 4; i++) {
        t.account = i;
        assert_false(hear(&b, t, 5));
    }
}

/* --- random histories: the rules once more, over the whole list --- */

struct history {
    struct breaker b;
    struct breaker_try done[HISTORY];
    unsigned count;
    mono_t closed_at; /* evidence from before does not count */
    uint64_t random;
    unsigned usable;
};

static unsigned dice(struct history *h, unsigned sides)
{
    h->random ^= h->random << 13;
    h->random ^= h->random >> 7;
    h->random ^= h->random << 17;
    return (unsigned)((h->random >> 11) % sides);
}

/* Does the list say that it must open for this verdict now? Model's breaker, failures of the platform. */
static bool must_open(const struct history *h, enum verdict v)
{
    bool covered[16] = {false};
    unsigned tries = 0, accounts = 0, usable_covered = 0;
    for (unsigned i = 0; i < h->count; i++) {
        const struct breaker_try *t = &h->done[i];
        if (mono_since(now, t->now) >= BREAKER_WINDOW_MS) continue;
        if (t->verdict == VERDICT_OK) return false;
        if (t->verdict != v || t->now.ms < h->closed_at.ms) continue;
        tries++;
        accounts += !covered[t->account];
        usable_covered += !covered[t->account] && t->account < h->usable;
        covered[t->account] = true;
    }
    return accounts >= 2 && h->usable >= 2 && (usable_covered == h->usable || accounts >= BREAKER_ACCOUNTS) &&
           tries >= MIN(5u, 2 * h->usable);
}

static void closed_step(struct history *h)
{
    static const enum verdict mix[] = {VERDICT_BUSY,        VERDICT_BUSY,        VERDICT_BUSY,    VERDICT_SERVER,
                                       VERDICT_RATE_MINUTE, VERDICT_BAD_REQUEST, VERDICT_NO_FUNDS};
    enum verdict v = dice(h, 25) ? mix[dice(h, ARRAY_LEN(mix))] : VERDICT_OK;
    struct breaker_try t = try_of(dice(h, MIN(h->usable + 1, 12)), v);
    h->done[h->count++] = t;
    bool opened = hear(&h->b, t, h->usable);
    assert_int_equal(opened, breaker_hears(&h->b, v) && must_open(h, v));
    if (opened) assert_int_equal(h->b.reason, v);
}

static void open_step(struct history *h)
{
    struct breaker_try t = try_of(dice(h, h->usable), dice(h, 6) ? h->b.reason : (enum verdict)dice(h, VERDICT_COUNT));
    int64_t wait = breaker_wait(&h->b, now);
    assert_int_equal(breaker_enter(&h->b, t.seq, now), wait == 0);
    if (wait == 0) {
        assert_true(breaker_wait(&h->b, now) > 0); /* one at a time */
        later(dice(h, 3000));
        t.now = now;
    } else if (dice(h, 4)) {
        return;
    }
    enum breaker_news news = breaker_hear(&h->b, &t);
    bool success = t.verdict == VERDICT_OK || t.verdict == VERDICT_STREAM_BROKEN;
    assert_int_equal(news, success ? BREAKER_CLOSES : BREAKER_NOTHING);
    assert_int_equal(h->b.open, !success);
    if (!success) return;
    h->count = 0;
    h->closed_at = now;
    t.verdict = VERDICT_OK;
    h->done[h->count++] = t;
}

static void random_histories(void **state)
{
    (void)state;
    unsigned opened = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct history h = {.random = seed * 0x9E3779B97F4A7C15ull, .usable = 1 + (unsigned)seed % 10};
        breaker_init(&h.b, false);
        for (int step = 0; step < 3000 && h.count < HISTORY; step++) {
            bool was = h.b.open;
            if (h.b.open)
                open_step(&h);
            else
                closed_step(&h);
            opened += h.b.open && !was;
            later(dice(&h, 12) ? dice(&h, 700) : dice(&h, 12 * S));
        }
    }
    assert_true(opened > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds),
        cmocka_unit_test(never_by_these),
        cmocka_unit_test(a_success_within_the_window_prevents_it),
        cmocka_unit_test(tries_that_are_too_old_do_not_count),
        cmocka_unit_test(different_failures_do_not_add_up),
        cmocka_unit_test(one_account_that_was_not_asked),
        cmocka_unit_test(keys_that_worked_are_not_doubted_at_once),
        cmocka_unit_test(believed_after_a_minute),
        cmocka_unit_test(probes_come_slower_and_one_success_closes),
        cmocka_unit_test(a_probe_that_says_nothing),
        cmocka_unit_test(one_model_does_not_stop_the_rest),
        cmocka_unit_test(system_busy_holds_for_a_minute),
        cmocka_unit_test(random_histories),
    };
    return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
