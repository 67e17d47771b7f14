/* What belongs to an account (video jobs, files, batches, voices): which requests make, name or list such things, and
 * what the platform's answer says about their owner. Pure. bound.c acts on it. */
#ifndef SFPROXY_PROXY_OWNED_H
#define SFPROXY_PROXY_OWNED_H

#include "pool/sticky.h"
#include "proxy/scan.h"

enum owned_rule {
    OWNED_NOT,  /* nothing of the kind */
    OWNED_MAKE, /* makes one, with any account; the answer names it */
    OWNED_USE,  /* names one: for its owner alone */
    OWNED_LIST, /* lists what an account has */
};

enum { OWNED_TEXTS = 4 };

struct owned_row;
struct owned_want {
    enum owned_rule rule;
    enum sticky_kind kind;
    bool may_ask_around;         /* an unknown id may be tried with one account after the other: it changes nothing */
    char id[STICKY_ID_MAX + 1];  /* OWNED_USE */
    const struct owned_row *row; /* NULL: OWNED_NOT */
};

/* The text members of request bodies that name owned things: to be filled by the scanner. */
void owned_texts(struct scan_text texts[OWNED_TEXTS]);
/* `path` without /v1 and leading slash; `texts` as the scanner left them. A request that should name something but does
 * not is OWNED_NOT: the platform says what is wrong with it. */
void owned_find(struct str method, const char *path, const struct scan_text texts[OWNED_TEXTS], struct owned_want *out);
/* Does a row of the table begin with this path? Then its body is worth a look. */
bool owned_may_be(const char *path);

/* Calls learn(arg, kind, id) for everything a good answer says about its own account. `body`: the whole answer. */
void owned_answer(const struct owned_want *w, struct str body,
                  void (*learn)(void *arg, enum sticky_kind kind, struct str id), void *arg);
/* A good answer means that the thing is gone. */
bool owned_was_deleted(const struct owned_want *w);
/* The account's name that a voice's uri carries as its third part; empty for anything else. */
struct str owned_hint(const struct owned_want *w);

#endif
