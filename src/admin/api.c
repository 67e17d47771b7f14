/* /admin/api: JSON in, one command to the control thread, JSON out. Reading takes a fresh snapshot; acting is one verb.
 * Both ways the answer is made when the control thread's result is back on the worker (ask.c). */
#include <cjson/cJSON.h>

#include "admin/ask.h"
#include "admin/browser.h"
#include "admin/inside.h"
#include "admin/metrics.h"
#include "base/mem.h"

enum { REPLY_CAP = 16 * 1024 * 1024, BODY_MAX = 65536 };

/* --- reading --- */

static void reply_part(struct local_call *lc, const struct command_result *r,
                       void (*write)(const struct snapshot *, struct buf *))
{
    struct buf out = BUF_INIT(REPLY_CAP);
    if (r->snapshot) write(r->snapshot, &out);
    if (!r->snapshot)
        local_reply_error(lc, 503, "draining", *r->message ? r->message : "there is no snapshot");
    else if (out.failed)
        local_reply_error(lc, 503, "busy_memory", "the answer does not fit into memory");
    else
        local_reply_json(lc, 200, buf_str(&out));
    buf_free(&out);
}

static void write_named(const struct snapshot *s, struct buf *out, const char *name,
                        void (*write)(const struct snapshot *, struct json *))
{
    struct json j;
    json_init(&j, out);
    json_object(&j);
    json_name(&j, name);
    write(s, &j);
    json_object_end(&j);
}

static void write_keys(const struct snapshot *s, struct buf *out)
{
    write_named(s, out, "keys", snapshot_keys_json);
}

static void write_models(const struct snapshot *s, struct buf *out)
{
    write_named(s, out, "models", snapshot_models_json);
}

static void write_requests(const struct snapshot *s, struct buf *out)
{
    write_named(s, out, "requests", snapshot_requests_json);
}

static void reply_snapshot(struct local_call *lc, const struct command_result *r, void *extra)
{
    (void)extra;
    reply_part(lc, r, snapshot_json);
}

static void reply_keys(struct local_call *lc, const struct command_result *r, void *extra)
{
    (void)extra;
    reply_part(lc, r, write_keys);
}

static void reply_models(struct local_call *lc, const struct command_result *r, void *extra)
{
    (void)extra;
    reply_part(lc, r, write_models);
}

static void reply_requests(struct local_call *lc, const struct command_result *r, void *extra)
{
    (void)extra;
    reply_part(lc, r, write_requests);
}

void api_snapshot(void *arg, struct local_call *lc)
{
    struct admin *a = arg;
    ask_control(a->control, lc, command_new(CMD_SNAPSHOT), reply_snapshot, NULL);
}

void api_keys(void *arg, struct local_call *lc)
{
    struct admin *a = arg;
    ask_control(a->control, lc, command_new(CMD_SNAPSHOT), reply_keys, NULL);
}

void api_models(void *arg, struct local_call *lc)
{
    struct admin *a = arg;
    ask_control(a->control, lc, command_new(CMD_SNAPSHOT), reply_models, NULL);
}

/* The format's own content type (Prometheus, exposition formats). */
static void reply_metrics(struct local_call *lc, const struct command_result *r, void *extra)
{
    (void)extra;
    struct buf out = BUF_INIT(REPLY_CAP);
    if (r->snapshot) metrics_write(r->snapshot, &out);
    if (!r->snapshot || out.failed)
        local_reply_error(lc, 503, "draining", *r->message ? r->message : "there is no snapshot");
    else
        local_reply(lc, 200,
                    STR("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\nCache-Control: no-store\r\n"
                        "X-Content-Type-Options: nosniff\r\n"),
                    buf_str(&out));
    buf_free(&out);
}

void api_metrics(void *arg, struct local_call *lc)
{
    struct admin *a = arg;
    ask_control(a->control, lc, command_new(CMD_SNAPSHOT), reply_metrics, NULL);
}

void api_events(void *arg, struct local_call *lc)
{
    struct admin *a = arg;
    events_open(a->events, lc);
}

void api_requests(void *arg, struct local_call *lc)
{
    struct admin *a = arg;
    ask_control(a->control, lc, command_new(CMD_SNAPSHOT), reply_requests, NULL);
}

static const char *code_of(int status)
{
    switch (status) {
    case 403: return "forbidden";
    case 404: return "not_found";
    case 409: return "conflict";
    case 503: return "draining";
    default: return "bad_request";
    }
}

static void reply_explain(struct local_call *lc, const struct command_result *r, void *extra)
{
    (void)extra;
    if (r->json)
        local_reply_json(lc, 200, str_of(r->json));
    else
        local_reply_error(lc, r->status, code_of(r->status), r->message);
}

void api_explain(void *arg, struct local_call *lc)
{
    struct admin *a = arg;
    struct buf model = BUF_INIT(1024);
    if (!form_find(local_query(lc), "model", &model) || !model.len) {
        local_reply_error(lc, 400, "bad_request", "name the model: explain?model=Qwen/Qwen3-8B");
        buf_free(&model);
        return;
    }
    struct command *cmd = command_new(CMD_EXPLAIN);
    cmd->text = buf_take(&model);
    ask_control(a->control, lc, cmd, reply_explain, NULL);
}

/* --- acting --- */

/* {"ok":true,"message":"..."}, for KEYS_ADD also the three counts. */
static void reply_result(struct local_call *lc, const struct command_result *r, void *extra)
{
    struct buf out = BUF_INIT(4096);
    struct json j;
    if (!r->ok) {
        int status = r->status >= 400 ? r->status : 400;
        local_reply_error(lc, status, code_of(status), r->message);
        return;
    }
    json_init(&j, &out);
    json_object(&j);
    json_put_bool(&j, "ok", true);
    json_put_str(&j, "message", r->message);
    if (extra) { /* the counts were asked for */
        json_put_int(&j, "added", r->added);
        json_put_int(&j, "duplicate", r->duplicate);
        json_put_int(&j, "ignored", r->ignored);
    }
    json_object_end(&j);
    local_reply_json(lc, r->status ? r->status : 200, buf_str(&out));
    buf_free(&out);
}

/* NULL: refused, and answered. */
static struct command *verb(struct admin *a, struct local_call *lc, enum command_kind kind)
{
    if (!a->readonly || !command_changes(kind)) return command_new(kind);
    local_reply_error(lc, 403, "forbidden", "sfproxy runs with --readonly");
    return NULL;
}

static void send_verb(struct admin *a, struct local_call *lc, struct command *cmd)
{
    if (cmd) ask_control(a->control, lc, cmd, reply_result, NULL);
}

static struct command *key_verb(struct admin *a, struct local_call *lc, enum command_kind kind)
{
    struct str id = local_segment(lc);
    struct command *cmd = verb(a, lc, kind);
    if (!cmd) return NULL;
    if (str_copy(cmd->subject, sizeof cmd->subject, id)) return cmd;
    command_free(cmd);
    local_reply_error(lc, 404, "not_found", "there is no key with this id");
    return NULL;
}

/* The text of one member of a small JSON object; caller wipes and frees. NULL: none, and the answer was given.
 * A number is taken as it is written where `number_too`. */
static char *body_text(struct local_call *lc, const char *name, bool number_too)
{
    struct str body = local_body(lc);
    char *text = NULL, why[160];
    cJSON *root = body.n && body.n <= BODY_MAX ? cJSON_ParseWithLengthOpts(body.p, body.n, NULL, false) : NULL;
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);
    if (cJSON_IsString(item))
        text = xstrdup(item->valuestring);
    else if (number_too && cJSON_IsNumber(item))
        text = xasprintf("%.6f", item->valuedouble);
    cJSON_Delete(root);
    if (text) return text;
    snprintf(why, sizeof why, "the body must be a JSON object with a text \"%s\"", name);
    local_reply_error(lc, 400, "bad_json", why);
    return NULL;
}

static void send_with_text(struct admin *a, struct local_call *lc, struct command *cmd, const char *name,
                           bool number_too)
{
    if (!cmd) return;
    cmd->text = body_text(lc, name, number_too);
    if (cmd->text)
        send_verb(a, lc, cmd);
    else
        command_free(cmd);
}

void api_keys_add(void *arg, struct local_call *lc)
{
    struct admin *a = arg;
    struct str body = local_body(lc);
    struct command *cmd = verb(a, lc, CMD_KEYS_ADD);
    if (!cmd) return;
    if (!body.n || memchr(body.p, '\0', body.n)) {
        command_free(cmd);
        local_reply_error(lc, 400, "bad_request", "the body must be text with keys, for example one on each line");
        return;
    }
    cmd->text = str_dup(body);
    cmd->flag = str_is(local_query(lc), "any=yes");
    bool *counts = xmalloc(sizeof *counts);
    *counts = true;
    ask_control(a->control, lc, cmd, reply_result, counts);
}

void api_keys_test(void *arg, struct local_call *lc)
{
    struct admin *a = arg;
    struct command *cmd = verb(a, lc, CMD_KEYS_TEST);
    if (!cmd) return;
    cmd->text = body_text(lc, "what", false);
    bool stop = cmd->text && strcmp(cmd->text, "stop") == 0;
    if (!cmd->text) {
        command_free(cmd);
    } else if (stop || strcmp(cmd->text, "all") == 0 || strcmp(cmd->text, "bad") == 0) {
        if (stop) cmd->kind = CMD_TEST_STOP;
        send_verb(a, lc, cmd);
    } else {
        command_free(cmd);
        local_reply_error(lc, 400, "bad_request", "\"what\" is all, bad or stop");
    }
}

void api_key_enable(void *arg, struct local_call *lc)
{
    send_verb(arg, lc, key_verb(arg, lc, CMD_KEY_ENABLE));
}

void api_key_disable(void *arg, struct local_call *lc)
{
    send_verb(arg, lc, key_verb(arg, lc, CMD_KEY_DISABLE));
}

void api_key_test(void *arg, struct local_call *lc)
{
    bool deep = str_is(local_query(lc), "deep=yes"), other = str_is(local_query(lc), "other_region=yes");
    send_verb(arg, lc, key_verb(arg, lc, other ? CMD_KEY_TEST_OTHER : deep ? CMD_KEY_TEST_DEEP : CMD_KEY_TEST));
}

void api_key_reset(void *arg, struct local_call *lc)
{
    send_verb(arg, lc, key_verb(arg, lc, CMD_KEY_RESET));
}

void api_key_remove(void *arg, struct local_call *lc)
{
    send_verb(arg, lc, key_verb(arg, lc, CMD_KEY_REMOVE));
}

void api_key_label(void *arg, struct local_call *lc)
{
    send_with_text(arg, lc, key_verb(arg, lc, CMD_KEY_LABEL), "label", false);
}

void api_key_balance(void *arg, struct local_call *lc)
{
    send_with_text(arg, lc, key_verb(arg, lc, CMD_KEY_BALANCE), "balance", true);
}

void api_model_ban(void *arg, struct local_call *lc)
{
    send_with_text(arg, lc, verb(arg, lc, CMD_MODEL_BAN), "model", false);
}

void api_model_unban(void *arg, struct local_call *lc)
{
    send_with_text(arg, lc, verb(arg, lc, CMD_MODEL_UNBAN), "model", false);
}

void api_models_refresh(void *arg, struct local_call *lc)
{
    send_verb(arg, lc, verb(arg, lc, CMD_MODELS_REFRESH));
}

void api_request_cancel(void *arg, struct local_call *lc)
{
    struct admin *a = arg;
    uint64_t id;
    if (!str_u64(local_segment(lc), &id)) {
        local_reply_error(lc, 404, "not_found", "there is no request with this id");
        return;
    }
    struct command *cmd = verb(a, lc, CMD_REQUEST_CANCEL);
    if (cmd) cmd->number = id;
    send_verb(a, lc, cmd);
}

void api_reload(void *arg, struct local_call *lc)
{
    send_verb(arg, lc, verb(arg, lc, CMD_RELOAD));
}

void api_drain(void *arg, struct local_call *lc)
{
    send_verb(arg, lc, verb(arg, lc, CMD_DRAIN));
}
