/* The resolver against a getaddrinfo() of our own, defined here: it answers from a script and can be made to hang. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>

#include "net/resolver.h"
#include "base/clock.h"
#include "base/mem.h"

static struct {
    pthread_mutex_t m;
    pthread_cond_t changed;
    const char *ips[20]; /* the next answers; NULL first: EAI_AGAIN */
    size_t count;
    bool hang;
    unsigned asked, answered;
    char last_host[64];
} dns = {.m = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static struct addrinfo *make(const char *ip)
{
    struct addrinfo *ai = xcalloc(1, sizeof(*ai));
    struct sockaddr_in *v4 = xcalloc(1, sizeof(struct sockaddr_in6));
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)v4;
    ai->ai_addr = (struct sockaddr *)v4;
    ai->ai_family = strchr(ip, ':') ? AF_INET6 : AF_INET;
    v4->sin_family = (sa_family_t)ai->ai_family;
    assert_int_equal(
        inet_pton(ai->ai_family, ip, ai->ai_family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr), 1);
    return ai;
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
    (void)service;
    (void)hints;
    struct addrinfo *first = NULL, **tail = &first;
    pthread_mutex_lock(&dns.m);
    dns.asked++;
    str_copy(dns.last_host, sizeof(dns.last_host), str_of(host));
    pthread_cond_broadcast(&dns.changed);
    for (size_t i = 0; i < dns.count; i++) { /* the script as it is when asked */
        *tail = make(dns.ips[i]);
        tail = &(*tail)->ai_next;
    }
    while (dns.hang) pthread_cond_wait(&dns.changed, &dns.m);
    dns.answered++;
    pthread_cond_broadcast(&dns.changed);
    pthread_mutex_unlock(&dns.m);
    *res = first;
    return first ? 0 : EAI_AGAIN;
}

void freeaddrinfo(struct addrinfo *ai)
{
    while (ai) {
        struct addrinfo *next = ai->ai_next;
        free(ai->ai_addr);
        free(ai);
        ai = next;
    }
}

static void script(size_t n, const char *const *ips)
{
    pthread_mutex_lock(&dns.m);
    dns.count = n;
    for (size_t i = 0; i < n; i++) dns.ips[i] = ips[i];
    pthread_mutex_unlock(&dns.m);
}
#define SCRIPT(...) script(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *const[]){__VA_ARGS__})

static void set_hang(bool hang)
{
    pthread_mutex_lock(&dns.m);
    dns.hang = hang;
    pthread_cond_broadcast(&dns.changed);
    pthread_mutex_unlock(&dns.m);
}

/* What was answered, newest last. */
static struct {
    pthread_mutex_t m;
    pthread_cond_t changed;
    struct addrs *list[32];
    unsigned count;
} got = {.m = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void answer(void *arg, struct addrs *a)
{
    assert_ptr_equal(arg, &got);
    pthread_mutex_lock(&got.m);
    assert_true(got.count < ARRAY_LEN(got.list));
    got.list[got.count++] = a;
    pthread_cond_broadcast(&got.changed);
    pthread_mutex_unlock(&got.m);
}

static void wait_for(pthread_mutex_t *m, pthread_cond_t *changed, const unsigned *value, unsigned n)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 10;
    int rc = 0;
    pthread_mutex_lock(m);
    while (*value < n && rc == 0) rc = pthread_cond_timedwait(changed, m, &deadline);
    pthread_mutex_unlock(m);
    assert_int_equal(rc, 0);
}

static struct addrs *wait_answer(unsigned n)
{
    wait_for(&got.m, &got.changed, &got.count, n);
    return got.list[n - 1];
}

static void wait_asked(unsigned n)
{
    wait_for(&dns.m, &dns.changed, &dns.asked, n);
}

static int setup(void **state)
{
    (void)state;
    set_hang(false);
    script(0, NULL);
    pthread_mutex_lock(&dns.m);
    dns.asked = dns.answered = 0;
    pthread_mutex_unlock(&dns.m);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pthread_mutex_lock(&got.m);
    for (unsigned i = 0; i < got.count; i++) addrs_put(got.list[i]);
    got.count = 0;
    pthread_mutex_unlock(&got.m);
    return 0;
}

static void test_first_answer(void **state)
{
    (void)state;
    SCRIPT("1.2.3.4", "2001:db8::1", "1.2.3.4", "5.6.7.8");
    struct resolver *r = resolver_new(answer, &got);
    resolver_watch(r, "api.example", 443);
    struct addrs *a = wait_answer(1);
    assert_string_equal(a->resolve_entry, "api.example:443:1.2.3.4,[2001:db8::1],5.6.7.8");
    assert_string_equal(a->host, "api.example");
    assert_int_equal(a->port, 443);
    assert_false(a->failed);
    resolver_free(r);
}

static void test_at_most_eight(void **state)
{
    (void)state;
    SCRIPT("1.0.0.1", "1.0.0.2", "1.0.0.3", "1.0.0.4", "1.0.0.5", "1.0.0.6", "1.0.0.7", "1.0.0.8", "1.0.0.9");
    struct resolver *r = resolver_new(answer, &got);
    resolver_watch(r, "h", 1);
    assert_true(str_ends(str_of(wait_answer(1)->resolve_entry), ",1.0.0.8"));
    resolver_free(r);
}

static void test_literals(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "::1", "[::1]"};
    struct resolver *r = resolver_new(answer, &got);
    for (unsigned i = 0; i < ARRAY_LEN(hosts); i++) {
        resolver_watch(r, hosts[i], 80);
        assert_int_equal(got.count, i + 1); /* at once */
        assert_null(got.list[i]->resolve_entry);
        assert_false(got.list[i]->failed);
        assert_string_equal(got.list[i]->host, hosts[i]);
    }
    resolver_free(r);
    assert_int_equal(dns.asked, 0);
}

static void test_failure_then_answer(void **state)
{
    (void)state;
    struct resolver *r = resolver_new(answer, &got);
    resolver_watch(r, "h", 1);
    struct addrs *a = wait_answer(1);
    assert_true(a->failed);
    assert_true(a->error[0] != '\0');
    assert_null(a->resolve_entry);
    SCRIPT("1.2.3.4");
    resolver_hurry(r);
    unsigned n = 2;
    while (wait_answer(n)->failed) n++; /* tried again by itself */
    assert_string_equal(got.list[n - 1]->resolve_entry, "h:1:1.2.3.4");
    resolver_free(r);
}

static void test_good_answer_is_kept(void **state)
{
    (void)state;
    SCRIPT("1.2.3.4", "1.2.3.5");
    struct resolver *r = resolver_new(answer, &got);
    resolver_watch(r, "h", 1);
    wait_answer(1);
    SCRIPT("1.2.3.5", "1.2.3.4"); /* another order is no news */
    resolver_hurry(r);
    wait_asked(2);
    script(0, NULL); /* neither is a failure */
    resolver_hurry(r);
    wait_asked(3);
    SCRIPT("9.9.9.9");
    resolver_hurry(r);
    assert_string_equal(wait_answer(2)->resolve_entry, "h:1:9.9.9.9");
    assert_int_equal(got.count, 2);
    resolver_free(r);
}

static void test_other_host(void **state)
{
    (void)state;
    SCRIPT("1.1.1.1");
    set_hang(true);
    struct resolver *r = resolver_new(answer, &got);
    resolver_watch(r, "old", 1);
    wait_asked(1);
    resolver_watch(r, "new", 2); /* while the question for the old one hangs */
    SCRIPT("2.2.2.2");
    set_hang(false);
    assert_string_equal(wait_answer(1)->resolve_entry, "new:2:2.2.2.2");
    resolver_free(r);
    assert_int_equal(got.count, 1);
}

static void test_free_while_hanging(void **state)
{
    (void)state;
    SCRIPT("1.1.1.1");
    set_hang(true);
    struct resolver *r = resolver_new(answer, &got);
    resolver_watch(r, "h", 1);
    wait_asked(1);
    resolver_free(r); /* would never return if it waited */
    assert_int_equal(dns.answered, 0);
    set_hang(false);
    wait_for(&dns.m, &dns.changed, &dns.answered, 1);
    for (int i = 0; i < 20; i++) poll(NULL, 0, 1); /* room for the thread to do it wrong */
    assert_int_equal(got.count, 0);
}

static void test_free_unused(void **state)
{
    (void)state;
    resolver_free(resolver_new(answer, &got));
    resolver_free(NULL);
    addrs_put(NULL);
}

/* ---- other names, on demand ---- */

struct asked {
    struct resolver_question q;
    struct addrs *a; /* under got.m */
};

static void on_asked(struct resolver_question *q, struct addrs *a)
{
    pthread_mutex_lock(&got.m);
    CONTAINER_OF(q, struct asked, q)->a = a;
    got.list[got.count++] = a;
    pthread_cond_broadcast(&got.changed);
    pthread_mutex_unlock(&got.m);
}

static void ask(struct resolver *r, struct asked *k, const char *host, bool public_only)
{
    *k = (struct asked){.q = {.host = host, .port = 443, .public_only = public_only, .answer = on_asked}};
    list_init(&k->q.node);
    resolver_ask(r, &k->q);
}

static void test_on_demand(void **state)
{
    (void)state;
    SCRIPT("10.0.0.1", "1.2.3.4", "::1");
    struct resolver *r = resolver_new(answer, &got);
    struct asked k;
    ask(r, &k, "pictures.example", true);
    assert_string_equal(wait_answer(1)->resolve_entry, "pictures.example:443:1.2.3.4");
    ask(r, &k, "pictures.example", false); /* known: at once, another rule about addresses */
    assert_int_equal(got.count, 2);
    assert_string_equal(got.list[1]->resolve_entry, "pictures.example:443:10.0.0.1,1.2.3.4,[::1]");
    assert_int_equal(dns.asked, 1);
    SCRIPT("127.0.0.1");
    ask(r, &k, "inside.example", true);
    assert_true(wait_answer(3)->failed);
    assert_non_null(strstr(got.list[2]->error, "open internet"));
    script(0, NULL);
    ask(r, &k, "none.example", true);
    assert_true(wait_answer(4)->failed);
    ask(r, &k, "none.example", true); /* a failure is not kept */
    assert_true(wait_answer(5)->failed);
    assert_int_equal(dns.asked, 4);
    resolver_free(r);
}

static void test_many_names_are_bounded(void **state)
{
    (void)state;
    char hosts[80][16];
    SCRIPT("1.2.3.4");
    struct resolver *r = resolver_new(answer, &got);
    struct asked k;
    for (unsigned i = 0; i < ARRAY_LEN(hosts); i++) {
        snprintf(hosts[i], sizeof hosts[i], "h%u.example", i);
        ask(r, &k, hosts[i], true);
        addrs_put(wait_answer(1));
        got.count = 0;
    }
    ask(r, &k, hosts[79], true);
    addrs_put(wait_answer(1));
    got.count = 0;
    assert_int_equal(dns.asked, 80);
    ask(r, &k, hosts[0], true); /* made room for a later one */
    wait_answer(1);
    assert_int_equal(dns.asked, 81);
    resolver_free(r);
}

/* getaddrinfo hangs: the questions wait, closing answers all of them, later ones are refused at once. */
static void test_close_answers_what_is_open(void **state)
{
    (void)state;
    static struct asked k[300];
    SCRIPT("1.2.3.4");
    set_hang(true);
    struct resolver *r = resolver_new(answer, &got);
    ask(r, &k[0], "a.example", true);
    wait_asked(1);
    for (unsigned i = 1; i < 4; i++) ask(r, &k[i], "b.example", true);
    assert_int_equal(got.count, 0);
    resolver_close(r);
    assert_int_equal(got.count, 4);
    for (unsigned i = 0; i < 4; i++) assert_true(k[i].a->failed);
    ask(r, &k[4], "c.example", true);
    assert_true(got.count == 5 && k[4].a->failed);
    resolver_hurry(r);
    resolver_free(r);
    set_hang(false);
    wait_for(&dns.m, &dns.changed, &dns.answered, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_first_answer),
        T(test_at_most_eight),
        T(test_literals),
        T(test_failure_then_answer),
        T(test_good_answer_is_kept),
        T(test_other_host),
        T(test_free_while_hanging),
        T(test_free_unused),
        cmocka_unit_test_setup_teardown(test_on_demand, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_names_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_answers_what_is_open, setup, teardown),
    };
    return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}
