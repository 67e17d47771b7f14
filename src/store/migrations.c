#include "store/migrations.h"

#include "base/base.h"

const char *const statedb_steps[] = {
    /* 1: keys, cooldowns, bans, settings. The application id is "sfpx". */
    "CREATE TABLE key(id TEXT PRIMARY KEY, label TEXT NOT NULL, label_by_hand INT NOT NULL, account TEXT NOT NULL,"
    " class INT NOT NULL, class_evidence TEXT NOT NULL, class_at INT NOT NULL, enabled INT NOT NULL,"
    " ever_worked INT NOT NULL, balance_origin INT NOT NULL, balance_micro INT NOT NULL, balance_at INT NOT NULL,"
    " tested_at INT NOT NULL, position INT NOT NULL, last_seen INT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE cooldown(key_id TEXT NOT NULL, model TEXT NOT NULL, scope INT NOT NULL, verdict INT NOT NULL,"
    " repeats INT NOT NULL, until INT NOT NULL, PRIMARY KEY(key_id, model, scope, verdict)) WITHOUT ROWID;"
    "CREATE TABLE ban(model TEXT PRIMARY KEY) WITHOUT ROWID;"
    "CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "PRAGMA application_id=1936093304;",

    /* 2: the ledger (ledger.h). `request`: times in ms, NULL for what is not known; `day`: local day as YYYYMMDD of the
     * admission. `day_total`: for ever. `slice`: the last day in steps, for the windows of a restart; `kind` is enum
     * slice_kind, `at` Unix seconds. Costs are micro-CNY. */
    "CREATE TABLE request(id INTEGER PRIMARY KEY, time INT NOT NULL, day INT NOT NULL, duration INT NOT NULL, ttft INT,"
    " asked TEXT NOT NULL, model TEXT NOT NULL, key_id TEXT NOT NULL, account TEXT NOT NULL, client TEXT NOT NULL,"
    " path TEXT NOT NULL, status INT, reason TEXT NOT NULL, attempts INT NOT NULL, tokens_in INT, tokens_out INT,"
    " tokens_cached INT, tokens_reasoning INT, units INT NOT NULL, cost INT, stream INT NOT NULL,"
    " bytes_up INT NOT NULL, bytes_down INT NOT NULL);"
    "CREATE INDEX request_time ON request(time);"
    "CREATE TABLE day_total(day INT NOT NULL, model TEXT NOT NULL, key_id TEXT NOT NULL, client TEXT NOT NULL,"
    " requests INT NOT NULL, ok INT NOT NULL, errors INT NOT NULL, attempts INT NOT NULL, tokens_in INT NOT NULL,"
    " tokens_out INT NOT NULL, tokens_cached INT NOT NULL, tokens_reasoning INT NOT NULL, units INT NOT NULL,"
    " cost INT NOT NULL, cost_unknown INT NOT NULL, PRIMARY KEY(day, model, key_id, client)) WITHOUT ROWID;"
    "CREATE TABLE slice(at INT NOT NULL, kind INT NOT NULL, name TEXT NOT NULL, requests INT NOT NULL,"
    " tokens INT NOT NULL, cost INT NOT NULL, PRIMARY KEY(at, kind, name)) WITHOUT ROWID;",

    /* 3: which account owns what the platform made for it (pool/sticky.h). `kind` is enum sticky_kind, `made` Unix ms.
     */
    "CREATE TABLE sticky(kind INT NOT NULL, id TEXT NOT NULL, key_id TEXT NOT NULL, account TEXT NOT NULL,"
    " made INT NOT NULL, PRIMARY KEY(kind, id)) WITHOUT ROWID;",

    /* 4: what was metered since the balance was told; the balance that the key's file gave, NULL none. */
    "ALTER TABLE key ADD COLUMN balance_spent INT NOT NULL DEFAULT 0;"
    "ALTER TABLE key ADD COLUMN conf_balance INT;",
};

const int statedb_schema = (int)ARRAY_LEN(statedb_steps);
