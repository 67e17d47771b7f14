/* Calls of our own to the platform, without a client: tests of keys, lists of models, look-ups of jobs, merged lists.
 * They touch no counter, no cooldown and no class; what was learned is the caller's. The worker's thread. */
#ifndef SFPROXY_PROXY_FETCH_H
#define SFPROXY_PROXY_FETCH_H

#include "proxy/proxy.h"

struct fetch;

struct fetch_ask {
    /* Whose key: one of the three. */
    const char *key_id; /* this key of the pool, whatever its state */
    const char *secret; /* a key that is none of the pool's */
    bool any_key;       /* one that may serve now; when the platform refuses it, the next one (max_refusals times) */

    const struct key_owner *owner; /* with any_key: keys of this account only; copied. NULL: of any */

    const char *method;  /* a literal; NULL: GET, or POST with a body */
    const char *path;    /* below /v1, without a slash in front: "models" */
    struct str query;    /* without '?' */
    struct str body;     /* JSON; n 0: none */
    size_t max_bytes;    /* of the answer, more is VERDICT_GARBAGE; 0: 1 MiB */
    int64_t timeout_ms;  /* of each try; 0: 20 s */
    const char *api_url; /* another platform: "https://api.siliconflow.com/v1", with `addrs` of its host; NULL: ours */
    struct addrs *addrs; /* one more reference is taken; NULL: ours */
};

struct fetch_result {
    char key_id[KEY_ID_LEN + 1]; /* the key that was used last; "" none, or `secret` */
    bool found;                  /* there was a key to use */
    enum verdict verdict;        /* CANCELLED: there was none, or the end of the worker */
    int status;                  /* HTTP, 0 none */
    int64_t code;                /* the platform's, 0 none */
    char message[300];           /* what was wrong, cleaned; "" nothing */
    int64_t retry_after_ms;      /* 0 none */
    struct str body;             /* lives during done() */
    int64_t took_ms;             /* of all tries */
};

/* done(arg, result) runs once, on this thread, never inside proxy_fetch(); the handle is void from then on. */
struct fetch *proxy_fetch(struct proxy *p, const struct fetch_ask *ask,
                          void (*done)(void *arg, const struct fetch_result *result), void *arg);
/* No callback after it returns. Not after done(); NULL is fine. */
void fetch_cancel(struct fetch *f);
/* The end of the worker: every done() runs with VERDICT_CANCELLED. */
void fetch_end_all(struct proxy *p);

#endif
