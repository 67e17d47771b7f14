/* Log: the last lines, newest at the bottom; level and text filters. Without following the page stays where it is:
 * `back` counts lines from the end and grows with what arrives. */
#include "ui/tui/app.h"
#include "ui/tui/text.h"

static bool wanted(const struct app *a, const struct log_line *l)
{
    return l->level <= a->log.level && (!a->log.filter[0] || filter_matches(a->log.filter, l->text));
}

static size_t count_wanted(const struct app *a)
{
    size_t n = 0;
    for (size_t i = 0; a->snap && i < a->snap->log_count; i++) n += wanted(a, &a->snap->log[i]);
    return n;
}

enum { INDENT = 12 /* "hh:mm:ss  E " */ };

/* Rows that a line takes. */
static int height(const struct app *a, int w, const char *text)
{
    int n = 0;
    size_t next = 0;
    if (!a->log.wrap) return 1;
    do {
        (void)text_line(text, w - INDENT, &next);
        text += next;
        n++;
    } while (*text);
    return n;
}

/* From row `skip` of the line on; returns the rows that were drawn. */
static int draw_line(struct app *a, struct rect r, const struct log_line *l, int skip)
{
    static const enum role roles[LOG_LEVELS] = {ROLE_BAD, ROLE_WARN, ROLE_NORMAL, ROLE_DIM};
    char when[16], level[4], part[600];
    const char *text = l->text;
    int y = 0, rows = height(a, r.w, text);
    wall_format_time(l->time, when, sizeof when);
    snprintf(level, sizeof level, "%c", "EWID"[l->level]);
    for (int i = 0; i < rows; i++) {
        size_t next = strlen(text), n = a->log.wrap ? text_line(text, r.w - INDENT, &next) : next;
        snprintf(part, sizeof part, "%.*s", (int)MIN(n, sizeof part - 1), text);
        text += next;
        if (i < skip || y >= r.h) continue;
        if (i == 0) put(&a->canvas, r.y + y, r.x + 1, r.w - 1, ROLE_DIM, when);
        if (i == 0) put(&a->canvas, r.y + y, r.x + 10, r.w - 10, roles[l->level], level);
        put(&a->canvas, r.y + y++, r.x + INDENT, r.w - INDENT, roles[l->level], part);
    }
    return y;
}

/* The lines that end with the `back`-th from the newest, filling the page upwards. */
static void draw_lines(struct app *a, struct rect r, size_t end)
{
    const struct snapshot *s = a->snap;
    size_t first = s ? s->log_count : 0, seen = end;
    int room = r.h;
    for (size_t i = first, left = count_wanted(a); i-- > 0 && room > 0;) {
        if (!wanted(a, &s->log[i])) continue;
        if (left-- > end) continue;
        room -= height(a, r.w, s->log[i].text);
        first = i;
        seen--;
    }
    for (size_t i = first, at = seen; s && i < s->log_count && at < end; i++) {
        if (!wanted(a, &s->log[i])) continue;
        int n = draw_line(a, r, &s->log[i], at == seen && room < 0 ? -room : 0);
        r.y += n, r.h -= n;
        at++;
    }
}

static void draw(struct app *a)
{
    char extra[200], part[120];
    struct rect r = app_rect(a, R_MAIN);
    size_t n = count_wanted(a);
    if (r.h < 1) return;
    tr_with(extra, sizeof extra, MSG_SEC_LEVEL, log_level_name(a->log.level), NULL);
    if (a->log.filter[0]) {
        char filter[FILTER_MAX];
        text_mask_keys(filter, sizeof filter, a->log.filter);
        tr_with(part, sizeof part, MSG_SEC_FILTER, filter, num_plain(n).s, NULL);
        text_addf(extra, sizeof extra, "  %s", part);
    }
    tr_with(part, sizeof part, MSG_SEC_LINES, num_plain(n).s, NULL);
    text_addf(extra, sizeof extra, "  %s", part);
    if (a->log.wrap) text_addf(extra, sizeof extra, "  %s", tr(MSG_HI_WRAP));
    if (a->log.follow) text_addf(extra, sizeof extra, "  %s", tr(MSG_SEC_FOLLOW));
    put_bar(&a->canvas, r.y, r.x, r.w, tr(MSG_LOG), extra);
    size_t rows = (size_t)(r.h - 1);
    if (a->log.follow) a->log.back = 0;
    a->log.back = MIN(a->log.back, n > rows ? n - rows : 0);
    if (n == 0 && r.h > 2)
        put(&a->canvas, r.y + 2, r.x + 4, r.w - 4, ROLE_DIM, tr(a->log.filter[0] ? MSG_EMPTY_FILTER : MSG_EMPTY_LOG));
    draw_lines(a, (struct rect){r.y + 1, r.x, r.h - 1, r.w}, n - a->log.back);
}

static void scroll(struct app *a, int64_t lines)
{
    int64_t back = (int64_t)a->log.back + lines;
    a->log.back = back > 0 ? (size_t)back : 0;
    if (lines > 0) a->log.follow = false;
}

static bool act(struct app *a, enum action action)
{
    int64_t page = MAX(app_rect(a, R_MAIN).h - 1, 1);
    switch (action) {
    case ACT_UP: scroll(a, 1); return true;
    case ACT_DOWN: scroll(a, -1); return true;
    case ACT_PAGE_UP: scroll(a, page); return true;
    case ACT_PAGE_DOWN: scroll(a, -page); return true;
    case ACT_HALF_UP: scroll(a, (page + 1) / 2); return true;
    case ACT_HALF_DOWN: scroll(a, -(page + 1) / 2); return true;
    case ACT_FIRST: scroll(a, SNAP_LOG_MAX); return true;
    case ACT_LAST:
        a->log.back = 0;
        a->log.follow = true;
        return true;
    case ACT_WRAP: a->log.wrap = !a->log.wrap; return true;
    case ACT_FOLLOW: a->log.follow = !a->log.follow; return true;
    case ACT_LEVEL: a->log.level = (enum log_level)((a->log.level + 1) % LOG_LEVELS); return true;
    default: return false;
    }
}

static char *filter(struct app *a)
{
    return a->log.filter;
}

const struct view_ops view_log = {MSG_LOG, draw, act, NULL, filter};
