/* The one growing buffer: a cap at birth, and a sticky error. Append freely, check `failed` once at the end.
 * On overflow or lack of memory what was there stays, the append is left out, `failed` stays true. The content is
 * always NUL-terminated (the NUL is not counted). Not thread-safe; owner frees. */
#ifndef SFPROXY_BASE_BUF_H
#define SFPROXY_BASE_BUF_H

#include "base/base.h"
#include "base/str.h"

struct buf {
    char *data; /* NULL until the first append */
    size_t len;
    size_t room; /* allocated bytes */
    size_t cap;  /* most bytes it may ever hold */
    bool failed;
};

#define BUF_INIT(max) ((struct buf){NULL, 0, 0, (max), false})

void buf_init(struct buf *b, size_t cap);
void buf_free(struct buf *b);  /* releases memory; the buffer may be used again */
void buf_reset(struct buf *b); /* empties, keeps the memory, clears the error */
bool buf_add(struct buf *b, const void *data, size_t n);
bool buf_add_str(struct buf *b, struct str s);
bool buf_puts(struct buf *b, const char *s);
bool buf_putc(struct buf *b, char c);
bool buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
/* Makes room for n more bytes and returns where they go (NULL: failed); then buf_added(n) what was written. */
char *buf_reserve(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);
void buf_consume(struct buf *b, size_t n); /* drops n bytes from the front */
struct str buf_str(const struct buf *b);
const char *buf_cstr(const struct buf *b); /* "" when empty */
char *buf_take(struct buf *b);             /* hands over the memory (never NULL) and empties the buffer */

#endif
