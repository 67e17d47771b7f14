/* The request side of HTTP/1.1: head parser, chunked body decoder, query strings, multipart. Pure functions. */
#ifndef STANDIN_HTTP_H
#define STANDIN_HTTP_H

#include "buf.h"

#include <stdint.h>

struct field {
    uint32_t name, name_len, value, value_len; /* offsets into request.head */
};

/* One request. head is a copy of the raw head, so that the input buffer may move. */
struct request {
    struct buf head;
    struct field *fields;
    size_t n_fields, cap_fields;
    char method[16];
    char *path, *query; /* in target, NUL-terminated; query is "" when there is none */
    struct buf target;
    int minor; /* 0 or 1 of HTTP/1.x */
    bool keep_alive, chunked, expect;
    uint64_t length; /* of the body when not chunked */
    /* state of the chunked decoder */
    int chunk_state;
    uint64_t chunk_left;
    struct buf body; /* decoded, only when chunked */
};

/* Looks for a whole head in p..n. > 0: its length and rq is filled; 0: more bytes are needed; -1: not HTTP or
 * framing that must not be trusted. */
long http_head(struct request *rq, const char *p, size_t n);
/* Decodes chunked bytes into rq->body. Sets *used. 1: the body is complete; 0: more is needed; -1: malformed. */
int http_chunked(struct request *rq, const char *p, size_t n, size_t *used);
/* Value of a header (case-insensitive name), NUL-terminated copy in out; false when absent. */
bool http_header(const struct request *rq, const char *name, char *out, size_t size);
/* Decoded query parameter in out; false when absent. */
bool http_query(const char *query, const char *name, char *out, size_t size);
long http_query_long(const char *query, const char *name, long otherwise);
/* The content of one multipart/form-data part; false when absent. filename may be NULL. */
bool http_part(const struct request *rq, const char *body, size_t n, const char *name, const char **part,
               size_t *part_len, char *filename, size_t filename_size);
void http_reset(struct request *rq);
void http_free(struct request *rq);
const char *http_reason(int status);

#endif
