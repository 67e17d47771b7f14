/* Verbs of every view: commands to the control thread and their answers, toasts, undo, settings, the command line. */
#include "ui/tui/app.h"
#include "base/log.h"
#include "base/mem.h"
#include "ui/tui/term.h"
#include "ui/tui/text.h"

enum { INFO_MS = 4000, WARN_MS = 8000, UNDO_MS = 10000, TWICE_MS = 2000, QUIET = 1 };

void app_toast(struct app *a, enum toast_kind kind, const char *text)
{
    static const int ms[] = {INFO_MS, WARN_MS, 0};
    static const enum log_level levels[] = {LOG_INFO, LOG_WARN, LOG_ERROR};
    log_msg(levels[kind], "screen: %s", text);
    if (a->toast.shown && a->toast.kind == TOAST_ERROR && kind != TOAST_ERROR) return; /* an error waits for a key */
    a->toast.kind = kind;
    a->toast.shown = true;
    a->toast.until = mono_add(a->now, ms[kind]);
    text_fit(a->toast.text, sizeof a->toast.text, text, MIN(text_width(text), 300), false);
}

void app_say(struct app *a, enum toast_kind kind, enum msg m)
{
    app_toast(a, kind, tr(m));
}

bool app_refuse_readonly(struct app *a)
{
    bool readonly = a->options.readonly || (a->snap && a->snap->readonly);
    if (readonly) app_say(a, TOAST_WARN, MSG_T_READONLY);
    return readonly;
}

bool app_post(struct app *a, enum command_kind kind, const char *subject, const char *text, uint64_t number,
              uint64_t tag)
{
    if (command_changes(kind) && app_refuse_readonly(a)) return false;
    struct command *c = command_new(kind);
    str_copy(c->subject, sizeof c->subject, str_of(subject));
    c->text = text ? xstrdup(text) : NULL;
    c->number = number;
    c->flag = kind == CMD_SCREEN_HIDDEN && number != 0;
    c->tag = tag;
    inbox_attach(a->inbox, c);
    if (control_post(a->control, c)) return true;
    inbox_detach(a->inbox, c);
    command_free(c);
    app_say(a, TOAST_WARN, MSG_T_SHUTTING_DOWN);
    return false;
}

void app_setting(struct app *a, const char *name, const char *value)
{
    (void)app_post(a, CMD_SETTING, name, value, 0, QUIET);
}

void app_load_settings(struct app *a)
{
    const char *window = control_setting(a->control, "ui.window"), *lang = control_setting(a->control, "ui.lang");
    const char *mouse = control_setting(a->control, "ui.mouse"), *privacy = control_setting(a->control, "ui.privacy");
    for (int w = 0; window && w < WINDOW_COUNT; w++)
        if (strcmp(window, view_window_name((enum graph_window)w)) == 0) a->window = (enum graph_window)w;
    enum lang l = a->options.lang ? (enum lang)(a->options.lang - 1) : lang_of_environment();
    if (!a->options.lang && lang) l = strcmp(lang, "zh") == 0 ? LANG_ZH : LANG_EN;
    lang_set(a->ascii ? LANG_EN : l);
    columns_load(a);
    a->mouse = a->options.mouse && !(mouse && strcmp(mouse, "no") == 0);
    a->privacy = a->options.privacy || (privacy && strcmp(privacy, "yes") == 0);
}

void app_copy(struct app *a, const char *text)
{
    char said[500];
    term_copy(text);
    app_toast(a, TOAST_INFO, tr_with(said, sizeof said, MSG_T_COPIED, text, NULL));
}

void app_save(struct app *a)
{
    struct buf text = BUF_INIT(1 << 20);
    char *masked;
    a->save_asked = false;
    buf_printf(&text, "%s\n", a->save_name);
    draw_read(&a->canvas, &text);
    masked = xcalloc(1, text.len + 1);
    text_mask_keys(masked, text.len + 1, buf_cstr(&text));
    (void)app_post(a, CMD_SCREEN_SAVE, "", masked, 0, 0);
    free(masked);
    buf_free(&text);
}

/* --- answers --- */

static bool is_quiet(const struct reply *r)
{
    return r->tag == QUIET || r->kind == CMD_SETTING || r->kind == CMD_SCREEN_HIDDEN || r->kind == CMD_HANGUP;
}

void app_reply(void *app, const struct reply *r)
{
    struct app *a = app;
    const struct command_result *res = &r->result;
    char text[400];
    a->now = mono_now();
    a->dirty = true;
    if (!res->ok) {
        tr_with(text, sizeof text, MSG_T_DONE, command_name(r->kind), res->message, NULL);
        app_toast(a, res->status == 403 || res->status == 409 ? TOAST_WARN : TOAST_ERROR, text);
    } else if (r->kind == CMD_KEYS_ADD) {
        tr_with(text, sizeof text, MSG_T_ADDED, num_plain(res->added).s, num_plain(res->duplicate).s,
                num_plain(res->ignored).s, NULL);
        app_toast(a, res->added ? TOAST_INFO : TOAST_WARN, text);
    } else if (!is_quiet(r) && res->message[0]) {
        app_toast(a, TOAST_INFO, res->message);
    }
}

/* --- undo --- */

static void forget_undo(struct app *a)
{
    free(a->undo.ids);
    memset(&a->undo, 0, sizeof a->undo);
}

void app_undo_keys(struct app *a, char (*ids)[KEY_ID_LEN + 1], size_t count, bool was_on)
{
    forget_undo(a);
    a->undo = (struct undo){
        .kind = UNDO_KEYS, .was_on = was_on, .ids = ids, .count = count, .until = mono_add(a->now, UNDO_MS)};
}

void app_undo_model(struct app *a, const char *model, bool was_banned)
{
    forget_undo(a);
    a->undo = (struct undo){.kind = UNDO_MODEL, .was_on = was_banned, .until = mono_add(a->now, UNDO_MS)};
    str_copy(a->undo.model, sizeof a->undo.model, str_of(model));
}

static void undo(struct app *a)
{
    struct undo *u = &a->undo;
    if (u->kind == UNDO_NONE || a->now.ms > u->until.ms) {
        app_say(a, TOAST_WARN, MSG_T_NOTHING_TO_UNDO);
        return;
    }
    if (app_refuse_readonly(a)) return;
    for (size_t i = 0; i < u->count; i++)
        if (!app_post(a, u->was_on ? CMD_KEY_ENABLE : CMD_KEY_DISABLE, u->ids[i], NULL, 0, QUIET)) return;
    if (u->kind == UNDO_MODEL && !app_post(a, u->was_on ? CMD_MODEL_BAN : CMD_MODEL_UNBAN, "", u->model, 0, QUIET))
        return;
    forget_undo(a);
    app_say(a, TOAST_INFO, MSG_T_UNDONE);
}

/* --- settings of the screen --- */

static void toggle_mouse(struct app *a)
{
    a->mouse = !a->mouse;
    term_mouse(a->mouse);
    app_setting(a, "ui.mouse", a->mouse ? "yes" : "no");
    app_say(a, TOAST_INFO, a->mouse ? MSG_T_MOUSE_ON : MSG_T_MOUSE_OFF);
}

void app_set_language(struct app *a, enum lang l)
{
    if (l == LANG_ZH && a->ascii) {
        app_say(a, TOAST_WARN, MSG_T_LANG_ASCII);
        return;
    }
    lang_set(l);
    app_setting(a, "ui.lang", l == LANG_ZH ? "zh" : "en");
    app_say(a, TOAST_INFO, MSG_T_LANG);
}

static void toggle_privacy(struct app *a)
{
    a->privacy = !a->privacy;
    app_setting(a, "ui.privacy", a->privacy ? "yes" : "no");
    app_say(a, TOAST_INFO, a->privacy ? MSG_T_PRIVACY_ON : MSG_T_PRIVACY_OFF);
}

static void toggle_pause(struct app *a)
{
    a->paused = !a->paused;
    a->paused_at = a->now;
    if (a->paused)
        app_say(a, TOAST_INFO, MSG_T_PAUSED);
    else
        app_take_snapshot(a);
}

static struct num in_flight(const struct app *a)
{
    return num_plain(a->snap ? a->snap->in_flight : 0);
}

/* Twice in 2 s drains, a third time within quits at once. */
static void interrupt(struct app *a)
{
    char text[160];
    bool second = a->ctrl_c[0].ms && mono_since(a->now, a->ctrl_c[0]) <= TWICE_MS;
    bool third = a->ctrl_c[1].ms && mono_since(a->now, a->ctrl_c[1]) <= TWICE_MS;
    if (third || (second && a->snap && a->snap->draining)) {
        (void)app_post(a, CMD_QUIT, "", NULL, 0, QUIET);
    } else if (second) {
        a->ctrl_c[1] = a->now;
        if (app_post(a, CMD_DRAIN, "", NULL, 0, QUIET)) app_say(a, TOAST_WARN, MSG_T_CTRL_C_DRAIN);
    } else {
        app_toast(a, TOAST_WARN, tr_with(text, sizeof text, MSG_T_CTRL_C, in_flight(a).s, NULL));
    }
    a->ctrl_c[0] = a->now;
}

static void suspend(struct app *a)
{
    char text[200];
    if (a->ctrl_z.ms && mono_since(a->now, a->ctrl_z) <= TWICE_MS) {
        a->suspend_asked = true;
        a->ctrl_z = (mono_t){0};
        return;
    }
    a->ctrl_z = a->now;
    app_toast(a, TOAST_WARN, tr_with(text, sizeof text, MSG_T_CTRL_Z, in_flight(a).s, NULL));
}

/* Esc, from the inside out. It never leaves the program. */
static void back(struct app *a)
{
    char *f = app_view(a)->filter ? app_view(a)->filter(a) : NULL;
    struct table *t = app_view(a)->table ? app_view(a)->table(a) : NULL;
    if (a->zoom) {
        a->zoom = false;
    } else if (a->detail) {
        a->detail = false;
    } else if (a->snap && a->snap->progress.running && !a->stop_asked) {
        if (app_post(a, CMD_TEST_STOP, "", NULL, 0, QUIET)) a->stop_asked = true;
    } else if (f && f[0]) {
        f[0] = '\0';
    } else if (t && table_marked(t)) {
        table_clear_marks(t);
    } else if (a->view == VIEW_HELP) {
        app_show(a, a->before_help);
    } else if (a->heat_map) {
        a->heat_map = false;
    } else if (t && (t == &a->brief_requests || t == &a->requests)) {
        t->follow = true;
    }
}

static void quit(struct app *a)
{
    if (a->detail || a->zoom || a->view == VIEW_HELP) {
        back(a);
        return;
    }
    prompt_open(a, ASK_QUIT, tr(MSG_Q_QUIT));
}

static void zoom(struct app *a)
{
    if (app_has_use(a, ACT_ZOOM))
        a->zoom = !a->zoom;
    else
        app_say(a, TOAST_INFO, MSG_T_NO_ZOOM);
}

static void open_filter(struct app *a)
{
    char *f = app_view(a)->filter ? app_view(a)->filter(a) : NULL;
    if (!f) return;
    prompt_open(a, PROMPT_FILTER, tr(MSG_P_FILTER));
    memcpy(a->prompt.before, f, FILTER_MAX);
    buf_puts(&a->prompt.text, f);
}

bool app_act(struct app *a, enum action act, uint32_t key)
{
    switch (act) {
    case ACT_VIEW_NUMBER: app_show(a, (enum view_id)(key - '1')); return true;
    case ACT_NEXT_VIEW: app_show(a, (enum view_id)((a->view + 1) % (VIEW_HELP + 1))); return true;
    case ACT_PREV_VIEW: app_show(a, (enum view_id)((a->view + VIEW_HELP) % (VIEW_HELP + 1))); return true;
    case ACT_FILTER: open_filter(a); return true;
    case ACT_ZOOM: zoom(a); return true;
    case ACT_COLUMNS: columns_open(a); return true;
    case ACT_COMMAND: prompt_open(a, PROMPT_COMMAND, ""); return true;
    case ACT_PAUSE: toggle_pause(a); return true;
    case ACT_PRIVACY: toggle_privacy(a); return true;
    case ACT_MOUSE: toggle_mouse(a); return true;
    case ACT_LANGUAGE: app_set_language(a, lang_now() == LANG_EN ? LANG_ZH : LANG_EN); return true;
    case ACT_UNDO: undo(a); return true;
    case ACT_HELP: app_show(a, a->view == VIEW_HELP ? a->before_help : VIEW_HELP); return true;
    case ACT_REDRAW: a->whole_redraw = true; return true;
    case ACT_BACK: back(a); return true;
    case ACT_QUIT: quit(a); return true;
    case ACT_INTERRUPT: interrupt(a); return true;
    case ACT_SUSPEND: suspend(a); return true;
    default: return false;
    }
}
