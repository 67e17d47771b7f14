/* A growable byte buffer: bytes off..len of p are waiting, off moves on as they are consumed.
 * Out of memory ends the program: this is a test tool. Single thread. */
#ifndef STANDIN_BUF_H
#define STANDIN_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *p;
    size_t off, len, cap;
};

static inline size_t buf_size(const struct buf *b)
{
    return b->len - b->off;
}

static inline char *buf_data(const struct buf *b)
{
    return b->p + b->off;
}

/* Makes room for n more bytes after len and returns where they go; the caller adds to len what it wrote. */
char *buf_room(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_fill(struct buf *b, char c, size_t n);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Appends a JSON string with its quotes. Bytes that are not UTF-8 become \u00XX, so the result is always JSON. */
void buf_json(struct buf *b, const char *s, size_t n);
void buf_json_s(struct buf *b, const char *s);
void buf_base64(struct buf *b, const void *p, size_t n);
/* Forgets the first n waiting bytes. */
void buf_consume(struct buf *b, size_t n);
/* Empties; gives the memory back when it is larger than keep bytes. */
void buf_clear(struct buf *b, size_t keep);
void buf_free(struct buf *b);

/* malloc and strdup that end the program when memory is out. */
void *xalloc(size_t n);
char *xstrndup(const char *s, size_t n);
char *xstrdup(const char *s);

#endif
