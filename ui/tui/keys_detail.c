/* Keys: the detail of one key. */
#include "ui/tui/app.h"
#include "ui/tui/text.h"

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

/* What is left and where the figure comes from; a metered one names what it was counted down from. */
static void draw_money(struct app *a, struct rect *r, const struct snap_key *s)
{
    const struct key_view *k = &s->view;
    char line[400], balance[64], origin[64], spent[40], from[80] = "";
    view_balance(a, s, balance, sizeof balance);
    view_origin(a, s, origin, sizeof origin);
    if (s->balance_origin == BALANCE_METERED && !a->privacy)
        tr_with(from, sizeof from, MSG_D_OF, num_money(k->balance_micro).s,
                tr(k->balance_origin == BALANCE_SET ? MSG_ORIGIN_SET : MSG_ORIGIN_API), NULL);
    tr_with(line, sizeof line, MSG_D_BALANCE, balance, origin[0] ? origin : "-", from,
            view_spent(a, s->spent_today_micro, spent, sizeof spent),
            a->privacy      ? "****"
            : k->account[0] ? k->account
                            : "-",
            NULL);
    view_line(a, r, ROLE_NORMAL, line);
}

static void draw_source(struct app *a, struct rect *r, const struct key_view *k)
{
    char line[700];
    tr_with(line, sizeof line, k->from_file ? MSG_D_ORIGIN : MSG_D_RUNTIME,
            a->privacy     ? "****"
            : k->from_file ? k->origin
                           : a->snap->state_dir,
            NULL);
    view_line(a, r, ROLE_DIM, line);
}

/* The keys that an account holds. */
static void draw_members(struct app *a, struct rect *r, const struct snap_key *account)
{
    const struct key_view *keys[64];
    char line[200], name[64];
    size_t n = MIN(keys_of_account(a, account->view.account, keys, ARRAY_LEN(keys)), ARRAY_LEN(keys));
    for (size_t i = 0; i < n; i++) {
        snprintf(line, sizeof line, "%s %s  %s  %s  %s", view_state_symbol(keys[i]->state),
                 view_key_name(a, keys[i]->id, name, sizeof name), tr(view_class_word(keys[i]->class)),
                 tr(view_state_word(keys[i]->state)), a->privacy ? "" : keys[i]->label);
        view_line(a, r, view_state_role(keys[i]->state), line);
    }
}

/* What it was used for lately, the newest first, against the limits that are known. */
static void draw_cells(struct app *a, struct rect *r, const struct snap_key *s)
{
    char line[600], limits[200], model[160];
    const char *account = view_account(&s->view);
    for (size_t i = 0; i < a->snap->cell_count && r->h > 0; i++) {
        const struct snap_cell *c = &a->snap->cells[i];
        if (strcmp(c->account, account) != 0) continue;
        view_limits(c, limits, sizeof limits);
        text_fit(model, sizeof model, c->model, 32, false);
        snprintf(line, sizeof line, "%s  %s", model, limits);
        view_line(a, r, c->in_flight ? ROLE_NORMAL : ROLE_DIM, line);
    }
}

void keys_draw_detail(struct app *a, struct rect r)
{
    char line[400], part[200], part2[200];
    const struct snap_key *s = table_selected(&a->keys);
    if (s)
        keys_row_name(a, s, part, sizeof part);
    else
        snprintf(part, sizeof part, "-");
    tr_with(line, sizeof line, MSG_SEC_DETAIL, part, NULL);
    put_bar(&a->canvas, r.y, r.x, r.w, line, tr(MSG_ESC_CLOSES));
    r.y++, r.h--;
    if (!s) return;
    const struct key_view *k = &s->view;
    tr_with(line, sizeof line, MSG_D_CLASS, tr(view_class_word(k->class)),
            k->class_evidence[0] ? k->class_evidence : "-", tr(view_state_word(k->state)), num_plain(k->in_flight).s,
            NULL);
    view_line(a, &r, ROLE_NORMAL, line);
    draw_money(a, &r, s);
    tr_with(line, sizeof line, MSG_D_TRIES, num_grouped(k->ok).s, num_grouped(k->failed).s, num_grouped(k->limited).s,
            num_si(s->meter.rates.rpm).s, num_si(s->meter.rates.tpm).s, num_si(s->meter.rates.rpd).s,
            num_si(s->meter.rates.tpd).s, NULL);
    view_line(a, &r, ROLE_NORMAL, line);
    view_ago(a, k->used_at, part, sizeof part);
    view_ago(a, k->tested_at, part2, sizeof part2);
    tr_with(line, sizeof line, MSG_D_USED, part, part2, num_seconds(s->meter.ttft_ms).s, NULL);
    view_line(a, &r, ROLE_NORMAL, line);
    if (!keys_is_account(a, s)) draw_source(a, &r, k);
    draw_last_error(a, &r, k);
    draw_cooldowns(a, &r, k);
    if (keys_is_account(a, s)) draw_members(a, &r, s);
    draw_cells(a, &r, s);
}
