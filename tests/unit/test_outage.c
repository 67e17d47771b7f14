/* Breakers and the line of waiting requests in the key pool: what requests, keys and accounts feel of them. */
#include <pthread.h>
#include <sched.h>

#include "tests/unit/keypool_help.h"

#include "base/log.h"
#include "pool/lanes.h"
#include "proxy/clients.h"

#define OTHER_MODEL "Qwen/Qwen3.5-4B"

static struct pick ask_for(struct keypool *p, struct pick_ask ask, const char *model)
{
    struct pick out;
    ask.model = str_of(model);
    ask.now = now_ms;
    keypool_acquire(p, &ask, &out);
    return out;
}

static enum breaker_state state_of(struct keypool *p, const char *model)
{
    struct outage_view v;
    keypool_outage_view(p, model, now_ms, &v);
    return v.state;
}

/* One request on any key; returns false when none was given. */
static bool once(struct keypool *p, const char *model, enum verdict v)
{
    struct pick pick = ask_for(p, (struct pick_ask){.now = now_ms}, model);
    if (pick.result == PICK_OK) give_back(p, &pick, model, v);
    return pick.result == PICK_OK;
}

static void server_errors_everywhere(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *ids[3];
    for (unsigned i = 0; i < 3; i++) ids[i] = add(p, i, "");
    for (int i = 0; i < 3; i++) assert_true(once(p, FREE_MODEL, VERDICT_SERVER));
    assert_int_equal(pick_for(p, FREE_MODEL).result, PICK_COOLING);
    later(5 * S);
    assert_true(once(p, FREE_MODEL, VERDICT_SERVER));
    assert_int_equal(state_of(p, FREE_MODEL), BREAKER_CLOSED);
    assert_true(once(p, FREE_MODEL, VERDICT_SERVER));
    assert_int_equal(state_of(p, FREE_MODEL), BREAKER_OPEN);
    for (int i = 0; i < 3; i++) assert_int_equal(view_of(p, ids[i]).cooldown_count, 0);

    struct pick refused = pick_for(p, FREE_MODEL);
    assert_int_equal(refused.result, PICK_OUTAGE);
    assert_int_equal(refused.soonest_ms, 2 * S);
    assert_int_equal(refused.soonest_verdict, VERDICT_SERVER);
    assert_false(refused.whole_upstream);
    assert_int_equal(keypool_outage_ms(p, STR(FREE_MODEL), now_ms), 2 * S);
    assert_true(once(p, OTHER_MODEL, VERDICT_OK));
    struct pick test = ask_for(p, (struct pick_ask){.ignore_state = true, .only_key = ids[0]}, FREE_MODEL);
    assert_int_equal(test.result, PICK_OK); /* tests of keys are not stopped, and say nothing */
    give_back(p, &test, FREE_MODEL, VERDICT_OK);
    assert_int_equal(state_of(p, FREE_MODEL), BREAKER_OPEN);
    later(2 * S);
    struct pick probe = pick_for(p, FREE_MODEL);
    assert_int_equal(probe.result, PICK_OK);
    assert_int_equal(state_of(p, FREE_MODEL), BREAKER_HALF_OPEN);
    assert_int_equal(pick_for(p, FREE_MODEL).result, PICK_OUTAGE);
    keypool_gate(p, &probe.lease, now_ms);
    assert_int_equal(state_of(p, FREE_MODEL), BREAKER_CLOSED);
    assert_true(once(p, FREE_MODEL, VERDICT_OK));
    give_back(p, &probe, FREE_MODEL, VERDICT_OK);
    for (int i = 0; i < 3; i++) assert_int_equal(view_of(p, ids[i]).cooldown_count, 0);
    keypool_free(p);
}

static void the_probe_fails_without_harm(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *ids[2] = {add(p, 0, ""), add(p, 1, "")};
    for (int i = 0; i < 4; i++) {
        assert_true(once(p, FREE_MODEL, VERDICT_RESET));
        if (i == 1) later(5 * S);
    }
    for (int64_t wait = 2 * S; wait <= 30 * S; wait = wait == 16 * S ? 30 * S : 2 * wait) {
        assert_int_equal(pick_for(p, FREE_MODEL).soonest_ms, wait);
        later(wait);
        assert_true(once(p, FREE_MODEL, VERDICT_RESET));
        for (int i = 0; i < 2; i++) assert_int_equal(view_of(p, ids[i]).cooldown_count, 0);
        if (wait == 30 * S) break;
    }
    keypool_free(p);
}

static void under_way_goes_on_and_its_success_closes(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    add(p, 0, ""), add(p, 1, "");
    struct pick early = pick_for(p, FREE_MODEL);
    for (int i = 0; i < 4; i++) assert_true(once(p, FREE_MODEL, VERDICT_BUSY));
    assert_int_equal(pick_for(p, FREE_MODEL).result, PICK_OUTAGE);
    struct pick again = ask_for(p, (struct pick_ask){.under_way = true}, FREE_MODEL);
    assert_int_equal(again.result, PICK_OK);
    give_back(p, &again, FREE_MODEL, VERDICT_BUSY);
    assert_int_equal(state_of(p, FREE_MODEL), BREAKER_OPEN);
    give_back(p, &early, FREE_MODEL, VERDICT_OK);
    assert_int_equal(state_of(p, FREE_MODEL), BREAKER_CLOSED);
    keypool_free(p);
}

/* A stream that passed its gate long ago says nothing about now. */
static void an_old_gate_is_no_news(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    add(p, 0, ""), add(p, 1, "");
    struct pick stream = pick_for(p, FREE_MODEL);
    keypool_gate(p, &stream.lease, now_ms);
    later(20 * S);
    for (int i = 0; i < 4; i++) assert_true(once(p, FREE_MODEL, VERDICT_BUSY));
    assert_int_equal(state_of(p, FREE_MODEL), BREAKER_OPEN);
    give_back(p, &stream, FREE_MODEL, VERDICT_OK);
    assert_int_equal(state_of(p, FREE_MODEL), BREAKER_OPEN);
    keypool_free(p);
}

static void one_key_has_no_breaker(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    add(p, 0, "A"), add(p, 1, "A");
    for (int i = 0; i < 20; i++) assert_true(once(p, FREE_MODEL, VERDICT_BUSY));
    assert_int_equal(state_of(p, FREE_MODEL), BREAKER_CLOSED);
    assert_int_equal(state_of(p, NULL), BREAKER_CLOSED);
    keypool_free(p);
}

static void limited_accounts_are_not_waited_for(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *ids[4];
    for (unsigned i = 0; i < 4; i++) ids[i] = add(p, i, "");
    run(p, ids[0], FREE_MODEL, VERDICT_RATE_DAY);
    keypool_set_enabled(p, ids[1], false);
    unsigned tries = 0;
    while (state_of(p, FREE_MODEL) == BREAKER_CLOSED && tries < 20) tries += once(p, FREE_MODEL, VERDICT_BUSY);
    assert_int_equal(tries, 4);
    assert_int_equal(view_of(p, ids[0]).cooldown_count, 1); /* that one was no part of it */
    keypool_free(p);
}

static void every_key_refused_at_once(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *ids[4];
    for (unsigned i = 0; i < 4; i++) ids[i] = add(p, i, "");
    for (unsigned i = 0; i < 4; i++) run(p, ids[i], PAID_MODEL, VERDICT_OK);
    later(100);
    for (int i = 0; i < 3; i++) assert_true(once(p, FREE_MODEL, VERDICT_KEY_INVALID));
    assert_int_equal(state_of(p, NULL), BREAKER_CLOSED);
    assert_true(once(p, FREE_MODEL, VERDICT_KEY_INVALID));
    assert_int_equal(state_of(p, NULL), BREAKER_OPEN);
    for (int i = 0; i < 4; i++) {
        struct key_view v = view_of(p, ids[i]);
        assert_int_equal(v.class, CLASS_PAID);
        assert_int_equal(v.state, KEY_READY);
    }
    char due[4][KEY_ID_LEN + 1];
    assert_int_equal(keypool_due_tests(p, now_ms, due, 4), 0);
    struct pick other = pick_for(p, OTHER_MODEL);
    assert_int_equal(other.result, PICK_OUTAGE);
    assert_true(other.whole_upstream);
    later(2 * S);
    assert_true(once(p, OTHER_MODEL, VERDICT_OK));
    assert_true(once(p, FREE_MODEL, VERDICT_OK));
    keypool_free(p);
}

static void refused_for_a_minute_is_believed(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *ids[3];
    for (unsigned i = 0; i < 3; i++) ids[i] = add(p, i, "");
    for (unsigned i = 0; i < 3; i++) run(p, ids[i], FREE_MODEL, VERDICT_OK);
    for (int i = 0; i < 3; i++) assert_true(once(p, FREE_MODEL, VERDICT_KEY_INVALID));
    mono_t opened = now_ms;
    while (state_of(p, NULL) != BREAKER_CLOSED) {
        for (int i = 0; i < 3; i++) assert_int_equal(view_of(p, ids[i]).state, KEY_READY);
        later(pick_for(p, FREE_MODEL).soonest_ms);
        assert_true(once(p, FREE_MODEL, VERDICT_KEY_INVALID));
        assert_true(mono_since(now_ms, opened) < 3 * M);
    }
    assert_true(mono_since(now_ms, opened) >= M);
    for (int i = 0; i < 3; i++) assert_int_equal(view_of(p, ids[i]).state, KEY_BAD);
    assert_int_equal(pick_for(p, FREE_MODEL).result, PICK_NONE_USABLE);
    keypool_free(p);
}

static void keys_that_never_worked_are_simply_bad(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *ids[4];
    for (unsigned i = 0; i < 4; i++) ids[i] = add(p, i, "");
    for (int i = 0; i < 4; i++) assert_true(once(p, FREE_MODEL, VERDICT_KEY_INVALID));
    for (int i = 0; i < 4; i++) assert_int_equal(view_of(p, ids[i]).state, KEY_BAD);
    assert_int_equal(state_of(p, NULL), BREAKER_CLOSED);
    keypool_free(p);
}

static void forbidden_everywhere_is_taken_back(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    const char *ids[3];
    for (unsigned i = 0; i < 3; i++) ids[i] = add(p, i, "");
    for (unsigned i = 0; i < 3; i++) run(p, ids[i], OTHER_MODEL, VERDICT_OK);
    for (int i = 0; i < 3; i++) assert_true(once(p, FREE_MODEL, VERDICT_FORBIDDEN_OTHER));
    assert_int_equal(state_of(p, FREE_MODEL), BREAKER_OPEN);
    for (int i = 0; i < 3; i++) assert_int_equal(view_of(p, ids[i]).cooldown_count, 0);
    for (int64_t waited = 0; waited < 70 * S;) {
        int64_t wait = pick_for(p, FREE_MODEL).soonest_ms;
        later(wait);
        waited += wait;
        assert_true(once(p, FREE_MODEL, VERDICT_FORBIDDEN_OTHER));
        if (state_of(p, FREE_MODEL) == BREAKER_CLOSED) break;
    }
    for (int i = 0; i < 3; i++) assert_int_equal(view_of(p, ids[i]).cooldown_count, 1);
    keypool_free(p);
}

static void connect_stops_everything(void **state)
{
    (void)state;
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    add(p, 0, ""), add(p, 1, "");
    for (int i = 0; i < 4; i++) assert_true(once(p, FREE_MODEL, VERDICT_CONNECT));
    assert_int_equal(pick_for(p, OTHER_MODEL).result, PICK_OUTAGE);
    keypool_outage_reset(p);
    assert_true(once(p, OTHER_MODEL, VERDICT_OK));
    keypool_free(p);
}

/* --- the line --- */

enum { WOKEN = 64 };
static struct {
    unsigned count;
    uint64_t exchange[WOKEN];
} woken;

static void on_wake(void *arg, unsigned worker, uint64_t exchange)
{
    (void)arg, (void)worker;
    if (woken.count < WOKEN) woken.exchange[woken.count++] = exchange;
}

static struct keypool *pool_with_line(void)
{
    struct keypool *p = keypool_new(STRATEGY_ROUND_ROBIN);
    woken.count = 0;
    keypool_set_waker(p, on_wake, NULL);
    return p;
}

static struct pick_ask patient(uint64_t exchange, uint32_t ticket)
{
    return (struct pick_ask){.wait_ms = 60 * S, .wait_room = 256, .exchange = exchange, .ticket = ticket};
}

static void waiters_are_served_in_order(void **state)
{
    (void)state;
    struct keypool *p = pool_with_line();
    uint32_t tickets[6] = {0};
    const char *a = add(p, 1, "");
    run(p, a, FREE_MODEL, VERDICT_RATE_MINUTE);
    for (unsigned i = 1; i <= 5; i++) {
        struct pick w = ask_for(p, patient(i, 0), FREE_MODEL);
        assert_int_equal(w.result, PICK_WAIT);
        assert_int_equal(w.look_ms, i == 1 ? 1 * S : 0);
        tickets[i] = w.ticket;
    }
    later(20 * S - 1);
    assert_int_equal(ask_for(p, patient(1, tickets[1]), FREE_MODEL).result,
                     PICK_WAIT); /* no pick before the deadline */
    later(1);
    assert_int_equal(ask_for(p, patient(3, tickets[3]), FREE_MODEL).result, PICK_WAIT); /* not its turn */
    struct pick newcomer = ask_for(p, patient(6, 0), FREE_MODEL);
    assert_int_equal(newcomer.result, PICK_WAIT); /* nobody overtakes */
    keypool_leave(p, newcomer.ticket);
    assert_int_equal(woken.count, 0);
    struct pick leases[6];
    for (unsigned i = 1; i <= 5; i++) {
        leases[i] = ask_for(p, patient(i, tickets[i]), FREE_MODEL);
        assert_int_equal(leases[i].result, PICK_OK);
        if (i == 5) break;
        assert_int_equal(woken.exchange[woken.count - 1], i + 1); /* the next one comes to the front */
        struct pick early = ask_for(p, patient(i + 1, tickets[i + 1]), FREE_MODEL);
        assert_int_equal(early.result, PICK_WAIT);
        if (i == 3) {
            later(200); /* the gate says nothing for a while */
        } else {
            keypool_gate(p, &leases[i].lease, now_ms);
            assert_int_equal(woken.exchange[woken.count - 1], i + 1);
        }
    }
    for (unsigned i = 1; i <= 5; i++) give_back(p, &leases[i], FREE_MODEL, VERDICT_OK);
    assert_int_equal(keypool_leases_out(p), 0);
    keypool_free(p);
}

static void who_leaves_wakes_the_next(void **state)
{
    (void)state;
    struct keypool *p = pool_with_line();
    run(p, add(p, 1, ""), FREE_MODEL, VERDICT_RATE_MINUTE);
    uint32_t first = ask_for(p, patient(1, 0), FREE_MODEL).ticket,
             second = ask_for(p, patient(2, 0), FREE_MODEL).ticket;
    uint32_t third = ask_for(p, patient(3, 0), FREE_MODEL).ticket;
    keypool_leave(p, second);
    assert_int_equal(woken.count, 0);
    keypool_leave(p, first);
    assert_int_equal(woken.count, 1);
    assert_int_equal(woken.exchange[0], 3);
    /* Its time is over: an honest refusal, and it is out of the line. */
    struct pick_ask last = patient(3, third);
    last.wait_ms = 0;
    struct pick refused = ask_for(p, last, FREE_MODEL);
    assert_int_equal(refused.result, PICK_COOLING);
    assert_int_equal(refused.soonest_ms, 20 * S);
    keypool_free(p);
}

static void who_is_refused_stands_in_front_again(void **state)
{
    (void)state;
    struct keypool *p = pool_with_line();
    const char *a = add(p, 1, "");
    run(p, a, FREE_MODEL, VERDICT_RATE_MINUTE);
    uint32_t one = ask_for(p, patient(1, 0), FREE_MODEL).ticket, two = ask_for(p, patient(2, 0), FREE_MODEL).ticket;
    later(20 * S);
    struct pick first = ask_for(p, patient(1, one), FREE_MODEL);
    give_back(p, &first, FREE_MODEL, VERDICT_RATE_MINUTE);
    struct pick_ask again = patient(1, 0);
    again.waited = true;
    one = ask_for(p, again, FREE_MODEL).ticket;
    later(40 * S);
    assert_int_equal(ask_for(p, patient(2, two), FREE_MODEL).result, PICK_WAIT);
    first = ask_for(p, patient(1, one), FREE_MODEL);
    assert_int_equal(first.result, PICK_OK);
    give_back(p, &first, FREE_MODEL, VERDICT_OK);
    struct pick second = ask_for(p, patient(2, two), FREE_MODEL);
    assert_int_equal(second.result, PICK_OK);
    give_back(p, &second, FREE_MODEL, VERDICT_OK);
    keypool_free(p);
}

static void the_line_has_an_end(void **state)
{
    (void)state;
    struct keypool *p = pool_with_line();
    const char *a = add(p, 1, "");
    run(p, a, FREE_MODEL, VERDICT_RATE_MINUTE);
    run(p, a, OTHER_MODEL, VERDICT_RATE_MINUTE);
    struct pick_ask ask = patient(1, 0);
    ask.wait_room = 2;
    uint32_t one = ask_for(p, ask, FREE_MODEL).ticket, two = ask_for(p, ask, OTHER_MODEL).ticket;
    assert_int_equal(ask_for(p, ask, FREE_MODEL).result, PICK_QUEUE_FULL);
    assert_int_equal(ask_for(p, (struct pick_ask){.wait_ms = 0}, FREE_MODEL).result, PICK_COOLING);
    keypool_leave(p, one);
    keypool_leave(p, two);
    /* Waiting that cannot help is not begun. */
    ask.wait_ms = 20 * S - 1;
    assert_int_equal(ask_for(p, ask, FREE_MODEL).result, PICK_COOLING);
    keypool_free(p);
}

static void two_free_keys_serve_two_at_once(void **state)
{
    (void)state;
    struct keypool *p = pool_with_line();
    const char *a = add(p, 1, ""), *b = add(p, 2, "");
    run(p, a, FREE_MODEL, VERDICT_RATE_MINUTE);
    run(p, b, FREE_MODEL, VERDICT_RATE_MINUTE);
    uint32_t tickets[4];
    for (unsigned i = 1; i <= 3; i++) tickets[i] = ask_for(p, patient(i, 0), FREE_MODEL).ticket;
    keypool_reset(p, a, now_ms);
    keypool_reset(p, b, now_ms);
    struct pick one = ask_for(p, patient(1, tickets[1]), FREE_MODEL),
                two = ask_for(p, patient(2, tickets[2]), FREE_MODEL);
    assert_int_equal(one.result, PICK_OK);
    assert_int_equal(two.result, PICK_OK);
    assert_string_not_equal(one.lease.key_id, two.lease.key_id);
    struct pick three = ask_for(p, patient(3, tickets[3]), FREE_MODEL);
    assert_int_equal(three.result, PICK_WAIT);
    assert_in_range(three.look_ms, 1, 200);
    give_back(p, &two, FREE_MODEL, VERDICT_OK);
    three = ask_for(p, patient(3, tickets[3]), FREE_MODEL);
    assert_int_equal(three.result, PICK_OK);
    give_back(p, &three, FREE_MODEL, VERDICT_OK);
    give_back(p, &one, FREE_MODEL, VERDICT_OK);
    keypool_free(p);
}

static void an_outage_ends_the_waiting(void **state)
{
    (void)state;
    struct keypool *p = pool_with_line();
    const char *ids[3];
    for (unsigned i = 0; i < 3; i++) ids[i] = add(p, i, "");
    run(p, ids[0], FREE_MODEL, VERDICT_RATE_MINUTE);
    for (unsigned i = 1; i < 3; i++) run(p, ids[i], FREE_MODEL, VERDICT_RESET);
    uint32_t ticket = ask_for(p, patient(1, 0), FREE_MODEL).ticket;
    later(5 * S);
    for (unsigned i = 1; i < 3; i++) run(p, ids[i], FREE_MODEL, VERDICT_RESET);
    assert_int_equal(state_of(p, FREE_MODEL), BREAKER_OPEN);
    assert_int_equal(ask_for(p, patient(1, ticket), FREE_MODEL).result, PICK_OUTAGE);
    keypool_free(p);
}

/* --- random histories: order, pace, nothing lost --- */

enum { H_WAITERS = 30, H_STEPS = 4000 };

struct line_history {
    struct keypool *p;
    uint64_t random;
    uint32_t ticket[H_WAITERS]; /* by exchange - 1 */
    uint64_t place[H_WAITERS];  /* grows with joining */
    struct pick out[H_WAITERS];
    uint64_t joins, served;
};

static unsigned dice(struct line_history *h, unsigned sides)
{
    h->random ^= h->random << 13;
    h->random ^= h->random >> 7;
    h->random ^= h->random << 17;
    return (unsigned)((h->random >> 11) % sides);
}

static bool has_waiter_before(const struct line_history *h, uint64_t place)
{
    for (int i = 0; i < H_WAITERS; i++)
        if (h->ticket[i] && h->place[i] < place) return true;
    return false;
}

static void h_ask(struct line_history *h, unsigned i)
{
    if (h->out[i].lease.seq) return;
    uint32_t had = h->ticket[i];
    struct pick pick = ask_for(h->p, patient(i + 1, had), FREE_MODEL);
    h->ticket[i] = pick.result == PICK_WAIT ? pick.ticket : 0;
    if (pick.result == PICK_WAIT && !had) h->place[i] = ++h->joins;
    if (pick.result != PICK_OK) return;
    h->out[i] = pick;
    assert_false(has_waiter_before(h, had ? h->place[i] : h->joins + 1));
    h->served += had != 0;
}

static void h_end(struct line_history *h, unsigned i)
{
    if (!h->out[i].lease.seq) return;
    if (dice(h, 2)) keypool_gate(h->p, &h->out[i].lease, now_ms);
    give_back(h->p, &h->out[i], FREE_MODEL, dice(h, 3) ? VERDICT_OK : VERDICT_RATE_MINUTE);
}

static void h_leave(struct line_history *h, unsigned i)
{
    if (!h->ticket[i]) return;
    keypool_leave(h->p, h->ticket[i]);
    h->ticket[i] = 0;
}

/* As the workers do: whoever was woken asks, and so does the first in line now and then. */
static void h_wakes(struct line_history *h)
{
    while (woken.count) {
        uint64_t exchange = woken.exchange[--woken.count];
        if (h->ticket[exchange - 1]) h_ask(h, (unsigned)exchange - 1);
    }
}

static void random_lines(void **state)
{
    (void)state;
    uint64_t served = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct line_history *h = xcalloc(1, sizeof *h);
        h->random = seed * 0x9E3779B97F4A7C15ull;
        h->p = pool_with_line();
        for (unsigned i = 0; i < 1 + seed % 3; i++) add(h->p, i, "");
        for (int step = 0; step < H_STEPS; step++) {
            unsigned what = dice(h, 20), who = dice(h, H_WAITERS);
            if (what < 10)
                h_ask(h, who);
            else if (what < 16)
                h_end(h, who);
            else if (what < 17)
                h_leave(h, who);
            else
                later(dice(h, 3000));
            if (dice(h, 3) == 0) h_wakes(h);
        }
        for (unsigned i = 0; i < H_WAITERS; i++) {
            h_leave(h, i);
            if (h->out[i].lease.seq) give_back(h->p, &h->out[i], FREE_MODEL, VERDICT_CANCELLED);
        }
        served += h->served;
        assert_int_equal(keypool_leases_out(h->p), 0);
        keypool_free(h->p);
        free(h);
    }
    assert_true(served > 500);
}

/* --- the table, threads, clients --- */

static void models_come_and_go(void **state)
{
    (void)state;
    struct keypool *p = pool_with_line();
    add(p, 1, ""), add(p, 2, "");
    char model[32];
    for (int i = 0; i < 4; i++) assert_true(once(p, OTHER_MODEL, VERDICT_BUSY));
    run(p, add(p, 3, ""), FREE_MODEL, VERDICT_OK);
    for (int i = 0; i < 3 * LANES_MAX; i++) {
        snprintf(model, sizeof model, "made/up-%d", i);
        assert_true(once(p, model, i % 5 ? VERDICT_OK : VERDICT_BAD_REQUEST));
        later(100);
    }
    assert_int_equal(state_of(p, OTHER_MODEL), BREAKER_OPEN); /* an open one is not forgotten */
    keypool_free(p);
}

enum { THREADS = 4, ROUNDS = 2000 };
static struct keypool *shared;
static pthread_barrier_t together;

static void *stand_and_serve(void *arg)
{
    uint64_t me = (uint64_t)(uintptr_t)arg;
    uint32_t ticket = 0;
    pthread_barrier_wait(&together);
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 4 == 0) sched_yield();
        struct pick_ask ask = patient(me, ticket);
        ask.model = STR(FREE_MODEL);
        ask.now = (mono_t){2000000 + i * 300};
        struct pick pick;
        keypool_acquire(shared, &ask, &pick);
        ticket = pick.result == PICK_WAIT ? pick.ticket : 0;
        if (pick.result == PICK_OK) {
            static const enum verdict mix[] = {VERDICT_OK, VERDICT_OK, VERDICT_BUSY, VERDICT_SERVER,
                                               VERDICT_RATE_MINUTE};
            if (i % 3 == 0) keypool_gate(shared, &pick.lease, ask.now);
            struct lease_end end = {.verdict = mix[(unsigned)i % 5], .model = ask.model, .now = ask.now, .wall = wall0};
            keypool_return(shared, &pick.lease, &end);
        }
        if (ticket && i % 7 == 0) {
            keypool_leave(shared, ticket);
            ticket = 0;
        }
        struct outage_view v;
        if (i % 50 == 0) keypool_outage_view(shared, FREE_MODEL, ask.now, &v);
    }
    if (ticket) keypool_leave(shared, ticket);
    return NULL;
}

static _Atomic unsigned wakes;

static void count_wake(void *arg, unsigned worker, uint64_t exchange)
{
    (void)arg, (void)worker, (void)exchange;
    atomic_fetch_add(&wakes, 1);
}

static void threads(void **state)
{
    (void)state;
    pthread_t t[THREADS];
    shared = keypool_new(STRATEGY_LEAST_BUSY);
    pthread_barrier_init(&together, NULL, THREADS);
    keypool_set_waker(shared, count_wake, NULL);
    add(shared, 1, ""), add(shared, 2, "");
    log_set_level(LOG_ERROR);
    for (uintptr_t i = 0; i < THREADS; i++) pthread_create(&t[i], NULL, stand_and_serve, (void *)(i + 1));
    for (unsigned i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    assert_int_equal(keypool_leases_out(shared), 0);
    pthread_barrier_destroy(&together);
    keypool_free(shared);
}

static void clients_are_counted_apart(void **state)
{
    (void)state;
    struct client_counts c;
    client_counts_init(&c);
    assert_true(client_counts_enter(&c, "ana", 2));
    assert_true(client_counts_enter(&c, "ana", 2));
    assert_false(client_counts_enter(&c, "ana", 2));
    assert_true(client_counts_enter(&c, "bob", 2));
    client_counts_leave(&c, "ana");
    assert_true(client_counts_enter(&c, "ana", 2));
    client_counts_leave(&c, "ana");
    client_counts_leave(&c, "ana");
    client_counts_leave(&c, "bob");
    assert_int_equal(c.running.count, 0); /* nobody is kept who has nothing running */
    client_counts_destroy(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_errors_everywhere),
        cmocka_unit_test(the_probe_fails_without_harm),
        cmocka_unit_test(under_way_goes_on_and_its_success_closes),
        cmocka_unit_test(an_old_gate_is_no_news),
        cmocka_unit_test(one_key_has_no_breaker),
        cmocka_unit_test(limited_accounts_are_not_waited_for),
        cmocka_unit_test(every_key_refused_at_once),
        cmocka_unit_test(refused_for_a_minute_is_believed),
        cmocka_unit_test(keys_that_never_worked_are_simply_bad),
        cmocka_unit_test(forbidden_everywhere_is_taken_back),
        cmocka_unit_test(connect_stops_everything),
        cmocka_unit_test(waiters_are_served_in_order),
        cmocka_unit_test(who_leaves_wakes_the_next),
        cmocka_unit_test(who_is_refused_stands_in_front_again),
        cmocka_unit_test(the_line_has_an_end),
        cmocka_unit_test(two_free_keys_serve_two_at_once),
        cmocka_unit_test(an_outage_ends_the_waiting),
        cmocka_unit_test(random_lines),
        cmocka_unit_test(models_come_and_go),
        cmocka_unit_test(threads),
        cmocka_unit_test(clients_are_counted_apart),
    };
    return cmocka_run_group_tests_name("outage", tests, NULL, NULL);
}
