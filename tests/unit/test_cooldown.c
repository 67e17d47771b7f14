/* The ladders of cooldowns, by table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pool/cooldown.h"

#define S 1000
#define M (60 * S)
#define H (60 * M)

static const struct {
    struct cooldown_ask ask;
    enum cooldown_scope scope;
    int64_t ms;
} rows[] = {
    {{.verdict = VERDICT_OK}, SCOPE_NONE, 0},
    {{.verdict = VERDICT_BUSY}, SCOPE_NONE, 0},
    {{.verdict = VERDICT_BUSY, .retry_after_ms = 5 * S}, SCOPE_NONE, 0},
    {{.verdict = VERDICT_CONNECT}, SCOPE_NONE, 0},
    {{.verdict = VERDICT_BAD_REQUEST}, SCOPE_NONE, 0},
    {{.verdict = VERDICT_CANCELLED}, SCOPE_NONE, 0},
    {{.verdict = VERDICT_STREAM_BROKEN}, SCOPE_NONE, 0},
    {{.verdict = VERDICT_REDIRECT}, SCOPE_NONE, 0},
    {{.verdict = VERDICT_RETIRED}, SCOPE_NONE, 0},
    {{.verdict = VERDICT_RATE_MINUTE}, SCOPE_CELL, 20 * S},
    {{.verdict = VERDICT_RATE_MINUTE, .repeats = 1}, SCOPE_CELL, 40 * S},
    {{.verdict = VERDICT_RATE_MINUTE, .repeats = 2}, SCOPE_CELL, 60 * S},
    {{.verdict = VERDICT_RATE_MINUTE, .repeats = 4000000000u}, SCOPE_CELL, 60 * S},
    {{.verdict = VERDICT_RATE_MINUTE, .retry_after_ms = 7 * S}, SCOPE_CELL, 7 * S},
    {{.verdict = VERDICT_RATE_MINUTE, .retry_after_ms = 999}, SCOPE_CELL, 20 * S},
    {{.verdict = VERDICT_RATE_MINUTE, .retry_after_ms = H}, SCOPE_CELL, H},
    {{.verdict = VERDICT_RATE_MINUTE, .retry_after_ms = H + 1}, SCOPE_CELL, 20 * S},
    {{.verdict = VERDICT_RATE_HOUR, .repeats = 3}, SCOPE_CELL, 10 * M},
    {{.verdict = VERDICT_RATE_DAY, .ms_to_midnight = 9 * H}, SCOPE_CELL, 30 * M},
    {{.verdict = VERDICT_RATE_DAY, .ms_to_midnight = 5 * M}, SCOPE_CELL, 5 * M},
    {{.verdict = VERDICT_RATE_DAY, .ms_to_midnight = 5 * M, .retry_after_ms = H}, SCOPE_CELL, 5 * M},
    {{.verdict = VERDICT_RATE_DAY}, SCOPE_CELL, 30 * M},
    {{.verdict = VERDICT_RATE_UNKNOWN, .repeats = 5}, SCOPE_CELL, 20 * S},
    {{.verdict = VERDICT_NO_FUNDS}, SCOPE_PAID_PLAIN, 15 * M},
    {{.verdict = VERDICT_NO_FUNDS, .repeats = 1}, SCOPE_PAID_PLAIN, 30 * M},
    {{.verdict = VERDICT_NO_FUNDS, .repeats = 2}, SCOPE_PAID_PLAIN, 60 * M},
    {{.verdict = VERDICT_NO_FUNDS, .repeats = 3}, SCOPE_PAID_PLAIN, 120 * M},
    {{.verdict = VERDICT_NO_FUNDS, .repeats = 9}, SCOPE_PAID_PLAIN, 120 * M},
    {{.verdict = VERDICT_NO_FUNDS, .model_pro = true}, SCOPE_PAID_PRO, 15 * M},
    {{.verdict = VERDICT_NO_FUNDS, .model_free = true}, SCOPE_ACCOUNT, 15 * M},
    {{.verdict = VERDICT_NOT_VERIFIED}, SCOPE_ACCOUNT, H},
    {{.verdict = VERDICT_MODEL_DENIED, .repeats = 2}, SCOPE_CELL, H},
    {{.verdict = VERDICT_FORBIDDEN_OTHER}, SCOPE_CELL, 5 * M},
    {{.verdict = VERDICT_KEY_INVALID}, SCOPE_KEY, 10 * M},
    {{.verdict = VERDICT_KEY_INVALID, .repeats = 1}, SCOPE_KEY, H},
    {{.verdict = VERDICT_KEY_INVALID, .repeats = 7}, SCOPE_KEY, H},
    {{.verdict = VERDICT_SERVER}, SCOPE_CELL, 5 * S},
    {{.verdict = VERDICT_SERVER, .repeats = 3}, SCOPE_CELL, 5 * S},
    {{.verdict = VERDICT_SERVER, .repeats = 1, .other_succeeds = true}, SCOPE_CELL, 10 * S},
    {{.verdict = VERDICT_RESET, .repeats = 3, .other_succeeds = true}, SCOPE_CELL, 40 * S},
    {{.verdict = VERDICT_GW_TIMEOUT}, SCOPE_CELL, 5 * S},
    {{.verdict = VERDICT_GW_TIMEOUT, .repeats = 2}, SCOPE_CELL, 5 * S},
    {{.verdict = VERDICT_GW_TIMEOUT, .repeats = 2, .other_succeeds = true}, SCOPE_CELL, 20 * S},
    {{.verdict = VERDICT_GARBAGE, .repeats = 99, .other_succeeds = true}, SCOPE_CELL, 60 * S},
    {{.verdict = VERDICT_COUNT}, SCOPE_NONE, 0},
};

static void ladders(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cooldown c = cooldown_for(&rows[i].ask);
        if (c.scope != rows[i].scope || c.ms != rows[i].ms)
            fail_msg("row %zu (%s): scope %d, %lld ms", i, verdict_name(rows[i].ask.verdict), (int)c.scope,
                     (long long)c.ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ladders)};
    return cmocka_run_group_tests_name("cooldown", tests, NULL, NULL);
}
