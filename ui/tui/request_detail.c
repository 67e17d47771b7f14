/* The detail of one request: what was asked, what it used, every try on a line of time, and how the pool stands for its
 * model now. Its text (prompts, answers) is never here. */
#include "ui/tui/app.h"
#include "ui/tui/text.h"

/* --- the line of time --- */

struct timeline {
    int64_t total; /* ms */
    int cells;
};

/* Two halves a cell: waiting is low, bytes coming in are high. */
static void draw_bar(const struct app *a, const struct timeline *t, int64_t from, int64_t first_byte, int64_t to,
                     char *out, size_t size)
{
    static const char *const braille[3][3] = {{" ", "⢀", "⢸"}, {"⡀", "⣀", "⣸"}, {"⡇", "⣇", "⣿"}};
    int n = t->cells * 2, begin = (int)(from * n / t->total), end = (int)((to * n + t->total - 1) / t->total);
    int coming = first_byte < 0 ? n : (int)(first_byte * n / t->total);
    out[0] = '\0';
    for (int i = 0; i < n; i += 2) {
        int half[2];
        for (int k = 0; k < 2; k++) {
            bool in = i + k >= begin && i + k < MAX(end, begin + 1);
            half[k] = !in ? 0 : i + k >= coming ? 2 : 1;
        }
        if (a->ascii || a->ascii_graph)
            text_add(out, size, half[0] + half[1] == 0 ? " " : MAX(half[0], half[1]) == 2 ? "#" : "-");
        else
            text_add(out, size, braille[half[0]][half[1]]);
    }
}

static struct timeline timeline(const struct app *a, const struct snap_request *q, int width)
{
    struct timeline t = {MAX(request_age(a, q), 1), MIN(MAX(width - 58, 0), 40)};
    for (int i = 0; i < q->r.tries && i < RECORD_TRIES; i++)
        t.total = MAX(t.total, (int64_t)q->r.try_list[i].at_ms + q->r.try_list[i].took_ms);
    if (t.cells < 8) t.cells = 0;
    return t;
}

struct try_line {
    const char *number, *status, *result, *message;
    int64_t at, first_byte, end;
    const char *key_id;
    enum role role;
};

static void draw_try(struct app *a, struct rect *r, const struct timeline *t, const struct try_line *l)
{
    char line[600], name[64], bar[200] = "", key[80], result[80];
    view_key_name(a, l->key_id, name, sizeof name);
    text_fit(key, sizeof key, name, 13, false);
    text_fit(result, sizeof result, l->result, 12, false);
    if (t->cells) draw_bar(a, t, l->at, l->first_byte, l->end, bar, sizeof bar);
    snprintf(line, sizeof line, "%-2s %6s %s %-3s %s %6s%s%s%s%s", l->number, num_seconds(l->at).s, key, l->status,
             result, num_seconds(l->end - l->at).s, t->cells ? " " : "", bar, l->message[0] ? "  " : "", l->message);
    view_line(a, r, l->role, line);
}

static void draw_tries(struct app *a, struct rect *r, const struct snap_request *q)
{
    const struct record *d = &q->r;
    struct timeline t = timeline(a, q, r->w);
    char line[300], number[16], status[16], head[80];
    if (d->tries == 0 && !d->key_id[0]) {
        view_line(a, r, ROLE_DIM, tr(MSG_R_NO_TRY));
        return;
    }
    tr_with(head, sizeof head, MSG_R_TIMELINE, num_seconds(t.total).s, NULL);
    snprintf(line, sizeof line, "%s%s%s", tr(MSG_R_TRIES), t.cells ? " " : "", t.cells ? head : "");
    view_line(a, r, ROLE_DIM, line);
    for (int i = 0; i < d->tries && i < RECORD_TRIES; i++) {
        const struct try_record *v = &d->try_list[i];
        bool ok = v->verdict == VERDICT_OK;
        snprintf(number, sizeof number, "%d", i + 1);
        snprintf(status, sizeof status, "%d", v->status);
        struct try_line l = {number,
                             v->status ? status : "-",
                             view_verdict((enum verdict)v->verdict),
                             v->message,
                             v->at_ms,
                             ok && d->ttft_ms >= 0 ? d->ttft_ms : -1,
                             (int64_t)v->at_ms + v->took_ms,
                             v->key_id,
                             ok ? ROLE_NORMAL : ROLE_WARN};
        draw_try(a, r, &t, &l);
    }
    if (!q->live || !d->key_id[0]) return;
    int64_t since = d->tries ? d->try_list[MIN(d->tries, RECORD_TRIES) - 1].at_ms : 0;
    snprintf(number, sizeof number, "%d", d->tries + 1);
    draw_try(
        a, r, &t,
        &(struct try_line){number, "..", view_step(q->state), "", since, d->ttft_ms, t.total, d->key_id, ROLE_BUSY});
}

/* --- why this key --- */

/* How the keys stand for the model, now: what a request that comes would find. */
static void draw_why(struct app *a, struct rect *r, const struct record *d)
{
    const struct snapshot *s = a->snap;
    size_t n[KEY_STATE_COUNT] = {0};
    char line[400], name[64], use[120];
    snprintf(use, sizeof use, "%s", tr(MSG_LIMIT_NONE));
    const struct snap_key *key = d->key_id[0] ? view_find_key(a, d->key_id) : NULL;
    for (size_t i = 0; i < s->key_count; i++) n[s->keys[i].view.state]++;
    for (size_t i = 0; key && i < s->cell_count; i++) {
        const struct snap_cell *c = &s->cells[i];
        if (strcmp(c->model, d->model) != 0 || strcmp(c->account, view_account(&key->view)) != 0) continue;
        view_limits(c, use, sizeof use);
        break;
    }
    if (key) {
        view_key_name(a, d->key_id, name, sizeof name);
        tr_with(line, sizeof line, MSG_R_WHY_KEY, name, tr(view_class_word(key->view.class)), use, NULL);
        view_line(a, r, ROLE_DIM, line);
    }
    tr_with(line, sizeof line, MSG_R_WHY_POOL, num_plain(n[KEY_READY] + n[KEY_BUSY]).s, num_plain(n[KEY_COOLING]).s,
            num_plain(n[KEY_OFF] + n[KEY_DRAINING]).s, num_plain(n[KEY_BAD]).s, num_plain(s->key_count).s, NULL);
    view_line(a, r, ROLE_DIM, line);
}

/* --- the whole --- */

static void draw_head(struct app *a, struct rect *r, const struct snap_request *q)
{
    const struct record *d = &q->r;
    char line[900], part[80], status[16];
    wall_format_time(d->wall, part, sizeof part);
    tr_with(line, sizeof line, MSG_R_LINE1, d->method, d->path, tr(d->stream ? MSG_R_STREAM : MSG_R_WHOLE),
            a->privacy ? "****" : d->client, part, NULL);
    view_line(a, r, ROLE_NORMAL, line);
    snprintf(status, sizeof status, "%d", d->status);
    tr_with(line, sizeof line, MSG_R_LINE2, d->model[0] ? d->model : "-", view_step(q->state), d->status ? status : "-",
            q->live ? ".." : view_end(d->end), NULL);
    view_line(a, r, q->live || d->end == END_OK ? ROLE_NORMAL : ROLE_WARN, line);
    if (d->asked[0]) view_line(a, r, ROLE_NORMAL, tr_with(line, sizeof line, MSG_R_ASKED, d->asked, NULL));
}

static void draw_use(struct app *a, struct rect *r, const struct snap_request *q)
{
    const struct record *d = &q->r;
    bool known = d->usage.known;
    char line[500], part[40], cost[40];
    request_speed(d, part, sizeof part);
    snprintf(cost, sizeof cost, "%s", a->privacy ? "****" : q->live ? "-" : num_cost(d->cost_micro).s);
    tr_with(line, sizeof line, MSG_R_LINE3, known ? num_grouped((uint64_t)d->usage.in).s : "?",
            known ? num_grouped((uint64_t)d->usage.out).s : "?", known ? num_grouped((uint64_t)d->usage.cached).s : "?",
            cost, d->ttft_ms < 0 ? "-" : num_seconds(d->ttft_ms).s, num_seconds(request_age(a, q)).s, part, NULL);
    view_line(a, r, ROLE_NORMAL, line);
}

void request_draw_detail(struct app *a, struct rect r)
{
    char line[200];
    const struct snap_request *q = table_selected(&a->requests);
    tr_with(line, sizeof line, MSG_SEC_DETAIL, q ? num_plain(q->r.id).s : "-", NULL);
    put_bar(&a->canvas, r.y, r.x, r.w, line, tr(MSG_ESC_CLOSES));
    r.y++, r.h--;
    if (!q) {
        view_line(a, &r, ROLE_DIM, tr(MSG_R_GONE));
        return;
    }
    draw_head(a, &r, q);
    draw_use(a, &r, q);
    draw_tries(a, &r, q);
    draw_why(a, &r, &q->r);
    tr_with(line, sizeof line, MSG_R_BYTES, num_si(q->r.bytes_up).s, num_si(q->r.bytes_down).s, NULL);
    view_line(a, &r, ROLE_DIM, line);
}
