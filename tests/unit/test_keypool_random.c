/* The key pool under random histories, checked against its invariants, and under threads against each other. */
#include <pthread.h>

#include "tests/unit/keypool_help.h"

/* --- random histories --- */

enum { H_KEYS = 7, H_MODELS = 5, H_LEASES = 40, H_ACCOUNTS = 5 };

static const char *const h_models[H_MODELS] = {FREE_MODEL, PAID_MODEL, PRO_MODEL, "x/unknown", ""};
static const char *const h_accounts[H_KEYS] = {"A", "A", "B", "", "", "", "B"};

struct history {
    struct keypool *p;
    uint64_t random;
    const char *ids[H_KEYS];
    bool off[H_KEYS];
    struct pick out[H_LEASES];
    int model[H_LEASES];
    mono_t cell_until[H_KEYS][H_MODELS]; /* rate deadlines seen, per account's first key */
};

static unsigned dice(struct history *h, unsigned sides)
{
    h->random ^= h->random << 13;
    h->random ^= h->random >> 7;
    h->random ^= h->random << 17;
    return (unsigned)((h->random >> 11) % sides);
}

static int key_at(const struct history *h, const char *id)
{
    for (int i = 0; i < H_KEYS; i++)
        if (strcmp(h->ids[i], id) == 0) return i;
    return -1;
}

static int account_of(int key)
{
    return key == 1 ? 0 : key == 6 ? 2 : key;
}

static void h_acquire(struct history *h)
{
    unsigned at = dice(h, H_LEASES);
    if (h->out[at].lease.seq) return;
    h->model[at] = (int)dice(h, H_MODELS);
    h->out[at] = pick_for(h->p, h_models[h->model[at]]);
    if (h->out[at].result != PICK_OK) {
        h->out[at].lease.seq = 0;
        assert_true(h->out[at].result != PICK_COOLING || h->out[at].soonest_ms > 0);
        return;
    }
    int key = key_at(h, h->out[at].lease.key_id);
    assert_false(h->off[key]);
    assert_true(h->cell_until[account_of(key)][h->model[at]].ms <= now_ms.ms);
}

static void h_return(struct history *h)
{
    unsigned at = dice(h, H_LEASES);
    if (!h->out[at].lease.seq) return;
    int account = account_of(key_at(h, h->out[at].lease.key_id)), model = h->model[at];
    enum verdict v = dice(h, 3) ? VERDICT_OK : (enum verdict)dice(h, VERDICT_COUNT);
    if (v == VERDICT_KEY_INVALID && dice(h, 4)) v = VERDICT_OK;
    if (dice(h, 2)) keypool_gate(h->p, &h->out[at].lease, now_ms);
    give_back(h->p, &h->out[at], h_models[model], v);
    int64_t least = v == VERDICT_RATE_MINUTE || v == VERDICT_RATE_UNKNOWN ? 20 * S
                    : v == VERDICT_RATE_HOUR                              ? 10 * M
                    : verdict_kind(v) == KIND_FAILURE                     ? 5 * S
                                                                          : 0;
    mono_t *until = &h->cell_until[account][model];
    until->ms = MAX(until->ms, least ? now_ms.ms + least : 0);
}

static void h_switch(struct history *h)
{
    unsigned key = dice(h, H_KEYS);
    h->off[key] = dice(h, 3) == 0;
    keypool_set_enabled(h->p, h->ids[key], !h->off[key]);
}

static void h_test(struct history *h)
{
    char ids[H_KEYS][KEY_ID_LEN + 1];
    size_t n = keypool_due_tests(h->p, now_ms, ids, H_KEYS);
    for (size_t i = 0; i < n; i++) {
        struct lease_end end = end_with(dice(h, 4) ? VERDICT_OK : VERDICT_KEY_INVALID, "");
        keypool_test_end(h->p, ids[i], &end);
    }
}

/* Deadlines are monotonic: what is shown as cooling now is still cooling until that moment. */
static void h_check(struct history *h)
{
    unsigned leases = 0, shown = 0;
    struct key_view views[H_KEYS];
    assert_int_equal(keypool_view(h->p, now_ms, views, H_KEYS), H_KEYS);
    for (int i = 0; i < H_LEASES; i++) leases += h->out[i].lease.seq != 0;
    for (int i = 0; i < H_KEYS; i++) {
        shown += views[i].in_flight;
        assert_int_equal(views[i].enabled, !h->off[i]);
        for (unsigned c = 0; c < MIN(views[i].cooldown_count, 8u); c++)
            for (int m = 0; m < H_MODELS; m++)
                if (strcmp(h_models[m], views[i].cooldowns[c].model) == 0 && h_models[m][0]) {
                    mono_t *until = &h->cell_until[account_of(i)][m];
                    assert_true(now_ms.ms + views[i].cooldowns[c].ms_left >= until->ms);
                    until->ms = now_ms.ms + views[i].cooldowns[c].ms_left;
                }
    }
    assert_int_equal(leases, shown);
    assert_int_equal(keypool_leases_out(h->p), leases);
}

static void one_history(uint64_t seed, enum pool_strategy strategy)
{
    struct history *h = xcalloc(1, sizeof *h);
    h->p = keypool_new(strategy);
    h->random = seed;
    for (unsigned i = 0; i < H_KEYS; i++) h->ids[i] = add(h->p, i, h_accounts[i]);
    for (int step = 0; step < 3000; step++) {
        unsigned what = dice(h, 20);
        if (what < 8)
            h_acquire(h);
        else if (what < 15)
            h_return(h);
        else if (what < 16)
            h_switch(h);
        else if (what < 17)
            h_test(h);
        else
            later(dice(h, 10) ? dice(h, 8 * S) : dice(h, 20 * M));
        if (step % 7 == 0) h_check(h);
    }
    for (int i = 0; i < H_LEASES; i++)
        if (h->out[i].lease.seq) give_back(h->p, &h->out[i], h_models[h->model[i]], VERDICT_CANCELLED);
    assert_int_equal(keypool_leases_out(h->p), 0);
    keypool_free(h->p);
    free(h);
}

static void random_histories(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++)
        one_history(seed * 0x9E3779B97F4A7C15ull, (enum pool_strategy)(seed % 3));
}

/* --- threads --- */

struct hammer {
    struct keypool *p;
    unsigned number;
};

static void *hammer(void *arg)
{
    const struct hammer *h = arg;
    struct key_view views[8];
    char id[KEY_ID_LEN + 1];
    for (int i = 0; i < 3000; i++) {
        mono_t t = {2000000 + i * 10};
        struct pick_ask ask = {.model = i % 3 ? STR(FREE_MODEL) : STR(PAID_MODEL), .now = t};
        struct pick pick;
        keypool_acquire(h->p, &ask, &pick);
        if (pick.result == PICK_OK) {
            if (strncmp(pick.lease.auth, "Authorization: Bearer sk-", 25) != 0) abort();
            keypool_gate(h->p, &pick.lease, t);
            struct lease_end end = {.verdict = i % 17 ? VERDICT_OK : VERDICT_RATE_MINUTE, .model = ask.model, .now = t};
            keypool_return(h->p, &pick.lease, &end);
        }
        if (i % 50 == 0) keypool_view(h->p, t, views, 8);
        if (i % 20 == 0) {
            char secret[64];
            snprintf(secret, sizeof secret, "sk-hammer-aaaaaaaaaaaaaaaaaaaaaa-%u-%d", h->number, i % 3);
            struct key_conf c = conf_of(secret, "", "state");
            if (keypool_add(h->p, &c, t, id) == KEY_ADDED && i % 40 == 0) keypool_remove(h->p, id, NULL, 0);
        }
    }
    return NULL;
}

static void threads(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    pthread_t t[4];
    struct hammer h[4];
    for (unsigned i = 0; i < 4; i++) add(p, i, i % 2 ? "A" : "");
    for (unsigned i = 0; i < 4; i++) {
        h[i] = (struct hammer){p, i};
        assert_int_equal(pthread_create(&t[i], NULL, hammer, &h[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) pthread_join(t[i], NULL);
    assert_int_equal(keypool_leases_out(p), 0);
    keypool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories),
        cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests_name("keypool_random", tests, NULL, NULL);
}
