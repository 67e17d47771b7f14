/* Tests of keys: requests of our own, on a lease that ignores the key's state, returned without a verdict so that no
 * counter and no cooldown is touched; what was learned goes to the caller. */
#include <cjson/cJSON.h>

#include "base/json.h"
#include "base/mem.h"
#include "net/upstream.h"
#include "proxy/exchange.h"

enum { PROBE_TIMEOUT_MS = 20000, PROBE_BODY_MAX = 1024 * 1024 };

struct probe {
    struct list node; /* p->probes */
    struct proxy *p;
    struct call *call;
    struct lease lease;
    struct loop_timer timer;
    struct loop_task free_task;
    struct buf body;
    struct body *sent_body;
    int status;
    mono_t begun;
    struct probe_result result;
    void (*done)(void *, struct probe_result *);
    void *arg;
    bool over;
};

static void probe_free(void *arg)
{
    struct probe *pr = arg;
    loop_timer_destroy(&pr->timer);
    buf_free(&pr->body);
    body_put(pr->sent_body);
    free(pr);
}

static void finish(struct probe *pr, enum verdict v)
{
    if (pr->over) return;
    pr->over = true;
    upstream_cancel(pr->call);
    pr->call = NULL;
    mono_t now = loop_now(pr->p->loop);
    pr->result.end = (struct lease_end){.verdict = v,
                                        .status = pr->status,
                                        .code = pr->result.end.code,
                                        .message = pr->result.message,
                                        .now = now,
                                        .wall = wall_now()};
    pr->result.took_ms = mono_since(now, pr->begun);
    if (pr->lease.seq) {
        struct lease_end nothing = {.verdict = VERDICT_CANCELLED, .now = now, .wall = wall_now()};
        keypool_return(pr->p->shared->pool, &pr->lease, &nothing);
    }
    list_remove(&pr->node);
    loop_timer_stop(&pr->timer);
    pr->done(pr->arg, &pr->result);
    loop_defer(pr->p->loop, &pr->free_task, probe_free, pr);
}

static void on_timeout(void *arg)
{
    struct probe *pr = arg;
    snprintf(pr->result.message, sizeof pr->result.message, "no answer within %d s", PROBE_TIMEOUT_MS / 1000);
    finish(pr, VERDICT_GW_TIMEOUT);
}

static void on_sent(void *arg)
{
    (void)arg;
}

static void on_head(void *arg, const struct call_head *h)
{
    struct probe *pr = arg;
    pr->status = h->status;
}

static bool on_body(void *arg, struct str data)
{
    struct probe *pr = arg;
    buf_add_str(&pr->body, data);
    return true;
}

/* A money string of user/info: a decimal string or a number. */
static bool money(const cJSON *data, const char *name, int64_t *micro)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(data, name);
    char text[40];
    if (cJSON_IsString(item)) return str_micro(str_of(item->valuestring), micro);
    if (!cJSON_IsNumber(item)) return false;
    snprintf(text, sizeof text, "%.6f", item->valuedouble);
    return str_micro(str_of(text), micro);
}

static void read_balance(struct probe *pr)
{
    cJSON *root = cJSON_ParseWithLengthOpts(buf_cstr(&pr->body), pr->body.len + 1, NULL, false);
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(root, "data");
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(data, "id");
    pr->result.has_balance = money(data, "totalBalance", &pr->result.total_micro);
    if (cJSON_IsString(id)) text_clean(str_of(id->valuestring), pr->result.account, sizeof pr->result.account);
    cJSON_Delete(root);
}

/* Without memory nothing was learnt about the key. */
static enum verdict verdict_of_lost(const struct call_end *end)
{
    if (end->result == CALL_NO_MEMORY) return VERDICT_CANCELLED;
    if (end->result == CALL_GARBAGE) return VERDICT_GARBAGE;
    return end->sent ? VERDICT_RESET : VERDICT_CONNECT;
}

static void on_done(void *arg, const struct call_end *end)
{
    struct probe *pr = arg;
    pr->call = NULL;
    if (end->result != CALL_OK) {
        snprintf(pr->result.message, sizeof pr->result.message, "%s", end->sentence);
        finish(pr, verdict_of_lost(end));
        return;
    }
    struct upstream_error error = {0};
    enum verdict v = verdict_of_answer(pr->status, true, buf_str(&pr->body), &error);
    /* user/info wraps its data in {"code":20000,...}, which is success. */
    if (v == VERDICT_OK && pr->result.kind == PROBE_BALANCE) read_balance(pr);
    pr->result.end.code = error.code;
    if (v != VERDICT_OK) snprintf(pr->result.message, sizeof pr->result.message, "%s", error.message);
    finish(pr, v);
}

static struct body *deep_body(struct proxy *p)
{
    struct body *b = body_new(&p->shared->budget, 4096);
    buf_puts(&b->bytes, "{\"model\":");
    json_quote(&b->bytes, str_of(p->conf->models_test_model));
    buf_puts(&b->bytes, ",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":1,\"stream\":false}");
    return b;
}

static void start_call(struct probe *pr)
{
    static const struct call_ops ops = {on_sent, on_head, on_body, on_done};
    static const char *const paths[] = {
        [PROBE_MODELS] = "models", [PROBE_DEEP] = "chat/completions", [PROBE_BALANCE] = "user/info"};
    static const char *const headers[] = {"Content-Type: application/json"};
    bool deep = pr->result.kind == PROBE_DEEP;
    char *url = attempt_url(pr->p->conf, paths[pr->result.kind], (struct str){NULL, 0});
    if (deep) pr->sent_body = deep_body(pr->p);
    struct call_spec spec = {.method = deep ? "POST" : "GET",
                             .url = url,
                             .headers = headers,
                             .header_count = deep ? 1 : 0,
                             .auth = pr->lease.auth,
                             .body = pr->sent_body,
                             .has_body = deep,
                             .addrs = pr->p->addrs};
    pr->call = upstream_start(pr->p->upstream, &spec, &ops, pr);
    free(url);
}

static enum verdict acquire(struct probe *pr)
{
    struct pick pick;
    struct pick_ask ask = {.model = {"", 0}, .only_key = pr->result.key_id, .ignore_state = true, .now = pr->begun};
    keypool_acquire(pr->p->shared->pool, &ask, &pick);
    if (pick.result != PICK_OK) {
        snprintf(pr->result.message, sizeof pr->result.message, "no such key");
        return VERDICT_CANCELLED;
    }
    pr->lease = pick.lease;
    pr->result.found = true;
    if (pr->p->addrs && !pr->p->addrs->failed) return VERDICT_OK;
    snprintf(pr->result.message, sizeof pr->result.message, "the address of %s is not known",
             pr->p->conf->upstream_host);
    return VERDICT_CONNECT;
}

void proxy_probe(struct proxy *p, enum probe_kind kind, const char *key_id, void (*done)(void *, struct probe_result *),
                 void *arg)
{
    struct probe *pr = xcalloc(1, sizeof *pr);
    pr->p = p;
    pr->done = done;
    pr->arg = arg;
    pr->begun = loop_now(p->loop);
    pr->result.kind = kind;
    str_copy(pr->result.key_id, sizeof pr->result.key_id, str_of(key_id));
    buf_init(&pr->body, PROBE_BODY_MAX);
    loop_timer_init(&pr->timer, p->loop, on_timeout, pr);
    list_append(&p->probes, &pr->node);
    enum verdict v = acquire(pr);
    if (v != VERDICT_OK) {
        finish(pr, v);
        return;
    }
    loop_timer_start(&pr->timer, PROBE_TIMEOUT_MS);
    start_call(pr);
}

void probe_free_all(struct proxy *p)
{
    LIST_FOR_SAFE(it, &p->probes)
    {
        struct probe *pr = LIST_ENTRY(it, struct probe, node);
        snprintf(pr->result.message, sizeof pr->result.message, "shutting down");
        finish(pr, VERDICT_CANCELLED);
    }
}
