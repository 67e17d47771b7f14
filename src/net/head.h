/* HTTP/1.x request heads, strictly. Pure: a function of the bytes; no allocation beyond the caller's array.
 * After any framing doubt the answer is 400 and the connection closes (RFC 9112 §2.2, §3, §5, §6). */
#ifndef SFPROXY_NET_HEAD_H
#define SFPROXY_NET_HEAD_H

#include "base/str.h"

struct head_field {
    struct str name, value; /* value without blanks around it */
};

struct head_limits {
    size_t max_head, max_line, max_fields;
};

enum { HEAD_FIELDS_MAX = 1000 };

struct head {
    struct str method;
    struct str target;      /* as sent */
    struct str path;        /* target without scheme, authority and query: starts with '/', or "*" */
    struct str query;       /* without '?' */
    struct str host;        /* value of Host, or of the absolute target */
    int minor;              /* HTTP/1.<minor>: 0 or 1 */
    int64_t content_length; /* -1: none given */
    bool chunked;
    bool keep_alive;      /* the client would like another request */
    bool expect_continue; /* Expect: 100-continue */
    bool is_head;         /* method HEAD */
    struct head_field *fields;
    size_t field_count;
};

/* Parses the head at data[0..n). `fields` has room for limits->max_fields.
 * > 0: bytes consumed, head filled (slices of data). 0: incomplete. < 0: minus the HTTP status to answer before
 * closing: 400, 414 (target too long), 417 (other Expect), 431, 501 (unknown transfer coding), 505 (not HTTP/1.x). */
int head_parse(const char *data, size_t n, const struct head_limits *limits, struct head_field *fields,
               struct head *out);

/* First field of that name (case ignored), or NULL. */
const struct head_field *head_find(const struct head *h, const char *name);
struct str head_value(const struct head *h, const char *name); /* empty when absent */

#endif
