#include "proxy/image_reply.h"

#include "base/json.h"
#include "base/json_text.h"

enum { CHUNK_BYTES = 24 * 1024 /* of a picture in one event; a multiple of 3 */ };

static bool is_text(struct str value)
{
    return value.n > 2 && value.p[0] == '"';
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

static struct str url_of(struct str element)
{
    struct json_walk w;
    struct json_item item;
    struct str url = {NULL, 0};
    json_walk_init(&w, element);
    while (json_walk_next(&w, &item))
        if (w.object && str_is(item.name, "url") && is_text(item.value)) url = item.value;
    return url;
}

static void read_pictures(struct str array, struct image_answer *out)
{
    struct json_walk w;
    struct json_item item;
    if (!array.n || array.p[0] != '[') return;
    json_walk_init(&w, array);
    while (json_walk_next(&w, &item) && out->count < ANSWER_PICTURES_MAX) {
        struct str url = url_of(item.value);
        if (!url.p) continue;
        out->element[out->count] = item.value;
        out->url[out->count++] = url;
    }
}

bool image_answer_read(struct str body, struct image_answer *out)
{
    struct json_walk w;
    struct json_item item;
    struct str data = {NULL, 0}, images = {NULL, 0};
    *out = (struct image_answer){.body = body};
    json_walk_init(&w, body);
    while (json_walk_next(&w, &item)) {
        if (str_is(item.name, "images")) images = item.value;
        if (str_is(item.name, "data")) data = item.value;
        if (str_is(item.name, "created")) out->has_created = true;
    }
    if (w.bad || !w.object) return false;
    read_pictures(images, out);
    out->has_images = out->count > 0;
    if (out->count == 0) read_pictures(data, out);
    out->has_data = data.n && data.p[0] == '[';
    return out->count > 0;
}

bool image_answer_url(const struct image_answer *a, size_t i, struct buf *out)
{
    struct str raw = {a->url[i].p + 1, a->url[i].n - 2};
    char *to = buf_reserve(out, raw.n);
    int n = to ? json_text_unescape(raw, to, raw.n) : -1;
    if (n <= 0) return false;
    buf_added(out, (size_t)n);
    return true;
}

/* --- images/generations ------------------------------------------------------------------------------------------ */

static void put_data(struct flow *f, const struct image_result *r, size_t count)
{
    buf_puts(&f->text, "\"data\":[");
    for (size_t i = 0; i < count; i++) {
        if (i) buf_putc(&f->text, ',');
        if (r[i].picture) {
            buf_puts(&f->text, "{\"b64_json\":\"");
            flow_picture(f, r[i].picture, 0, r[i].picture->bytes.len);
            buf_puts(&f->text, "\"}");
        } else {
            buf_puts(&f->text, "{\"url\":");
            buf_add_str(&f->text, r[i].answer->url[r[i].index]);
            buf_putc(&f->text, '}');
        }
    }
    buf_putc(&f->text, ']');
}

/* The platform's own list, of all answers. */
static void put_images(struct flow *f, const struct image_result *r, size_t count)
{
    buf_puts(&f->text, ",\"images\":[");
    for (size_t i = 0; i < count; i++) {
        if (i) buf_putc(&f->text, ',');
        buf_add_str(&f->text, r[i].answer->element[r[i].index]);
    }
    buf_putc(&f->text, ']');
}

/* Timings, seed and what else the first answer says. */
static void put_others(struct flow *f, struct str body)
{
    struct json_walk w;
    struct json_item item;
    json_walk_init(&w, body);
    while (json_walk_next(&w, &item)) {
        if (str_is(item.name, "images") || str_is(item.name, "data") || str_is(item.name, "created")) continue;
        buf_putc(&f->text, ',');
        buf_add(&f->text, item.at, (size_t)(item.value.p + item.value.n - item.at));
    }
}

void image_reply(struct flow *f, const struct image_result *r, size_t count, int64_t created)
{
    const struct image_answer *first = r[0].answer;
    bool one_answer = count == first->count && r[count - 1].answer == first;
    if (one_answer && !r[0].picture && first->has_data && first->has_created && first->has_images) {
        buf_add_str(&f->text, first->body);
        return;
    }
    buf_printf(&f->text, "{\"created\":%lld,", (long long)created);
    put_data(f, r, count);
    put_images(f, r, count);
    put_others(f, first->body);
    buf_putc(&f->text, '}');
}

/* --- chat/completions --------------------------------------------------------------------------------------------- */

static void put_envelope(struct buf *out, const struct image_chat *c)
{
    buf_puts(out, c->stream ? "data: {\"id\":" : "{\"id\":");
    json_quote(out, str_of(c->id));
    buf_printf(out, ",\"object\":\"%s\",\"created\":%lld,\"model\":",
               c->stream ? "chat.completion.chunk" : "chat.completion", (long long)c->created);
    json_quote(out, str_of(c->model));
    buf_puts(out, ",\"choices\":[");
}

static void open_delta(struct buf *out, const struct image_chat *c, bool first)
{
    put_envelope(out, c);
    buf_printf(out, "{\"index\":0,\"delta\":{%s\"content\":\"", first ? "\"role\":\"assistant\"," : "");
}

static void close_delta(struct buf *out)
{
    buf_puts(out, "\"},\"finish_reason\":null}]}\n\n");
}

/* The inside of the URL's string: raw JSON goes into a string as it is. */
static void put_link(struct buf *out, const struct image_result *r)
{
    struct str url = r->answer->url[r->index];
    buf_puts(out, "![image](");
    buf_add(out, url.p + 1, url.n - 2);
    buf_putc(out, ')');
}

static void put_data_uri(struct flow *f, const struct image_result *r, const struct image_chat *c)
{
    size_t all = r->picture->bytes.len, step = c->stream ? CHUNK_BYTES : all;
    buf_printf(&f->text, "![image](data:%s;base64,", r->type);
    for (size_t at = 0; at < all; at += step) {
        if (at) {
            close_delta(&f->text);
            open_delta(&f->text, c, false);
        }
        flow_picture(f, r->picture, at, MIN(at + step, all));
    }
    buf_putc(&f->text, ')');
}

static void put_content(struct flow *f, const struct image_result *r, const struct image_chat *c)
{
    if (r->picture)
        put_data_uri(f, r, c);
    else
        put_link(&f->text, r);
}

/* A picture costs no tokens. */
static const char no_tokens[] = "\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0,\"total_tokens\":0}}";

static void put_stream(struct flow *f, const struct image_result *r, const struct image_chat *c)
{
    open_delta(&f->text, c, true);
    put_content(f, r, c);
    close_delta(&f->text);
    put_envelope(&f->text, c);
    buf_puts(&f->text, "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
    if (c->usage) {
        put_envelope(&f->text, c);
        buf_printf(&f->text, "],%s\n\n", no_tokens);
    }
    buf_puts(&f->text, "data: [DONE]\n\n");
}

void image_chat_reply(struct flow *f, const struct image_result *r, const struct image_chat *c)
{
    if (c->stream) {
        put_stream(f, r, c);
        return;
    }
    put_envelope(&f->text, c);
    buf_puts(&f->text, "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"");
    put_content(f, r, c);
    buf_printf(&f->text, "\"},\"finish_reason\":\"stop\"}],%s", no_tokens);
}
