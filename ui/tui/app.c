/* One frame and one event. A frame: tab bar, health strip, the view, what is asked over it, the message line and the
 * line of keys that are valid now. An event goes to the prompt if one is open, else through the bindings table to the
 * view, else to app_act(). */
#include "ui/tui/app.h"
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
    table_init(&a->brief_keys, &keys_spec, a);
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
}

/* --- tab bar and health strip --- */

static int draw_tabs(struct app *a, struct rect r, int right_end)
{
    char text[64];
    bool small = r.w < 60;
    int x = r.x + 1;
    if (!small) x += put(&a->canvas, r.y, x, r.w, ROLE_BRAND, "sfproxy") + 1;
    for (int v = VIEW_OVERVIEW; v <= VIEW_HELP; v++) {
        bool on = a->view == (enum view_id)v;
        if (small)
            snprintf(text, sizeof text, on ? "[%d %s]" : " %d", v + 1, tr(views[v]->title));
        else
            snprintf(text, sizeof text, on ? "[%d %s]" : " %d %s ", v + 1, tr(views[v]->title));
        int w = text_width(text);
        if (x + w > right_end) break;
        x += put(&a->canvas, r.y, x, w, on ? ROLE_TAB_ON : ROLE_TAB, text);
    }
    return x;
}

static void draw_top(struct app *a)
{
    struct rect r = app_rect(a, R_TABS);
    char when[24] = "--:--:--", left[300] = "", part[64];
    if (r.h < 1) return;
    wall_t now = a->snap && a->paused ? a->snap->time : wall_now();
    wall_format_time(now, when, sizeof when);
    int edge = r.x + r.w - 11;
    put_right(&a->canvas, r.y, edge, 10, ROLE_STRONG, when);
    bool room = r.w >= 110;
    if (a->snap && room)
        text_addf(left, sizeof left, "%s  %s %s  %s%s%s  ", a->snap->listen, tr(MSG_H_UP),
                  num_uptime(a->snap->uptime_s + view_elapsed(a) / 1000).s, view_window_name(view_window(a)),
                  a->window == WINDOW_AUTO ? " " : "", a->window == WINDOW_AUTO ? tr(MSG_WINDOW_AUTO) : "");
    if (a->privacy && room) text_addf(left, sizeof left, "%s  ", tr(MSG_PRIVATE));
    if (a->options.readonly) text_addf(left, sizeof left, "%s  ", tr(MSG_READONLY));
    enum role role = ROLE_DIM;
    if (a->snap && a->snap->draining) {
        tr_with(part, sizeof part, MSG_DRAINING, num_span(a->snap->drain_left_ms).s, NULL);
        text_add(left, sizeof left, part);
        role = ROLE_PAUSED;
    } else if (a->paused) {
        tr_with(part, sizeof part, MSG_PAUSED, num_span(mono_since(a->now, a->paused_at)).s, NULL);
        text_add(left, sizeof left, part);
        role = ROLE_PAUSED;
    } else if (room) {
        text_add(left, sizeof left, tr(MSG_LIVE));
    }
    int w = text_width(left);
    put(&a->canvas, r.y, edge - w, w, role, left);
    draw_tabs(a, r, edge - w);
}

struct strip {
    struct app *a;
    struct rect r;
    int x;
};

/* A part of the strip, when it fits whole. */
static void strip_add(struct strip *s, enum role role, const char *text, int gap)
{
    int w = text_width(text);
    if (s->x + w > s->r.x + s->r.w) return;
    put(&s->a->canvas, s->r.y, s->x, w, role, text);
    s->x += w + gap;
}

static void strip_pair(struct strip *s, const char *name, const char *value, enum role role)
{
    int w = text_width(name) + 1 + text_width(value);
    if (s->x + w > s->r.x + s->r.w) {
        s->x = s->r.x + s->r.w;
        return;
    }
    strip_add(s, ROLE_DIM, name, 1);
    strip_add(s, role, value, 2);
}

static void strip_states(struct strip *s)
{
    static const enum key_state good[] = {KEY_READY, KEY_BUSY};
    static const struct {
        enum key_state state[3];
    } groups[] = {{{KEY_COOLING, KEY_COOLING, KEY_COOLING}},
                  {{KEY_OFF, KEY_DRAINING, KEY_OFF}},
                  {{KEY_BAD, KEY_BAD, KEY_BAD}},
                  {{KEY_UNTESTED, KEY_TESTING, KEY_UNTESTED}}};
    size_t n[KEY_STATE_COUNT] = {0};
    char text[32];
    const struct snapshot *snap = s->a->snap;
    for (size_t i = 0; i < snap->key_count; i++) n[snap->keys[i].view.state]++;
    snprintf(text, sizeof text, "✓%zu", n[good[0]] + n[good[1]]);
    strip_add(s, ROLE_OK, text, 1);
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        enum key_state a = groups[i].state[0], b = groups[i].state[1];
        size_t sum = n[a] + (b != a ? n[b] : 0);
        if (!sum) continue;
        snprintf(text, sizeof text, "%s%zu", view_state_symbol(a), sum);
        strip_add(s, view_state_role(a), text, 1);
    }
    s->x++;
}

/* Keys of one account share its balance. */
static bool account_was_counted(const struct snapshot *s, size_t i)
{
    const char *account = s->keys[i].view.account;
    for (size_t k = 0; k < i && account[0]; k++)
        if (strcmp(s->keys[k].view.account, account) == 0 && s->keys[k].view.balance_origin != BALANCE_UNKNOWN)
            return true;
    return false;
}

static void strip_balance(struct strip *s)
{
    const struct snapshot *snap = s->a->snap;
    int64_t sum = 0;
    size_t unknown = 0;
    bool set = false;
    for (size_t i = 0; i < snap->key_count; i++) {
        const struct key_view *k = &snap->keys[i].view;
        if (k->balance_origin == BALANCE_UNKNOWN)
            unknown++;
        else if (!account_was_counted(snap, i))
            sum += k->balance_micro, set |= k->balance_origin == BALANCE_SET;
    }
    char text[80];
    if (s->a->privacy)
        snprintf(text, sizeof text, "****");
    else if (unknown == snap->key_count)
        snprintf(text, sizeof text, "?");
    else
        snprintf(text, sizeof text, unknown ? "%s%s +%zu?" : "%s%s", set ? "<=" : "", num_money(sum).s, unknown);
    strip_pair(s, tr(MSG_H_BALANCE), text, ROLE_STRONG);
}

/* First, because nothing else matters then. */
static void strip_upstream(struct strip *s)
{
    const struct snapshot *snap = s->a->snap;
    char text[64] = "", span[32] = "";
    if (!view_is_down(snap->breaker) && !snap->upstream_trouble[0]) return;
    if (view_is_down(snap->breaker))
        snprintf(span, sizeof span, "%s", num_span(snap->breaker_open_ms + view_elapsed(s->a)).s);
    tr_with(text, sizeof text, strcmp(snap->breaker, "half-open") == 0 ? MSG_H_PROBING : MSG_H_DOWN, span, NULL);
    strip_add(s, ROLE_BAD, text, 2);
}

static void draw_health(struct app *a)
{
    struct rect r = app_rect(a, R_HEALTH);
    struct strip s = {a, r, r.x + 1};
    char text[96];
    if (r.h < 1) return;
    if (!a->snap) {
        strip_add(&s, ROLE_DIM, tr(MSG_NO_SNAPSHOT), 0);
        return;
    }
    const struct meter_totals *t = &a->snap->totals;
    bool wide = r.w >= 60;
    strip_upstream(&s);
    if (wide) strip_pair(&s, tr(MSG_H_KEYS), num_plain(a->snap->key_count).s, ROLE_STRONG);
    strip_states(&s);
    if (wide) strip_pair(&s, tr(MSG_H_IN_FLIGHT), num_plain(a->snap->in_flight).s, ROLE_STRONG);
    if (a->snap->waiting) strip_pair(&s, tr(MSG_H_WAITING), num_plain(a->snap->waiting).s, ROLE_WARN);
    strip_pair(&s, "RPM", num_si(t->rates.rpm).s, ROLE_STRONG);
    strip_pair(&s, "TPM", num_si(t->rates.tpm).s, ROLE_STRONG);
    snprintf(text, sizeof text, "%s%s", num_si(t->limited_per_min).s, tr(MSG_H_PER_MIN));
    strip_pair(&s, "429", text, t->limited_per_min ? ROLE_WARN : ROLE_NORMAL);
    struct num errors = num_percent(t->errors_per_min, t->done_per_min);
    strip_pair(&s, tr(MSG_H_ERRORS), errors.s, t->errors_per_min ? ROLE_BAD : ROLE_NORMAL);
    if (r.w < 110) return;
    strip_balance(&s);
    snprintf(text, sizeof text, "%s / %s", num_si(t->rates.rpd).s, num_si(t->rates.tpd).s);
    strip_pair(&s, tr(MSG_H_TODAY), text, ROLE_NORMAL);
    snprintf(text, sizeof text, "p50 %s  p95 %s", num_seconds(t->ttft_p50_ms).s, num_seconds(t->ttft_p95_ms).s);
    strip_pair(&s, "TTFT", text, ROLE_NORMAL);
    snprintf(text, sizeof text, "%s%s", num_si(t->retries_per_min).s, tr(MSG_H_PER_MIN));
    strip_pair(&s, tr(MSG_H_RETRY), text, ROLE_NORMAL);
}

/* --- message line and hints --- */

static bool toast_visible(const struct app *a)
{
    return a->toast.shown && (a->toast.kind == TOAST_ERROR || a->now.ms < a->toast.until.ms);
}

static void draw_message(struct app *a)
{
    static const enum role roles[] = {ROLE_NORMAL, ROLE_WARN, ROLE_BAD};
    struct rect r = app_rect(a, R_MESSAGE);
    char text[500];
    if (r.h < 1) return;
    const struct snapshot *s = a->snap;
    if (prompt_is_line(a)) {
        prompt_draw_line(a, r);
    } else if (toast_visible(a)) {
        snprintf(text, sizeof text, "%c %s", "i!x"[a->toast.kind], a -> toast.text);
        put(&a->canvas, r.y, r.x + 1, r.w - 2, roles[a->toast.kind], text);
    } else if (s && s->progress.running) {
        tr_with(text, sizeof text, MSG_T_PROGRESS, s->progress.what, num_plain(s->progress.done).s,
                num_plain(s->progress.total).s, num_plain(s->progress.failed).s, NULL);
        put(&a->canvas, r.y, r.x + 1, r.w - 2, ROLE_INFO, text);
    } else if (s && (s->alarm[0] || s->upstream_trouble[0] || view_is_down(s->breaker) || s->conf_error[0])) {
        char trouble[300];
        bool down = view_upstream_trouble(a, trouble, sizeof trouble);
        snprintf(text, sizeof text, "! %s", s->alarm[0] ? s->alarm : down ? trouble : s->conf_error);
        put(&a->canvas, r.y, r.x + 1, r.w - 2, ROLE_BAD, text);
    }
}

static int hint_width(const struct binding *b)
{
    return text_width(b->label) + 1 + text_width(tr(b->hint));
}

static int draw_hint(struct app *a, struct rect r, int x, const struct binding *b)
{
    x += put(&a->canvas, r.y, x, r.x + r.w - x, ROLE_KEY, b->label) + 1;
    return x + put(&a->canvas, r.y, x, r.x + r.w - x, ROLE_NORMAL, tr(b->hint)) + (r.w >= 110 ? 3 : 1);
}

/* Help and quit are always there; the others as they fit, in the order of the table. */
static void draw_hints(struct app *a)
{
    struct rect r = app_rect(a, R_HINTS);
    const struct binding *last[2] = {binding_find(a->view, '?'), binding_find(a->view, 'q')};
    int x = r.x + 1, gap = r.w >= 110 ? 3 : 1, end = r.x + r.w - hint_width(last[0]) - hint_width(last[1]) - gap;
    if (r.h < 1) return;
    unsigned scope = 1u << view_in_front(a);
    for (size_t i = 0; i < ARRAY_LEN(bindings); i++) {
        const struct binding *b = &bindings[i];
        if (!(b->scope & scope) || b->hint == MSG_NONE || b->action == ACT_HELP || b->action == ACT_QUIT) continue;
        if (x + hint_width(b) + gap > end) continue;
        x = draw_hint(a, r, x, b);
    }
    x = draw_hint(a, r, x, last[0]);
    draw_hint(a, r, x, last[1]);
}

static void draw_nano(struct app *a)
{
    char text[160], size[24];
    struct rect r = app_rect(a, R_MESSAGE);
    if (prompt_is_line(a)) {
        prompt_draw_line(a, r);
        return;
    }
    snprintf(size, sizeof size, "%dx%d", a->lay.w, a->lay.h);
    tr_with(text, sizeof text, MSG_TOO_SMALL, size, a->snap ? num_si(a->snap->totals.rates.rpm).s : "?",
            a->snap && (a->snap->upstream_trouble[0] || view_is_down(a->snap->breaker)) ? "!" : "ok", NULL);
    put(&a->canvas, r.y, r.x, r.w, ROLE_NORMAL, text);
}

void app_draw(struct app *a)
{
    draw_begin(&a->canvas);
    a->canvas.ascii = a->ascii;
    int first = (int)MIN(a->free_models.count + 2, (size_t)1000);
    layout_make(a->canvas.w, a->canvas.h, a->view, a->detail, first, &a->lay);
    put_cursor(&a->canvas, 0, 0, false);
    if (a->lay.size == SIZE_NANO) {
        draw_nano(a);
    } else {
        draw_top(a);
        draw_health(a);
        if (view_in_front(a) == VIEW_FIRST) layout_make(a->canvas.w, a->canvas.h, VIEW_FIRST, false, 0, &a->lay);
        if (a->snap) app_view(a)->draw(a);
        prompt_draw(a);
        draw_message(a);
        draw_hints(a);
    }
    draw_end(a->whole_redraw);
    a->whole_redraw = false;
}

int app_next_change(const struct app *a)
{
    int64_t ms = 1000 - (wall_now().ms % 1000); /* the clock */
    if (a->paused && !toast_visible(a)) return (int)ms;
    if (toast_visible(a) && a->toast.kind != TOAST_ERROR) ms = MIN(ms, a->toast.until.ms - a->now.ms + 1);
    return (int)MAX(ms, 1);
}

/* --- events --- */

void app_show(struct app *a, enum view_id v)
{
    if (v == VIEW_HELP && a->view != VIEW_HELP) {
        a->before_help = a->view;
        a->help.top = 0;
    }
    if (v != a->view) a->detail = false;
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
