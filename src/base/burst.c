#include "base/burst.h"

bool burst_over(struct burst *b, int64_t in_use, mono_t now)
{
    b->peak = MAX(b->peak, in_use);
    if (in_use >= b->peak / 2 || b->peak - in_use < BURST_MIN) {
        b->calm = (mono_t){0};
        return false;
    }
    if (!b->calm.ms) b->calm = now;
    if (mono_since(now, b->calm) < BURST_CALM_MS) return false;
    if (b->told.ms && mono_since(now, b->told) < BURST_EVERY_MS) return false;
    *b = (struct burst){.peak = in_use, .told = now};
    return true;
}
