/* The resolver: one thread that asks getaddrinfo() and may hang in it for minutes, and an owner who never waits for it.
 *
 *     watch() -> due now -> ask (no lock) -> good: news if changed, next in 60 s
 *                                         -> failed: news while nothing good is known; again after 1, 2, 4 .. 60 s
 *
 *     ask() -> known: answered at once; else queued -> asked (no lock) -> answered
 *
 * Both sides meet in struct ask, counted by reference. `generation` rises with every watch(): an answer whose question
 * is out of date is dropped. resolver_close() sets `stop` and answers the open questions itself, also the one whose
 * getaddrinfo is under way; the thread frees what is left when that returns. The only wait is for a callback that is
 * just running (`delivering`), which may do no more than post.
 *
 * The mutex is a plain pthread one, because struct lock has no condition variable; no callback runs under it. */
#include "net/resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/public_address.h"

enum {
    ADDRESSES_MAX = 8,
    REFRESH_MS = 60000,
    HURRY_MS = 1000, /* least time between two questions when hurried, and the first pause after a failure */
    QUESTIONS_MAX = 256,
    NAMES_MAX = 64, /* names looked up on demand and kept */
    NAME_KEPT_MS = 60000,
};

struct address_list {
    char text[ADDRESSES_MAX][INET6_ADDRSTRLEN + 2]; /* IPv6 in brackets */
    size_t count;
};

struct known_name {
    char host[256]; /* "": free */
    struct address_list list;
    int64_t until_ms;
};

struct ask {
    pthread_mutex_t m;
    pthread_cond_t changed;
    unsigned refs; /* [m] owner, thread */
    bool stop;
    bool delivering;
    bool hurried; /* since the last question began */
    char *host;   /* NULL: nothing to watch (or a literal) */
    int port;
    unsigned generation;
    int64_t due_ms, asked_ms;  /* monotonic; asked: when the last question began */
    int64_t pause_ms;          /* after the next failure */
    struct address_list known; /* last good answer */
    void (*answer)(void *arg, struct addrs *a);
    void *arg;
    struct list questions; /* resolver_question.node; the first one may be under way */
    size_t question_count;
    struct known_name names[NAMES_MAX];
};

struct resolver {
    struct ask *ask;
};

struct addrs *addrs_get(struct addrs *a)
{
    atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
    return a;
}

void addrs_put(struct addrs *a)
{
    if (!a || atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) != 1) return;
    free(a->host);
    free(a->resolve_entry);
    free(a);
}

static struct addrs *addrs_new(const char *host, int port)
{
    struct addrs *a = xcalloc(1, sizeof(*a));
    atomic_init(&a->refs, 1);
    a->host = xstrdup(host);
    a->port = port;
    return a;
}

struct addrs *addrs_literal(const char *host, int port)
{
    return addrs_new(host, port);
}

static struct addrs *addrs_of_list(const char *host, int port, const struct address_list *list)
{
    struct buf b = BUF_INIT(4096);
    struct addrs *a = addrs_new(host, port);
    buf_printf(&b, "%s:%d:", host, port);
    for (size_t i = 0; i < list->count; i++) buf_printf(&b, "%s%s", i ? "," : "", list->text[i]);
    a->resolve_entry = buf_take(&b);
    return a;
}

static struct addrs *addrs_failed(const char *host, int port, const char *error)
{
    struct addrs *a = addrs_new(host, port);
    a->failed = true;
    str_copy(a->error, sizeof(a->error), str_of(error));
    return a;
}

/* --- the question --------------------------------------------------------------------------------------------- */

static bool list_has(const struct address_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->text[i], text) == 0) return true;
    }
    return false;
}

/* Same set; the order of round-robin names changes with every answer and is no news. */
static bool list_same(const struct address_list *a, const struct address_list *b)
{
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!list_has(b, a->text[i])) return false;
    }
    return true;
}

static void list_add(struct address_list *list, const struct addrinfo *ai)
{
    char ip[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 2];
    const void *from;
    if (list->count == ADDRESSES_MAX) return;
    if (ai->ai_family == AF_INET) {
        from = &((const struct sockaddr_in *)(const void *)ai->ai_addr)->sin_addr;
    } else if (ai->ai_family == AF_INET6) {
        from = &((const struct sockaddr_in6 *)(const void *)ai->ai_addr)->sin6_addr;
    } else {
        return;
    }
    if (!inet_ntop(ai->ai_family, from, ip, sizeof(ip))) return;
    snprintf(text, sizeof(text), ai->ai_family == AF_INET6 ? "[%s]" : "%s", ip);
    if (!list_has(list, text)) str_copy(list->text[list->count++], sizeof(list->text[0]), str_of(text));
}

/* Blocks as long as getaddrinfo() likes. On failure the list is empty and `error` says why. */
static void look_up(const char *host, struct address_list *list, char *error, size_t size)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    list->count = 0;
    int rc = getaddrinfo(host, NULL, &hints, &found);
    if (rc != 0) {
        int saved = errno;
        snprintf(error, size, "%s", rc == EAI_SYSTEM ? strerrordesc_np(saved) : gai_strerror(rc));
        return;
    }
    for (const struct addrinfo *ai = found; ai; ai = ai->ai_next) list_add(list, ai);
    freeaddrinfo(found);
    if (list->count == 0) snprintf(error, size, "the name has no usable address");
}

/* --- the thread ----------------------------------------------------------------------------------------------- */

static void ask_unref(struct ask *k) /* with k->m held; releases it */
{
    bool last = --k->refs == 0;
    pthread_mutex_unlock(&k->m);
    if (!last) return;
    pthread_cond_destroy(&k->changed);
    pthread_mutex_destroy(&k->m);
    free(k->host);
    free(k);
}

/* With k->m held; released while the owner's function runs. Owns `news`. */
static void deliver(struct ask *k, struct addrs *news)
{
    k->delivering = true;
    pthread_mutex_unlock(&k->m);
    k->answer(k->arg, news);
    pthread_mutex_lock(&k->m);
    k->delivering = false;
    pthread_cond_broadcast(&k->changed);
}

static void wait_until_due(struct ask *k)
{
    while (!k->stop && list_empty(&k->questions)) {
        if (!k->host) {
            pthread_cond_wait(&k->changed, &k->m);
            continue;
        }
        if (mono_now().ms >= k->due_ms) return;
        struct timespec until = {k->due_ms / 1000, k->due_ms % 1000 * 1000000};
        pthread_cond_clockwait(&k->changed, &k->m, CLOCK_MONOTONIC, &until);
    }
}

/* With k->m held: what the answer means. Returns the news, or NULL. */
static struct addrs *judge(struct ask *k, const struct address_list *list, const char *error)
{
    if (list->count == 0) {
        k->due_ms = mono_now().ms + (k->known.count ? REFRESH_MS : k->pause_ms);
        k->pause_ms = MIN(k->pause_ms * 2, (int64_t)REFRESH_MS);
        return k->known.count ? NULL : addrs_failed(k->host, k->port, error);
    }
    bool same = list_same(&k->known, list);
    k->due_ms = mono_now().ms + REFRESH_MS;
    k->pause_ms = HURRY_MS;
    k->known = *list;
    return same ? NULL : addrs_of_list(k->host, k->port, list);
}

static void ask_once(struct ask *k)
{
    struct address_list list;
    char error[160] = "";
    unsigned generation = k->generation;
    char *host = xstrdup(k->host);
    k->asked_ms = mono_now().ms;
    k->hurried = false;
    pthread_mutex_unlock(&k->m);
    look_up(host, &list, error, sizeof(error));
    free(host);
    pthread_mutex_lock(&k->m);
    if (k->stop || generation != k->generation) return;
    struct addrs *news = judge(k, &list, error);
    if (k->hurried) k->due_ms = MIN(k->due_ms, k->asked_ms + HURRY_MS);
    if (news) deliver(k, news);
}

/* --- other names, on demand ------------------------------------------------------------------------------------ */

static struct known_name *known_name(struct ask *k, const char *host)
{
    int64_t now = mono_now().ms;
    for (size_t i = 0; i < NAMES_MAX; i++)
        if (k->names[i].until_ms > now && strcmp(k->names[i].host, host) == 0) return &k->names[i];
    return NULL;
}

/* Takes the place of the one that ends soonest. */
static void remember_name(struct ask *k, const char *host, const struct address_list *list)
{
    struct known_name *to = &k->names[0];
    for (size_t i = 1; i < NAMES_MAX; i++)
        if (k->names[i].until_ms < to->until_ms) to = &k->names[i];
    if (!str_copy(to->host, sizeof(to->host), str_of(host))) to->host[0] = '\0';
    to->list = *list;
    to->until_ms = mono_now().ms + NAME_KEPT_MS;
}

static struct addrs *addrs_for(const struct resolver_question *q, const struct address_list *list, const char *error)
{
    struct address_list fit = {.count = 0};
    if (list->count == 0) return addrs_failed(q->host, q->port, error);
    for (size_t i = 0; i < list->count; i++)
        if (!q->public_only || address_is_public(list->text[i]))
            memcpy(fit.text[fit.count++], list->text[i], sizeof(fit.text[0]));
    if (fit.count == 0) return addrs_failed(q->host, q->port, "its address is not of the open internet");
    return addrs_of_list(q->host, q->port, &fit);
}

/* With k->m held: the first question that waits. resolver_close() may answer it meanwhile. */
static void serve_question(struct ask *k)
{
    struct resolver_question *q = LIST_ENTRY(k->questions.next, struct resolver_question, node);
    struct address_list list;
    char error[160] = "";
    char *host = xstrdup(q->host);
    const struct known_name *known = known_name(k, host);
    if (known) {
        list = known->list;
    } else {
        pthread_mutex_unlock(&k->m);
        look_up(host, &list, error, sizeof(error));
        pthread_mutex_lock(&k->m);
    }
    if (!k->stop) {
        if (!known && list.count) remember_name(k, host, &list);
        list_remove(&q->node);
        k->question_count--;
        k->delivering = true;
        pthread_mutex_unlock(&k->m);
        q->answer(q, addrs_for(q, &list, error));
        pthread_mutex_lock(&k->m);
        k->delivering = false;
        pthread_cond_broadcast(&k->changed);
    }
    free(host);
}

static void *resolver_thread(void *arg)
{
    struct ask *k = arg;
    pthread_mutex_lock(&k->m);
    for (;;) {
        wait_until_due(k);
        if (k->stop) break;
        if (k->host && mono_now().ms >= k->due_ms)
            ask_once(k);
        else
            serve_question(k);
    }
    ask_unref(k);
    return NULL;
}

/* --- the owner's side ------------------------------------------------------------------------------------------ */

static bool start_thread(struct ask *k)
{
    sigset_t all, before;
    pthread_t thread;
    pthread_attr_t attr;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    bool ok = pthread_create(&thread, &attr, resolver_thread, k) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return ok;
}

struct resolver *resolver_new(void (*answer)(void *arg, struct addrs *a), void *arg)
{
    struct ask *k = xcalloc(1, sizeof(*k));
    BUG_ON(pthread_mutex_init(&k->m, NULL) != 0);
    BUG_ON(pthread_cond_init(&k->changed, NULL) != 0);
    k->refs = 2;
    k->answer = answer;
    k->arg = arg;
    k->pause_ms = HURRY_MS;
    list_init(&k->questions);
    if (!start_thread(k)) {
        pthread_mutex_lock(&k->m);
        k->refs = 1;
        ask_unref(k);
        return NULL;
    }
    struct resolver *r = xcalloc(1, sizeof(*r));
    r->ask = k;
    return r;
}

static bool is_literal(const char *host)
{
    struct in6_addr any;
    return host[0] == '[' || inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

void resolver_watch(struct resolver *r, const char *host, int port)
{
    struct ask *k = r->ask;
    bool literal = is_literal(host);
    pthread_mutex_lock(&k->m);
    free(k->host);
    k->host = literal ? NULL : xstrdup(host);
    k->port = port;
    k->generation++;
    k->due_ms = 0;
    k->pause_ms = HURRY_MS;
    k->known.count = 0;
    pthread_cond_broadcast(&k->changed);
    while (k->delivering) pthread_cond_wait(&k->changed, &k->m);
    pthread_mutex_unlock(&k->m);
    if (literal) k->answer(k->arg, addrs_literal(host, port));
}

void resolver_hurry(struct resolver *r)
{
    struct ask *k = r->ask;
    pthread_mutex_lock(&k->m);
    k->hurried = true;
    k->due_ms = MIN(k->due_ms, k->asked_ms + HURRY_MS);
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->m);
}

void resolver_ask(struct resolver *r, struct resolver_question *q)
{
    struct ask *k = r->ask;
    struct address_list none = {.count = 0}, list;
    pthread_mutex_lock(&k->m);
    const struct known_name *known = k->stop ? NULL : known_name(k, q->host);
    const char *refused = k->stop                              ? "the program is ending"
                          : k->question_count == QUESTIONS_MAX ? "too many names are being looked up"
                                                               : NULL;
    if (known) list = known->list;
    if (!known && !refused) {
        list_append(&k->questions, &q->node);
        k->question_count++;
        pthread_cond_broadcast(&k->changed);
    }
    pthread_mutex_unlock(&k->m);
    if (known)
        q->answer(q, addrs_for(q, &list, ""));
    else if (refused)
        q->answer(q, addrs_for(q, &none, refused));
}

void resolver_close(struct resolver *r)
{
    struct ask *k = r->ask;
    struct list open;
    list_init(&open);
    pthread_mutex_lock(&k->m);
    k->stop = true;
    pthread_cond_broadcast(&k->changed);
    while (k->delivering) pthread_cond_wait(&k->changed, &k->m);
    LIST_FOR_SAFE(it, &k->questions)
    {
        list_remove(it);
        list_append(&open, it);
    }
    k->question_count = 0;
    pthread_mutex_unlock(&k->m);
    LIST_FOR_SAFE(it, &open)
    {
        struct resolver_question *q = LIST_ENTRY(it, struct resolver_question, node);
        list_remove(it);
        q->answer(q, addrs_failed(q->host, q->port, "the program is ending"));
    }
}

void resolver_free(struct resolver *r)
{
    if (!r) return;
    resolver_close(r);
    pthread_mutex_lock(&r->ask->m);
    ask_unref(r->ask);
    free(r);
}
