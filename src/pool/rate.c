#include "pool/rate.h"

#include "base/str.h"

void rate_advance(struct rate *r, mono_t now)
{
    int64_t at = now.ms / RATE_SLOT_MS;
    if (at - r->newest >= RATE_SLOTS) {
        *r = (struct rate){.newest = at};
        return;
    }
    while (r->newest < at) {
        size_t slot = (size_t)(++r->newest % RATE_SLOTS);
        r->request_sum -= r->requests[slot];
        r->token_sum -= r->tokens[slot];
        r->requests[slot] = r->tokens[slot] = 0;
    }
}

static uint32_t add(uint32_t *to, uint64_t n)
{
    uint32_t took = (uint32_t)MIN(n, (uint64_t)(UINT32_MAX - *to));
    *to += took;
    return took;
}

void rate_add(struct rate *r, mono_t now, uint32_t requests, uint64_t tokens)
{
    rate_advance(r, now);
    size_t slot = (size_t)(r->newest % RATE_SLOTS);
    r->request_sum += add(&r->requests[slot], requests);
    r->token_sum += add(&r->tokens[slot], tokens);
}

/* Time until `sum` has fallen below `limit`. */
static int64_t wait_for(const struct rate *r, const uint32_t *slots, uint64_t sum, int64_t limit, mono_t now)
{
    if (limit <= 0 || sum < (uint64_t)limit) return 0;
    int64_t n = MAX(r->newest - RATE_SLOTS + 1, 0);
    while (n < r->newest) {
        sum -= slots[n % RATE_SLOTS];
        if (sum < (uint64_t)limit) break;
        n++;
    }
    return MAX((n + RATE_SLOTS) * RATE_SLOT_MS - now.ms, 1);
}

int64_t rate_wait(struct rate *r, int64_t limit_rpm, int64_t limit_tpm, mono_t now)
{
    rate_advance(r, now);
    int64_t requests = wait_for(r, r->requests, r->request_sum, limit_rpm, now);
    int64_t tokens = wait_for(r, r->tokens, r->token_sum, limit_tpm, now);
    return MAX(requests, tokens);
}

void learned_pass(struct learned *l, uint64_t rpm, uint64_t tpm)
{
    l->passed_rpm = MAX(l->passed_rpm, rpm);
    l->passed_tpm = MAX(l->passed_tpm, tpm);
}

void learned_refuse(struct learned *l, const char *message, uint64_t rpm, uint64_t tpm)
{
    struct str text = str_of(message);
    bool requests = str_icontains(text, "rpm") || str_icontains(text, "ipm"), tokens = str_icontains(text, "tpm");
    if (requests) {
        l->refused_rpm = rpm > 1 ? rpm - 1 : 1; /* the one that was refused is counted already */
        l->passed_rpm = 0;
    }
    if (tokens && tpm) {
        l->refused_tpm = tpm;
        l->passed_tpm = 0;
    }
}

static int64_t limit_of(uint64_t refused, uint64_t passed)
{
    return refused ? (int64_t)MIN(MAX(refused, passed), (uint64_t)INT64_MAX) : -1;
}

int64_t learned_rpm(const struct learned *l)
{
    return limit_of(l->refused_rpm, l->passed_rpm);
}

int64_t learned_tpm(const struct learned *l)
{
    return limit_of(l->refused_tpm, l->passed_tpm);
}
