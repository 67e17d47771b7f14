/* An upstream's reply head, collected line by line as libcurl hands it over. Pure. Private to net/upstream. */
#ifndef SFPROXY_NET_REPLY_H
#define SFPROXY_NET_REPLY_H

#include "net/upstream.h"

#define REPLY_HEAD_MAX (64 * 1024)
enum { REPLY_INTERIM_MAX = 16 };

struct reply {
    struct buf bytes; /* the head being received */
    unsigned interim; /* 1xx heads before it */
    bool complete;    /* the final head was seen: what follows are trailers */
};

enum reply_step { REPLY_MORE, REPLY_FINAL, REPLY_BAD };

void reply_init(struct reply *r);
void reply_reset(struct reply *r); /* for the next request; big memory is given back */
void reply_free(struct reply *r);
/* One line with its line end. REPLY_FINAL: *head is filled, with slices of r->bytes. REPLY_BAD: *why is a sentence. */
enum reply_step reply_line(struct reply *r, struct str line, struct call_head *head, const char **why);

#endif
