/* A log file that never grows beyond its size and never ends in half a line. A write that fails half-way (disk full) is
 * cut off again; a file that cannot be set aside may grow to twice its size, then lines are refused. */
#include "store/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"

struct logfile {
    char *path;
    int fd; /* -1: to be opened by the next write */
    int64_t size, max;
    int kept;
};

static bool failed(const struct logfile *l, const char *what, struct buf *why)
{
    buf_printf(why, "cannot %s log file %s: %s", what, l->path, strerror(errno));
    return false;
}

static void close_file(struct logfile *l)
{
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
}

/* O_NONBLOCK: opening a FIFO must not wait for a reader; it has no meaning for the regular file we insist on. */
static bool open_file(struct logfile *l, struct buf *why)
{
    int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    struct stat st;
    l->fd = open(l->path, flags | O_CREAT | O_EXCL, 0600);
    if (l->fd >= 0)
        fchmod(l->fd, 0600);
    else if (errno == EEXIST)
        l->fd = open(l->path, flags);
    if (l->fd < 0 || fstat(l->fd, &st) != 0) {
        failed(l, "open", why);
        close_file(l);
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        buf_printf(why, "log file %s is not a regular file", l->path);
        close_file(l);
        return false;
    }
    l->size = st.st_size;
    return true;
}

struct logfile *logfile_open(const char *path, int64_t max, int kept, struct buf *why)
{
    struct logfile *l = xcalloc(1, sizeof *l);
    *l = (struct logfile){.path = xstrdup(path), .fd = -1, .max = max, .kept = kept};
    if (open_file(l, why)) return l;
    logfile_close(l);
    return NULL;
}

void logfile_close(struct logfile *l)
{
    if (!l) return;
    close_file(l);
    free(l->path);
    free(l);
}

static char *numbered(const struct logfile *l, int n)
{
    return n ? xasprintf("%s.%d", l->path, n) : xstrdup(l->path);
}

/* Each file takes the next number, the last one is overwritten. */
static bool set_aside(struct logfile *l, struct buf *why)
{
    bool ok = true;
    for (int n = l->kept; n >= 1; n--) {
        char *from = numbered(l, n - 1), *to = numbered(l, n);
        if (rename(from, to) != 0 && errno != ENOENT) ok = failed(l, "set aside", why);
        free(from);
        free(to);
    }
    if (!ok) return false;
    close_file(l);
    return open_file(l, why);
}

/* Moved or deleted from outside (logrotate, rm)? */
static bool was_moved(const struct logfile *l)
{
    struct stat here, there;
    if (fstat(l->fd, &here) != 0 || stat(l->path, &there) != 0) return true;
    return here.st_ino != there.st_ino || here.st_dev != there.st_dev;
}

bool logfile_write(struct logfile *l, struct str line, struct buf *why)
{
    if (l->fd >= 0 && was_moved(l)) close_file(l);
    if (l->fd < 0 && !open_file(l, why)) return false;
    bool too_large = l->size > 0 && l->size + (int64_t)line.n > l->max;
    if (too_large && !set_aside(l, why) && (l->fd < 0 || l->size > 2 * l->max)) return false;
    if (!fd_write_all(l->fd, line.p, line.n)) {
        failed(l, "write", why);
        if (ftruncate(l->fd, l->size) != 0) close_file(l);
        return false;
    }
    l->size += (int64_t)line.n;
    return true;
}
