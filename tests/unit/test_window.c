/* Rings and sums against a plain list of events kept beside them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "meter/minute.h"
#include "meter/window.h"

static mono_t at_s(int64_t s)
{
    return (mono_t){s * 1000};
}

static void sums_fall_after_their_time(void **state)
{
    (void)state;
    struct window w;
    window_init(&w, at_s(1000));
    window_add(&w, at_s(1000), 1, 100);
    window_add(&w, at_s(1030), 2, 50);
    assert_int_equal(w.requests_60s, 3);
    window_advance(&w, at_s(1059));
    assert_int_equal(w.requests_60s, 3);
    window_advance(&w, at_s(1060));
    assert_int_equal(w.requests_60s, 2);
    assert_int_equal(w.tokens_60s, 50);
    window_advance(&w, at_s(1090));
    assert_int_equal(w.requests_60s, 0);
    assert_int_equal(w.requests_24h, 3);
    assert_int_equal(w.tokens_24h, 150);
    window_advance(&w, at_s(1000 + 23 * 3600));
    assert_int_equal(w.requests_24h, 3);
    window_advance(&w, at_s(1060 + 24 * 3600));
    assert_int_equal(w.requests_24h, 0);
}

static void a_long_pause_empties_everything(void **state)
{
    (void)state;
    struct window w;
    window_init(&w, at_s(5));
    for (int i = 0; i < 500; i++) window_add(&w, at_s(5 + i), 1, 1);
    window_advance(&w, at_s(100LL * 24 * 3600));
    assert_int_equal(w.requests_60s + w.tokens_60s + w.requests_24h + w.tokens_24h, 0);
    for (size_t i = 0; i < RING_SECONDS; i++) assert_int_equal(w.seconds[i].requests, 0);
    for (size_t i = 0; i < RING_TENS; i++) assert_int_equal(w.tens[i].requests, 0);
    for (size_t i = 0; i < RING_MINUTES; i++) assert_int_equal(w.minutes[i].requests, 0);
}

static void late_events_go_to_their_own_time(void **state)
{
    (void)state;
    struct window w;
    int64_t last[3];
    window_init(&w, at_s(1000));
    window_advance(&w, at_s(1100));
    window_add(&w, at_s(1099), 1, 7); /* a second late */
    window_series(&w, 1, false, last, 3);
    assert_int_equal(last[1], 1);
    assert_int_equal(last[2], 0);
    assert_int_equal(w.requests_60s, 1);
    window_add(&w, at_s(1020), 1, 7); /* too late for the minute, in time for the day */
    assert_int_equal(w.requests_60s, 1);
    assert_int_equal(w.requests_24h, 2);
    window_advance(&w, at_s(1100 + 60));
    assert_int_equal(w.requests_60s, 0); /* what was never added is not taken away */
}

static void full_buckets_do_not_wrap_and_sums_return_to_zero(void **state)
{
    (void)state;
    struct window w;
    int64_t last[1];
    window_init(&w, at_s(1000));
    window_add(&w, at_s(1000), UINT32_MAX - 1, UINT64_MAX);
    window_add(&w, at_s(1000), 5, 5);
    window_series(&w, 1, true, last, 1);
    assert_int_equal(last[0], UINT32_MAX);
    assert_int_equal(w.requests_60s, UINT32_MAX);
    assert_int_equal(w.tokens_60s, UINT32_MAX);
    window_add(&w, at_s(1001), 1, 1); /* same minute, still full: the second has it, the day does not */
    assert_int_equal(w.requests_60s, (uint64_t)UINT32_MAX + 1);
    window_advance(&w, at_s(1001 + 60));
    assert_int_equal(w.requests_60s + w.tokens_60s, 0);
    window_advance(&w, at_s(1000 + 25 * 3600));
    assert_int_equal(w.requests_24h + w.tokens_24h, 0);
}

static void no_data_is_not_zero(void **state)
{
    (void)state;
    struct window w;
    int64_t s[RING_SECONDS + 5];
    window_init(&w, at_s(1000));
    window_add(&w, at_s(1003), 4, 9);
    assert_int_equal(window_series(&w, 1, false, s, 6), 6);
    const int64_t expected[] = {-1, -1, 0, 0, 0, 4};
    assert_memory_equal(s, expected, sizeof expected);
    window_series(&w, 60, true, s, 2);
    assert_int_equal(s[0], -1);
    assert_int_equal(s[1], 9);
    window_advance(&w, at_s(2000));
    window_series(&w, 1, false, s, RING_SECONDS + 5);
    for (size_t i = 0; i < 5; i++) assert_int_equal(s[i], -1); /* beyond the ring */
    assert_int_equal(s[5], 0);
}

enum { EVENTS = 20000 };

static void agrees_with_a_plain_list(void **state)
{
    (void)state;
    static struct {
        int64_t ms;
        uint32_t n;
    } events[EVENTS];
    struct window w;
    uint64_t seed = 12345;
    int64_t now = 1234567, start = now;
    window_init(&w, (mono_t){now});
    for (size_t i = 0; i < EVENTS; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint32_t r = (uint32_t)(seed >> 33);
        now += r % 16 == 0 ? r % 300000 : r % 2000;
        events[i].ms = now;
        events[i].n = r % 5;
        window_add(&w, (mono_t){now}, events[i].n, events[i].n * 3);
        uint64_t minute = 0, day = 0;
        for (size_t k = i + 1; k-- > 0 && now - events[k].ms < 25 * 3600 * 1000;) {
            minute += events[k].ms / 1000 > now / 1000 - 60 ? events[k].n : 0;
            day += events[k].ms / 60000 > now / 60000 - 1440 ? events[k].n : 0;
        }
        if (i % 16 && i + 1 < EVENTS) continue;
        assert_int_equal(w.requests_60s, minute);
        assert_int_equal(w.requests_24h, day);
        assert_int_equal(w.tokens_24h, day * 3);
    }
    assert_true(now - start > 2LL * 24 * 3600 * 1000);
    int64_t minutes[RING_MINUTES], sum = 0;
    window_series(&w, 60, false, minutes, RING_MINUTES);
    for (size_t i = 0; i < RING_MINUTES; i++) sum += minutes[i];
    assert_int_equal(sum, w.requests_24h);
}

static void small_counters(void **state)
{
    (void)state;
    struct minute_count c = {0};
    minute_add(&c, at_s(100), 2);
    minute_add(&c, at_s(130), 3);
    assert_int_equal(minute_sum(&c, at_s(159)), 5);
    assert_int_equal(minute_sum(&c, at_s(160)), 3);
    minute_add(&c, at_s(150), 1); /* late, still within */
    assert_int_equal(minute_sum(&c, at_s(160)), 4);
    assert_int_equal(minute_sum(&c, at_s(5000)), 0);

    struct pair_count p = {0};
    uint64_t requests, tokens;
    pair_add(&p, at_s(100), 1, 10);
    pair_add(&p, at_s(115), 1, 20);
    pair_sum(&p, at_s(155), &requests, &tokens);
    assert_int_equal(requests, 2);
    assert_int_equal(tokens, 30);
    pair_sum(&p, at_s(165), &requests, &tokens);
    assert_int_equal(requests, 1);
    assert_int_equal(tokens, 20);
    assert_false(pair_is_idle(&p, at_s(165)));
    assert_true(pair_is_idle(&p, at_s(170)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_fall_after_their_time),
        cmocka_unit_test(a_long_pause_empties_everything),
        cmocka_unit_test(late_events_go_to_their_own_time),
        cmocka_unit_test(full_buckets_do_not_wrap_and_sums_return_to_zero),
        cmocka_unit_test(no_data_is_not_zero),
        cmocka_unit_test(agrees_with_a_plain_list),
        cmocka_unit_test(small_counters),
    };
    return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
