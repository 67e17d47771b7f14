/* Overview: four graphs whose numbers are true, the state of the keys, what needs attention, requests; on large screens
 * keys, models and log too. */
#include "ui/tui/app.h"
#include "ui/tui/text.h"
#include "ui/tui/widget_graph.h"

struct metric {
    const char *name;
    enum role role;
    bool tokens, day;
};
static const struct metric metrics[4] = {
    {"RPM", ROLE_RPM, false, false},
    {"TPM", ROLE_TPM, true, false},
    {"RPD", ROLE_RPD, false, true},
    {"TPD", ROLE_TPD, true, true},
};

/* The values of a graph, newest last. Rates are sums over 60 s at every bucket, so that the peak means the same as the
 * current figure; day metrics are always 24 hourly bars, because a 24 h sum over a minute would be a flat line. */
static size_t series(const struct app *a, const struct metric *m, int64_t out[RING_MINUTES])
{
    const struct snapshot *s = a->snap;
    if (m->day) return graph_grouped(m->tokens ? s->tok_60s : s->req_60s, RING_MINUTES, 60, out);
    switch (view_window(a)) {
    case WINDOW_1M: return graph_sliding(m->tokens ? s->tok_1s : s->req_1s, RING_SECONDS, 60, out);
    case WINDOW_1H: return graph_sliding(m->tokens ? s->tok_10s : s->req_10s, RING_TENS, 6, out);
    default: return graph_sliding(m->tokens ? s->tok_60s : s->req_60s, RING_MINUTES, 1, out);
    }
}

static uint64_t current(const struct app *a, size_t i)
{
    const struct rates *r = &a->snap->totals.rates;
    return i == 0 ? r->rpm : i == 1 ? r->tpm : i == 2 ? r->rpd : r->tpd;
}

/* "1h", or "52s of 1h" while the program is younger than that: the empty part is no lull. */
static void window_text(const struct app *a, enum graph_window w, char *out, size_t size)
{
    static const int64_t seconds[] = {[WINDOW_1M] = 60, [WINDOW_1H] = 3600, [WINDOW_24H] = 86400};
    int64_t age = a->snap->uptime_s + view_elapsed(a) / 1000;
    if (age >= seconds[w])
        snprintf(out, size, "%s", view_window_name(w));
    else
        tr_with(out, size, MSG_WINDOW_PART, num_span(MAX(age, 1) * 1000).s, view_window_name(w), NULL);
}

static void graph_title(struct app *a, struct rect r, size_t i, int64_t peak)
{
    const struct metric *m = &metrics[i];
    char left[48], right[96], window[40];
    snprintf(left, sizeof left, "%s ", m->name);
    int x = r.x + put(&a->canvas, r.y, r.x, r.w, m->role, left);
    x += put(&a->canvas, r.y, x, r.w, ROLE_STRONG, num_si(current(a, i)).s);
    window_text(a, m->day ? WINDOW_24H : view_window(a), window, sizeof window);
    snprintf(right, sizeof right, "%s %s  %s", tr(m->day ? MSG_PEAK_HOUR : MSG_PEAK), num_si((uint64_t)peak).s, window);
    int w = text_width(right);
    if (x + w + 2 <= r.x + r.w) put(&a->canvas, r.y, r.x + r.w - w, w, ROLE_DIM, right);
}

static void draw_axis(struct app *a, struct rect r, const struct metric *m)
{
    static const char *const from[WINDOW_COUNT] = {"-60s", "-60m", "-24h"};
    static const char *const half[WINDOW_COUNT] = {"-30s", "-30m", "-12h"};
    enum graph_window w = m->day ? WINDOW_24H : view_window(a);
    int y = r.y + r.h - 1;
    put(&a->canvas, y, r.x, r.w, ROLE_DIM, from[w]);
    if (r.w > 30) put(&a->canvas, y, r.x + r.w / 2 - 2, 8, ROLE_DIM, half[w]);
    int n = text_width(tr(MSG_NOW));
    put(&a->canvas, y, r.x + r.w - n, n, ROLE_DIM, tr(MSG_NOW));
}

static void draw_graph(struct app *a, size_t i)
{
    struct rect r = app_rect(a, (enum region)(R_GRAPH_RPM + (int)i));
    int64_t values[RING_MINUTES], slots[GRAPH_SLOTS_MAX];
    char line[GRAPH_SLOTS_MAX * 2];
    if (r.h < 1 || r.w < 1) return;
    const struct metric *m = &metrics[i];
    size_t n = series(a, m, values), count = MIN((size_t)r.w * (a->ascii_graph ? 1 : 2), (size_t)GRAPH_SLOTS_MAX);
    int64_t peak = MAX(graph_peak(values, n), m->day ? 0 : (int64_t)current(a, i));
    if (m->day)
        graph_bars(values, n, slots, count);
    else
        graph_spread(values, n, slots, count);
    graph_title(a, r, i, peak);
    int rows = r.h - 1;
    if (a->lay.size == SIZE_LARGE && rows > 4) {
        draw_axis(a, r, m);
        rows--;
    }
    for (int k = 0; k < rows; k++) {
        graph_row(slots, count, peak, rows, k, a->ascii_graph, line, sizeof line);
        put(&a->canvas, r.y + 1 + k, r.x, r.w, m->role, line);
    }
}

static void count_classes(const struct app *a, size_t n[CLASS_COUNT])
{
    memset(n, 0, CLASS_COUNT * sizeof *n);
    for (size_t i = 0; i < a->snap->key_count; i++) n[a->snap->keys[i].view.class]++;
}

static const enum key_class class_order[] = {CLASS_PAID, CLASS_FREE, CLASS_UNVERIFIED, CLASS_INVALID, CLASS_UNKNOWN};

static void class_bar(const struct app *a, size_t n, size_t room, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < n && i < room; i++) text_add(out, size, a->ascii_graph ? "#" : "⣿");
}

/* One line: "PAID 11 .....  FREE 7 ..." */
static void draw_classes_line(struct app *a, struct rect r)
{
    size_t n[CLASS_COUNT], room = r.w >= 100 ? 16 : r.w >= 80 ? 8 : 0;
    int x = r.x + 1;
    count_classes(a, n);
    for (size_t i = 0; i < ARRAY_LEN(class_order); i++) {
        char text[64], bar[128];
        enum key_class c = class_order[i];
        if (!n[c] && c != CLASS_PAID && c != CLASS_FREE) continue;
        snprintf(text, sizeof text, "%s %zu ", tr(view_class_word(c)), n[c]);
        class_bar(a, n[c], room, bar, sizeof bar);
        x += put(&a->canvas, r.y, x, r.x + r.w - x, view_class_role(c), text);
        x += put(&a->canvas, r.y, x, r.x + r.w - x, view_class_role(c), bar) + (r.w >= 80 ? 2 : 1);
    }
}

static void draw_classes(struct app *a, struct rect r)
{
    static const enum msg notes[CLASS_COUNT] = {[CLASS_PAID] = MSG_C_PAID_NOTE,
                                                [CLASS_FREE] = MSG_C_FREE_NOTE,
                                                [CLASS_UNVERIFIED] = MSG_C_UNVER_NOTE,
                                                [CLASS_INVALID] = MSG_C_INVALID_NOTE,
                                                [CLASS_UNKNOWN] = MSG_ST_UNTESTED};
    size_t n[CLASS_COUNT], last = MIN((size_t)r.h, ARRAY_LEN(class_order));
    count_classes(a, n);
    if (n[CLASS_UNKNOWN] && last == 4 && !n[CLASS_INVALID]) last = 4;
    for (size_t i = 0; i < last; i++) {
        char text[64], bar[256];
        enum key_class c = i == 3 && !n[CLASS_INVALID] ? CLASS_UNKNOWN : class_order[i];
        int y = r.y + (int)i;
        put_pad(&a->canvas, y, r.x + 1, 8, view_class_role(c), tr(view_class_word(c)));
        snprintf(text, sizeof text, "%zu", n[c]);
        put_right(&a->canvas, y, r.x + 9, 4, ROLE_STRONG, text);
        class_bar(a, n[c], (size_t)MAX(r.w - 44, 0), bar, sizeof bar);
        put(&a->canvas, y, r.x + 15, r.w - 42, view_class_role(c), bar);
        put(&a->canvas, y, r.x + r.w - 26, 26, ROLE_DIM, tr(notes[c]));
    }
}

struct attention {
    char text[400];
    char brief[120]; /* for the one line of small screens */
    enum role role;
};

static void attention_of_key(const struct app *a, const struct key_view *k, struct attention *out)
{
    char name[64];
    const struct key_cooldown_view *c = NULL;
    int64_t left = view_cooldown_left(a, k, &c);
    view_key_name(a, k->id, name, sizeof name);
    if (k->state == KEY_BAD) {
        snprintf(out->text, sizeof out->text, "✗ %s %d %s", name, k->last_error.status,
                 view_verdict(k->last_error.verdict));
        snprintf(out->brief, sizeof out->brief, "%.*s", (int)sizeof out->brief - 1, out->text);
    } else {
        const char *why = c ? view_verdict(c->reason) : "";
        snprintf(out->text, sizeof out->text, "~ %s %s %s %s", name, tr(MSG_ST_COOLING), num_span(left).s, why);
        snprintf(out->brief, sizeof out->brief, "~ %s %s %s", name, num_span(left).s, why);
    }
    out->role = view_state_role(k->state);
}

static void attention_of_model(const struct app *a, const struct snap_model *m, struct attention *out)
{
    char probe[40], line[360];
    const char *slash = strrchr(m->id, '/');
    view_probe(a, m->breaker, m->probe_ms, probe, sizeof probe);
    tr_with(line, sizeof line, MSG_A_MODEL, m->id, view_verdict(m->trouble_kind), probe, NULL);
    snprintf(out->text, sizeof out->text, "! %s", line);
    snprintf(out->brief, sizeof out->brief, "! %.40s %s, %s", slash ? slash + 1 : m->id, view_verdict(m->trouble_kind),
             probe);
    out->role = ROLE_BAD;
}

static void attention_plain(struct attention *out, enum role role, const char *text)
{
    snprintf(out->text, sizeof out->text, "! %s", text);
    snprintf(out->brief, sizeof out->brief, "! %.110s", text);
    out->role = role;
}

/* Trouble of the whole first, then models, then bad keys, then cooling ones. */
static size_t collect_attention(const struct app *a, struct attention *out, size_t room)
{
    const struct snapshot *s = a->snap;
    char trouble[300], waiting[80] = "";
    (void)view_upstream_trouble(a, trouble, sizeof trouble);
    if (s->waiting) tr_with(waiting, sizeof waiting, MSG_A_WAITING, num_plain(s->waiting).s, NULL);
    const char *const texts[] = {trouble, s->alarm, s->conf_error};
    static const enum key_state order[] = {KEY_BAD, KEY_COOLING};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (!texts[i][0] || n == room) continue;
        attention_plain(&out[n++], ROLE_BAD, texts[i]);
    }
    for (size_t i = 0; i < s->model_count && n < room; i++)
        if (view_is_down(s->models[i].breaker)) attention_of_model(a, &s->models[i], &out[n++]);
    if (waiting[0] && n < room) attention_plain(&out[n++], ROLE_WARN, waiting);
    for (size_t o = 0; o < ARRAY_LEN(order); o++)
        for (size_t i = 0; i < s->key_count && n < room; i++)
            if (s->keys[i].view.state == order[o]) attention_of_key(a, &s->keys[i].view, &out[n++]);
    return n;
}

static void draw_attention_line(struct app *a, struct rect r)
{
    struct attention list[16];
    size_t n = collect_attention(a, list, ARRAY_LEN(list));
    int x = r.x + 1;
    if (n == 0) {
        put(&a->canvas, r.y, x, r.w - 1, ROLE_DIM, tr(MSG_ALL_WELL));
        return;
    }
    x += put(&a->canvas, r.y, x, r.w - 1, ROLE_DIM, tr(MSG_ATTENTION_SHORT)) + 1;
    for (size_t i = 0; i < n; i++) {
        int w = text_width(list[i].brief), room = r.x + r.w - x, more = i + 1 < n ? 4 : 0;
        char rest[24];
        snprintf(rest, sizeof rest, "+%zu", n - i);
        if (i && w + more > room) {
            put(&a->canvas, r.y, x, room, ROLE_DIM, rest);
            break;
        }
        x += put(&a->canvas, r.y, x, room - more, list[i].role, list[i].brief) + 2;
    }
}

static void draw_attention(struct app *a, struct rect r)
{
    struct attention list[16];
    char count[24];
    size_t n = collect_attention(a, list, ARRAY_LEN(list));
    snprintf(count, sizeof count, "%zu", n);
    put_bar(&a->canvas, r.y, r.x, r.w, tr(MSG_ATTENTION), n ? count : "");
    if (n == 0) put(&a->canvas, r.y + 1, r.x + 1, r.w - 1, ROLE_DIM, tr(MSG_ALL_WELL));
    for (size_t i = 0; i < n && (int)i + 1 < r.h; i++)
        put(&a->canvas, r.y + 1 + (int)i, r.x + 1, r.w - 1, list[i].role, list[i].text);
}

static void draw_keys(struct app *a, struct rect r)
{
    char url[400], title[80];
    if (r.h < 1) return;
    tr_with(url, sizeof url, MSG_BASE_URL, a->snap->base_url, NULL);
    text_add(url, sizeof url, "  c");
    if (a->lay.size == SIZE_LARGE) {
        snprintf(title, sizeof title, "%s %zu", tr(MSG_KEYS), a->snap->key_count);
        put_bar(&a->canvas, r.y, r.x, r.w, title, url);
        r.y++, r.h--;
        table_arrange(&a->brief_keys, a->now);
        table_draw(&a->brief_keys, &a->canvas, r, false);
        return;
    }
    put_bar(&a->canvas, r.y, r.x, r.w, tr(a->lay.size == SIZE_MEDIUM ? MSG_KEY_HEALTH : MSG_KEYS), url);
    r.y++, r.h--;
    if (a->lay.size == SIZE_MEDIUM) {
        draw_classes(a, r);
        return;
    }
    if (r.h > 0) draw_classes_line(a, r);
    if (r.h > 1) draw_attention_line(a, (struct rect){r.y + 1, r.x, 1, r.w});
}

static void draw_models(struct app *a, struct rect r)
{
    if (r.h < 1) return;
    put_bar(&a->canvas, r.y, r.x, r.w, tr(MSG_BY_TRAFFIC), "");
    r.y++, r.h--;
    table_arrange(&a->top_models, a->now);
    table_draw(&a->top_models, &a->canvas, r, false);
}

static void draw_requests(struct app *a, struct rect r)
{
    char extra[120], empty[400];
    if (r.h < 1) return;
    table_arrange(&a->brief_requests, a->now);
    tr_with(extra, sizeof extra, MSG_N_SHOWN, num_plain(a->snap->in_flight).s, num_plain(a->brief_requests.count).s,
            NULL);
    put_bar(&a->canvas, r.y, r.x, r.w, tr(MSG_REQUESTS), extra);
    r.y++, r.h--;
    table_draw(&a->brief_requests, &a->canvas, r, !a->brief_requests.follow);
    tr_with(empty, sizeof empty, MSG_EMPTY_REQUESTS, a->snap->base_url, NULL);
    view_empty(a, (struct rect){r.y - 1, r.x, r.h + 1, r.w}, &a->brief_requests, empty);
}

static void draw_log(struct app *a, struct rect r)
{
    if (r.h < 2) return;
    put_bar(&a->canvas, r.y, r.x, r.w, tr(MSG_LOG), "5");
    size_t n = a->snap->log_count, rows = MIN((size_t)(r.h - 1), n);
    for (size_t i = 0; i < rows; i++) {
        const struct log_line *l = &a->snap->log[n - rows + i];
        char when[16], text[600];
        wall_format_time(l->time, when, sizeof when);
        snprintf(text, sizeof text, "%s %c %s", when, "EWID"[l->level], l -> text);
        enum role role = l->level == LOG_ERROR ? ROLE_BAD : l->level == LOG_WARN ? ROLE_WARN : ROLE_DIM;
        put(&a->canvas, r.y + 1 + (int)i, r.x + 1, r.w - 1, role, text);
    }
}

static void draw(struct app *a)
{
    for (size_t i = 0; i < 4; i++) draw_graph(a, i);
    draw_keys(a, app_rect(a, R_KEYS));
    struct rect r = app_rect(a, R_ATTENTION);
    if (r.h > 0) draw_attention(a, r);
    draw_models(a, app_rect(a, R_MODELS));
    draw_requests(a, app_rect(a, R_REQUESTS));
    draw_log(a, app_rect(a, R_LOG));
}

/* From "auto" on to the one after what it shows now; after the last, "auto" again. */
static void next_window(struct app *a)
{
    char text[120];
    a->window = (enum graph_window)((view_window(a) + 1) % WINDOW_COUNT);
    app_setting(a, "ui.window", view_window_name(a->window));
    if (a->window == WINDOW_AUTO)
        app_say(a, TOAST_INFO, MSG_T_WINDOW_AUTO);
    else
        app_toast(a, TOAST_INFO, tr_with(text, sizeof text, MSG_T_WINDOW, view_window_name(a->window), NULL));
}

static bool act(struct app *a, enum action action)
{
    const struct snap_request *q = table_selected(&a->brief_requests);
    switch (action) {
    case ACT_WINDOW: next_window(a); return true;
    case ACT_COPY:
        if (a->snap) app_copy(a, a->snap->base_url);
        return true;
    case ACT_ADD: keys_act_add(a); return true;
    case ACT_OPEN:
        app_show(a, VIEW_REQUESTS);
        if (q && !a->brief_requests.follow) {
            a->requests.follow = false;
            a->requests.selected = q->r.id;
            a->detail = true;
        }
        return true;
    default: return false;
    }
}

static struct table *table(struct app *a)
{
    return &a->brief_requests;
}

const struct view_ops view_overview = {MSG_OVERVIEW, draw, act, table, NULL};
