/* Opening the database, and what may be found in its place:
 *
 *   nothing                     made, 0600, with the newest schema
 *   ours                        checked (quick_check), brought to the newest schema (migrations.h), and used
 *   ours, newer schema          refused: an older program must not touch it
 *   damaged, or somebody else's  renamed aside with its -wal and -shm, a new one is made, and the log says so loudly
 *   there, but unreadable       refused: going on would use keys that were switched off
 *   cannot be made or written   the service goes on without it; every save tries again
 *
 * SQLite's WAL needs a small shared-memory file; on a full disk it cannot be made, then the database is opened in
 * exclusive mode, which keeps that index in memory. The lock file of the state directory already excludes a second
 * process. */
#include "store/statedb.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/migrations.h"
#include "store/statedb_int.h"

enum { APPLICATION_ID = 0x73667078 /* "sfpx" */, BUSY_MS = 2000, CHECK_WHOLE_MAX = 32 * 1024 * 1024 };

enum opened { OPENED, DAMAGED, REFUSED, UNAVAILABLE };

static bool is_damage(int rc)
{
    return (rc & 0xFF) == SQLITE_NOTADB || (rc & 0xFF) == SQLITE_CORRUPT;
}

static void close_handle(struct statedb *db)
{
    sqlite3_close(db->handle);
    db->handle = NULL;
}

bool statedb_failed(struct statedb *db, const char *doing, struct buf *why)
{
    buf_printf(why, "cannot %s %s: %s", doing, db->path, db->handle ? sqlite3_errmsg(db->handle) : "not open");
    if (db->handle && is_damage(sqlite3_errcode(db->handle))) {
        db->suspect = true;
        close_handle(db);
    }
    return false;
}

/* First column of the first row as a number; -1 when the statement failed (the handle knows why). */
static int64_t ask_number(sqlite3 *h, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int64_t v = -1;
    if (sqlite3_prepare_v2(h, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        v = sqlite3_column_int64(st, 0);
    int rc = sqlite3_finalize(st);
    return rc == SQLITE_OK ? v : -1;
}

static bool check_passes(sqlite3 *h, const char *pragma)
{
    sqlite3_stmt *st = NULL;
    bool ok = sqlite3_prepare_v2(h, pragma, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW &&
              strcmp((const char *)sqlite3_column_text(st, 0), "ok") == 0;
    return sqlite3_finalize(st) == SQLITE_OK && ok;
}

/* A large ledger takes seconds to check: then all but its rows, and everything when damage was met. */
static bool check_all(struct statedb *db)
{
    struct stat st;
    sqlite3_stmt *list = NULL;
    bool small = stat(db->path, &st) != 0 || st.st_size <= CHECK_WHOLE_MAX;
    if (small || db->suspect) return check_passes(db->handle, "PRAGMA quick_check(1)");
    bool ok =
        sqlite3_prepare_v2(db->handle, "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'request'", -1,
                           &list, NULL) == SQLITE_OK;
    while (ok && sqlite3_step(list) == SQLITE_ROW) {
        char pragma[128];
        sqlite3_snprintf(sizeof pragma, pragma, "PRAGMA quick_check(%Q)", (const char *)sqlite3_column_text(list, 0));
        ok = check_passes(db->handle, pragma);
    }
    return sqlite3_finalize(list) == SQLITE_OK && ok;
}

static enum opened trouble(struct statedb *db, const char *doing, struct buf *why)
{
    enum opened result = is_damage(sqlite3_errcode(db->handle)) ? DAMAGED : UNAVAILABLE;
    statedb_failed(db, doing, why);
    return result;
}

static bool execute(struct statedb *db, const char *sql)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* Whose is it? Nothing is written before this is known. */
static enum opened identify(struct statedb *db, int *version_out, struct buf *why)
{
    int64_t version = ask_number(db->handle, "PRAGMA user_version");
    int64_t owner = ask_number(db->handle, "PRAGMA application_id");
    int64_t objects = ask_number(db->handle, "SELECT count(*) FROM sqlite_master");
    if (version < 0 || owner < 0 || objects < 0) return trouble(db, "read", why);
    if (version > statedb_schema) {
        buf_printf(why, "%s was written by a newer sfproxy (schema %lld, this one knows %d)", db->path,
                   (long long)version, statedb_schema);
        return REFUSED;
    }
    *version_out = (int)version;
    bool is_empty = objects == 0 && version == 0 && owner == 0;
    if (is_empty || (owner == APPLICATION_ID && version > 0)) return OPENED;
    buf_printf(why, "%s is not a database of sfproxy", db->path);
    return DAMAGED;
}

static enum opened check_whole(struct statedb *db, struct buf *why)
{
    if (check_all(db)) return OPENED;
    int rc = sqlite3_errcode(db->handle) & 0xFF;
    if (rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE && !is_damage(rc)) return trouble(db, "read", why);
    buf_printf(why, "%s is damaged", db->path);
    return DAMAGED;
}

/* One step and its number, or neither; what a step that failed left is undone when the handle closes. */
static bool take_step(struct statedb *db, int n)
{
    char version[64];
    snprintf(version, sizeof version, "PRAGMA user_version=%d; COMMIT", n + 1);
    return execute(db, "BEGIN IMMEDIATE") && execute(db, statedb_steps[n]) && execute(db, version);
}

static enum opened migrate(struct statedb *db, int version, struct buf *why)
{
    for (int n = version; n < statedb_schema; n++)
        if (!take_step(db, n)) return trouble(db, version ? "bring to the newest schema" : "create tables in", why);
    if (version && version < statedb_schema)
        log_msg(LOG_INFO, "%s: schema %d is now %d", db->path, version, statedb_schema);
    return OPENED;
}

/* Made beforehand, so that its mode (which SQLite copies to -wal and -shm) does not depend on the umask. */
static bool make_private(const char *path, struct buf *why)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    struct stat st;
    bool ok = fd >= 0 && fstat(fd, &st) == 0;
    if (ok && !S_ISREG(st.st_mode)) {
        buf_printf(why, "%s is not a regular file", path);
        close(fd);
        return false;
    }
    if (ok && (st.st_mode & 077)) ok = fchmod(fd, 0600) == 0;
    if (!ok) buf_printf(why, "cannot open %s: %s", path, strerror(errno));
    if (fd >= 0) close(fd);
    return ok;
}

static enum opened open_once(struct statedb *db, bool exclusive, struct buf *why)
{
    int version = 0;
    if (!make_private(db->path, why)) return UNAVAILABLE;
    int rc = sqlite3_open_v2(db->path, &db->handle, SQLITE_OPEN_READWRITE, NULL);
    if (rc != SQLITE_OK) return trouble(db, "open", why);
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, BUSY_MS);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL); /* what we refuse stays as it is */
    if (!execute(db, "PRAGMA trusted_schema=OFF")) return trouble(db, "open", why);
    if (exclusive && !execute(db, "PRAGMA locking_mode=EXCLUSIVE")) return trouble(db, "open", why);
    enum opened result = identify(db, &version, why);
    if (result != OPENED) return result;
    if (!execute(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=4194304"))
        return trouble(db, "open", why);
    if (version) result = check_whole(db, why);
    if (result == OPENED) result = migrate(db, version, why);
    if (result == OPENED) sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    return result;
}

static enum opened open_any(struct statedb *db, struct buf *why)
{
    enum opened result = UNAVAILABLE;
    for (int exclusive = 0; exclusive <= 1 && result == UNAVAILABLE; exclusive++) {
        buf_reset(why);
        result = open_once(db, exclusive, why);
        if (result != OPENED) close_handle(db);
    }
    return result;
}

static bool set_aside(struct statedb *db, struct buf *why)
{
    static const char *const suffixes[] = {"-wal", "-shm", ""};
    bool ok = true;
    long long when = (long long)(wall_now().ms / 1000);
    char *target = xasprintf("%s.corrupt-%lld", db->path, when);
    for (int n = 1; access(target, F_OK) == 0; n++) { /* twice in one second */
        free(target);
        target = xasprintf("%s.corrupt-%lld.%d", db->path, when, n);
    }
    for (size_t i = 0; i < ARRAY_LEN(suffixes) && ok; i++) {
        char *from = xasprintf("%s%s", db->path, suffixes[i]), *to = xasprintf("%s%s", target, suffixes[i]);
        ok = rename(from, to) == 0 || (errno == ENOENT && *suffixes[i]);
        free(from);
        free(to);
    }
    if (ok)
        log_msg(LOG_WARN,
                "%s; it was kept as %s and a new one begun: class, cooldowns, bans and keys switched off by "
                "hand are unknown",
                buf_cstr(why), target);
    else
        buf_printf(why, ", and it cannot be renamed: %s", strerror(errno));
    free(target);
    return ok;
}

static enum opened open_or_replace(struct statedb *db, struct buf *why)
{
    struct buf reason = BUF_INIT(2048);
    enum opened result = open_any(db, &reason);
    if (result == DAMAGED) {
        result = set_aside(db, &reason) ? open_any(db, &reason) : REFUSED;
        if (result == OPENED && db->was_opened) atomic_store(&db->replaced, true);
    }
    if (result == OPENED) db->suspect = false;
    if (result != OPENED) buf_add_str(why, buf_str(&reason));
    buf_free(&reason);
    return result;
}

bool statedb_ready(struct statedb *db, struct buf *why)
{
    if (db->handle) return true;
    if (!db->readonly) return open_or_replace(db, why) == OPENED;
    buf_printf(why, "%s cannot be read any more", db->path);
    return false;
}

bool statedb_is_open(const struct statedb *db)
{
    return db->handle != NULL;
}

bool statedb_was_replaced(struct statedb *db)
{
    return atomic_load(&db->replaced) && atomic_exchange(&db->replaced, false);
}

/* Nothing was lost by not opening it: it is not there, or has never been written. */
static bool is_absent_or_empty(const char *path)
{
    struct stat st;
    char *wal = xasprintf("%s-wal", path);
    bool has_wal = stat(wal, &st) == 0 && st.st_size > 0;
    free(wal);
    if (has_wal) return false;
    if (stat(path, &st) != 0) return errno == ENOENT;
    return S_ISREG(st.st_mode) && st.st_size == 0;
}

struct statedb *statedb_open(const char *path, struct buf *why)
{
    struct statedb *db = xcalloc(1, sizeof *db);
    struct buf reason = BUF_INIT(2048);
    db->path = xstrdup(path);
    enum opened result = open_or_replace(db, &reason);
    bool usable = result == OPENED || (result == UNAVAILABLE && is_absent_or_empty(path));
    if (result != OPENED && usable)
        log_msg(LOG_WARN, "%s; nothing is kept until that works", buf_cstr(&reason));
    else if (!usable)
        buf_add_str(why, buf_str(&reason));
    buf_free(&reason);
    db->was_opened = true;
    if (usable) return db;
    statedb_close(db);
    return NULL;
}

struct statedb *statedb_open_readonly(const char *path, struct buf *why)
{
    struct statedb *db = xcalloc(1, sizeof *db);
    int version = 0;
    db->path = xstrdup(path);
    db->readonly = true;
    bool ok = sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK;
    if (ok) {
        sqlite3_busy_timeout(db->handle, BUSY_MS);
        sqlite3_wal_autocheckpoint(db->handle, 0);
        ok = execute(db, "PRAGMA trusted_schema=OFF; PRAGMA mmap_size=0");
    }
    if (!ok)
        statedb_failed(db, "open", why);
    else if (identify(db, &version, why) == OPENED && version < statedb_schema)
        buf_printf(why, "%s is of an older sfproxy: start this one once", path);
    else if (!why->len)
        return db;
    statedb_close(db);
    return NULL;
}

void statedb_close(struct statedb *db)
{
    if (!db) return;
    close_handle(db);
    free(db->path);
    free(db);
}
