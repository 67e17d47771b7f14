/* First byte: the form, and how the stream is cut. Whatever comes: the same bytes come out however they went in; JSON
 * stays JSON; what is no chat chunk is not touched; and a whole answer keeps its other members. */
#include "base/check.h"
#include "base/json_text.h"
#include "net/sse.h"
#include "proxy/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_json(struct str s)
{
    struct json_walk w;
    struct json_item item;
    json_walk_init(&w, s);
    while (json_walk_next(&w, &item)) continue;
    return !w.bad;
}

struct tally {
    uint64_t json, other; /* events */
};

static void note(void *arg, const struct sse_event *e)
{
    struct tally *t = arg;
    if (e->comment_only || !e->data.n) return;
    if (is_json(e->data))
        t->json++;
    else
        t->other++;
}

static struct tally tally_of(struct str stream)
{
    struct sse_reader r;
    struct tally t = {0, 0};
    sse_init(&r);
    sse_feed(&r, stream, note, &t);
    sse_finish(&r, note, &t);
    sse_free(&r);
    return t;
}

static void run(enum reasoning_form form, struct str stream, size_t step, struct buf *out)
{
    struct filter *f = filter_reasoning(form, "an alias");
    for (size_t at = 0; at < stream.n; at += step)
        f->ops->stream(f, (struct str){stream.p + at, MIN(step, stream.n - at)}, out);
    f->ops->stream_end(f, out);
    f->ops->free(f);
}

static void check_stream(enum reasoning_form form, struct str stream, size_t step)
{
    struct buf whole = BUF_INIT(1 << 26), pieces = BUF_INIT(1 << 26);
    run(form, stream, stream.n + 1, &whole);
    run(form, stream, step, &pieces);
    BUG_ON(whole.failed || !str_eq(buf_str(&whole), buf_str(&pieces)));
    struct tally in = tally_of(stream), out = tally_of(buf_str(&whole));
    BUG_ON(out.other != in.other || out.json < in.json);
    buf_free(&whole);
    buf_free(&pieces);
}

static size_t members_of(struct str s)
{
    struct json_walk w;
    struct json_item item;
    size_t n = 0;
    json_walk_init(&w, s);
    while (json_walk_next(&w, &item)) n++;
    return n;
}

static void check_whole(enum reasoning_form form, struct str body)
{
    struct buf out = BUF_INIT(1 << 26);
    struct filter *f = filter_reasoning(form, "an alias");
    f->ops->whole(f, body, &out);
    bool json = is_json(body);
    BUG_ON(out.failed || (!json && !str_eq(buf_str(&out), body)));
    BUG_ON(json && (!is_json(buf_str(&out)) || members_of(body) != members_of(buf_str(&out))));
    f->ops->free(f);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    enum reasoning_form form = data[0] & 1 ? REASONING_TAGS : REASONING_QUOTE;
    struct str text = {(const char *)data + 1, size - 1};
    /* a byte order mark is dropped; behind it may stand another one, which would be one then */
    if (!memmem(text.p, text.n, "\xEF\xBB\xBF", 3)) check_stream(form, text, (size_t)(data[0] >> 1) + 1);
    check_whole(form, text);
    return 0;
}
