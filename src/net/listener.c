#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

enum { BACKLOG = 4096, ACCEPTS_A_TURN = 256, PAUSE_MS = 100 };

struct listener {
    struct loop *loop;
    int fd;
    bool is_local;
    struct loop_io *io;
    struct loop_timer pause;
    const struct listener_ops *ops;
    void *arg;
    char address[INET6_ADDRSTRLEN + 16];
    char *path;
};

static void on_pause_over(void *arg)
{
    struct listener *li = arg;
    loop_io_set(li->io, LOOP_READ);
}

static void out_of_descriptors(struct listener *li)
{
    LOG_LIMITED(LOG_WARN, 6, "cannot accept connections for a moment: %s", strerror(errno));
    loop_io_set(li->io, 0);
    loop_timer_start(&li->pause, PAUSE_MS);
}

/* The request, if it is already here, is read, so that no RST overtakes the answer; nobody is waited for. */
#define TURNED_AWAY                                                                                                    \
    "{\"error\":{\"message\":\"too many connections, try again soon\",\"type\":\"server_error\",\"param\":null,"       \
    "\"code\":\"busy_memory\"}}\n"

static void turn_away(int fd)
{
    char answer[512];
    int n = snprintf(answer, sizeof answer,
                     "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 2\r\n"
                     "Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
                     sizeof TURNED_AWAY - 1, TURNED_AWAY);
    ssize_t sent = send(fd, answer, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* best effort: the socket's buffer is empty, so it fits, and a peer that left needs no answer */
    close(fd);
}

static bool peer_may(int fd)
{
    struct ucred who;
    socklen_t size = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return false;
    return who.uid == getuid() || who.uid == 0;
}

static void peer_name(const struct sockaddr_storage *sa, char *out, size_t size)
{
    snprintf(out, size, "?");
    if (sa->ss_family == AF_INET) inet_ntop(AF_INET, &((const struct sockaddr_in *)sa)->sin_addr, out, (socklen_t)size);
    if (sa->ss_family == AF_INET6) {
        const struct in6_addr *a = &((const struct sockaddr_in6 *)sa)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(a))
            inet_ntop(AF_INET, a->s6_addr + 12, out, (socklen_t)size);
        else
            inet_ntop(AF_INET6, a, out, (socklen_t)size);
    }
}

/* False: stop for this turn. */
static bool accept_one(struct listener *li)
{
    struct sockaddr_storage sa;
    socklen_t size = sizeof sa;
    char peer[INET6_ADDRSTRLEN];
    int one = 1, fd = accept4(li->fd, (struct sockaddr *)&sa, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) out_of_descriptors(li);
        return errno == EINTR || errno == ECONNABORTED;
    }
    if (li->is_local && !peer_may(fd)) {
        log_msg(LOG_WARN, "control.sock: another user was turned away");
        close(fd);
        return true;
    }
    if (!li->is_local && !li->ops->has_room(li->arg)) {
        LOG_LIMITED(LOG_WARN, 6, "limits.max_connections reached: connections are turned away");
        turn_away(fd);
        return true;
    }
    if (!li->is_local) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    peer_name(&sa, peer, sizeof peer);
    li->ops->accepted(li->arg, fd, li->is_local ? "local" : peer, li->is_local);
    return true;
}

static void on_readable(void *arg, unsigned events)
{
    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN; i++)
        if (!accept_one(arg)) return;
}

/* NULL: the socket can't be watched; it is closed. */
static struct listener *listener_new(struct loop *l, int fd, bool is_local, const struct listener_ops *ops, void *arg,
                                     struct buf *why)
{
    struct listener *li = xcalloc(1, sizeof *li);
    li->loop = l;
    li->fd = fd;
    li->is_local = is_local;
    li->ops = ops;
    li->arg = arg;
    loop_timer_init(&li->pause, l, on_pause_over, li);
    li->io = loop_io_new(l, fd, LOOP_READ, on_readable, li);
    if (li->io) return li;
    buf_printf(why, "cannot watch a listening socket: %s", strerror(errno));
    listener_free(li);
    return NULL;
}

/* Splits "host:port" or "[v6]:port". */
static bool split_address(const char *address, char *host, size_t size, const char **port)
{
    const char *colon = strrchr(address, ':');
    if (!colon) return false;
    struct str h = {address, (size_t)(colon - address)};
    if (h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']') {
        h.p++;
        h.n -= 2;
    }
    *port = colon + 1;
    return str_copy(host, size, h);
}

static int open_tcp(const struct addrinfo *ai)
{
    int one = 1, fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (ai->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) return fd;
    int kept = errno;
    close(fd);
    errno = kept;
    return -1;
}

static void remember_address(struct listener *li)
{
    struct sockaddr_storage sa;
    socklen_t size = sizeof sa;
    char host[INET6_ADDRSTRLEN];
    if (getsockname(li->fd, (struct sockaddr *)&sa, &size) != 0) return;
    bool v6 = sa.ss_family == AF_INET6;
    unsigned port = ntohs(v6 ? ((struct sockaddr_in6 *)&sa)->sin6_port : ((struct sockaddr_in *)&sa)->sin_port);
    peer_name(&sa, host, sizeof host);
    snprintf(li->address, sizeof li->address, v6 ? "[%s]:%u" : "%s:%u", host, port);
}

struct listener *listener_tcp(struct loop *l, const char *address, const struct listener_ops *ops, void *arg,
                              struct buf *why)
{
    char host[256];
    const char *port = "";
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
    if (!split_address(address, host, sizeof host, &port) || getaddrinfo(host, port, &hints, &found) != 0) {
        buf_printf(why, "cannot understand the address %s", address);
        return NULL;
    }
    int fd = open_tcp(found);
    freeaddrinfo(found);
    if (fd < 0) {
        buf_printf(why, "cannot listen on %s: %s%s", address, strerror(errno),
                   errno == EADDRINUSE ? " (is another sfproxy running? choose another port with server.listen)" : "");
        return NULL;
    }
    struct listener *li = listener_new(l, fd, false, ops, arg, why);
    if (li) remember_address(li);
    return li;
}

struct listener *listener_unix(struct loop *l, const char *path, const struct listener_ops *ops, void *arg,
                               struct buf *why)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool fits = str_copy(sa.sun_path, sizeof sa.sun_path, str_of(path));
    unlink(path);
    if (fd < 0 || !fits || bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 || chmod(path, 0600) != 0 ||
        listen(fd, 64) != 0) {
        buf_printf(why, "cannot make %s: %s", path, fits ? strerror(errno) : "the path is too long");
        if (fd >= 0) close(fd);
        return NULL;
    }
    struct listener *li = listener_new(l, fd, true, ops, arg, why);
    if (!li) {
        unlink(path);
        return NULL;
    }
    li->path = xstrdup(path);
    return li;
}

const char *listener_address(const struct listener *li)
{
    return li->path ? li->path : li->address;
}

void listener_free(struct listener *li)
{
    if (!li) return;
    loop_io_free(li->io);
    loop_timer_destroy(&li->pause);
    close(li->fd);
    if (li->path) unlink(li->path);
    free(li->path);
    free(li);
}
