/* What may be asked: every verb of the screen, the page, the API and the subcommands. A command is made by any thread,
 * posted to the control thread, carried out there, and answered once. */
#ifndef SFPROXY_CONTROL_COMMAND_H
#define SFPROXY_CONTROL_COMMAND_H

#include "base/mailbox.h"
#include "control/snapshot.h"

/* COMMAND(id, name, changes): `changes` = refused under --readonly. */
#define COMMAND_TABLE(COMMAND)                                                                                         \
    COMMAND(KEY_ENABLE, "enable", true)                                                                                \
    COMMAND(KEY_DISABLE, "disable", true)                                                                              \
    COMMAND(KEY_TEST, "test", true)                                                                                    \
    COMMAND(KEY_TEST_DEEP, "test_deep", true)          /* one token on the test model */                               \
    COMMAND(KEY_TEST_OTHER, "test_other_region", true) /* at .com instead of .cn, or the other way: ask first */       \
    COMMAND(KEYS_TEST, "test_all", true)               /* text: "all" or "bad" */                                      \
    COMMAND(TEST_STOP, "test_stop", true)                                                                              \
    COMMAND(KEYS_ADD, "add", true) /* text: keys in any form; flag: accept other than sk- */                           \
    COMMAND(KEY_REMOVE, "remove", true)                                                                                \
    COMMAND(KEY_RESET, "reset", true)                                                                                  \
    COMMAND(KEY_LABEL, "label", true)     /* text */                                                                   \
    COMMAND(KEY_BALANCE, "balance", true) /* text: "14.00", "" = unknown again */                                      \
    COMMAND(MODEL_BAN, "ban", true)       /* text: model */                                                            \
    COMMAND(MODEL_UNBAN, "unban", true)                                                                                \
    COMMAND(REQUEST_CANCEL, "cancel", true)         /* number: id */                                                   \
    COMMAND(MODELS_REFRESH, "refresh_models", true) /* ask the platform for its list now */                            \
    COMMAND(RELOAD, "reload", true)                                                                                    \
    COMMAND(SETTING, "setting", false)             /* subject: name, text: value; screen settings */                   \
    COMMAND(DRAIN, "drain", false)                 /* stop: listener closed, streams finish, exit 0 */                 \
    COMMAND(QUIT, "quit", false)                   /* at once */                                                       \
    COMMAND(HANGUP, "hangup", false)               /* the screen's terminal is gone */                                 \
    COMMAND(SCREEN_HIDDEN, "screen_hidden", false) /* flag: hidden; log lines go to stderr meanwhile */                \
    COMMAND(SCREEN_SAVE, "save", true)             /* text: file name or nothing, newline, the picture */              \
    COMMAND(EXPLAIN, "explain", false)             /* text: model; JSON in the result */                               \
    COMMAND(USAGE, "usage", false)                 /* text: query; JSON in the result */                               \
    COMMAND(BILLING, "billing", false)             /* number: which, text: query; JSON in the result */                \
    COMMAND(SNAPSHOT, "snapshot", false)           /* a fresh one, in the result */

enum command_kind {
#define COMMAND_ENUM(id, name, changes) CMD_##id,
    COMMAND_TABLE(COMMAND_ENUM) CMD_COUNT
};
const char *command_name(enum command_kind k);
bool command_changes(enum command_kind k);

struct command_result {
    bool ok;
    int status;                         /* 200, 202 (began), 400, 403, 404, 409, 503: for the API */
    char message[300];                  /* a sentence for people, without secrets */
    unsigned added, duplicate, ignored; /* KEYS_ADD */
    struct snapshot *snapshot;          /* SNAPSHOT: one reference for the receiver; else NULL */
    char *json;                         /* EXPLAIN, USAGE, BILLING: malloc'ed, the receiver's; else NULL */
};

struct control;

struct command {
    struct mail mail;
    enum command_kind kind;
    char subject[64]; /* key id, setting name */
    char *text;       /* malloc'ed, may hold keys: wiped when freed; NULL none */
    uint64_t number;
    bool flag;
    /* Runs on the control thread, exactly once, also when the command is refused; must only post. May be NULL. */
    void (*done)(struct command *c, const struct command_result *r);
    void *arg;               /* the maker's */
    uint64_t tag;            /* the maker's */
    struct control *control; /* set by control_post() */
};

struct command *command_new(enum command_kind kind);
void command_free(struct command *c);

/* The control thread, as seen by the screen and the admin API. */
/* Any thread. False: shutting down; the caller keeps the command. */
bool control_post(struct control *c, struct command *cmd) MUST_CHECK;
/* Any thread: the newest snapshot, one reference; NULL before the first. */
struct snapshot *control_snapshot(struct control *c);
/* Any thread: from now on a snapshot is built 4 times a second, and at once after changes; `notify` runs on the control
 * thread after each and must only wake. Returns a handle for control_unwatch(). */
int control_watch(struct control *c, void (*notify)(void *arg), void *arg);
void control_unwatch(struct control *c, int handle);
const char *control_setting(struct control *c, const char *name); /* at start, before threads; NULL absent */

#endif
