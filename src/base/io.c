#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static bool fail(struct buf *why, const char *what, const char *path)
{
    buf_printf(why, "cannot %s %s: %s", what, path, strerror(errno));
    return false;
}

/* Reads up to the end of the file. At the cap one more byte is asked for, to tell "full" from "too large". */
static bool read_all(int fd, const char *path, struct buf *out, struct buf *why)
{
    for (;;) {
        char beyond;
        size_t want = MIN((size_t)65536, out->cap - out->len);
        char *to = want ? buf_reserve(out, want) : &beyond;
        ssize_t n = to ? read(fd, to, want ? want : 1) : -1;
        if (!to) errno = ENOMEM;
        if (n == 0) return true;
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(why, "read", path);
        if (!want) {
            buf_printf(why, "%s is larger than %zu bytes", path, out->cap);
            return false;
        }
        buf_added(out, (size_t)n);
    }
}

static bool is_pipe(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* O_NONBLOCK: opening a pipe would wait for whoever writes to it. */
bool file_read(const char *path, struct buf *out, struct buf *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return fail(why, "open", path);
    bool ok = !is_pipe(fd);
    if (ok)
        ok = read_all(fd, path, out, why);
    else
        buf_printf(why, "%s is a pipe, not a file", path);
    close(fd);
    return ok;
}

bool fd_write_all(int fd, const void *data, size_t n)
{
    const char *p = data;
    while (n) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

static bool sync_fd(int fd)
{
    int rc;
    do rc = fsync(fd);
    while (rc != 0 && errno == EINTR);
    return rc == 0;
}

static void sync_dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash ? xstrndup(path, slash == path ? 1 : (size_t)(slash - path)) : xstrdup(".");
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        sync_fd(fd);
        close(fd);
    }
    free(dir);
}

/* One name for the temporary file, so that what a killed process left behind is overwritten by the next save. */
bool file_replace(const char *path, struct str content, struct buf *why)
{
    char *tmp = xasprintf("%s.tmp", path);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 && fchmod(fd, 0600) == 0 && fd_write_all(fd, content.p, content.n) && sync_fd(fd);
    if (fd >= 0 && close(fd) != 0) ok = false;
    if (ok) ok = rename(tmp, path) == 0;
    if (!ok) {
        fail(why, "write", path);
        if (fd >= 0) unlink(tmp);
    } else {
        sync_dir_of(path);
    }
    free(tmp);
    return ok;
}

bool dir_make(const char *path, struct buf *why)
{
    if (!*path) {
        buf_puts(why, "cannot make a directory without a name");
        return false;
    }
    char *copy = xstrdup(path);
    bool ok = true;
    for (char *p = copy + 1; ok; p++) {
        if (*p != '/' && *p != '\0') continue;
        char kept = *p;
        *p = '\0';
        if (mkdir(copy, 0700) != 0 && errno != EEXIST) ok = fail(why, "make directory", copy);
        *p = kept;
        if (kept == '\0') break;
    }
    struct stat st;
    if (ok && (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))) {
        buf_printf(why, "%s is not a directory", path);
        ok = false;
    }
    free(copy);
    return ok;
}

bool fd_set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}
