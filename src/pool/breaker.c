/* The breaker's rules; breaker.h has the picture.
 *
 * A *case* is kept per cause: the accounts that got this verdict within the window, the last tries, the last two
 * models. An answer that contradicts the cause ends the case: any success; for CONNECT whatever the platform answered;
 * for KEY_INVALID and FORBIDDEN_OTHER whatever shows that it knows the key.
 *
 * BUSY, SERVER, RESET, CONNECT: nothing succeeded within the window, every usable account (or 8) got it, and there were
 * enough tries. KEY_INVALID, FORBIDDEN_OTHER take keys out of use at the first try, so that there may never be more:
 * one try each is enough, but only on accounts that are known to have worked, and what succeeded before does not count.
 *
 * Invariants: closed: no probe; open: at most one probe within BREAKER_PROBE_MS; next_probe grows with every probe. */
#include "pool/breaker.h"

static const struct {
    enum verdict verdict;
    bool about_keys;  /* one try each, proven accounts, believed after a while */
    bool about_model; /* the whole upstream is suspected only after two models */
} causes[BREAKER_CAUSES] = {
    {VERDICT_BUSY, false, true},     {VERDICT_SERVER, false, true},      {VERDICT_RESET, false, true},
    {VERDICT_CONNECT, false, false}, {VERDICT_KEY_INVALID, true, false}, {VERDICT_FORBIDDEN_OTHER, true, true},
};

const char *breaker_state_name(enum breaker_state s)
{
    static const char *const names[] = {"closed", "open", "half-open"};
    return names[s];
}

void breaker_init(struct breaker *b, bool whole)
{
    *b = (struct breaker){.whole = whole};
}

/* Index of the cause; -1: this verdict says nothing about the platform. */
static int cause_of(const struct breaker *b, enum verdict v)
{
    for (int i = 0; i < BREAKER_CAUSES; i++)
        if (causes[i].verdict == v && (b->whole || causes[i].about_model)) return i;
    return -1;
}

bool breaker_hears(const struct breaker *b, enum verdict v)
{
    return cause_of(b, v) >= 0;
}

static bool within(mono_t at, mono_t now)
{
    return at.ms && mono_since(now, at) < BREAKER_WINDOW_MS;
}

/* The platform looked at the request and knew who asked. */
static bool knows_the_key(enum verdict v)
{
    return verdict_is_rate(v) || v == VERDICT_NO_FUNDS || v == VERDICT_NOT_VERIFIED || v == VERDICT_MODEL_DENIED ||
           v == VERDICT_BAD_REQUEST;
}

static bool contradicts(enum verdict cause, enum verdict v)
{
    if (v == VERDICT_OK || v == VERDICT_STREAM_BROKEN) return true;
    if (cause == VERDICT_KEY_INVALID || cause == VERDICT_FORBIDDEN_OTHER) return knows_the_key(v);
    if (cause != VERDICT_CONNECT) return false;
    return knows_the_key(v) || v == VERDICT_KEY_INVALID || v == VERDICT_FORBIDDEN_OTHER || v == VERDICT_BUSY ||
           v == VERDICT_SERVER || v == VERDICT_REDIRECT || v == VERDICT_RETIRED;
}

/* --- passing --- */

static bool probe_out(const struct breaker *b, mono_t now)
{
    return b->probe && mono_since(now, b->probe_at) < BREAKER_PROBE_MS;
}

int64_t breaker_wait(const struct breaker *b, mono_t now)
{
    if (!b->open) return 0;
    int64_t ms = mono_since(b->next_probe, now);
    return ms <= 0 && probe_out(b, now) ? 1 : MAX(ms, 0);
}

bool breaker_enter(struct breaker *b, uint64_t seq, mono_t now)
{
    if (!b->open || breaker_wait(b, now) > 0) return false;
    b->probe = seq;
    b->probe_at = now;
    b->next_probe = mono_add(now, b->interval);
    return true;
}

enum breaker_state breaker_state(const struct breaker *b, mono_t now)
{
    if (!b->open) return BREAKER_CLOSED;
    return probe_out(b, now) ? BREAKER_HALF_OPEN : BREAKER_OPEN;
}

/* --- hearing --- */

static void close_it(struct breaker *b, mono_t now)
{
    *b = (struct breaker){.whole = b->whole};
    for (int i = 0; i < BREAKER_CAUSES; i++) b->cases[i].ok_at = now;
}

static void note_account(struct breaker_case *c, const struct breaker_try *t)
{
    size_t at = 0;
    for (size_t i = 0; i < BREAKER_ACCOUNTS; i++) {
        if (c->seen[i].at.ms && c->seen[i].account == t->account) {
            at = i;
            break;
        }
        if (c->seen[i].at.ms < c->seen[at].at.ms) at = i;
    }
    c->seen[at].account = t->account;
    c->seen[at].proven = t->proven;
    c->seen[at].at = t->now;
}

static void note_model(struct breaker_case *c, const struct breaker_try *t)
{
    size_t at = c->models[0].at.ms <= c->models[1].at.ms ? 0 : 1;
    for (size_t i = 0; i < ARRAY_LEN(c->models); i++)
        if (c->models[i].at.ms && c->models[i].hash == t->model) at = i;
    c->models[at].hash = t->model;
    c->models[at].at = t->now;
}

static void note_failure(struct breaker_case *c, const struct breaker_try *t)
{
    note_account(c, t);
    note_model(c, t);
    c->tries[c->next_try++ % BREAKER_TRIES] = t->now;
}

static void note_system_busy(struct breaker *b, const struct breaker_try *t)
{
    if (!b->whole || t->verdict != VERDICT_BUSY || t->code != CODE_SYSTEM_BUSY) return;
    size_t at = b->system_busy[0].at.ms <= b->system_busy[1].at.ms ? 0 : 1;
    for (size_t i = 0; i < ARRAY_LEN(b->system_busy); i++)
        if (b->system_busy[i].at.ms && b->system_busy[i].account == t->account) at = i;
    b->system_busy[at].account = t->account;
    b->system_busy[at].at = t->now;
}

static bool system_is_busy(const struct breaker *b, mono_t now)
{
    return within(b->system_busy[0].at, now) && within(b->system_busy[1].at, now);
}

static unsigned seen_accounts(const struct breaker_case *c, mono_t now, bool only_proven)
{
    unsigned n = 0;
    for (size_t i = 0; i < BREAKER_ACCOUNTS; i++)
        n += within(c->seen[i].at, now) && (!only_proven || c->seen[i].proven);
    return n;
}

static unsigned recent_tries(const struct breaker_case *c, mono_t now)
{
    unsigned n = 0;
    for (size_t i = 0; i < BREAKER_TRIES; i++) n += within(c->tries[i], now);
    return n;
}

/* All that can be said without a census. */
static bool is_suspicious(const struct breaker *b, int cause, mono_t now)
{
    const struct breaker_case *c = &b->cases[cause];
    if (b->whole && causes[cause].about_model && !(within(c->models[0].at, now) && within(c->models[1].at, now)))
        return false;
    if (causes[cause].about_keys) return seen_accounts(c, now, true) >= BREAKER_PROVEN;
    return !within(c->ok_at, now) && seen_accounts(c, now, false) >= 2 && recent_tries(c, now) >= 4;
}

/* The probe did not succeed. What is about its own key, its request or its client says nothing about the platform. */
static void probe_failed(struct breaker *b, const struct breaker_try *t)
{
    enum verdict_kind kind = verdict_kind(t->verdict);
    b->probe = 0;
    if (t->verdict != b->reason && (kind == KIND_REFUSAL || kind == KIND_FINAL)) {
        if (kind == KIND_REFUSAL) b->next_probe = t->now; /* its request goes on to the next key */
        return;
    }
    b->interval = MIN(2 * b->interval, (int64_t)BREAKER_LONGEST_MS);
    b->next_probe = mono_add(t->now, b->interval);
}

/* Open: whatever was under way is heard too. */
static enum breaker_news hear_open(struct breaker *b, const struct breaker_try *t)
{
    bool is_probe = b->probe == t->seq && t->seq;
    if (contradicts(b->reason, t->verdict)) {
        close_it(b, t->now);
        return BREAKER_CLOSES;
    }
    int cause = cause_of(b, b->reason);
    if (is_probe && t->verdict == b->reason && causes[cause].about_keys &&
        mono_since(t->now, b->opened) >= BREAKER_BELIEVE_MS) {
        close_it(b, t->now);
        return BREAKER_BELIEVES;
    }
    if (is_probe) probe_failed(b, t);
    if (t->verdict == VERDICT_BUSY && t->code == CODE_SYSTEM_BUSY && (is_probe || system_is_busy(b, t->now)))
        b->next_probe.ms = MAX(b->next_probe.ms, b->whole ? t->now.ms + BREAKER_HOLD_MS : 0);
    return BREAKER_NOTHING;
}

/* Most cases are empty, and this runs for every success. */
static void drop_case(struct breaker_case *c, mono_t now)
{
    if (c->next_try) *c = (struct breaker_case){.next_try = 0};
    c->ok_at = now;
}

enum breaker_news breaker_hear(struct breaker *b, const struct breaker_try *t)
{
    note_system_busy(b, t);
    if (b->open) return hear_open(b, t);
    for (int i = 0; i < BREAKER_CAUSES; i++)
        if (contradicts(causes[i].verdict, t->verdict)) drop_case(&b->cases[i], t->now);
    int cause = cause_of(b, t->verdict);
    if (cause < 0) return BREAKER_NOTHING;
    note_failure(&b->cases[cause], t);
    bool held = b->whole && t->code == CODE_SYSTEM_BUSY && system_is_busy(b, t->now);
    return held || is_suspicious(b, cause, t->now) ? BREAKER_SUSPECTS : BREAKER_NOTHING;
}

bool breaker_saw(const struct breaker *b, enum verdict v, uint32_t account, mono_t now)
{
    int cause = cause_of(b, v);
    for (size_t i = 0; cause >= 0 && i < BREAKER_ACCOUNTS; i++)
        if (within(b->cases[cause].seen[i].at, now) && b->cases[cause].seen[i].account == account) return true;
    return false;
}

static bool is_proved(const struct breaker *b, int cause, const struct breaker_census *c, mono_t now)
{
    const struct breaker_case *k = &b->cases[cause];
    if (!is_suspicious(b, cause, now)) return false;
    if (c->covered < c->usable && seen_accounts(k, now, false) < BREAKER_ACCOUNTS) return false;
    if (causes[cause].about_keys) return true;
    return c->usable >= 2 && recent_tries(k, now) >= MIN(BREAKER_TRIES, 2 * c->usable);
}

bool breaker_judge(struct breaker *b, const struct breaker_try *t, const struct breaker_census *c)
{
    int cause = cause_of(b, t->verdict);
    bool held = b->whole && t->verdict == VERDICT_BUSY && t->code == CODE_SYSTEM_BUSY && system_is_busy(b, t->now);
    if (b->open || cause < 0 || !(held || is_proved(b, cause, c, t->now))) return false;
    b->open = true;
    b->reason = t->verdict;
    b->opened = t->now;
    b->interval = BREAKER_FIRST_MS;
    b->next_probe = mono_add(t->now, held ? BREAKER_HOLD_MS : BREAKER_FIRST_MS);
    b->probe = 0;
    return true;
}

bool breaker_is_idle(const struct breaker *b, mono_t now)
{
    if (b->open) return false;
    for (int i = 0; i < BREAKER_CAUSES; i++)
        if (within(b->cases[i].ok_at, now) || seen_accounts(&b->cases[i], now, false)) return false;
    return true;
}
