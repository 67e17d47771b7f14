#include "meter/minute.h"

static void minute_advance(struct minute_count *c, int64_t to)
{
    if (to - c->newest >= 60) {
        *c = (struct minute_count){.newest = to};
        return;
    }
    while (c->newest < to) {
        uint32_t *slot = &c->seconds[++c->newest % 60];
        c->sum -= *slot;
        *slot = 0;
    }
}

void minute_add(struct minute_count *c, mono_t now, uint32_t n)
{
    int64_t at = now.ms / 1000;
    minute_advance(c, at);
    if (c->newest - at >= 60) return;
    uint32_t *slot = &c->seconds[at % 60], took = MIN(n, UINT32_MAX - *slot);
    *slot += took;
    c->sum += took;
}

uint64_t minute_sum(struct minute_count *c, mono_t now)
{
    minute_advance(c, now.ms / 1000);
    return c->sum;
}

void pair_add(struct pair_count *c, mono_t now, uint32_t requests, uint64_t tokens)
{
    int64_t at = now.ms / 10000;
    if (at - c->newest >= 6) *c = (struct pair_count){.newest = at};
    while (c->newest < at) {
        c->newest++;
        c->requests[c->newest % 6] = 0;
        c->tokens[c->newest % 6] = 0;
    }
    if (c->newest - at >= 6) return;
    c->requests[at % 6] += requests;
    c->tokens[at % 6] += tokens;
}

void pair_sum(const struct pair_count *c, mono_t now, uint64_t *requests, uint64_t *tokens)
{
    int64_t at = now.ms / 10000;
    *requests = *tokens = 0;
    for (int64_t n = c->newest - 5; n <= c->newest; n++) {
        if (n < 0 || at - n >= 6) continue;
        *requests += c->requests[n % 6];
        *tokens += c->tokens[n % 6];
    }
}

bool pair_is_idle(const struct pair_count *c, mono_t now)
{
    return now.ms / 10000 - c->newest >= 6;
}
