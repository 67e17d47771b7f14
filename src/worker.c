#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "net/loop.h"

enum { STACK_BYTES = 512 * 1024 };

struct worker {
    unsigned id;
    pthread_t thread;
    struct loop *loop;
    struct proxy *proxy;
    _Atomic unsigned handed_over; /* connections in the mailbox */
};

struct call_mail {
    struct mail mail;
    void (*fn)(struct proxy *, void *);
    void *arg;
};

struct adopt_mail {
    struct mail mail;
    struct worker *w;
    int fd;
    bool is_local;
    char peer[64];
};

static void run_call(void *reader, struct mail *m)
{
    struct call_mail *call = CONTAINER_OF(m, struct call_mail, mail);
    struct worker *w = reader;
    call->fn(w->proxy, call->arg);
    free(call);
}

bool worker_call(struct worker *w, void (*fn)(struct proxy *p, void *arg), void *arg)
{
    struct call_mail *call = xcalloc(1, sizeof *call);
    *call = (struct call_mail){.mail = {.deliver = run_call}, .fn = fn, .arg = arg};
    if (loop_post(w->loop, &call->mail)) return true;
    free(call);
    return false;
}

static void run_adopt(void *reader, struct mail *m)
{
    struct adopt_mail *a = CONTAINER_OF(m, struct adopt_mail, mail);
    struct worker *w = reader;
    proxy_adopt(w->proxy, a->fd, a->peer, a->is_local);
    atomic_fetch_sub(&w->handed_over, 1);
    free(a);
}

void worker_adopt(struct worker *w, int fd, const char *peer, bool is_local)
{
    struct adopt_mail *a = xcalloc(1, sizeof *a);
    a->mail.deliver = run_adopt;
    a->fd = fd;
    a->is_local = is_local;
    snprintf(a->peer, sizeof a->peer, "%s", peer);
    atomic_fetch_add(&w->handed_over, 1);
    if (loop_post(w->loop, &a->mail)) return;
    atomic_fetch_sub(&w->handed_over, 1);
    close(fd);
    free(a);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    char name[16];
    snprintf(name, sizeof name, "worker %u", w->id);
    pthread_setname_np(pthread_self(), name);
    loop_run(w->loop);
    loop_close_mailbox(w->loop);
    proxy_shutdown(w->proxy);
    return NULL;
}

struct worker *worker_new(unsigned id, struct proxy_shared *shared, struct conf *conf)
{
    struct worker *w = xcalloc(1, sizeof *w);
    pthread_attr_t attr;
    w->id = id;
    w->loop = loop_new(w);
    if (!w->loop) {
        conf_put(conf);
        free(w);
        return NULL;
    }
    w->proxy = proxy_new(w->loop, shared, id, conf);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    int rc = pthread_create(&w->thread, &attr, worker_main, w);
    pthread_attr_destroy(&attr);
    if (rc == 0) return w;
    proxy_shutdown(w->proxy);
    worker_free(w);
    errno = rc; /* pthread_create() does not set it */
    return NULL;
}

unsigned worker_connections(const struct worker *w)
{
    return proxy_connections(w->proxy) + atomic_load(&w->handed_over);
}

unsigned worker_idle_connections(const struct worker *w)
{
    return proxy_idle_connections(w->proxy);
}

unsigned worker_in_flight(const struct worker *w)
{
    return proxy_in_flight(w->proxy);
}

struct ring *worker_records(struct worker *w)
{
    return proxy_records(w->proxy);
}

void worker_stop(struct worker *w)
{
    loop_stop(w->loop);
}

void worker_join(struct worker *w)
{
    pthread_join(w->thread, NULL);
}

bool worker_take_overflow(struct worker *w, struct record *out)
{
    return proxy_take_overflow(w->proxy, out);
}

void worker_free(struct worker *w)
{
    proxy_free(w->proxy);
    loop_free(w->loop);
    free(w);
}
