/* The ledger: one row per admitted request, written when it ended, sums per day that are kept for ever, and slices of
 * the last day from which a start fills its windows. All of it in state.db, all of it by the disk thread.
 *
 *   control thread   ledger_add() into a bounded queue; ledger_tick() posts a job, four times a second at most
 *   disk thread      takes rows off the queue in batches, one transaction each; deletes rows that are too old, in
 * chunks any thread       ledger_ask(): a question about usage, answered from the disk thread main ledger_load_*()
 * before the threads run; ledger_free() after them writes what is left
 *
 * Invariants: a row is in the queue until its transaction was committed; the oldest make room when it is full, counted
 * and shown. Row, sums and slices of a request are in one transaction. */
#ifndef SFPROXY_STORE_LEDGER_H
#define SFPROXY_STORE_LEDGER_H

#include "pool/keypool.h"
#include "store/disk.h"

enum { LEDGER_MODEL_MAX = 256, LEDGER_CLIENT_MAX = 48, LEDGER_TRIES = 24, LEDGER_DAY_CLIENTS = 1000 };

struct ledger_row {
    wall_t time;                  /* of the admission */
    int day;                      /* its local day, YYYYMMDD */
    int32_t duration_ms, ttft_ms; /* ttft -1: no byte came */
    char model[LEDGER_MODEL_MAX + 1], asked[LEDGER_MODEL_MAX + 1];
    bool model_known; /* else its sums go to "(other)" */
    char key_id[KEY_ID_LEN + 1], account[64], client[LEDGER_CLIENT_MAX + 1], path[64];
    int status;         /* 0: none was sent */
    const char *reason; /* a literal */
    bool ok, is_error, stream;
    uint8_t attempts;
    bool usage_known;
    int64_t tokens_in, tokens_out, tokens_cached, tokens_reasoning, units, cost_micro; /* cost -1: not known */
    uint64_t bytes_up, bytes_down;
    uint8_t tries; /* in the list */
    struct ledger_try {
        char key_id[KEY_ID_LEN + 1];
        int32_t at_ms; /* after `time` */
    } try_list[LEDGER_TRIES];
};

struct statedb;
struct ledger;

struct ledger *ledger_new(struct statedb *db, struct disk *d, size_t queue, int64_t keep_ms);
/* After the disk thread has ended: writes what is left; what cannot be written is logged. */
void ledger_free(struct ledger *l);
/* Control thread. */
void ledger_add(struct ledger *l, const struct ledger_row *row); /* copies */
void ledger_tick(struct ledger *l, mono_t now);
void ledger_flush(struct ledger *l);                 /* at the end: what waits is written now */
void ledger_keep(struct ledger *l, int64_t keep_ms); /* of a new configuration */

struct ledger_health {
    uint64_t waiting, written, dropped;
};
void ledger_health(struct ledger *l, struct ledger_health *out); /* any thread */

/* --- what it knows --- */

struct usage_sums {
    int64_t requests, ok, errors, attempts, tokens_in, tokens_out, tokens_cached, tokens_reasoning, units;
    int64_t cost_micro, cost_unknown; /* sum of the known costs; requests that used something without one */
};

struct usage_row {
    int day; /* 0, "" where it was not asked for */
    char model[LEDGER_MODEL_MAX + 1], key_id[KEY_ID_LEN + 1], client[LEDGER_CLIENT_MAX + 1];
    char label[64]; /* of the key, as it was saved last; "" none, or not asked for */
    struct usage_sums sums;
};

enum usage_by { USAGE_DAY = 1, USAGE_MODEL = 2, USAGE_KEY = 4, USAGE_CLIENT = 8 };
enum { USAGE_ROWS_MAX = 20000 };

struct usage_ask {
    unsigned by;          /* of enum usage_by; 0: the total alone */
    int from_day, to_day; /* YYYYMMDD, both included; from the sums of the days */
    int64_t from_ms;      /* not 0: from the rows since then instead, as far as they are kept */
};

struct usage_list {
    struct usage_row *rows; /* by day, then most requests first */
    size_t count;
    bool cut; /* there were more than USAGE_ROWS_MAX groups */
    struct usage_sums total;
};

struct ledger_question {
    struct disk_job job;
    struct ledger *ledger;
    struct usage_ask ask; /* by the caller, like done and arg */
    struct usage_list list;
    bool ok;
    char why[200];
    void (*done)(struct ledger_question *q); /* on the disk thread: only posts */
    void *arg;
    struct mail mail; /* for done() */
};
/* Any thread. False: too many questions wait, or the disk is busy; the caller keeps it. */
bool ledger_ask(struct ledger *l, struct ledger_question *q) MUST_CHECK;
void usage_list_free(struct usage_list *list);

/* Reading on the calling thread: main before the others run, the subcommand on a database of its own. */
bool ledger_usage(struct statedb *db, const struct usage_ask *ask, struct usage_list *out, struct buf *why);

enum slice_kind { SLICE_TOTAL, SLICE_MODEL, SLICE_CLIENT, SLICE_KEY }; /* stored: never renumber */
enum { SLICE_TOTAL_S = 10, SLICE_S = 60, SLICES_KEPT_S = 25 * 3600 };
struct slice {
    int64_t at_s; /* Unix seconds of its beginning; SLICE_TOTAL_S long for the total, else SLICE_S */
    enum slice_kind kind;
    char name[LEDGER_MODEL_MAX + 1];
    int64_t requests, tokens, cost_micro; /* of keys: tries */
};
/* Calls `each` for every slice in (from, to], oldest first. */
bool ledger_load_slices(struct statedb *db, int64_t from_s, int64_t to_s,
                        void (*each)(void *arg, const struct slice *s), void *arg, struct buf *why);

#endif
