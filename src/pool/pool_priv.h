/* What the files of the key pool share: keypool.c (leases, picking, waiting), roster.c (joining and leaving),
 * keystate.c (verdicts, classes, states, tests), outage.c (breakers), keyview.c (views, persistence). Everything here
 * is under the pool's lock unless a comment says otherwise; functions named pool_... expect it held. */
#ifndef SFPROXY_POOL_POOL_PRIV_H
#define SFPROXY_POOL_POOL_PRIV_H

#include "base/lock.h"
#include "base/secret.h"
#include "pool/cells.h"
#include "pool/cooldown.h"
#include "pool/keypool.h"
#include "pool/lanes.h"

enum {
    ACCOUNTS_MAX = 2 * POOL_KEYS_MAX, /* accounts that only old leases still know need room too */
    OBSERVED_ROOM = 16,
    DOUBT_MS = 86400000, /* for so long what was refused is believed; then it is tried again */
    SECRET_ROOM = 1024,  /* bytes for one "Authorization: Bearer ..." line */
    LABEL_ROOM = 64,
    FREE_BALANCE_MICRO = 30000, /* at most so much left: an account without money */
};

/* Scopes of an account that can cool as a whole; index into account.scopes. */
enum account_scope { ON_PAID_PLAIN, ON_PAID_PRO, ON_ACCOUNT, ACCOUNT_SCOPES };

struct balance {
    enum balance_origin origin; /* UNKNOWN, API or SET */
    int64_t micro;              /* when it was told */
    wall_t at;
    int64_t spent; /* metered since, by all keys of the account; never negative */
};

struct account {
    char name[LABEL_ROOM];
    bool own;           /* made for a key without a known account; `name` is that key's id */
    unsigned keys;      /* keys in the pool, also draining ones */
    unsigned in_flight; /* leases */
    uint64_t last_pick;
    wall_t worked_at; /* a key of it worked last; 0 not known */
    uint64_t stamp;   /* of the last census that counted it */
    struct balance balance;
    wall_t restored_at; /* of the balance that a saved row gave; INT64_MAX: a file's word counts more */
    struct limit scopes[ACCOUNT_SCOPES];
    struct list cells;
};

struct key {
    /* What picking reads, together. */
    bool enabled, removed;
    enum key_class class;
    uint32_t slot, account;
    unsigned in_flight;
    uint64_t last_pick; /* seq of its last lease */
    char id[KEY_ID_LEN + 1];

    uint64_t join; /* order of joining, for views that let the lock go between keys */
    uint8_t digest[DIGEST_LEN];
    char *auth; /* in the pool's secrets, at its slot */
    char label[LABEL_ROOM], conf_label[LABEL_ROOM], masked[24], origin[128], class_evidence[64];
    bool label_by_hand, from_file;
    bool runtime; /* added by hand: belongs into the state directory's file, also while a file has it too */
    enum key_class class_before; /* INVALID and UNVERIFIED give it back when the key works again */
    wall_t class_at;
    mono_t class_seen;     /* the class was last confirmed; 0 never */
    mono_t no_charge_seen; /* nothing charged: it cannot pay for Pro/; 0 not known */
    bool ever_worked, testing, test_handed;
    mono_t test_due; /* next automatic test; 0 none */
    unsigned invalid_repeats;
    mono_t doubted; /* last 401 of a request that is neither forgotten nor followed by a success; 0 none */
    uint64_t ok, failed, limited;
    bool has_conf_balance; /* what the file said last */
    int64_t conf_balance_micro;
    wall_t tested_at, used_at;
    struct {
        wall_t at;
        int status;
        int64_t code;
        enum verdict verdict;
        char message[200];
    } last_error;
};

struct keypool {
    struct lock lock;
    _Atomic uint64_t generation; /* no lock */
    char *secrets;               /* SECRET_ROOM per slot; its own mapping, kept out of core dumps */
    enum pool_strategy strategy;
    struct key **slots; /* POOL_KEYS_MAX; NULL free. A removed key keeps its slot until its leases are back */
    struct key **order; /* the keys of the pool in order of joining */
    size_t count;       /* of order */
    struct account *accounts;
    size_t account_count; /* ever used */
    struct cells cells;
    struct model_limit *limits; /* of the configuration (quota.c) */
    size_t limit_count;
    uint32_t limits_version;
    struct lanes lanes;
    struct breaker breaker; /* of the whole upstream */
    mono_t now;             /* of the last call that told the time */
    struct pool_observed observed[OBSERVED_ROOM];
    _Atomic unsigned observed_count; /* written under the lock, looked at without */
    uint64_t seq, joins, stamp;
    unsigned leases_out;
    void (*wake)(void *arg, unsigned worker, uint64_t exchange); /* set before there are threads; called without lock */
    void *wake_arg;
};

/* What changed about breakers, to be logged when the lock is free. */
struct outage_change {
    enum verdict reason;
    bool opened, believed, whole;
    char model[MODEL_NAME_MAX + 1];
};
struct outage_news {
    unsigned count;
    struct outage_change at[2];
};

/* A model as the pool sees it; made outside the lock. */
struct model_query {
    struct str model;
    uint64_t hash;
    enum model_cost cost;
    bool pro;
    bool sure; /* the cost is known by list, name or configuration, not by traffic */
};
struct model_query model_query(const struct keypool *p, struct str model, enum model_cost cost);

static inline void pool_changed(struct keypool *p)
{
    atomic_fetch_add_explicit(&p->generation, 1, memory_order_relaxed);
}
struct key *pool_find(struct keypool *p, const char *id); /* NULL: not in the pool */
/* The limits of the account that a request for this model meets; fills `out`, returns how many (1 or 2). */
size_t pool_scopes(struct account *a, const struct model_query *q, struct limit *out[2]);
static inline bool key_may_serve(const struct key *k)
{
    return k->enabled && k->class != CLASS_INVALID;
}

/* Classes that a key gets rid of when it works again. */
static inline bool is_setback(enum key_class c)
{
    return c == CLASS_INVALID || c == CLASS_UNVERIFIED;
}

/* What keeps a request from a key now. wait_ms 0, reason OK: nothing. */
struct block {
    enum verdict reason;
    int64_t wait_ms;
    const struct limit *limit; /* NULL: none of ours, by_quota */
    bool by_quota;             /* the configured limit of a minute is used up */
};
/* The longest wait on the way. Not whether the key may serve at all. */
struct block pool_block(struct keypool *p, const struct key *k, const struct model_query *q, struct cell *cell,
                        mono_t now);
/* `cell` may be NULL. */
struct turn pool_turn(const struct keypool *p, const struct key *k, const struct model_query *q,
                      const struct cell *cell);

/* quota.c */
/* Time until the configured limit of a minute lets one more through: 0 now. */
int64_t pool_quota_wait(const struct keypool *p, struct cell *cell, mono_t now);
/* A lease came back: what it used, and what that says about the limits. */
void pool_note_rate(struct cell *cell, const struct lease_end *end);

/* True within DOUBT_MS of `seen`. */
static inline bool pool_believes(const struct keypool *p, mono_t seen)
{
    return seen.ms && mono_since(p->now, seen) < DOUBT_MS;
}

/* roster.c */
void pool_join_account(struct keypool *p, struct key *k, uint32_t account);
/* Index of the account of that name, made when there is none; -1: no room. */
int64_t pool_account(struct keypool *p, struct str name, bool own);
/* A removed key whose last lease came back: gives its slot back; the caller frees it after the lock. */
void pool_release(struct keypool *p, struct key *k);

/* keystate.c */
void pool_apply(struct keypool *p, struct key *k, struct account *a, struct cell *cell, const struct lease *l,
                const struct model_query *q, const struct lease_end *end, bool excused);
enum key_state pool_state(struct keypool *p, const struct key *k, mono_t now);
void pool_set_class(struct keypool *p, struct key *k, enum key_class class, wall_t wall, const char *evidence);
/* The platform does not know the key. */
void pool_invalidate(struct keypool *p, struct key *k, mono_t now, wall_t wall, bool by_test);

/* balance.c */
int64_t balance_left(const struct balance *b); /* 0 when unknown */
/* What a balance says about the class. */
void pool_class_by_balance(struct keypool *p, struct key *k, wall_t now);
void pool_conf_balance(struct keypool *p, struct key *k, const struct key_conf *conf, wall_t now);
/* A key moves: its new account takes the balance when that is newer. */
void pool_merge_balance(struct keypool *p, uint32_t from, uint32_t to);
void pool_save_balance(const struct keypool *p, const struct key *k, struct key_saved *s);
void pool_restore_balance(struct keypool *p, struct key *k, const struct key_saved *s);

/* outage.c */
struct lane *pool_lane(struct keypool *p, const struct lease *l); /* NULL: none */
/* Time until a request may pass both breakers, 0 now; `reason` and `whole`: of the one that takes longer. */
int64_t pool_outage_wait(struct keypool *p, const struct lane *lane, mono_t now, enum verdict *reason, bool *whole);
/* A lease begins: it is the probe of every breaker that is due for one. True: of one at least. */
bool pool_outage_enter(struct keypool *p, struct lane *lane, uint64_t seq, mono_t now);
void pool_outage_gate(struct keypool *p, struct lease *l, mono_t now, struct outage_news *news);
/* A lease comes back. True: it is the platform's fault, the key is not to suffer. Before pool_apply(). */
bool pool_outage_end(struct keypool *p, struct key *k, struct cell *cell, const struct lease *l,
                     const struct model_query *q, const struct lease_end *end, struct outage_news *news);
void pool_outage_log(const struct outage_news *news); /* without the lock */
/* Remembers what the cell's limit was before a failure that may turn out to be everybody's. */
void pool_strike(struct cell *cell, enum verdict v, mono_t now);

#endif
