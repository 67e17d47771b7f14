/* Keys: the table, the detail of one key, and the verbs. A verb works on the marked keys, else on the row under the
 * cursor; it is posted as one command per key and undone the same way. */
#include "ui/tui/app.h"
#include "base/mem.h"
#include "ui/tui/text.h"

/* Where the health strip has no room for it. */
static const char *bar_money(const struct app *a, char *out, size_t size)
{
    char balance[64], spent[40];
    const struct snapshot *s = a->snap;
    if (!s || a->canvas.w >= 110) return "";
    tr_with(out, size, MSG_SEC_BALANCE, view_total_balance(a, balance, sizeof balance), NULL);
    if (s->totals.cost_today >= 0)
        text_addf(out, size, "  %s %s", tr(MSG_COL_SPENT), view_spent(a, s->totals.cost_today, spent, sizeof spent));
    return out;
}

static void draw(struct app *a)
{
    char title[64], money[120];
    struct rect r = app_rect(a, R_MAIN);
    table_arrange(&a->keys, a->now);
    if (r.h > 0) {
        snprintf(title, sizeof title, "%s %zu", tr(a->heat_map ? MSG_SEC_MAP : MSG_KEYS),
                 a->snap ? a->snap->key_count : 0);
        view_bar(a, r, title, &a->keys, bar_money(a, money, sizeof money));
        r.y++, r.h--;
        if (a->heat_map && a->snap)
            map_draw(a, r);
        else
            table_draw(&a->keys, &a->canvas, r, true);
        view_empty(a, r, &a->keys, tr(MSG_EMPTY_KEYS));
    }
    r = app_rect(a, R_DETAIL);
    if (r.h > 0) keys_draw_detail(a, r);
}

/* Adds the key, or the keys of an account, unless they are in the list. */
static size_t choose(const struct app *a, const struct snap_key *row, const struct key_view **out, size_t n,
                     size_t room)
{
    const struct key_view *keys[256] = {&row->view};
    size_t count = 1;
    if (keys_is_account(a, row))
        count = MIN(keys_of_account(a, row->view.account, keys, ARRAY_LEN(keys)), ARRAY_LEN(keys));
    for (size_t i = 0; i < count && n < room; i++) {
        bool there = false;
        for (size_t k = 0; k < n && !there; k++) there = out[k] == keys[i];
        if (!there) out[n++] = keys[i];
    }
    return n;
}

size_t keys_chosen(struct app *a, const struct key_view **out, size_t room)
{
    size_t n = 0;
    if (a->keys.range_from) (void)table_action(&a->keys, ACT_RANGE, a->now); /* a verb closes an open range */
    for (size_t i = 0; a->snap && i < a->snap->key_count; i++)
        if (table_is_marked(&a->keys, view_hash(a->snap->keys[i].view.id)))
            n = choose(a, &a->snap->keys[i], out, n, room);
    for (size_t i = 0; i < a->accounts.made_count; i++)
        if (table_is_marked(&a->keys, view_hash(a->accounts.made[i].view.id)))
            n = choose(a, &a->accounts.made[i], out, n, room);
    const struct snap_key *s = table_selected(&a->keys);
    if (n == 0 && s && room) n = choose(a, s, out, n, room);
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
    if ((kind == CMD_KEY_TEST || kind == CMD_KEY_TEST_DEEP) && n > 0) {
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

void keys_test_deep(struct app *a)
{
    for_chosen(a, CMD_KEY_TEST_DEEP, 0);
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
    const struct key_view *k = &s->view; /* of an account: its first key carries what they share */
    if (keys_is_account(a, s) && (kind == PROMPT_LABEL || !keys_of_account(a, k->account, &k, 1))) {
        app_say(a, TOAST_INFO, MSG_T_IS_ACCOUNT);
        return;
    }
    view_key_name(a, k->id, name, sizeof name);
    prompt_open(a, kind, tr_with(text, sizeof text, title, name, NULL));
    str_copy(a->prompt.subject, sizeof a->prompt.subject, str_of(k->id));
    if (kind == PROMPT_LABEL && !a->privacy) buf_puts(&a->prompt.text, k->label);
}

void keys_act_add(struct app *a)
{
    if (!app_refuse_readonly(a)) prompt_open(a, PROMPT_ADD, tr(MSG_P_ADD));
}

/* Folding means something only where accounts hold several keys. */
static void group(struct app *a)
{
    a->grouped = !a->grouped;
    keys_rows_build(a);
    if (a->grouped && a->accounts.made_count == 0) {
        a->grouped = false;
        app_say(a, TOAST_INFO, MSG_T_NO_ACCOUNTS);
        return;
    }
    app_setting(a, "ui.accounts", a->grouped ? "yes" : "no");
    a->keys.hold_until = (mono_t){0};
}

static void fold(struct app *a, bool open)
{
    const struct snap_key *s = table_selected(&a->keys);
    if (a->heat_map)
        map_move(a, open ? 1 : -1);
    else if (s && a->grouped)
        keys_fold(a, s, open);
}

static void open_row(struct app *a)
{
    a->detail = a->keys.count > 0;
}

static bool act(struct app *a, enum action action)
{
    switch (action) {
    case ACT_MAP: a->heat_map = !a->heat_map; return true;
    case ACT_GROUP: group(a); return true;
    case ACT_LEFT: fold(a, false); return true;
    case ACT_RIGHT: fold(a, true); return true;
    case ACT_TOGGLE: toggle(a); return true;
    case ACT_TEST: for_chosen(a, CMD_KEY_TEST, 0); return true;
    case ACT_TEST_ALL: keys_test_all(a, "all", false); return true;
    case ACT_TEST_BAD: keys_test_all(a, "bad", false); return true;
    case ACT_ADD: keys_act_add(a); return true;
    case ACT_DELETE: ask_delete(a); return true;
    case ACT_RESET: for_chosen(a, CMD_KEY_RESET, 0); return true;
    case ACT_LABEL: ask_text(a, PROMPT_LABEL, MSG_P_LABEL); return true;
    case ACT_BALANCE: ask_text(a, PROMPT_BALANCE, MSG_P_BALANCE); return true;
    case ACT_OPEN: open_row(a); return true;
    case ACT_COPY: {
        const struct snap_key *s = table_selected(&a->keys);
        char name[64];
        if (s) app_copy(a, keys_row_name(a, s, name, sizeof name));
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
