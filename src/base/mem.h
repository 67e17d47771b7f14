/* Allocation. The x-functions are for small things of our own size: they never fail (out of memory ends the
 * process with a sentence). Anything whose size a peer chooses goes through struct buf, which can fail. Any thread. */
#ifndef SFPROXY_BASE_MEM_H
#define SFPROXY_BASE_MEM_H

#include "base/base.h"

void *xmalloc(size_t n) __attribute__((malloc, alloc_size(1), returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, alloc_size(1, 2), returns_nonnull));
void *xrealloc(void *p, size_t count, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...) PRINTF(1, 2) __attribute__((malloc, returns_nonnull));

/* Ends the process with the sentence of the x-functions: for libraries' small allocations that have no other way out.
 */
NORETURN void out_of_memory(void);

/* Overwrites secrets so that the compiler cannot leave them out. */
void wipe(void *p, size_t n);
/* Wipes and frees a string that held a secret; NULL is fine. */
void free_secret(char *s);

#endif
