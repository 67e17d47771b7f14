/* What stands around every view: the tab bar, the health strip, the message line and the line of keys that are valid
 * now. Each takes what fits, the most important first, and leaves the rest out whole. */
#include "ui/tui/app.h"
#include "ui/tui/text.h"

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
            snprintf(text, sizeof text, on ? "[%d %s]" : " %d", v + 1, tr(app_view_title((enum view_id)v)));
        else
            snprintf(text, sizeof text, on ? "[%d %s]" : " %d %s ", v + 1, tr(app_view_title((enum view_id)v)));
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

/* What is there, what went today, how fast, how long it lasts. A figure that is not known is left out. */
static void strip_money(struct strip *s)
{
    const struct meter_totals *t = &s->a->snap->totals;
    char text[80], part[64];
    strip_pair(s, tr(MSG_H_BALANCE), view_total_balance(s->a, text, sizeof text), ROLE_STRONG);
    if (t->cost_today >= 0)
        strip_pair(s, tr(MSG_H_SPENT), view_spent(s->a, t->cost_today, text, sizeof text), ROLE_NORMAL);
    if (t->burn_per_hour <= 0 || s->a->privacy) return; /* nothing burns: nothing runs out */
    strip_add(s, ROLE_NORMAL, tr_with(text, sizeof text, MSG_H_BURN, num_money(t->burn_per_hour).s, NULL), 2);
    if (t->hours_left < 0) return;
    enum role role = t->hours_left < 24 ? ROLE_WARN : ROLE_NORMAL;
    strip_add(s, role, tr_with(part, sizeof part, MSG_H_LEFT, num_span(t->hours_left * 3600000).s, NULL), 2);
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
    strip_money(&s);
    snprintf(text, sizeof text, "%s / %s", num_si(t->rates.rpd).s, num_si(t->rates.tpd).s);
    strip_pair(&s, tr(MSG_H_TODAY), text, ROLE_NORMAL);
    snprintf(text, sizeof text, "p50 %s  p95 %s", num_seconds(t->ttft_p50_ms).s, num_seconds(t->ttft_p95_ms).s);
    strip_pair(&s, "TTFT", text, ROLE_NORMAL);
    snprintf(text, sizeof text, "%s%s", num_si(t->retries_per_min).s, tr(MSG_H_PER_MIN));
    strip_pair(&s, tr(MSG_H_RETRY), text, ROLE_NORMAL);
}

/* --- message line and hints --- */

bool app_toast_visible(const struct app *a)
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
    } else if (app_toast_visible(a)) {
        snprintf(text, sizeof text, "%c %s", "i!x"[a->toast.kind], a -> toast.text);
        put(&a->canvas, r.y, r.x + 1, r.w - 2, roles[a->toast.kind], text);
    } else if (s && s->progress.running) {
        const char *what = strcmp(s->progress.what, "test") == 0 ? tr(MSG_HI_TEST) : s->progress.what;
        tr_with(text, sizeof text, MSG_T_PROGRESS, what, num_plain(s->progress.done).s, num_plain(s->progress.total).s,
                num_plain(s->progress.failed).s, NULL);
        put(&a->canvas, r.y, r.x + 1, r.w - 2, ROLE_INFO, text);
    } else if (s && (s->alarm[0] || s->upstream_trouble[0] || view_is_down(s->breaker) || s->conf_error[0])) {
        char trouble[300];
        bool down = view_upstream_trouble(a, trouble, sizeof trouble);
        snprintf(text, sizeof text, "! %s", s->alarm[0] ? s->alarm : down ? trouble : s->conf_error);
        put(&a->canvas, r.y, r.x + 1, r.w - 2, ROLE_BAD, text);
    }
}

/* Below this width the keys that everybody knows after a day stand without their words. */
enum { HINTS_WIDE = 110, HINTS_BRIEF = 100 };

static const char *hint_word(const struct binding *b, int w)
{
    bool known = b->action == ACT_VIEW_NUMBER || (b->action == ACT_SORT && w < HINTS_BRIEF);
    return known && w < HINTS_BRIEF ? "" : tr(b->hint);
}

static int hint_width(const struct binding *b, int w)
{
    const char *word = hint_word(b, w);
    return text_width(b->label) + (*word ? 1 + text_width(word) : 0);
}

static int draw_hint(struct app *a, struct rect r, int x, const struct binding *b)
{
    const char *word = hint_word(b, r.w);
    x += put(&a->canvas, r.y, x, r.x + r.w - x, ROLE_KEY, b->label);
    if (*word) x += 1 + put(&a->canvas, r.y, x + 1, r.x + r.w - x - 1, ROLE_NORMAL, word);
    return x + (r.w >= HINTS_WIDE ? 3 : 1);
}

static bool pinned(const struct binding *b)
{
    return b->action == ACT_VIEW_NUMBER || b->action == ACT_HELP || b->action == ACT_QUIT;
}

/* The keys of this scope, in the order of the table, as they fit; tabs, help and quit are always there. */
static void draw_hints(struct app *a)
{
    struct rect r = app_rect(a, R_HINTS);
    int scope = app_scope(a), gap = r.w >= HINTS_WIDE ? 3 : 1, kept = 0, x = r.x + 1;
    if (r.h < 1) return;
    for (int pass = 0; pass < 3; pass++)
        for (size_t i = 0; i < ARRAY_LEN(bindings); i++) {
            const struct binding *b = &bindings[i];
            bool last = pinned(b) && scope < VIEW_COUNT;
            if (!(b->scope & 1u << scope) || b->hint == MSG_NONE || last == (pass == 1)) continue;
            if (!app_has_use(a, b->action)) continue;
            if (pass == 0)
                kept += hint_width(b, r.w) + gap;
            else if (pass == 2 || x + hint_width(b, r.w) + gap + kept <= r.x + r.w + gap)
                x = draw_hint(a, r, x, b);
        }
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

void frame_draw(struct app *a)
{
    if (a->lay.size == SIZE_NANO) {
        draw_nano(a);
        return;
    }
    draw_top(a);
    draw_health(a);
}

void frame_draw_foot(struct app *a)
{
    draw_message(a);
    draw_hints(a);
}
