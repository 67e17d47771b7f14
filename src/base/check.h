/* Checks for our own bugs; nothing that a peer, a file or a user sends may reach one.
 * BUG_ON ends the process (after the crash handlers restored the terminal). WARN_BUG writes a "BUG:" line to
 * stderr, which the tests look for, and lets the caller fail the one request concerned. */
#ifndef SFPROXY_BASE_CHECK_H
#define SFPROXY_BASE_CHECK_H

#include "base/base.h"

NORETURN void bug_abort(const char *file, int line, const char *what);
bool bug_warn(const char *file, int line, const char *what);

#define BUG_ON(cond)                                                                                                   \
    do {                                                                                                               \
        if (__builtin_expect(!!(cond), 0)) bug_abort(__FILE__, __LINE__, #cond);                                       \
    } while (0)

/* True when `cond` holds (the bug is there); reports it. */
#define WARN_BUG(cond) bug_check(!!(cond), __FILE__, __LINE__, #cond)

static inline bool bug_check(bool bad, const char *file, int line, const char *what)
{
    return __builtin_expect(bad, 0) && bug_warn(file, line, what);
}

#endif
