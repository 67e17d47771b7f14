/* What verdicts, tests and hands do to a key: classes (slow), limits, states (fast).
 *
 *   class  ? ----paid model served, balance----> PAID <--+
 *          ? ----paid model refused, balance---> FREE ---+ (a paid model served)
 *          any --401, code 30014--> INVALID    --answered, test passed--> what it was before
 *          any --real-name-------> UNVERIFIED  --answered--------------> what it was before
 *
 * The class excludes a key only when it is INVALID; for the others the cooldown that came with it does, so that an
 * account that was topped up comes back by itself, half-open. State is not stored: pool_state derives it. */
#include "pool/pool_priv.h"

enum {
    LATELY_MS = 600000,
    RETEST_UNTESTED_MS = 60000,
    RETEST_INVALID_MS = 600000,
};

const char *key_class_name(enum key_class c)
{
    static const char *const names[CLASS_COUNT] = {"?", "PAID", "FREE", "UNVER", "INVALID"};
    return (unsigned)c < CLASS_COUNT ? names[c] : "?";
}

const char *key_state_name(enum key_state s)
{
    static const char *const names[KEY_STATE_COUNT] = {"ready", "busy", "cooling",  "draining",
                                                       "off",   "bad",  "untested", "testing"};
    return (unsigned)s < KEY_STATE_COUNT ? names[s] : "?";
}

void pool_set_class(struct keypool *p, struct key *k, enum key_class class, wall_t wall, const char *evidence)
{
    k->class_seen = p->now;
    if (k->class == class) return;
    if (is_setback(class) && !is_setback(k->class)) k->class_before = k->class;
    k->class = class;
    k->class_at = wall;
    text_clean(str_of(evidence), k->class_evidence, sizeof k->class_evidence);
    pool_changed(p);
}

/* What an account can do is true for all its keys. */
static void class_of_account(struct keypool *p, uint32_t account, enum key_class class, wall_t wall,
                             const char *evidence)
{
    for (size_t i = 0; i < p->count; i++) {
        struct key *k = p->order[i];
        if (k->account != account) continue;
        if (k->class == CLASS_INVALID)
            k->class_before = class == CLASS_UNVERIFIED ? k->class_before : class;
        else
            pool_set_class(p, k, class, wall, evidence);
    }
}

static void observe(struct keypool *p, const struct model_query *q, enum model_cost cost)
{
    unsigned n = p->observed_count;
    if (q->sure || !q->model.n || q->model.n >= sizeof p->observed[0].model || n == OBSERVED_ROOM) return;
    for (unsigned i = 0; i < n; i++)
        if (str_is(q->model, p->observed[i].model)) return;
    str_copy(p->observed[n].model, sizeof p->observed[n].model, q->model);
    p->observed[n].cost = cost;
    p->observed_count = n + 1;
}

size_t keypool_take_observed(struct keypool *p, struct pool_observed *out, size_t room)
{
    if (!p->observed_count) return 0;
    lock_get(&p->lock);
    size_t have = p->observed_count, n = MIN(have, room);
    memcpy(out, p->observed, n * sizeof *out);
    memmove(p->observed, p->observed + n, (have - n) * sizeof *out);
    p->observed_count = (unsigned)(have - n);
    lock_put(&p->lock);
    return n;
}

/* Refused for want of funds not long ago, and not only said to have no balance: vouchers do not show in it. */
static bool is_known_empty(const struct keypool *p, const struct key *k)
{
    return k->class == CLASS_FREE && pool_believes(p, k->class_seen) &&
           str_starts(str_of(k->class_evidence), "refused");
}

static void repair(struct keypool *p, struct key *k, wall_t wall)
{
    if (is_setback(k->class)) pool_set_class(p, k, k->class_before, wall, "answered again");
    k->invalid_repeats = 0;
    k->test_due = k->doubted = (mono_t){0};
}

/* A real name that was verified is verified for all keys of the account. */
static void repair_account(struct keypool *p, struct key *k, wall_t wall)
{
    bool all = k->class == CLASS_UNVERIFIED;
    repair(p, k, wall);
    for (size_t i = 0; all && i < p->count; i++)
        if (p->order[i]->account == k->account && p->order[i]->class == CLASS_UNVERIFIED) repair(p, p->order[i], wall);
}

/* Answers of requests sent before it was known do not climb the ladder. */
void pool_invalidate(struct keypool *p, struct key *k, mono_t now, wall_t wall, bool by_test)
{
    bool again = k->class == CLASS_INVALID;
    if (again && !by_test) return;
    k->invalid_repeats = again ? k->invalid_repeats + 1 : 0;
    struct cooldown_ask ask = {.verdict = VERDICT_KEY_INVALID, .repeats = k->invalid_repeats};
    k->test_due = mono_add(now, cooldown_for(&ask).ms);
    pool_set_class(p, k, CLASS_INVALID, wall,
                   !k->ever_worked ? "401: wrong key, or the other platform (.cn / .com)?"
                   : by_test       ? "refused in a test"
                                   : "refused with 401");
}

static void note_error(struct keypool *p, struct key *k, const struct lease_end *end)
{
    k->last_error.at = end->wall;
    k->last_error.status = end->status;
    k->last_error.code = end->code;
    k->last_error.verdict = end->verdict;
    text_clean(str_of(end->message), k->last_error.message, sizeof k->last_error.message);
    pool_changed(p);
}

/* Nothing about the key follows from these. */
static bool is_neutral(enum verdict v)
{
    return v == VERDICT_BAD_REQUEST || v == VERDICT_CANCELLED || v == VERDICT_REDIRECT || v == VERDICT_RETIRED;
}

/* The platform's limiter let the request in: an open half-open limit. */
static bool was_accepted(enum verdict v)
{
    return v == VERDICT_OK || v == VERDICT_BAD_REQUEST || v == VERDICT_STREAM_BROKEN;
}

static void note_success(struct keypool *p, struct key *k, struct account *a, struct cell *cell,
                         const struct model_query *q, const struct lease_end *end)
{
    char evidence[sizeof k->class_evidence];
    k->ok++;
    k->doubted = (mono_t){0};
    a->worked_at = end->wall;
    k->ever_worked = true;
    if (cell) cell->ok_at = end->now;
    if (is_setback(k->class)) repair_account(p, k, end->wall);
    if (is_known_empty(p, k)) observe(p, q, COST_FREE);
    if (q->pro) k->no_charge_seen = (mono_t){0};
    if (q->cost != COST_PAID || !q->sure || k->class == CLASS_PAID) return;
    snprintf(evidence, sizeof evidence, "served %.*s", STR_ARG(q->model));
    class_of_account(p, k->account, CLASS_PAID, end->wall, evidence);
}

/* Did another account succeed with this model since this cell's last success? Only asked after a failure. */
static bool other_succeeds(struct keypool *p, uint32_t account, const struct cell *cell, const struct model_query *q)
{
    if (!cell) return false;
    for (uint32_t i = 0; i < p->account_count; i++) {
        if (i == account || list_empty(&p->accounts[i].cells)) continue;
        const struct cell *other = cells_find(&p->cells, i, q->hash, q->model);
        if (other && other->ok_at.ms > cell->ok_at.ms) return true;
    }
    return false;
}

static struct limit *limit_of(struct account *a, struct cell *cell, enum cooldown_scope scope)
{
    switch (scope) {
    case SCOPE_CELL: return cell ? &cell->limit : NULL;
    case SCOPE_PAID_PLAIN: return &a->scopes[ON_PAID_PLAIN];
    case SCOPE_PAID_PRO: return &a->scopes[ON_PAID_PRO];
    case SCOPE_ACCOUNT: return &a->scopes[ON_ACCOUNT];
    default: return NULL;
    }
}

static void cool_down(struct keypool *p, struct account *a, struct cell *cell, const struct model_query *q,
                      const struct lease_end *end)
{
    struct cooldown_ask ask = {
        .verdict = end->verdict,
        .retry_after_ms = end->retry_after_ms,
        .ms_to_midnight = end->ms_to_midnight,
        .model_free = q->cost == COST_FREE,
        .model_pro = q->pro,
    };
    if (verdict_is_failure(end->verdict)) ask.other_succeeds = other_succeeds(p, (uint32_t)(a - p->accounts), cell, q);
    struct limit *limit = limit_of(a, cell, cooldown_for(&ask).scope);
    if (!limit) return;
    if (cell && limit == &cell->limit) pool_strike(cell, end->verdict, end->now);
    ask.repeats = limit_repeats(limit, end->verdict, end->now);
    if (limit_refuse(limit, end->verdict, ask.repeats, cooldown_for(&ask).ms, end->now)) pool_changed(p);
}

static void count_refusal(struct keypool *p, struct key *k, const struct lease_end *end)
{
    if (verdict_is_rate(end->verdict))
        k->limited++;
    else
        k->failed++;
    note_error(p, k, end);
}

/* No funds. On a Pro/ model it says that nothing is charged, but vouchers may still pay for plain ids; on a free model
 * that the account is in debt. */
static void note_no_funds(struct keypool *p, struct key *k, const struct model_query *q, const struct lease_end *end)
{
    char evidence[sizeof k->class_evidence];
    observe(p, q, COST_PAID);
    for (size_t i = 0; q->pro && i < p->count; i++)
        if (p->order[i]->account == k->account) p->order[i]->no_charge_seen = end->now;
    if (q->pro || !q->model.n || is_setback(k->class)) return;
    snprintf(evidence, sizeof evidence, "refused %s%.*s", q->cost == COST_FREE ? "the free " : "", STR_ARG(q->model));
    class_of_account(p, k->account, CLASS_FREE, end->wall, evidence);
}

static void note_refusal(struct keypool *p, struct key *k, const struct model_query *q, const struct lease_end *end)
{
    if (end->verdict == VERDICT_KEY_INVALID) pool_invalidate(p, k, end->now, end->wall, false);
    if (end->verdict == VERDICT_NOT_VERIFIED)
        class_of_account(p, k->account, CLASS_UNVERIFIED, end->wall, "verify the real name on the platform's web site");
    if (end->verdict == VERDICT_NO_FUNDS) note_no_funds(p, k, q, end);
}

void pool_apply(struct keypool *p, struct key *k, struct account *a, struct cell *cell, const struct lease *l,
                const struct model_query *q, const struct lease_end *end, bool excused)
{
    bool accepted = was_accepted(end->verdict), opened = false;
    for (size_t i = 0; i < ACCOUNT_SCOPES; i++) opened |= limit_leave(&a->scopes[i], l->seq, accepted, end->now);
    if (cell) opened |= limit_leave(&cell->limit, l->seq, accepted, end->now);
    if (opened) pool_changed(p);
    k->used_at = end->wall;
    if (end->verdict == VERDICT_OK) note_success(p, k, a, cell, q, end);
    if (end->verdict == VERDICT_OK || is_neutral(end->verdict)) return;
    count_refusal(p, k, end);
    if (excused) return;
    note_refusal(p, k, q, end);
    cool_down(p, a, cell, q, end);
}

/* Every model that the account was asked for lately is cooling. */
static bool all_cells_cool(const struct keypool *p, const struct account *a, mono_t now)
{
    bool any = false;
    LIST_FOR(it, &a->cells)
    {
        struct cell *cell = LIST_ENTRY(it, struct cell, of_account);
        if (!cell->in_flight && mono_since(now, cell->used_at) > LATELY_MS) continue;
        bool used_up = p->limit_count && pool_quota_wait(p, cell, now) > 0;
        if (!used_up && !limit_cooling(&cell->limit, now)) return false;
        any = true;
    }
    return any;
}

enum key_state pool_state(struct keypool *p, const struct key *k, mono_t now)
{
    const struct account *a = &p->accounts[k->account];
    if (!k->enabled) return k->in_flight ? KEY_DRAINING : KEY_OFF;
    if (k->class == CLASS_INVALID) return KEY_BAD;
    if (k->testing) return KEY_TESTING;
    if (limit_cooling(&a->scopes[ON_ACCOUNT], now) || all_cells_cool(p, a, now)) return KEY_COOLING;
    if (k->in_flight) return KEY_BUSY;
    return k->tested_at.ms || k->ever_worked ? KEY_READY : KEY_UNTESTED;
}

unsigned keypool_usable(struct keypool *p, mono_t now)
{
    unsigned n = 0;
    lock_get(&p->lock);
    for (size_t i = 0; i < p->count; i++)
        n += key_may_serve(p->order[i]) && !limit_cooling(&p->accounts[p->order[i]->account].scopes[ON_ACCOUNT], now);
    lock_put(&p->lock);
    return n;
}

bool keypool_test_begin(struct keypool *p, const char *id)
{
    lock_get(&p->lock);
    struct key *k = pool_find(p, id);
    if (k) {
        k->testing = true;
        pool_changed(p);
    }
    lock_put(&p->lock);
    return k != NULL;
}

bool keypool_test_end(struct keypool *p, const char *id, const struct lease_end *end)
{
    lock_get(&p->lock);
    struct key *k = pool_find(p, id);
    if (!k) goto out;
    k->testing = k->test_handed = false;
    pool_changed(p);
    if (end->verdict == VERDICT_CANCELLED) goto out;
    if (end->verdict != VERDICT_OK) note_error(p, k, end);
    if (end->verdict == VERDICT_OK) {
        k->ever_worked = true;
        k->tested_at = p->accounts[k->account].worked_at = end->wall;
        k->test_due = (mono_t){0};
        if (k->class == CLASS_INVALID) repair(p, k, end->wall);
    } else if (end->verdict == VERDICT_KEY_INVALID) {
        k->tested_at = end->wall;
        pool_invalidate(p, k, end->now, end->wall, true);
    } else if (k->class == CLASS_INVALID) {
        k->test_due = mono_add(end->now, RETEST_INVALID_MS);
    } else if (!k->tested_at.ms && !k->ever_worked) {
        k->test_due = mono_add(end->now, RETEST_UNTESTED_MS);
    }
out:
    lock_put(&p->lock);
    return k != NULL;
}

size_t keypool_due_tests(struct keypool *p, mono_t now, char (*ids)[KEY_ID_LEN + 1], size_t room)
{
    size_t n = 0;
    lock_get(&p->lock);
    for (size_t i = 0; i < p->count && n < room; i++) {
        struct key *k = p->order[i];
        if (!k->enabled || k->testing || k->test_handed || !k->test_due.ms || k->test_due.ms > now.ms) continue;
        bool served = k->ever_worked && k->class != CLASS_INVALID;
        if (served) {
            k->test_due = (mono_t){0};
            continue;
        }
        k->test_handed = true;
        memcpy(ids[n++], k->id, KEY_ID_LEN + 1);
    }
    lock_put(&p->lock);
    return n;
}

bool keypool_set_enabled(struct keypool *p, const char *id, bool enabled)
{
    lock_get(&p->lock);
    struct key *k = pool_find(p, id);
    if (k && k->enabled != enabled) {
        k->enabled = enabled;
        pool_changed(p);
    }
    lock_put(&p->lock);
    return k != NULL;
}

bool keypool_reset(struct keypool *p, const char *id, mono_t now)
{
    lock_get(&p->lock);
    struct key *k = pool_find(p, id);
    if (k) {
        struct account *a = &p->accounts[k->account];
        for (size_t i = 0; i < ACCOUNT_SCOPES; i++) a->scopes[i] = (struct limit){0};
        LIST_FOR(it, &a->cells)
        {
            struct cell *cell = LIST_ENTRY(it, struct cell, of_account);
            cell->limit = (struct limit){0};
            cell->rate = (struct rate){0};
        }
        k->no_charge_seen = k->class_seen = (mono_t){0}; /* its class is doubted: it is tried like the others */
        if (k->class == CLASS_INVALID) k->test_due = now;
        pool_changed(p);
    }
    lock_put(&p->lock);
    return k != NULL;
}

bool keypool_set_label(struct keypool *p, const char *id, const char *label)
{
    lock_get(&p->lock);
    struct key *k = pool_find(p, id);
    if (k) {
        k->label_by_hand = label && label[0];
        text_clean(k->label_by_hand ? str_of(label) : str_of(k->conf_label), k->label, sizeof k->label);
        pool_changed(p);
    }
    lock_put(&p->lock);
    return k != NULL;
}

bool keypool_set_charge(struct keypool *p, const char *id, int64_t micro)
{
    lock_get(&p->lock);
    struct key *k = pool_find(p, id);
    if (k) k->no_charge_seen = micro > FREE_BALANCE_MICRO ? (mono_t){0} : p->now;
    lock_put(&p->lock);
    return k != NULL;
}
