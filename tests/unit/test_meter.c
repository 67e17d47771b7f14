/* Counting: a request once, a key per try, and tables that names from outside cannot fill. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "meter/meter.h"

static const mono_t T0 = {1000000};

static struct record rec(enum record_kind kind, const char *model, const char *client, const char *key)
{
    struct record r = {.kind = kind, .model_known = true, .ttft_ms = -1, .at = T0};
    str_copy(r.model, sizeof r.model, str_of(model));
    str_copy(r.client, sizeof r.client, str_of(client));
    str_copy(r.key_id, sizeof r.key_id, str_of(key));
    return r;
}

static void add_try(struct record *r, const char *key, enum verdict v)
{
    struct try_record *t = &r->try_list[r->tries++];
    str_copy(t->key_id, sizeof t->key_id, str_of(key));
    t->verdict = (uint8_t)v;
}

static const struct meter_model *find_model(const struct meter_model *list, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].id, id) == 0) return &list[i];
    return NULL;
}

/* Two tries: the first key was limited, the second one answered. */
static void apply_one_request(struct meter *m, mono_t now)
{
    struct record r = rec(RECORD_ADMITTED, "M/a", "anna", "");
    meter_apply(m, &r, now);
    r = rec(RECORD_TRY, "M/a", "anna", "00000001");
    meter_apply(m, &r, now);
    r = rec(RECORD_TRY, "M/a", "anna", "00000002");
    meter_apply(m, &r, now);
    r = rec(RECORD_DONE, "M/a", "anna", "00000002");
    add_try(&r, "00000001", VERDICT_RATE_MINUTE);
    add_try(&r, "00000002", VERDICT_OK);
    r.usage = (struct usage){.known = true, .in = 30, .out = 12};
    r.ttft_ms = 250;
    r.end = END_OK;
    meter_apply(m, &r, now);
}

static void one_request_two_tries(void **state)
{
    (void)state;
    struct meter *m = meter_new(T0);
    struct meter_totals t;
    apply_one_request(m, T0);
    meter_totals(m, T0, &t);
    assert_int_equal(t.requests, 1);
    assert_int_equal(t.tries, 2);
    assert_int_equal(t.retries, 1);
    assert_int_equal(t.limited, 1);
    assert_int_equal(t.limited_per_min, 1);
    assert_int_equal(t.errors, 0);
    assert_int_equal(t.ok, 1);
    assert_int_equal(t.ends[END_OK], 1);
    assert_int_equal(t.rates.rpm, 1);
    assert_int_equal(t.rates.tpm, 42);
    assert_int_equal(t.tokens_in, 30);
    assert_int_equal(t.tokens_out, 12);
    assert_int_equal(t.ttft_p50_ms, 250);

    struct meter_key k;
    assert_true(meter_key_rates(m, "00000001", T0, &k));
    assert_int_equal(k.rates.rpm, 1);
    assert_int_equal(k.rates.tpm, 0);
    assert_int_equal(k.trend[9], 1);
    assert_true(meter_key_rates(m, "00000002", T0, &k));
    assert_int_equal(k.rates.tpm, 42); /* tokens belong to the key that answered */
    assert_int_equal(k.ttft_ms, 250);
    assert_false(meter_key_rates(m, "ffffffff", T0, &k));
    assert_int_equal(k.ttft_ms, -1);

    struct rates pair;
    meter_cell(m, "00000002", "M/a", T0, &pair);
    assert_int_equal(pair.rpm, 1);
    assert_int_equal(pair.tpm, 42);
    meter_cell(m, "00000002", "M/b", T0, &pair);
    assert_int_equal(pair.rpm, 0);

    struct meter_client c[4];
    assert_int_equal(meter_clients(m, T0, c, 4), 1);
    assert_string_equal(c[0].name, "anna");
    assert_int_equal(c[0].rates.tpm, 42);
    meter_totals(m, mono_add(T0, 60000), &t);
    assert_int_equal(t.rates.rpm, 0);
    assert_int_equal(t.limited_per_min, 0);
    assert_int_equal(t.rates.tpd, 42);
    meter_free(m);
}

static void each_end_is_counted_once(void **state)
{
    (void)state;
    struct meter *m = meter_new(T0);
    struct meter_totals t;
    uint64_t errors = 0;
    for (int e = 0; e < END_COUNT; e++) {
        struct record r = rec(RECORD_DONE, "M", "c", "");
        r.end = (enum end_reason)e;
        errors += end_is_error(r.end);
        meter_apply(m, &r, T0);
    }
    meter_totals(m, T0, &t);
    for (int e = 0; e < END_COUNT; e++) assert_int_equal(t.ends[e], 1);
    assert_int_equal(t.errors, errors);
    assert_int_equal(t.errors_per_min, errors);
    assert_int_equal(t.done_per_min, END_COUNT);
    assert_int_equal(t.cancelled, 2);
    assert_int_equal(t.requests, 0); /* DONE never counts a request */
    assert_string_equal(end_name(END_CLIENT_ABORT), "client_abort");
    assert_false(end_is_error(END_CLIENT_ABORT));
    meter_free(m);
}

static void unknown_models_share_one_entry(void **state)
{
    (void)state;
    struct meter *m = meter_new(T0);
    static struct meter_model list[METER_MODELS_MAX];
    for (int i = 0; i < 5000; i++) {
        char name[40];
        snprintf(name, sizeof name, "made-up-%d", i);
        struct record r = rec(RECORD_ADMITTED, name, "c", "");
        r.model_known = false;
        meter_apply(m, &r, T0);
    }
    size_t n = meter_models(m, T0, list, METER_MODELS_MAX);
    assert_int_equal(n, 1);
    assert_string_equal(list[0].id, "(other)");
    assert_int_equal(list[0].requests, 5000);
    struct record r = rec(RECORD_DONE, "real", "c", ""); /* accepted by the platform at last */
    meter_apply(m, &r, T0);
    r = rec(RECORD_ADMITTED, "real", "c", "");
    r.model_known = false; /* its entry exists: it keeps it */
    meter_apply(m, &r, T0);
    n = meter_models(m, T0, list, METER_MODELS_MAX);
    assert_int_equal(n, 2);
    assert_int_equal(find_model(list, n, "real")->requests, 1);
    meter_free(m);
}

static void tables_are_bounded_and_nothing_is_lost(void **state)
{
    (void)state;
    struct meter *m = meter_new(T0);
    static struct meter_client clients[METER_CLIENTS_MAX + 1];
    static struct meter_model models[METER_MODELS_MAX + 1];
    for (int i = 0; i < 700; i++) {
        char name[40];
        snprintf(name, sizeof name, "name-%d", i);
        struct record r = rec(RECORD_ADMITTED, name, name, "");
        r.model_known = i > 0; /* so that "(other)" is the oldest entry */
        meter_apply(m, &r, T0);
    }
    size_t n = meter_clients(m, T0, clients, METER_CLIENTS_MAX + 1);
    assert_int_equal(n, METER_CLIENTS_MAX);
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += clients[i].requests;
    assert_int_equal(sum, 700);
    n = meter_models(m, T0, models, METER_MODELS_MAX + 1);
    assert_int_equal(n, METER_MODELS_MAX);
    assert_int_equal(find_model(models, n, "(other)")->requests,
                     700 - (METER_MODELS_MAX - 1)); /* the first and those beyond */

    mono_t later = mono_add(T0, 25 * 3600 * 1000); /* all idle for a day: a newcomer gets a place */
    struct record r = rec(RECORD_ADMITTED, "newcomer", "newcomer", "");
    r.at = later;
    meter_apply(m, &r, later);
    n = meter_models(m, later, models, METER_MODELS_MAX + 1);
    assert_int_equal(n, METER_MODELS_MAX);
    assert_non_null(find_model(models, n, "newcomer"));
    assert_non_null(find_model(models, n, "(other)"));
    meter_free(m);
}

static void pairs_are_bounded(void **state)
{
    (void)state;
    struct meter *m = meter_new(T0);
    struct rates pair;
    char key[KEY_ID_LEN + 1];
    for (int i = 0; i < POOL_CELLS_MAX + 100; i++) {
        snprintf(key, sizeof key, "%08x", i % 4000);
        struct record r = rec(RECORD_TRY, i < 4000 ? "a" : i < 8000 ? "b" : "c", "x", key);
        meter_apply(m, &r, T0);
    }
    meter_cell(m, "00000000", "a", T0, &pair);
    assert_int_equal(pair.rpm, 1);
    snprintf(key, sizeof key, "%08x", (POOL_CELLS_MAX + 50) % 4000);
    meter_cell(m, key, "c", T0, &pair);
    assert_int_equal(pair.rpm, 0); /* no room */
    mono_t later = mono_add(T0, 120000);
    struct record r = rec(RECORD_TRY, "c", "x", key);
    r.at = later;
    meter_apply(m, &r, later);
    meter_cell(m, key, "c", later, &pair);
    assert_int_equal(pair.rpm, 1); /* idle ones made room */
    meter_free(m);
}

static void recent_is_newest_first_and_percentiles_follow(void **state)
{
    (void)state;
    struct meter *m = meter_new(T0);
    struct meter_totals t;
    meter_totals(m, T0, &t);
    assert_int_equal(t.ttft_p50_ms, -1);
    for (int i = 1; i <= METER_RECENT + 100; i++) {
        struct record r = rec(RECORD_DONE, "M", "c", "");
        r.id = (uint64_t)i;
        r.ttft_ms = i <= 100 ? 1000000 : i - 100; /* the first hundred fall out; 1..500 stay */
        meter_apply(m, &r, T0);
    }
    const struct record *list[METER_RECENT + 1];
    assert_int_equal(meter_recent(m, list, METER_RECENT + 1), METER_RECENT);
    assert_int_equal(list[0]->id, METER_RECENT + 100);
    assert_int_equal(list[METER_RECENT - 1]->id, 101);
    assert_int_equal(meter_recent(m, list, 3), 3);
    meter_totals(m, T0, &t);
    assert_int_equal(t.ttft_p50_ms, 250);
    assert_int_equal(t.ttft_p95_ms, 475);
    meter_free(m);
}

static void foreign_numbers_do_no_harm(void **state)
{
    (void)state;
    struct meter *m = meter_new(T0);
    struct meter_totals t;
    struct record r = rec(RECORD_DONE, "M", "c", "");
    r.usage = (struct usage){.known = true, .in = (1LL << 53) - 1, .out = (1LL << 53) - 1};
    r.tries = 255; /* more than the list holds */
    meter_apply(m, &r, T0);
    meter_apply(m, &r, T0);
    meter_totals(m, T0, &t);
    assert_int_equal(t.tokens_in, 2 * ((1LL << 53) - 1));
    assert_int_equal(t.rates.tpm, UINT32_MAX); /* one second's bucket is full, and does not wrap */
    assert_int_equal(t.retries, 508);
    meter_free(m);
}

/* A request belongs to the day of its admission, and midnight begins new sums for everybody. */
static void days_have_sums_of_their_own(void **state)
{
    (void)state;
    struct meter *m = meter_new(T0);
    struct meter_totals t;
    struct meter_key k;
    assert_true(clock_set_timezone("Asia/Shanghai"));
    const wall_t evening = {1790783990000}, night = {1790784010000}; /* 2026-09-30 23:59:50, 2026-10-01 00:00:10 */
    assert_int_equal(wall_day(evening), 20260930);
    assert_int_equal(wall_day(night), 20261001);
    meter_set_day(m, 20260930);
    struct record r = rec(RECORD_DONE, "M/a", "anna", "00000001");
    r.usage = (struct usage){.known = true, .in = 30, .out = 12};
    r.wall = evening;
    meter_apply(m, &r, T0);
    meter_totals(m, T0, &t);
    assert_int_equal(t.today.requests, 1);
    assert_int_equal(t.today.ok, 1);
    assert_int_equal(t.today.tokens_in, 30);
    assert_int_equal(t.today.tokens_out, 12);
    meter_set_day(m, 20261001);
    meter_totals(m, T0, &t);
    assert_int_equal(t.today.requests, 0);
    meter_apply(m, &r, T0); /* began yesterday */
    r.wall = night;
    r.end = END_TIMEOUT;
    meter_apply(m, &r, T0);
    meter_totals(m, T0, &t);
    assert_int_equal(t.today.requests, 1);
    assert_int_equal(t.today.errors, 1);
    assert_true(meter_key_rates(m, "00000001", T0, &k));
    assert_int_equal(k.today.requests, 1);
    assert_int_equal(k.today.tokens_in, 30);
    meter_free(m);
}

static void a_start_knows_the_run_before(void **state)
{
    (void)state;
    struct meter *m = meter_new(T0);
    struct meter_totals t;
    struct meter_model models[4];
    struct meter_key k;
    int64_t series[RING_MINUTES];
    meter_set_day(m, 20261001);
    /* Half an hour ago, long before this machine's clock began; the counts of a day ago are not kept. */
    meter_restore(m, METER_TOTAL, "", mono_add(T0, -1800000), 10, 5, 500);
    meter_restore(m, METER_TOTAL, "", mono_add(T0, -25 * 3600000), 10, 7, 700);
    meter_restore(m, METER_MODEL, "M/a", mono_add(T0, -1800000), 60, 5, 500);
    meter_restore(m, METER_MODEL, "M/a", mono_add(T0, -600000), 60, 1, 50);
    meter_restore(m, METER_KEY, "00000001", mono_add(T0, -1800000), 60, 6, 500);
    struct day_sums s = {.requests = 9, .ok = 8, .errors = 1, .tokens_in = 400, .tokens_out = 100};
    meter_restore_today(m, METER_TOTAL, "", &s);
    meter_restore_today(m, METER_KEY, "00000001", &s);
    meter_totals(m, T0, &t);
    assert_int_equal(t.rates.rpd, 5);
    assert_int_equal(t.rates.tpd, 500);
    assert_int_equal(t.rates.rpm, 0);
    assert_int_equal(t.requests, 0);
    assert_int_equal(t.today.requests, 9);
    assert_int_equal(meter_models(m, T0, models, 4), 1);
    assert_int_equal(models[0].rates.rpd, 6);
    assert_int_equal(models[0].rates.tpd, 550);
    assert_true(meter_key_rates(m, "00000001", T0, &k));
    assert_int_equal(k.rates.rpd, 6);
    assert_int_equal(k.today.requests, 9);
    window_series(meter_window(m, T0), 60, false, series, RING_MINUTES);
    assert_int_equal(series[RING_MINUTES - 31], 5);
    assert_int_equal(series[RING_MINUTES - 29], 0);
    window_series(meter_window(m, T0), 10, true, series, RING_TENS);
    assert_int_equal(series[RING_TENS - 181], 500);
    /* and a day later all of it is gone */
    meter_totals(m, mono_add(T0, 24 * 3600000), &t);
    assert_int_equal(t.rates.rpd, 0);
    assert_int_equal(t.rates.tpd, 0);
    meter_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_request_two_tries),
        cmocka_unit_test(each_end_is_counted_once),
        cmocka_unit_test(unknown_models_share_one_entry),
        cmocka_unit_test(tables_are_bounded_and_nothing_is_lost),
        cmocka_unit_test(pairs_are_bounded),
        cmocka_unit_test(recent_is_newest_first_and_percentiles_follow),
        cmocka_unit_test(foreign_numbers_do_no_harm),
        cmocka_unit_test(days_have_sums_of_their_own),
        cmocka_unit_test(a_start_knows_the_run_before),
    };
    return cmocka_run_group_tests_name("meter", tests, NULL, NULL);
}
