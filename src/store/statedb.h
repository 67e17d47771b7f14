/* state.db: the SQLite side of the state directory, and nothing else knows that it is SQLite. One connection that
 * writes, checkpoints and reads: main before the threads run, then the disk thread.
 * Every call opens the database when it is not open (disk was full, file was set aside), so that a failed save is
 * retried with the next one. Values are bound, never put into SQL text. */
#ifndef SFPROXY_STORE_STATEDB_H
#define SFPROXY_STORE_STATEDB_H

#include "base/map.h"
#include "store/state.h"

enum { STATEDB_KEEP_DAYS = 30 };

struct statedb;

/* NULL: written by a newer sfproxy, or there but unreadable (a state that exists must not be passed over). A damaged or
 * foreign file is renamed to <path>.corrupt-<unixtime>, a file that cannot be made (disk full) is a logged warning. */
struct statedb *statedb_open(const char *path, struct buf *why);
void statedb_close(struct statedb *db);
bool statedb_is_open(const struct statedb *db);
/* For reading beside a running instance or none: nothing is made, changed or set aside. NULL + why. */
struct statedb *statedb_open_readonly(const char *path, struct buf *why);
/* Any thread; true once after a damaged file was set aside by a later call than statedb_open(). */
bool statedb_was_replaced(struct statedb *db);

bool statedb_load(struct statedb *db, struct state_loaded *out, struct buf *why);      /* keys, cooldowns, bans */
bool statedb_load_settings(struct statedb *db, struct map *settings, struct buf *why); /* values malloc'ed */

/* Each one transaction: all of it or nothing. Keys that are not in the list stay for STATEDB_KEEP_DAYS. */
bool statedb_save_pool(struct statedb *db, const struct key_saved *keys, size_t key_count,
                       const struct cooldown_saved *cooldowns, size_t cooldown_count, wall_t now, struct buf *why);
bool statedb_save_bans(struct statedb *db, char *const *models, size_t count, struct buf *why);
/* Adds, replaces, deletes; drops what is too old or too much. */
bool statedb_save_sticky(struct statedb *db, const struct sticky_row *rows, size_t count, wall_t now, struct buf *why);
bool statedb_save_setting(struct statedb *db, const char *name, const char *value, struct buf *why);

#endif
