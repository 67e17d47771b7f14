/* The key pool: which key serves a request. One lock, held for microseconds: no allocation beyond what adding keys
 * needs, no I/O, no callback under it. Any thread.
 *
 * A request *acquires* a lease on a key for a model, uses it, and *returns* it exactly once with a verdict. All
 * cooldowns, classes and states follow from verdicts. What the platform limits is the (account, model) pair: a "cell"
 * holds its deadline, reason and half-open probe. Keys without a known account are an account of their own.
 *
 * When every account gets the same failure, no key is to blame: a breaker (breaker.h) opens, for the model or the whole
 * upstream, and requests are refused at once. A request that finds all keys cooling may wait for one, in line with the
 * others of its model: it gets a ticket, and is woken when it is worth asking again.
 *
 * State of a key (fast): OFF by hand > DRAINING (off, leases out) > BAD (INVALID) > TESTING > COOLING (whole account or
 * key cooling, or every model it was asked for lately) > BUSY (leases out) > UNTESTED > READY.
 * Who goes first: for what costs money, or may, keys that can pay, as far as known; those that were refused for want of
 * funds within a day, or are not verified, only when no other is free.
 * Invariants: leases out of a key = leases acquired - returned; an OFF, BAD or removed key is never picked; a deadline
 * is never shortened by a later event, only cleared by hand or by expiry; no code path deletes a key by itself. */
#ifndef SFPROXY_POOL_KEYPOOL_H
#define SFPROXY_POOL_KEYPOOL_H

#include <stdatomic.h>

#include "base/clock.h"
#include "conf/conf.h"
#include "pool/breaker.h"
#include "pool/catalog.h"
#include "pool/verdict.h"

#define KEY_ID_LEN 8 /* hex digits of the fingerprint */
enum { POOL_KEYS_MAX = 4096, POOL_CELLS_MAX = 8192, TRIED_MAX = 32 };

enum key_class { CLASS_UNKNOWN, CLASS_PAID, CLASS_FREE, CLASS_UNVERIFIED, CLASS_INVALID, CLASS_COUNT };
enum key_state {
    KEY_READY,
    KEY_BUSY,
    KEY_COOLING,
    KEY_DRAINING,
    KEY_OFF,
    KEY_BAD,
    KEY_UNTESTED,
    KEY_TESTING,
    KEY_STATE_COUNT
};
const char *key_class_name(enum key_class c); /* "?", "PAID", "FREE", "UNVER", "INVALID" */
const char *key_state_name(enum key_state s); /* "ready" ... */

/* METERED is for showing only: API or SET minus what was spent since. */
enum balance_origin { BALANCE_UNKNOWN, BALANCE_API, BALANCE_SET, BALANCE_METERED };

struct keypool;

/* A key in use. The secret stays valid until the lease is returned, even when the key is removed meanwhile. */
struct lease {
    uint32_t slot; /* for `tried` */
    uint64_t seq;  /* unique; 0 = no lease */
    char key_id[KEY_ID_LEN + 1];
    const char *auth; /* "Authorization: Bearer sk-..." : only for the upstream call */
    int32_t cell;     /* -1: the cell table is full */
    uint32_t account; /* the pool's own: where the lease was counted, even when the key moves meanwhile */
    bool test;    /* from ignore_state or own_call: its return touches no counter, cooldown or class; keypool_test_end
                     tells */
    bool probe;   /* half-open: this request is the one let through */
    bool trial;   /* the probe of an open breaker: when it fails its request is not under way, it is refused */
    bool gated;   /* keypool_gate() was called */
    int32_t lane; /* the model's place among the lanes; -1 none */
};

/* An account in a form that survives a restart and a changed configuration: a key that was in it, and its name, "" when
 * it had none. It is the account that the key is in now, or, when the key is gone, the one of that name. */
struct key_owner {
    char key_id[KEY_ID_LEN + 1];
    char account[64];
};

struct pick_ask {
    struct str model;      /* "" for calls without a model */
    const uint32_t *tried; /* slots not to use again while another can serve */
    size_t tried_count;
    const char *only_key;          /* key id: this one or none (tests); NULL = any */
    const struct key_owner *owner; /* keys of this account or none; it does not stand in line. NULL = any */
    bool ignore_state;             /* tests: OFF, BAD and cooling keys too */
    bool own_call;        /* like a test its return touches nothing, but only a key that may serve now will do */
    enum model_cost cost; /* by configuration; COST_UNKNOWN (0): as the catalogue says */
    bool under_way;       /* it had a try already: a breaker that opened meanwhile does not stop it */
    /* Waiting. Every result but PICK_WAIT makes the ticket void. */
    uint32_t ticket;  /* of the PICK_WAIT before; 0 none */
    int64_t wait_ms;  /* how long it may (still) wait for a key; 0 not at all */
    size_t wait_room; /* how many may wait in all */
    bool waited;      /* it stood in line before */
    unsigned worker;  /* whom to wake */
    uint64_t exchange;
    mono_t now;
};

enum pick_result {
    PICK_OK,
    PICK_NO_KEYS,     /* the pool is empty */
    PICK_NONE_USABLE, /* keys exist, but all are off, bad, or of a class that cannot serve this model */
    PICK_COOLING,     /* all that could serve are cooling */
    PICK_TRIED,       /* all that could serve were tried by this request */
    PICK_OUTAGE,      /* a breaker is open: soonest_ms to its next probe, soonest_verdict its reason */
    PICK_WAIT,        /* in line: ask again with `ticket` after look_ms, or when woken */
    PICK_QUEUE_FULL,  /* as many wait as may */
};

struct pick {
    enum pick_result result;
    struct lease lease;
    /* For the refusals: how many keys could serve this model if they were not cooling, the soonest deadline, its
     * verdict, and whether every wait is a rate limit / every reason is no-funds / not-verified. */
    unsigned candidates;
    int64_t soonest_ms; /* from now; 0 none */
    enum verdict soonest_verdict;
    bool all_rate, all_no_funds, all_not_verified;
    bool whole_upstream; /* PICK_OUTAGE: not only this model */
    uint32_t ticket;     /* PICK_WAIT */
    int64_t look_ms;     /* PICK_WAIT: ask again after so long; 0: not first in line, only when woken */
};

struct keypool *keypool_new(enum pool_strategy strategy);
void keypool_free(struct keypool *p); /* BUG when leases are out */
void keypool_set_strategy(struct keypool *p, enum pool_strategy s);

/* Makes the pool hold exactly `keys` (configured) plus what was added at run time: new ones join, configured ones that
 * are missing drain and leave. Returns how many joined. */
size_t keypool_configure(struct keypool *p, const struct key_conf *keys, size_t count, mono_t now);
enum key_added { KEY_ADDED, KEY_DUPLICATE, KEY_POOL_FULL };
/* Adds one key at run time. `id` gets its key id. */
enum key_added keypool_add(struct keypool *p, const struct key_conf *key, mono_t now, char id[KEY_ID_LEN + 1]);

/* `wake` is called without the lock, on any thread, and must only post: the exchange may ask again. Before threads. */
void keypool_set_waker(struct keypool *p, void (*wake)(void *arg, unsigned worker, uint64_t exchange), void *arg);
/* Gives the place in line up. */
void keypool_leave(struct keypool *p, uint32_t ticket);

void keypool_acquire(struct keypool *p, const struct pick_ask *ask, struct pick *out);
/* A good answer passed the gate: a half-open cell lets others follow, an open breaker closes. At most once per lease;
 * not needed when the lease is returned in the same moment. */
void keypool_gate(struct keypool *p, struct lease *l, mono_t now);

struct lease_end {
    enum verdict verdict;
    int status;             /* HTTP, 0 none */
    int64_t code;           /* upstream's, 0 none */
    const char *message;    /* cleaned; NULL none */
    int64_t retry_after_ms; /* 0 none */
    int64_t ms_to_midnight; /* Asia/Shanghai */
    struct str model;
    enum model_cost cost; /* as in pick_ask */
    bool cost_observed;   /* only traffic says so: it may have been wrong */
    uint64_t tokens;      /* used, as far as is known */
    mono_t now;
    wall_t wall;
};
/* Returns the lease; l->seq becomes 0. BUG when it is not out. */
void keypool_return(struct keypool *p, struct lease *l, const struct lease_end *end);

/* --- accounts --- */
/* The owner that a key stands for now. False: no such key. */
bool keypool_owner(struct keypool *p, const char *key_id, struct key_owner *out);
/* The pool has a key of this account (it may be off or cooling). */
bool keypool_has_owner(struct keypool *p, const struct key_owner *owner);
/* One key id per account that has a key which is on and not INVALID, in order of joining; returns how many were put. */
size_t keypool_accounts(struct keypool *p, char (*ids)[KEY_ID_LEN + 1], size_t room);

/* What leases showed about models whose cost was not known: an account without funds was served (free), or one was
 * refused for want of funds (paid). Takes up to `room` of them; further ones wait. Lock-free when there is none. */
struct pool_observed {
    char model[257];
    enum model_cost cost;
};
size_t keypool_take_observed(struct keypool *p, struct pool_observed *out, size_t room);

/* --- breakers --- */
struct outage_view {
    enum breaker_state state;
    enum verdict reason;      /* unless closed */
    int64_t next_ms, open_ms; /* to the next probe; open for so long */
    unsigned waiting;         /* requests in line */
};
/* Of the model, or of the whole upstream (NULL). */
void keypool_outage_view(struct keypool *p, const char *model, mono_t now, struct outage_view *out);
/* Time until a request for the model may pass the breakers; 0 now. */
int64_t keypool_outage_ms(struct keypool *p, struct str model, mono_t now);
void keypool_outage_reset(struct keypool *p); /* another upstream: all closed, nothing known */

/* --- tests and commands; `id` is the key id. False: no such key. --- */
bool keypool_test_begin(struct keypool *p, const char *id);
/* Result of GET /v1/models with the key (a manual test never touches error counters): OK clears INVALID and untested,
 * KEY_INVALID sets INVALID, anything else is only shown. */
bool keypool_test_end(struct keypool *p, const char *id, const struct lease_end *end);
bool keypool_set_enabled(struct keypool *p, const char *id, bool enabled);
bool keypool_reset(struct keypool *p, const char *id, mono_t now); /* clears its cooldowns by hand */
bool keypool_set_label(struct keypool *p, const char *id, const char *label);
/* Of the key's account, with what was metered before forgotten. */
bool keypool_set_balance(struct keypool *p, const char *id, enum balance_origin origin, int64_t micro, wall_t now);
/* Takes the cost of requests off the balance of the key's account. True: that is known, so there is something to save
 * (the generation does not change). */
bool keypool_spend(struct keypool *p, const char *id, int64_t micro);
/* The known balances, each account once; only those with a key that may serve. */
struct pool_balances {
    int64_t left_micro; /* overdrawn ones count as 0 */
    unsigned accounts, known;
};
void keypool_balances(struct keypool *p, struct pool_balances *out);
/* The account's charged balance, which alone pays for Pro/ models; told by user/info. */
bool keypool_set_charge(struct keypool *p, const char *id, int64_t micro);
bool keypool_set_account(struct keypool *p, const char *id, const char *account); /* learned from user/info */
enum key_removed { KEY_REMOVED, KEY_NOT_FOUND, KEY_FROM_FILE };
/* `origin` gets "file:line" when it is refused. Leases out keep working; the key leaves the list at once. */
enum key_removed keypool_remove(struct keypool *p, const char *id, char *origin, size_t size);

/* Keys that are due for an automatic probe (INVALID: 10 min after, then hourly; untested ones at start): fills `ids`.
 */
size_t keypool_due_tests(struct keypool *p, mono_t now, char (*ids)[KEY_ID_LEN + 1], size_t room);

/* --- views (copies, no secrets) --- */
struct key_cooldown_view {
    char model[257]; /* "" = everything; "paid" scope: "(paid)", "(Pro/)" */
    enum verdict reason;
    int64_t ms_left;
};
struct key_view {
    char id[KEY_ID_LEN + 1];
    char label[64], masked[24], account[64], origin[128];
    bool from_file; /* configured: cannot be deleted here */
    enum key_class class;
    char class_evidence[64];
    enum key_state state;
    bool enabled;
    unsigned in_flight;
    uint64_t ok, failed, limited;          /* tries since start */
    enum balance_origin balance_origin;    /* of the account: UNKNOWN, API or SET */
    int64_t balance_micro;                 /* what is left of it */
    int64_t balance_spent_micro;           /* taken off already: metered since it was told */
    wall_t balance_at;                     /* when it was told */
    struct key_cooldown_view cooldowns[8]; /* soonest to end last; `cooldown_count` may be larger */
    unsigned cooldown_count;
    struct {
        wall_t at; /* 0 none */
        int status;
        int64_t code;
        enum verdict verdict;
        char message[200];
    } last_error;
    wall_t tested_at; /* 0 never */
    wall_t used_at;
    bool ever_worked;
};
/* Fills up to `room` views in order of joining; returns the number of keys. */
size_t keypool_view(struct keypool *p, mono_t now, struct key_view *out, size_t room);
size_t keypool_count(struct keypool *p);
bool keypool_ever_worked(struct keypool *p, const char *id);
unsigned keypool_leases_out(struct keypool *p);
unsigned keypool_usable(struct keypool *p, mono_t now); /* enabled, not bad, not wholly cooling */
/* Keys that could serve this model now. */
unsigned keypool_usable_for(struct keypool *p, struct str model, mono_t now);
/* Raised by every change a screen or the disk should know; compare to find out. Lock-free. */
uint64_t keypool_generation(const struct keypool *p);

/* --- limits of (account, model) --- */
/* Swaps the configured limits: `limit_rpm` and `limit_tpm` of the rules. A pair that used its limit within the last
 * minute is passed over like a cooling one. */
void keypool_set_limits(struct keypool *p, const struct model_rule *rules, size_t count);
struct cell_view {
    char account[64]; /* its name; of a key without a known account: the key's id */
    char model[257];
    unsigned in_flight;
    uint64_t rpm, tpm;            /* of the last minute */
    int64_t limit_rpm, limit_tpm; /* -1 not known */
    bool configured;              /* else learned */
    enum verdict reason, last_verdict;
    int64_t ms_left; /* until it may serve; 0 now */
    int64_t idle_ms;
};
/* Most recently used first; returns how many were filled. */
size_t keypool_cells(struct keypool *p, mono_t now, struct cell_view *out, size_t room);

/* --- why this key --- */
struct turn {
    uint64_t parts[6]; /* compared from the first on */
};
/* Whose turn it is: the smaller one goes first, of equal ones the one that joined first. */
int turn_compare(const struct turn *a, const struct turn *b);
enum explain_why { EXPLAIN_NEXT, EXPLAIN_READY, EXPLAIN_LIMIT, EXPLAIN_COOLING, EXPLAIN_BAD, EXPLAIN_OFF };
const char *explain_word(enum explain_why why);
struct explain_row {
    char id[KEY_ID_LEN + 1];
    enum explain_why why;
    struct turn turn;    /* of those that could serve */
    enum verdict reason; /* LIMIT, COOLING */
    int64_t wait_ms;     /* the same */
    const char *scope;   /* COOLING: "model", "paid models", "account" */
    bool probing;        /* COOLING: half-open, another request is being tried */
};
struct explain {
    enum model_cost cost;
    int64_t outage_ms; /* a breaker is open for so long; 0 none: then no key is NEXT */
    enum verdict outage_reason;
    bool whole_upstream, waiting; /* others stand in line */
};
/* What keypool_acquire() would find now, for every key in order of joining; returns how many. Takes nothing. */
size_t keypool_explain(struct keypool *p, struct str model, enum model_cost cost, mono_t now, struct explain *out,
                       struct explain_row *rows, size_t room);

/* --- persistence: ids only, wall clock --- */
struct key_saved {
    char id[KEY_ID_LEN + 1];
    char label[64], account[64], class_evidence[64];
    int class;
    bool enabled, ever_worked, label_by_hand, has_conf_balance;
    int balance_origin;
    int64_t balance_micro, balance_at_ms, tested_at_ms, class_at_ms;
    int64_t balance_spent_micro; /* metered since balance_at */
    int64_t conf_balance_micro;  /* that a file gave, when has_conf_balance */
};
struct cooldown_saved {
    char id[KEY_ID_LEN + 1];
    char model[257];
    int scope, verdict;
    unsigned repeats;
    int64_t until_ms; /* wall */
};
/* Snapshot of what must survive a restart; caller frees both arrays. */
void keypool_save(struct keypool *p, mono_t now, wall_t wall, struct key_saved **keys, size_t *key_count,
                  struct cooldown_saved **cooldowns, size_t *cooldown_count);
/* Before the listener opens. Rows of unknown keys are ignored (kept by the store for 30 days). */
void keypool_restore(struct keypool *p, const struct key_saved *keys, size_t key_count,
                     const struct cooldown_saved *cooldowns, size_t cooldown_count, mono_t now, wall_t wall);
/* Text of the run-time keys in keys_file format, for the state directory's `keys` file: the only place that gets it.
 * `out` is wiped by the caller. */
void keypool_export_runtime(struct keypool *p, struct buf *out);

#endif
