/* Private to the server side (conn.c, conn_in.c, conn_out.c, server.c): one connection, and what connections of one
 * worker share. The picture of the states is in conn.c. Worker's thread. */
#ifndef SFPROXY_NET_CONN_H
#define SFPROXY_NET_CONN_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/spares.h"
#include "net/chunk.h"
#include "net/server.h"

enum {
    SCRATCH_SIZE = 64 * 1024,
    INPUT_FIRST = 4 * 1024,       /* first room of an input buffer: a small request in one recv() */
    BUFFER_KEPT_MAX = 16 * 1024,  /* larger buffers are freed, not pooled */
    POOLED_MAX = 256,             /* of each kind, per worker */
    DIRECT_WRITE_MIN = 16 * 1024, /* from here on data is sent from where it lies */
    LINGER_BYTES = 64 * 1024,
    LINGER_MS = 2000,
    STEPS_PER_TURN = 96,          /* of one connection, then the others get their turn */
    BODY_PER_STEP = 256 * 1024,   /* most bytes of one recv() */
    BODY_BELIEVED = 64 * 1024,    /* from here on a body's buffer grows faster */
    BODY_RATE_MIN = 1024,         /* bytes a second, once body_timeout has passed since a body's beginning */
    CHUNKED_CHARGE = 1024 * 1024, /* a chunked body is charged in steps of this */
};

enum conn_state {
    CONN_HEAD,   /* idle, or a head is coming */
    CONN_HANDLE, /* the handler has the request and has not begun to answer */
    CONN_BODY,   /* the handler waits for the body */
    CONN_REPLY,  /* an answer in pieces has begun */
    CONN_DONE,   /* the answer is complete; what the request held is about to be released */
    CONN_FLUSH,  /* the last answer: closes when it is out */
    CONN_LINGER, /* our side is shut; reads and drops so that no RST overtakes the answer */
    CONN_CLOSED, /* the descriptor is closed; freed by its task */
};

/* A head and the bytes it points into, pooled per worker: an idle connection has none. */
struct input {
    struct buf bytes;
    size_t pos; /* consumed so far */
    struct head head;
    size_t fields_room;
    struct input *next; /* in the pool */
};

struct conn {
    struct list link; /* of server->open, server->idle or server->dead */
    struct server *server;
    struct loop_io *io;
    struct loop_task task;
    struct loop_timer timer; /* one, lazily: fires early and looks at the deadlines */
    mono_t timer_at;         /* valid while timer.armed */
    int fd;
    enum conn_state state;
    char peer[46];
    bool is_local;

    bool idle;    /* on server->idle: nothing is lost when it is closed to make room */
    bool served;  /* has had a request */
    bool running; /* conn_run() is on the stack */
    bool timer_fired;
    bool readable;    /* not seen EAGAIN since the last read event */
    bool drained;     /* the last recv() was short: most likely nothing more is there */
    bool writable;    /* not seen EAGAIN since the last write event */
    bool peer_closed; /* FIN or RST seen, whatever is still unread before it */
    bool check_peer;  /* libevent may have hidden an RST in the last event */
    bool broken;      /* a read or write failed: nothing can be sent any more */
    bool close_after; /* sticky */
    bool linger;

    struct input *in;       /* of the current or coming request; NULL when idle */
    struct input *leftover; /* bytes behind a chunked body */
    bool unparsed;          /* `in` has bytes head_parse() has not seen */
    bool blocked;           /* the next head waits until answers have been taken */
    mono_t since;           /* head: its first byte; idle: its beginning; body: last read; linger: its beginning */
    mono_t body_began;

    /* of the request */
    void *user;
    bool has_head;
    bool body_asked, body_done; /* done: also when there is none */
    struct body *body;
    struct chunk_reader chunks;
    uint64_t body_limit;
    int fault_status; /* pending fault; 0: none */
    enum request_fault fault;

    /* of the reply */
    bool started;
    bool chunked_out;
    bool no_content;    /* HEAD, 1xx, 204, 304: nothing after the head */
    int64_t reply_left; /* bytes still due by Content-Length; -1: no length was given */
    uint64_t bytes_out;
    bool stopped; /* conn_write() said stop */

    struct buf out;
    size_t out_pos;     /* sent so far */
    mono_t write_since; /* last progress */
    int unacked;        /* bytes in the kernel's queue when it became full */
    size_t linger_left;
};

struct server {
    struct loop *loop;
    const struct server_ops *ops;
    void *arg;
    struct server_limits limits;
    struct memory_budget *budget;
    atomic_uint count, idle_count;
    bool draining;
    struct list open, dead;
    struct list idle; /* no request open, the longest idle first; never those of control.sock */

    struct list pool; /* conns */
    struct spares pooled_conns;
    struct input *inputs;
    struct spares pooled_inputs;
    struct buf outputs[POOLED_MAX];
    struct spares pooled_outputs;

    int64_t date_second;
    char date[48]; /* "Date: ...\r\n" */
    struct head_field fields[HEAD_FIELDS_MAX];
    char scratch[SCRATCH_SIZE];
};

/* server.c */
struct input *input_take(struct server *s);
void input_give(struct server *s, struct input *in); /* NULL is fine */
struct buf output_take(struct server *s);
void output_give(struct server *s, struct buf *b); /* empties *b */
struct str server_date_line(struct server *s);
void conn_destroy(struct conn *c); /* a closed one: to the pool, or frees it */

/* conn.c */
void conn_open(struct conn *c);
void conn_kick(struct conn *c); /* conn_run() at the end of this turn */
void conn_set_idle(struct conn *c, bool idle);
void conn_close(struct conn *c); /* at once, without a word to the handler */
/* Tells the handler when a request is open, then closes. */
void conn_gone(struct conn *c, enum gone_reason why);
bool conn_is_open(const struct conn *c); /* a request is open: between on_head/on_fault and the complete reply */
void conn_raise(struct conn *c, enum request_fault fault, int status);

/* conn_in.c: each true when it changed something, so that it pays to look again */
bool conn_step_head(struct conn *c);
bool conn_step_body(struct conn *c);
bool conn_step_linger(struct conn *c);
void conn_next_request(struct conn *c); /* drops the finished request's bytes */
bool conn_has_input(const struct conn *c);
/* A long answer has begun and needs the request's head no more: 5 KB less a stream. Keeps what was read beyond it. */
void conn_drop_head(struct conn *c);

/* conn_out.c */
static inline size_t conn_out_len(const struct conn *c)
{
    return c->out.len - c->out_pos;
}
void conn_out_add(struct conn *c, const void *data, size_t n);
void conn_flush(struct conn *c);
int conn_unacked(const struct conn *c);

#endif
