#include "base/mem.h"

#include <stdarg.h>

void out_of_memory(void)
{
    fputs("sfproxy: out of memory\n", stderr);
    abort();
}

static void *or_die(void *p)
{
    if (!p) out_of_memory();
    return p;
}

void *xmalloc(size_t n)
{
    return or_die(malloc(n ? n : 1));
}

void *xcalloc(size_t count, size_t size)
{
    return or_die(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t count, size_t size)
{
    return or_die(reallocarray(p, count ? count : 1, size ? size : 1));
}

char *xstrndup(const char *s, size_t n)
{
    char *copy = xmalloc(n + 1);
    memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    char *s = NULL;
    va_start(ap, fmt);
    int n = vasprintf(&s, fmt, ap);
    va_end(ap);
    return or_die(n < 0 ? NULL : s);
}

void wipe(void *p, size_t n)
{
    explicit_bzero(p, n);
}

void free_secret(char *s)
{
    if (s) wipe(s, strlen(s));
    free(s);
}
