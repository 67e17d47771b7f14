#include "base/buf.h"

#include <stdarg.h>

#include "base/mem.h"

void buf_init(struct buf *b, size_t cap)
{
    *b = BUF_INIT(cap);
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = BUF_INIT(b->cap);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data) b->data[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t n)
{
    size_t cap = MIN(b->cap, (size_t)PTRDIFF_MAX - 1); /* one byte is for the NUL */
    if (b->failed) return NULL;
    if (n > cap || b->len > cap - n) {
        b->failed = true;
        return NULL;
    }
    size_t need = b->len + n + 1;
    if (need > b->room) {
        size_t room = MAX(need, b->room < 64 ? (size_t)64 : b->room * 2);
        room = MIN(room, cap + 1);
        char *data = realloc(b->data, room);
        if (!data) {
            b->failed = true;
            return NULL;
        }
        b->data = data;
        b->room = room;
    }
    return b->data + b->len;
}

void buf_added(struct buf *b, size_t n)
{
    b->len += n;
    b->data[b->len] = '\0';
}

bool buf_add(struct buf *b, const void *data, size_t n)
{
    char *to = buf_reserve(b, n);
    if (!to) return false;
    if (n) memcpy(to, data, n);
    buf_added(b, n);
    return true;
}

bool buf_add_str(struct buf *b, struct str s)
{
    return buf_add(b, s.p, s.n);
}

bool buf_puts(struct buf *b, const char *s)
{
    return buf_add(b, s, strlen(s));
}

bool buf_putc(struct buf *b, char c)
{
    return buf_add(b, &c, 1);
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    size_t room = b->data && !b->failed ? b->room - b->len : 0; /* one pass when it fits into what is there */
    va_start(ap, fmt);
    int n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, ap);
    va_end(ap);
    char *to = n < 0 ? NULL : buf_reserve(b, (size_t)n);
    if (!to) {
        if (room) b->data[b->len] = '\0';
        return false;
    }
    if ((size_t)n >= room) {
        va_start(ap, fmt);
        vsnprintf(to, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    buf_added(b, (size_t)n);
    return true;
}

void buf_consume(struct buf *b, size_t n)
{
    if (!n) return;
    b->len -= n;
    memmove(b->data, b->data + n, b->len + 1);
}

struct str buf_str(const struct buf *b)
{
    return (struct str){b->data ? b->data : "", b->len};
}

const char *buf_cstr(const struct buf *b)
{
    return b->data ? b->data : "";
}

char *buf_take(struct buf *b)
{
    char *data = b->data ? b->data : xstrdup("");
    size_t cap = b->cap;
    *b = BUF_INIT(cap);
    return data;
}
