/* An answer that holds pictures: text, and pictures in base64 between it, made piece by piece as the client takes them,
 * so that a picture is in memory once. Pure. */
#ifndef SFPROXY_PROXY_FLOW_H
#define SFPROXY_PROXY_FLOW_H

#include "net/body.h"

struct flow_picture {
    size_t text_end; /* the text before it ends here */
    struct body *body;
    size_t from, to; /* bytes of it */
};

struct flow {
    struct buf text; /* everything but the pictures; append freely */
    struct flow_picture *pictures;
    size_t count, room;
    size_t at_picture, at_text, at_byte; /* what comes next */
};

void flow_init(struct flow *f, size_t text_max);
void flow_free(struct flow *f);
/* Behind the text so far: bytes [from, to) of the picture in base64. One reference is taken. */
void flow_picture(struct flow *f, struct body *picture, size_t from, size_t to);
/* Bytes of the whole answer; text.failed: it must not be used. */
uint64_t flow_length(const struct flow *f);
/* Appends the next piece, at most about `max` bytes (at least 4). False: nothing is left. */
bool flow_next(struct flow *f, struct buf *out, size_t max);

#endif
