/* Keys: the heat-map. Rows are the keys of the table (or its accounts), columns are models, the busiest first; a field
 * says how far each limit is used, that a pair cools and how long, or "?" where no limit is known. One look says why a
 * request goes where it goes; the line below puts the field under the cursor into words.
 *
 * The platform limits a model of an account, so that keys of one account show the same. Everything is looked up in the
 * cells of the snapshot once a frame: models and rows on the screen are hashed, then each cell is put where it belongs.
 */
#include "ui/tui/app.h"
#include "base/mem.h"
#include "ui/tui/text.h"

enum { FIELD = 13, MODELS_SEEN = 24, ROWS_SEEN = 128, BAR = 4, FOOT = 2 };

struct column_model {
    uint64_t hash;
    const char *id;
    uint64_t rpd;
    enum model_cost cost;
    const struct snap_model *known; /* NULL: only its cells are there */
    bool used;
};

struct heat {
    struct app *a;
    struct rect rows;
    struct column_model *models; /* those with a cell, sorted */
    size_t count, first, shown;
    uint64_t accounts[ROWS_SEEN];
    size_t row_count;
    const struct snap_cell *at[ROWS_SEEN][MODELS_SEEN];
};

static int busier(const void *x, const void *y)
{
    const struct column_model *a = x, *b = y;
    if (a->used != b->used) return a->used ? -1 : 1;
    if (a->rpd != b->rpd) return a->rpd > b->rpd ? -1 : 1;
    return strcmp(a->id, b->id);
}

static void add_unlisted(struct heat *h, const char *id, uint64_t hash, size_t room)
{
    if (h->count < room) h->models[h->count++] = (struct column_model){hash, id, 0, COST_UNKNOWN, NULL, true};
}

/* Models with a cell, those with the most requests of the day first: an order that does not jump. */
static void find_models(struct heat *h)
{
    const struct snapshot *s = h->a->snap;
    size_t room = s->model_count + s->cell_count;
    h->models = xcalloc(room + 1, sizeof *h->models);
    for (size_t i = 0; i < s->model_count; i++) {
        const struct snap_model *m = &s->models[i];
        if (!m->other)
            h->models[h->count++] = (struct column_model){view_hash(m->id), m->id, m->rates.rpd, m->cost, m, false};
    }
    for (size_t i = 0; i < s->cell_count; i++) {
        uint64_t hash = view_hash(s->cells[i].model);
        size_t k = 0;
        while (k < h->count && h->models[k].hash != hash) k++;
        if (k < h->count)
            h->models[k].used = true;
        else if (s->cells[i].model[0])
            add_unlisted(h, s->cells[i].model, hash, room);
    }
    qsort(h->models, h->count, sizeof *h->models, busier);
    size_t used = 0;
    while (used < h->count && h->models[used].used) used++;
    h->count = used;
}

static const struct snap_key *row_key(const struct heat *h, size_t i)
{
    return h->a->keys.order[h->a->keys.top + i];
}

static void place_cells(struct heat *h)
{
    const struct snapshot *s = h->a->snap;
    const struct table *t = &h->a->keys;
    h->row_count = MIN(MIN((size_t)MAX(h->rows.h, 0), t->count - t->top), (size_t)ROWS_SEEN);
    for (size_t r = 0; r < h->row_count; r++) h->accounts[r] = view_hash(view_account(&row_key(h, r)->view));
    for (size_t i = 0; i < s->cell_count; i++) {
        const struct snap_cell *c = &s->cells[i];
        uint64_t model = view_hash(c->model), account = view_hash(c->account);
        size_t m = 0;
        while (m < h->shown && h->models[h->first + m].hash != model) m++;
        for (size_t r = 0; m < h->shown && r < h->row_count; r++)
            if (h->accounts[r] == account) h->at[r][m] = c;
    }
}

/* --- one field --- */

/* What holds this key back for this model: a cooldown of the pair, of paid models, or of the whole key. */
static int64_t cooldown(const struct app *a, const struct key_view *k, const struct column_model *m,
                        const struct snap_cell *c, enum verdict *why)
{
    int64_t best = c ? c->ms_left - view_elapsed(a) : 0;
    if (best > 0) *why = c->reason;
    for (size_t i = 0; i < k->cooldown_count && i < ARRAY_LEN(k->cooldowns); i++) {
        const struct key_cooldown_view *v = &k->cooldowns[i];
        bool pro = strncmp(m->id, "Pro/", 4) == 0;
        bool hits = !v->model[0] || strcmp(v->model, m->id) == 0 || (strcmp(v->model, "(Pro/)") == 0 && pro) ||
                    (strcmp(v->model, "(paid)") == 0 && m->cost != COST_FREE && !pro);
        int64_t left = v->ms_left - view_elapsed(a);
        if (!hits || left <= best) continue;
        best = left;
        *why = v->reason;
    }
    return best;
}

/* Per mille of the limit that is used most, -1 no limit is known; `what` names it. */
static int used_of(const struct snap_cell *c, const char **what)
{
    int64_t rpm = c->limit_rpm > 0 ? (int64_t)c->rpm * 1000 / c->limit_rpm : -1;
    int64_t tpm = c->limit_tpm > 0 ? (int64_t)c->tpm * 1000 / c->limit_tpm : -1;
    *what = tpm > rpm ? "TPM" : "RPM";
    return (int)MIN(MAX(rpm, tpm), 9990);
}

static void bar(const struct app *a, int per_mille, char *out, size_t size)
{
    int dots = per_mille > 0 ? MAX(MIN(per_mille, 1000) * BAR * 2 / 1000, 1) : 0;
    out[0] = '\0';
    for (int i = 0; i < BAR; i++, dots -= 2) {
        if (a->ascii || a->ascii_graph)
            text_add(out, size, dots >= 2 ? "#" : dots == 1 ? "|" : ".");
        else
            text_add(out, size, dots >= 2 ? "⣿" : dots == 1 ? "⣇" : "⣀");
    }
}

static const char *out_of_use(const struct key_view *k)
{
    bool out = k->state == KEY_OFF || k->state == KEY_BAD || k->state == KEY_DRAINING;
    return out ? tr(view_state_word(k->state)) : NULL;
}

static enum role field(const struct app *a, const struct snap_key *key, const struct column_model *m,
                       const struct snap_cell *c, char *out, size_t size)
{
    enum verdict why = VERDICT_OK;
    const char *what, *off = out_of_use(&key->view);
    char dots[32];
    int64_t left = cooldown(a, &key->view, m, c, &why);
    if (off) return (void)snprintf(out, size, "%s", off), ROLE_OFF;
    if (left > 0) return (void)snprintf(out, size, "~%s %s", num_span(left).s, view_verdict(why)), ROLE_WARN;
    int used = c ? used_of(c, &what) : -1;
    if (used < 0) {
        snprintf(out, size, c && c->rpm ? "%s/m  ?" : "?", c ? num_si(c->rpm).s : "");
        return c && c->in_flight ? ROLE_BUSY : c && c->rpm ? ROLE_NORMAL : ROLE_DIM;
    }
    bar(a, used, dots, sizeof dots);
    snprintf(out, size, "%s %3d%% %s", dots, (used + 5) / 10, what);
    return used >= 850 ? ROLE_BAD : used >= 600 ? ROLE_WARN : c->in_flight ? ROLE_BUSY : used ? ROLE_OK : ROLE_DIM;
}

/* --- the words below --- */

static void explain(struct heat *h, struct rect r, const struct snap_key *key, const struct column_model *m,
                    const struct snap_cell *c)
{
    struct app *a = h->a;
    char line[700], name[64], part[200] = "", limits[200] = "";
    enum verdict why = VERDICT_OK;
    int64_t left = cooldown(a, &key->view, m, c, &why);
    keys_row_name(a, key, name, sizeof name);
    if (c) view_limits(c, limits, sizeof limits);
    if (out_of_use(&key->view))
        snprintf(part, sizeof part, "%s", out_of_use(&key->view));
    else if (left > 0)
        tr_with(part, sizeof part, MSG_MAP_COOLS, num_span(left).s, verdict_sentence(why), NULL);
    else if (c)
        tr_with(part, sizeof part, MSG_MAP_FLIGHT, num_plain(c->in_flight).s, NULL);
    else
        snprintf(part, sizeof part, "%s", tr(MSG_MAP_NEVER));
    snprintf(line, sizeof line, "%s  %s: %s%s%s", name, m->id, part, limits[0] ? "  " : "", limits);
    if (m->known) {
        tr_with(part, sizeof part, MSG_MAP_USABLE, num_plain(m->known->keys_usable).s, num_plain(a->snap->key_count).s,
                NULL);
        text_addf(line, sizeof line, "  %s", part);
    }
    put(&a->canvas, r.y, r.x + 1, r.w - 1, left > 0 ? ROLE_WARN : ROLE_STRONG, line);
}

/* --- the whole --- */

static void draw_head(struct heat *h, int y, int x)
{
    struct app *a = h->a;
    for (size_t m = 0; m < h->shown; m++) {
        bool on = h->first + m == (size_t)a->map_at;
        const char *id = h->models[h->first + m].id, *slash = strrchr(id, '/');
        char name[80], title[90];
        text_fit(name, sizeof name, slash ? slash + 1 : id, MIN(text_width(slash ? slash + 1 : id), FIELD - 2 * on),
                 false);
        snprintf(title, sizeof title, on ? "[%s]" : "%s", name);
        put_pad(&a->canvas, y, x + (int)m * (FIELD + 1), FIELD, on ? ROLE_STRONG : ROLE_DIM, title);
    }
}

static void draw_row(struct heat *h, size_t i, int x)
{
    struct app *a = h->a;
    const struct table *t = &a->keys;
    const struct snap_key *key = row_key(h, i);
    int y = h->rows.y + (int)i, left = h->rows.x;
    struct cell name = {.text = "", .role = ROLE_NORMAL};
    bool on = t->top + i == t->at;
    put(&a->canvas, y, left, 1, ROLE_STRONG, on ? ">" : " ");
    if (table_shows_mark(t, t->top + i)) put(&a->canvas, y, left + 2, 1, ROLE_WARN, "*");
    put(&a->canvas, y, left + 4, 1, view_state_role(key->view.state), view_state_symbol(key->view.state));
    keys_name_cell(a, key, &name);
    put_pad(&a->canvas, y, left + 6, 13, name.role, name.text);
    for (size_t m = 0; m < h->shown; m++) {
        char text[96];
        enum role role = field(a, key, &h->models[h->first + m], h->at[i][m], text, sizeof text);
        put_pad(&a->canvas, y, x + (int)m * (FIELD + 1), FIELD, role, text);
        if (on && h->first + m == (size_t)a->map_at) put_reverse(&a->canvas, y, x + (int)m * (FIELD + 1), FIELD);
    }
}

void map_draw(struct app *a, struct rect r)
{
    struct heat *h = xcalloc(1, sizeof *h);
    int x = r.x + 20, foot = r.h >= 8 ? FOOT : 0;
    h->a = a;
    h->rows = (struct rect){r.y + 1, r.x, r.h - 1 - foot, r.w};
    find_models(h);
    table_place(&a->keys, h->rows);
    a->map_at = MIN(MAX(a->map_at, 0), MAX((int)h->count - 1, 0));
    size_t room = (size_t)MIN(MAX((r.x + r.w - x + 1) / (FIELD + 1), 1), MODELS_SEEN);
    h->first = (size_t)a->map_at >= room ? (size_t)a->map_at - room + 1 : 0;
    h->shown = MIN(room, h->count - h->first);
    place_cells(h);
    draw_head(h, r.y, x);
    for (size_t i = 0; i < h->row_count; i++) draw_row(h, i, x);
    struct rect line = {r.y + r.h - foot, r.x, 1, r.w};
    if (h->count == 0)
        put(&a->canvas, r.y, x, r.w, ROLE_DIM, tr(MSG_MAP_EMPTY));
    else if (foot && table_selected(&a->keys) && a->keys.at - a->keys.top < h->row_count)
        explain(h, line, table_selected(&a->keys), &h->models[a->map_at],
                h->at[a->keys.at - a->keys.top][(size_t)a->map_at - h->first]);
    line.y++;
    if (foot) put(&a->canvas, line.y, r.x + 1, r.w - 1, ROLE_DIM, tr(MSG_MAP_LEGEND));
    free(h->models);
    free(h);
}

void map_move(struct app *a, int models)
{
    a->map_at = MAX(a->map_at + models, 0);
}
