/* One list of what all accounts have: files, batches, voices.
 *
 *   PICK -> SEND -> AWAIT, without a lease: every account is asked (a few at once) for all its pages by fetches of our
 *   own; when the last one has answered, the elements are put together as they came, byte for byte: newest first by
 *   `created_at` or `createdAt` (voices have no time: account by account), each id once, cut by the client's `after`
 * and `limit`. An account that does not answer is missing and the answer says so ("partial", x-sfproxy-partial); when
 * none answered it is an error. Which account an element belongs to is learned on the way.
 *
 * The list belongs to its exchange; listing_free() cancels what still runs. */
#include "proxy/listing.h"

#include "base/check.h"
#include "base/json.h"
#include "base/mem.h"
#include "proxy/exchange.h"
#include "proxy/fetch.h"
#include "proxy/slices.h"

enum { AT_ONCE = 8, PAGES_MAX = 20, PAGE_ITEMS = 100, ANSWER_MAX = 4 << 20, ITEMS_MAX = 20000, LIMIT_DEFAULT = 20 };

struct piece { /* what one account said */
    struct listing *l;
    struct key_owner owner;
    struct fetch *fetch; /* NULL: not running */
    unsigned pages;
    char after[STICKY_ID_MAX + 1];
};

struct item {
    char *bytes;
    size_t n;
    int64_t made; /* seconds, 0 none */
    size_t order; /* of arrival within the list: account by account */
    char id[STICKY_ID_MAX + 1];
};

struct listing {
    struct exchange *e;
    struct piece *pieces;
    size_t piece_count, next, running, missing;
    struct item *items;
    size_t item_count, item_room;
    enum verdict last_verdict;
    char last_message[300];
    struct loop_task task; /* goes on outside of the callbacks of a fetch */
};

static const char *id_name(const struct exchange *e)
{
    return e->bound->want.kind == STICKY_VOICE ? "uri" : "id";
}

static void go_on(void *arg);

void listing_free(struct listing *l)
{
    if (!l) return;
    for (size_t i = 0; i < l->piece_count; i++) fetch_cancel(l->pieces[i].fetch);
    for (size_t i = 0; i < l->item_count; i++) free(l->items[i].bytes);
    loop_task_cancel(l->e->p->loop, &l->task);
    free(l->items);
    free(l->pieces);
    free(l);
}

static void learn(void *arg, enum sticky_kind kind, struct str id)
{
    const struct piece *piece = arg;
    sticky_learn(piece->l->e->p->shared->sticky, kind, id, &piece->owner, wall_now());
}

static void add_item(struct listing *l, const struct piece *piece, struct str bytes)
{
    struct exchange *e = l->e;
    if (l->item_count >= ITEMS_MAX) return;
    if (l->item_count == l->item_room) {
        l->item_room = l->item_room ? 2 * l->item_room : 64;
        l->items = xrealloc(l->items, l->item_room, sizeof *l->items);
    }
    struct item *it = &l->items[l->item_count];
    *it = (struct item){.n = bytes.n, .order = (size_t)(piece - l->pieces) * ITEMS_MAX + l->item_count};
    slice_text(slice_member(bytes, id_name(e)), it->id, sizeof it->id);
    it->made = slice_int(slice_member(bytes, "created_at"), 0);
    if (!it->made) it->made = slice_int(slice_member(bytes, "createdAt"), 0);
    it->bytes = str_dup(bytes);
    l->item_count++;
    owned_answer(&e->bound->want, bytes, learn, (void *)(uintptr_t)piece);
}

/* The array of an answer: `data`, `data.data`, `results` or `result`. */
static struct str array_of(struct str body)
{
    static const char *const names[] = {"data", "results", "result"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str v = slice_member(body, names[i]);
        if (v.n && v.p[0] == '{') v = slice_member(v, "data");
        if (v.n && v.p[0] == '[') return v;
    }
    return (struct str){"", 0};
}

/* The elements of one page; true when there is another page. */
static bool take_page(struct listing *l, struct piece *piece, struct str body)
{
    struct json_walk w;
    struct json_item item;
    size_t before = l->item_count;
    json_walk_init(&w, array_of(body));
    while (json_walk_next(&w, &item)) add_item(l, piece, item.value);
    if (!str_is(slice_member(body, "has_more"), "true") || l->item_count == before) return false;
    str_copy(piece->after, sizeof piece->after, str_of(l->items[l->item_count - 1].id));
    return piece->after[0] && token_is_safe(str_of(piece->after)) && ++piece->pages < PAGES_MAX;
}

static void start_fetch(struct listing *l, struct piece *piece);

static void on_fetched(void *arg, const struct fetch_result *r)
{
    struct piece *piece = arg;
    struct listing *l = piece->l;
    piece->fetch = NULL;
    l->running--;
    if (r->verdict != VERDICT_OK) {
        l->missing++;
        l->last_verdict = r->verdict;
        snprintf(l->last_message, sizeof l->last_message, "%s", r->message);
    } else if (take_page(l, piece, r->body)) {
        start_fetch(l, piece);
    }
    loop_defer(l->e->p->loop, &l->task, go_on, l);
}

/* The client's query without `limit` and `after`, which are ours to honour; then those of this page. */
static void page_query(const struct exchange *e, const struct piece *piece, struct buf *out)
{
    struct str query = str_of(e->bound->query), part;
    while (str_split(&query, '&', &part)) {
        if (!part.n || str_starts(part, "limit=") || str_starts(part, "after=")) continue;
        buf_printf(out, "%s%.*s", out->len ? "&" : "", STR_ARG(part));
    }
    if (e->bound->want.kind != STICKY_BATCH) return; /* only batches have pages at the platform */
    buf_printf(out, "%slimit=%d", out->len ? "&" : "", PAGE_ITEMS);
    if (piece->after[0]) buf_printf(out, "&after=%s", piece->after);
}

static void start_fetch(struct listing *l, struct piece *piece)
{
    struct buf query = BUF_INIT(16384);
    page_query(l->e, piece, &query);
    struct fetch_ask ask = {.any_key = true,
                            .owner = &piece->owner,
                            .path = l->e->route.path,
                            .query = buf_str(&query),
                            .max_bytes = ANSWER_MAX};
    l->running++;
    piece->fetch = proxy_fetch(l->e->p, &ask, on_fetched, piece);
    buf_free(&query);
}

static int newest_first(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->made != y->made) return x->made < y->made ? 1 : -1;
    return (x->order > y->order) - (x->order < y->order);
}

/* Two keys that nobody told to be of one account list the same things. */
static void drop_twins(struct listing *l)
{
    struct map seen = MAP_INIT;
    size_t n = 0;
    for (size_t i = 0; i < l->item_count; i++) {
        struct item *it = &l->items[i];
        if (it->id[0] && map_put(&seen, str_of(it->id), l)) {
            free(it->bytes);
            continue;
        }
        l->items[n++] = *it;
    }
    l->item_count = n;
    map_free(&seen);
}

static struct str query_value(const char *query, const char *name)
{
    struct str rest = str_of(query), part, key;
    while (str_split(&rest, '&', &part))
        if (str_split(&part, '=', &key) && str_is(key, name) && part.p) return part;
    return (struct str){"", 0};
}

/* Which part of the list the client wants: [*from, *to). */
static void window(const struct listing *l, size_t *from, size_t *to)
{
    const char *query = l->e->bound->query;
    struct str after = query_value(query, "after");
    uint64_t limit;
    bool pages = l->e->bound->want.kind == STICKY_BATCH;
    *from = 0;
    for (size_t i = 0; after.n && i < l->item_count; i++)
        if (str_is(after, l->items[i].id)) *from = i + 1;
    if (!str_u64(query_value(query, "limit"), &limit) || !limit) limit = pages ? LIMIT_DEFAULT : ITEMS_MAX;
    *to = MIN(l->item_count, *from + (size_t)MIN(limit, (uint64_t)ITEMS_MAX));
}

static void write_items(const struct listing *l, size_t from, size_t to, struct buf *out)
{
    buf_putc(out, '[');
    for (size_t i = from; i < to; i++) {
        if (i > from) buf_putc(out, ',');
        buf_add(out, l->items[i].bytes, l->items[i].n);
    }
    buf_putc(out, ']');
}

static void write_list(const struct listing *l, struct buf *out)
{
    size_t from, to;
    const char *partial = l->missing ? ",\"partial\":true" : "";
    window(l, &from, &to);
    const char *more = to < l->item_count ? "true" : "false";
    switch (l->e->bound->want.kind) {
    case STICKY_FILE:
        buf_puts(out, "{\"code\":20000,\"message\":\"Ok\",\"status\":true,\"data\":{\"object\":\"list\",\"data\":");
        write_items(l, from, to, out);
        buf_printf(out, ",\"has_more\":%s}%s}", more, partial);
        break;
    case STICKY_BATCH:
        buf_puts(out, "{\"object\":\"list\",\"data\":");
        write_items(l, from, to, out);
        buf_puts(out, ",\"first_id\":");
        if (from < to)
            json_quote(out, str_of(l->items[from].id));
        else
            buf_puts(out, "null");
        buf_puts(out, ",\"last_id\":");
        if (from < to)
            json_quote(out, str_of(l->items[to - 1].id));
        else
            buf_puts(out, "null");
        buf_printf(out, ",\"has_more\":%s%s}", more, partial);
        break;
    default:
        buf_puts(out, "{\"results\":");
        write_items(l, from, to, out);
        buf_printf(out, "%s}", partial);
    }
}

static void answer(struct listing *l)
{
    struct exchange *e = l->e;
    struct buf body = BUF_INIT(64 << 20), extra = BUF_INIT(200);
    if (l->missing == l->piece_count) {
        char message[500];
        snprintf(message, sizeof message, "none of the %zu accounts gave its list: %s%s%s", l->piece_count,
                 verdict_sentence(l->last_verdict), l->last_message[0] ? ": " : "", l->last_message);
        answer_error(e, ERR_upstream_unavailable, message, 5000, END_UPSTREAM_ERROR);
        return;
    }
    qsort(l->items, l->item_count, sizeof *l->items, newest_first);
    drop_twins(l);
    write_list(l, &body);
    if (l->missing) buf_printf(&extra, "x-sfproxy-partial: %zu of %zu accounts\r\n", l->missing, l->piece_count);
    if (body.failed)
        answer_error(e, ERR_busy_memory, "the list is too large to be put together, ask for less with `limit`", 0,
                     END_UPSTREAM_ERROR);
    else
        answer_json(e, buf_str(&extra), buf_str(&body));
    buf_free(&body);
    buf_free(&extra);
}

static void go_on(void *arg)
{
    struct listing *l = arg;
    if (l->e->step != STEP_AWAIT) return;
    while (l->running < AT_ONCE && l->next < l->piece_count) start_fetch(l, &l->pieces[l->next++]);
    if (!l->running) answer(l);
}

void listing_start(struct exchange *e)
{
    struct bound *b = e->bound;
    struct listing *l = xcalloc(1, sizeof *l);
    b->listing = l;
    l->e = e;
    l->pieces = xcalloc(b->account_count, sizeof *l->pieces);
    l->piece_count = b->account_count;
    for (size_t i = 0; i < b->account_count; i++) {
        l->pieces[i].l = l;
        keypool_owner(e->p->shared->pool, b->accounts[i], &l->pieces[i].owner);
    }
    exchange_step(e, STEP_PICK);
    exchange_step(e, STEP_SEND);
    exchange_step(e, STEP_AWAIT);
    exchange_timer_arm(e);
    go_on(l);
}
