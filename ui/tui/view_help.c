/* Help, made from the bindings table, so that it cannot say something else than what the keys do. The view it was
 * opened from comes first. */
#include "ui/tui/app.h"
#include "ui/tui/text.h"

struct writer {
    struct app *a;
    struct rect r;
    size_t line; /* number of the next line of the whole page */
};

static void line(struct writer *w, enum role role, const char *label, const char *text)
{
    char whole[300];
    snprintf(whole, sizeof whole, "%s %s", label, text);
    if (w->a->help.filter[0] && !filter_matches(w->a->help.filter, whole)) return;
    size_t at = w->line++;
    if (at < w->a->help.top || at >= w->a->help.top + (size_t)w->r.h) return;
    int y = w->r.y + (int)(at - w->a->help.top);
    if (!label[0]) {
        put(&w->a->canvas, y, w->r.x + 1, w->r.w - 1, role, text);
        return;
    }
    int indent = w->r.w >= 60 ? 26 : 14;
    put(&w->a->canvas, y, w->r.x + 3, indent - 4, ROLE_KEY, label);
    put(&w->a->canvas, y, w->r.x + indent, w->r.w - indent, role, text);
}

/* Bindings whose scope is in `only`; those of every view are "Anywhere". */
static void section(struct writer *w, enum msg title, unsigned scope, bool everywhere)
{
    line(w, ROLE_STRONG, "", tr(title));
    for (size_t i = 0; i < ARRAY_LEN(bindings); i++) {
        const struct binding *b = &bindings[i];
        bool all = b->scope == IN_ALL;
        if (b->help == MSG_NONE || all != everywhere || !(b->scope & scope)) continue;
        line(w, ROLE_NORMAL, b->label, tr(b->help));
    }
}

static void write_page(struct writer *w)
{
    static const struct {
        enum view_id view;
        enum msg title;
    } views[] = {{VIEW_OVERVIEW, MSG_OVERVIEW},
                 {VIEW_KEYS, MSG_KEYS},
                 {VIEW_MODELS, MSG_MODELS},
                 {VIEW_REQUESTS, MSG_REQUESTS},
                 {VIEW_LOG, MSG_LOG}};
    enum view_id first = w->a->before_help;
    for (size_t i = 0; i < ARRAY_LEN(views); i++)
        if (views[i].view == first) section(w, views[i].title, 1u << views[i].view, false);
    section(w, MSG_HE_ANYWHERE, IN_ALL, true);
    for (size_t i = 0; i < ARRAY_LEN(views); i++)
        if (views[i].view != first) section(w, views[i].title, 1u << views[i].view, false);
    section(w, MSG_HE_TYPING, IN_LINE | IN_COMMAND, false);
    section(w, MSG_HE_ADDING, IN_ADD, false);
    section(w, MSG_HE_ASKED, IN_YES_NO, false);
    section(w, MSG_HE_QUITTING, IN_QUIT, false);
    section(w, MSG_HE_CHOOSING, IN_COLUMNS, false);
    line(w, ROLE_STRONG, "", tr(MSG_HE_COMMANDS));
    for (size_t i = 0; app_command_at(i, NULL); i++) {
        enum msg help;
        char label[40];
        snprintf(label, sizeof label, ":%s", app_command_at(i, &help));
        line(w, ROLE_NORMAL, label, tr(help));
    }
    line(w, ROLE_STRONG, "", tr(MSG_HE_SYMBOLS));
    for (enum msg m = MSG_HE_SYM_STATES; m <= MSG_HE_SYM_GAP; m++) line(w, ROLE_NORMAL, "", tr(m));
}

static void draw(struct app *a)
{
    struct rect r = app_rect(a, R_MAIN);
    if (r.h < 1) return;
    char right[200], filter[FILTER_MAX] = "";
    snprintf(right, sizeof right, "%s", tr(MSG_HE_SCROLL));
    if (a->help.filter[0]) text_mask_keys(filter, sizeof filter, a->help.filter);
    if (a->help.filter[0]) tr_with(right, sizeof right, MSG_SEC_FILTER, filter, num_plain(a->help.lines).s, NULL);
    put_bar(&a->canvas, r.y, r.x, r.w, tr(MSG_HE_TITLE), right);
    struct writer w = {a, {r.y + 1, r.x, r.h - 1, r.w}, 0};
    write_page(&w);
    a->help.lines = w.line;
    size_t most = w.line > (size_t)w.r.h ? w.line - (size_t)w.r.h : 0;
    a->help.top = MIN(a->help.top, most);
}

static void scroll(struct app *a, int64_t lines)
{
    int64_t rows = MAX(app_rect(a, R_MAIN).h - 1, 1), most = MAX((int64_t)a->help.lines - rows, 0);
    a->help.top = (size_t)MIN(MAX((int64_t)a->help.top + lines, 0), most);
}

static bool act(struct app *a, enum action action)
{
    int64_t page = MAX(app_rect(a, R_MAIN).h - 1, 1);
    switch (action) {
    case ACT_UP: scroll(a, -1); return true;
    case ACT_DOWN: scroll(a, 1); return true;
    case ACT_PAGE_UP: scroll(a, -page); return true;
    case ACT_PAGE_DOWN: scroll(a, page); return true;
    case ACT_HALF_UP: scroll(a, -(page + 1) / 2); return true;
    case ACT_HALF_DOWN: scroll(a, (page + 1) / 2); return true;
    case ACT_FIRST: scroll(a, -100000); return true;
    case ACT_LAST: scroll(a, 100000); return true;
    default: return false;
    }
}

static char *filter(struct app *a)
{
    return a->help.filter;
}

const struct view_ops view_help = {MSG_HELP, draw, act, NULL, filter};
