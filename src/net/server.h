/* The HTTP/1.1 server side of one worker: its client connections, from accept to close. It knows framing, limits,
 * timeouts, pipelining, backpressure and disconnects; it knows no routes and writes no error bodies: whatever goes
 * wrong before a request is complete is told to the handler, which answers in the client's dialect.
 *
 * Life of a connection: HEAD -> (BODY) -> HANDLE -> REPLY -> HEAD ... -> LINGER -> closed. While a request is handled
 * further pipelined bytes wait unread. A FIN or RST while a request is handled means the client is gone (on_gone):
 * a half-closed client gets no answer, except that a reply already complete (also one given within on_head or on_body)
 * is still flushed.
 * Sockets are watched once, edge-triggered (READ|WRITE|CLOSED), and never removed before close. Output is flushed
 * once per loop turn. Connections are freed at the end of a turn. Owner: the worker's thread. */
#ifndef SFPROXY_NET_SERVER_H
#define SFPROXY_NET_SERVER_H

#include "net/body.h"
#include "net/head.h"
#include "net/loop.h"

struct server;
struct conn;

struct server_limits {
    struct head_limits head;
    int64_t head_timeout_ms;      /* first byte of a head -> its end: then 408; nothing since accept: closed silently */
    int64_t body_timeout_ms;      /* between two reads of a body, or below 1 KiB/s after this time: then 408 */
    int64_t keepalive_timeout_ms; /* idle: closed silently */
    int64_t write_timeout_ms;     /* no progress of a non-empty output queue: gone (GONE_STALLED) */
    size_t client_queue;          /* output bytes above which conn_write() says stop */
};

enum request_fault { /* why a request ended before it was complete; `status` is the proper HTTP status */
                     FAULT_BAD_HEAD,       /* 400, 414, 417, 431, 501, 505 as head_parse() said */
                     FAULT_HEAD_TIMEOUT,   /* 408 */
                     FAULT_BODY_TIMEOUT,   /* 408 */
                     FAULT_BAD_CHUNK,      /* 400 */
                     FAULT_BODY_TOO_LARGE, /* 413: beyond the limit given to conn_read_body() */
                     FAULT_NO_MEMORY,      /* 503: beyond the memory budget */
};

enum gone_reason {
    GONE_CLOSED,   /* FIN or RST */
    GONE_STALLED,  /* took nothing of its answer for write_timeout */
    GONE_SHUTDOWN, /* server_free() with the request still open */
};

struct server_ops {
    /* A head is complete and valid. The slices live until the reply is complete. The handler answers, or asks for the
     * body with conn_read_body(), now or later. */
    void (*on_head)(void *arg, struct conn *c, const struct head *h);
    /* The body asked for is complete: conn_body(). Not called without conn_read_body(). */
    void (*on_body)(void *arg, struct conn *c);
    /* The request can't be had. Must answer with conn_reply() (the connection closes after it, lingering).
     * `h` is NULL when the head was bad. */
    void (*on_fault)(void *arg, struct conn *c, const struct head *h, enum request_fault fault, int status);
    /* The output queue fell below half of client_queue after conn_write() said stop. */
    void (*on_drain)(void *arg, struct conn *c);
    /* The client is gone while its request is open (between on_head and the complete reply). Last call for this
     * request; the conn must not be used after it returns. */
    void (*on_gone)(void *arg, struct conn *c, enum gone_reason why);
};

/* Limits are copied; ops, arg, budget and loop must outlive the server. */
struct server *server_new(struct loop *l, const struct server_ops *ops, void *arg, const struct server_limits *limits,
                          struct memory_budget *budget);
void server_set_limits(struct server *s, const struct server_limits *limits); /* for heads to come */
/* Takes over a non-blocking connected socket. `peer`: "127.0.0.1", "::1", or "local" for control.sock. */
void server_adopt(struct server *s, int fd, const char *peer, bool is_local);
unsigned server_count(const struct server *s); /* open connections; readable from any thread */
void server_reap(struct server *s);            /* once a minute: frees pooled things that were not needed since */
unsigned server_idle(const struct server *s);  /* those of them without a request; readable from any thread */
/* Makes room for another connection: the one that has been idle longest is closed, if there is one. */
void server_close_oldest_idle(struct server *s);
/* From now on: idle connections are closed, every reply closes its connection. */
void server_drain(struct server *s);
void server_free(struct server *s); /* on_gone for open requests, closes everything */

/* Per-request pointer of the handler; NULL at on_head/on_fault of a new request. */
void conn_set_user(struct conn *c, void *user);
void *conn_user(const struct conn *c);
const char *conn_peer(const struct conn *c);
bool conn_is_local(const struct conn *c);           /* came over control.sock: the peer's uid was checked */
const struct head *conn_head(const struct conn *c); /* NULL when it was bad, and once conn_start() was called */
bool conn_said_tls(const struct conn *c);           /* in on_fault: the bad head begins like a TLS handshake */

/* Handlers are only called from the connection's own task at the end of a turn, never from inside one of these calls.
 *
 * Starts reading the body (sends 100 Continue when expected); at most `limit` bytes, else FAULT_BODY_TOO_LARGE (a
 * Content-Length above the limit at once). Memory is charged by Content-Length, or in steps of 1 MiB when chunked;
 * the buffer itself grows by doubling as bytes arrive. Without a body on_body comes right away (at end of turn). */
void conn_read_body(struct conn *c, uint64_t limit);
struct str conn_body(const struct conn *c);
struct body *conn_take_body(struct conn *c); /* ownership to the caller; NULL when there was none */

/* One whole answer. `headers`: lines "Name: value\r\n" (may be empty; Content-Length, Connection, Date are added
 * here). HEAD: body left out, Content-Length kept. status 204/304: no body. A request whose body was not read
 * completely makes the connection close, lingering (<= 64 KiB, 2 s). */
void conn_reply(struct conn *c, int status, struct str headers, struct str body);
/* An answer in pieces. content_length -1: chunked for HTTP/1.1, close-delimited for 1.0. */
void conn_start(struct conn *c, int status, struct str headers, int64_t content_length);
/* Queues (always takes all of it). False: the queue is above client_queue, stop until on_drain. */
bool conn_write(struct conn *c, struct str data);
void conn_end(struct conn *c); /* complete; the connection goes on with the next request or closes */
/* The answer broke off: flush what is queued, no last chunk, close. Also before conn_start(): just close. */
void conn_abort(struct conn *c);
/* The connection closes after this reply. */
void conn_close_after(struct conn *c);
size_t conn_queued(const struct conn *c);
bool conn_started(const struct conn *c);       /* reply begun */
uint64_t conn_bytes_out(const struct conn *c); /* body bytes queued for this reply */

/* Reason phrase of a status ("" if unknown). */
const char *http_reason(int status);

#endif
