/* How long a verdict keeps something out of use: one table of ladders. A ladder's step is the number of times the same
 * verdict came before on the same scope without a success between; the last step repeats. */
#include "pool/cooldown.h"

#define SECOND 1000
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

enum { STEPS = 5 };

static const struct {
    enum cooldown_scope scope;
    int64_t ms[STEPS]; /* ends at the first 0 */
} ladders[VERDICT_COUNT] = {
    [VERDICT_KEY_INVALID] = {SCOPE_KEY, {10 * MINUTE, HOUR}},
    [VERDICT_NO_FUNDS] = {SCOPE_PAID_PLAIN, {15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR}},
    [VERDICT_NOT_VERIFIED] = {SCOPE_ACCOUNT, {HOUR}},
    [VERDICT_MODEL_DENIED] = {SCOPE_CELL, {HOUR}},
    [VERDICT_FORBIDDEN_OTHER] = {SCOPE_CELL, {5 * MINUTE}},
    [VERDICT_RATE_MINUTE] = {SCOPE_CELL, {20 * SECOND, 40 * SECOND, 60 * SECOND}},
    [VERDICT_RATE_HOUR] = {SCOPE_CELL, {10 * MINUTE}},
    [VERDICT_RATE_DAY] = {SCOPE_CELL, {30 * MINUTE}},
    [VERDICT_RATE_UNKNOWN] = {SCOPE_CELL, {20 * SECOND}},
    [VERDICT_SERVER] = {SCOPE_CELL, {5 * SECOND, 10 * SECOND, 20 * SECOND, 40 * SECOND, 60 * SECOND}},
    [VERDICT_GW_TIMEOUT] = {SCOPE_CELL, {5 * SECOND, 10 * SECOND, 20 * SECOND, 40 * SECOND, 60 * SECOND}},
    [VERDICT_RESET] = {SCOPE_CELL, {5 * SECOND, 10 * SECOND, 20 * SECOND, 40 * SECOND, 60 * SECOND}},
    [VERDICT_GARBAGE] = {SCOPE_CELL, {5 * SECOND, 10 * SECOND, 20 * SECOND, 40 * SECOND, 60 * SECOND}},
};

static int64_t ladder_step(enum verdict v, unsigned repeats)
{
    size_t i = 0;
    while (i < repeats && i + 1 < STEPS && ladders[v].ms[i + 1]) i++;
    return ladders[v].ms[i];
}

/* No funds: the vouchers of plain ids and the charged balance of Pro/ ids are two purses; when even a free model is
 * refused the account is in debt and everything of it waits. */
static enum cooldown_scope funds_scope(const struct cooldown_ask *ask)
{
    if (ask->model_free) return SCOPE_ACCOUNT;
    return ask->model_pro ? SCOPE_PAID_PRO : SCOPE_PAID_PLAIN;
}

struct cooldown cooldown_for(const struct cooldown_ask *ask)
{
    if ((unsigned)ask->verdict >= VERDICT_COUNT || ladders[ask->verdict].scope == SCOPE_NONE)
        return (struct cooldown){SCOPE_NONE, 0};
    /* When nobody succeeds the platform is to blame, not this account: no ladder then. */
    unsigned repeats = verdict_is_failure(ask->verdict) && !ask->other_succeeds ? 0 : ask->repeats;
    struct cooldown c = {ladders[ask->verdict].scope, ladder_step(ask->verdict, repeats)};
    if (ask->verdict == VERDICT_NO_FUNDS) c.scope = funds_scope(ask);
    if (verdict_is_rate(ask->verdict) && ask->retry_after_ms >= SECOND && ask->retry_after_ms <= HOUR)
        c.ms = ask->retry_after_ms;
    if (ask->verdict == VERDICT_RATE_DAY && ask->ms_to_midnight > 0) c.ms = MIN(c.ms, ask->ms_to_midnight);
    return c;
}
