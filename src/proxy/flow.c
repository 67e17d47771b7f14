#include "proxy/flow.h"

#include "base/base64.h"
#include "base/mem.h"

void flow_init(struct flow *f, size_t text_max)
{
    *f = (struct flow){.text = BUF_INIT(text_max)};
}

void flow_free(struct flow *f)
{
    for (size_t i = 0; i < f->count; i++) body_put(f->pictures[i].body);
    free(f->pictures);
    buf_free(&f->text);
    flow_init(f, f->text.cap);
}

void flow_picture(struct flow *f, struct body *picture, size_t from, size_t to)
{
    if (f->count == f->room)
        f->pictures = xrealloc(f->pictures, f->room = MAX(2 * f->room, (size_t)4), sizeof *f->pictures);
    f->pictures[f->count++] = (struct flow_picture){f->text.len, body_get(picture), from, to};
}

uint64_t flow_length(const struct flow *f)
{
    uint64_t n = f->text.len;
    for (size_t i = 0; i < f->count; i++) n += base64_length(f->pictures[i].to - f->pictures[i].from);
    return n;
}

/* Whole groups of three as far as `max` allows; the last piece of a picture takes the rest. */
static void next_of_picture(struct flow *f, struct buf *out, size_t max)
{
    const struct flow_picture *p = &f->pictures[f->at_picture];
    size_t from = p->from + f->at_byte, n = MIN(p->to - from, MAX(max / 4, (size_t)1) * 3);
    char *to = buf_reserve(out, base64_length(n));
    if (to) {
        base64_encode(p->body->bytes.data + from, n, to);
        buf_added(out, base64_length(n));
    }
    f->at_byte += n;
    if (from + n < p->to) return;
    f->at_picture++;
    f->at_byte = 0;
}

bool flow_next(struct flow *f, struct buf *out, size_t max)
{
    size_t end = f->at_picture < f->count ? f->pictures[f->at_picture].text_end : f->text.len;
    size_t n = MIN(end - f->at_text, max);
    if (n) {
        buf_add(out, f->text.data + f->at_text, n);
        f->at_text += n;
        return true;
    }
    if (f->at_picture == f->count) return false;
    next_of_picture(f, out, max);
    return true;
}
