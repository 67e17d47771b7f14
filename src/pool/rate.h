/* What an (account, model) used in the last minute, against its limits, and what can be learned about them. A window of
 * whole slots covers 60 to 65 s, so it never lets more through than a minute allows. Pure: time is an argument. */
#ifndef SFPROXY_POOL_RATE_H
#define SFPROXY_POOL_RATE_H

#include "base/clock.h"

enum { RATE_SLOTS = 13, RATE_SLOT_MS = 5000 };

struct rate {                                          /* zeroed: nothing yet */
    int64_t newest;                                    /* number of the newest slot */
    uint32_t requests[RATE_SLOTS], tokens[RATE_SLOTS]; /* saturating */
    uint64_t request_sum, token_sum;
};

void rate_add(struct rate *r, mono_t now, uint32_t requests, uint64_t tokens);
void rate_advance(struct rate *r, mono_t now); /* lets old slots fall out; before reading the sums */
/* Time until both sums are below their limits (0: no limit): 0 now. */
int64_t rate_wait(struct rate *r, int64_t limit_rpm, int64_t limit_tpm, mono_t now);

/* Limits of a minute as traffic shows them; 0: nothing seen. */
struct learned {
    uint64_t passed_rpm, passed_tpm;   /* highest rate that passed since the last refusal */
    uint64_t refused_rpm, refused_tpm; /* rate at the last refusal that named the metric */
};
void learned_pass(struct learned *l, uint64_t rpm, uint64_t tpm);
/* A refusal; `message` names the metric ("TPM limit reached"), else nothing is learned. */
void learned_refuse(struct learned *l, const char *message, uint64_t rpm, uint64_t tpm);
/* The limit, about; -1: not known. Grows when more passes later. */
int64_t learned_rpm(const struct learned *l);
int64_t learned_tpm(const struct learned *l);

#endif
