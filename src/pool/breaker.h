/* The breaker: when every account gets the same failure from the platform, no key is to blame and asking on only adds
 * to the trouble. One per model and one for the whole upstream. Pure: time is an argument, the caller's lock protects
 * it.
 *
 *     closed --the same failure everywhere--> open --2 s, 4, 8 ... 30 s--> half-open (one probe out)
 *        ^                                     ^                              |
 *        |                                     +----------failed again-------+
 *        +------------------------one success, of the probe or of any request
 *
 * A breaker of a model hears BUSY, SERVER, RESET and FORBIDDEN_OTHER. The one for the whole upstream hears CONNECT and
 * KEY_INVALID, which are about no model, and the others too, but opens for those only when two models or more got them:
 * one overloaded model does not stop the rest. Rate limits and missing funds open nothing. */
#ifndef SFPROXY_POOL_BREAKER_H
#define SFPROXY_POOL_BREAKER_H

#include "base/clock.h"
#include "pool/verdict.h"

enum {
    BREAKER_WINDOW_MS = 10000,
    BREAKER_ACCOUNTS = 8, /* as many as prove it in a larger pool */
    BREAKER_TRIES = 5,    /* at least so many, or 2 per account when that is less */
    BREAKER_PROVEN = 3,   /* accounts that worked lately, for KEY_INVALID and FORBIDDEN_OTHER */
    BREAKER_BELIEVE_MS = 60000,
    BREAKER_HOLD_MS = 60000, /* after 50603 from two accounts */
    BREAKER_FIRST_MS = 2000, /* to the first probe; doubled up to ... */
    BREAKER_LONGEST_MS = 30000,
    BREAKER_PROBE_MS = 60000, /* a probe that says nothing for so long blocks no further one */
    BREAKER_CAUSES = 6,
    CODE_SYSTEM_BUSY = 50603,
};

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };
const char *breaker_state_name(enum breaker_state s); /* "closed", "open", "half-open" */

/* What speaks for one cause: the tries of the window that got this verdict, since the last one that contradicts it. */
struct breaker_case {
    struct {
        uint32_t account;
        bool proven;
        mono_t at; /* its last such try; 0: free */
    } seen[BREAKER_ACCOUNTS];
    mono_t tries[BREAKER_TRIES]; /* the last ones, a ring; 0 none */
    unsigned next_try;           /* how many there were since the case began */
    struct {
        uint64_t hash;
        mono_t at;
    } models[2];  /* the last two different ones */
    mono_t ok_at; /* last answer that contradicts; 0 never */
};

struct breaker {
    bool whole; /* of the whole upstream, not of a model */
    bool open;
    enum verdict reason; /* while open */
    mono_t opened, next_probe;
    int64_t interval; /* between probes */
    uint64_t probe;   /* seq of the lease let through; 0 none */
    mono_t probe_at;
    struct breaker_case cases[BREAKER_CAUSES];
    struct {
        uint32_t account;
        mono_t at;
    } system_busy[2]; /* 50603: the last two different accounts */
};

struct breaker_try {
    enum verdict verdict;
    int64_t code;   /* the platform's, 0 none */
    uint64_t model; /* hash; for the whole upstream */
    uint64_t seq;   /* of the lease */
    uint32_t account;
    bool proven; /* the account succeeded within the last 24 h */
    mono_t now;
};

struct breaker_census { /* of the accounts that could be asked, those cooled by this very verdict included */
    unsigned usable;
    unsigned covered; /* of these: breaker_saw() them */
};

void breaker_init(struct breaker *b, bool whole);
/* Failures that may open this breaker. */
bool breaker_hears(const struct breaker *b, enum verdict v);
/* Time until a request may pass: 0 now (closed, or it may be the probe); at least 1 while it is refused. */
int64_t breaker_wait(const struct breaker *b, mono_t now);
/* A request that may pass begins: when the breaker is open it is the probe. True: it is. */
bool breaker_enter(struct breaker *b, uint64_t seq, mono_t now);

enum breaker_news {
    BREAKER_NOTHING,
    BREAKER_SUSPECTS, /* a census may open it: count, then breaker_judge() */
    BREAKER_CLOSES,   /* it was open and is closed now */
    BREAKER_BELIEVES, /* probes got the same for a minute: closed; the keys are as bad as they say */
};
/* A try ended (or passed its gate: VERDICT_OK). Every try is told, probe or not; once. */
enum breaker_news breaker_hear(struct breaker *b, const struct breaker_try *t);
bool breaker_saw(const struct breaker *b, enum verdict v, uint32_t account, mono_t now);
/* After BREAKER_SUSPECTS. True: it opened. */
bool breaker_judge(struct breaker *b, const struct breaker_try *t, const struct breaker_census *c);
enum breaker_state breaker_state(const struct breaker *b, mono_t now);
static inline bool breaker_open_for(const struct breaker *b, enum verdict v)
{
    return b->open && b->reason == v;
}
/* Nothing in it that would be missed. */
bool breaker_is_idle(const struct breaker *b, mono_t now);

#endif
