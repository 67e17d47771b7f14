/* Keys: the columns, their cells and their order. A row is a key, or, while accounts are folded, an account (see
 * keys_rows.c). */
#include "ui/tui/app.h"
#include "ui/tui/text.h"

enum key_column {
    KC_SYMBOL,
    KC_STATE,
    KC_KEY,
    KC_LABEL,
    KC_CLASS,
    KC_BALANCE,
    KC_ORIGIN,
    KC_SPENT,
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
    [KC_SYMBOL] = {MSG_NONE, 1, 0, 0, 1, false, NULL},
    [KC_STATE] = {MSG_COL_STATE, 8, 0, 0, 10, false, "state"},
    [KC_KEY] = {MSG_COL_KEY, 13, 0, 0, 1, false, "key"},
    [KC_LABEL] = {MSG_COL_LABEL, 8, 4, 0, 9, false, "label"},
    [KC_CLASS] = {MSG_COL_CLASS, 7, 0, 0, 4, false, "class"},
    [KC_BALANCE] = {MSG_COL_BALANCE, 9, 0, 0, 3, true, "balance"},
    [KC_ORIGIN] = {MSG_COL_ORIGIN, 11, 0, 0, 7, false, "origin"},
    [KC_SPENT] = {MSG_COL_SPENT, 6, 0, 0, 7, true, "spent"},
    [KC_RPM] = {MSG_COL_RPM, 4, 0, 0, 2, true, "rpm"},
    [KC_TPM] = {MSG_COL_TPM, 5, 0, 0, 3, true, "tpm"},
    [KC_RPD] = {MSG_COL_RPD, 5, 0, 0, 12, true, "rpd"},
    [KC_IN_FLIGHT] = {MSG_COL_IN_FLIGHT, 3, 0, 0, 2, true, "in"},
    [KC_OK] = {MSG_COL_OK, 5, 0, 0, 11, true, "ok"},
    [KC_LIMITED] = {MSG_COL_LIMITED, 4, 0, 0, 6, true, "429"},
    [KC_FAILED] = {MSG_COL_FAILED, 6, 0, 0, 15, true, "failed"},
    [KC_COOLDOWN] = {MSG_COL_COOLDOWN, 5, 0, 0, 5, true, "cool"},
    [KC_REASON] = {MSG_COL_REASON, 12, 0, 0, 8, false, "reason"},
    [KC_TESTED] = {MSG_COL_TESTED, 6, 0, 0, 13, true, "tested"},
    [KC_TREND] = {MSG_COL_TREND, 10, 0, 0, 14, false, "trend"},
    [KC_LAST_ERROR] = {MSG_COL_LAST_ERROR, 12, 73, 24, 7, false, "error"},
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

static size_t row_count(void *arg)
{
    struct app *a = arg;
    return a->grouped ? a->accounts.row_count : count(arg);
}

static const void *row_at(void *arg, size_t i)
{
    struct app *a = arg;
    return a->grouped ? (const void *)a->accounts.rows[i] : row(arg, i);
}

static uint64_t id(const void *r)
{
    return view_hash(((const struct snap_key *)r)->view.id);
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

/* An account opens and closes like a branch of a tree; its keys stand indented below it. */
void keys_name_cell(const struct app *a, const struct snap_key *s, struct cell *out)
{
    char brief[80];
    if (!a->grouped || !keys_in_group(a, s)) {
        view_key_name(a, s->view.id, out->text, sizeof out->text);
    } else if (keys_is_account(a, s)) {
        char name[64];
        const char *account = a->privacy ? "****" : s->view.account;
        text_fit(name, sizeof name, account, MIN(text_width(account), 7), false); /* the count stays in sight */
        snprintf(out->text, sizeof out->text, "%s %s (%zu)", keys_is_open(a, s) ? "-" : "+", name,
                 keys_of_account(a, s->view.account, NULL, 0));
        out->role = ROLE_STRONG;
    } else {
        snprintf(out->text, sizeof out->text, "  %s", view_key_brief(a, s->view.id, brief, sizeof brief));
    }
}

static void label_text(const struct app *a, const struct snap_key *s, struct cell *out)
{
    if (a->grouped && keys_is_account(a, s))
        tr_with(out->text, sizeof out->text, MSG_N_KEYS, num_plain(keys_of_account(a, s->view.account, NULL, 0)).s,
                NULL);
    else
        snprintf(out->text, sizeof out->text, "%s", a->privacy ? "****" : s->view.label);
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
    case KC_KEY: keys_name_cell(a, s, out); break;
    case KC_LABEL: label_text(a, s, out); break;
    case KC_CLASS:
        snprintf(out->text, sizeof out->text, "%s", tr(view_class_word(k->class)));
        out->role = view_class_role(k->class);
        break;
    case KC_BALANCE:
        view_balance(a, s, out->text, sizeof out->text);
        if (s->balance_origin == BALANCE_UNKNOWN) out->role = ROLE_DIM;
        break;
    case KC_ORIGIN:
        view_origin(a, s, out->text, sizeof out->text);
        out->role = ROLE_DIM;
        break;
    case KC_SPENT:
        view_spent(a, s->spent_today_micro, out->text, sizeof out->text);
        if (s->spent_today_micro <= 0) out->role = ROLE_DIM;
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

/* Unknown below everything. */
static int64_t known_balance(const struct snap_key *k)
{
    return k->balance_origin == BALANCE_UNKNOWN ? INT64_MIN : k->balance_left_micro;
}

static int by_column(void *arg, const void *x, const void *y, size_t column)
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
    case KC_BALANCE: return ORDER(known_balance(a), known_balance(b));
    case KC_ORIGIN: return ORDER(a->balance_origin, b->balance_origin);
    case KC_SPENT: return ORDER(a->spent_today_micro, b->spent_today_micro);
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

/* Folded: the accounts among each other, each followed by its keys. */
static int compare(void *arg, const void *x, const void *y, size_t column)
{
    const struct app *a = arg;
    if (!a->grouped) return by_column(arg, x, y, column);
    const struct snap_key *gx = keys_group_of(a, x), *gy = keys_group_of(a, y);
    if (gx != gy) {
        int d = by_column(arg, gx, gy, column);
        return d ? d : ORDER(gx, gy);
    }
    if (x == gx || y == gy) return (x == gx) == a->keys.reverse ? 1 : -1; /* on top, whatever the direction */
    return by_column(arg, x, y, column);
}

const struct table_spec keys_spec = {columns, KC_COUNT, row_count, row_at, id, NULL, cell, compare};
const struct table_spec brief_keys_spec = {columns, KC_COUNT, count, row, id, NULL, cell, by_column};
