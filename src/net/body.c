#include "net/body.h"

#include "base/check.h"
#include "base/mem.h"

bool budget_take(struct memory_budget *b, int64_t n)
{
    int64_t limit = atomic_load(&b->limit);
    int64_t used = atomic_load(&b->used);
    do {
        if (n > limit - used) return false;
    } while (!atomic_compare_exchange_weak(&b->used, &used, used + n));
    return true;
}

void budget_give(struct memory_budget *b, int64_t n)
{
    int64_t before = atomic_fetch_sub(&b->used, n);
    BUG_ON(before < n);
}

struct body *body_new(struct memory_budget *budget, size_t cap)
{
    struct body *b = xmalloc(sizeof *b);
    *b = (struct body){.refs = 1, .bytes = BUF_INIT(cap), .budget = budget};
    return b;
}

struct body *body_get(struct body *b)
{
    b->refs++;
    return b;
}

void body_put(struct body *b)
{
    if (!b || --b->refs) return;
    buf_free(&b->bytes);
    if (b->charged) budget_give(b->budget, b->charged);
    free(b);
}

bool body_charge(struct body *b, int64_t n)
{
    if (n <= b->charged) return true;
    if (!budget_take(b->budget, n - b->charged)) return false;
    b->charged = n;
    return true;
}

bool body_replace(struct body *b, size_t at, size_t n, struct str text)
{
    struct buf *bytes = &b->bytes;
    BUG_ON(b->refs != 1 || at > bytes->len || n > bytes->len - at);
    if (text.n > n) {
        size_t grows = text.n - n;
        if (!body_charge(b, b->charged + (int64_t)grows)) return false;
        bytes->cap += grows;
        if (!buf_reserve(bytes, grows)) return false;
    }
    memmove(bytes->data + at + text.n, bytes->data + at + n, bytes->len - at - n);
    memcpy(bytes->data + at, text.p, text.n);
    bytes->len = bytes->len - n + text.n;
    bytes->data[bytes->len] = '\0';
    return true;
}
