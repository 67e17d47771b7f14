#include "proxy/errors.h"

#include "base/json.h"

struct error_row {
    const char *name;
    int status;
    const char *openai_type, *anthropic_type;
    bool sdk_may_retry;
};

static const struct error_row rows[ERR_COUNT] = {
#define ERROR_ROW(id, status, type, anthropic, retry) {#id, status, type, anthropic, retry},
    ERROR_TABLE(ERROR_ROW)};

const char *error_name(enum error_code e)
{
    return rows[e].name;
}

int error_status(enum error_code e)
{
    return rows[e].status;
}

bool error_sdk_may_retry(enum error_code e)
{
    return rows[e].sdk_may_retry;
}

enum error_code error_of_status(int status)
{
    static const struct {
        int status;
        enum error_code code;
    } map[] = {{408, ERR_request_timeout},    {413, ERR_body_too_large},    {414, ERR_uri_too_long},
               {417, ERR_expectation_failed}, {431, ERR_headers_too_large}, {501, ERR_not_implemented},
               {503, ERR_busy_memory},        {505, ERR_http_version}};
    for (size_t i = 0; i < ARRAY_LEN(map); i++)
        if (map[i].status == status) return map[i].code;
    return ERR_bad_request;
}

static void put_error_object(struct json *j, enum error_code e, const char *message)
{
    json_name(j, "error");
    json_object(j);
    json_put_str(j, "message", message);
    json_put_str(j, "type", rows[e].openai_type);
    json_put_str(j, "param", NULL);
    json_put_str(j, "code", rows[e].name);
    json_object_end(j);
}

static void put_anthropic_error(struct json *j, enum error_code e, const char *message)
{
    json_put_str(j, "type", "error");
    json_name(j, "error");
    json_object(j);
    json_put_str(j, "type", rows[e].anthropic_type);
    json_put_str(j, "message", message);
    json_object_end(j);
}

static void put_platform_fields(struct json *j, const struct upstream_error *from)
{
    if (from->code) json_put_int(j, "code", from->code);
    if (from->message[0]) json_put_str(j, "message", from->message);
    json_put_str(j, "data", NULL);
}

void error_body(struct buf *out, enum dialect d, enum error_code e, const char *message,
                const struct upstream_error *from)
{
    struct json j;
    json_init(&j, out);
    json_object(&j);
    if (d == DIALECT_ANTHROPIC) {
        put_anthropic_error(&j, e, message);
    } else {
        put_error_object(&j, e, message);
        if (from && (from->code || from->message[0])) put_platform_fields(&j, from);
    }
    json_object_end(&j);
}

void error_event(struct buf *out, enum dialect d, enum error_code e, const char *message)
{
    buf_puts(out, d == DIALECT_ANTHROPIC ? "event: error\ndata: " : "data: ");
    error_body(out, d, e, message, NULL);
    buf_puts(out, "\n\n");
}
