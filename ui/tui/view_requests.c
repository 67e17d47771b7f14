/* Requests: live ones newest first, then finished ones newest first, and the tries of one. Its text (prompts, answers)
 * is never here. A request is found again by its id; the list moves under a cursor that stays on its row. */
#include "ui/tui/app.h"
#include "ui/tui/text.h"

enum request_column {
    RC_TIME,
    RC_ID,
    RC_STATUS,
    RC_CLIENT,
    RC_MODEL,
    RC_KEY,
    RC_TTFT,
    RC_SPEED,
    RC_DURATION,
    RC_TOKENS,
    RC_COST,
    RC_RETRIES,
    RC_NOTE,
    RC_COUNT
};

static const struct column columns[RC_COUNT] = {
    [RC_TIME] = {MSG_COL_TIME, 8, 0, 0, 6, false, "time"},
    [RC_ID] = {MSG_COL_ID, 6, 0, 0, 12, true, "id"},
    [RC_STATUS] = {MSG_COL_STATUS, 3, 0, 0, 1, false, "status"},
    [RC_CLIENT] = {MSG_COL_CLIENT, 13, 0, 0, 11, false, "client"},
    [RC_MODEL] = {MSG_COL_MODEL, 20, 24, 0, 1, false, "model"},
    [RC_KEY] = {MSG_COL_KEY, 6, 0, 0, 4, false, "key"},
    [RC_TTFT] = {MSG_COL_TTFT, 5, 0, 0, 8, true, "ttft"},
    [RC_SPEED] = {MSG_COL_SPEED, 5, 0, 0, 9, true, "tok/s"},
    [RC_DURATION] = {MSG_COL_DURATION, 5, 0, 0, 3, true, "dur"},
    [RC_TOKENS] = {MSG_COL_TOKENS, 10, 0, 0, 7, true, "tokens"},
    [RC_COST] = {MSG_COL_COST, 6, 0, 0, 10, true, "cost"},
    [RC_RETRIES] = {MSG_COL_RETRIES, 2, 0, 0, 5, true, "retries"},
    [RC_NOTE] = {MSG_COL_NOTE, 14, 80, 0, 13, false, "note"},
};

static size_t count(void *arg)
{
    struct app *a = arg;
    return a->snap ? a->snap->request_count : 0;
}

static const void *row(void *arg, size_t i)
{
    return &((struct app *)arg)->snap->requests[i];
}

static uint64_t id(const void *r)
{
    return ((const struct snap_request *)r)->r.id;
}

static bool shown(void *arg, const void *r)
{
    const struct app *a = arg;
    const struct snap_request *q = r;
    if (a->live_only && !q->live) return false;
    return !a->errors_only || (!q->live && (end_is_error(q->r.end) || q->r.status >= 400));
}

int64_t request_age(const struct app *a, const struct snap_request *q)
{
    return q->live ? q->age_ms + view_elapsed(a) : q->r.duration_ms;
}

static void status_cell(const struct snap_request *q, struct cell *out)
{
    int s = q->r.status;
    if (q->live) {
        snprintf(out->text, sizeof out->text, "▸");
        out->role = ROLE_BUSY;
        return;
    }
    if (s)
        snprintf(out->text, sizeof out->text, "%d", s);
    else
        snprintf(out->text, sizeof out->text, "-");
    out->role = end_is_error(q->r.end) || s >= 500 ? ROLE_BAD
                : s == 429                         ? ROLE_LIMITED
                : s >= 400                         ? ROLE_WARN
                                                   : ROLE_OK;
    if (s == 429) out->role = ROLE_LIMITED;
}

static void note_cell(const struct snap_request *q, struct cell *out)
{
    const struct record *r = &q->r;
    out->role = ROLE_DIM;
    if (q->live) {
        snprintf(out->text, sizeof out->text, "%s", view_step(q->state));
        out->role = ROLE_BUSY;
    } else if (r->end != END_OK) {
        const struct try_record *last = r->tries ? &r->try_list[MIN(r->tries, RECORD_TRIES) - 1] : NULL;
        bool more = last && last->verdict != VERDICT_OK;
        snprintf(out->text, sizeof out->text, "%s%s%s", view_end(r->end), more ? ": " : "",
                 more ? last->message[0] ? last->message : view_verdict((enum verdict)last->verdict) : "");
        out->role = end_is_error(r->end) ? ROLE_BAD : ROLE_WARN;
    }
}

static void tokens_cell(const struct record *r, struct cell *out)
{
    if (!r->usage.known) {
        snprintf(out->text, sizeof out->text, "-");
        out->role = ROLE_DIM;
        return;
    }
    snprintf(out->text, sizeof out->text, "%s/%s", num_si((uint64_t)r->usage.in).s, num_si((uint64_t)r->usage.out).s);
}

void request_speed(const struct record *r, char *out, size_t size)
{
    if (r->usage.known && r->usage.out > 1 && r->gen_ms > 0)
        snprintf(out, size, "%s", num_si((uint64_t)(r->usage.out * 1000 / r->gen_ms)).s);
    else
        snprintf(out, size, "-");
}

static void cell(void *arg, const void *rw, size_t column, struct cell *out)
{
    const struct app *a = arg;
    const struct snap_request *q = rw;
    const struct record *r = &q->r;
    switch ((enum request_column)column) {
    case RC_TIME:
        wall_format_time(r->wall, out->text, sizeof out->text);
        out->role = ROLE_DIM;
        break;
    case RC_ID: snprintf(out->text, sizeof out->text, "%llu", (unsigned long long)r->id % 1000000); break;
    case RC_STATUS: status_cell(q, out); break;
    case RC_CLIENT: snprintf(out->text, sizeof out->text, "%s", a->privacy ? "****" : r->client); break;
    case RC_MODEL: snprintf(out->text, sizeof out->text, "%s", r->model[0] ? r->model : r->path); break;
    case RC_KEY: view_key_brief(a, r->key_id, out->text, sizeof out->text); break;
    case RC_TTFT:
        snprintf(out->text, sizeof out->text, "%s", r->ttft_ms < 0 ? q->live ? ".." : "-" : num_seconds(r->ttft_ms).s);
        break;
    case RC_SPEED: request_speed(r, out->text, sizeof out->text); break;
    case RC_DURATION: snprintf(out->text, sizeof out->text, "%s", num_seconds(request_age(a, q)).s); break;
    case RC_TOKENS: tokens_cell(r, out); break;
    case RC_COST:
        snprintf(out->text, sizeof out->text, "%s", a->privacy ? "****" : q->live ? "-" : num_cost(r->cost_micro).s);
        if (q->live || r->cost_micro <= 0) out->role = ROLE_DIM;
        break;
    case RC_RETRIES:
        snprintf(out->text, sizeof out->text, "%d", r->tries > 1 ? r->tries - 1 : 0);
        out->role = r->tries > 1 ? ROLE_WARN : ROLE_DIM;
        break;
    case RC_NOTE: note_cell(q, out); break;
    case RC_COUNT: break;
    }
}

#define ORDER(x, y) ((x) < (y) ? -1 : (x) > (y))

static int compare(void *arg, const void *x, const void *y, size_t column)
{
    const struct snap_request *a = x, *b = y;
    switch ((enum request_column)column) {
    case RC_TIME: return ORDER(a->r.wall.ms, b->r.wall.ms);
    case RC_ID: return ORDER(a->r.id, b->r.id);
    case RC_STATUS: return ORDER(a->live ? 0 : a->r.status, b->live ? 0 : b->r.status);
    case RC_CLIENT: return strcmp(a->r.client, b->r.client);
    case RC_MODEL: return strcmp(a->r.model, b->r.model);
    case RC_KEY: return strcmp(a->r.key_id, b->r.key_id);
    case RC_TTFT: return ORDER(a->r.ttft_ms, b->r.ttft_ms);
    case RC_SPEED:
    case RC_DURATION: return ORDER(request_age(arg, a), request_age(arg, b));
    case RC_TOKENS: return ORDER(a->r.usage.in + a->r.usage.out, b->r.usage.in + b->r.usage.out);
    case RC_COST: return ORDER(a->r.cost_micro, b->r.cost_micro);
    case RC_RETRIES: return ORDER(a->r.tries, b->r.tries);
    case RC_NOTE: return ORDER(a->r.end, b->r.end);
    case RC_COUNT: break;
    }
    return 0;
}

const struct table_spec requests_spec = {columns, RC_COUNT, count, row, id, shown, cell, compare};

static void draw(struct app *a)
{
    char extra[160], empty[400];
    struct rect r = app_rect(a, R_MAIN);
    table_arrange(&a->requests, a->now);
    if (r.h > 0) {
        tr_with(extra, sizeof extra, MSG_N_SHOWN, num_plain(a->snap ? a->snap->in_flight : 0).s,
                num_plain(a->requests.count).s, NULL);
        if (a->live_only) text_addf(extra, sizeof extra, "  %s", tr(MSG_SEC_LIVE_ONLY));
        if (a->errors_only) text_addf(extra, sizeof extra, "  %s", tr(MSG_SEC_ERRORS_ONLY));
        if (a->requests.follow) text_addf(extra, sizeof extra, "  %s", tr(MSG_SEC_FOLLOW));
        view_bar(a, r, tr(MSG_REQUESTS), &a->requests, extra);
        r.y++, r.h--;
        table_draw(&a->requests, &a->canvas, r, true);
        tr_with(empty, sizeof empty, MSG_EMPTY_REQUESTS, a->snap ? a->snap->base_url : "", NULL);
        view_empty(a, r, &a->requests, empty);
    }
    r = app_rect(a, R_DETAIL);
    if (r.h > 0) request_draw_detail(a, r);
}

static void ask_cancel(struct app *a)
{
    char text[200];
    const struct snap_request *q = table_selected(&a->requests);
    if (app_refuse_readonly(a)) return;
    if (!q || !q->live) {
        app_say(a, TOAST_WARN, q ? MSG_T_NOT_LIVE : MSG_T_NO_ROW);
        return;
    }
    uint64_t number = q->r.id;
    prompt_open(a, ASK_CANCEL, tr_with(text, sizeof text, MSG_Q_CANCEL_REQUEST, num_plain(number).s, NULL));
    a->prompt.number = number;
}

static bool act(struct app *a, enum action action)
{
    switch (action) {
    case ACT_CANCEL: ask_cancel(a); return true;
    case ACT_LIVE_ONLY: a->live_only = !a->live_only; return true;
    case ACT_ERRORS_ONLY: a->errors_only = !a->errors_only; return true;
    case ACT_FOLLOW: a->requests.follow = !a->requests.follow; return true;
    case ACT_OPEN:
        a->detail = a->requests.count > 0;
        a->requests.follow = false; /* the row that was opened stays */
        return true;
    case ACT_COPY: {
        const struct snap_request *q = table_selected(&a->requests);
        if (q) app_copy(a, num_plain(q->r.id).s);
        return true;
    }
    default: return false;
    }
}

static struct table *table(struct app *a)
{
    return &a->requests;
}

static char *filter(struct app *a)
{
    return a->requests.filter;
}

const struct view_ops view_requests = {MSG_REQUESTS, draw, act, table, filter};
