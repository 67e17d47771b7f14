/* The engine: owns everything, runs on the main thread, which is the control thread. Boot and shutdown orders are in
 * engine.c; reload.c swaps configurations, booking.c counts, costs.c knows costs, saving.c saves, ending.c has the ways
 * to stop, commands.c carries commands out, view.c gathers snapshots, tester.c paces tests of keys, signals.c turns
 * signals into calls. */
#ifndef SFPROXY_ENGINE_H
#define SFPROXY_ENGINE_H

#include "admin/admin.h"
#include "base/burst.h"
#include "base/list.h"
#include "base/map.h"
#include "control/control.h"
#include "meter/meter.h"
#include "net/listener.h"
#include "models.h"
#include "net/upstream.h"
#include "store/ledger.h"
#include "store/state.h"
#include "ui/tui/ui.h"
#include "worker.h"

enum { WORKERS_MAX = 64, LISTENERS_MAX = 17, LOG_KEPT = SNAP_LOG_MAX };

struct run_options {                   /* of the command line */
    const char *conf_path, *state_dir; /* NULL: not given */
    bool headless, readonly, privacy;
    int lang; /* 0 not given, 1 en, 2 zh */
};

struct tester;
struct signals;

/* Costs by key that the pool does not know yet, so that its lock is taken once a key and not once a request. */
struct bill {
    size_t count;
    struct {
        char key_id[KEY_ID_LEN + 1];
        int64_t micro;
    } rows[64];
};

struct live_list { /* the newest answer of one worker */
    struct live_request *rows;
    size_t count;
};

struct region_test;

struct engine {
    struct run_options options;
    struct conf *conf;
    struct loop *loop;
    struct control *control;
    struct keypool *pool;
    struct meter *meter;
    struct disk *disk;
    struct state *state;
    struct ledger *ledger;
    struct resolver *resolver;
    struct admin *admin;
    struct proxy_shared shared;
    const struct local_table *tables[2];
    struct worker *workers[WORKERS_MAX];
    unsigned worker_count;
    struct listener *listeners[LISTENERS_MAX]; /* control.sock is the last */
    size_t listener_count;
    int64_t max_connections;
    struct ui *ui;
    struct tester *tester;
    struct models *models;
    struct refresh *refresh;
    struct region_test *region_test; /* running; NULL: none */
    struct signals *signals;
    struct catalog *catalog; /* the newest; never NULL once booted */
    struct addrs *addrs;     /* the newest, for workers of a new configuration */

    mono_t started;
    char listen[256], base_url[280];
    char conf_error[300];
    struct map bans; /* by hand: model -> (void *)1 */
    struct log_line log[LOG_KEPT];
    size_t log_next, log_count;

    struct loop_timer tick; /* 20 Hz: records, changes, saving */
    struct loop_timer drain_timer;
    struct burst connections; /* of all workers */
    uint64_t seen_generation, saved_generation;
    mono_t save_at;       /* 0: nothing to save */
    mono_t spent_save_at; /* the same, of what was taken off balances */
    struct bill bill;
    struct day_cache day_cache, row_day; /* of now, of the newest row */
    mono_t sticky_at;                    /* the next save of sticky ids may be */
    struct sticky_row *sticky_unsaved;   /* taken from the map, not taken by the disk yet */
    size_t sticky_unsaved_count;
    bool keys_dirty, bans_dirty;
    bool draining, stopping;
    mono_t drain_until;
    int exit_code;
    _Atomic bool news_posted;
    struct mail news_mail;

    /* view.c */
    struct live_list live[WORKERS_MAX];
    unsigned live_missing; /* workers that have not answered this round */
    uint64_t live_round;
    struct loop_timer live_timer;
    uint64_t snapshot_seq;
};

/* Boots, runs until told to stop, shuts down. Returns the exit code; problems go to stderr. */
int engine_run(struct conf *conf, const struct run_options *o);

/* Control thread. */
void engine_drain(struct engine *g);          /* listener closed; streams finish within server.drain; exit 0 */
void engine_stop(struct engine *g, int code); /* at once */
void engine_hangup(struct engine *g);         /* the terminal is gone: ui.on_hangup decides */
void engine_interrupt(struct engine *g);      /* SIGINT, SIGTERM: drain; the second time at once */
void engine_apply_bans(struct engine *g);
void engine_apply_conf(struct engine *g, struct conf *conf);
void engine_drain_records(struct engine *g);
void engine_keys_changed(struct engine *g); /* run-time keys: write the `keys` file */
/* Reads the configuration again on the disk thread; the command (may be NULL) is answered when it was applied. */
void engine_save_picture(struct engine *g, struct command *cmd); /* picture.c */
void engine_reload(struct engine *g, struct command *cmd);
void engine_ui_stop(struct engine *g);

/* engine.c, for its siblings */
void engine_watch_upstream(struct engine *g);
void engine_give_addrs(struct worker *w, struct addrs *a);
/* saving.c */
void engine_tick(void *engine);
void engine_save_all(struct engine *g); /* at the end */
/* costs.c */
void engine_bill(struct engine *g, struct record *r); /* DONE: fills cost_micro */
void engine_pay(struct engine *g);                    /* takes what was billed off the balances */
/* Of the known balances at that rate; -1: none is known, or nothing is spent. */
int64_t engine_hours_left(struct engine *g, int64_t burn_per_hour);
/* explain.c: JSON. */
void engine_explain(struct engine *g, struct str asked, struct buf *out);
/* ending.c */
void engine_drain_check(void *engine);
void engine_close_listeners(struct engine *g);

/* commands.c */
void commands_run(void *engine, struct command *cmd);

/* asking.c */
void asking_usage(struct engine *g, struct command *cmd);
void asking_billing(struct engine *g, struct command *cmd);

/* view.c */
void view_gather(void *engine);
void view_free(struct engine *g);

/* tester.c: tests of keys, at most 4 at once. */
struct tester *tester_new(struct engine *g);
void tester_free(struct tester *t);
/* `cmd` (may be NULL) is answered with the outcome. */
void tester_add(struct tester *t, const char *key_id, bool deep, struct command *cmd);
/* Queues many; returns how many. `bad_only`: not those that are ready or busy. */
unsigned tester_add_all(struct tester *t, bool bad_only);
unsigned tester_cancel(struct tester *t); /* what is queued; returns how many */
void tester_progress(const struct tester *t, struct snap_progress *out);

/* region.c: one key at the platform's other region. The command is answered with the outcome. */
void region_test(struct engine *g, struct command *cmd);
void region_end(struct engine *g); /* after the workers have ended */

/* signals.c */
void signals_block(void);                      /* before any thread */
struct signals *signals_new(struct engine *g); /* NULL: they can't be watched; errno says why */
void signals_free(struct signals *s);

#endif
