/* What to do after a try that did not succeed: two budgets, refusals and failures. Pure; the random delay is given. */
#ifndef SFPROXY_PROXY_RETRY_H
#define SFPROXY_PROXY_RETRY_H

#include "pool/verdict.h"

struct retry_budget {
    unsigned refusals, max_refusals;
    unsigned failures, max_attempts; /* failures: tries that may have done work */
    bool once_used;                  /* BUSY and CONNECT are retried once */
    bool retry_stalls;
    bool refusals_only; /* forwarded routes */
};

enum retry_action {
    RETRY_NOW,   /* the next key, at once */
    RETRY_LATER, /* after *delay_ms; any key, the same one too */
    RETRY_END,   /* the client hears of it */
};

/* Counts the verdict against the budget and decides. `random_ms`: 0..1499, for the delay of 0.5 to 2 s. */
enum retry_action retry_after(struct retry_budget *b, enum verdict v, int64_t random_ms, int64_t *delay_ms);

#endif
