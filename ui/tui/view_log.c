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

static void draw_line(struct app *a, int y, int x, int w, const struct log_line *l)
{
    static const enum role roles[LOG_LEVELS] = {ROLE_BAD, ROLE_WARN, ROLE_NORMAL, ROLE_DIM};
    char when[16], level[4];
    wall_format_time(l->time, when, sizeof when);
    snprintf(level, sizeof level, "%c", "EWID"[l->level]);
    put(&a->canvas, y, x + 1, w - 1, ROLE_DIM, when);
    put(&a->canvas, y, x + 10, w - 10, roles[l->level], level);
    put(&a->canvas, y, x + 12, w - 12, roles[l->level], l->text);
}

static void draw(struct app *a)
{
    char extra[200], part[120];
    struct rect r = app_rect(a, R_MAIN);
    size_t n = count_wanted(a);
    if (r.h < 1) return;
    tr_with(extra, sizeof extra, MSG_SEC_LEVEL, log_level_name(a->log.level), NULL);
    if (a->log.filter[0]) {
        tr_with(part, sizeof part, MSG_SEC_FILTER, a->log.filter, num_plain(n).s, NULL);
        text_addf(extra, sizeof extra, "  %s", part);
    }
    tr_with(part, sizeof part, MSG_SEC_LINES, num_plain(n).s, NULL);
    text_addf(extra, sizeof extra, "  %s", part);
    if (a->log.follow) text_addf(extra, sizeof extra, "  %s", tr(MSG_SEC_FOLLOW));
    put_bar(&a->canvas, r.y, r.x, r.w, tr(MSG_LOG), extra);
    size_t rows = (size_t)(r.h - 1);
    if (a->log.follow) a->log.back = 0;
    a->log.back = MIN(a->log.back, n > rows ? n - rows : 0);
    if (n == 0 && r.h > 2)
        put(&a->canvas, r.y + 2, r.x + 4, r.w - 4, ROLE_DIM, tr(a->log.filter[0] ? MSG_EMPTY_FILTER : MSG_EMPTY_LOG));
    size_t end = n - a->log.back, begin = end > rows ? end - rows : 0, at = 0;
    for (size_t i = 0; a->snap && i < a->snap->log_count && at < end; i++) {
        if (!wanted(a, &a->snap->log[i])) continue;
        if (at >= begin) draw_line(a, r.y + 1 + (int)(at - begin), r.x, r.w, &a->snap->log[i]);
        at++;
    }
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
