/* Any bytes as a request head. Checked beyond memory safety: what is said of a prefix is said of the whole; an accepted
 * head is within its limits, and its slices lie inside the input. The first byte chooses the cut. */
#include "net/head.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct str s, const char *p, size_t n)
{
    return s.n == 0 || (s.p >= p && s.p + s.n <= p + n);
}

static void check_accepted(const struct head *h, const char *p, size_t used, const struct head_limits *limits)
{
    BUG_ON(used > limits->max_head || h->field_count > limits->max_fields);
    BUG_ON(!h->method.n || !h->path.n || (h->path.p[0] != '/' && !str_is(h->path, "*")));
    BUG_ON(h->content_length >= 0 && h->chunked);
    BUG_ON(h->minor == 1 && !h->host.n);
    BUG_ON(!inside(h->method, p, used) || !inside(h->target, p, used) || !inside(h->query, p, used));
    for (size_t i = 0; i < h->field_count; i++) {
        BUG_ON(!inside(h->fields[i].name, p, used) || !inside(h->fields[i].value, p, used));
        BUG_ON(memchr(h->fields[i].value.p, '\n', h->fields[i].value.n) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct head_limits limits = {.max_head = 1024, .max_line = 256, .max_fields = 10};
    struct head_field fields[10];
    struct head h;
    if (!size) return 0;
    size_t n = size - 1, cut = n ? data[0] * n / 255 : 0;
    char *part = malloc(cut ? cut : 1); /* of its exact size, for the sanitizer */
    BUG_ON(!part);
    if (cut) memcpy(part, data + 1, cut);
    int early = head_parse(part, cut, &limits, fields, &h);
    if (early > 0) check_accepted(&h, part, (size_t)early, &limits);
    int whole = head_parse((const char *)data + 1, n, &limits, fields, &h);
    if (whole > 0) check_accepted(&h, (const char *)data + 1, (size_t)whole, &limits);
    BUG_ON(early && early != whole);
    free(part);
    return 0;
}
