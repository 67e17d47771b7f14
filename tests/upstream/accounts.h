/* Keys, the accounts they belong to, and the cells (account, model) in which the platform's limits count.
 * Nothing here is ever freed: an answer in flight may point at it after the script was replaced. */
#ifndef STANDIN_ACCOUNTS_H
#define STANDIN_ACCOUNTS_H

#include "buf.h"

#include <cjson/cJSON.h>
#include <stdint.h>

enum kind { KIND_PAID, KIND_FREE, KIND_EMPTY, KIND_UNVERIFIED, KIND_INVALID };

enum { N_METRICS = 7, MAX_STATUS = 600, MAX_MODELS = 200 };

/* A sliding sum over 60 buckets. */
struct window {
    int64_t last; /* number of the newest bucket */
    uint64_t sum;
    uint32_t bucket[60];
};

struct account {
    char *name;
    uint64_t limits_of; /* generation of the script that set the limits */
    struct limit *limits;
};

struct model_count {
    struct model_count *next;
    char *model;
    uint64_t requests, tokens_in, tokens_out;
};

struct key {
    char *name;
    struct account *account;
    enum kind kind;
    char balance[32];
    bool declared;
    uint64_t requests, tokens_in, tokens_out;
    uint32_t in_flight, max_in_flight;
    uint32_t by_status[MAX_STATUS];
    uint64_t faults;
    struct model_count *models; /* a list: short, the rest counts as "(other)" */
    int n_models;
};

struct cell {
    struct account *account;
    char *model;
    uint64_t requests, limited, tokens_in, tokens_out;
    struct window *windows; /* N_METRICS of them, only with limits */
};

enum unit { UNIT_REQUESTS, UNIT_TOKENS, UNIT_IMAGES };

/* Replaces all declared keys by a JSON array. minute_ms is the length of "a minute" (60000, less in tests). */
bool accounts_set(const cJSON *list, long minute_ms, bool unknown_ok, struct buf *why);
/* The key of this text; made when it is new. */
struct key *accounts_key(const char *text);
struct cell *accounts_cell(struct account *a, const char *model);
struct model_count *accounts_count(struct key *k, const char *model);
/* Name of the limit that is reached ("rpm"), or NULL. Times in ns of the monotonic clock. */
const char *accounts_limited(struct cell *c, int64_t now, bool images);
void accounts_used(struct cell *c, int64_t now, enum unit unit, uint32_t n);
/* Sets all counters to zero; what is in flight stays. */
void accounts_reset(void);
/* JSON members "keys" and "cells" of the report. */
void accounts_report(struct buf *out);

#endif
