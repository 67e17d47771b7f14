/* Decoder of chunked bodies, strictly (RFC 9112 §7.1): hex size without sign or prefix, extensions skipped within a
 * limit, CRLF only, trailers read and dropped within a limit. Pure, incremental, any cut of the bytes. */
#ifndef SFPROXY_NET_CHUNK_H
#define SFPROXY_NET_CHUNK_H

#include "base/str.h"

struct chunk_reader {
    int state;
    uint64_t left;      /* of the current chunk */
    unsigned line_used; /* bytes of the current size or trailer line */
    unsigned trailer_used;
    unsigned digits;
};

enum chunk_result {
    CHUNK_MORE,  /* everything was consumed; give more */
    CHUNK_DATA,  /* *piece holds body bytes (a slice of the input) */
    CHUNK_DONE,  /* the body is complete; the rest of the input is the next request's */
    CHUNK_ERROR, /* malformed: 400 and close */
};

void chunk_init(struct chunk_reader *r);
/* Consumes from the front of *in; call again until CHUNK_MORE, CHUNK_DONE or CHUNK_ERROR. */
enum chunk_result chunk_read(struct chunk_reader *r, struct str *in, struct str *piece);

#endif
