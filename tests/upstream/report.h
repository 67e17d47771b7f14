/* The ledger: what really arrived and how it ended. Totals count every API request; rows (the last ROWS) keep each
 * one whole. Requests under /_standin/ are in neither. Models that begin with bench/ have no rows. */
#ifndef STANDIN_REPORT_H
#define STANDIN_REPORT_H

#include "accounts.h"

enum ending { RUNNING, COMPLETED, CANCELLED, FAULTED };

struct totals {
    uint64_t requests, completed, cancelled, faulted, bad_requests, partial_requests;
    uint64_t bytes_in, bytes_out, accepted, events, tokens_in, tokens_out;
    uint64_t open_connections, in_flight, open_streams, max_connections, max_in_flight, max_streams;
    uint64_t by_status[MAX_STATUS];
};

struct row {
    uint64_t seq; /* 1 is the first; 0 = unused */
    int64_t start, end, cancelled_at;
    char *head;
    size_t head_len;
    const struct key *key;
    char *model;
    bool stream;
    unsigned char sha256[32];
    uint64_t body_bytes;
    int status;
    const char *fault;
    enum ending ending;
    const char *phase, *how;
    int64_t tokens_in, tokens_out;
    uint64_t events, connection, nth_on_connection;
};

extern struct totals totals;

/* A new row; valid until ROWS later ones were made, so ask by number again. */
struct row *report_row(void);
struct row *report_find(uint64_t seq);
/* Remembers a cancellation, also of requests that have no row. */
void report_cancel(uint64_t seq, const char *model, const char *phase, const char *how, int64_t now);
void report_reset(void);
void report_start(int64_t now);
void report_totals(struct buf *out);
void report_json(struct buf *out, long last);

#endif
