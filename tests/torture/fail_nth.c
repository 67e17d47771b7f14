/* Preloaded into sfproxy by torture.py: counts the calls of some families of functions and fails the n-th.
 *
 * The switchboard is a file of one page, mapped by both sides ($FAIL_NTH). torture.py sets `families`, `nth` (0: only
 * count) and at last `armed`; here `count` goes up with every call that belongs to an armed family, and the one that
 * makes it `nth` fails, once, with the errno of its family, and leaves its call stack. Disarmed calls cost one load.
 *
 * Whose allocation it is decides the return address: one of `own` (the x-functions of base/mem.c, which end the process
 * by policy), elsewhere in the main program (buffers that grow with what a peer sends), or a library (libcurl,
 * libevent, SQLite, libc itself). Writes count on files (ENOSPC) and sockets (ECONNRESET) only: an eventfd cannot fail
 * like that. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum family { F_BUF, F_LIB, F_X, F_OPEN, F_WRITE, F_SYNC, F_SOCKET, F_ACCEPT, F_EPOLL, F_THREAD, F_CURL };
enum { STACK_MAX = 24, OWN_MAX = 16 };

struct board { /* torture.py knows this layout */
    atomic_uint armed, families;
    atomic_ulong count, nth, failed;
    uint64_t base; /* where the main program lies */
    uint64_t depth, stack[STACK_MAX];
    uint64_t own_count;
    struct {
        uint64_t from, to; /* relative to base */
    } own[OWN_MAX];
};

static struct board nobody, *board = &nobody;
static uint64_t text_end;
static _Thread_local bool inside; /* backtrace() and dlsym() may allocate */

/* dlsym() may call calloc() before it found it: served from here, and never freed. */
static char early[8192];
static size_t early_used;

#define REAL(name)                                                                                                     \
    static __typeof__(&name) real;                                                                                     \
    if (!real) real = (__typeof__(&name))(uintptr_t)find(#name)

static void *find(const char *name)
{
    bool was = inside;
    inside = true;
    void *p = dlsym(RTLD_NEXT, name);
    inside = was;
    return p;
}

static int on_program(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_LOAD && p->p_flags & PF_X) text_end = info->dlpi_addr + p->p_vaddr + p->p_memsz;
    }
    nobody.base = info->dlpi_addr;
    return 1; /* the first one is the main program */
}

__attribute__((constructor)) static void attach(void)
{
    const char *path = getenv("FAIL_NTH");
    void *scrap[2];
    dl_iterate_phdr(on_program, NULL);
    backtrace(scrap, 2); /* loads what it needs while nothing is armed */
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *page = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED) return;
    ((struct board *)page)->base = nobody.base;
    board = page;
}

static bool must_fail(enum family f, int error)
{
    if (!atomic_load(&board->armed) || inside || !(atomic_load(&board->families) & 1u << f)) return false;
    if (atomic_fetch_add(&board->count, 1) + 1 != atomic_load(&board->nth)) return false;
    void *stack[STACK_MAX];
    inside = true;
    int depth = backtrace(stack, STACK_MAX);
    if (getenv("FAIL_NTH_LOUD")) backtrace_symbols_fd(stack, depth, STDERR_FILENO); /* with the libraries' names */
    inside = false;
    for (int i = 0; i < depth; i++) board->stack[i] = (uint64_t)(uintptr_t)stack[i];
    board->depth = (uint64_t)depth;
    atomic_fetch_add(&board->failed, 1);
    errno = error;
    return true;
}

/* --- memory --- */

static bool no_memory(const void *caller)
{
    if (!atomic_load(&board->armed)) return false;
    uint64_t at = (uint64_t)(uintptr_t)caller - board->base;
    if ((uint64_t)(uintptr_t)caller >= text_end || (uint64_t)(uintptr_t)caller < board->base)
        return must_fail(F_LIB, ENOMEM);
    for (uint64_t i = 0; i < board->own_count; i++)
        if (at > board->own[i].from && at <= board->own[i].to) return must_fail(F_X, ENOMEM);
    return must_fail(F_BUF, ENOMEM);
}

#ifndef NO_MEMORY /* a sanitizer has its own */
#define CALLER __builtin_return_address(0)

void *malloc(size_t n)
{
    REAL(malloc);
    return no_memory(CALLER) ? NULL : real(n);
}

void *calloc(size_t count, size_t size)
{
    if (inside && early_used + count * size + 16 < sizeof early) {
        void *p = early + early_used;
        early_used += (count * size + 15) & ~(size_t)15;
        return p;
    }
    REAL(calloc);
    return no_memory(CALLER) ? NULL : real(count, size);
}

void *realloc(void *p, size_t n)
{
    REAL(realloc);
    return no_memory(CALLER) ? NULL : real(p, n);
}

void *reallocarray(void *p, size_t count, size_t size)
{
    REAL(reallocarray);
    return no_memory(CALLER) ? NULL : real(p, count, size);
}

void free(void *p)
{
    REAL(free);
    if ((char *)p < early || (char *)p >= early + sizeof early) real(p);
}

char *strdup(const char *s)
{
    REAL(strdup);
    return no_memory(CALLER) ? NULL : real(s);
}

int vasprintf(char **out, const char *fmt, va_list ap)
{
    REAL(vasprintf);
    if (!no_memory(CALLER)) return real(out, fmt, ap);
    *out = NULL;
    return -1;
}
#endif

/* --- files --- */

static mode_t mode_of(int flags, va_list ap)
{
    return flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(ap, int) : 0;
}

#define OPENING(name, params, args)                                                                                    \
    int name params                                                                                                    \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        va_list ap;                                                                                                    \
        va_start(ap, flags);                                                                                           \
        mode_t mode = mode_of(flags, ap);                                                                              \
        va_end(ap);                                                                                                    \
        return must_fail(F_OPEN, EMFILE) ? -1 : real args;                                                             \
    }
OPENING(open, (const char *path, int flags, ...), (path, flags, mode))
OPENING(open64, (const char *path, int flags, ...), (path, flags, mode))
OPENING(openat, (int dir, const char *path, int flags, ...), (dir, path, flags, mode))
OPENING(openat64, (int dir, const char *path, int flags, ...), (dir, path, flags, mode))

static bool cannot_write(int fd)
{
    struct stat st;
    if (!atomic_load(&board->armed) || fstat(fd, &st) != 0) return false;
    if (S_ISREG(st.st_mode)) return must_fail(F_WRITE, ENOSPC);
    return S_ISSOCK(st.st_mode) && must_fail(F_WRITE, ECONNRESET);
}

#define WRITING(name, params, args)                                                                                    \
    ssize_t name params                                                                                                \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        return cannot_write(fd) ? -1 : real args;                                                                      \
    }
WRITING(write, (int fd, const void *data, size_t n), (fd, data, n))
WRITING(writev, (int fd, const struct iovec *v, int n), (fd, v, n))
WRITING(pwrite, (int fd, const void *data, size_t n, off_t at), (fd, data, n, at))
WRITING(pwrite64, (int fd, const void *data, size_t n, off64_t at), (fd, data, n, at))
WRITING(send, (int fd, const void *data, size_t n, int flags), (fd, data, n, flags))
WRITING(sendto, (int fd, const void *data, size_t n, int flags, const struct sockaddr *to, socklen_t len),
        (fd, data, n, flags, to, len))
WRITING(sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))

#define FAILING(family, error, type, bad, name, params, args)                                                          \
    type name params                                                                                                   \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        return must_fail(family, error) ? bad : real args;                                                             \
    }
FAILING(F_SYNC, EIO, int, -1, fsync, (int fd), (fd))
FAILING(F_SYNC, EIO, int, -1, fdatasync, (int fd), (fd))
FAILING(F_SYNC, ENOSPC, int, -1, ftruncate, (int fd, off_t n), (fd, n))
FAILING(F_SYNC, ENOSPC, int, -1, ftruncate64, (int fd, off64_t n), (fd, n))
FAILING(F_SYNC, EIO, int, -1, rename, (const char *from, const char *to), (from, to))

/* --- the network, threads --- */

FAILING(F_SOCKET, EMFILE, int, -1, socket, (int domain, int type, int protocol), (domain, type, protocol))
FAILING(F_SOCKET, ENETUNREACH, int, -1, connect, (int fd, const struct sockaddr *to, socklen_t n), (fd, to, n))
FAILING(F_ACCEPT, EMFILE, int, -1, accept4, (int fd, struct sockaddr *from, socklen_t *n, int flags),
        (fd, from, n, flags))
FAILING(F_EPOLL, ENOMEM, int, -1, epoll_ctl, (int fd, int op, int of, struct epoll_event *ev), (fd, op, of, ev))

int pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    REAL(pthread_create);
    return must_fail(F_THREAD, errno) ? EAGAIN : real(t, attr, fn, arg);
}

/* --- libcurl, without its headers: handles are pointers, codes are ints --- */

void *curl_easy_init(void);
void *curl_multi_init(void);
int curl_multi_add_handle(void *multi, void *easy);
void *curl_slist_append(void *list, const char *text);
enum { CURLM_OUT_OF_MEMORY_ = 3 };

FAILING(F_CURL, ENOMEM, void *, NULL, curl_easy_init, (void), ())
FAILING(F_CURL, ENOMEM, void *, NULL, curl_multi_init, (void), ())
FAILING(F_CURL, ENOMEM, int, CURLM_OUT_OF_MEMORY_, curl_multi_add_handle, (void *multi, void *easy), (multi, easy))
FAILING(F_CURL, ENOMEM, void *, NULL, curl_slist_append, (void *list, const char *text), (list, text))
