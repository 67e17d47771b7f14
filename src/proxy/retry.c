#include "proxy/retry.h"

static bool spend_failure(struct retry_budget *b)
{
    b->failures++;
    return b->failures < b->max_attempts;
}

enum retry_action retry_after(struct retry_budget *b, enum verdict v, int64_t random_ms, int64_t *delay_ms)
{
    enum verdict_kind kind = verdict_kind(v);
    *delay_ms = 0;
    if (kind == KIND_REFUSAL) {
        if (b->refusals >= b->max_refusals) return RETRY_END;
        b->refusals++;
        return RETRY_NOW;
    }
    if (b->refusals_only) return RETRY_END;
    switch (kind) {
    case KIND_FAILURE: return spend_failure(b) ? RETRY_NOW : RETRY_END;
    case KIND_STALL:
        if (!b->retry_stalls) return RETRY_END;
        return spend_failure(b) ? RETRY_NOW : RETRY_END;
    case KIND_ONCE:
        if (!spend_failure(b) || b->once_used) return RETRY_END;
        b->once_used = true;
        *delay_ms = 500 + random_ms;
        return RETRY_LATER;
    case KIND_OK:
    case KIND_REFUSAL:
    case KIND_FINAL: break;
    }
    return RETRY_END;
}
