/* Tests of keys: fetches with one key, whatever its state, that touch no counter and no cooldown; what was learned goes
 * to the caller. */
#include <cjson/cJSON.h>

#include "base/json.h"
#include "base/mem.h"
#include "proxy/exchange.h"
#include "proxy/fetch.h"

struct probe {
    struct proxy *p;
    struct probe_result result;
    void (*done)(void *, struct probe_result *);
    void *arg;
};

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

static void read_balance(struct probe_result *r, struct str body)
{
    cJSON *root = cJSON_ParseWithLength(body.p, body.n);
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(root, "data");
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(data, "id");
    r->has_balance = money(data, "totalBalance", &r->total_micro);
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(data, "status");
    r->has_charge = money(data, "chargeBalance", &r->charge_micro);
    if (cJSON_IsString(status)) text_clean(str_of(status->valuestring), r->user_status, sizeof r->user_status);
    if (cJSON_IsString(id)) text_clean(str_of(id->valuestring), r->account, sizeof r->account);
    cJSON_Delete(root);
}

static void on_fetched(void *arg, const struct fetch_result *f)
{
    struct probe *pr = arg;
    struct probe_result *r = &pr->result;
    r->found = f->found;
    r->took_ms = f->took_ms;
    str_copy(r->message, sizeof r->message, str_of(f->message));
    r->end = (struct lease_end){.verdict = f->verdict,
                                .status = f->status,
                                .code = f->code,
                                .message = r->message,
                                .now = loop_now(pr->p->loop),
                                .wall = wall_now()};
    /* user/info wraps its data in {"code":20000,...}, which is success. */
    if (f->verdict == VERDICT_OK && r->kind == PROBE_BALANCE) read_balance(r, f->body);
    pr->done(pr->arg, r);
    free(pr);
}

static void deep_body(const struct conf *c, struct buf *out)
{
    buf_puts(out, "{\"model\":");
    json_quote(out, str_of(c->models_test_model));
    buf_puts(out, ",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":1,\"stream\":false}");
}

void proxy_probe(struct proxy *p, enum probe_kind kind, const char *key_id, void (*done)(void *, struct probe_result *),
                 void *arg)
{
    static const char *const paths[] = {
        [PROBE_MODELS] = "models", [PROBE_DEEP] = "chat/completions", [PROBE_BALANCE] = "user/info"};
    struct probe *pr = xcalloc(1, sizeof *pr);
    struct buf body = BUF_INIT(4096);
    *pr = (struct probe){.p = p, .done = done, .arg = arg, .result = {.kind = kind}};
    str_copy(pr->result.key_id, sizeof pr->result.key_id, str_of(key_id));
    if (kind == PROBE_DEEP) deep_body(p->conf, &body);
    struct fetch_ask ask = {.key_id = pr->result.key_id, .path = paths[kind], .body = buf_str(&body)};
    proxy_fetch(p, &ask, on_fetched, pr);
    buf_free(&body);
}
