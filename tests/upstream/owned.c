/* What belongs to an account and cannot be seen from another: video jobs, files, batches, voices. */
#include "api.h"
#include "script.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum sort { VIDEO, VOICE, FILE_, BATCH };

struct thing {
    struct thing *next; /* newest first */
    enum sort sort;
    const struct account *account;
    char id[320], name[128], model[128], text[256], state[16];
    long bytes, created, polls;
};

static struct thing *things;
static uint64_t serial;

void owned_reset(void)
{
    for (struct thing *t = things, *next; t; t = next) {
        next = t->next;
        free(t);
    }
    things = NULL;
}

static void copy(char *to, size_t size, const char *from, size_t n)
{
    if (n >= size) n = size - 1;
    memcpy(to, from, n);
    to[n] = 0;
}

static struct thing *make(struct call *call, enum sort sort)
{
    struct thing *t = xalloc(sizeof *t);
    t->sort = sort;
    t->account = call->c->ex.key->account;
    t->created = call->c->ex.created + (long)++serial; /* no two in one second: lists have an order */
    t->next = things;
    return things = t;
}

static struct thing *find(struct call *call, enum sort sort, const char *id, size_t n)
{
    for (struct thing *t = things; t; t = t->next) {
        if (t->sort == sort && t->account == call->c->ex.key->account && strlen(t->id) == n &&
            memcmp(t->id, id, n) == 0)
            return t;
    }
    return NULL;
}

static void not_found(struct call *call, int status, const char *what)
{
    struct exchange *x = &call->c->ex;
    x->status = status;
    buf_clear(&x->body, 4096);
    buf_printf(&x->body, "{\"code\":20015,\"message\":\"%s not found.\",\"data\":null}", what);
}

void video_submit(struct call *call)
{
    struct thing *t = make(call, VIDEO);
    snprintf(t->id, sizeof t->id, "k6c86xim%04llx", (unsigned long long)serial);
    buf_printf(&call->c->ex.body, "{\"requestId\":\"%s\"}", t->id);
}

void video_status(struct call *call)
{
    cJSON *j = api_json(call);
    const char *id = api_text(j, "requestId");
    struct thing *t = id ? find(call, VIDEO, id, strlen(id)) : NULL;
    cJSON_Delete(j);
    if (!t) {
        not_found(call, 400, "requestId");
        return;
    }
    struct buf *b = &call->c->ex.body;
    char host[256];
    http_header(&call->c->rq, "host", host, sizeof host);
    if (t->polls++ < script.defaults.video_polls)
        buf_printf(b, "{\"status\":\"%s\",\"reason\":\"\",\"position\":%d,\"results\":null}",
                   t->polls == 1 ? "InQueue" : "InProgress", t->polls == 1);
    else
        buf_printf(b,
                   "{\"status\":\"Succeed\",\"reason\":\"\",\"position\":0,\"results\":{\"videos\":[{\"url\":"
                   "\"http://%s/_files/%s.mp4\"}],\"timings\":{\"inference\":184.86},\"seed\":1}}",
                   host, t->id);
}

static bool part(struct call *call, const char *name, char *out, size_t size)
{
    const char *p;
    size_t n;
    out[0] = 0;
    if (!http_part(&call->c->rq, call->body, call->n, name, &p, &n, NULL, 0)) return false;
    copy(out, size, p, n);
    return true;
}

void voice_upload(struct call *call)
{
    char name[64], model[128], text[256];
    if (!part(call, "customName", name, sizeof name) || !part(call, "model", model, sizeof model)) {
        api_preset(call->c, "400_20015");
        return;
    }
    part(call, "text", text, sizeof text);
    struct thing *t = make(call, VOICE);
    copy(t->name, sizeof t->name, name, strlen(name));
    copy(t->model, sizeof t->model, model, strlen(model));
    copy(t->text, sizeof t->text, text, strlen(text));
    snprintf(t->id, sizeof t->id, "speech:%s:%.80s:%08llx", name, t->account->name, (unsigned long long)serial);
    buf_puts(&call->c->ex.body, "{\"uri\":");
    buf_json_s(&call->c->ex.body, t->id);
    buf_putc(&call->c->ex.body, '}');
}

void voice_list(struct call *call)
{
    struct buf *b = &call->c->ex.body;
    const char *comma = "";
    buf_puts(b, "{\"results\":[");
    for (struct thing *t = things; t; t = t->next) {
        if (t->sort != VOICE || t->account != call->c->ex.key->account) continue;
        buf_printf(b, "%s{\"model\":", comma);
        buf_json_s(b, t->model);
        buf_puts(b, ",\"customName\":");
        buf_json_s(b, t->name);
        buf_puts(b, ",\"text\":");
        buf_json_s(b, t->text);
        buf_puts(b, ",\"uri\":");
        buf_json_s(b, t->id);
        buf_putc(b, '}');
        comma = ",";
    }
    buf_puts(b, "]}");
}

static void forget(struct thing *t)
{
    struct thing **at = &things;
    while (*at != t) at = &(*at)->next;
    *at = t->next;
    free(t);
}

void voice_delete(struct call *call)
{
    cJSON *j = api_json(call);
    const char *uri = api_text(j, "uri");
    struct thing *t = uri ? find(call, VOICE, uri, strlen(uri)) : NULL;
    cJSON_Delete(j);
    if (!t) {
        not_found(call, 400, "voice");
        return;
    }
    forget(t);
    call->c->ex.type = "text/plain; charset=utf-8";
}

bool voice_usable(const char *uri, const struct account *a)
{
    if (strncmp(uri, "speech:", 7) != 0) return true;
    for (struct thing *t = things; t; t = t->next) {
        if (t->sort == VOICE && t->account == a && strcmp(t->id, uri) == 0) return true;
    }
    return false;
}

static void file_json(struct buf *b, const struct thing *t)
{
    buf_printf(b, "{\"id\":\"%s\",\"object\":\"file\",\"bytes\":%ld,\"createdAt\":%ld,\"filename\":", t->id, t->bytes,
               t->created);
    buf_json_s(b, t->name);
    buf_puts(b, ",\"purpose\":\"batch\"}");
}

void file_upload(struct call *call)
{
    const char *p;
    size_t n;
    char name[128];
    if (!http_part(&call->c->rq, call->body, call->n, "file", &p, &n, name, sizeof name)) {
        api_preset(call->c, "400_20015");
        return;
    }
    struct thing *t = make(call, FILE_);
    copy(t->name, sizeof t->name, name, strlen(name));
    t->bytes = (long)n;
    snprintf(t->id, sizeof t->id, "file-%010llx", (unsigned long long)serial);
    buf_puts(&call->c->ex.body, "{\"code\":20000,\"message\":\"Ok\",\"status\":true,\"data\":");
    file_json(&call->c->ex.body, t);
    buf_putc(&call->c->ex.body, '}');
}

void file_list(struct call *call)
{
    struct buf *b = &call->c->ex.body;
    const char *comma = "";
    buf_puts(b, "{\"code\":20000,\"message\":\"Ok\",\"status\":true,\"data\":{\"object\":\"list\",\"data\":[");
    for (struct thing *t = things; t; t = t->next) {
        if (t->sort != FILE_ || t->account != call->c->ex.key->account) continue;
        buf_puts(b, comma);
        file_json(b, t);
        comma = ",";
    }
    buf_puts(b, "]}}");
}

/* "<id>" or "<id>/content". */
void file_get(struct call *call)
{
    size_t n = strcspn(call->rest, "/");
    struct thing *t = find(call, FILE_, call->rest, n);
    if (!t) {
        not_found(call, 404, "file");
        return;
    }
    if (strcmp(call->rest + n, "/content") == 0) {
        call->c->ex.type = "application/octet-stream";
        buf_printf(&call->c->ex.body, "content of %s\n", t->id);
        return;
    }
    buf_puts(&call->c->ex.body, "{\"code\":20000,\"message\":\"Ok\",\"status\":true,\"data\":");
    file_json(&call->c->ex.body, t);
    buf_putc(&call->c->ex.body, '}');
}

void file_delete(struct call *call)
{
    struct thing *t = find(call, FILE_, call->rest, strlen(call->rest));
    if (!t) {
        not_found(call, 404, "file");
        return;
    }
    buf_printf(&call->c->ex.body, "{\"id\":\"%s\",\"object\":\"file\",\"deleted\":true}", t->id);
    forget(t);
}

static void batch_json(struct buf *b, const struct thing *t)
{
    bool done = strcmp(t->state, "completed") == 0;
    buf_printf(b,
               "{\"id\":\"%s\",\"object\":\"batch\",\"endpoint\":\"/v1/chat/completions\",\"errors\":null,"
               "\"input_file_id\":",
               t->id);
    buf_json_s(b, t->name);
    buf_printf(b,
               ",\"completion_window\":\"24h\",\"status\":\"%s\",\"output_file_id\":%s%s%s,\"error_file_id\":null,"
               "\"created_at\":%ld,\"request_counts\":{\"total\":2,\"completed\":%d,\"failed\":0},\"metadata\":null}",
               t->state, done ? "\"" : "", done ? t->text : "null", done ? "\"" : "", t->created, done ? 2 : 0);
}

void batch_create(struct call *call)
{
    cJSON *j = api_json(call);
    const char *file = api_text(j, "input_file_id");
    if (!file || !find(call, FILE_, file, strlen(file))) {
        not_found(call, 400, "input_file_id");
    } else {
        struct thing *t = make(call, BATCH);
        copy(t->name, sizeof t->name, file, strlen(file));
        snprintf(t->state, sizeof t->state, "in_queue");
        snprintf(t->id, sizeof t->id, "batch_%010llx", (unsigned long long)serial);
        batch_json(&call->c->ex.body, t);
    }
    cJSON_Delete(j);
}

void batch_list(struct call *call)
{
    struct buf *b = &call->c->ex.body;
    long limit = http_query_long(call->c->rq.query, "limit", 20), n = 0;
    const char *first = NULL, *last = NULL;
    char after[64] = "";
    bool more = false;
    http_query(call->c->rq.query, "after", after, sizeof after);
    buf_puts(b, "{\"object\":\"list\",\"data\":[");
    for (struct thing *t = things; t; t = t->next) {
        if (t->sort != BATCH || t->account != call->c->ex.key->account) continue;
        if (after[0]) {
            if (strcmp(t->id, after) == 0) after[0] = 0;
            continue;
        }
        more = n >= limit;
        if (more) break;
        if (n++) buf_putc(b, ',');
        batch_json(b, t);
        if (!first) first = t->id;
        last = t->id;
    }
    buf_puts(b, "],\"first_id\":");
    buf_json_s(b, first);
    buf_puts(b, ",\"last_id\":");
    buf_json_s(b, last);
    buf_printf(b, ",\"has_more\":%s}", more ? "true" : "false");
}

void batch_get(struct call *call)
{
    struct thing *t = find(call, BATCH, call->rest, strlen(call->rest));
    if (!t) {
        not_found(call, 404, "batch");
        return;
    }
    batch_json(&call->c->ex.body, t);
    if (strcmp(t->state, "in_progress") == 0) {
        struct thing *output = make(call, FILE_);
        snprintf(output->id, sizeof output->id, "file-%010llx", (unsigned long long)serial);
        snprintf(output->name, sizeof output->name, "output.jsonl");
        snprintf(t->text, sizeof t->text, "%.60s", output->id);
        snprintf(t->state, sizeof t->state, "completed");
    }
    if (strcmp(t->state, "in_queue") == 0) snprintf(t->state, sizeof t->state, "in_progress");
}

void batch_cancel(struct call *call)
{
    size_t n = strcspn(call->rest, "/");
    struct thing *t = find(call, BATCH, call->rest, n);
    if (strcmp(call->rest + n, "/cancel") != 0) {
        api_preset(call->c, "404_text");
        return;
    }
    if (!t) {
        not_found(call, 404, "batch");
        return;
    }
    snprintf(t->state, sizeof t->state, "cancelling");
    batch_json(&call->c->ex.body, t);
    snprintf(t->state, sizeof t->state, "cancelled");
}
