/* Private to proxy/: one request's state, shared by exchange.c (life), attempt.c (tries upstream), answer.c (towards
 * the client) and settle.c (the end). See exchange.c for the story. */
#ifndef SFPROXY_PROXY_EXCHANGE_H
#define SFPROXY_PROXY_EXCHANGE_H

#include "base/list.h"
#include "base/map.h"
#include "base/spares.h"
#include "net/upstream.h"
#include "proxy/bound.h"
#include "proxy/filter.h"
#include "proxy/proxy.h"
#include "proxy/retry.h"
#include "proxy/route.h"
#include "proxy/scan.h"
#include "proxy/tap.h"

#define EXCHANGE_MAGIC 0x5f3c8e21u
#define GATE_BYTES     (64 * 1024)
#define FILTERED_BYTES (8 * 1024 * 1024)  /* most bytes of an answer that a filter takes whole */
#define FILTER_OUT_MAX (64 * 1024 * 1024) /* most bytes a filter makes of one piece, or of a whole answer */
#define ID_STEP        64                 /* as many workers as there may be */
#define PART_BYTES     (1024 * 1024)      /* most bytes of the answer to a part */

enum gate {
    GATE_NONE,  /* no head yet */
    GATE_EVENT, /* an event stream: wait for the first complete event */
    GATE_BODY,  /* anything else that is text: wait for 64 KiB or the end */
    GATE_OPEN,  /* bytes go to the client; nothing can be retried any more */
    GATE_DROP,  /* judged and refused: what still comes is dropped */
};

/* What a part was told: the platform's whole answer, or the error a client would have got. */
struct part_answer {
    bool whole;           /* the answer stands in the part's gate_bytes; `verdict` is OK or final */
    enum verdict verdict; /* of the last try */
    enum error_code code;
    const char *message;
    int64_t retry_after_ms;
    enum end_reason end;
};

/* How an exchange belongs to another one (part.c). */
struct part {
    struct exchange *of; /* NULL: an ordinary request */
    void (*done)(void *arg, const struct part_answer *a);
    void *arg;
};

struct exchange {
    unsigned magic;
    struct proxy *p;
    struct list node;      /* p->live, newest first; p->waiting while STEP_WAIT is in `waiting` too */
    struct list wait_node; /* STEP_WAIT: p->waiting (address) or p->in_line (key) */
    uint32_t ticket;       /* place in line for a key; 0 none */
    mono_t wait_deadline;  /* for all its waits for keys; 0: it never waited */
    bool trial;            /* its last try was the probe of an open breaker */
    enum step step;
    uint64_t id;
    char request_id[129]; /* ours, or the client's when it is safe */
    struct conn *conn;    /* NULL once the client is gone or the reply is complete */
    struct part part;     /* set: it has no client, it answers the request it is a part of */
    struct conf *conf;    /* the configuration this request began with */
    struct {
        enum route_kind kind;
        enum body_kind body;
        enum dialect dialect;
        bool upload;
        char *path; /* ours */
    } route;        /* struct route has room for the longest path: 1 KB a stream */
    char client[CLIENT_NAME_MAX + 1];
    mono_t begun;
    wall_t begun_wall;
    bool admitted;
    bool client_counted; /* against limits.max_requests_per_client */

    struct scan scan;    /* its model: the one that serves */
    char *asked;         /* the client's name for it, when that is another one */
    struct bound *bound; /* about something that one account owns; NULL: most are not */
    bool model_known;
    enum model_cost cost;     /* of the model, as known at the last try */
    bool cost_observed;       /* by traffic only */
    struct body *body;        /* until the gate has passed */
    struct image_job *images; /* set: it is served by parts (STEP_PARTS) */
    char method[16];
    uint64_t bytes_up;
    enum end_reason end; /* set by settle() */

    /* The running try. */
    struct call *call;
    struct lease lease;
    struct buf gate_bytes;
    enum gate gate;
    int status;               /* of the upstream's head */
    int64_t content_length;   /* of it, -1 */
    bool body_is_text;        /* JSON or text: judged; else binary */
    struct buf reply_headers; /* lines for the client from the upstream's head: first those about its body */
    size_t body_headers;      /* bytes of those */
    int64_t retry_after_ms;
    bool sent;
    int64_t try_started_us;

    /* Over all tries. */
    struct retry_budget budget;
    uint32_t tried[TRIED_MAX];
    size_t tried_count;
    uint8_t tries;
    struct try_record *try_list; /* of exactly `tries` */
    enum verdict last_verdict;
    struct upstream_error last_error;
    char last_sentence[200];   /* of a failed connection */
    enum error_code last_code; /* of a failed connection */

    /* Towards the client. */
    struct tap tap;
    struct usage usage;    /* of the last try, when its lease is back */
    int64_t units;         /* pictures, videos, bytes of a text to speak; 0 none */
    struct filter *filter; /* rewrites a good answer; NULL: it passes byte for byte */
    bool is_stream;        /* the answer is an event stream */
    bool comments_on;      /* the head went out without an event */
    bool paused;           /* the client is slow: the upstream waits */
    int client_status;     /* 0: nothing sent */
    uint64_t bytes_down;
    int64_t first_byte_us; /* first byte to the client, 0 none */

    /* Deadlines; ms 0 = none. One timer that looks at all of them. */
    struct loop_timer timer;
    mono_t timer_at; /* when it will fire, 0 unarmed; it stays armed beyond the request's end, for the next one */
    mono_t total_deadline, phase_deadline, gate_deadline, comment_at;
    mono_t last_data; /* for the idle timeout while streaming */
};

struct proxy {
    struct loop *loop;
    struct proxy_shared *shared;
    unsigned worker_id;
    struct conf *conf;
    struct addrs *addrs;
    struct ban_set *bans;
    struct catalog *catalog; /* NULL: the built-in table, before the first mail */
    struct server *server;
    struct upstream *upstream;
    struct list live;    /* struct exchange.node */
    struct list waiting; /* struct exchange.wait_node: for addresses */
    struct list in_line; /* struct exchange.wait_node: for keys */
    struct list dead;    /* struct exchange.node: settled, freed at the end of the turn */
    struct list fetches; /* struct fetch.node */
    struct list locals;  /* struct local_call.node: being answered */
    struct loop_task bury_task;
    char *scratch; /* text of the request being started */
    size_t scratch_room;
    struct buf filtered;    /* of the piece being passed on */
    struct exchange *spare; /* freed ones kept for reuse, linked by `spare_next` through node.next */
    struct spares spares;
    _Atomic unsigned in_flight;
    uint64_t next_id;  /* worker_id + a multiple of ID_STEP: unique in the process */
    uint32_t instance; /* random: makes request ids of two runs different */
    struct ring records;
    struct map known_models; /* names the platform accepted: at most KNOWN_MODELS_MAX */
    struct list overflow;    /* records that found the ring full */
    struct loop_timer overflow_timer;
    struct loop_timer reap_timer; /* once a minute: spare things that were not needed go */
    bool is_draining;
};

/* exchange.c */
void exchange_step(struct exchange *e, enum step to);
void exchange_pick(struct exchange *e);
void exchange_bury(void *proxy);     /* frees what is settled; end of a turn */
void exchange_reap(struct proxy *p); /* once a minute: frees spare ones that were not needed since */
void exchange_free_all(struct proxy *p);
void exchange_timer_arm(struct exchange *e);
void exchange_on_head(struct proxy *p, struct conn *c, const struct head *h, const struct route *route);
void exchange_on_body(struct exchange *e);
void exchange_on_gone(struct exchange *e, enum gone_reason why);
void exchange_kill(struct exchange *e, enum error_code code, const char *why);
void exchange_resume_waiting(struct proxy *p);
void exchange_leave_line(struct exchange *e); /* nothing when it is not in line */
int64_t ms_to_platform_midnight(wall_t now);

/* attempt.c: one try */
void attempt_start(struct exchange *e);
/* Ends the running try: returns the lease with the verdict, cancels the call if it still runs. */
void attempt_end(struct exchange *e, enum verdict v);
/* The running try failed with v; retries or answers. */
void attempt_failed(struct exchange *e, enum verdict v);
void attempt_on_timer(struct exchange *e, mono_t now);
void attempt_drained(struct exchange *e);

/* part.c: exchanges without a client */
struct exchange *exchange_new_part(struct exchange *of, const char *path); /* exchange.c */
/* A call to `path` for the request `of`, with the JSON body (one more reference is taken). done(arg, answer) runs
 * exactly once, perhaps before part_go() returns, unless part_give_up() comes first; the part is settled by then, but
 * stays readable to the end of the turn. */
struct exchange *part_new(struct exchange *of, const char *path, struct body *body,
                          void (*done)(void *arg, const struct part_answer *a), void *arg);
void part_go(struct exchange *part);
void part_give_up(struct exchange *part, enum end_reason end);
/* For answer.c and settle.c. */
void part_tell(struct exchange *part, const struct part_answer *a);
void part_settled(struct exchange *part);
/* What the part got becomes the request's own: the platform's answer, or what it said about its error. */
void part_hand_over(struct exchange *part, const struct part_answer *a);

/* image.c: requests about pictures */
bool image_wanted(const struct exchange *e);
void image_start(struct exchange *e); /* instead of exchange_pick(); admits it, or answers what is wrong */
void image_drained(struct exchange *e);
void image_stop(struct exchange *e); /* gives up whatever still runs for it; nothing when it is no such request */

/* answer.c: towards the client */
void answer_error(struct exchange *e, enum error_code code, const char *message, int64_t retry_after_ms,
                  enum end_reason end);
/* The last verdict, in the client's words. */
void answer_verdict(struct exchange *e);
void answer_no_key(struct exchange *e, const struct pick *pick);
/* The upstream's answer as it is: whole, or its beginning. */
void answer_whole(struct exchange *e, enum verdict v);
/* An answer of our own, 200. `extra`: header lines. */
void answer_json(struct exchange *e, struct str extra, struct str json);
void answer_begin(struct exchange *e);
/* Bytes of the running answer, through the filter. The exchange may be over afterwards. */
void answer_pass(struct exchange *e, struct str data);
extern const char no_memory_to_filter[];
/* What a filter held back of a stream that is complete. False: there was no memory for it. */
bool answer_rest(struct exchange *e);
void answer_broken(struct exchange *e, enum error_code code, const char *message, enum end_reason end);
/* Header lines every answer to a client gets. `e` may be NULL. */
void answer_common_headers(struct buf *h, const struct exchange *e);
/* An error before there is an exchange. */
void answer_plain_error(struct conn *c, enum dialect d, enum error_code code, const char *message, const char *extra);
void answer_cors_headers(struct buf *h);
void answer_preflight(struct conn *c, const struct head *h);

/* settle.c */
void settle(struct exchange *e, enum end_reason end);
void settle_admitted(struct exchange *e);
void settle_try_began(struct exchange *e);
void settle_fill(const struct exchange *e, struct record *r);
void settle_flush_overflow(struct proxy *p);
bool settle_take_overflow(struct proxy *p, struct record *out);

/* local.c */
bool local_dispatch(struct proxy *p, struct conn *c, const struct head *h, const char *path, enum dialect d);
void local_on_body(struct proxy *p, struct conn *c);
void local_on_gone(struct proxy *p, struct conn *c);
void local_free_all(struct proxy *p);
/* An error of ours on a client's route: in the clients' shape, with CORS headers. */
void local_refuse(struct local_call *lc, enum error_code code, const char *message);

/* What conn_user() points to: the first member tells an exchange from a local call. */
#define LOCAL_MAGIC 0x10ca1ca1u

#endif
