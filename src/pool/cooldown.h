/* How long a verdict keeps an (account, model) cell, or a key, out of use. Pure: no clock, no randomness. */
#ifndef SFPROXY_POOL_COOLDOWN_H
#define SFPROXY_POOL_COOLDOWN_H

#include "pool/verdict.h"

enum cooldown_scope {
    SCOPE_NONE,
    SCOPE_CELL,       /* this account and model */
    SCOPE_PAID_PLAIN, /* all paid models of the account without Pro/ */
    SCOPE_PAID_PRO,   /* all Pro/ models of the account */
    SCOPE_ACCOUNT,    /* everything of the account */
    SCOPE_KEY,        /* this key */
};

struct cooldown_ask {
    enum verdict verdict;
    unsigned repeats;       /* same verdict on the same scope before, without a success between: 0, 1, ... */
    int64_t retry_after_ms; /* 0: none given */
    int64_t ms_to_midnight; /* next 00:00 Asia/Shanghai, for RATE_DAY */
    bool model_free;        /* catalogue or configuration says free */
    bool model_pro;         /* id starts with Pro/ */
    bool other_succeeds;    /* another account succeeded with this model since this cell's last success */
};

struct cooldown {
    enum cooldown_scope scope;
    int64_t ms; /* 0: none */
};

/* Rules: design of cooldowns by verdict; never beyond the sane bounds (Retry-After honoured between 1 s and 1 h). */
struct cooldown cooldown_for(const struct cooldown_ask *ask);

#endif
