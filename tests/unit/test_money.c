/* Sums of costs: unknown costs, days, the end of the range, the rate of an hour, and what a finished request cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "meter/meter.h"
#include "pool/catalog.h"

enum { MINUTE = 60000, HOUR = 60 * MINUTE };

static void unknown_is_not_zero(void **state)
{
    (void)state;
    struct money today = {0}, total = {0};
    assert_int_equal(spent_of(&today, &total).today, 0);
    money_book(&today, -1);
    money_merge(&total, &today);
    assert_int_equal(spent_of(&today, &total).today, -1);
    assert_int_equal(spent_of(&today, &total).total, -1);
    assert_int_equal(spent_of(&today, &total).unpriced_today, 1);
    money_book(&total, 30);
    money_book(&total, 0);
    assert_int_equal(spent_of(&today, &total).total, 30);
    assert_int_equal(spent_of(&today, &total).unpriced_total, 1);
}

static void sums_saturate(void **state)
{
    (void)state;
    struct money m = {0};
    money_book(&m, INT64_MAX - 1);
    money_book(&m, 5);
    assert_true(m.micro == INT64_MAX);
    money_merge(&m, &m);
    assert_true(m.micro == INT64_MAX);
    struct burn b = {0};
    burn_add(&b, (mono_t){HOUR}, INT64_MAX);
    burn_add(&b, (mono_t){HOUR}, INT64_MAX);
    assert_true(burn_per_hour(&b, (mono_t){0}, (mono_t){HOUR}) == INT64_MAX);
}

static void days_of_the_clock(void **state)
{
    (void)state;
    assert_true(clock_set_timezone("Asia/Shanghai"));
    wall_t before = {1795881599000}; /* 2026-11-28T23:59:59+08:00 */
    assert_int_equal(wall_day(before), 20261128);
    assert_int_equal(wall_day((wall_t){before.ms + 1000}), 20261129);
    if (!clock_set_timezone("America/New_York")) skip();
    /* 2026-03-08 has 23 hours, 2026-11-01 has 25. */
    static const struct {
        int64_t midnight_s;
        int hours, day, next;
    } days[] = {{1772946000, 23, 20260308, 20260309}, {1793505600, 25, 20261101, 20261102}};
    for (size_t i = 0; i < ARRAY_LEN(days); i++) {
        wall_t from = {days[i].midnight_s * 1000}, to = {from.ms + (int64_t)days[i].hours * HOUR};
        assert_int_equal(wall_day((wall_t){from.ms - 1}), days[i].day - (days[i].day == 20261101 ? 70 : 1));
        assert_int_equal(wall_day(from), days[i].day);
        assert_int_equal(wall_day((wall_t){to.ms - 1}), days[i].day);
        assert_int_equal(wall_day(to), days[i].next);
        assert_true(wall_next_midnight(from).ms == to.ms);
    }
    clock_set_timezone("UTC");
}

static void rate_of_the_last_hour(void **state)
{
    (void)state;
    struct burn b = {0};
    mono_t start = {5 * HOUR};
    assert_int_equal(burn_per_hour(&b, start, start), 0);
    burn_add(&b, start, 100);
    assert_int_equal(burn_per_hour(&b, start, mono_add(start, MINUTE)), 600); /* as if it were ten minutes */
    assert_int_equal(burn_per_hour(&b, start, mono_add(start, 30 * MINUTE)), 200);
    burn_add(&b, mono_add(start, 59 * MINUTE), 20);
    assert_int_equal(burn_per_hour(&b, start, mono_add(start, 59 * MINUTE + 59999)), 120);
    assert_int_equal(burn_per_hour(&b, start, mono_add(start, HOUR)), 20);
    burn_add(&b, start, 100); /* too late to count */
    burn_add(&b, start, -1);
    assert_int_equal(burn_per_hour(&b, start, mono_add(start, HOUR)), 20);
    assert_int_equal(burn_per_hour(&b, start, mono_add(start, 9 * HOUR)), 0);
}

static int64_t cost_of(const char *model, const char *price, enum end_reason end, struct usage usage)
{
    struct record r = {.kind = RECORD_DONE, .end = end, .usage = usage};
    struct price p;
    if (!price_parse(str_of(price), &p)) assert_string_equal(price, "");
    str_copy(r.model, sizeof r.model, str_of(model));
    return record_cost(&r, &p);
}

static void what_a_request_cost(void **state)
{
    (void)state;
    struct usage used = {.known = true, .in = 1000, .out = 10}, nothing = {0}, four = {.units = 4};
    assert_int_equal(cost_of("m", "1/2", END_OK, used), 1020);
    assert_int_equal(cost_of("m", "1/2", END_CLIENT_ABORT, used), 1020); /* what its last chunk said */
    assert_int_equal(cost_of("m", "1/2", END_CLIENT_ABORT, nothing), -1);
    assert_int_equal(cost_of("m", "1/2", END_STREAM_BROKEN, nothing), -1);
    assert_int_equal(cost_of("m", "1/2", END_TIMEOUT, nothing), -1);
    assert_int_equal(cost_of("m", "1/2", END_OK, nothing), -1);
    assert_int_equal(cost_of("m", "1/2", END_CLIENT_ERROR, nothing), 0);
    assert_int_equal(cost_of("m", "1/2", END_NO_KEY, nothing), 0);
    assert_int_equal(cost_of("m", "", END_UPSTREAM_ERROR, nothing), 0);
    assert_int_equal(cost_of("m", "", END_OK, used), -1);
    assert_int_equal(cost_of("m", "0", END_OK, nothing), 0);
    assert_int_equal(cost_of("", "", END_OK, nothing), 0);
    assert_int_equal(cost_of("m", "0.3/image", END_OK, four), 1200000);
    assert_int_equal(cost_of("m", "0.3/image", END_OK, used), -1);
    assert_int_equal(cost_of("m", "0.3/image", END_CLIENT_ERROR, four), 0);
}

static void everybody_gets_a_share(void **state)
{
    (void)state;
    struct meter *m = meter_new((mono_t){1000});
    mono_t now = {2000};
    static const int64_t costs[] = {500, -1, 250};
    clock_set_timezone("Asia/Shanghai");
    meter_set_day(m, 20261128);
    for (size_t i = 0; i < ARRAY_LEN(costs); i++) {
        struct record r = {.kind = RECORD_DONE, .model_known = true, .end = END_OK, .at = now, .cost_micro = costs[i]};
        r.wall = (wall_t){1795881599000}; /* 2026-11-28T23:59:59+08:00 */
        str_copy(r.model, sizeof r.model, i == 1 ? STR("x") : STR("m"));
        str_copy(r.client, sizeof r.client, STR("team"));
        str_copy(r.key_id, sizeof r.key_id, STR("0badcafe"));
        meter_apply(m, &r, now);
    }
    struct meter_totals t;
    struct meter_model models[8];
    struct meter_client client;
    struct meter_key key;
    meter_totals(m, now, &t);
    assert_int_equal(t.cost_today, 750);
    assert_int_equal(t.spent.unpriced_today, 1);
    assert_int_equal(t.burn_per_hour, 4500);
    assert_int_equal(t.hours_left, -1);
    assert_int_equal(meter_models(m, now, models, 8), 2);
    for (size_t i = 0; i < 2; i++) assert_int_equal(models[i].spent.today, strcmp(models[i].id, "m") ? -1 : 750);
    assert_int_equal(meter_clients(m, now, &client, 1), 1);
    assert_int_equal(client.spent.today, 750);
    assert_true(meter_key_rates(m, "0badcafe", now, &key));
    assert_int_equal(key.spent.total, 750);
    meter_set_day(m, 20261129);
    meter_totals(m, now, &t);
    assert_int_equal(t.cost_today, 0);
    assert_int_equal(t.spent.total, 750);
    meter_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_is_not_zero), cmocka_unit_test(sums_saturate),
        cmocka_unit_test(days_of_the_clock),   cmocka_unit_test(rate_of_the_last_hour),
        cmocka_unit_test(what_a_request_cost), cmocka_unit_test(everybody_gets_a_share),
    };
    return cmocka_run_group_tests_name("money", tests, NULL, NULL);
}
