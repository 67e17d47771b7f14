/* The ledger: rows, sums per day and slices say the same; nothing is written twice or lost without being counted; what
 * comes from outside cannot make it grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "meter/record.h"
#include "store/ledger.h"
#include "store/ledger_rows.h"
#include "store/statedb.h"

static char dir[64], path[100];
static const int64_t NOON = 1790827200000; /* 2026-10-01 12:00 in Shanghai */

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/sfproxy-test-ledger-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/state.db", dir);
    assert_true(clock_set_timezone("Asia/Shanghai"));
    return 0;
}

static int teardown(void **state)
{
    char command[100];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static struct statedb *open_db(void)
{
    struct buf why = BUF_INIT(2000);
    struct statedb *db = statedb_open(path, &why);
    assert_non_null(db);
    buf_free(&why);
    return db;
}

static struct ledger_row row_of(int64_t ms, const char *model, const char *key, const char *client)
{
    struct ledger_row r = {.time = {ms}, .day = wall_day((wall_t){ms}), .duration_ms = 2000, .ttft_ms = 300};
    str_copy(r.model, sizeof r.model, str_of(model));
    str_copy(r.asked, sizeof r.asked, str_of(model));
    str_copy(r.key_id, sizeof r.key_id, str_of(key));
    str_copy(r.client, sizeof r.client, str_of(client));
    str_copy(r.path, sizeof r.path, STR("/chat/completions"));
    r.model_known = true;
    r.status = 200;
    r.reason = "ok";
    r.ok = true;
    r.attempts = r.tries = 1;
    str_copy(r.try_list[0].key_id, sizeof r.try_list[0].key_id, str_of(key));
    r.usage_known = true;
    r.tokens_in = 30;
    r.tokens_out = 12;
    r.cost_micro = 150;
    return r;
}

static void write_rows(struct statedb *db, const struct ledger_row *rows, size_t n)
{
    struct day_clients clients = {0};
    struct buf why = BUF_INIT(2000);
    bool ok = ledger_write(db, &clients, rows, n, &why);
    if (!ok) print_error("%s\n", buf_cstr(&why));
    assert_true(ok);
    map_free(&clients.names);
    buf_free(&why);
}

static struct usage_list usage(struct statedb *db, struct usage_ask ask)
{
    struct buf why = BUF_INIT(2000);
    struct usage_list list;
    bool ok = ledger_usage(db, &ask, &list, &why);
    if (!ok) print_error("%s\n", buf_cstr(&why));
    assert_true(ok);
    buf_free(&why);
    return list;
}

static int64_t ask(const char *sql)
{
    sqlite3 *h;
    sqlite3_stmt *st;
    assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(h, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int64_t v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(h);
    return v;
}

static void rows_sums_and_totals_agree(void **state)
{
    (void)state;
    struct statedb *db = open_db();
    struct ledger_row rows[4] = {row_of(NOON, "M/a", "00000001", "anna"), row_of(NOON, "M/a", "00000002", "bert"),
                                 row_of(NOON + 1000, "M/b", "00000001", "anna"),
                                 row_of(NOON - 86400000, "M/a", "00000001", "anna")};
    rows[1].ok = false;
    rows[1].is_error = true;
    rows[1].reason = "timeout";
    rows[1].usage_known = false;
    rows[1].cost_micro = -1;
    rows[1].attempts = 3;
    rows[2].cost_micro = -1; /* no price; the failed one used nothing, which costs nothing */
    write_rows(db, rows, 4);
    for (int from_rows = 0; from_rows <= 1; from_rows++) {
        struct usage_ask a = {.by = USAGE_MODEL, .from_day = 20260930, .to_day = 20261001};
        if (from_rows) a.from_ms = NOON - 2 * 86400000;
        struct usage_list l = usage(db, a);
        assert_int_equal(l.count, 2);
        assert_string_equal(l.rows[0].model, "M/a");
        assert_string_equal(l.rows[0].key_id, "");
        assert_int_equal(l.rows[0].sums.requests, 3);
        assert_int_equal(l.rows[0].sums.ok, 2);
        assert_int_equal(l.rows[0].sums.errors, 1);
        assert_int_equal(l.rows[0].sums.attempts, 5);
        assert_int_equal(l.rows[0].sums.tokens_in, 60);
        assert_int_equal(l.rows[0].sums.tokens_out, 24);
        assert_int_equal(l.rows[0].sums.cost_micro, 300);
        assert_int_equal(l.rows[0].sums.cost_unknown, 0);
        assert_int_equal(l.total.requests, 4);
        assert_int_equal(l.total.cost_micro, 300);
        assert_int_equal(l.total.cost_unknown, 1);
        usage_list_free(&l);
        a.by = USAGE_DAY | USAGE_KEY;
        l = usage(db, a);
        assert_int_equal(l.count, 3);
        assert_int_equal(l.rows[0].day, 20260930);
        assert_int_equal(l.rows[1].day, 20261001);
        assert_string_equal(l.rows[1].key_id, "00000001");
        assert_int_equal(l.rows[1].sums.requests, 2);
        usage_list_free(&l);
    }
    struct usage_list none = usage(db, (struct usage_ask){.by = USAGE_DAY, .from_day = 20270101, .to_day = 20271231});
    assert_int_equal(none.count, 0);
    assert_int_equal(none.total.requests, 0);
    usage_list_free(&none);
    statedb_close(db);
    assert_int_equal(ask("SELECT count(*) FROM request WHERE cost IS NULL AND tokens_in IS NULL"), 1);
}

/* Whether a reason is an error is said twice: in the table of reasons and in the SQL over rows. */
static void reasons_are_judged_as_in_the_table(void **state)
{
    (void)state;
    struct statedb *db = open_db();
    int64_t errors = 0;
    for (int end = 0; end < END_COUNT; end++) {
        struct ledger_row r = row_of(NOON, "M/a", "00000001", "anna");
        r.reason = end_name((enum end_reason)end);
        r.ok = end == END_OK;
        r.is_error = end_is_error((enum end_reason)end);
        errors += r.is_error;
        write_rows(db, &r, 1);
    }
    struct usage_list l = usage(db, (struct usage_ask){.from_ms = NOON - 1});
    assert_int_equal(l.total.errors, errors);
    assert_int_equal(l.total.ok, 1);
    usage_list_free(&l);
    statedb_close(db);
}

struct seen {
    int64_t requests[4], tokens[4], cost;
    size_t count;
};

static void see(void *arg, const struct slice *s)
{
    struct seen *seen = arg;
    seen->requests[s->kind] += s->requests;
    seen->tokens[s->kind] += s->tokens;
    seen->cost += s->kind == SLICE_TOTAL ? s->cost_micro : 0;
    seen->count++;
}

/* Requests stand at their admission, tokens at their end, tries of keys when they began. */
static void slices_are_what_windows_count(void **state)
{
    (void)state;
    struct statedb *db = open_db();
    struct buf why = BUF_INIT(1000);
    struct seen all = {0}, first_minute = {0};
    struct ledger_row r = row_of(NOON, "M/a", "00000002", "anna");
    r.duration_ms = 90000;
    r.tries = r.attempts = 2;
    str_copy(r.try_list[0].key_id, sizeof r.try_list[0].key_id, STR("00000001"));
    str_copy(r.try_list[1].key_id, sizeof r.try_list[1].key_id, STR("00000002"));
    r.try_list[1].at_ms = 61000;
    write_rows(db, &r, 1);
    write_rows(db, &r, 1);
    assert_true(ledger_load_slices(db, NOON / 1000 - 86400, NOON / 1000 + 600, see, &all, &why));
    assert_int_equal(all.requests[SLICE_TOTAL], 2);
    assert_int_equal(all.requests[SLICE_MODEL], 2);
    assert_int_equal(all.requests[SLICE_CLIENT], 2);
    assert_int_equal(all.requests[SLICE_KEY], 4);
    assert_int_equal(all.tokens[SLICE_TOTAL], 84);
    assert_int_equal(all.tokens[SLICE_KEY], 84);
    assert_int_equal(all.cost, 300);
    assert_true(ledger_load_slices(db, NOON / 1000 - 60, NOON / 1000 + 59, see, &first_minute, &why));
    assert_int_equal(first_minute.requests[SLICE_TOTAL], 2);
    assert_int_equal(first_minute.tokens[SLICE_TOTAL], 0);
    assert_int_equal(first_minute.requests[SLICE_KEY], 2);
    buf_free(&why);
    statedb_close(db);
}

static void old_rows_go_in_chunks_and_sums_stay(void **state)
{
    (void)state;
    struct statedb *db = open_db();
    struct buf why = BUF_INIT(1000);
    struct ledger_row rows[60];
    int deleted;
    for (int i = 0; i < 60; i++) rows[i] = row_of(NOON - i * (int64_t)3600000, "M/a", "00000001", "anna");
    write_rows(db, rows, 60);
    wall_t keep = {NOON - 9 * (int64_t)3600000 - 1}; /* the newest ten */
    assert_true(ledger_forget(db, keep, (wall_t){NOON}, 30, &deleted, &why));
    assert_int_equal(deleted, 30);
    assert_int_equal(ask("SELECT count(*) FROM request"), 30);
    assert_true(ledger_forget(db, keep, (wall_t){NOON}, 30, &deleted, &why));
    assert_int_equal(deleted, 20);
    assert_true(ledger_forget(db, keep, (wall_t){NOON}, 30, &deleted, &why));
    assert_int_equal(deleted, 0);
    assert_int_equal(ask("SELECT count(*) FROM request"), 10);
    assert_int_equal(ask("SELECT sum(requests) FROM day_total"), 60);
    for (int i = 0; i < 10; i++) assert_true(ledger_forget(db, keep, (wall_t){NOON}, 30, &deleted, &why));
    assert_int_equal(ask("SELECT sum(requests) FROM slice WHERE kind = 0"), 26); /* 25 hours, both ends */
    buf_free(&why);
    statedb_close(db);
}

/* E4: each row in exactly one day; a day of the change has 23 or 25 hours. */
static void days_follow_the_zone_through_both_changes(void **state)
{
    static const struct {
        const char *zone;
        int64_t from_ms;
        int day, hours;
    } cases[] = {{"America/Santiago", 1788580800000 /* 2026-09-05 04:00Z */, 20260906, 23},
                 {"America/Santiago", 1775178000000 /* 2026-04-03 01:00Z */, 20260404, 25},
                 {"Europe/Berlin", 1774652400000 /* 2026-03-27 23:00Z */, 20260329, 23},
                 {"Europe/Berlin", 1792792800000 /* 2026-10-23 22:00Z */, 20261025, 25},
                 {"Asia/Shanghai", 1790784000000, 20261001, 24},
                 {"UTC", 1772150400000 /* 2026-02-27 */, 20260228, 24},
                 {"UTC", 1835308800000 /* 2028-02-28 */, 20280229, 24}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct day_cache cache = {0};
        char sql[200];
        unlink(path);
        if (!clock_set_timezone(cases[i].zone)) continue;
        struct statedb *db = open_db();
        for (int h = 0; h < 4 * 24; h++) {
            struct ledger_row r = row_of(cases[i].from_ms + h * (int64_t)3600000 + 1800000, "M/a", "00000001", "anna");
            assert_int_equal(wall_day_cached(&cache, r.time), r.day);
            write_rows(db, &r, 1);
        }
        struct usage_list l =
            usage(db, (struct usage_ask){.by = USAGE_DAY, .from_day = cases[i].day, .to_day = cases[i].day});
        assert_int_equal(l.total.requests, cases[i].hours);
        usage_list_free(&l);
        statedb_close(db);
        assert_int_equal(ask("SELECT sum(requests) FROM day_total"), 4 * 24);
        snprintf(sql, sizeof sql, "SELECT count(*) FROM request WHERE day = %d", cases[i].day);
        assert_int_equal(ask(sql), cases[i].hours);
    }
}

/* E6: names of clients and models come from outside. */
static void names_from_outside_are_bounded(void **state)
{
    (void)state;
    struct statedb *db = open_db();
    struct ledger_row *rows = xcalloc(1500, sizeof *rows);
    for (int i = 0; i < 1500; i++) {
        char client[30], model[30];
        snprintf(client, sizeof client, "10.0.%d.%d", i / 250, i % 250);
        snprintf(model, sizeof model, "made-up/%d", i);
        rows[i] = row_of(NOON, model, "", client);
        rows[i].model_known = false;
    }
    write_rows(db, rows, 700);
    write_rows(db, rows + 700, 800); /* asks the database who is known */
    assert_int_equal(ask("SELECT count(DISTINCT client) FROM day_total"), LEDGER_DAY_CLIENTS + 1);
    assert_int_equal(ask("SELECT sum(requests) FROM day_total WHERE client = '(other)'"), 500);
    assert_int_equal(ask("SELECT count(DISTINCT model) FROM day_total"), 1);
    assert_int_equal(ask("SELECT count(DISTINCT model) FROM request"), 1500);
    free(rows);
    statedb_close(db);
}

/* ---- the queue ---- */

struct blocker {
    struct disk_job job;
    _Atomic bool go;
};

static void block(struct disk_job *job)
{
    struct blocker *b = CONTAINER_OF(job, struct blocker, job);
    while (!atomic_load(&b->go)) usleep(1000);
}

static struct disk *new_disk(void)
{
    struct disk_options o = {.queue = 100, .log_file = ""};
    struct disk *d = disk_new(&o, NULL);
    assert_non_null(d);
    disk_log_to_stderr(d, false);
    return d;
}

static void wait_written(struct ledger *l, uint64_t n)
{
    struct ledger_health h = {0};
    for (int i = 0; i < 10000 && h.written < n; i++) {
        usleep(1000);
        ledger_health(l, &h);
    }
    assert_int_equal(h.written, n);
}

/* D3: the disk hangs. The newest rows are kept, what was lost is counted and shown. */
static void a_full_queue_drops_the_oldest(void **state)
{
    (void)state;
    struct statedb *db = open_db();
    struct disk *d = new_disk();
    struct ledger *l = ledger_new(db, d, 50, INT64_MAX / 4);
    struct blocker b = {.job.run = block};
    struct ledger_health h;
    struct disk_health dh;
    char alarm[200];
    assert_true(disk_post(d, &b.job));
    for (int i = 0; i < 80; i++) {
        struct ledger_row r = row_of(NOON + i, "M/a", "00000001", "anna");
        ledger_add(l, &r);
        ledger_tick(l, (mono_t){1000 + i});
    }
    ledger_health(l, &h);
    assert_int_equal(h.waiting, 50);
    assert_int_equal(h.dropped, 30);
    disk_health(d, &dh);
    disk_alarm(&dh, mono_now(), alarm, sizeof alarm);
    assert_non_null(strstr(alarm, "30"));
    atomic_store(&b.go, true);
    wait_written(l, 50);
    assert_true(disk_free(d, 10000));
    ledger_free(l);
    statedb_close(db);
    assert_int_equal(ask("SELECT count(*) FROM request"), 50);
    char sql[100];
    snprintf(sql, sizeof sql, "SELECT min(time) = %lld FROM request", (long long)NOON + 30);
    assert_int_equal(ask(sql), 1);
    assert_int_equal(ask("SELECT sum(requests) FROM day_total"), 50);
}

static void what_waits_at_the_end_is_written(void **state)
{
    (void)state;
    struct statedb *db = open_db();
    struct disk *d = new_disk();
    struct ledger *l = ledger_new(db, d, 2000, INT64_MAX / 4);
    for (int i = 0; i < 1300; i++) {
        struct ledger_row r = row_of(wall_now().ms, "M/a", "00000001", "anna");
        ledger_add(l, &r);
    }
    assert_true(disk_free(d, 10000));
    ledger_free(l);
    statedb_close(db);
    assert_int_equal(ask("SELECT count(*) FROM request"), 1300);
}

struct answered {
    _Atomic bool done;
};

static void on_answer(struct ledger_question *q)
{
    struct answered *a = q->arg;
    atomic_store(&a->done, true);
}

static void questions_are_answered_and_bounded(void **state)
{
    (void)state;
    struct statedb *db = open_db();
    struct disk *d = new_disk();
    struct ledger *l = ledger_new(db, d, 50, INT64_MAX / 4);
    struct blocker b = {.job.run = block};
    struct answered a = {false};
    struct ledger_question q[17];
    struct ledger_row r = row_of(NOON, "M/a", "00000001", "anna");
    write_rows(db, &r, 1);
    assert_true(disk_post(d, &b.job));
    for (size_t i = 0; i < ARRAY_LEN(q); i++) {
        q[i] = (struct ledger_question){.ask = {.by = USAGE_CLIENT, .from_day = 1, .to_day = 99999999}};
        q[i].done = on_answer;
        q[i].arg = &a;
        bool taken = ledger_ask(l, &q[i]);
        assert_int_equal(taken, i < 16);
    }
    atomic_store(&b.go, true);
    assert_true(disk_free(d, 10000));
    assert_true(atomic_load(&a.done));
    for (int i = 0; i < 16; i++) {
        assert_true(q[i].ok);
        assert_int_equal(q[i].list.count, 1);
        assert_string_equal(q[i].list.rows[0].client, "anna");
        usage_list_free(&q[i].list);
    }
    ledger_free(l);
    statedb_close(db);
}

/* ---- trouble ---- */

/* E5: somebody who reads an old state for a long time cannot make the log grow without end; recording goes on when they
 * are gone. */
static void a_long_reader_does_not_grow_the_log(void **state)
{
    (void)state;
    struct statedb *db = open_db();
    struct day_clients clients = {0};
    struct buf why = BUF_INIT(2000);
    struct ledger_row *rows = xcalloc(512, sizeof *rows);
    char wal[120];
    struct stat st;
    sqlite3 *reader;
    size_t batches = 0;
    snprintf(wal, sizeof wal, "%s-wal", path);
    for (int i = 0; i < 512; i++) {
        rows[i] = row_of(NOON + i, "M/a", "00000001", "anna");
        memset(rows[i].asked, 'x', sizeof rows[i].asked - 1);
        memset(rows[i].model, 'y', sizeof rows[i].model - 1);
    }
    assert_int_equal(sqlite3_open_v2(path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM request", NULL, NULL, NULL), SQLITE_OK);
    while (batches < 2000 && ledger_write(db, &clients, rows, 512, &why)) batches++;
    assert_true(batches < 2000);
    assert_non_null(strstr(buf_cstr(&why), "another program reads"));
    assert_int_equal(stat(wal, &st), 0);
    assert_true(st.st_size < LEDGER_WAL_MAX + 4 * 1024 * 1024);
    buf_reset(&why);
    assert_false(ledger_write(db, &clients, rows, 512, &why));
    sqlite3_close_v2(reader);
    buf_reset(&why);
    assert_true(ledger_write(db, &clients, rows, 512, &why));
    assert_true(ledger_write(db, &clients, rows, 512, &why));
    assert_int_equal(stat(wal, &st), 0);
    assert_true(st.st_size <= 8 * 1024 * 1024);
    assert_int_equal(ask("SELECT count(*) FROM request"), (int64_t)(batches + 2) * 512);
    free(rows);
    map_free(&clients.names);
    buf_free(&why);
    statedb_close(db);
}

/* A batch that fails in its last table leaves nothing in the first. */
static void a_batch_is_written_whole_or_not(void **state)
{
    (void)state;
    struct statedb *db = open_db();
    struct day_clients clients = {0};
    struct buf why = BUF_INIT(2000);
    struct ledger_row r = row_of(NOON, "M/a", "00000001", "anna");
    sqlite3 *h;
    assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
    assert_int_equal(sqlite3_exec(h, "ALTER TABLE slice RENAME TO gone", NULL, NULL, NULL), SQLITE_OK);
    assert_false(ledger_write(db, &clients, &r, 1, &why));
    assert_int_equal(ask("SELECT count(*) FROM request"), 0);
    assert_int_equal(ask("SELECT count(*) FROM day_total"), 0);
    assert_int_equal(sqlite3_exec(h, "ALTER TABLE gone RENAME TO slice", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(h);
    buf_reset(&why);
    assert_true(ledger_write(db, &clients, &r, 1, &why));
    assert_int_equal(ask("SELECT count(*) FROM request"), 1);
    map_free(&clients.names);
    buf_free(&why);
    statedb_close(db);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(rows_sums_and_totals_agree),
        T(reasons_are_judged_as_in_the_table),
        T(slices_are_what_windows_count),
        T(old_rows_go_in_chunks_and_sums_stay),
        T(days_follow_the_zone_through_both_changes),
        T(names_from_outside_are_bounded),
        T(a_full_queue_drops_the_oldest),
        T(what_waits_at_the_end_is_written),
        T(questions_are_answered_and_bounded),
        T(a_long_reader_does_not_grow_the_log),
        T(a_batch_is_written_whole_or_not),
    };
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
