/* Shards: how libcurl's multi interface lives in our loop.
 *
 * Why shards: for each new request libcurl walks all connections of the host; with 6 000 in flight in one multi that
 * is 491 us a request, with at most 256 in each it is 33.
 *
 * Sockets. by_fd[] has a record for every descriptor libcurl told us about:
 *
 *     opensocket ----> pooled record --POLL_IN/OUT--> armed, wanted --POLL_REMOVE--> READ stays armed, not wanted
 *                                                          ^                                  |
 *                                                          +--- POLL_IN again: nothing to do  +-- readable: disarmed,
 *     closesocket: record and watch go, then the descriptor                                       dead, or nearly
 *
 * An idle pooled connection thus costs no epoll_ctl per request. libcurl looks whether it is alive when it is to be
 * used again. Descriptor numbers come back at once, so the record must go in closesocket, not at POLL_REMOVE. A
 * descriptor that libcurl made without asking us (the pair its own resolver wakes up with) is closed behind our back:
 * its record goes at POLL_REMOVE. Watches are level-triggered: libcurl does not read until EAGAIN.
 *
 * Timers. 0 ms (after every new transfer) runs in the same turn as a task; asked for again from within that task, in
 * the next turn, so that a fast upstream can't hold the loop.
 *
 * Nothing here runs user code while libcurl is on the stack, except through the callbacks set on the handles. Shards
 * are freed in sweep() only, which is never under a caller's feet. */
#include "net/shard.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    TRANSFERS_MAX = 256, /* per shard */
    /* Connections of a shard, idle ones and those in use: libcurl counts both. Less than TRANSFERS_MAX would have a
     * shard with many long streams close each connection that becomes idle, and every short request connect anew. */
    CONNECTIONS_MAX = TRANSFERS_MAX + 128,
    EMPTY_MS = 60000, /* an empty shard above the first is kept this long */
};

struct sock {
    struct shards *all;
    struct shard *shard; /* who asked last */
    int fd;
    struct loop_io *io;
    unsigned armed; /* LOOP_READ, LOOP_WRITE */
    bool wanted;    /* libcurl wants events now */
    bool pooled;    /* made by our opensocket: closed by our closesocket */
};

struct shards {
    struct loop *loop;
    const struct shard_ops *ops;
    void *arg;
    struct shard **list;
    size_t count, room;
    struct sock **by_fd;
    size_t fds;
    struct loop_timer sweep;
};

/* --- sockets -------------------------------------------------------------------------------------------------- */

static struct sock *sock_find(struct shards *all, int fd)
{
    return fd >= 0 && (size_t)fd < all->fds ? all->by_fd[fd] : NULL;
}

static struct sock *sock_new(struct shards *all, int fd, bool pooled)
{
    if ((size_t)fd >= all->fds) {
        size_t fds = MAX((size_t)fd + 1, all->fds * 2);
        all->by_fd = xrealloc(all->by_fd, fds, sizeof(struct sock *));
        memset(all->by_fd + all->fds, 0, (fds - all->fds) * sizeof(struct sock *));
        all->fds = fds;
    }
    struct sock *k = xcalloc(1, sizeof(*k));
    k->all = all;
    k->fd = fd;
    k->pooled = pooled;
    all->by_fd[fd] = k;
    return k;
}

static void sock_drop(struct sock *k)
{
    loop_io_free(k->io);
    k->all->by_fd[k->fd] = NULL;
    free(k);
}

static void act(struct shard *s, curl_socket_t fd, int mask);

static void on_socket(void *arg, unsigned events)
{
    struct sock *k = arg;
    if (!k->wanted) { /* idle in the pool: closed by the peer, or bytes nobody asked for */
        k->armed = 0;
        loop_io_set(k->io, 0);
        return;
    }
    int mask = (events & LOOP_READ ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0);
    act(k->shard, k->fd, mask); /* may free k */
}

static void sock_arm(struct sock *k, unsigned events)
{
    if (k->armed == events) return;
    k->armed = events;
    if (k->io) {
        loop_io_set(k->io, events);
        return;
    }
    k->io = loop_io_new(k->all->loop, k->fd, events, on_socket, k);
    if (!k->io) {
        k->armed = 0;
        LOG_LIMITED(LOG_ERROR, 5, "an upstream socket can't be watched: %s", strerrordesc_np(errno));
    }
}

static int socket_cb(CURL *easy, curl_socket_t fd, int what, void *user, void *unused)
{
    (void)easy;
    (void)unused;
    struct shard *s = user;
    struct sock *k = sock_find(s->all, fd);
    if (what == CURL_POLL_REMOVE) {
        if (!k) return 0;
        k->wanted = false;
        if (!k->pooled)
            sock_drop(k);
        else
            sock_arm(k, k->armed & LOOP_READ);
        return 0;
    }
    if (!k) k = sock_new(s->all, fd, false);
    k->shard = s;
    k->wanted = what != CURL_POLL_NONE;
    sock_arm(k, (what & CURL_POLL_IN ? LOOP_READ : 0u) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0u));
    return 0;
}

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *addr)
{
    (void)purpose;
    struct shards *all = user;
    int fd = socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);
    if (fd < 0) return CURL_SOCKET_BAD;
    /* The kernel gives this number out, so whatever stands at it is gone: libcurl may name a socket once more after it
     * closed it, for example when a connect timed out. */
    struct sock *stale = sock_find(all, fd);
    if (stale) sock_drop(stale);
    sock_new(all, fd, true);
    return fd;
}

static int close_socket(void *user, curl_socket_t fd)
{
    struct sock *k = sock_find(user, fd);
    if (k) sock_drop(k);
    return close(fd);
}

void shards_adopt(struct shards *all, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, all);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, all);
}

/* --- running -------------------------------------------------------------------------------------------------- */

static void act(struct shard *s, curl_socket_t fd, int mask)
{
    struct shards *all = s->all;
    int running, left;
    errno = 0;
    CURLMcode rc = curl_multi_socket_action(s->multi, fd, mask, &running);
    s->starved = errno == ENOMEM; /* malloc's; a later failing call of the same run may hide it, none can feign it */
    /* libcurl 7.88 then leaves a socket's entry half made: its transfer hangs, the next one there divides by zero. */
    if (rc == CURLM_OUT_OF_MEMORY) out_of_memory();
    if (rc != CURLM_OK) LOG_LIMITED(LOG_ERROR, 5, "libcurl: %s", curl_multi_strerror(rc));
    all->ops->progress(all->arg, s);
    CURLMsg *m;
    while ((m = curl_multi_info_read(s->multi, &left)) != NULL) {
        if (m->msg != CURLMSG_DONE) continue;
        CURLcode code = m->data.result; /* m dies with the removal of its handle */
        char *user = NULL;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &user);
        all->ops->done(all->arg, user, code);
    }
}

static void kick(void *arg)
{
    struct shard *s = arg;
    s->kicking = true;
    act(s, CURL_SOCKET_TIMEOUT, 0);
    s->kicking = false;
}

static void on_timer(void *arg)
{
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int timer_cb(CURLM *multi, long ms, void *user)
{
    (void)multi;
    struct shard *s = user;
    if (ms > 0) {
        loop_timer_start(&s->timer, ms);
        return 0;
    }
    loop_timer_stop(&s->timer);
    if (ms < 0) return 0;
    if (s->kicking)
        loop_defer_next(s->all->loop, &s->kick, kick, s);
    else
        loop_defer(s->all->loop, &s->kick, kick, s);
    return 0;
}

/* --- shards --------------------------------------------------------------------------------------------------- */

static struct shard *shard_new(struct shards *all)
{
    CURLM *multi = curl_multi_init();
    if (!multi) return NULL;
    struct shard *s = xcalloc(1, sizeof(*s));
    s->all = all;
    s->multi = multi;
    list_init(&s->sending);
    loop_timer_init(&s->timer, all->loop, on_timer, s);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_cb);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, s);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_cb);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, s);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MAX);
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    return s;
}

static void shard_free(struct shard *s)
{
    curl_multi_cleanup(s->multi); /* closes the pooled connections through close_socket() */
    loop_timer_destroy(&s->timer);
    loop_task_cancel(s->all->loop, &s->kick);
    free(s);
}

static bool is_due(const struct shards *all, size_t i)
{
    const struct shard *s = all->list[i];
    if (s->running > 0) return false;
    return s->retired || (i > 0 && mono_since(loop_now(all->loop), s->empty_since) >= EMPTY_MS);
}

static void sweep(void *arg)
{
    struct shards *all = arg;
    bool more = false;
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++) {
        if (is_due(all, i)) {
            shard_free(all->list[i]);
            continue;
        }
        more = more || (i > 0 && all->list[i]->running == 0);
        all->list[kept++] = all->list[i];
    }
    all->count = kept;
    if (more) loop_timer_start(&all->sweep, EMPTY_MS);
}

static void became_empty(struct shard *s)
{
    struct shards *all = s->all;
    s->empty_since = loop_now(all->loop);
    if (s->retired)
        loop_timer_start(&all->sweep, 0);
    else if (!all->sweep.armed && s != all->list[0])
        loop_timer_start(&all->sweep, EMPTY_MS);
}

struct shard *shard_pick(struct shards *all)
{
    for (size_t i = 0; i < all->count; i++) {
        if (!all->list[i]->retired && all->list[i]->running < TRANSFERS_MAX) return all->list[i];
    }
    struct shard *s = shard_new(all);
    if (!s) return NULL;
    if (all->count == all->room) {
        all->room = MAX((size_t)8, all->room * 2);
        all->list = xrealloc(all->list, all->room, sizeof(struct shard *));
    }
    all->list[all->count++] = s;
    return s;
}

bool shard_add(struct shard *s, CURL *easy)
{
    if (curl_multi_add_handle(s->multi, easy) != CURLM_OK) return false;
    s->running++;
    return true;
}

void shard_remove(struct shard *s, CURL *easy)
{
    CURLMcode rc = curl_multi_remove_handle(s->multi, easy);
    if (rc != CURLM_OK) LOG_LIMITED(LOG_ERROR, 5, "libcurl: %s", curl_multi_strerror(rc));
    if (--s->running == 0) became_empty(s);
}

void shard_resume(struct shard *s, CURL *easy)
{
    /* An error here (the write callback refused) comes again as the transfer's result, or it was cancelled. */
    curl_easy_pause(easy, CURLPAUSE_CONT);
    loop_defer(s->all->loop, &s->kick, kick, s);
}

void shards_retire(struct shards *all)
{
    for (size_t i = 0; i < all->count; i++) all->list[i]->retired = true;
    loop_timer_start(&all->sweep, 0);
}

struct shards *shards_new(struct loop *l, const struct shard_ops *ops, void *arg)
{
    struct shards *all = xcalloc(1, sizeof(*all));
    all->loop = l;
    all->ops = ops;
    all->arg = arg;
    loop_timer_init(&all->sweep, l, sweep, all);
    return all;
}

void shards_free(struct shards *all)
{
    for (size_t i = 0; i < all->count; i++) {
        BUG_ON(all->list[i]->running != 0);
        shard_free(all->list[i]);
    }
    for (size_t fd = 0; fd < all->fds; fd++) {
        if (all->by_fd[fd]) sock_drop(all->by_fd[fd]);
    }
    loop_timer_destroy(&all->sweep);
    free(all->list);
    free(all->by_fd);
    free(all);
}
