/* The endpoints whose answers depend on the request and the script alone. Each prepares conn.ex: a body, or a stream
 * that events.c walks. */
#include "api.h"
#include "catalogue.h"
#include "events.h"
#include "script.h"

#include <stdlib.h>
#include <string.h>

#define JSON_TYPE "application/json; charset=utf-8"

static long pick(long own, long otherwise)
{
    return own >= 0 ? own : otherwise;
}

/* How long the answer is and what it costs. */
static void plan(struct call *call, enum flow stream_flow)
{
    struct exchange *x = &call->c->ex;
    static const struct act none = {
        .chunks = -1, .chunk_bytes = -1, .interval_ms = -1, .prompt_tokens = -1, .tokens_per_chunk = -1};
    const struct act *a = x->act ? x->act : &none;
    const struct defaults *d = &script.defaults;
    x->n_text = (int)pick(a->chunks, d->chunks);
    x->chunk_bytes = pick(a->chunk_bytes, d->chunk_bytes);
    x->interval = (int64_t)pick(a->interval_ms, d->interval_ms) * 1000000;
    x->tokens_per_chunk = pick(a->tokens_per_chunk, d->tokens_per_chunk);
    long prompt = pick(a->prompt_tokens, d->prompt_tokens);
    x->tokens_in = prompt > 0 ? prompt : (int64_t)(call->n + 3) / 4;
    x->reasons = x->model && catalogue_reasons(x->model);
    x->n_reason = x->reasons && stream_flow != FLOW_TEXT ? (x->n_text + 1) / 2 : 0;
    x->tools = call->scan.tools && stream_flow != FLOW_TEXT && !memmem(call->body, call->n, "\"tool_call_id\"", 14) &&
               !memmem(call->body, call->n, "\"tool_result\"", 13);
    x->include_usage = call->scan.include_usage;
    long max = call->scan.max_tokens;
    if (max > 0 && a->chunks < 0 && !x->tools && max < x->n_text + x->n_reason) {
        x->by_length = true;
        if (max < x->n_reason) x->n_reason = (int)max;
        x->n_text = (int)max - x->n_reason;
    }
    if (call->scan.stream) {
        x->flow = stream_flow;
        x->type = "text/event-stream";
    }
}

static void open_object(struct exchange *x, const char *object)
{
    buf_printf(&x->body, "{\"id\":\"%s\",\"object\":\"%s\",\"created\":%ld,\"model\":\"", x->id, object, x->created);
    buf_add(&x->body, buf_data(&x->model_raw), buf_size(&x->model_raw));
    buf_putc(&x->body, '"');
}

void endpoint_chat(struct call *call)
{
    struct exchange *x = &call->c->ex;
    struct buf *b = &x->body;
    plan(call, FLOW_CHAT);
    if (x->flow != FLOW_PLAIN) return;
    tokens_all(x);
    open_object(x, "chat.completion");
    buf_puts(b, ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"");
    if (!x->tools) text_all(b, x->n_text, x->chunk_bytes, false);
    buf_putc(b, '"');
    if (x->reasons) {
        buf_puts(b, ",\"reasoning_content\":\"");
        text_all(b, x->n_reason, x->chunk_bytes, true);
        buf_putc(b, '"');
    }
    if (x->tools) {
        buf_putc(b, ',');
        tool_calls(b);
    }
    buf_printf(b, "},\"finish_reason\":\"%s\"}]", x->by_length ? "length" : x->tools ? "tool_calls" : "stop");
    usage_member(x, b);
    buf_puts(b, ",\"system_fingerprint\":\"\"}");
}

void endpoint_completions(struct call *call)
{
    struct exchange *x = &call->c->ex;
    plan(call, FLOW_TEXT);
    if (x->flow != FLOW_PLAIN) return;
    tokens_all(x);
    open_object(x, "text_completion");
    buf_puts(&x->body, ",\"choices\":[{\"index\":0,\"text\":\"");
    text_all(&x->body, x->n_text, x->chunk_bytes, false);
    buf_printf(&x->body, "\",\"finish_reason\":\"%s\",\"logprobs\":null}]", x->by_length ? "length" : "stop");
    usage_member(x, &x->body);
    buf_putc(&x->body, '}');
}

void endpoint_messages(struct call *call)
{
    struct exchange *x = &call->c->ex;
    struct buf *b = &x->body;
    plan(call, FLOW_MESSAGES);
    if (x->flow != FLOW_PLAIN) return;
    tokens_all(x);
    buf_printf(b, "{\"id\":\"msg_%s\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"", x->id + 8);
    buf_add(b, buf_data(&x->model_raw), buf_size(&x->model_raw));
    buf_puts(b, "\",\"content\":[");
    if (x->n_reason) {
        buf_puts(b, "{\"type\":\"thinking\",\"thinking\":\"");
        text_all(b, x->n_reason, x->chunk_bytes, true);
        buf_puts(b, "\",\"signature\":\"dpbqrjrqjg\"},");
    }
    if (x->tools) {
        buf_puts(b, "{\"type\":\"tool_use\",\"id\":\"019bdb1ed691c01625ab101a1727c885\",\"name\":\"get_weather\","
                    "\"input\":{\"location\":\"北京\"}}");
    } else {
        buf_puts(b, "{\"type\":\"text\",\"text\":\"");
        text_all(b, x->n_text, x->chunk_bytes, false);
        buf_puts(b, "\"}");
    }
    buf_printf(b, "],\"stop_reason\":\"%s\",\"stop_sequence\":null",
               x->by_length ? "max_tokens"
               : x->tools   ? "tool_use"
                            : "end_turn");
    if (!x->act || x->act->usage == USAGE_GOOD)
        buf_printf(b, ",\"usage\":{\"input_tokens\":%lld,\"output_tokens\":%lld}", (long long)x->tokens_in,
                   (long long)x->tokens_out);
    else
        usage_member(x, b);
    buf_putc(b, '}');
}

/* Eight numbers that depend on the place in the list and nothing else; exact in a float. */
static void vector(struct buf *b, int index, int dimensions, bool base64)
{
    if (base64) {
        float *v = xalloc((size_t)dimensions * sizeof *v);
        for (int i = 0; i < dimensions; i++) v[i] = (float)(index + 1) / 4 - (float)(i % 8) / 16;
        buf_putc(b, '"');
        buf_base64(b, v, (size_t)dimensions * sizeof *v);
        buf_putc(b, '"');
        free(v);
        return;
    }
    for (int i = 0; i < dimensions; i++)
        buf_printf(b, "%s%.4f", i ? "," : "[", (double)(index + 1) / 4 - (double)(i % 8) / 16);
    buf_putc(b, ']');
}

void endpoint_embeddings(struct call *call)
{
    struct exchange *x = &call->c->ex;
    struct buf *b = &x->body;
    plan(call, FLOW_PLAIN);
    x->flow = FLOW_PLAIN;
    x->type = JSON_TYPE;
    cJSON *j = api_json(call);
    const cJSON *input = cJSON_GetObjectItemCaseSensitive(j, "input");
    const cJSON *dims = cJSON_GetObjectItemCaseSensitive(j, "dimensions");
    const char *format = api_text(j, "encoding_format");
    int n = cJSON_IsArray(input) ? cJSON_GetArraySize(input) : 1;
    int d = cJSON_IsNumber(dims) && dims->valueint > 0 && dims->valueint <= 8192 ? dims->valueint : 8;
    if (j && (!input || n == 0 || n > 32)) {
        api_preset(call->c, "400_20015");
    } else {
        buf_puts(b, "{\"object\":\"list\",\"model\":\"");
        buf_add(b, buf_data(&x->model_raw), buf_size(&x->model_raw));
        buf_puts(b, "\",\"data\":[");
        for (int i = 0; i < n; i++) {
            buf_printf(b, "%s{\"object\":\"embedding\",\"index\":%d,\"embedding\":", i ? "," : "", i);
            vector(b, i, d, format && strcmp(format, "base64") == 0);
            buf_putc(b, '}');
        }
        buf_puts(b, "]");
        usage_member(x, b);
        buf_putc(b, '}');
    }
    cJSON_Delete(j);
}

void endpoint_rerank(struct call *call)
{
    struct exchange *x = &call->c->ex;
    struct buf *b = &x->body;
    plan(call, FLOW_PLAIN);
    x->flow = FLOW_PLAIN;
    x->type = JSON_TYPE;
    cJSON *j = api_json(call);
    const cJSON *docs = cJSON_GetObjectItemCaseSensitive(j, "documents");
    const cJSON *top = cJSON_GetObjectItemCaseSensitive(j, "top_n");
    bool echo = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(j, "return_documents"));
    int n = cJSON_IsArray(docs) ? cJSON_GetArraySize(docs) : 0;
    if (!n || !api_text(j, "query")) {
        api_preset(call->c, "400_20015");
        cJSON_Delete(j);
        return;
    }
    if (cJSON_IsNumber(top) && top->valueint > 0 && top->valueint < n) n = top->valueint;
    buf_printf(b, "{\"id\":\"%s\",\"results\":[", x->id);
    for (int i = 0; i < n; i++) {
        buf_printf(b, "%s{\"index\":%d,\"relevance_score\":%.4f", i ? "," : "", i, 1.0 / (i + 1));
        if (echo) {
            const cJSON *d = cJSON_GetArrayItem(docs, i);
            buf_puts(b, ",\"document\":{\"text\":");
            buf_json_s(b, cJSON_IsString(d) ? d->valuestring : "");
            buf_putc(b, '}');
        }
        buf_putc(b, '}');
    }
    buf_printf(b, "],\"tokens\":{\"input_tokens\":%lld,\"output_tokens\":0}}", (long long)x->tokens_in);
    cJSON_Delete(j);
}

void endpoint_images(struct call *call)
{
    struct exchange *x = &call->c->ex;
    char host[256];
    http_header(&call->c->rq, "host", host, sizeof host);
    x->images = 1;
    buf_printf(&x->body,
               "{\"images\":[{\"url\":\"http://%s/_files/%s.png\"}],\"timings\":{\"inference\":1.234},"
               "\"seed\":123456789,\"shared_id\":\"0\",\"data\":[{\"url\":\"http://%s/_files/%s.png\"}],"
               "\"created\":%ld}",
               host, x->id, host, x->id, x->created);
}

void endpoint_transcriptions(struct call *call)
{
    const char *part;
    size_t n;
    if (!http_part(&call->c->rq, call->body, call->n, "file", &part, &n, NULL, 0)) {
        api_preset(call->c, "400_20015");
        return;
    }
    buf_printf(&call->c->ex.body, "{\"text\":\"你好，这是 %zu 字节的录音。\"}", n);
}

void endpoint_speech(struct call *call)
{
    struct exchange *x = &call->c->ex;
    cJSON *j = api_json(call);
    const char *voice = api_text(j, "voice");
    bool usable = !voice || voice_usable(voice, x->key->account);
    bool input = api_text(j, "input") != NULL;
    cJSON_Delete(j);
    if (!input || !usable) {
        api_preset(call->c, "400_20015");
        return;
    }
    plan(call, FLOW_BYTES);
    x->n_reason = 0;
    x->flow = FLOW_BYTES;
    x->type = "audio/mpeg";
    x->tokens_in = 0;
}

void endpoint_models(struct call *call)
{
    char type[64], sub[64];
    http_query(call->c->rq.query, "type", type, sizeof type);
    http_query(call->c->rq.query, "sub_type", sub, sizeof sub);
    catalogue_list(&call->c->ex.body, type, sub);
}

void endpoint_user_info(struct call *call)
{
    const struct key *k = call->c->ex.key;
    if (!script.legacy_user_info) {
        api_preset(call->c, "410_20092");
        return;
    }
    buf_puts(&call->c->ex.body, "{\"code\":20000,\"message\":\"OK\",\"status\":true,\"data\":{\"id\":");
    buf_json_s(&call->c->ex.body, k->account->name);
    buf_printf(
        &call->c->ex.body,
        ",\"name\":\"\",\"image\":\"\",\"email\":\"\",\"isAdmin\":false,\"balance\":\"0.00\",\"status\":\"normal\","
        "\"introduction\":\"\",\"role\":\"\",\"chargeBalance\":\"%s\",\"totalBalance\":\"%s\",\"category\":\"0\"}}",
        k->balance, k->balance);
}
