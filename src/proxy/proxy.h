/* One worker's share of the proxy: its client connections, its calls upstream, and the exchanges between them. All
 * functions: the worker's thread, unless a comment says otherwise. */
#ifndef SFPROXY_PROXY_PROXY_H
#define SFPROXY_PROXY_PROXY_H

#include "base/ring.h"
#include "meter/record.h"
#include "net/resolver.h"
#include "pool/sticky.h"
#include "proxy/clients.h"
#include "proxy/local.h"
#include "proxy/steps.h"

/* What all workers share; each member looks after its own threads. */
struct proxy_shared {
    struct keypool *pool;
    struct sticky *sticky;       /* NULL: nothing is remembered */
    struct memory_budget budget; /* of request bodies */
    struct client_counts clients;
    const struct local_table *const *tables; /* of the routes we answer ourselves, in order */
    size_t table_count;
    void (*connect_failed)(void *arg);                       /* ask the resolver again; any thread */
    void (*look_up)(void *arg, struct resolver_question *q); /* resolver_ask(); any thread */
    void (*news)(void *arg);                                 /* the ring is half full; any thread */
    void *arg;
    atomic_bool draining;
};

/* Models banned at run time or by configuration; immutable, reference-counted. */
struct ban_set {
    atomic_uint refs;
    size_t count;
    char *models[];
};
struct ban_set *ban_set_new(char *const *models, size_t count); /* copies */
struct ban_set *ban_set_get(struct ban_set *b);
void ban_set_put(struct ban_set *b);
bool ban_set_has(const struct ban_set *b, struct str model);

struct proxy;
struct catalog;

struct proxy *proxy_new(struct loop *l, struct proxy_shared *shared, unsigned worker_id, struct conf *conf);
/* The end, on the worker's thread: kills what is left, closes every connection; counters and records stay. */
void proxy_shutdown(struct proxy *p);
void proxy_free(struct proxy *p); /* after proxy_shutdown(); any thread */
void proxy_adopt(struct proxy *p, int fd, const char *peer, bool is_local);
unsigned proxy_connections(const struct proxy *p);      /* any thread */
unsigned proxy_idle_connections(const struct proxy *p); /* any thread: those of them without a request */
void proxy_make_room(struct proxy *p, void *unused);    /* closes the one that has been idle longest */
/* One reference is taken over by each of these. */
void proxy_set_conf(struct proxy *p, struct conf *conf);
void proxy_set_addrs(struct proxy *p, struct addrs *a);
void proxy_set_bans(struct proxy *p, struct ban_set *b);
void proxy_set_catalog(struct proxy *p, struct catalog *c);
/* The key pool says that this exchange, when it still waits, may ask for a key again. */
void proxy_wake(struct proxy *p, uint64_t exchange);
/* Idle connections close, replies close their connection; what runs goes on. */
void proxy_drain(struct proxy *p);
/* Ends every exchange: an error event on running streams, an error answer on the others. */
void proxy_kill_all(struct proxy *p, const char *why);
bool proxy_cancel(struct proxy *p, uint64_t request_id, const char *why);
struct ring *proxy_records(struct proxy *p); /* for the control thread: struct record */

struct live_request {
    struct record r; /* what is known so far */
    enum step step;
    int64_t age_ms;
};
size_t proxy_live(struct proxy *p, struct live_request *out, size_t room); /* newest first */
unsigned proxy_in_flight(const struct proxy *p);                           /* any thread */
/* Takes over what did not fit into the ring: the control thread, after the worker has ended. */
bool proxy_take_overflow(struct proxy *p, struct record *out);

/* --- tests of keys: requests of our own, without a client --- */
enum probe_kind { PROBE_MODELS, PROBE_DEEP, PROBE_BALANCE };
struct probe_result {
    enum probe_kind kind;
    char key_id[KEY_ID_LEN + 1];
    bool found;           /* the key is in the pool */
    struct lease_end end; /* end.message points to `message`; end.model is not set */
    char message[300];
    int64_t took_ms;
    bool has_balance; /* PROBE_BALANCE that was answered */
    int64_t total_micro;
    bool has_charge; /* it told chargeBalance, which alone pays for Pro/ */
    int64_t charge_micro;
    char user_status[32]; /* its data.status, "normal"; "" none */
    char account[64];     /* its data.id, "" none */
};
/* done(arg, result) runs on the worker's thread, exactly once, and must only post. Never touches error counters. */
void proxy_probe(struct proxy *p, enum probe_kind kind, const char *key_id, void (*done)(void *, struct probe_result *),
                 void *arg);

#endif
