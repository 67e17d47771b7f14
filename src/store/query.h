/* One statement with its values, and one transaction around some. Only the files that know rows include it. */
#ifndef SFPROXY_STORE_QUERY_H
#define SFPROXY_STORE_QUERY_H

#include "base/mem.h"
#include "store/statedb_int.h"

enum { NAME_MAX_BYTES = 1024 };

/* ---- one statement ---- */

struct query {
    struct statedb *db;
    sqlite3_stmt *st;
    int next; /* number of the next parameter to bind, or column to read */
    bool ok;
};

static inline struct query query_begin(struct statedb *db, const char *sql)
{
    struct query q = {.db = db, .next = 1};
    q.ok = sqlite3_prepare_v2(db->handle, sql, -1, &q.st, NULL) == SQLITE_OK;
    return q;
}

static inline void bind_int(struct query *q, int64_t v)
{
    q->ok = q->ok && sqlite3_bind_int64(q->st, q->next++, v) == SQLITE_OK;
}

/* NULL when it is not known. */
static inline void bind_known(struct query *q, bool known, int64_t v)
{
    if (known)
        bind_int(q, v);
    else
        q->ok = q->ok && sqlite3_bind_null(q->st, q->next++) == SQLITE_OK;
}

static inline void bind_text(struct query *q, const char *text)
{
    q->ok = q->ok && sqlite3_bind_text(q->st, q->next++, text, -1, SQLITE_STATIC) == SQLITE_OK;
}

/* Runs a statement that gives no rows and makes it ready for the next values. */
static inline void run(struct query *q)
{
    q->ok = q->ok && sqlite3_step(q->st) == SQLITE_DONE && sqlite3_reset(q->st) == SQLITE_OK;
    q->next = 1;
}

static inline bool next_row(struct query *q)
{
    if (!q->ok) return false;
    int rc = sqlite3_step(q->st);
    q->ok = rc == SQLITE_ROW || rc == SQLITE_DONE;
    q->next = 0;
    return rc == SQLITE_ROW;
}

static inline int64_t read_int(struct query *q)
{
    return sqlite3_column_int64(q->st, q->next++);
}

/* False, and 0: NULL. */
static inline bool read_known(struct query *q, int64_t *v)
{
    bool known = sqlite3_column_type(q->st, q->next) != SQLITE_NULL;
    *v = read_int(q);
    return known;
}

static inline int read_in_range(struct query *q, int count)
{
    int64_t v = read_int(q);
    return v >= 0 && v < count ? (int)v : 0;
}

static inline struct str read_str(struct query *q)
{
    const char *text = (const char *)sqlite3_column_text(q->st, q->next);
    return (struct str){text ? text : "", (size_t)sqlite3_column_bytes(q->st, q->next++)};
}

static inline void read_text(struct query *q, char *out, size_t size)
{
    text_clean(read_str(q), out, size);
}

static inline char *read_dup(struct query *q)
{
    char clean[NAME_MAX_BYTES];
    read_text(q, clean, sizeof clean);
    return xstrdup(clean);
}

/* The error is taken before the statement goes: finalising would replace it. */
static inline bool query_end(struct query *q, const char *doing, struct buf *why)
{
    if (!q->ok && why) buf_printf(why, "cannot %s %s: %s", doing, q->db->path, sqlite3_errmsg(q->db->handle));
    sqlite3_finalize(q->st);
    return q->ok;
}

/* ---- one transaction ---- */

static inline bool begin(struct statedb *db, struct buf *why)
{
    if (!statedb_ready(db, why)) return false;
    if (sqlite3_exec(db->handle, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK) return true;
    return statedb_failed(db, "write", why);
}

/* Commits when `ok` (what went before worked), else undoes. Damage found on the way closes the database. */
static inline bool end(struct statedb *db, bool ok, struct buf *why)
{
    int rc = sqlite3_errcode(db->handle);
    if (ok && sqlite3_exec(db->handle, "COMMIT", NULL, NULL, NULL) == SQLITE_OK) return true;
    if (ok) {
        rc = sqlite3_errcode(db->handle);
        buf_printf(why, "cannot write %s: %s", db->path, sqlite3_errmsg(db->handle));
    }
    if (!sqlite3_get_autocommit(db->handle)) sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    if ((rc & 0xFF) == SQLITE_CORRUPT || (rc & 0xFF) == SQLITE_NOTADB || (rc & 0xFF) == SQLITE_IOERR) {
        db->suspect = (rc & 0xFF) != SQLITE_IOERR;
        sqlite3_close(db->handle);
        db->handle = NULL;
    }
    return false;
}

#endif
