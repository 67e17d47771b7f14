/* A filter stands between the platform's bytes and the client's and rewrites an answer that was let through the gate.
 * Pure: bytes in, bytes out; it knows no sockets. What is counted is read from the platform's bytes, before it.
 * One filter serves one answer: either a stream or a whole body. An exchange's owner: its worker's thread. */
#ifndef SFPROXY_PROXY_FILTER_H
#define SFPROXY_PROXY_FILTER_H

#include "base/buf.h"

struct filter;

struct filter_ops {
    /* Bytes of an event stream, cut anywhere. Appends to `out` what can be told by now. */
    void (*stream)(struct filter *f, struct str bytes, struct buf *out);
    /* The stream ended as it should: what is held back comes out. */
    void (*stream_end)(struct filter *f, struct buf *out);
    /* A whole JSON answer; appends all of the new one. */
    void (*whole)(struct filter *f, struct str body, struct buf *out);
    void (*free)(struct filter *f);
};

struct filter {
    const struct filter_ops *ops;
};

/* Forms in which reasoning becomes part of the answer's text. */
enum reasoning_form {
    REASONING_QUOTE, /* "> " in front of each of its lines */
    REASONING_TAGS,  /* <think> ... </think> */
};

/* Moves reasoning_content into content; the answer's `model` becomes `alias` (copied). filter->ops->free() frees it.
 * See filter_reasoning.c for the rules. */
struct filter *filter_reasoning(enum reasoning_form form, const char *alias);

#endif
