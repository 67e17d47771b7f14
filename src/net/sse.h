/* Server-sent events, as an observer: finds event boundaries in a byte stream cut anywhere, for any of \n, \r\n, \r.
 * Pure, incremental. An event larger than SSE_EVENT_MAX is passed over unparsed (`skipped`); who must not lose its
 * bytes asks for them in parts. */
#ifndef SFPROXY_NET_SSE_H
#define SFPROXY_NET_SSE_H

#include "base/buf.h"

#define SSE_EVENT_MAX (1024 * 1024)

struct sse_event {
    struct str type;   /* of the "event:" line, "" when absent */
    struct str data;   /* "data:" lines joined by \n; slices live during the callback */
    bool comment_only; /* no "data:" and no "event:" line: comments, "id:", "retry:" */
    struct str raw;    /* its bytes, the blank line left out */
    bool part;         /* `raw` is a part of an event that is too large, nothing else is set (with `parts` only) */
    bool part_ends;    /* the last part of it: the blank line follows */
};

struct sse_reader {
    struct buf pending; /* bytes of the unfinished event */
    struct buf data;    /* joined data of the event being delivered, when it has several lines */
    bool skipping;      /* inside an event that is too large */
    uint64_t events;    /* complete ones seen, comments left out */
    uint64_t skipped;
    int state;
    bool begun; /* something was read: no byte order mark any more */
    bool parts; /* set after sse_init(): events that are too large are delivered too, in parts */
};

void sse_init(struct sse_reader *r);
void sse_free(struct sse_reader *r);
/* Feeds bytes; fn runs per complete event, in order. fn must not touch the reader. */
void sse_feed(struct sse_reader *r, struct str bytes, void (*fn)(void *arg, const struct sse_event *e), void *arg);
/* The stream ended: an event whose blank line is missing is delivered as it is (some servers end like that). */
void sse_finish(struct sse_reader *r, void (*fn)(void *arg, const struct sse_event *e), void *arg);

#endif
