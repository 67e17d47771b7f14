/* Private to proxy/: an exchange about something that one account owns. See bound.c for the story. */
#ifndef SFPROXY_PROXY_BOUND_H
#define SFPROXY_PROXY_BOUND_H

#include "proxy/listing.h"
#include "proxy/owned.h"

struct exchange;

struct bound {
    struct owned_want want;
    bool has_owner; /* `owner` restricts the choice of keys */
    struct key_owner owner;
    /* Asking around: one key id per account. */
    bool asking;
    char (*accounts)[KEY_ID_LEN + 1];
    size_t account_count, next;
    char *query;                 /* of a list */
    struct listing *listing;     /* while one is being made */
    unsigned strangers, unasked; /* accounts that do not know the id; that could not be asked */
};

/* After the scan. False: the request was answered (an id that nobody knows). */
bool bound_prepare(struct exchange *e, const struct scan_text texts[OWNED_TEXTS]);
void bound_free(struct exchange *e); /* nothing when there is none */
/* The request wants a list of several accounts: listing_start() instead of a key. */
bool bound_lists(const struct exchange *e);
/* Restricts the choice to the owner's keys. */
void bound_ask(const struct exchange *e, struct pick_ask *ask);
bool bound_asks_around(const struct exchange *e);
/* This account could not be asked: on to the next one. False: it does not ask around, or that was the last. */
bool bound_next(struct exchange *e);
void bound_answer_unknown(struct exchange *e);
/* A complete answer while asking around, before it is passed on. True: it is not the client's answer, and the exchange
 * went on or is over. */
bool bound_takes(struct exchange *e, enum verdict v);
/* A try while asking around failed (it has ended): goes on, or answers. */
void bound_failed(struct exchange *e, enum verdict v);
/* A good answer, while its lease is still out and `gate_bytes` holds it (or its beginning). */
void bound_learn(struct exchange *e);
/* Why the owner cannot serve it. False: not bound, or the usual sentence will do. */
bool bound_sentence(const struct exchange *e, const struct pick *pick, char *out, size_t size);

#endif
