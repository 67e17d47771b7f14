/* The state directory: `lock` (flock, pid, address), `keys` (run-time keys in clear, the only file that holds keys),
 * `state.db` (SQLite: key state, cooldowns, bans, settings), `admin.token`, the path of `control.sock`.
 * state_open() .. state_load(): main before the threads run. Afterwards every change is a disk job made by the
 * state_save_* functions (control thread), which copy what they need. */
#ifndef SFPROXY_STORE_STATE_H
#define SFPROXY_STORE_STATE_H

#include "pool/keypool.h"
#include "pool/sticky.h"
#include "store/disk.h"

struct state;

/* Makes the directory (0700), takes the lock, opens the database (a corrupt one is renamed to
 * state.db.corrupt-<time> and a new one begun; a newer schema is refused). NULL: a sentence in `why` ("another sfproxy,
 * pid 123 on 127.0.0.1:7860, uses this state directory"). Warnings are logged. */
struct state *state_open(const char *dir, const char *listen, struct buf *why);
void state_close(struct state *s); /* after the disk thread has ended: closes the database, removes lock and socket */

struct state_loaded {
    struct key_saved *keys;
    size_t key_count;
    struct cooldown_saved *cooldowns;
    size_t cooldown_count;
    struct key_conf *runtime_keys; /* of the `keys` file */
    size_t runtime_count;
    char **bans; /* models banned by hand */
    size_t ban_count;
    struct sticky_row *sticky; /* oldest first */
    size_t sticky_count;
};
bool state_load(struct state *s, struct state_loaded *out, struct buf *why);
void state_loaded_free(struct state_loaded *l);
/* Admin token: read, or made (32 random bytes, hex) and written 0600. Caller frees with free_secret(). NULL + why. */
char *state_admin_token(struct state *s, struct buf *why);
const char *state_socket_path(const struct state *s); /* of control.sock; the path's length was checked (<= 100) */
const char *state_dir(const struct state *s);
struct statedb *state_db(struct state *s); /* for the ledger: main, then the disk thread */
/* Any thread; true once after the database was set aside at run time and a new one begun: all that is known must be
 * saved again. */
bool state_was_replaced(struct state *s);
/* Settings once more, as they are now. */
bool state_save_settings(struct state *s, struct disk *d);
/* Screen settings by name ("lang", "window", ...), as they were at state_open() or changed since; NULL absent. */
const char *state_setting(const struct state *s, const char *name);

/* --- jobs; false: the disk queue is full (call again later) --- */
/* Whole key state and cooldowns, as keypool_save() gave them (ownership passes in any case). */
bool state_save_pool(struct state *s, struct disk *d, struct key_saved *keys, size_t key_count,
                     struct cooldown_saved *cooldowns, size_t cooldown_count);
/* The `keys` file, whole (ownership of a malloc'ed text passes; wiped). */
bool state_save_keys(struct state *s, struct disk *d, char *text);
bool state_save_bans(struct state *s, struct disk *d, char **models, size_t count); /* copies */
/* Rows to be added, replaced or deleted, as sticky_changes() gave them (ownership passes only when it returns true). */
bool state_save_sticky(struct state *s, struct disk *d, struct sticky_row *rows, size_t count);
bool state_save_setting(struct state *s, struct disk *d, const char *name, const char *value);

#endif
