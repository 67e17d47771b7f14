/* Is a key perhaps one of the platform's other region (.cn / .com)? Asked for one key, by hand only: the key goes to
 * another host than the configured one, so whoever asks was shown that host first. Nothing about the key changes.
 *
 *   begin -> its name is resolved, by a resolver of its own -> GET models there with the key -> the command is answered
 *
 * Control thread; one at a time. Through a proxy the proxy resolves. */
#include "base/mem.h"
#include "conf/address.h"
#include "engine.h"
#include "proxy/fetch.h"

enum { RESOLVE_MS = 15000 };

struct region_test {
    struct engine *g;
    struct command *cmd;
    char key_id[KEY_ID_LEN + 1];
    const char *host;
    char *api_url;
    struct resolver *resolver;
    atomic_bool resolved; /* the mail is on its way */
    struct mail mail;
    struct addrs *addrs;
    struct loop_timer timer;
    struct fetch_result result;
};

static void region_free(struct region_test *t)
{
    t->g->region_test = NULL;
    resolver_free(t->resolver);
    loop_timer_destroy(&t->timer);
    addrs_put(t->addrs);
    free(t->api_url);
    free(t);
}

static void finish(struct region_test *t, int status, const char *sentence)
{
    log_msg(LOG_INFO, "test at the other region: %s", sentence);
    control_answer(t->cmd, status, "%s", sentence);
    region_free(t);
}

static void answered(void *reader, struct mail *m)
{
    (void)reader;
    struct region_test *t = CONTAINER_OF(m, struct region_test, mail);
    const struct fetch_result *f = &t->result;
    char sentence[400];
    if (f->verdict == VERDICT_OK) {
        snprintf(sentence, sizeof sentence,
                 "key %s is known at %s: it belongs to that platform, use it with base_url = https://%s", t->key_id,
                 t->host, t->host);
        finish(t, 200, sentence);
    } else if (f->verdict == VERDICT_KEY_INVALID) {
        snprintf(sentence, sizeof sentence, "key %s is not known at %s", t->key_id, t->host);
        finish(t, 200, sentence);
    } else {
        snprintf(sentence, sizeof sentence, "%s said nothing about key %s: %s%s%.150s", t->host, t->key_id,
                 verdict_sentence(f->verdict), f->message[0] ? ": " : "", f->message);
        finish(t, 502, sentence);
    }
}

/* On the worker's thread. When the control thread no longer listens, region_end() clears up. */
static void fetched(void *arg, const struct fetch_result *result)
{
    struct region_test *t = arg;
    t->result = *result;
    t->mail.deliver = answered;
    if (!loop_post(t->g->loop, &t->mail)) return;
}

static void ask_in_worker(struct proxy *p, void *arg)
{
    struct region_test *t = arg;
    struct fetch_ask ask = {.key_id = t->key_id, .path = "models", .api_url = t->api_url, .addrs = t->addrs};
    proxy_fetch(p, &ask, fetched, t);
}

static void ask(struct region_test *t)
{
    struct engine *g = t->g;
    if (g->worker_count && worker_call(g->workers[0], ask_in_worker, t)) return;
    finish(t, 503, "sfproxy is shutting down");
}

static void addrs_delivered(void *reader, struct mail *m)
{
    (void)reader;
    struct region_test *t = CONTAINER_OF(m, struct region_test, mail);
    char sentence[300];
    loop_timer_stop(&t->timer);
    resolver_free(t->resolver);
    t->resolver = NULL;
    if (!t->addrs->failed) {
        ask(t);
        return;
    }
    snprintf(sentence, sizeof sentence, "cannot resolve %s: %s", t->host, t->addrs->error);
    finish(t, 502, sentence);
}

/* On the resolver's thread; only its first answer counts. */
static void on_addrs(void *arg, struct addrs *a)
{
    struct region_test *t = arg;
    if (atomic_exchange(&t->resolved, true)) {
        addrs_put(a);
        return;
    }
    t->addrs = a;
    t->mail.deliver = addrs_delivered;
    if (!loop_post(t->g->loop, &t->mail)) return;
}

static void on_timeout(void *arg)
{
    struct region_test *t = arg;
    char sentence[200];
    if (atomic_exchange(&t->resolved, true)) return; /* just now: the mail is there */
    snprintf(sentence, sizeof sentence, "%s was not resolved within %d s", t->host, RESOLVE_MS / 1000);
    finish(t, 502, sentence);
}

void region_test(struct engine *g, struct command *cmd)
{
    const char *host = other_region_host(g->conf->upstream_host);
    if (!host) {
        control_answer(cmd, 409, "%s is not the platform's own address, so there is no other region to ask",
                       g->conf->upstream_host);
        return;
    }
    if (g->region_test) {
        control_answer(cmd, 409, "another key is being tested at the other region; wait a moment");
        return;
    }
    struct region_test *t = xcalloc(1, sizeof *t);
    *t = (struct region_test){.g = g, .cmd = cmd, .host = host};
    g->region_test = t;
    str_copy(t->key_id, sizeof t->key_id, str_of(cmd->subject));
    t->api_url = xasprintf("%s://%s/v1", g->conf->upstream_tls ? "https" : "http", host);
    loop_timer_init(&t->timer, g->loop, on_timeout, t);
    if (g->conf->upstream_proxy[0]) {
        t->addrs = g->addrs ? addrs_get(g->addrs) : NULL;
        ask(t);
        return;
    }
    loop_timer_start(&t->timer, RESOLVE_MS);
    t->resolver = resolver_new(on_addrs, t);
    if (t->resolver)
        resolver_watch(t->resolver, host, g->conf->upstream_tls ? 443 : 80);
    else
        finish(t, 503, "no thread could be started to resolve the name");
}

void region_end(struct engine *g)
{
    struct region_test *t = g->region_test;
    if (!t) return;
    control_answer(t->cmd, 503, "sfproxy is shutting down");
    region_free(t);
}
