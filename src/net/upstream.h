/* Calls to the upstream: libcurl multi in the worker's loop, in shards of at most 256 transfers (libcurl walks all
 * connections of a host for each new request). HTTP/1.1 only; redirects never followed; no proxy from the
 * environment; certificates always checked; SIGPIPE is the process's affair (ignored).
 * Callbacks come on the worker's thread. A call may be cancelled, paused and resumed from anywhere, its own callbacks
 * included; after upstream_cancel() returns there is no callback any more. */
#ifndef SFPROXY_NET_UPSTREAM_H
#define SFPROXY_NET_UPSTREAM_H

#include "net/body.h"
#include "net/head.h"
#include "net/loop.h"
#include "net/resolver.h"

struct upstream; /* per worker */
struct call;     /* one transfer */

struct upstream_options {
    const char *ca_file; /* "" = system */
    const char *proxy;   /* "" = none */
    int64_t connect_timeout_ms;
    bool allow_http; /* base_url is http:// */
};

enum call_result {
    CALL_OK,
    CALL_DNS,       /* never for us, except through a proxy that resolves */
    CALL_CONNECT,   /* refused, unreachable, connect timeout: nothing was sent */
    CALL_TLS,       /* handshake or certificate: nothing was sent */
    CALL_RESET,     /* lost before a complete head: the request may have been worked on */
    CALL_GARBAGE,   /* not HTTP, head too large, bad framing before the body */
    CALL_TRUNCATED, /* lost after the head: Content-Length or chunks incomplete, reset */
    CALL_NO_MEMORY, /* libcurl had none: this machine's doing, nobody else's */
    CALL_INTERNAL,  /* curl said something we do not know; the sentence has it */
};

struct call_head {
    int status;
    struct str content_type; /* "" when absent; slices live during on_head */
    int64_t content_length;  /* -1 unknown */
    struct head_field fields[64];
    size_t field_count; /* further ones are dropped */
};

struct call_end {
    enum call_result result;
    char sentence[200]; /* curl's words, without the key */
    bool sent;          /* the request left at least in part */
    bool reused;        /* on a pooled connection */
    uint64_t bytes_up, bytes_down;
    int64_t connect_us; /* 0 on a reused one */
};

/* Any of them may be NULL. The struct must live as long as its calls. */
struct call_ops {
    /* The request was handed to the kernel completely: once, before on_head. Never called when the answer came before
     * the whole body was sent, and never for a call that could not connect. */
    void (*on_sent)(void *arg);
    void (*on_head)(void *arg, const struct call_head *h); /* final head (1xx skipped); also for 3xx */
    /* False: pause after this piece (its data was taken). libcurl holds back at most one more piece (16 KiB). */
    bool (*on_body)(void *arg, struct str data);
    /* Last; the call is gone. Not after upstream_cancel(). May come while paused when no data is left. */
    void (*on_done)(void *arg, const struct call_end *end);
};

struct call_spec {
    const char *method; /* "GET", "POST", "DELETE" ... */
    const char *url;    /* copied */
    /* Complete header lines without CRLF, copied ("Content-Type: application/json"). Accept-Encoding: identity, no
     * Expect, no User-Agent of libcurl are set here. */
    const char *const *headers;
    size_t header_count;
    const char *auth;    /* "Authorization: Bearer sk-..."; copied and wiped afterwards; NULL = none */
    struct body *body;   /* NULL = none; one more reference is taken */
    bool has_body;       /* POST with an empty body when body is NULL */
    struct addrs *addrs; /* one more reference is taken; NULL: only with a proxy that resolves */
};

struct upstream *upstream_new(struct loop *l, const struct upstream_options *o);
void upstream_free(struct upstream *u); /* cancels what is left; not from a call's callback; NULL is fine */
/* New options for calls to come (reload); pooled connections are dropped when ca_file or proxy changed. */
void upstream_set_options(struct upstream *u, const struct upstream_options *o);
/* Starts; never NULL: a failure comes through on_done at the end of this turn. */
struct call *upstream_start(struct upstream *u, const struct call_spec *spec, const struct call_ops *ops, void *arg);
void upstream_resume(struct call *c); /* after on_body returned false; on_body runs at the end of the turn */
/* No callback after it returns; NULL is fine; at most once, and not after on_done. The connection of an unfinished call
 * is closed at the end of this turn. */
void upstream_cancel(struct call *c);
unsigned upstream_count(const struct upstream *u); /* running calls */
void upstream_reap(
    struct upstream *u); /* once a minute: frees the handles that were not needed since; not in a callback */

/* Once, in main, before any thread. False with a sentence. */
bool upstream_global_init(struct buf *why);

#endif
