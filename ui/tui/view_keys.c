/* Keys: the table, the detail of one key, and the verbs. A verb works on the marked keys, else on the row under the
 * cursor; it is posted as one command per key and undone the same way. */
#include "ui/tui/app.h"
#include "base/mem.h"
#include "ui/tui/text.h"

enum key_column {
    KC_SYMBOL,
    KC_STATE,
    KC_KEY,
    KC_LABEL,
    KC_CLASS,
    KC_BALANCE,
    KC_RPM,
    KC_TPM,
    KC_RPD,
    KC_IN_FLIGHT,
    KC_OK,
    KC_LIMITED,
    KC_FAILED,
    KC_COOLDOWN,
    KC_REASON,
    KC_TESTED,
    KC_TREND,
    KC_LAST_ERROR,
    KC_COUNT
};

static const struct column columns[KC_COUNT] = {
    [KC_SYMBOL] = {MSG_NONE, 1, 0, 0, 1, false},        [KC_STATE] = {MSG_COL_STATE, 8, 0, 0, 10, false},
    [KC_KEY] = {MSG_COL_KEY, 13, 0, 0, 1, false},       [KC_LABEL] = {MSG_COL_LABEL, 8, 4, 0, 9, false},
    [KC_CLASS] = {MSG_COL_CLASS, 7, 0, 0, 4, false},    [KC_BALANCE] = {MSG_COL_BALANCE, 11, 0, 0, 3, true},
    [KC_RPM] = {MSG_COL_RPM, 4, 0, 0, 2, true},         [KC_TPM] = {MSG_COL_TPM, 5, 0, 0, 3, true},
    [KC_RPD] = {MSG_COL_RPD, 5, 0, 0, 12, true},        [KC_IN_FLIGHT] = {MSG_COL_IN_FLIGHT, 3, 0, 0, 2, true},
    [KC_OK] = {MSG_COL_OK, 5, 0, 0, 11, true},          [KC_LIMITED] = {MSG_COL_LIMITED, 4, 0, 0, 6, true},
    [KC_FAILED] = {MSG_COL_FAILED, 6, 0, 0, 15, true},  [KC_COOLDOWN] = {MSG_COL_COOLDOWN, 5, 0, 0, 5, true},
    [KC_REASON] = {MSG_COL_REASON, 12, 0, 0, 8, false}, [KC_TESTED] = {MSG_COL_TESTED, 6, 0, 0, 13, true},
    [KC_TREND] = {MSG_COL_TREND, 10, 0, 0, 14, false},  [KC_LAST_ERROR] = {MSG_COL_LAST_ERROR, 12, 73, 24, 7, false},
};

static size_t count(void *arg)
{
    struct app *a = arg;
    return a->snap ? a->snap->key_count : 0;
}

static const void *row(void *arg, size_t i)
{
    return &((struct app *)arg)->snap->keys[i];
}

static uint64_t id(const void *r)
{
    return view_hash(((const struct snap_key *)r)->view.id);
}

static void ago(const struct app *a, wall_t t, char *out, size_t size)
{
    if (t.ms == 0)
        snprintf(out, size, "%s", tr(MSG_NEVER));
    else
        tr_with(out, size, MSG_AGO, num_span(a->snap->time.ms - t.ms).s, NULL);
}

/* Ten minutes as ten dots columns in five cells. */
static void trend(const struct app *a, const struct meter_key *m, char *out, size_t size)
{
    uint32_t max = 1;
    for (size_t i = 0; i < 10; i++) max = MAX(max, m->trend[i]);
    out[0] = '\0';
    for (size_t i = 0; i < 10; i++) {
        static const char *const braille[5] = {" ", "⣀", "⣤", "⣶", "⣿"};
        unsigned level = m->trend[i] ? 1 + (unsigned)((uint64_t)m->trend[i] * 3 / max) : 0;
        char ascii[2] = {" .:|#"[level], '\0'};
        text_add(out, size, a->ascii || a->ascii_graph ? ascii : braille[level]);
    }
}

static void cooldown_text(const struct app *a, const struct key_view *k, size_t column, struct cell *out)
{
    const struct key_cooldown_view *c = NULL;
    int64_t left = view_cooldown_left(a, k, &c);
    if (!c) {
        if (column == KC_COOLDOWN) snprintf(out->text, sizeof out->text, "-");
        out->role = ROLE_DIM;
        return;
    }
    snprintf(out->text, sizeof out->text, "%s", column == KC_REASON ? view_verdict(c->reason) : num_span(left).s);
    out->role = k->state == KEY_COOLING ? ROLE_WARN : ROLE_DIM; /* else it still serves other models */
}

static void error_text(const struct app *a, const struct key_view *k, struct cell *out)
{
    if (k->last_error.at.ms == 0) return;
    int64_t since = a->snap->time.ms - k->last_error.at.ms;
    char status[16] = "";
    if (k->last_error.status) snprintf(status, sizeof status, "%d ", k->last_error.status);
    snprintf(out->text, sizeof out->text, "%s%s %s  %s", status, view_verdict(k->last_error.verdict), num_span(since).s,
             k->last_error.message);
    out->role = k->state == KEY_BAD ? ROLE_BAD : since < 60000 ? ROLE_WARN : ROLE_DIM;
}

static void number(struct cell *out, uint64_t v)
{
    snprintf(out->text, sizeof out->text, "%s", num_si(v).s);
    if (!v) out->role = ROLE_DIM;
}

static void cell(void *arg, const void *r, size_t column, struct cell *out)
{
    const struct app *a = arg;
    const struct snap_key *s = r;
    const struct key_view *k = &s->view;
    switch ((enum key_column)column) {
    case KC_SYMBOL:
    case KC_STATE:
        snprintf(out->text, sizeof out->text, "%s",
                 column == KC_SYMBOL ? view_state_symbol(k->state) : tr(view_state_word(k->state)));
        out->role = view_state_role(k->state);
        break;
    case KC_KEY: view_key_name(a, k->id, out->text, sizeof out->text); break;
    case KC_LABEL: snprintf(out->text, sizeof out->text, "%s", a->privacy ? "****" : k->label); break;
    case KC_CLASS:
        snprintf(out->text, sizeof out->text, "%s", tr(view_class_word(k->class)));
        out->role = view_class_role(k->class);
        break;
    case KC_BALANCE:
        view_balance(a, k, out->text, sizeof out->text);
        if (k->balance_origin == BALANCE_UNKNOWN) out->role = ROLE_DIM;
        break;
    case KC_RPM: number(out, s->meter.rates.rpm); break;
    case KC_TPM: number(out, s->meter.rates.tpm); break;
    case KC_RPD: number(out, s->meter.rates.rpd); break;
    case KC_IN_FLIGHT: number(out, k->in_flight); break;
    case KC_OK: number(out, k->ok); break;
    case KC_LIMITED:
        number(out, k->limited);
        if (k->limited) out->role = ROLE_WARN;
        break;
    case KC_FAILED:
        number(out, k->failed);
        if (k->failed) out->role = ROLE_WARN;
        break;
    case KC_COOLDOWN:
    case KC_REASON: cooldown_text(a, k, column, out); break;
    case KC_TESTED:
        snprintf(out->text, sizeof out->text, "%s",
                 k->tested_at.ms ? num_span(a->snap->time.ms - k->tested_at.ms).s : "-");
        out->role = ROLE_DIM;
        break;
    case KC_TREND:
        trend(a, &s->meter, out->text, sizeof out->text);
        out->role = ROLE_RPM;
        break;
    case KC_LAST_ERROR: error_text(a, k, out); break;
    case KC_COUNT: break;
    }
}

#define ORDER(x, y) ((x) < (y) ? -1 : (x) > (y))

static int compare(void *arg, const void *x, const void *y, size_t column)
{
    static const int rank[KEY_STATE_COUNT] = {
        [KEY_BUSY] = 0,     [KEY_READY] = 1, [KEY_TESTING] = 2,  [KEY_COOLING] = 3,
        [KEY_DRAINING] = 4, [KEY_BAD] = 5,   [KEY_UNTESTED] = 6, [KEY_OFF] = 7};
    const struct snap_key *a = x, *b = y;
    const struct key_cooldown_view *unused = NULL;
    switch ((enum key_column)column) {
    case KC_SYMBOL:
    case KC_STATE: return ORDER(rank[a->view.state], rank[b->view.state]);
    case KC_KEY: return strcmp(a->view.masked, b->view.masked);
    case KC_LABEL: return strcmp(a->view.label, b->view.label);
    case KC_CLASS: return ORDER(a->view.class, b->view.class);
    case KC_BALANCE: return ORDER(a->view.balance_micro, b->view.balance_micro);
    case KC_RPM: return ORDER(a->meter.rates.rpm, b->meter.rates.rpm);
    case KC_TPM: return ORDER(a->meter.rates.tpm, b->meter.rates.tpm);
    case KC_TREND:
    case KC_RPD: return ORDER(a->meter.rates.rpd, b->meter.rates.rpd);
    case KC_IN_FLIGHT: return ORDER(a->view.in_flight, b->view.in_flight);
    case KC_OK: return ORDER(a->view.ok, b->view.ok);
    case KC_LIMITED: return ORDER(a->view.limited, b->view.limited);
    case KC_FAILED: return ORDER(a->view.failed, b->view.failed);
    case KC_COOLDOWN:
    case KC_REASON:
        return ORDER(view_cooldown_left(arg, &a->view, &unused), view_cooldown_left(arg, &b->view, &unused));
    case KC_TESTED: return ORDER(a->view.tested_at.ms, b->view.tested_at.ms);
    case KC_LAST_ERROR: return ORDER(b->view.last_error.at.ms, a->view.last_error.at.ms);
    case KC_COUNT: break;
    }
    return 0;
}

const struct table_spec keys_spec = {columns, KC_COUNT, count, row, id, NULL, cell, compare};

static void draw_cooldowns(struct app *a, struct rect *r, const struct key_view *k)
{
    char line[400], model[300];
    if (k->cooldown_count == 0) view_line(a, r, ROLE_DIM, tr(MSG_D_NO_COOLDOWN));
    for (size_t i = 0; i < k->cooldown_count && i < ARRAY_LEN(k->cooldowns); i++) {
        const struct key_cooldown_view *c = &k->cooldowns[i];
        snprintf(model, sizeof model, "%s", c->model[0] ? c->model : tr(MSG_D_ALL_MODELS));
        tr_with(line, sizeof line, MSG_D_COOLDOWN, num_span(c->ms_left - view_elapsed(a)).s, model,
                verdict_sentence(c->reason), NULL);
        view_line(a, r, ROLE_WARN, line);
    }
    if (k->cooldown_count > ARRAY_LEN(k->cooldowns))
        view_line(
            a, r, ROLE_DIM,
            tr_with(line, sizeof line, MSG_D_MORE, num_plain(k->cooldown_count - ARRAY_LEN(k->cooldowns)).s, NULL));
}

static void draw_last_error(struct app *a, struct rect *r, const struct key_view *k)
{
    char line[500], when[24], status[16], code[24];
    if (k->last_error.at.ms == 0) {
        view_line(a, r, ROLE_DIM, tr(MSG_D_NO_ERROR));
        return;
    }
    wall_format_time(k->last_error.at, when, sizeof when);
    snprintf(status, sizeof status, "%d", k->last_error.status);
    snprintf(code, sizeof code, "%lld", (long long)k->last_error.code);
    tr_with(line, sizeof line, MSG_D_LAST_ERROR, when, k->last_error.status ? status : "-",
            k->last_error.code ? code : "-", verdict_sentence(k->last_error.verdict), NULL);
    view_line(a, r, ROLE_WARN, line);
    if (k->last_error.message[0]) {
        snprintf(line, sizeof line, "\"%s\"", k->last_error.message);
        view_wrap(a, r, ROLE_WARN, line);
    }
}

static void draw_detail(struct app *a, struct rect r)
{
    char line[400], part[200], part2[200];
    const struct snap_key *s = table_selected(&a->keys);
    view_key_name(a, s ? s->view.id : "", part, sizeof part);
    tr_with(line, sizeof line, MSG_SEC_DETAIL, part, NULL);
    put_bar(&a->canvas, r.y, r.x, r.w, line, tr(MSG_ESC_CLOSES));
    r.y++, r.h--;
    if (!s) return;
    const struct key_view *k = &s->view;
    tr_with(line, sizeof line, MSG_D_CLASS, tr(view_class_word(k->class)),
            k->class_evidence[0] ? k->class_evidence : "-", tr(view_state_word(k->state)), num_plain(k->in_flight).s,
            NULL);
    view_line(a, &r, ROLE_NORMAL, line);
    view_balance(a, k, part, sizeof part);
    if (k->balance_at.ms && k->balance_origin != BALANCE_UNKNOWN) {
        ago(a, k->balance_at, part2, sizeof part2);
        text_addf(part, sizeof part, " (%s)", part2);
    }
    view_line(a, &r, ROLE_NORMAL,
              tr_with(line, sizeof line, MSG_D_BALANCE, part,
                      a->privacy      ? "****"
                      : k->account[0] ? k->account
                                      : "-",
                      NULL));
    tr_with(line, sizeof line, MSG_D_TRIES, num_grouped(k->ok).s, num_grouped(k->failed).s, num_grouped(k->limited).s,
            num_si(s->meter.rates.rpm).s, num_si(s->meter.rates.tpm).s, num_si(s->meter.rates.rpd).s,
            num_si(s->meter.rates.tpd).s, NULL);
    view_line(a, &r, ROLE_NORMAL, line);
    ago(a, k->used_at, part, sizeof part);
    ago(a, k->tested_at, part2, sizeof part2);
    tr_with(line, sizeof line, MSG_D_USED, part, part2, num_seconds(s->meter.ttft_ms).s, NULL);
    view_line(a, &r, ROLE_NORMAL, line);
    tr_with(line, sizeof line, k->from_file ? MSG_D_ORIGIN : MSG_D_RUNTIME,
            a->privacy     ? "****"
            : k->from_file ? k->origin
                           : a->snap->state_dir,
            NULL);
    view_line(a, &r, ROLE_DIM, line);
    draw_last_error(a, &r, k);
    draw_cooldowns(a, &r, k);
}

static void draw(struct app *a)
{
    char title[64];
    struct rect r = app_rect(a, R_MAIN);
    table_arrange(&a->keys, a->now);
    if (r.h > 0) {
        snprintf(title, sizeof title, "%s %zu", tr(MSG_KEYS), a->keys.total);
        view_bar(a, r, title, &a->keys, "");
        r.y++, r.h--;
        table_draw(&a->keys, &a->canvas, r, true);
        view_empty(a, r, &a->keys, tr(MSG_EMPTY_KEYS));
    }
    r = app_rect(a, R_DETAIL);
    if (r.h > 0) draw_detail(a, r);
}

size_t keys_chosen(struct app *a, const struct key_view **out, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; a->snap && i < a->snap->key_count && n < room; i++) {
        const struct key_view *k = &a->snap->keys[i].view;
        if (table_is_marked(&a->keys, view_hash(k->id))) out[n++] = k;
    }
    const struct snap_key *s = table_selected(&a->keys);
    if (n == 0 && s && room) out[n++] = &s->view;
    if (n == 0) app_say(a, TOAST_WARN, a->snap && a->snap->key_count ? MSG_T_NO_ROW : MSG_T_NO_KEYS);
    return n;
}

enum { CHOSEN_MAX = 4096 };

static const struct key_view **chosen(struct app *a, size_t *n)
{
    const struct key_view **list = xcalloc(CHOSEN_MAX, sizeof *list);
    *n = keys_chosen(a, list, CHOSEN_MAX);
    return list;
}

static void toast_with_undo(struct app *a, enum msg m, size_t n)
{
    char text[200], whole[300];
    tr_with(text, sizeof text, m, num_plain(n).s, NULL);
    app_toast(a, TOAST_INFO, tr_with(whole, sizeof whole, MSG_T_UNDO_HINT, text, NULL));
}

/* All of them go the way the first one goes. */
static void toggle(struct app *a)
{
    size_t n, sent = 0;
    if (app_refuse_readonly(a)) return;
    const struct key_view **list = chosen(a, &n);
    bool enable = n && !list[0]->enabled;
    char(*ids)[KEY_ID_LEN + 1] = xcalloc(n + 1, sizeof *ids);
    for (size_t i = 0; i < n; i++) {
        if (list[i]->enabled == enable) continue;
        if (!app_post(a, enable ? CMD_KEY_ENABLE : CMD_KEY_DISABLE, list[i]->id, NULL, 0, 1)) break;
        memcpy(ids[sent++], list[i]->id, sizeof *ids);
    }
    free(list);
    if (!sent) {
        free(ids);
        return;
    }
    app_undo_keys(a, ids, sent, !enable);
    toast_with_undo(a, enable ? MSG_T_ENABLED : MSG_T_DISABLED, sent);
}

static void for_chosen(struct app *a, enum command_kind kind, uint64_t tag)
{
    size_t n;
    if (app_refuse_readonly(a)) return;
    const struct key_view **list = chosen(a, &n);
    for (size_t i = 0; i < n; i++)
        if (!app_post(a, kind, list[i]->id, NULL, 0, n > 1 ? 1 : tag)) break;
    if (kind == CMD_KEY_TEST && n > 0) {
        char text[120];
        app_toast(a, TOAST_INFO, tr_with(text, sizeof text, MSG_T_TESTING, num_plain(n).s, NULL));
    }
    free(list);
}

void keys_test_all(struct app *a, const char *which, bool asked)
{
    size_t n = 0;
    char text[160];
    if (app_refuse_readonly(a) || !a->snap) return;
    bool bad = strcmp(which, "bad") == 0;
    for (size_t i = 0; i < a->snap->key_count; i++) n += !bad || a->snap->keys[i].view.state == KEY_BAD;
    if (n == 0) {
        app_say(a, TOAST_WARN, a->snap->key_count ? MSG_T_NO_BAD : MSG_T_NO_KEYS);
    } else if (n > 50 && !asked && !bad) {
        prompt_open(a, ASK_TEST_ALL, tr_with(text, sizeof text, MSG_Q_TEST_ALL, num_plain(n).s, NULL));
    } else if (app_post(a, CMD_KEYS_TEST, "", which, 0, 1)) {
        a->stop_asked = false;
        app_toast(a, TOAST_INFO, tr_with(text, sizeof text, MSG_T_TESTING, num_plain(n).s, NULL));
    }
}

static void ask_delete(struct app *a)
{
    size_t n;
    char text[300], name[64];
    if (app_refuse_readonly(a)) return;
    const struct key_view **list = chosen(a, &n);
    for (size_t i = 0; i < n; i++) {
        if (!list[i]->from_file) continue;
        view_key_name(a, list[i]->id, name, sizeof name);
        tr_with(text, sizeof text, MSG_T_FROM_FILE, name, a->privacy ? "****" : list[i]->origin, NULL);
        app_toast(a, TOAST_WARN, text);
        free(list);
        return;
    }
    if (n) {
        tr_with(text, sizeof text, MSG_Q_DELETE, num_plain(n).s, NULL);
        prompt_open(a, ASK_DELETE, text);
    }
    free(list);
}

void keys_delete_now(struct app *a)
{
    for_chosen(a, CMD_KEY_REMOVE, 0);
    table_clear_marks(&a->keys);
}

static void ask_text(struct app *a, enum prompt_kind kind, enum msg title)
{
    char text[160], name[64];
    const struct snap_key *s = table_selected(&a->keys);
    if (app_refuse_readonly(a)) return;
    if (!s) {
        app_say(a, TOAST_WARN, MSG_T_NO_KEYS);
        return;
    }
    view_key_name(a, s->view.id, name, sizeof name);
    prompt_open(a, kind, tr_with(text, sizeof text, title, name, NULL));
    str_copy(a->prompt.subject, sizeof a->prompt.subject, str_of(s->view.id));
    if (kind == PROMPT_LABEL && !a->privacy) buf_puts(&a->prompt.text, s->view.label);
}

void keys_act_add(struct app *a)
{
    if (!app_refuse_readonly(a)) prompt_open(a, PROMPT_ADD, tr(MSG_P_ADD));
}

static bool act(struct app *a, enum action action)
{
    switch (action) {
    case ACT_TOGGLE: toggle(a); return true;
    case ACT_TEST: for_chosen(a, CMD_KEY_TEST, 0); return true;
    case ACT_TEST_ALL: keys_test_all(a, "all", false); return true;
    case ACT_TEST_BAD: keys_test_all(a, "bad", false); return true;
    case ACT_ADD: keys_act_add(a); return true;
    case ACT_DELETE: ask_delete(a); return true;
    case ACT_RESET: for_chosen(a, CMD_KEY_RESET, 0); return true;
    case ACT_LABEL: ask_text(a, PROMPT_LABEL, MSG_P_LABEL); return true;
    case ACT_BALANCE: ask_text(a, PROMPT_BALANCE, MSG_P_BALANCE); return true;
    case ACT_OPEN: a->detail = a->keys.count > 0; return true;
    case ACT_COPY: {
        const struct snap_key *s = table_selected(&a->keys);
        char name[64];
        if (s) app_copy(a, view_key_name(a, s->view.id, name, sizeof name));
        return true;
    }
    default: return false;
    }
}

static struct table *table(struct app *a)
{
    return &a->keys;
}

static char *filter(struct app *a)
{
    return a->keys.filter;
}

const struct view_ops view_keys = {MSG_KEYS, draw, act, table, filter};
