/* From a whole request to a prepared answer: ledger row, rules, key, limits, then the endpoint's handler. Order of
 * refusals, as on the platform: wrong path, key, account, unknown model, limits. */
#include "api.h"
#include "catalogue.h"
#include "script.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define JSON_TYPE "application/json; charset=utf-8"

void api_preset(struct conn *c, const char *name)
{
    struct exchange *x = &c->ex;
    const struct preset *p = preset_find(name);
    if (!p) abort();
    x->flow = FLOW_PLAIN;
    x->status = p->status;
    x->type = p->type;
    buf_clear(&x->body, 4096);
    buf_puts(&x->body, p->body);
}

cJSON *api_json(const struct call *call)
{
    return call->n < 4u << 20 ? cJSON_ParseWithLength(call->body, call->n) : NULL;
}

const char *api_text(const cJSON *j, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(j, name);
    return cJSON_IsString(v) ? v->valuestring : NULL;
}

enum { NEEDS_MODEL = 1, LISTING = 2 };

static const struct route {
    const char *method, *path; /* a path that ends in / takes one more segment */
    handler *run;
    int flags;
} routes[] = {
    {"POST", "/v1/chat/completions", endpoint_chat, NEEDS_MODEL},
    {"POST", "/v1/completions", endpoint_completions, NEEDS_MODEL},
    {"POST", "/v1/messages", endpoint_messages, NEEDS_MODEL},
    {"POST", "/v1/embeddings", endpoint_embeddings, NEEDS_MODEL},
    {"POST", "/v1/rerank", endpoint_rerank, NEEDS_MODEL},
    {"POST", "/v1/images/generations", endpoint_images, NEEDS_MODEL},
    {"POST", "/v1/audio/transcriptions", endpoint_transcriptions, NEEDS_MODEL},
    {"POST", "/v1/audio/speech", endpoint_speech, NEEDS_MODEL},
    {"POST", "/v1/uploads/audio/voice", voice_upload, 0},
    {"GET", "/v1/audio/voice/list", voice_list, 0},
    {"POST", "/v1/audio/voice/deletions", voice_delete, 0},
    {"POST", "/v1/video/submit", video_submit, NEEDS_MODEL},
    {"POST", "/v1/video/status", video_status, 0},
    {"GET", "/v1/models", endpoint_models, LISTING},
    {"GET", "/v1/user/info", endpoint_user_info, LISTING},
    {"POST", "/v1/files", file_upload, 0},
    {"GET", "/v1/files", file_list, 0},
    {"GET", "/v1/files/", file_get, 0},
    {"DELETE", "/v1/files/", file_delete, 0},
    {"POST", "/v1/batches", batch_create, 0},
    {"GET", "/v1/batches", batch_list, 0},
    {"POST", "/v1/batches/", batch_cancel, 0},
    {"GET", "/v1/batches/", batch_get, 0},
};

static const struct route *find_route(struct call *call, const char *method)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        const struct route *r = &routes[i];
        size_t n = strlen(r->path);
        if (strcmp(r->method, method) != 0) continue;
        if (r->path[n - 1] == '/' ? strncmp(call->path, r->path, n) == 0 && call->path[n]
                                  : strcmp(call->path, r->path) == 0) {
            call->rest = call->path + n;
            return r;
        }
    }
    return NULL;
}

/* The key of a request: Bearer anywhere, x-api-key on /v1/messages. NULL when there is none. */
static struct key *key_of(const struct conn *c)
{
    char v[512];
    if (http_header(&c->rq, "authorization", v, sizeof v) && strncasecmp(v, "Bearer ", 7) == 0 && v[7])
        return accounts_key(v + 7);
    if (strcmp(c->rq.path, "/v1/messages") == 0 && http_header(&c->rq, "x-api-key", v, sizeof v) && v[0])
        return accounts_key(v);
    return NULL;
}

/* Decodes the escapes of a JSON string that models are likely to have; the rest stays as it is. */
static char *unescape(const char *p, size_t n)
{
    char *out = xalloc(n + 1);
    size_t o = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\\' && i + 1 < n && strchr("/\"\\", p[i + 1])) i++;
        out[o++] = p[i] ? p[i] : '?';
    }
    return out;
}

static void find_model(struct call *call)
{
    char type[64];
    struct exchange *x = &call->c->ex;
    http_header(&call->c->rq, "content-type", type, sizeof type);
    if (strncasecmp(type, "multipart/", 10) == 0) {
        const char *part;
        size_t n;
        call->scan = (struct scan){.max_tokens = -1, .object = true};
        if (!http_part(&call->c->rq, call->body, call->n, "model", &part, &n, NULL, 0)) return;
        call->scan.model = part;
        call->scan.model_len = n;
    } else {
        scan_body(call->body, call->n, &call->scan);
        if (!call->scan.model && call->n && call->n < 256u << 10) {
            /* an escaped name such as "mod\u0065l": rare, so only looked for when the fast way found nothing */
            cJSON *j = cJSON_ParseWithLength(call->body, call->n);
            const char *m = api_text(j, "model");
            if (m) buf_puts(&x->model_raw, m);
            if (m) x->model = xstrdup(m);
            cJSON_Delete(j);
        }
    }
    if (!call->scan.model) return;
    buf_add(&x->model_raw, call->scan.model, call->scan.model_len);
    x->model = unescape(call->scan.model, call->scan.model_len);
}

static void open_exchange(struct conn *c)
{
    struct exchange *x = &c->ex;
    static uint64_t serial;
    x->active = true;
    x->status = 200;
    x->type = JSON_TYPE;
    totals.requests++;
    if (totals.open_connections > totals.max_connections) totals.max_connections = totals.open_connections;
    if (++totals.in_flight > totals.max_in_flight) totals.max_in_flight = totals.in_flight;
    totals.bytes_in += buf_size(&c->rq.head);
    struct timespec t;
    clock_gettime(CLOCK_REALTIME_COARSE, &t);
    x->created = (long)t.tv_sec;
    snprintf(x->id, sizeof x->id, "019%09lx%020llx", (unsigned long)t.tv_sec, (unsigned long long)++serial);
    if (!http_header(&c->rq, "x-trace-id", x->trace, sizeof x->trace))
        snprintf(x->trace, sizeof x->trace, "ti_%016llx", (unsigned long long)serial);
}

static void open_row(struct call *call)
{
    struct conn *c = call->c;
    struct row *r = report_row();
    c->ex.seq = r->seq;
    r->start = now_ns();
    r->head_len = buf_size(&c->rq.head);
    r->head = xstrndup(buf_data(&c->rq.head), r->head_len);
    r->key = c->ex.key;
    r->model = c->ex.model ? xstrdup(c->ex.model) : NULL;
    r->stream = call->scan.stream;
    r->body_bytes = call->n;
    SHA256((const unsigned char *)call->body, call->n, r->sha256);
    r->fault = c->ex.act ? c->ex.act->name : NULL;
    r->connection = c->number;
    r->nth_on_connection = c->served;
}

static void count_key(struct exchange *x)
{
    struct key *k = x->key;
    if (!k) return;
    k->requests++;
    if (++k->in_flight > k->max_in_flight) k->max_in_flight = k->in_flight;
    if (x->model && x->flow != FLOW_BENCH) accounts_count(k, x->model)->requests++;
}

static struct act *match(struct conn *c, int stream, enum when when)
{
    const struct exchange *x = &c->ex;
    struct candidate who = {.key = x->key ? x->key->name : NULL,
                            .account = x->key ? x->key->account->name : NULL,
                            .model = x->model,
                            .path = c->rq.path,
                            .method = c->rq.method,
                            .stream = stream};
    return script_match(&who, when);
}

/* The act's own answer; true when it has one. */
static bool act_answers(struct conn *c)
{
    struct exchange *x = &c->ex;
    const struct act *a = x->act;
    if (!a) return false;
    if (a->json_error) {
        api_preset(c, "200_50609");
        return true;
    }
    if (!a->status && !a->body) return false;
    x->status = a->status ? a->status : 200;
    if (a->type) x->type = a->type;
    if (a->body) buf_add(&x->body, a->body, a->body_len);
    return true;
}

/* The refusal that this key and model get on the platform, as a preset's name, or NULL. */
static const char *refusal(struct call *call, const struct route *r)
{
    struct exchange *x = &call->c->ex;
    const struct key *k = x->key;
    if (!k || k->kind == KIND_INVALID) return script.v2025 ? "401_bare_string" : "401_30014";
    if (r->flags & LISTING) return NULL;
    if (k->kind == KIND_UNVERIFIED) return "403_realname";
    if ((r->flags & NEEDS_MODEL) && !x->model) return "400_20015";
    if (!x->model) return NULL;
    if (script.strict_models && !catalogue_find(x->model)) return "400_20012";
    bool broke = k->kind == KIND_EMPTY && k->balance[0] == '-';
    if (broke || ((k->kind == KIND_EMPTY || k->kind == KIND_FREE) && catalogue_paid(x->model)))
        return script.v2025 ? "403_30001" : "402_30001";
    return NULL;
}

static bool limited(struct call *call)
{
    static char name[32];
    struct exchange *x = &call->c->ex;
    if (!x->model) return false;
    x->cell = accounts_cell(x->key->account, x->model);
    bool image = strcmp(call->path, "/v1/images/generations") == 0;
    const char *metric = accounts_limited(x->cell, now_ns(), image);
    if (metric) {
        snprintf(name, sizeof name, "429_%s%s", metric, script.v2025 ? "_2025" : metric[0] == 'i' ? "_50604" : "");
        x->cell = NULL;
        api_preset(call->c, name);
        return true;
    }
    x->cell->requests++;
    accounts_used(x->cell, now_ns(), UNIT_REQUESTS, 1);
    if (image) accounts_used(x->cell, now_ns(), UNIT_IMAGES, 1);
    return false;
}

static void serve_png(struct conn *c)
{
    /* a red dot of 1x1 */
    static const unsigned char png[] = {
        0x89, 'P',  'N',  'G', '\r', '\n', 0x1a, '\n', 0,    0,    0,    13,   'I',  'H',  'D',  'R',  0,    0,
        0,    1,    0,    0,   0,    1,    8,    2,    0,    0,    0,    0x90, 0x77, 0x53, 0xde, 0,    0,    0,
        12,   'I',  'D',  'A', 'T',  0x08, 0xd7, 0x63, 0xf8, 0xcf, 0xc0, 0x00, 0x00, 0x03, 0x01, 0x01, 0x00, 0x18,
        0xdd, 0x8d, 0xb0, 0,   0,    0,    0,    'I',  'E',  'N',  'D',  0xae, 0x42, 0x60, 0x82};
    buf_add(&c->ex.body, png, sizeof png);
    c->ex.type = "image/png";
}

static void ordinary(struct call *call)
{
    struct conn *c = call->c;
    if (strncmp(call->path, "/_files/", 8) == 0) {
        serve_png(c);
        return;
    }
    const struct route *r = find_route(call, c->rq.method);
    const char *no = r ? refusal(call, r) : "404_text";
    if (no)
        api_preset(c, no);
    else if (!limited(call))
        r->run(call);
}

/* bench/json-<bytes> and bench/stream-<chunks>-<interval_ms>-<bytes>: no row, no rules, no hash. */
static bool bench(struct call *call)
{
    struct exchange *x = &call->c->ex;
    long chunks, interval, bytes;
    if (!x->model || strncmp(x->model, "bench/", 6) != 0) return false;
    x->flow = FLOW_BENCH;
    if (sscanf(x->model, "bench/json-%ld", &bytes) == 1 && bytes >= 0 && bytes <= 64 << 20) {
        x->flow = FLOW_PLAIN;
        buf_puts(&x->body,
                 "{\"id\":\"bench\",\"object\":\"chat.completion\",\"created\":0,\"model\":\"bench\",\"choices\":"
                 "[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"");
        size_t tail = 110, have = buf_size(&x->body);
        if ((size_t)bytes > have + tail) buf_fill(&x->body, 'x', (size_t)bytes - have - tail);
        buf_puts(&x->body, "\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":20,"
                           "\"total_tokens\":30}}");
        if (buf_size(&x->body) < (size_t)bytes) buf_fill(&x->body, ' ', (size_t)bytes - buf_size(&x->body));
        x->tokens_in = 10;
        x->tokens_out = 20;
    } else if (sscanf(x->model, "bench/stream-%ld-%ld-%ld", &chunks, &interval, &bytes) == 3) {
        x->n_text = (int)chunks;
        x->interval = (int64_t)interval * 1000000;
        x->chunk_bytes = bytes;
        x->type = "text/event-stream";
    } else {
        return false;
    }
    return true;
}

void answer_request(struct conn *c, const char *body, size_t n)
{
    struct call call = {.c = c, .body = body ? body : "", .n = n, .path = c->rq.path};
    if (strncmp(c->rq.path, "/_standin/", 10) == 0) {
        control_request(c, call.body, n);
        return;
    }
    open_exchange(c);
    totals.bytes_in += n;
    if (n) find_model(&call);
    c->ex.key = key_of(c);
    if (bench(&call)) {
        count_key(&c->ex);
        respond_begin(c);
        return;
    }
    count_key(&c->ex);
    c->ex.act = match(c, call.scan.stream, AT_REQUEST);
    open_row(&call);
    if (!act_answers(c)) ordinary(&call);
    respond_ready(c);
}

bool answer_early(struct conn *c)
{
    struct call call = {.c = c, .body = "", .path = c->rq.path};
    if (!script_has(AT_HEAD) || strncmp(c->rq.path, "/_standin/", 10) == 0) return false;
    c->ex.key = key_of(c);
    c->ex.act = match(c, -1, AT_HEAD);
    if (!c->ex.act) {
        c->ex.key = NULL;
        return false;
    }
    open_exchange(c);
    count_key(&c->ex);
    open_row(&call);
    c->phase = PH_DRAIN;
    if (!act_answers(c)) api_preset(c, "413_gateway");
    respond_begin(c);
    return true;
}
