/* Reasoning made part of the answer's text, for clients that show `content` only.
 *
 * Stream. An event becomes one event or several. Per choice and event the new texts are put together:
 *
 *     [opening] [reasoning] [closing] [content]         tags: "<" "think" ">\n" | ... | "\n</think>\n" | ...
 *                                                       quote:        "> " + ...  | "\n\n"         | ...
 *
 *  - reasoning opens when the choice is not open; so does reasoning that comes again after content;
 *  - content closes it. Tags are closed by a finish_reason or a tool call too, so that what comes is no thought;
 *  - an empty reasoning_content beside content, or the other way round, counts as absent.
 *
 * The last text takes its place in the event itself: of that only `model`, `content` and `reasoning_content` are
 * replaced, everything else stays byte for byte (tool calls, other choices, usage, members nobody knows). The texts
 * before it get events of their own: the same event with one choice, no finish_reason and null for usage. So usage,
 * finish_reason and tool calls are never said twice.
 *
 * What is no chat chunk passes unchanged: comments, [DONE], error events, broken JSON, events larger than
 * SSE_EVENT_MAX, a choice whose members are given twice or are of another kind than expected.
 *
 * Strings are never unescaped: reasoning goes to its new place as it was written, and `\n` inside it is found as an
 * escape. */
#include "proxy/filter.h"

#include "base/json.h"
#include "base/json_text.h"
#include "base/mem.h"
#include "net/sse.h"

enum {
    CHOICES_MAX = 128,
    MADE_MAX = 32 << 20, /* more than the largest answer that is read whole, with its marks */
    KEEP_ROOM = 65536,
};

/* Texts as they stand in a JSON string. */
struct form {
    struct str opening[3]; /* texts of their own; empty ones are left out */
    struct str lead;       /* in front of the first reasoning */
    struct str lead_again; /* in front of reasoning that comes after content */
    struct str closing;
    bool marks_lines;  /* "> " behind each newline of the reasoning */
    bool always_close; /* also when no content follows */
};

static const struct form forms[] = {
    [REASONING_QUOTE] = {.opening = {STR(""), STR(""), STR("")},
                         .lead = STR("> "),
                         .lead_again = STR("\\n\\n> "),
                         .closing = STR("\\n\\n"),
                         .marks_lines = true},
    [REASONING_TAGS] = {.opening = {STR("<"), STR("think"), STR(">\\n")},
                        .lead = STR(""),
                        .lead_again = STR(""),
                        .closing = STR("\\n</think>\\n"),
                        .always_close = true},
};

/* What a choice has seen, bits. */
enum { IS_OPEN = 1, HAS_REASONED = 2, HAS_ROLE = 4 };

/* A span of the answer and its new text: `n` bytes of `made` from `from` on. */
struct edit {
    struct str span;
    size_t from, n;
};

/* New content: what stands between the quotes, in this order. */
struct words {
    struct str lead, reasoning, closing, content;
};

/* An event in the making: the platform's, and what is to change in it, in the order of its text. */
struct draft {
    struct edit *edits;
    size_t count, room;
    struct buf made;
};

struct reasoning {
    struct filter filter;
    const struct form *form;
    char *model; /* a JSON string */
    struct sse_reader sse;
    struct buf *out;    /* during a call */
    struct draft own;   /* the platform's event itself */
    struct draft extra; /* one that goes before it */
    struct buf json;    /* text of the event that is sent */
    uint8_t seen[CHOICES_MAX];
};

/* The members we know of the answer, a choice, and its delta or message. */
enum { TOP_MODEL, TOP_CHOICES, TOP_USAGE, TOP_COUNT };
enum { CHOICE_INDEX, CHOICE_DELTA, CHOICE_FINISH, CHOICE_COUNT };
enum { DELTA_ROLE, DELTA_CONTENT, DELTA_REASONING, DELTA_TOOLS, DELTA_COUNT };
static const char *const top_names[] = {"model", "choices", "usage"};
static const char *const stream_names[] = {"index", "delta", "finish_reason"};
static const char *const whole_names[] = {"index", "message", "finish_reason"};
static const char *const delta_names[] = {"role", "content", "reasoning_content", "tool_calls"};

struct delta {
    struct json_item m[DELTA_COUNT];
    size_t members;
    struct str text;               /* the object */
    struct str content, reasoning; /* insides of strings; p NULL: absent */
    size_t index;
    bool has_tools, is_finished;
};

/* Finds named members of an object. False: it is none, is malformed, or has one of them twice. */
static bool find_members(struct str object, const char *const names[], struct json_item *found, size_t count,
                         size_t *members)
{
    struct json_walk w;
    struct json_item item;
    for (size_t i = 0; i < count; i++) found[i] = (struct json_item){.name = {NULL, 0}};
    json_walk_init(&w, object);
    if (!w.object) return false;
    for (*members = 0; json_walk_next(&w, &item); ++*members) {
        size_t i = 0;
        while (i < count && !str_is(item.name, names[i])) i++;
        if (i == count) continue;
        if (found[i].value.p) return false;
        found[i] = item;
    }
    return !w.bad;
}

static bool is_null(struct str value)
{
    return !value.p || str_is(value, "null");
}

/* *inside: of a string, p NULL when the member is absent or null. False: it is something else. */
static bool take_text(struct str value, struct str *inside)
{
    *inside = (struct str){NULL, 0};
    if (is_null(value)) return true;
    if (value.p[0] != '"') return false;
    *inside = (struct str){value.p + 1, value.n - 2};
    return true;
}

/* One element of `choices`, the `position`-th. False: it stays as it is. */
static bool read_choice(struct str choice, const char *const names[], size_t position, struct delta *d)
{
    struct json_item c[CHOICE_COUNT];
    uint64_t index = position;
    if (!find_members(choice, names, c, CHOICE_COUNT, &d->members)) return false;
    if (c[CHOICE_INDEX].value.p && !str_u64(c[CHOICE_INDEX].value, &index)) return false;
    if (index >= CHOICES_MAX || !c[CHOICE_DELTA].value.p) return false;
    d->index = (size_t)index;
    d->text = c[CHOICE_DELTA].value;
    if (!find_members(d->text, delta_names, d->m, DELTA_COUNT, &d->members)) return false;
    struct str tools = d->m[DELTA_TOOLS].value;
    d->has_tools = !is_null(tools) && tools.n > 2; /* more than [] */
    d->is_finished = !is_null(c[CHOICE_FINISH].value) && c[CHOICE_FINISH].value.n > 2;
    return take_text(d->m[DELTA_CONTENT].value, &d->content) && take_text(d->m[DELTA_REASONING].value, &d->reasoning);
}

/* --- edits ---------------------------------------------------------------------------------------------------- */

/* Replaces `span` by what stands in `made` from `from` on. */
static void add_edit(struct draft *t, struct str span, size_t from)
{
    if (t->count == t->room) {
        t->room = t->room ? 2 * t->room : 8;
        t->edits = xrealloc(t->edits, t->room, sizeof *t->edits);
    }
    size_t at = t->count++;
    while (at > 0 && t->edits[at - 1].span.p > span.p) at--;
    memmove(&t->edits[at + 1], &t->edits[at], (t->count - 1 - at) * sizeof *t->edits);
    t->edits[at] = (struct edit){span, from, t->made.len - from};
}

static void release(struct buf *b)
{
    if (b->room > KEEP_ROOM)
        buf_free(b);
    else
        buf_reset(b);
}

/* Writes the text with its edits; the draft is empty then. */
static void put_draft(struct draft *t, struct str text, struct buf *out)
{
    const char *at = text.p;
    for (const struct edit *e = t->edits; e < t->edits + t->count; e++) {
        buf_add(out, at, (size_t)(e->span.p - at));
        if (e->n && !t->made.failed) buf_add(out, t->made.data + e->from, e->n);
        at = e->span.p + e->span.n;
    }
    buf_add(out, at, (size_t)(text.p + text.n - at));
    if (t->made.failed) out->failed = true;
    t->count = 0;
    release(&t->made);
}

/* Length of the escape of a newline that `s` begins with, else 0. */
static size_t newline_escape(struct str s)
{
    if (s.n >= 2 && s.p[1] == 'n') return 2;
    return s.n >= 6 && s.p[1] == 'u' && str_ieq((struct str){s.p + 2, 4}, STR("000a")) ? 6 : 0;
}

/* The inside of a string, with "> " behind each newline. */
static void put_marked(struct buf *out, struct str s)
{
    const char *slash;
    while (s.n && (slash = memchr(s.p, '\\', s.n))) {
        size_t before = (size_t)(slash - s.p), newline = newline_escape((struct str){slash, s.n - before});
        size_t n = before + (newline ? newline : 2);
        buf_add(out, s.p, n);
        if (newline) buf_add(out, "> ", 2);
        s = (struct str){s.p + n, s.n - n};
    }
    buf_add_str(out, s);
}

static void put_words(struct draft *t, const struct form *form, const struct words *w)
{
    buf_putc(&t->made, '"');
    buf_add_str(&t->made, w->lead);
    if (form->marks_lines)
        put_marked(&t->made, w->reasoning);
    else
        buf_add_str(&t->made, w->reasoning);
    buf_add_str(&t->made, w->closing);
    buf_add_str(&t->made, w->content);
    buf_putc(&t->made, '"');
}

static struct str span_of(const struct json_item *m)
{
    return (struct str){m->at, (size_t)(m->value.p + m->value.n - m->at)};
}

/* The member with one comma. `end`: of its object. */
static struct str span_with_comma(const struct json_item *m, const char *end)
{
    struct str span = span_of(m);
    if (m->comma) return (struct str){m->comma, (size_t)(span.p + span.n - m->comma)};
    const char *p = span.p + span.n;
    while (p < end && ascii_space(*p)) p++;
    if (p < end && *p == ',') span.n = (size_t)(p + 1 - span.p);
    return span;
}

static void edit_model(struct draft *t, const struct reasoning *f, const struct json_item *model)
{
    size_t from = t->made.len;
    if (!model->value.p || model->value.p[0] != '"') return;
    buf_puts(&t->made, f->model);
    add_edit(t, model->value, from);
}

/* Takes reasoning_content out; `words` become the content, NULL: it stays. */
static void edit_delta(struct reasoning *f, const struct delta *d, const struct words *words, bool needs_role)
{
    struct draft *t = &f->own;
    const struct json_item *content = &d->m[DELTA_CONTENT], *reasoning = &d->m[DELTA_REASONING];
    bool has_content = content->value.p != NULL, has_reasoning = reasoning->value.p != NULL;
    bool renames = words && !has_content && has_reasoning, inserts = words && !has_content && !has_reasoning;
    size_t from = t->made.len;
    if (needs_role) buf_puts(&t->made, "\"role\":\"assistant\"");
    if (needs_role && inserts) buf_putc(&t->made, ',');
    if (inserts) buf_puts(&t->made, "\"content\":");
    if (inserts) put_words(t, f->form, words);
    if ((needs_role || inserts) && d->members > (has_reasoning && !renames)) buf_putc(&t->made, ',');
    if (needs_role || inserts) add_edit(t, (struct str){d->text.p + 1, 0}, from);
    if (has_reasoning && !renames) add_edit(t, span_with_comma(reasoning, d->text.p + d->text.n), t->made.len);
    if (!words || inserts) return;
    from = t->made.len;
    if (renames) buf_puts(&t->made, "\"content\":");
    put_words(t, f->form, words);
    add_edit(t, renames ? span_of(reasoning) : content->value, from);
}

/* --- streams -------------------------------------------------------------------------------------------------- */

/* The event in `json`: as many data lines as it has. */
static void send_json(struct reasoning *f)
{
    struct str rest = buf_str(&f->json), line;
    if (f->json.failed) f->out->failed = true;
    while (str_split(&rest, '\n', &line)) {
        buf_puts(f->out, "data: ");
        buf_add_str(f->out, line);
        buf_putc(f->out, '\n');
    }
    buf_putc(f->out, '\n');
    release(&f->json);
}

/* An event of its own with this content for this choice. */
static void send_words(struct reasoning *f, struct str json, const struct json_item top[], size_t index,
                       const struct words *words)
{
    struct draft *t = &f->extra;
    edit_model(t, f, &top[TOP_MODEL]);
    size_t from = t->made.len;
    buf_printf(&t->made, "[{\"index\":%zu,\"delta\":{%s\"content\":", index,
               f->seen[index] & HAS_ROLE ? "" : "\"role\":\"assistant\",");
    put_words(t, f->form, words);
    buf_puts(&t->made, "},\"finish_reason\":null}]");
    add_edit(t, top[TOP_CHOICES].value, from);
    from = t->made.len;
    if (top[TOP_USAGE].value.p) {
        buf_puts(&t->made, "null");
        add_edit(t, top[TOP_USAGE].value, from);
    }
    f->seen[index] |= HAS_ROLE;
    put_draft(t, json, &f->json);
    send_json(f);
}

enum { WORDS_MAX = 6 }; /* three to open, reasoning, to close, content */

/* The texts of one event and choice, in order; *own: after them comes the event's content as it is. */
static size_t words_of(struct reasoning *f, const struct delta *d, struct words *w, bool *own)
{
    const struct form *form = f->form;
    uint8_t *seen = &f->seen[d->index];
    struct str reasoning = d->reasoning, content = d->content, lead = {"", 0};
    size_t n = 0;
    if (reasoning.p && content.p) { /* the empty one is meant as absent */
        if (!reasoning.n) reasoning.p = NULL;
        if (!content.n) content.p = NULL;
    }
    if (reasoning.p && !(*seen & IS_OPEN)) {
        for (size_t i = 0; i < ARRAY_LEN(form->opening); i++)
            if (form->opening[i].n) w[n++] = (struct words){.lead = form->opening[i]};
        lead = *seen & HAS_REASONED ? form->lead_again : form->lead;
        *seen |= IS_OPEN | HAS_REASONED;
    }
    if (reasoning.p) w[n++] = (struct words){.lead = lead, .reasoning = reasoning};
    if (*seen & IS_OPEN && (content.p || (form->always_close && (d->has_tools || d->is_finished)))) {
        w[n++] = (struct words){.closing = form->closing};
        *seen &= (uint8_t)~IS_OPEN;
    }
    *own = content.p != NULL;
    return n;
}

/* Sends what goes before the event and notes what is to change in the event itself. */
static void stream_choice(struct reasoning *f, struct str json, const struct json_item top[], const struct delta *d)
{
    struct words w[WORDS_MAX];
    bool own;
    size_t n = words_of(f, d, w, &own), before = own || !n ? n : n - 1;
    for (size_t i = 0; i < before; i++) send_words(f, json, top, d->index, &w[i]);
    bool needs_role = !(f->seen[d->index] & HAS_ROLE) && !d->m[DELTA_ROLE].value.p;
    f->seen[d->index] |= HAS_ROLE;
    edit_delta(f, d, before < n ? &w[before] : NULL, needs_role);
}

/* Lines of the event that are no data. */
static void send_other_lines(struct reasoning *f, struct str raw)
{
    while (raw.n) {
        size_t n = 0;
        while (n < raw.n && raw.p[n] != '\n' && raw.p[n] != '\r') n++;
        bool is_data = str_starts((struct str){raw.p, n}, "data") && (n == 4 || raw.p[4] == ':');
        if (n && !is_data) {
            buf_add(f->out, raw.p, n);
            buf_putc(f->out, '\n');
        }
        n += n < raw.n;
        raw = (struct str){raw.p + n, raw.n - n};
    }
}

/* True when it was a chat chunk and went out. */
static bool stream_chunk(struct reasoning *f, const struct sse_event *e)
{
    struct json_item top[TOP_COUNT], item;
    struct json_walk w;
    struct delta d;
    size_t members, position = 0;
    if (!find_members(e->data, top_names, top, TOP_COUNT, &members)) return false;
    if (!top[TOP_CHOICES].value.p || top[TOP_CHOICES].value.p[0] != '[') return false;
    send_other_lines(f, e->raw);
    json_walk_init(&w, top[TOP_CHOICES].value);
    edit_model(&f->own, f, &top[TOP_MODEL]);
    for (; json_walk_next(&w, &item); position++)
        if (read_choice(item.value, stream_names, position, &d)) stream_choice(f, e->data, top, &d);
    put_draft(&f->own, e->data, &f->json);
    send_json(f);
    return true;
}

/* The blank line behind an event, with its own kind of line end. */
static void send_blank_line(struct buf *out, struct str raw)
{
    if (!raw.n || (raw.p[raw.n - 1] != '\n' && raw.p[raw.n - 1] != '\r'))
        buf_puts(out, "\n\n");
    else if (raw.p[raw.n - 1] == '\r')
        buf_putc(out, '\r');
    else
        buf_puts(out, raw.n > 1 && raw.p[raw.n - 2] == '\r' ? "\r\n" : "\n");
}

static void on_event(void *arg, const struct sse_event *e)
{
    struct reasoning *f = arg;
    if (!e->part && e->data.n && stream_chunk(f, e)) return;
    buf_add_str(f->out, e->raw);
    if (e->part_ends)
        buf_puts(f->out, "\n\n");
    else if (!e->part)
        send_blank_line(f->out, e->raw);
}

static void stream(struct filter *filter, struct str bytes, struct buf *out)
{
    struct reasoning *f = (struct reasoning *)filter;
    f->out = out;
    sse_feed(&f->sse, bytes, on_event, f);
}

static void stream_end(struct filter *filter, struct buf *out)
{
    struct reasoning *f = (struct reasoning *)filter;
    f->out = out;
    sse_finish(&f->sse, on_event, f);
}

/* --- whole answers -------------------------------------------------------------------------------------------- */

static void whole_choice(struct reasoning *f, const struct delta *d)
{
    const struct form *form = f->form;
    struct words w = {.reasoning = d->reasoning, .content = d->content};
    bool closes = d->content.p || form->always_close;
    char lead[16];
    int n = snprintf(lead, sizeof lead, "%s%s%s%s", form->opening[0].p, form->opening[1].p, form->opening[2].p,
                     form->lead.p);
    w.lead = (struct str){lead, (size_t)n};
    if (closes) w.closing = form->closing;
    edit_delta(f, d, d->reasoning.p && d->reasoning.n ? &w : NULL, false);
}

static void whole(struct filter *filter, struct str body, struct buf *out)
{
    struct reasoning *f = (struct reasoning *)filter;
    struct json_item top[TOP_COUNT], item;
    struct json_walk w;
    struct delta d;
    size_t members, position = 0;
    if (find_members(body, top_names, top, TOP_COUNT, &members) && top[TOP_CHOICES].value.p) {
        edit_model(&f->own, f, &top[TOP_MODEL]);
        json_walk_init(&w, top[TOP_CHOICES].value);
        for (; json_walk_next(&w, &item); position++)
            if (read_choice(item.value, whole_names, position, &d)) whole_choice(f, &d);
    }
    put_draft(&f->own, body, out);
}

static void draft_free(struct draft *t)
{
    free(t->edits);
    buf_free(&t->made);
}

static void reasoning_free(struct filter *filter)
{
    struct reasoning *f = (struct reasoning *)filter;
    sse_free(&f->sse);
    draft_free(&f->own);
    draft_free(&f->extra);
    buf_free(&f->json);
    free(f->model);
    free(f);
}

struct filter *filter_reasoning(enum reasoning_form form, const char *alias)
{
    static const struct filter_ops ops = {stream, stream_end, whole, reasoning_free};
    struct reasoning *f = xcalloc(1, sizeof *f);
    struct buf quoted = BUF_INIT(4096);
    json_quote(&quoted, str_of(alias));
    *f = (struct reasoning){.filter = {&ops}, .form = &forms[form], .model = buf_take(&quoted)};
    sse_init(&f->sse);
    f->sse.parts = true;
    buf_init(&f->own.made, MADE_MAX);
    buf_init(&f->extra.made, MADE_MAX);
    buf_init(&f->json, MADE_MAX);
    return &f->filter;
}
