/* What only months show: counters beyond 32 and 53 bits (E3), a million different names from outside (E6), an even use
 * of keys over a million requests (E8). The meter is compiled into this program, so that its sums can be preset. */
#include "keypool_help.h"

#include <malloc.h>
#include <math.h>

#include "control/snapshot.h"

#include "meter/meter.c" /* presets its private sums; the library's copy is not linked */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MANY = 100 * 1000, SLOW = 1 };
#else
enum { MANY = 1000 * 1000, SLOW = 0 };
#endif

static const mono_t T0 = {1000000};

static struct record record_of(enum record_kind kind, const char *model, const char *client, const char *key)
{
    struct record r = {.kind = kind, .model_known = true, .ttft_ms = -1, .at = T0};
    str_copy(r.model, sizeof r.model, str_of(model));
    str_copy(r.client, sizeof r.client, str_of(client));
    str_copy(r.key_id, sizeof r.key_id, str_of(key));
    r.usage = (struct usage){.known = true, .in = 30, .out = 12};
    return r;
}

static void apply_request(struct meter *m, struct record *r, mono_t now)
{
    static const enum record_kind kinds[] = {RECORD_ADMITTED, RECORD_TRY, RECORD_DONE};
    r->at = now;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        r->kind = kinds[i];
        meter_apply(m, r, now);
    }
}

static void preset(struct meter *m, uint64_t value)
{
    uint64_t *sums[] = {&m->sums.requests,  &m->sums.ok,         &m->sums.tries,
                        &m->sums.tokens_in, &m->sums.tokens_out, &m->sums.ends[END_OK]};
    struct table *tables[] = {&m->models, &m->clients, &m->keys};
    for (size_t i = 0; i < ARRAY_LEN(sums); i++) *sums[i] = value;
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        for (size_t k = 0; k < tables[i]->count; k++) {
            struct entity *e = tables[i]->items[k];
            e->requests = e->ok = e->tokens = value;
        }
}

static void expect_in_json(const struct meter_totals *t, const char *name, uint64_t value)
{
    struct snapshot *s = snapshot_new();
    struct buf out = BUF_INIT(1 << 20);
    char text[80];
    s->totals = *t;
    snapshot_json(s, &out);
    snprintf(text, sizeof text, "\"%s\":%llu,", name, (unsigned long long)value);
    if (!strstr(buf_cstr(&out), text)) fail_msg("no %s in the snapshot", text);
    buf_free(&out);
    snapshot_put(s);
}

static void E3_counters_beyond_32_and_53_bits(void **state)
{
    (void)state;
    static const uint64_t edges[] = {INT32_MAX, UINT32_MAX, (1ULL << 53) - 1};
    for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
        struct meter *m = meter_new(T0);
        struct record r = record_of(RECORD_ADMITTED, "M/a", "anna", "00000001");
        struct meter_totals t;
        struct meter_model model;
        struct meter_client client;
        struct meter_key key;
        apply_request(m, &r, T0);
        preset(m, edges[i]);
        apply_request(m, &r, T0);
        meter_totals(m, T0, &t);
        assert_true(t.requests == edges[i] + 1 && t.ok == edges[i] + 1 && t.tries == edges[i] + 1);
        assert_true(t.tokens_in == edges[i] + 30 && t.tokens_out == edges[i] + 12 && t.ends[END_OK] == edges[i] + 1);
        assert_int_equal(t.rates.rpm, 2); /* rates are sums of small buckets and know nothing of it */
        expect_in_json(&t, "requests_total", edges[i] + 1);
        expect_in_json(&t, "tokens_in", edges[i] + 30);
        assert_int_equal(meter_models(m, T0, &model, 1), 1);
        assert_true(model.requests == edges[i] + 1 && model.ok == edges[i] + 1 && model.tokens == edges[i] + 42);
        assert_int_equal(meter_clients(m, T0, &client, 1), 1);
        assert_true(client.requests == edges[i] + 1);
        assert_true(meter_key_rates(m, "00000001", T0, &key));
        assert_true(key.tries == edges[i] + 1);
        meter_free(m);
    }
}

/* One request with as many tokens as can be read out of an answer, every second for a day: sums stay sums. */
static void E3_the_largest_usage_there_is(void **state)
{
    (void)state;
    const int64_t most = (1LL << 53) - 1;
    struct meter *m = meter_new(T0);
    struct record r = record_of(RECORD_ADMITTED, "M/a", "anna", "00000001");
    struct meter_totals t;
    r.usage.in = r.usage.out = most;
    for (int i = 0; i < 1000; i++) apply_request(m, &r, mono_add(T0, i * 1000));
    mono_t now = mono_add(T0, 999 * 1000);
    meter_totals(m, now, &t);
    assert_true(t.tokens_in == 1000 * (uint64_t)most && t.tokens_out == 1000 * (uint64_t)most);
    assert_true(t.rates.tpm == 60 * (uint64_t)UINT32_MAX); /* buckets are full, and say no less than they can hold */
    meter_totals(m, mono_add(now, 25 * H), &t);
    assert_true(t.rates.tpm == 0 && t.rates.tpd == 0 && t.rates.rpd == 0);
    meter_free(m);
}

/* ---- E6 ---- */

static size_t bytes_in_use(void)
{
    struct mallinfo2 i = mallinfo2();
    return SLOW ? 0 : i.uordblks + i.hblkhd; /* a sanitizer's malloc does not tell */
}

static void E6_a_million_names_fill_no_table(void **state)
{
    (void)state;
    struct meter *m = meter_new(T0);
    size_t warm = 0;
    for (int i = 0; i < MANY; i++) {
        char model[40], client[40], key[KEY_ID_LEN + 1];
        snprintf(model, sizeof model, "made/up-%d", i);
        snprintf(client, sizeof client, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        snprintf(key, sizeof key, "%08x", i % 5000);
        struct record r = record_of(RECORD_ADMITTED, model, client, key);
        apply_request(m, &r, mono_add(T0, i));
        if (i == MANY / 10) warm = bytes_in_use();
    }
    assert_true(bytes_in_use() <= warm + 256 * 1024);
    assert_true(m->models.count <= METER_MODELS_MAX && m->clients.count <= METER_CLIENTS_MAX);
    assert_true(m->keys.count <= POOL_KEYS_MAX && pairs_count(m->pairs) <= POOL_CELLS_MAX);
    struct meter_totals t;
    meter_totals(m, mono_add(T0, MANY), &t);
    assert_int_equal(t.requests, MANY); /* and none is forgotten */
    meter_free(m);
}

static void E6_a_million_models_fill_no_cell(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    size_t warm = 0;
    for (unsigned i = 0; i < 4; i++) add(p, i, "");
    for (int i = 0; i < MANY / 4; i++) {
        char model[40];
        snprintf(model, sizeof model, "made/up-%d", i);
        struct pick pick = pick_for(p, model);
        assert_int_equal(pick.result, PICK_OK);
        give_back(p, &pick, model, i % 7 ? VERDICT_OK : VERDICT_SERVER);
        later(10);
        if (i == MANY / 40) warm = bytes_in_use();
    }
    assert_true(bytes_in_use() <= warm + 256 * 1024);
    keypool_free(p);
}

/* ---- E8 ---- */

enum { KEYS = 12, OVERLAP = 8 };

static unsigned long spread(enum pool_strategy strategy, unsigned long uses[KEYS])
{
    static const char *const models[] = {FREE_MODEL, PAID_MODEL, PRO_MODEL};
    struct keypool *p = keypool_new(strategy);
    char ids[KEYS][KEY_ID_LEN + 1];
    struct pick out[OVERLAP] = {0};
    const char *asked[OVERLAP] = {0};
    uint64_t random = 88172645463325252ULL;
    unsigned long total = 0;
    for (unsigned i = 0; i < KEYS; i++) str_copy(ids[i], sizeof ids[i], str_of(add(p, i, "")));
    for (int i = 0; i < MANY; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        size_t at = random % OVERLAP;
        if (out[at].lease.seq) give_back(p, &out[at], asked[at], VERDICT_OK); /* they last unequally long */
        asked[at] = models[(random >> 20) % ARRAY_LEN(models)];
        out[at] = pick_for(p, asked[at]);
        assert_int_equal(out[at].result, PICK_OK);
        for (unsigned k = 0; k < KEYS; k++)
            if (strcmp(ids[k], out[at].lease.key_id) == 0) uses[k]++, total++;
        if (i % 16 == 0) later(1);
    }
    for (size_t i = 0; i < OVERLAP; i++)
        if (out[i].lease.seq) give_back(p, &out[i], asked[i], VERDICT_OK);
    keypool_free(p);
    return total;
}

static void E8_keys_are_used_evenly(void **state)
{
    (void)state;
    static const enum pool_strategy strategies[] = {STRATEGY_ROUND_ROBIN, STRATEGY_LEAST_BUSY};
    for (size_t s = 0; s < ARRAY_LEN(strategies); s++) {
        unsigned long uses[KEYS] = {0}, total = spread(strategies[s], uses);
        double due = (double)total / KEYS, chi = 0;
        assert_int_equal(total, MANY);
        for (unsigned k = 0; k < KEYS; k++) {
            chi += ((double)uses[k] - due) * ((double)uses[k] - due) / due;
            if (fabs((double)uses[k] / due - 1) > 0.02)
                fail_msg("strategy %zu, key %u: %lu of %lu", s, k, uses[k], total);
        }
        assert_true(chi < 31.26); /* 11 degrees of freedom, one in a thousand */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(E3_counters_beyond_32_and_53_bits), cmocka_unit_test(E3_the_largest_usage_there_is),
        cmocka_unit_test(E6_a_million_names_fill_no_table),  cmocka_unit_test(E6_a_million_models_fill_no_cell),
        cmocka_unit_test(E8_keys_are_used_evenly),
    };
    return cmocka_run_group_tests_name("long_run", tests, NULL, NULL);
}
