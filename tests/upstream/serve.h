/* The server: one thread, one epoll, level-triggered. It owns every connection; the other files only append bytes to
 * conn.out, set the timer and move the exchange on. */
#ifndef STANDIN_SERVE_H
#define STANDIN_SERVE_H

#include "accounts.h"
#include "act.h"
#include "http.h"
#include "report.h"

enum phase {
    PH_HEAD,   /* reading a request head */
    PH_BODY,   /* reading its body */
    PH_DRAIN,  /* the answer went out early, the body is being thrown away */
    PH_HOLD,   /* the answer is ready, its time has not come */
    PH_ANSWER, /* sending */
    PH_WAIT,   /* a control request waits for a condition */
    PH_LINGER, /* nothing is read any more; the timer closes */
};

enum flow { FLOW_PLAIN, FLOW_CHAT, FLOW_TEXT, FLOW_MESSAGES, FLOW_BYTES, FLOW_BENCH };

/* How the connection goes on after the answer. */
enum after { AFTER_KEEP, AFTER_CLOSE, AFTER_RST };

/* One request and its answer. */
struct exchange {
    bool active;
    bool control;     /* under /_standin/: in no count */
    bool head_sent;   /* a byte of the answer left */
    bool finished;    /* the last byte of the answer is in conn.out */
    bool faulted;     /* the answer does not end as it should */
    bool stream_open; /* counted in open_streams */
    bool blocked;     /* the pump stopped because conn.out is full */
    enum flow flow;
    enum after after;
    uint64_t seq; /* of the row, 0 = none */
    struct key *key;
    struct cell *cell;
    struct act *act;
    char *model;          /* decoded, for look-ups */
    struct buf model_raw; /* as it stood in the request, for the echo */
    int status;
    const char *type;
    struct buf body;
    char trace[64], id[40];
    long created;
    bool chunked, stalled, tools, include_usage, reasons;
    int n_reason, n_text, step;
    long chunk_bytes, tokens_per_chunk, images;
    bool by_length; /* max_tokens cut it */
    int64_t interval, due;
    int64_t tokens_in, tokens_out, tokens_reason;
    uint64_t events;
    uint64_t fill_left;   /* filler still to be made */
    struct buf fill_tail; /* goes out after the filler */
    uint32_t gz_crc, gz_len;
};

struct conn {
    int fd;
    uint64_t number, served;
    uint32_t armed; /* epoll events registered */
    enum phase phase;
    bool dead, eof, is_control, reset_next, rst_at_timer;
    struct buf in, out;
    struct request rq;
    struct exchange ex;
    int64_t timer; /* 0 = none */
    size_t heap_at;
    struct conn *next_dead, *next_waiter;
    struct wait *wait;
};

/* Answers put off the reading side of a connection at this many waiting bytes. */
enum { OUT_CAP = 256 * 1024, IN_CAP = 64 * 1024 };

/* The monotonic clock in ns, read once per turn of the loop. */
int64_t now_ns(void);
/* The same, read now. */
int64_t clock_ns(void);
/* timers.c: sets the connection's timer to this time, 0 = none. */
void conn_timer(struct conn *c, int64_t at);
size_t timers_count(void);
/* The connection whose timer is the first to have passed, or NULL. */
struct conn *timers_due(int64_t now);
/* How long epoll may sleep, at most a second. */
int timers_wait_ms(void);
void conn_close(struct conn *c, bool rst);
/* The exchange is over; frees what it holds and decides what the connection does next. */
void exchange_end(struct conn *c, enum ending how);
/* Opens the listening socket; the port that was chosen, or -1 and a sentence. */
int serve_listen(const char *host, int port, struct buf *why);
/* Runs until *stop. */
void serve_run(volatile int *stop);
/* Sends what waits and reads the next request; for control.c, which answers waiting connections out of turn. */
void conn_process(struct conn *c);

/* answers.c: a head is complete (early answers), a whole request is there. */
bool answer_early(struct conn *c);
void answer_request(struct conn *c, const char *body, size_t n);
/* respond.c */
void respond_ready(struct conn *c);
void respond_begin(struct conn *c);
void respond_pump(struct conn *c);
/* control.c */
void control_request(struct conn *c, const char *body, size_t n);
void control_timeout(struct conn *c);
void control_forget(struct conn *c);
void control_check(void);
bool control_waiting(void);

#endif
