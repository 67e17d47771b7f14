/* One frame and one event. A frame: tab bar, health strip, the view, what is asked over it, the message line and the
 * line of keys that are valid now. An event goes to the prompt if one is open, else through the bindings table to the
 * view, else to app_act(). */
#include "ui/tui/app.h"
#include "ui/tui/term.h"
#include "ui/tui/text.h"

static const struct view_ops *const views[VIEW_COUNT] = {
    [VIEW_OVERVIEW] = &view_overview, [VIEW_KEYS] = &view_keys, [VIEW_MODELS] = &view_models,
    [VIEW_REQUESTS] = &view_requests, [VIEW_LOG] = &view_log,   [VIEW_HELP] = &view_help,
    [VIEW_FIRST] = &view_first,
};

void app_init(struct app *a)
{
    enum { SORT_KEYS = 1, SORT_RPM_OF_MODEL = 5 };
    table_init(&a->keys, &keys_spec, a);
    table_init(&a->brief_keys, &brief_keys_spec, a);
    table_init(&a->free_models, &free_spec, a);
    table_init(&a->paid_models, &paid_spec, a);
    table_init(&a->top_models, &traffic_spec, a);
    table_init(&a->requests, &requests_spec, a);
    table_init(&a->brief_requests, &requests_spec, a);
    a->keys.markable = true;
    a->keys.sort = a->brief_keys.sort = SORT_KEYS;
    struct table *const models[] = {&a->free_models, &a->paid_models, &a->top_models};
    for (size_t i = 0; i < ARRAY_LEN(models); i++) models[i]->sort = SORT_RPM_OF_MODEL, models[i]->reverse = true;
    a->requests.follow = a->brief_requests.follow = true;
    a->brief_keys.follow = a->top_models.follow = true;
    a->log.level = LOG_INFO;
    a->log.follow = true;
    a->window = WINDOW_AUTO;
}

void app_free(struct app *a)
{
    struct table *const all[] = {&a->keys,       &a->brief_keys, &a->free_models,   &a->paid_models,
                                 &a->top_models, &a->requests,   &a->brief_requests};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) table_free(all[i]);
    prompt_close(a);
    keys_rows_free(a);
    free(a->undo.ids);
    snapshot_put(a->snap);
    a->snap = NULL;
}

static enum view_id view_in_front(const struct app *a)
{
    bool empty = a->snap && a->snap->key_count == 0;
    return empty && a->view == VIEW_OVERVIEW ? VIEW_FIRST : a->view;
}

const struct view_ops *app_view(const struct app *a)
{
    return views[view_in_front(a)];
}

enum msg app_view_title(enum view_id v)
{
    return views[v]->title;
}

int app_scope(const struct app *a)
{
    return a->prompt.kind ? prompt_mode(a) : (int)view_in_front(a);
}

/* Whether the key would do something now; for the line of keys, which names no others. */
bool app_has_use(const struct app *a, enum action act)
{
    char *f = app_view(a)->filter ? app_view(a)->filter((struct app *)a) : NULL;
    struct table *t = app_view(a)->table ? app_view(a)->table((struct app *)a) : NULL;
    switch (act) {
    case ACT_UNDO: return a->undo.kind != UNDO_NONE && a->now.ms <= a->undo.until.ms;
    case ACT_BACK:
        return a->detail || a->zoom || (f && f[0]) || (t && table_marked(t)) || a->view == VIEW_HELP || a->heat_map ||
               (a->snap && a->snap->progress.running);
    case ACT_ZOOM: return a->detail || a->view == VIEW_OVERVIEW || a->view == VIEW_MODELS;
    default: return true;
    }
}

struct rect app_rect(const struct app *a, enum region r)
{
    return a->lay.at[r];
}

/* Tables point into the snapshot: all of them are arranged anew when it changes, so that a verb never meets a row of an
 * older one. */
static void arrange_all(struct app *a)
{
    struct table *const all[] = {&a->keys,       &a->brief_keys, &a->free_models,   &a->paid_models,
                                 &a->top_models, &a->requests,   &a->brief_requests};
    memcpy(a->paid_models.filter, a->free_models.filter, FILTER_MAX);
    keys_rows_build(a);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) table_arrange(all[i], a->now);
}

static void watch_progress(struct app *a)
{
    const struct snap_progress *p = &a->snap->progress;
    char text[160];
    if (a->last_progress.running && !p->running) {
        const struct snap_progress *end = p->total ? p : &a->last_progress;
        tr_with(text, sizeof text, a->stop_asked ? MSG_T_TESTED_STOPPED : MSG_T_TESTED, num_plain(end->done).s,
                num_plain(end->total).s, num_plain(end->failed).s, NULL);
        app_toast(a, end->failed ? TOAST_WARN : TOAST_INFO, text);
        a->stop_asked = false;
    }
    a->last_progress = *p;
}

/* Lines that arrived push the page up while it does not follow. */
static void hold_log(struct app *a, const struct snapshot *fresh)
{
    if (a->log.follow || !a->snap || !a->snap->log_count || !fresh->log_count) return;
    const struct log_line *last = &a->snap->log[a->snap->log_count - 1];
    for (size_t i = fresh->log_count; i-- > 0;) {
        const struct log_line *l = &fresh->log[i];
        if (l->time.ms == last->time.ms && strcmp(l->text, last->text) == 0) return;
        if (l->level <= a->log.level && (!a->log.filter[0] || filter_matches(a->log.filter, l->text))) a->log.back++;
    }
}

/* The bell rings once, when the last usable key is gone. */
static void watch_usable(struct app *a)
{
    bool usable = false;
    for (size_t i = 0; i < a->snap->key_count && !usable; i++) {
        enum key_state s = a->snap->keys[i].view.state;
        usable = s == KEY_READY || s == KEY_BUSY || s == KEY_UNTESTED || s == KEY_TESTING;
    }
    if (a->had_usable && !usable && a->options.bell) term_bell();
    a->had_usable = usable;
}

static void set_title(struct app *a)
{
    char title[96];
    if (!a->options.title || !a->snap) return;
    snprintf(title, sizeof title, "sfproxy %s rpm %s in flight", num_si(a->snap->totals.rates.rpm).s,
             num_plain(a->snap->in_flight).s);
    if (strcmp(title, a->title) == 0) return;
    memcpy(a->title, title, sizeof a->title);
    term_title(title);
}

void app_take_snapshot(struct app *a)
{
    if (a->paused) return;
    struct snapshot *s = control_snapshot(a->control);
    if (!s) return;
    if (s == a->snap) {
        snapshot_put(s);
        return;
    }
    hold_log(a, s);
    struct snapshot *old = a->snap;
    a->snap = s;
    arrange_all(a);
    snapshot_put(old);
    watch_progress(a);
    watch_usable(a);
    set_title(a);
}

static void place(struct app *a, enum view_id v)
{
    struct layout_wish wish = {a->detail, a->zoom, (int)MIN(a->free_models.count + 2, (size_t)1000)};
    layout_make(a->canvas.w, a->canvas.h, v, &wish, &a->lay);
}

void app_draw(struct app *a)
{
    draw_begin(&a->canvas);
    a->canvas.ascii = a->ascii;
    a->canvas.plain = a->plain;
    place(a, view_in_front(a));
    put_cursor(&a->canvas, 0, 0, false);
    frame_draw(a);
    if (a->lay.size != SIZE_NANO) {
        if (a->snap) app_view(a)->draw(a);
        prompt_draw(a);
        frame_draw_foot(a);
    }
    draw_end(a->whole_redraw);
    a->whole_redraw = false;
    if (a->save_asked) app_save(a);
}

int app_next_change(const struct app *a)
{
    int64_t ms = 1000 - (wall_now().ms % 1000); /* the clock */
    if (a->paused && !app_toast_visible(a)) return (int)ms;
    if (app_toast_visible(a) && a->toast.kind != TOAST_ERROR) ms = MIN(ms, a->toast.until.ms - a->now.ms + 1);
    return (int)MAX(ms, 1);
}

/* --- events --- */

void app_show(struct app *a, enum view_id v)
{
    if (v == VIEW_HELP && a->view != VIEW_HELP) {
        a->before_help = a->view;
        a->help.top = 0;
    }
    if (v != a->view) a->detail = a->zoom = false;
    a->view = v;
    if (a->snap) arrange_all(a);
}

/* A key that means something in another view says so, instead of doing nothing. */
static void explain(struct app *a, uint32_t key)
{
    for (int v = VIEW_OVERVIEW; v <= VIEW_HELP; v++) {
        const struct binding *b = binding_find((enum view_id)v, key);
        char text[120], where[40];
        if (!b || key >= 0x110000) continue;
        snprintf(where, sizeof where, "%d %s", v + 1, tr(views[v]->title));
        app_toast(a, TOAST_INFO, tr_with(text, sizeof text, MSG_T_OTHER_VIEW, b->label, where, NULL));
        return;
    }
}

static void on_key(struct app *a, uint32_t key)
{
    if (key == CTRL_KEY('c')) {
        if (a->prompt.kind) prompt_close(a);
        (void)app_act(a, ACT_INTERRUPT, key);
        return;
    }
    if (a->toast.kind == TOAST_ERROR) a->toast.shown = false;
    if (a->prompt.kind != PROMPT_NONE && key != CTRL_KEY('l')) {
        prompt_key(a, key);
        if (a->snap) arrange_all(a);
        return;
    }
    const struct binding *b = binding_find(view_in_front(a), key);
    if (!b) {
        explain(a, key);
        return;
    }
    struct table *t = app_view(a)->table ? app_view(a)->table(a) : NULL;
    if (app_view(a)->act(a, b->action)) return;
    if (t && table_action(t, b->action, a->now)) return;
    (void)app_act(a, b->action, key);
}

static bool inside(struct rect r, int y, int x)
{
    return y >= r.y && y < r.y + r.h && x >= r.x && x < r.x + r.w;
}

static void click_tab(struct app *a, int x)
{
    bool small = app_rect(a, R_TABS).w < 60;
    int at = small ? 1 : 1 + text_width("sfproxy") + 1;
    for (int v = VIEW_OVERVIEW; v <= VIEW_HELP; v++) {
        bool on = a->view == (enum view_id)v;
        int w = small && !on ? 2 : 4 + text_width(tr(views[v]->title));
        if (x >= at && x < at + w) {
            app_show(a, (enum view_id)v);
            return;
        }
        at += w;
    }
}

static void on_mouse(struct app *a, const struct event *e)
{
    enum { DOUBLE_CLICK_MS = 400, WHEEL_ROWS = 3 };
    struct table *t = app_view(a)->table ? app_view(a)->table(a) : NULL;
    if (a->prompt.kind != PROMPT_NONE || a->lay.size == SIZE_NANO) return;
    if (e->mouse != MOUSE_CLICK) {
        bool up = e->mouse == MOUSE_WHEEL_UP;
        if (t)
            table_wheel(t, up ? -WHEEL_ROWS : WHEEL_ROWS, a->now);
        else
            for (int i = 0; i < WHEEL_ROWS; i++) (void)app_view(a)->act(a, up ? ACT_UP : ACT_DOWN);
        return;
    }
    if (inside(app_rect(a, R_TABS), e->y, e->x)) {
        click_tab(a, e->x);
        return;
    }
    if (a->view == VIEW_MODELS && !a->cost_shown && !inside(t->rows, e->y, e->x)) {
        a->in_paid = !a->in_paid;
        t = app_view(a)->table(a);
    }
    if (!t) return;
    uint64_t before = t->selected;
    if (!table_click(t, e->y, e->x, a->now)) return;
    if (t->selected == before && mono_since(a->now, a->clicked_at) < DOUBLE_CLICK_MS)
        (void)app_view(a)->act(a, ACT_OPEN);
    a->clicked_at = a->now;
}

/* Pasted keys open the add panel by themselves; nothing is added before Enter. */
static void on_paste(struct app *a, const struct event *e)
{
    if (a->prompt.kind == PROMPT_NONE && e->paste->len && strstr(buf_cstr(e->paste), "sk-")) keys_act_add(a);
    if (a->prompt.kind != PROMPT_NONE) prompt_paste(a, e);
}

void app_event(void *app, const struct event *e)
{
    struct app *a = app;
    a->now = mono_now();
    a->dirty = true;
    switch (e->kind) {
    case EVENT_KEY: on_key(a, e->key); break;
    case EVENT_MOUSE: on_mouse(a, e); break;
    case EVENT_PASTE: on_paste(a, e); break;
    }
}
