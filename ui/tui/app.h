/* The state of the screen and what its parts offer each other. Everything here belongs to the UI thread. */
#ifndef SFPROXY_UI_TUI_APP_H
#define SFPROXY_UI_TUI_APP_H

#include "control/command.h"
#include "ui/tui/bindings.h"
#include "ui/tui/draw.h"
#include "ui/tui/inbox.h"
#include "ui/tui/ui.h"
#include "ui/tui/widget_table.h"

enum toast_kind { TOAST_INFO, TOAST_WARN, TOAST_ERROR };

struct toast {
    enum toast_kind kind;
    char text[400];
    mono_t until; /* errors stay until a key */
    bool shown;
};

/* One thing is asked at a time. ASK_ kinds take one key, PROMPT_ kinds a line. */
enum prompt_kind {
    PROMPT_NONE,
    PROMPT_FILTER,
    PROMPT_COMMAND,
    PROMPT_ADD,
    PROMPT_LABEL,
    PROMPT_BALANCE,
    ASK_CANCEL,
    ASK_TEST_ALL,
    ASK_TEST_OTHER,
    ASK_DELETE,
    ASK_QUIT,
    ASK_COLUMNS
};

struct prompt {
    enum prompt_kind kind;
    struct buf text;  /* wiped when closed: it may hold keys */
    char subject[64]; /* key id */
    char title[160];
    uint64_t number;  /* request id */
    const char *host; /* ASK_TEST_OTHER: who would get the key; static */
    char before[FILTER_MAX];
    struct table *columns; /* ASK_COLUMNS: of this table */
    size_t at;             /* ASK_COLUMNS: the entry under the cursor */
};

enum undo_kind { UNDO_NONE, UNDO_KEYS, UNDO_MODEL };
struct undo {
    enum undo_kind kind;
    bool was_on; /* what it goes back to: enabled, or banned */
    char (*ids)[KEY_ID_LEN + 1];
    size_t count;
    char model[MODEL_NAME_MAX + 1];
    mono_t until;
};

/* AUTO: 1m while the program is young, then 1h. */
enum graph_window { WINDOW_1M, WINDOW_1H, WINDOW_24H, WINDOW_AUTO, WINDOW_COUNT };

struct log_view {
    enum log_level level;
    bool follow, wrap;
    size_t back; /* lines between the newest and the last one shown */
    char filter[FILTER_MAX];
};

struct help_view {
    size_t top, lines;
    char filter[FILTER_MAX];
};

/* Accounts folded: one made-up row an account of several keys, then, when it is open, its keys. Built from the snapshot
 * that is drawn; what outlives it are the names of the open accounts. */
struct accounts {
    struct snap_key *made; /* the account rows */
    size_t made_count;
    const struct snap_key **rows;
    size_t row_count;
    uint64_t open[64]; /* hashes of their names */
    size_t open_count;
};

struct app {
    struct control *control;
    struct inbox *inbox;
    struct ui_options options;
    struct snapshot *snap; /* what is drawn; NULL before the first */
    struct canvas canvas;
    struct layout lay;
    mono_t now;

    enum view_id view, before_help;
    bool detail, zoom;
    int map_at;             /* model under the cursor of the map */
    bool heat_map, grouped; /* Keys: the map of keys and models; accounts folded */
    enum graph_window window;
    bool privacy, paused, mouse, ascii, ascii_graph, plain, whole_redraw;
    mono_t paused_at;

    struct toast toast;
    struct prompt prompt;
    struct undo undo;
    struct snap_progress last_progress;
    bool stop_asked; /* Esc stopped the running test */
    mono_t ctrl_c[2], ctrl_z;
    mono_t clicked_at;

    struct accounts accounts;
    struct table keys, free_models, paid_models, requests;
    struct table top_models, brief_requests, brief_keys; /* on the Overview */
    bool in_paid;                                        /* Models: the PAID list has the cursor */
    int cost_shown;                                      /* Models: 0 both, 1 free, 2 paid */
    bool live_only, errors_only;
    struct log_view log;
    struct help_view help;

    bool dirty; /* draw at once */
    bool hide_asked, suspend_asked;
    bool save_asked; /* after the next frame, as save_name */
    char save_name[FILTER_MAX * 4];
    bool had_usable; /* a key was usable in the last snapshot */
    char title[96];  /* of the terminal, as it was set */
};

/* What a view does; one table in app.c. */
struct view_ops {
    enum msg title;
    void (*draw)(struct app *a);
    bool (*act)(struct app *a, enum action act); /* false: not mine */
    struct table *(*table)(struct app *a);       /* with the cursor; NULL none */
    char *(*filter)(struct app *a);              /* FILTER_MAX bytes; NULL: no filter here */
};
extern const struct view_ops view_overview, view_keys, view_models, view_requests, view_log, view_help, view_first;

/* --- app.c: one frame, one event --- */
void app_init(struct app *a);
void app_free(struct app *a);
void app_take_snapshot(struct app *a); /* unless paused */
void app_draw(struct app *a);
void app_event(void *app, const struct event *e);
void app_reply(void *app, const struct reply *r);
/* Milliseconds until something on the screen changes by itself (clock, toast, countdown). */
int app_next_change(const struct app *a);
const struct view_ops *app_view(const struct app *a); /* the first-run page while there is no key */
enum msg app_view_title(enum view_id v);
int app_scope(const struct app *a); /* whose keys are valid: the view in front, or the mode of what is asked */
bool app_has_use(const struct app *a, enum action act);
void app_show(struct app *a, enum view_id v);
struct rect app_rect(const struct app *a, enum region r);

/* --- frame.c: what stands around the views --- */
void frame_draw(struct app *a); /* tabs and health; everything when the screen is very small */
void frame_draw_foot(struct app *a);
bool app_toast_visible(const struct app *a);

/* --- app_verbs.c: actions of every view, settings; app_command.c: the command line --- */
bool app_act(struct app *a, enum action act, uint32_t key);
/* Posts; refused under --readonly with a toast. `tag` 1: a good answer is not shown. */
bool app_post(struct app *a, enum command_kind kind, const char *subject, const char *text, uint64_t number,
              uint64_t tag);
void app_setting(struct app *a, const char *name, const char *value);
void app_load_settings(struct app *a);
void app_set_language(struct app *a, enum lang l);
void app_toast(struct app *a, enum toast_kind kind, const char *text);
void app_say(struct app *a, enum toast_kind kind, enum msg m); /* without arguments */
bool app_refuse_readonly(struct app *a);
void app_copy(struct app *a, const char *text);
void app_undo_keys(struct app *a, char (*ids)[KEY_ID_LEN + 1], size_t count, bool was_on); /* takes ids */
void app_undo_model(struct app *a, const char *model, bool was_banned);
void app_save(struct app *a);                      /* the picture that was just drawn */
void app_command(struct app *a, const char *line); /* a ":" line */
void app_command_complete(struct buf *line);
const char *app_command_at(size_t i, enum msg *help); /* its name and arguments, for the Help page; NULL: no more */

/* --- widget_prompt.c --- */
void prompt_open(struct app *a, enum prompt_kind kind, const char *title);
void prompt_close(struct app *a);
void prompt_key(struct app *a, uint32_t key);
void prompt_paste(struct app *a, const struct event *e);
int prompt_mode(const struct app *a);     /* whose keys are valid while something is asked */
void prompt_draw(struct app *a);          /* panels and dialogs, over the view */
bool prompt_is_line(const struct app *a); /* on the message line */
void prompt_draw_line(struct app *a, struct rect r);

void prompt_draw_add(struct app *a);                                     /* widget_add.c */
void prompt_draw_quit(struct app *a), prompt_draw_delete(struct app *a); /* widget_dialog.c */
/* One box of ASCII in the middle; the first line is its title. */
void dialog_box(struct app *a, const char *const *lines, size_t count);

/* --- other_region.c --- */
void region_ask(struct app *a); /* about the chosen key; refused with a toast when there is no other region */
void region_test_now(struct app *a, const char *key_id, const char *host); /* after a yes for this host */
void prompt_draw_other(struct app *a);

/* --- widget_columns.c: which columns a table shows --- */
void columns_open(struct app *a);
void columns_draw(struct app *a);
bool columns_act(struct app *a, enum action act); /* false: not its own */
void columns_load(struct app *a);                 /* what was chosen before */

/* --- shared by the views --- */
uint64_t view_hash(const char *id);
const char *view_key_name(const struct app *a, const char *key_id, char *out, size_t size); /* masked, or stars */
const struct snap_key *view_find_key(const struct app *a, const char *key_id);
enum role view_state_role(enum key_state s);
const char *view_state_symbol(enum key_state s);
enum msg view_state_word(enum key_state s);
enum msg view_class_word(enum key_class c);
enum role view_class_role(enum key_class c);
const char *view_verdict(enum verdict v); /* a short word */
const char *view_end(enum end_reason r);
const char *view_step(const char *name);                             /* of a running request */
void view_limits(const struct snap_cell *c, char *out, size_t size); /* "RPM 42/60  TPM 12.3K/? (learned)" */
/* A breaker that is not closed. */
bool view_is_down(const char *breaker);
/* "probe in 8s", or that the probe runs. */
const char *view_probe(const struct app *a, const char *breaker, int64_t probe_ms, char *out, size_t size);
/* Why the platform as a whole does not answer; false: nothing wrong. */
bool view_upstream_trouble(const struct app *a, char *out, size_t size);
enum graph_window view_window(const struct app *a); /* never AUTO */
const char *view_window_name(enum graph_window w);
/* Money; what is not known is "?", never 0. */
void view_balance(const struct app *a, const struct snap_key *k, char *out, size_t size);       /* "<=12.40" */
const char *view_origin(const struct app *a, const struct snap_key *k, char *out, size_t size); /* "set 3d" */
const char *view_total_balance(const struct app *a, char *out, size_t size);                    /* "838.04 +7?" */
const char *view_spent(const struct app *a, int64_t micro, char *out, size_t size);
int64_t view_elapsed(const struct app *a); /* ms since the drawn snapshot was made; 0 while paused */
/* Longest cooldown of the key, 0 none; `c` gets it. */
int64_t view_cooldown_left(const struct app *a, const struct key_view *k, const struct key_cooldown_view **c);
void view_bar(struct app *a, struct rect r, const char *title, const struct table *t, const char *extra);
/* The sentence of an empty table. */
void view_empty(struct app *a, struct rect r, const struct table *t, const char *sentence);
/* A line of a detail pane; advances `r`. */
void view_line(struct app *a, struct rect *r, enum role role, const char *text);
/* The same over as many lines as it takes. */
void view_wrap(struct app *a, struct rect *r, enum role role, const char *text);
extern const struct table_spec keys_spec, brief_keys_spec, free_spec, paid_spec, traffic_spec, requests_spec;
const char *view_key_brief(const struct app *a, const char *key_id, char *out, size_t size); /* "..9f3c" */
const char *view_account(const struct key_view *k); /* its name, or the key's id: an account of its own */
void view_ago(const struct app *a, wall_t t, char *out, size_t size);

/* --- models --- */
void models_refresh(struct app *a);

/* --- requests --- */
int64_t request_age(const struct app *a, const struct snap_request *q);
void request_speed(const struct record *r, char *out, size_t size); /* tokens a second */
void request_draw_detail(struct app *a, struct rect r);

/* --- keys_rows.c: accounts folded --- */
void keys_rows_build(struct app *a); /* after every change of the snapshot or of what is open */
void keys_rows_free(struct app *a);
bool keys_is_account(const struct app *a, const struct snap_key *row);                              /* a made-up row */
const char *keys_row_name(const struct app *a, const struct snap_key *row, char *out, size_t size); /* key or account */
bool keys_in_group(const struct app *a,
                   const struct snap_key *row); /* one of several keys of its account, or their row */
bool keys_is_open(const struct app *a, const struct snap_key *account);
void keys_fold(struct app *a, const struct snap_key *row, bool open);
const struct snap_key *keys_group_of(const struct app *a,
                                     const struct snap_key *row); /* its account's row, or itself */
size_t keys_of_account(const struct app *a, const char *account, const struct key_view **out, size_t room);
void keys_draw_detail(struct app *a, struct rect r);
void keys_name_cell(const struct app *a, const struct snap_key *row, struct cell *out); /* keys_columns.c */

/* --- keys_map.c: keys x models --- */
void map_draw(struct app *a, struct rect r);
void map_move(struct app *a, int models);
void keys_act_add(struct app *a);
void keys_test_all(struct app *a, const char *which, bool asked);
void keys_delete_now(struct app *a);
void keys_test_deep(struct app *a);
size_t keys_chosen(struct app *a, const struct key_view **out, size_t room); /* marks, else the row */

#endif
