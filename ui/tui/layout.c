/* Rectangles for every size and view. Rows: 0 tabs, 1 health, body, one message line, one line of keys. Below 40x12 a
 * single line remains. Nothing here knows curses; tests walk all sizes and check "inside" and "no overlap". */
#include "ui/tui/layout.h"

static enum size_class layout_class(int w, int h)
{
    if (w < LAYOUT_MIN_W || h < LAYOUT_MIN_H) return SIZE_NANO;
    if (w < 80 || h < 24) return SIZE_MINI;
    if (w < 110 || h < 30) return SIZE_SMALL;
    if (w < 180 || h < 45) return SIZE_MEDIUM;
    return SIZE_LARGE;
}

/* Cuts `rows` off the top of `r`; an empty rectangle when there are not that many. */
static struct rect take(struct rect *r, int rows)
{
    struct rect out = {r->y, r->x, MIN(rows, r->h), r->w};
    if (out.h < 0) out.h = 0;
    r->y += out.h;
    r->h -= out.h;
    return out;
}

/* Part `i` of `n` side by side, two blank columns between. */
static struct rect beside(struct rect r, int i, int n)
{
    int w = (r.w - 2 * (n - 1)) / n, x = r.x + i * (w + 2);
    return (struct rect){r.y, x, r.h, i == n - 1 ? r.x + r.w - x : w};
}

static void overview_large(struct layout *l, struct rect body)
{
    struct rect graphs = take(&body, 10);
    for (int i = 0; i < 4; i++) l->at[R_GRAPH_RPM + i] = beside(graphs, i, 4);
    int rest = body.h, log = MAX(5, rest / 7), requests = (rest - log) * 2 / 5;
    struct rect mid = take(&body, rest - log - requests);
    int left = mid.w * 58 / 100;
    l->at[R_KEYS] = (struct rect){mid.y, mid.x, mid.h, left};
    struct rect right = {mid.y, mid.x + left + 2, mid.h, mid.w - left - 2};
    int attention = right.h >= 14 ? 5 : 0;
    l->at[R_MODELS] = take(&right, right.h - attention);
    l->at[R_ATTENTION] = right;
    l->at[R_REQUESTS] = take(&body, requests);
    l->at[R_LOG] = body;
}

static void overview_grid(struct layout *l, struct rect *body, int graph_rows)
{
    for (int row = 0; row < 2; row++) {
        struct rect line = take(body, graph_rows + 1);
        l->at[R_GRAPH_RPM + 2 * row] = beside(line, 0, 2);
        l->at[R_GRAPH_RPM + 2 * row + 1] = beside(line, 1, 2);
    }
}

static void overview(struct layout *l, struct rect body)
{
    if (l->size == SIZE_LARGE) {
        overview_large(l, body);
    } else if (l->size == SIZE_MEDIUM) {
        overview_grid(l, &body, MIN(6 + (body.h - 26) / 6, 10));
        struct rect mid = take(&body, 5);
        l->at[R_KEYS] = beside(mid, 0, 2);
        l->at[R_ATTENTION] = beside(mid, 1, 2);
        l->at[R_REQUESTS] = body;
    } else if (l->size == SIZE_SMALL) {
        overview_grid(l, &body, 4);
        l->at[R_KEYS] = take(&body, 3);
        l->at[R_REQUESTS] = body;
    } else {
        struct rect graphs = take(&body, body.h >= 14 ? 4 : 3);
        if (l->w >= 80) {
            l->at[R_GRAPH_RPM] = beside(graphs, 0, 2);
            l->at[R_GRAPH_TPM] = beside(graphs, 1, 2);
        } else {
            l->at[R_GRAPH_RPM] = graphs;
            if (body.h >= 12) l->at[R_GRAPH_TPM] = take(&body, 4);
        }
        if (body.h >= 7) l->at[R_KEYS] = take(&body, 3);
        l->at[R_REQUESTS] = body;
    }
}

/* Nothing but graphs: two rows of two, as high as there is room. */
static void overview_zoomed(struct layout *l, struct rect body)
{
    if (l->size <= SIZE_MINI && body.h < 16) {
        l->at[R_GRAPH_RPM] = take(&body, body.h / 2);
        l->at[R_GRAPH_TPM] = body;
        return;
    }
    overview_grid(l, &body, body.h / 2 - 1);
}

/* The detail pane takes the right part of a very wide screen, else the lower part, else everything. */
static void with_detail(struct layout *l, struct rect *body, enum view_id view)
{
    if (l->size == SIZE_LARGE) {
        int left = body->w - MAX(84, body->w * 2 / 5) - 2;
        l->at[R_DETAIL] = (struct rect){body->y, body->x + left + 2, body->h, body->w - left - 2};
        body->w = left;
    } else if (l->size >= SIZE_SMALL) {
        int wanted = view == VIEW_MODELS ? 7 : 13, h = MIN(wanted, body->h / 2);
        l->at[R_DETAIL] = (struct rect){body->y + body->h - h, body->x, h, body->w};
        body->h -= h;
    } else {
        l->at[R_DETAIL] = *body;
        body->h = 0;
    }
}

static void models(struct layout *l, struct rect body, int first_rows)
{
    if (l->size >= SIZE_MEDIUM && body.w >= 100) {
        l->at[R_MAIN] = beside(body, 0, 2);
        l->at[R_SECOND] = beside(body, 1, 2);
        return;
    }
    int first = MIN(MAX(first_rows, 3), body.h / 2);
    l->at[R_MAIN] = take(&body, first);
    l->at[R_SECOND] = body;
}

void layout_make(int w, int h, enum view_id view, const struct layout_wish *wish, struct layout *out)
{
    memset(out, 0, sizeof *out);
    out->w = w;
    out->h = h;
    out->size = layout_class(w, h);
    if (w < 1 || h < 1) return;
    if (out->size == SIZE_NANO) {
        out->at[R_MESSAGE] = (struct rect){0, 0, 1, w};
        return;
    }
    out->at[R_TABS] = (struct rect){0, 0, 1, w};
    out->at[R_HEALTH] = (struct rect){1, 0, 1, w};
    out->at[R_MESSAGE] = (struct rect){h - 2, 0, 1, w};
    out->at[R_HINTS] = (struct rect){h - 1, 0, 1, w};
    struct rect body = {2, 0, h - 4, w};
    if (view == VIEW_OVERVIEW) {
        (wish->zoom ? overview_zoomed : overview)(out, body);
        return;
    }
    bool has_detail = view == VIEW_KEYS || view == VIEW_MODELS || view == VIEW_REQUESTS;
    if (wish->detail && wish->zoom && has_detail) {
        out->at[R_DETAIL] = body;
        return;
    }
    if (wish->detail && has_detail) with_detail(out, &body, view);
    if (body.h == 0) return;
    if (view == VIEW_MODELS)
        models(out, body, wish->first_rows);
    else
        out->at[R_MAIN] = body;
}
