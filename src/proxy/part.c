/* Parts: exchanges without a client. A request that needs several calls upstream (pictures: one call each) makes a part
 * for each of them. A part picks keys, tries, waits and retries like any exchange, and where an exchange answers its
 * client, it tells the request it belongs to: once, with the platform's whole answer or with the error.
 *
 *     part_new() -> part_go() -> PICK -> ... -> settle() -> done(answer)
 *                                      part_give_up() -> settle()
 *
 * Invariants:
 *  - a part never reaches STREAM: its answer is collected to the end (at most PART_BYTES), so it can be retried.
 *  - only the request is admitted, counted and settled as a request; the tries of a part join its list when the part
 *    settles. Keys count tries, so theirs are right by themselves.
 *  - a part lives within its request: whoever ends the request gives the parts up first.
 *  - the request's `tried` holds the keys of all its parts: a new part goes to another key while there is one. */
#include "base/check.h"
#include "base/mem.h"
#include "proxy/exchange.h"

struct exchange *part_new(struct exchange *of, const char *path, struct body *body,
                          void (*done)(void *arg, const struct part_answer *a), void *arg)
{
    struct exchange *e = exchange_new_part(of, path);
    e->part = (struct part){of, done, arg};
    e->body = body_get(body);
    e->bytes_up = body->bytes.len;
    return e;
}

void part_go(struct exchange *part)
{
    exchange_timer_arm(part);
    exchange_pick(part);
}

void part_give_up(struct exchange *part, enum end_reason end)
{
    attempt_end(part, VERDICT_CANCELLED);
    settle(part, end);
}

void part_tell(struct exchange *part, const struct part_answer *a)
{
    settle(part, a->end);
    part->part.done(part->part.arg, a);
}

void part_settled(struct exchange *part)
{
    struct exchange *of = part->part.of;
    size_t n = MIN((size_t)part->tries, (size_t)RECORD_TRIES - of->tries);
    if (part->model_known) of->model_known = true;
    if (!n) return;
    of->try_list = xrealloc(of->try_list, of->tries + n, sizeof *of->try_list);
    memcpy(of->try_list + of->tries, part->try_list, n * sizeof *of->try_list);
    of->tries = (uint8_t)(of->tries + n);
}

static void take_buf(struct buf *to, struct buf *from)
{
    buf_free(to);
    *to = *from;
    *from = BUF_INIT(from->cap);
}

void part_hand_over(struct exchange *part, const struct part_answer *a)
{
    struct exchange *of = part->part.of;
    of->last_error = part->last_error;
    of->last_verdict = part->last_verdict;
    if (!a->whole) return;
    take_buf(&of->gate_bytes, &part->gate_bytes);
    take_buf(&of->reply_headers, &part->reply_headers);
    of->body_headers = part->body_headers;
    of->status = part->status;
    of->content_length = part->content_length;
    of->body_is_text = part->body_is_text;
}
