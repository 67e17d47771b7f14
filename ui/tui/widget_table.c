/* Tables. `order` is rebuilt every frame from the snapshot; what outlives a snapshot are identities (selection, marks)
 * and, while the order is held, the list of identities of the last frame. Invariant after table_arrange(): either
 * count == 0, or at < count and ids[at] == selected. */
#include "ui/tui/widget_table.h"

#include "base/mem.h"
#include "base/str.h"
#include "ui/tui/text.h"

enum { PREFIX_CELLS = 4 /* "> * " */, PREFIX_PLAIN = 2 /* "> " */, WEIGHTY = 5 };

void table_init(struct table *t, const struct table_spec *spec, void *arg)
{
    memset(t, 0, sizeof *t);
    t->spec = spec;
    t->arg = arg;
    t->sort = -1;
    t->page = 1;
}

void table_free(struct table *t)
{
    free(t->order);
    free(t->ids);
    free(t->marks);
}

struct row_source {
    struct table *t;
    const void *row;
};

/* In the language of the screen, and in English for filters that were written once and kept. */
static bool row_field(void *arg, struct str name, char *out, size_t size)
{
    const struct row_source *s = arg;
    const struct table_spec *spec = s->t->spec;
    enum lang shown = lang_now();
    for (size_t i = 0; i < spec->column_count; i++) {
        struct cell c = {.text = ""};
        if (!spec->columns[i].field || !str_ieq(name, str_of(spec->columns[i].field))) continue;
        spec->cell(s->t->arg, s->row, i, &c);
        str_copy(out, size, str_of(c.text));
        if (shown == LANG_EN) return true;
        lang_set(LANG_EN);
        c.text[0] = '\0';
        spec->cell(s->t->arg, s->row, i, &c);
        lang_set(shown);
        text_add(out, size, "\n");
        text_add(out, size, c.text);
        return true;
    }
    return false;
}

static bool passes(struct table *t, const void *row)
{
    char all[FILTER_TEXT] = "";
    struct row_source source = {t, row};
    if (t->spec->shown && !t->spec->shown(t->arg, row)) return false;
    if (!t->filter[0]) return true;
    for (size_t i = 0; i < t->spec->column_count; i++) {
        struct cell c = {.text = ""};
        t->spec->cell(t->arg, row, i, &c);
        text_add(all, sizeof all, c.text);
        text_add(all, sizeof all, "\n");
    }
    const struct filter_source in = {all, row_field, &source};
    return filter_matches_row(t->filter, &in);
}

static int by_column(const void *a, const void *b, void *arg)
{
    const struct table *t = arg;
    const void *ra = *(const void *const *)a, *rb = *(const void *const *)b;
    int d = t->spec->compare(t->arg, ra, rb, (size_t)t->sort);
    if (t->reverse) d = -d;
    if (d) return d;
    uint64_t ia = t->spec->id(ra), ib = t->spec->id(rb);
    return ia < ib ? -1 : ia > ib;
}

struct place {
    uint64_t id;
    size_t at;
};

static int by_id(const void *a, const void *b)
{
    uint64_t x = ((const struct place *)a)->id, y = ((const struct place *)b)->id;
    return x < y ? -1 : x > y;
}

struct places {
    const struct table *t;
    const struct place *list;
    size_t count;
};

static size_t place_of(const struct places *p, const void *row)
{
    struct place want = {p->t->spec->id(row), 0};
    const struct place *found = bsearch(&want, p->list, p->count, sizeof *p->list, by_id);
    return found ? found->at : SIZE_MAX;
}

static int by_place(const void *a, const void *b, void *arg)
{
    size_t x = place_of(arg, *(const void *const *)a), y = place_of(arg, *(const void *const *)b);
    return x < y ? -1 : x > y;
}

/* Old order first, rows that are new behind it. */
static void keep_order(struct table *t, size_t n, size_t old)
{
    struct place *list = xcalloc(old + 1, sizeof *list);
    for (size_t i = 0; i < old; i++) list[i] = (struct place){t->ids[i], i};
    qsort(list, old, sizeof *list, by_id);
    struct places p = {t, list, old};
    qsort_r(t->order, n, sizeof *t->order, by_place, &p);
    free(list);
}

static void find_selection(struct table *t)
{
    if (t->count == 0) {
        t->at = t->top = 0;
        return;
    }
    size_t i = 0;
    while (i < t->count && t->ids[i] != t->selected) i++;
    if (t->follow || !t->touched) i = 0;
    if (i == t->count) i = MIN(t->at, t->count - 1);             /* the row is gone: its neighbour */
    int64_t top = (int64_t)t->top + (int64_t)i - (int64_t)t->at; /* the cursor stays on its line of the screen */
    t->top = (size_t)MAX(top, 0);
    t->at = i;
    t->selected = t->ids[i];
}

void table_arrange(struct table *t, mono_t now)
{
    size_t n = t->spec->count(t->arg), old = t->count, kept = 0;
    if (n > t->room) {
        t->room = n + 64;
        t->order = xrealloc(t->order, t->room, sizeof *t->order);
        t->ids = xrealloc(t->ids, t->room, sizeof *t->ids);
    }
    for (size_t i = 0; i < n; i++) {
        const void *row = t->spec->row(t->arg, i);
        if (passes(t, row)) t->order[kept++] = row;
    }
    t->total = n;
    if (kept > 1 && t->sort >= 0 && t->spec->compare) {
        if (now.ms < t->hold_until.ms && old)
            keep_order(t, kept, old);
        else
            qsort_r(t->order, kept, sizeof *t->order, by_column, t);
    }
    for (size_t i = 0; i < kept; i++) t->ids[i] = t->spec->id(t->order[i]);
    t->count = kept;
    find_selection(t);
}

/* The column that would go next; `count` when none may. */
static size_t heaviest(const struct column *columns, size_t count, const int *widths)
{
    size_t worst = count;
    for (size_t i = 0; i < count; i++) {
        if (!widths[i] || columns[i].priority <= 1) continue;
        if (worst == count || columns[i].priority >= columns[worst].priority) worst = i;
    }
    return worst;
}

void table_widths(const struct column *columns, size_t count, uint32_t hidden, int w, int *widths)
{
    int used = -1, nice = 0;
    for (size_t i = 0; i < count; i++) {
        widths[i] = 0;
        if (hidden & 1u << i) continue;
        used += (widths[i] = columns[i].width) + 1;
        nice = MAX(nice, columns[i].nice ? columns[i].nice - columns[i].width : 0);
    }
    for (;;) {
        size_t worst = heaviest(columns, count, widths);
        if (worst == count) break;
        if (columns[worst].nice || columns[worst].priority <= WEIGHTY) nice = 0; /* only light ones make room */
        if (used <= w - nice) break;
        used -= widths[worst] + 1;
        widths[worst] = 0;
    }
    for (size_t i = 0; i < count && used > w; i++) { /* only the needed ones are left: squeeze the flexible one */
        if (!widths[i] || !columns[i].flex) continue;
        int cut = MIN(used - w, widths[i] - 1);
        widths[i] -= cut;
        used -= cut;
    }
    for (size_t i = 0; i < count; i++) {
        if (!widths[i] || !columns[i].flex || used >= w) continue;
        int more = MIN(w - used, (int)columns[i].flex);
        widths[i] += more;
        used += more;
    }
}

static int prefix_of(const struct table *t)
{
    return t->markable ? PREFIX_CELLS : PREFIX_PLAIN;
}

static void draw_header(const struct table *t, const struct canvas *c, struct rect r, const int *widths)
{
    int x = r.x + prefix_of(t);
    put_pad(c, r.y, r.x, r.w, ROLE_DIM, "");
    for (size_t i = 0; i < t->spec->column_count; i++) {
        const struct column *col = &t->spec->columns[i];
        char title[80];
        if (!widths[i]) continue;
        int room = r.x + r.w - x;
        bool sorted = t->sort == (int)i;
        snprintf(title, sizeof title, "%s%s", tr(col->title), !sorted ? "" : t->reverse ? "▾" : "▴");
        if (text_width(title) > widths[i]) snprintf(title, sizeof title, "%s", tr(col->title));
        enum role role = sorted ? ROLE_STRONG : ROLE_DIM;
        (col->right ? put_right : put_pad)(c, r.y, x, MIN(widths[i], room), role, title);
        x += widths[i] + 1;
    }
}

/* Row `i` lies between the beginning of the open range and the cursor. */
static bool in_range(const struct table *t, size_t i)
{
    size_t from = 0;
    if (!t->range_from) return false;
    while (from < t->count && t->ids[from] != t->range_from) from++;
    return from < t->count && i >= MIN(from, t->at) && i <= MAX(from, t->at);
}

bool table_shows_mark(const struct table *t, size_t i)
{
    return t->markable && (table_is_marked(t, t->ids[i]) || in_range(t, i));
}

static void draw_row(const struct table *t, const struct canvas *c, struct rect r, size_t i, const int *widths, bool on)
{
    const void *row = t->order[i];
    int x = r.x + prefix_of(t);
    put(c, r.y, r.x, 1, ROLE_STRONG, on ? ">" : " ");
    if (table_shows_mark(t, i)) put(c, r.y, r.x + 2, 1, ROLE_WARN, "*");
    for (size_t k = 0; k < t->spec->column_count; k++) {
        if (!widths[k]) continue;
        struct cell cell = {.text = "", .role = ROLE_NORMAL};
        t->spec->cell(t->arg, row, k, &cell);
        int room = MIN(widths[k], r.x + r.w - x);
        (t->spec->columns[k].right ? put_right : put_pad)(c, r.y, x, room, cell.role, cell.text);
        x += widths[k] + 1;
    }
    if (on) put_reverse(c, r.y, r.x, r.w);
}

void table_place(struct table *t, struct rect rows)
{
    int page = rows.h;
    t->rows = rows;
    t->page = MAX(page, 1);
    if (page < 1) return;
    if (t->at < t->top) t->top = t->at;
    if (t->at >= t->top + (size_t)page) t->top = t->at - (size_t)page + 1;
    if (t->count <= (size_t)page)
        t->top = 0;
    else if (t->top > t->count - (size_t)page)
        t->top = t->count - (size_t)page;
}

void table_draw(struct table *t, const struct canvas *c, struct rect r, bool focused)
{
    int widths[COLUMNS_MAX] = {0};
    if (r.h < 1 || r.w < 1) return;
    table_widths(t->spec->columns, t->spec->column_count, t->hidden, r.w - prefix_of(t), widths);
    t->drawn = 0;
    for (size_t i = 0; i < t->spec->column_count; i++)
        if (widths[i]) t->drawn |= 1u << i;
    draw_header(t, c, (struct rect){r.y, r.x, 1, r.w}, widths);
    table_place(t, (struct rect){r.y + 1, r.x, r.h - 1, r.w});
    int page = r.h - 1;
    for (int i = 0; i < page && t->top + (size_t)i < t->count; i++) {
        size_t at = t->top + (size_t)i;
        draw_row(t, c, (struct rect){r.y + 1 + i, r.x, 1, r.w}, at, widths, focused && at == t->at);
    }
}

const void *table_selected(const struct table *t)
{
    return t->count ? t->order[t->at] : NULL;
}

bool table_is_marked(const struct table *t, uint64_t id)
{
    for (size_t i = 0; i < t->mark_count; i++)
        if (t->marks[i] == id) return true;
    return false;
}

void table_clear_marks(struct table *t)
{
    t->mark_count = 0;
    t->range_from = 0;
}

size_t table_marked(const struct table *t)
{
    size_t n = t->mark_count;
    for (size_t i = 0; t->range_from && i < t->count; i++) n += in_range(t, i) && !table_is_marked(t, t->ids[i]);
    return n;
}

static void set_mark(struct table *t, uint64_t id, bool on)
{
    for (size_t i = 0; i < t->mark_count; i++) {
        if (t->marks[i] != id) continue;
        if (!on) t->marks[i] = t->marks[--t->mark_count];
        return;
    }
    if (!on) return;
    if (t->mark_count == t->mark_room) {
        t->mark_room = t->mark_room ? t->mark_room * 2 : 64;
        t->marks = xrealloc(t->marks, t->mark_room, sizeof *t->marks);
    }
    t->marks[t->mark_count++] = id;
}

static void mark_all(struct table *t)
{
    bool all = true;
    for (size_t i = 0; i < t->count && all; i++) all = table_is_marked(t, t->ids[i]);
    for (size_t i = 0; i < t->count; i++) set_mark(t, t->ids[i], !all);
}

/* The first press begins a range at the cursor, the second marks it. */
static void range(struct table *t)
{
    if (!t->markable || !t->count) return;
    if (!t->range_from) {
        t->range_from = t->selected;
        return;
    }
    for (size_t i = 0; i < t->count; i++)
        if (in_range(t, i)) set_mark(t, t->ids[i], true);
    t->range_from = 0;
}

static void move_to(struct table *t, int64_t to, mono_t now)
{
    t->hold_until = mono_add(now, SORT_HOLD_MS);
    t->touched = true;
    if (!t->count) return;
    t->at = (size_t)MIN(MAX(to, 0), (int64_t)t->count - 1);
    t->selected = t->ids[t->at];
    if (t->follow && t->at > 0) t->follow = false;
}

/* Only columns that can be seen, and none twice (the symbol stands for the state). */
static void next_sort(struct table *t)
{
    size_t n = t->spec->column_count;
    if (!t->spec->compare || n == 0) return;
    for (size_t i = 0; i < n; i++) {
        t->sort = (t->sort + 1) % (int)n;
        if (t->spec->columns[t->sort].title != MSG_NONE && (t->drawn & 1u << t->sort || !t->drawn)) break;
    }
    t->reverse = t->spec->columns[t->sort].right; /* numbers: the largest first */
    t->hold_until = (mono_t){0};
}

bool table_action(struct table *t, enum action a, mono_t now)
{
    int64_t at = (int64_t)t->at, page = t->page;
    switch (a) {
    case ACT_UP: move_to(t, at - 1, now); return true;
    case ACT_DOWN: move_to(t, at + 1, now); return true;
    case ACT_PAGE_UP: move_to(t, at - page, now); return true;
    case ACT_PAGE_DOWN: move_to(t, at + page, now); return true;
    case ACT_HALF_UP: move_to(t, at - (page + 1) / 2, now); return true;
    case ACT_HALF_DOWN: move_to(t, at + (page + 1) / 2, now); return true;
    case ACT_FIRST: move_to(t, 0, now); return true;
    case ACT_LAST: move_to(t, (int64_t)t->count - 1, now); return true;
    case ACT_SORT: next_sort(t); return true;
    case ACT_SORT_BACK:
        t->reverse = !t->reverse;
        t->hold_until = (mono_t){0};
        return true;
    case ACT_MARK:
        if (t->markable && t->count) set_mark(t, t->selected, !table_is_marked(t, t->selected));
        move_to(t, at + 1, now);
        return true;
    case ACT_MARK_ALL: mark_all(t); return true;
    case ACT_RANGE: range(t); return true;
    default: return false;
    }
}

bool table_click(struct table *t, int y, int x, mono_t now)
{
    if (y < t->rows.y || y >= t->rows.y + t->rows.h || x < t->rows.x || x >= t->rows.x + t->rows.w) return false;
    size_t at = t->top + (size_t)(y - t->rows.y);
    if (at >= t->count) return false;
    move_to(t, (int64_t)at, now);
    return true;
}

void table_wheel(struct table *t, int rows, mono_t now)
{
    move_to(t, (int64_t)t->at + rows, now);
}

const char *table_sort_name(const struct table *t)
{
    return t->sort < 0 ? "" : tr(t->spec->columns[t->sort].title);
}

void table_hidden_text(const struct table *t, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < t->spec->column_count; i++)
        if (t->hidden & 1u << i) text_addf(out, size, "%s%s", out[0] ? "," : "", t->spec->columns[i].field);
}

void table_hide(struct table *t, const char *names)
{
    struct str rest = str_of(names), name;
    t->hidden = 0;
    while (str_split(&rest, ',', &name))
        for (size_t i = 0; i < t->spec->column_count; i++) {
            const struct column *c = &t->spec->columns[i];
            if (c->field && c->priority > 1 && str_is(name, c->field)) t->hidden |= 1u << i;
        }
}
