/* Names -> addresses on a thread of its own, because getaddrinfo can hang for minutes. Watches one host (the
 * upstream's or the proxy's): resolves at once, every 60 s, and when asked after a connect failure. A good answer is
 * kept for ever; a later failure changes nothing. IP literals need no thread and are answered at once.
 * Other hosts (of pictures) are looked up on demand, one after the other; good answers are kept for a minute. */
#ifndef SFPROXY_NET_RESOLVER_H
#define SFPROXY_NET_RESOLVER_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/str.h"

/* Immutable and reference-counted; any thread. */
struct addrs {
    atomic_uint refs;
    char *host;
    int port;
    char *resolve_entry; /* for CURLOPT_RESOLVE: "host:port:ip,ip,[ip6]"; NULL when the host is an address itself, or
                            when `failed` */
    bool failed;         /* no answer yet and the last try failed: `error` says why */
    char error[160];
};
struct addrs *addrs_get(struct addrs *a);
void addrs_put(struct addrs *a);                         /* NULL is fine */
struct addrs *addrs_literal(const char *host, int port); /* of a host that is an address itself */

struct resolver;
/* `answer` is called with a new reference whenever there is news (a first answer, a change, or a failure while there
 * is no good answer yet), on the resolver's thread (for a literal: inside resolver_watch()); it must only post, and
 * must not call the resolver. NULL: no thread could be made. */
struct resolver *resolver_new(void (*answer)(void *arg, struct addrs *a), void *arg);
/* Any thread: watch this host from now on (a change of base_url); answers for the former one are not delivered any
 * more. */
void resolver_watch(struct resolver *r, const char *host, int port);
void resolver_hurry(struct resolver *r); /* any thread: ask again soon (at most once a second) */

/* The addresses of another host, once. The asker's memory; the resolver holds it until it has answered. */
struct resolver_question {
    struct list node; /* the resolver's */
    const char *host; /* a name, no address */
    int port;
    bool public_only; /* addresses of this machine and of private networks are left out */
    /* With a new reference (perhaps `failed`), exactly once: inside resolver_ask() when it is known or refused, else on
     * the resolver's thread or inside resolver_close(). It must only post, and must not call the resolver. */
    void (*answer)(struct resolver_question *q, struct addrs *a);
};
void resolver_ask(struct resolver *r, struct resolver_question *q); /* any thread */

/* No answer of a watch after it returns, every open question is answered, later ones are refused at once. Does not wait
 * for a stuck getaddrinfo: the thread is left behind, detached, and touches only its own memory. */
void resolver_close(struct resolver *r);
void resolver_free(struct resolver *r); /* closes it when nobody did; NULL is fine */

#endif
