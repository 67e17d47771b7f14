/* The ledger's SQL: what a batch of rows changes. Disk thread (main at the end). */
#ifndef SFPROXY_STORE_LEDGER_ROWS_H
#define SFPROXY_STORE_LEDGER_ROWS_H

#include "base/map.h"
#include "store/ledger.h"

enum { LEDGER_WAL_MAX = 64 * 1024 * 1024 };

/* Which clients have sums of their own today; loaded from the database when the day is another one. */
struct day_clients {
    int day;
    struct map names;
};

/* Rows, sums and slices in one transaction. */
bool ledger_write(struct statedb *db, struct day_clients *clients, const struct ledger_row *rows, size_t count,
                  struct buf *why);
/* Deletes at most `limit` rows that were admitted before `before`, and slices that no start needs. *deleted: rows. */
bool ledger_forget(struct statedb *db, wall_t before, wall_t now, int limit, int *deleted, struct buf *why);

#endif
