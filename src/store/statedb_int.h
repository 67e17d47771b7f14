/* Shared by statedb.c (opening) and statedb_rows.c (reading and writing); nobody else includes it. */
#ifndef SFPROXY_STORE_STATEDB_INT_H
#define SFPROXY_STORE_STATEDB_INT_H

#include <sqlite3.h>

#include "store/statedb.h"

struct statedb {
    char *path;
    sqlite3 *handle; /* NULL: not open, the next call tries again */
    bool suspect;    /* damage was met: the next opening checks all of it */
    bool readonly;   /* never opened again */
    bool was_opened;
    _Atomic bool replaced;
};

/* Opens what is not open. */
bool statedb_ready(struct statedb *db, struct buf *why);
/* Appends what SQLite says and closes a database that turned out damaged, so that the next call sets it aside. */
bool statedb_failed(struct statedb *db, const char *doing, struct buf *why);

#endif
