/* Models: what is free and what costs, in two lists; unknown prices count as paid. Side by side on wide screens, one
 * above the other in 80 columns; the cursor walks from one into the other. */
#include "ui/tui/app.h"
#include "ui/tui/text.h"

enum model_column {
    MC_SYMBOL,
    MC_ID,
    MC_STATE,
    MC_TYPE,
    MC_PRICE,
    MC_RPM,
    MC_TPM,
    MC_TODAY,
    MC_SPENT,
    MC_OK,
    MC_FAILED,
    MC_USABLE,
    MC_WAITING,
    MC_TTFT,
    MC_EVIDENCE,
    MC_CONTEXT,
    MC_COUNT
};

static const struct column columns[MC_COUNT] = {
    [MC_SYMBOL] = {MSG_NONE, 1, 0, 0, 1, false, NULL},
    [MC_ID] = {MSG_COL_MODEL, 22, 40, 32, 1, false, "model"},
    [MC_STATE] = {MSG_COL_STATE, 8, 0, 0, 5, false, "state"},
    [MC_TYPE] = {MSG_COL_TYPE, 6, 0, 0, 6, false, "type"},
    [MC_PRICE] = {MSG_COL_PRICE, 14, 0, 0, 4, true, "price"},
    [MC_RPM] = {MSG_COL_RPM, 5, 0, 0, 2, true, "rpm"},
    [MC_TPM] = {MSG_COL_TPM, 5, 0, 0, 7, true, "tpm"},
    [MC_TODAY] = {MSG_COL_TODAY, 5, 0, 0, 3, true, "24h"},
    [MC_OK] = {MSG_COL_OK, 5, 0, 0, 8, true, "ok"},
    [MC_FAILED] = {MSG_COL_FAILED, 6, 0, 0, 8, true, "failed"},
    [MC_USABLE] = {MSG_COL_USABLE, 6, 0, 0, 5, true, "usable"},
    [MC_WAITING] = {MSG_COL_WAITING, 4, 0, 0, 6, true, "wait"},
    [MC_SPENT] = {MSG_COL_SPENT, 6, 0, 0, 6, true, "spent"},
    [MC_EVIDENCE] = {MSG_COL_EVIDENCE, 9, 0, 0, 10, false, "evidence"},
    [MC_CONTEXT] = {MSG_COL_CONTEXT, 5, 0, 0, 10, true, "context"},
    [MC_TTFT] = {MSG_COL_TTFT, 5, 0, 0, 9, true, "ttft"},
};

static size_t count(void *arg)
{
    struct app *a = arg;
    return a->snap ? a->snap->model_count : 0;
}

static const void *row(void *arg, size_t i)
{
    return &((struct app *)arg)->snap->models[i];
}

static uint64_t id(const void *r)
{
    return view_hash(((const struct snap_model *)r)->id);
}

static bool is_free(void *arg, const void *r)
{
    (void)arg;
    return ((const struct snap_model *)r)->cost == COST_FREE;
}

static bool is_paid(void *arg, const void *r)
{
    return !is_free(arg, r);
}

static void number(struct cell *out, uint64_t v)
{
    snprintf(out->text, sizeof out->text, "%s", num_si(v).s);
    if (!v) out->role = ROLE_DIM;
}

/* What holds a model up, the gravest first: one row each in `looks`. */
enum model_state { MODEL_OTHER, MODEL_BANNED, MODEL_DOWN, MODEL_PROBED, MODEL_NO_KEY, MODEL_USABLE };

static enum model_state model_state(const struct snap_model *m)
{
    if (m->other) return MODEL_OTHER;
    if (m->banned) return MODEL_BANNED;
    if (view_is_down(m->breaker)) return strcmp(m->breaker, "open") == 0 ? MODEL_DOWN : MODEL_PROBED;
    return m->keys_usable ? MODEL_USABLE : MODEL_NO_KEY;
}

static const struct {
    const char *symbol;
    enum msg word;
    enum role role;
} looks[] = {
    [MODEL_OTHER] = {" ", MSG_NONE, ROLE_DIM},       [MODEL_BANNED] = {"-", MSG_MS_BANNED, ROLE_OFF},
    [MODEL_DOWN] = {"!", MSG_MS_OPEN, ROLE_BAD},     [MODEL_PROBED] = {"~", MSG_MS_PROBING, ROLE_WARN},
    [MODEL_NO_KEY] = {"✗", MSG_MS_NO_KEY, ROLE_BAD}, [MODEL_USABLE] = {"✓", MSG_MS_USABLE, ROLE_OK},
};

static void state_cell(const struct app *a, const struct snap_model *m, size_t column, struct cell *out)
{
    enum model_state s = model_state(m);
    if (column == MC_SYMBOL)
        snprintf(out->text, sizeof out->text, "%s", looks[s].symbol);
    else
        tr_with(out->text, sizeof out->text, looks[s].word, num_span(MAX(m->probe_ms - view_elapsed(a), 0)).s, NULL);
    out->role = looks[s].role;
}

static void type_cell(const struct snap_model *m, struct cell *out)
{
    static const struct {
        const char *name, *brief;
    } types[] = {{"embedding", "embed"},    {"reranker", "rerank"},    {"text-to-image", "t2i"},
                 {"image-to-image", "i2i"}, {"speech-to-text", "asr"}, {"text-to-speech", "tts"},
                 {"text-to-video", "t2v"},  {"image-to-video", "i2v"}};
    const char *name = m->sub_type[0] ? m->sub_type : m->type;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(name, types[i].name) == 0) name = types[i].brief;
    snprintf(out->text, sizeof out->text, "%s", m->other ? "" : name);
    out->role = ROLE_DIM;
}

/* The table's "4 / 16 / 0.4" without the blanks. */
static void price_cell(const struct snap_model *m, struct cell *out)
{
    const char *price = m->other ? "" : m->cost == COST_FREE ? tr(MSG_FREE_WORD) : m->price[0] ? m->price : "?";
    size_t n = 0;
    for (const char *p = price; *p && n + 1 < sizeof out->text; p++)
        if (*p != ' ' || (p[1] != '/' && p[-1] != '/')) out->text[n++] = *p;
    out->text[n] = '\0';
    out->role = m->cost == COST_FREE ? ROLE_OK : ROLE_NORMAL;
}

static const char *view_evidence(const struct snap_model *m)
{
    static const struct {
        const char *name;
        enum msg word;
    } words[] = {{"table", MSG_EV_TABLE},       {"prefix", MSG_EV_PREFIX},   {"config", MSG_EV_CONFIG},
                 {"observed", MSG_EV_OBSERVED}, {"unknown", MSG_EV_UNKNOWN}, {"refresh", MSG_EV_REFRESH}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(m->evidence, words[i].name) == 0) return tr(words[i].word);
    return m->evidence;
}

static void cell(void *arg, const void *r, size_t column, struct cell *out)
{
    const struct app *a = arg;
    const struct snap_model *m = r;
    switch ((enum model_column)column) {
    case MC_SYMBOL:
    case MC_STATE: state_cell(a, m, column, out); break;
    case MC_ID:
        snprintf(out->text, sizeof out->text, "%s", m->other ? tr(MSG_OTHER_MODELS) : m->id);
        if (m->other) out->role = ROLE_DIM;
        if (m->banned) out->role = ROLE_OFF;
        break;
    case MC_TYPE: type_cell(m, out); break;
    case MC_PRICE: price_cell(m, out); break;
    case MC_RPM: number(out, m->rates.rpm); break;
    case MC_TPM: number(out, m->rates.tpm); break;
    case MC_TODAY: number(out, m->rates.tpd); break;
    case MC_SPENT:
        if (!m->other) view_spent(a, m->spent_today_micro, out->text, sizeof out->text);
        if (m->spent_today_micro <= 0) out->role = ROLE_DIM;
        break;
    case MC_EVIDENCE:
        snprintf(out->text, sizeof out->text, "%s", m->other ? "" : view_evidence(m));
        out->role = ROLE_DIM;
        break;
    case MC_CONTEXT:
        snprintf(out->text, sizeof out->text, "%s", m->other ? "" : m->context ? num_si(m->context).s : "?");
        out->role = ROLE_DIM;
        break;
    case MC_OK: number(out, m->ok); break;
    case MC_FAILED:
        number(out, m->failed);
        if (m->failed) out->role = ROLE_WARN;
        break;
    case MC_USABLE:
        if (m->other) break;
        number(out, m->keys_usable);
        if (!m->keys_usable) out->role = ROLE_BAD;
        break;
    case MC_WAITING:
        number(out, m->waiting);
        if (m->waiting) out->role = ROLE_WARN;
        break;
    case MC_TTFT: snprintf(out->text, sizeof out->text, "%s", m->ttft_ms < 0 ? "-" : num_seconds(m->ttft_ms).s); break;
    case MC_COUNT: break;
    }
}

#define ORDER(x, y) ((x) < (y) ? -1 : (x) > (y))

static int compare(void *arg, const void *x, const void *y, size_t column)
{
    const struct snap_model *a = x, *b = y;
    (void)arg;
    switch ((enum model_column)column) {
    case MC_SYMBOL:
    case MC_STATE: return ORDER(model_state(a), model_state(b));
    case MC_ID: return strcmp(a->id, b->id);
    case MC_TYPE: return strcmp(a->sub_type, b->sub_type);
    case MC_PRICE: return strcmp(a->price, b->price);
    case MC_RPM: return ORDER(a->rates.rpm, b->rates.rpm);
    case MC_TPM: return ORDER(a->rates.tpm, b->rates.tpm);
    case MC_TODAY: return ORDER(a->rates.tpd, b->rates.tpd);
    case MC_SPENT: return ORDER(a->spent_today_micro, b->spent_today_micro);
    case MC_EVIDENCE: return strcmp(a->evidence, b->evidence);
    case MC_CONTEXT: return ORDER(a->context, b->context);
    case MC_OK: return ORDER(a->ok, b->ok);
    case MC_FAILED: return ORDER(a->failed, b->failed);
    case MC_USABLE: return ORDER(a->keys_usable, b->keys_usable);
    case MC_WAITING: return ORDER(a->waiting, b->waiting);
    case MC_TTFT: return ORDER(a->ttft_ms, b->ttft_ms);
    case MC_COUNT: break;
    }
    return 0;
}

const struct table_spec free_spec = {columns, MC_COUNT, count, row, id, is_free, cell, compare};
const struct table_spec paid_spec = {columns, MC_COUNT, count, row, id, is_paid, cell, compare};
const struct table_spec traffic_spec = {columns, MC_COUNT, count, row, id, NULL, cell, compare};

static struct table *table(struct app *a)
{
    return a->in_paid ? &a->paid_models : &a->free_models;
}

static void draw_list(struct app *a, struct rect r, struct table *t, enum msg title, const char *extra)
{
    char text[64];
    if (r.h < 1) return;
    tr_with(text, sizeof text, title, num_plain(t->count).s, NULL);
    view_bar(a, r, text, t, extra);
    r.y++, r.h--;
    table_draw(t, &a->canvas, r, table(a) == t);
    if (a->snap && a->snap->model_count == 0) view_empty(a, r, t, tr(MSG_EMPTY_MODELS));
}

static void draw_detail(struct app *a, struct rect r)
{
    char line[500], context[32], probe[40];
    const struct snap_model *m = table_selected(table(a));
    tr_with(line, sizeof line, MSG_SEC_DETAIL, m ? m->id : "-", NULL);
    put_bar(&a->canvas, r.y, r.x, r.w, line, tr(MSG_ESC_CLOSES));
    r.y++, r.h--;
    if (!m) return;
    if (m->other) {
        view_wrap(a, &r, ROLE_DIM, tr(MSG_M_OTHER));
        return;
    }
    if (view_is_down(m->breaker)) {
        tr_with(line, sizeof line, MSG_M_BREAKER, m->breaker, view_verdict(m->trouble_kind),
                view_probe(a, m->breaker, m->probe_ms, probe, sizeof probe), NULL);
        view_line(a, &r, ROLE_BAD, line);
    }
    if (m->waiting)
        view_line(a, &r, ROLE_WARN, tr_with(line, sizeof line, MSG_M_WAITING, num_plain(m->waiting).s, NULL));
    snprintf(context, sizeof context, "%s", m->context ? num_si(m->context).s : "?");
    tr_with(line, sizeof line, MSG_M_LINE1, m->sub_type[0] ? m->sub_type : m->type,
            m->cost == COST_FREE ? tr(MSG_FREE_WORD)
            : m->price[0]        ? m->price
                                 : "?",
            view_evidence(m), context, view_spent(a, m->spent_today_micro, probe, sizeof probe), NULL);
    view_line(a, &r, ROLE_NORMAL, line);
    tr_with(line, sizeof line, MSG_M_LINE2, num_grouped(m->ok).s, num_grouped(m->failed).s, num_si(m->rates.rpm).s,
            num_si(m->rates.tpm).s, num_si(m->rates.rpd).s, num_si(m->rates.tpd).s,
            m->ttft_ms < 0 ? "-" : num_seconds(m->ttft_ms).s, NULL);
    view_line(a, &r, ROLE_NORMAL, line);
    view_line(a, &r, m->keys_usable ? ROLE_NORMAL : ROLE_BAD,
              tr_with(line, sizeof line, MSG_M_USABLE, num_plain(m->keys_usable).s, NULL));
    if (m->banned) view_line(a, &r, ROLE_WARN, tr(m->ban_from_file ? MSG_M_BANNED_FILE : MSG_M_BANNED));
    if (!m->in_catalog) view_line(a, &r, ROLE_DIM, tr(MSG_M_NOT_LISTED));
}

static void draw(struct app *a)
{
    struct rect one = app_rect(a, R_MAIN), two = app_rect(a, R_SECOND);
    memcpy(a->paid_models.filter, a->free_models.filter, FILTER_MAX);
    table_arrange(&a->free_models, a->now);
    table_arrange(&a->paid_models, a->now);
    if (a->cost_shown == 2) a->in_paid = true;
    if (a->cost_shown == 1) a->in_paid = false;
    if ((a->cost_shown || a->zoom) && one.h > 0) { /* one list takes the room of both */
        one.h = one.y == two.y ? one.h : one.h + two.h;
        one.w = two.x + two.w - one.x;
        draw_list(a, one, table(a), a->in_paid ? MSG_SEC_PAID : MSG_SEC_FREE, "");
    } else if (one.h > 0) {
        draw_list(a, one, &a->free_models, MSG_SEC_FREE, a->in_paid ? tr(MSG_SEC_SWAP) : "");
        draw_list(a, two, &a->paid_models, MSG_SEC_PAID, a->in_paid ? "" : tr(MSG_SEC_SWAP));
    }
    struct rect r = app_rect(a, R_DETAIL);
    if (r.h > 0) draw_detail(a, r);
}

static void ban(struct app *a)
{
    char text[400], whole[460];
    const struct snap_model *m = table_selected(table(a));
    if (app_refuse_readonly(a)) return;
    if (!m) {
        app_say(a, TOAST_WARN, MSG_T_NO_ROW);
        return;
    }
    if (m->banned && m->ban_from_file) {
        app_say(a, TOAST_WARN, MSG_T_BAN_FILE);
        return;
    }
    if (!app_post(a, m->banned ? CMD_MODEL_UNBAN : CMD_MODEL_BAN, "", m->id, 0, 1)) return;
    app_undo_model(a, m->id, m->banned);
    tr_with(text, sizeof text, m->banned ? MSG_T_UNBANNED : MSG_T_BANNED, m->id, NULL);
    app_toast(a, TOAST_INFO, tr_with(whole, sizeof whole, MSG_T_UNDO_HINT, text, NULL));
}

/* The answer comes later and says how many models there are. */
void models_refresh(struct app *a)
{
    if (app_post(a, CMD_MODELS_REFRESH, "", NULL, 0, 0)) app_say(a, TOAST_INFO, MSG_T_REFRESHING);
}

/* Down at the end of the first list enters the second, and back. */
static bool cross(struct app *a, enum action act)
{
    struct table *t = table(a);
    bool stacked = app_rect(a, R_MAIN).y != app_rect(a, R_SECOND).y && !a->cost_shown;
    if (stacked && act == ACT_DOWN && !a->in_paid && t->at + 1 >= t->count) {
        a->in_paid = true;
        return table_action(&a->paid_models, ACT_FIRST, a->now);
    }
    if (stacked && act == ACT_UP && a->in_paid && t->at == 0) {
        a->in_paid = false;
        return table_action(&a->free_models, ACT_LAST, a->now);
    }
    return false;
}

static bool act(struct app *a, enum action action)
{
    switch (action) {
    case ACT_UP:
    case ACT_DOWN: return cross(a, action);
    case ACT_BAN: ban(a); return true;
    case ACT_REFRESH: models_refresh(a); return true;
    case ACT_COST: a->cost_shown = (a->cost_shown + 1) % 3; return true;
    case ACT_SWAP: a->in_paid = !a->in_paid; return true;
    case ACT_LEFT:
    case ACT_RIGHT: a->in_paid = action == ACT_RIGHT; return true;
    case ACT_OPEN: a->detail = table(a)->count > 0; return true;
    case ACT_COPY: {
        const struct snap_model *m = table_selected(table(a));
        if (m) app_copy(a, m->id);
        return true;
    }
    default: return false;
    }
}

/* Both lists share one filter: the FREE list's; the frame copies it over before arranging. */
static char *filter(struct app *a)
{
    return a->free_models.filter;
}

const struct view_ops view_models = {MSG_MODELS, draw, act, table, filter};
