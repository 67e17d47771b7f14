#include "base/check.h"

#include <unistd.h>

NORETURN void bug_abort(const char *file, int line, const char *what)
{
    fprintf(stderr, "BUG: %s:%d: %s\n", file, line, what);
    abort();
}

bool bug_warn(const char *file, int line, const char *what)
{
    fprintf(stderr, "BUG: %s:%d: %s\n", file, line, what);
    return true;
}
