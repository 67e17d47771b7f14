/* The chooser of columns: which ones a table may show. What is shown in the end also depends on the room; a column that
 * is wanted and has none is marked. The choice is a setting of its own per table. */
#include "ui/tui/app.h"
#include "ui/tui/text.h"

enum { LIST_MAX = 16 };

static const struct {
    const char *setting;
    size_t at; /* of the table in struct app */
} tables[] = {{"ui.columns.keys", offsetof(struct app, keys)},
              {"ui.columns.models", offsetof(struct app, free_models)},
              {"ui.columns.requests", offsetof(struct app, requests)}};

static struct table *table_at(struct app *a, size_t i)
{
    return (struct table *)((char *)a + tables[i].at);
}

/* The lists of Models share one choice, and the Overview's short list of requests the one of Requests. */
static void share(struct app *a)
{
    a->paid_models.hidden = a->top_models.hidden = a->free_models.hidden;
    a->brief_requests.hidden = a->requests.hidden;
    a->brief_keys.hidden = a->keys.hidden;
}

void columns_load(struct app *a)
{
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        const char *names = control_setting(a->control, tables[i].setting);
        if (names) table_hide(table_at(a, i), names);
    }
    share(a);
}

static bool may_hide(const struct column *c)
{
    return c->field && c->priority > 1 && c->title != MSG_NONE;
}

/* The i-th column that can be chosen; column_count when there is none. */
static size_t choice(const struct table *t, size_t i)
{
    size_t k = 0;
    for (; k < t->spec->column_count; k++)
        if (may_hide(&t->spec->columns[k]) && i-- == 0) break;
    return k;
}

static size_t choices(const struct table *t)
{
    size_t n = 0;
    while (choice(t, n) < t->spec->column_count) n++;
    return n;
}

void columns_open(struct app *a)
{
    struct table *t = app_view(a)->table ? app_view(a)->table(a) : NULL;
    if (!t) return;
    prompt_open(a, ASK_COLUMNS, tr(MSG_Q_COLUMNS));
    a->prompt.columns = t == &a->paid_models ? &a->free_models : t;
}

void columns_draw(struct app *a)
{
    const struct table *t = a->prompt.columns;
    char rows[LIST_MAX][160];
    const char *lines[LIST_MAX + 2] = {a->prompt.title, ""};
    size_t n = choices(t), room = (size_t)MAX(MIN(a->lay.h - 6, LIST_MAX), 1), at = a->prompt.at;
    size_t top = at >= room ? at - room + 1 : 0, o = 2;
    for (size_t i = top; i < n && i < top + room; i++) {
        size_t k = choice(t, i);
        bool wanted = !(t->hidden & 1u << k), drawn = t->drawn & 1u << k;
        snprintf(rows[i - top], sizeof rows[0], "%s [%s] %s%s%s", i == at ? ">" : " ", wanted ? "x" : " ",
                 tr(t->spec->columns[k].title), wanted && !drawn ? "   " : "",
                 wanted && !drawn ? tr(MSG_Q_NO_ROOM) : "");
        lines[o++] = rows[i - top];
    }
    dialog_box(a, lines, o);
}

static void save(struct app *a)
{
    char names[400];
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        if (table_at(a, i) != a->prompt.columns) continue;
        table_hidden_text(a->prompt.columns, names, sizeof names);
        app_setting(a, tables[i].setting, names);
    }
    share(a);
}

bool columns_act(struct app *a, enum action act)
{
    struct prompt *p = &a->prompt;
    size_t n = choices(p->columns);
    switch (act) {
    case ACT_UP: p->at -= p->at > 0; return true;
    case ACT_DOWN: p->at += p->at + 1 < n; return true;
    case ACT_MARK: p->columns->hidden ^= 1u << choice(p->columns, p->at); break;
    case ACT_RESET: p->columns->hidden = 0; break;
    default: return false;
    }
    save(a);
    return true;
}
