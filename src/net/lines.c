/* Request header lines. curl_slist_append() would copy the key into small blocks that are freed without being wiped;
 * the nodes here point into one buffer that never grows while it is filled. */
#include "net/lines.h"

#include "base/mem.h"

enum {
    TEXT_MAX = 65536,
    KEEP_ROOM = 16384,     /* a larger buffer is given back */
    OURS = 256,            /* room for the lines added here */
    EXPECT_FROM = 1 << 20, /* libcurl asks the server before larger bodies only */
};

void lines_init(struct lines *l)
{
    buf_init(&l->text, TEXT_MAX);
    l->count = 0;
}

void lines_free(struct lines *l)
{
    buf_free(&l->text);
}

void lines_wipe(struct lines *l)
{
    if (l->text.data) wipe(l->text.data, l->text.room);
    if (l->text.room > KEEP_ROOM) buf_free(&l->text);
    buf_reset(&l->text);
    l->count = 0;
}

static bool name_is(const char *line, const char *name)
{
    size_t n = strlen(name);
    return strncasecmp(line, name, n) == 0 && line[n] == ':';
}

static bool add(struct lines *l, const char *line, const char **why)
{
    if (strpbrk(line, "\r\n") || l->count == LINES_NODES_MAX) {
        *why = "a request header has a line break, or there are too many";
        return false;
    }
    struct curl_slist *node = &l->nodes[l->count++];
    *node = (struct curl_slist){l->text.data + l->text.len, NULL};
    if (node > l->nodes) node[-1].next = node;
    return buf_add(&l->text, line, strlen(line) + 1);
}

static bool reserve(struct lines *l, const struct call_spec *spec, const char **why)
{
    size_t need = OURS + (spec->auth ? strlen(spec->auth) : 0);
    for (size_t i = 0; i < spec->header_count; i++) need += strlen(spec->headers[i]) + 1;
    if (buf_reserve(&l->text, need)) return true;
    *why = "the request headers are too large";
    return false;
}

bool lines_build(struct lines *l, const struct call_spec *spec, const char **why)
{
    bool accept = false, type = false;
    l->count = 0;
    if (!reserve(l, spec, why)) return false;
    for (size_t i = 0; i < spec->header_count; i++) {
        accept = accept || name_is(spec->headers[i], "Accept");
        type = type || name_is(spec->headers[i], "Content-Type");
        if (!add(l, spec->headers[i], why)) return false;
    }
    /* "Name:" takes out what libcurl would add by itself. */
    if (!accept && !add(l, "Accept:", why)) return false;
    if (!type && !add(l, "Content-Type:", why)) return false;
    bool large = spec->body && spec->body->bytes.len >= EXPECT_FROM; /* each line costs at each of libcurl's look-ups */
    if (large && !add(l, "Expect:", why)) return false;
    if (!add(l, "Accept-Encoding: identity", why)) return false;
    return !spec->auth || add(l, spec->auth, why);
}
