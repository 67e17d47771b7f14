/* The state directory: what comes back after a restart, and everything that may be found in its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "store/migrations.h"
#include "store/state.h"
#include "store/statedb.h"

static char base[] = "/tmp/sfproxy-test-state-XXXXXX";
static char dir[200]; /* a new one for each test */

static char *in_dir(const char *name)
{
    static char path[4][400];
    static int n;
    char *p = path[n++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static struct state *open_or_fail(void)
{
    struct buf why = BUF_INIT(2000);
    struct state *s = state_open(dir, "127.0.0.1:7860", &why);
    if (!s) print_error("%s\n", buf_cstr(&why));
    assert_non_null(s);
    buf_free(&why);
    return s;
}

static void assert_refused(const char *part)
{
    struct buf why = BUF_INIT(2000);
    assert_null(state_open(dir, "127.0.0.1:7861", &why));
    if (!strstr(buf_cstr(&why), part)) print_error("%s\n", buf_cstr(&why));
    assert_non_null(strstr(buf_cstr(&why), part));
    buf_free(&why);
}

static struct state_loaded load(struct state *s)
{
    struct buf why = BUF_INIT(2000);
    struct state_loaded l;
    bool ok = state_load(s, &l, &why);
    if (!ok) print_error("%s\n", buf_cstr(&why));
    assert_true(ok);
    buf_free(&why);
    return l;
}

static struct disk *disk(void)
{
    struct disk_options o = {.queue = 100, .log_file = ""};
    return disk_new(&o, NULL);
}

static struct key_saved key_of(const char *id, const char *label, bool enabled)
{
    struct key_saved k;
    memset(&k, 0, sizeof k); /* padding too: rows are compared as bytes */
    k.class = CLASS_PAID;
    k.enabled = enabled;
    k.ever_worked = k.label_by_hand = true;
    str_copy(k.id, sizeof k.id, str_of(id));
    str_copy(k.label, sizeof k.label, str_of(label));
    str_copy(k.account, sizeof k.account, STR("acc'; DROP TABLE key; --"));
    str_copy(k.class_evidence, sizeof k.class_evidence, STR("served a paid model"));
    k.balance_origin = BALANCE_SET;
    k.balance_micro = -14500000;
    k.balance_at_ms = 1790000000001;
    k.balance_spent_micro = 250000;
    k.has_conf_balance = enabled; /* one row with, one without */
    k.conf_balance_micro = enabled ? 20000000 : 0;
    k.tested_at_ms = 1790000000002;
    k.class_at_ms = 1790000000003;
    return k;
}

static bool save(struct state *s, struct disk *d, size_t count, const struct key_saved *keys, const char *cooled)
{
    struct key_saved *k = xcalloc(count, sizeof *k);
    struct cooldown_saved *c = xcalloc(1, sizeof *c);
    memcpy(k, keys, count * sizeof *k);
    *c = (struct cooldown_saved){.scope = 2, .verdict = VERDICT_RATE_DAY, .repeats = 3};
    c->until_ms = wall_now().ms + 3600000;
    str_copy(c->id, sizeof c->id, str_of(cooled ? cooled : ""));
    str_copy(c->model, sizeof c->model, STR("Pro/deepseek-ai/DeepSeek-R1"));
    return state_save_pool(s, d, k, count, c, cooled ? 1 : 0);
}

static size_t count_files(const char *part)
{
    DIR *d = opendir(dir);
    size_t n = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += strstr(e->d_name, part) && !str_ends(str_of(e->d_name), "-wal") && !str_ends(str_of(e->d_name), "-shm");
    closedir(d);
    return n;
}

static unsigned mode_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_mode & 07777 : 0xFFFF;
}

static void everything_comes_back(void **state)
{
    (void)state;
    struct state *s = open_or_fail();
    struct state_loaded l = load(s);
    assert_int_equal(l.key_count + l.cooldown_count + l.runtime_count + l.ban_count, 0);
    assert_null(state_setting(s, "lang"));
    struct disk *d = disk();
    struct key_saved keys[] = {key_of("0000000a", "\xE4\xB8\xBB\xE8\xA6\x81", false), key_of("00000001", "b", true)};
    char *bans[] = {(char *)"a/b", (char *)"x'y"};
    assert_true(save(s, d, 2, keys, "0000000a"));
    assert_true(state_save_bans(s, d, bans, 2));
    assert_true(state_save_setting(s, d, "lang", "en"));
    assert_true(state_save_setting(s, d, "lang", "zh"));
    assert_string_equal(state_setting(s, "lang"), "zh");
    assert_true(
        state_save_keys(s, d, xstrdup("one = sk-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa01\nsk-bbbbbbbbbbbbbbbbbbbbbbbbbb02\n")));
    assert_true(disk_free(d, 20000));
    state_close(s);
    assert_int_equal(count_files("lock"), 0);

    s = open_or_fail();
    l = load(s);
    assert_int_equal(l.key_count, 2);
    assert_memory_equal(&l.keys[0], &keys[0], sizeof keys[0]);
    assert_string_equal(l.keys[1].id, "00000001"); /* in their order */
    assert_true(l.keys[1].has_conf_balance && l.keys[1].conf_balance_micro == 20000000);
    assert_int_equal(l.cooldown_count, 1);
    assert_string_equal(l.cooldowns[0].id, "0000000a");
    assert_string_equal(l.cooldowns[0].model, "Pro/deepseek-ai/DeepSeek-R1");
    assert_int_equal(l.cooldowns[0].verdict, VERDICT_RATE_DAY);
    assert_int_equal(l.cooldowns[0].repeats, 3);
    assert_int_equal(l.cooldowns[0].scope, 2);
    assert_int_equal(l.ban_count, 2);
    assert_string_equal(l.bans[1], "x'y");
    assert_int_equal(l.runtime_count, 2);
    assert_string_equal(l.runtime_keys[0].label, "one");
    assert_string_equal(l.runtime_keys[1].secret, "sk-bbbbbbbbbbbbbbbbbbbbbbbbbb02");
    assert_string_equal(state_setting(s, "lang"), "zh");
    state_loaded_free(&l);
    state_close(s);
}

static void keys_that_are_gone_stay_thirty_days(void **state)
{
    (void)state;
    struct buf why = BUF_INIT(1000);
    assert_int_equal(mkdir(dir, 0700), 0);
    struct statedb *db = statedb_open(in_dir("alone.db"), &why);
    assert_non_null(db);
    const int64_t day = 24 * 3600 * 1000LL;
    struct key_saved a = key_of("0000000a", "a", false), b = key_of("0000000b", "b", true);
    struct cooldown_saved c = {.id = "0000000a", .model = "m", .until_ms = 500 * day};
    struct state_loaded l = {0};
    assert_true(statedb_save_pool(db, &a, 1, &c, 1, (wall_t){100 * day}, &why));
    assert_true(statedb_save_pool(db, &b, 1, NULL, 0, (wall_t){129 * day}, &why));
    assert_true(statedb_load(db, &l, &why));
    assert_int_equal(l.key_count, 2);
    assert_string_equal(l.keys[1].id, "0000000a");
    assert_false(l.keys[1].enabled);
    assert_int_equal(l.cooldown_count, 1);
    state_loaded_free(&l);
    assert_true(statedb_save_pool(db, &b, 1, NULL, 0, (wall_t){131 * day}, &why));
    assert_true(statedb_load(db, &l, &why));
    assert_int_equal(l.key_count, 1);
    assert_string_equal(l.keys[0].id, "0000000b");
    state_loaded_free(&l);
    statedb_close(db);
}

static void modes_do_not_depend_on_the_umask(void **state)
{
    (void)state;
    mode_t before = umask(0);
    snprintf(dir + strlen(dir), 20, "/made/here");
    struct state *s = open_or_fail();
    struct buf why = BUF_INIT(1000);
    struct disk *d = disk();
    struct key_saved k = key_of("0000000a", "a", true);
    char *token = state_admin_token(s, &why);
    assert_non_null(token);
    assert_int_equal(strlen(token), 64);
    assert_true(save(s, d, 1, &k, NULL));
    assert_true(state_save_keys(s, d, xstrdup("sk-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa01\n")));
    assert_true(disk_free(d, 20000));
    assert_int_equal(mode_of(dir), 0700);
    const char *const files[] = {"lock", "state.db", "state.db-wal", "state.db-shm", "keys", "admin.token"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) assert_int_equal(mode_of(in_dir(files[i])), 0600);
    state_close(s);
    umask(before);

    chmod(in_dir("keys"), 0644);
    chmod(in_dir("state.db"), 0666);
    s = open_or_fail();
    struct state_loaded l = load(s);
    assert_int_equal(l.runtime_count, 1);
    assert_int_equal(mode_of(in_dir("keys")), 0600);
    assert_int_equal(mode_of(in_dir("state.db")), 0600);
    char *again = state_admin_token(s, &why);
    assert_string_equal(token, again);
    free_secret(token);
    free_secret(again);
    state_loaded_free(&l);
    state_close(s);
}

static void a_second_one_is_refused(void **state)
{
    (void)state;
    int ready[2], finish[2];
    char byte;
    assert_int_equal(pipe(ready) | pipe(finish), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct buf why = BUF_INIT(1000);
        struct state *s = state_open(dir, "127.0.0.1:7860, [::1]:7860", &why);
        if (!s || write(ready[1], "x", 1) != 1 || read(finish[0], &byte, 1) != 1) _exit(1);
        state_close(s);
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    char expected[100];
    snprintf(expected, sizeof expected, "another sfproxy, pid %d on 127.0.0.1:7860, [::1]:7860, uses", (int)pid);
    assert_refused(expected);
    assert_int_equal(write(finish[1], "x", 1), 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    state_close(open_or_fail());
    for (int i = 0; i < 2; i++) close(ready[i]), close(finish[i]);
}

static void overwrite(const char *path, long from, size_t n, bool cut)
{
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    fseek(f, from, SEEK_SET);
    for (size_t i = 0; i < n; i++) fputc((int)(i * 7 + 13) & 0xFF, f);
    fflush(f);
    if (cut) assert_int_equal(ftruncate(fileno(f), from + (long)n), 0);
    fclose(f);
}

static void make_state(bool enabled)
{
    struct state *s = open_or_fail();
    struct disk *d = disk();
    struct key_saved keys[60];
    for (int i = 0; i < 60; i++) {
        char id[9];
        snprintf(id, sizeof id, "%08x", i);
        keys[i] = key_of(id, "a label of some length, so that the table takes several pages", enabled);
    }
    assert_true(save(s, d, 60, keys, "00000000"));
    assert_true(disk_free(d, 20000));
    state_close(s);
}

static void damage_is_set_aside(void **state)
{
    (void)state;
    static const struct {
        long from;
        size_t n;
        bool cut;
    } damages[] = {{0, 100, false},     {0, 5000, false},    {0, 700, true},
                   {4096, 4096, false}, {8192, 3000, false}, {5000, 1, true}};
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        make_state(true);
        size_t before = count_files("corrupt");
        overwrite(in_dir("state.db"), damages[i].from, damages[i].n, damages[i].cut);
        struct state *s = open_or_fail();
        assert_int_equal(count_files("corrupt"), before + 1);
        struct state_loaded l = load(s);
        assert_int_equal(l.key_count, 0);
        state_close(s);
    }
}

static void run_sql(const char *sql)
{
    sqlite3 *h;
    assert_int_equal(sqlite3_open(in_dir("state.db"), &h), SQLITE_OK);
    assert_int_equal(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(h);
}

static void a_newer_schema_is_refused_and_untouched(void **state)
{
    (void)state;
    char sql[64], sentence[64];
    make_state(false);
    snprintf(sql, sizeof sql, "PRAGMA user_version=%d", statedb_schema + 1);
    snprintf(sentence, sizeof sentence, "newer sfproxy (schema %d", statedb_schema + 1);
    run_sql(sql);
    assert_refused(sentence);
    assert_int_equal(count_files("corrupt"), 0);
    snprintf(sql, sizeof sql, "PRAGMA user_version=%d", statedb_schema);
    run_sql(sql);
    struct state *s = open_or_fail();
    struct state_loaded l = load(s);
    assert_int_equal(l.key_count, 60);
    assert_false(l.keys[0].enabled);
    state_loaded_free(&l);
    state_close(s);
}

static int ask_int(const char *sql)
{
    sqlite3 *h;
    sqlite3_stmt *st;
    assert_int_equal(sqlite3_open(in_dir("state.db"), &h), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(h, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int v = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(h);
    return v;
}

/* The first schema as it was released; this text is never changed. */
static const char schema_1[] =
    "CREATE TABLE key(id TEXT PRIMARY KEY, label TEXT NOT NULL, label_by_hand INT NOT NULL, account TEXT NOT NULL,"
    " class INT NOT NULL, class_evidence TEXT NOT NULL, class_at INT NOT NULL, enabled INT NOT NULL,"
    " ever_worked INT NOT NULL, balance_origin INT NOT NULL, balance_micro INT NOT NULL, balance_at INT NOT NULL,"
    " tested_at INT NOT NULL, position INT NOT NULL, last_seen INT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE cooldown(key_id TEXT NOT NULL, model TEXT NOT NULL, scope INT NOT NULL, verdict INT NOT NULL,"
    " repeats INT NOT NULL, until INT NOT NULL, PRIMARY KEY(key_id, model, scope, verdict)) WITHOUT ROWID;"
    "CREATE TABLE ban(model TEXT PRIMARY KEY) WITHOUT ROWID;"
    "CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "PRAGMA application_id=1936093304;"
    "PRAGMA user_version=1;";

static void the_first_schema_is_brought_to_the_newest(void **state)
{
    (void)state;
    assert_int_equal(mkdir(dir, 0700), 0);
    run_sql(schema_1);
    run_sql("INSERT INTO key VALUES('0a1b2c3d','main',1,'A',1,'served',5,0,1,0,0,0,0,0,7);"
            "INSERT INTO ban VALUES('Qwen/Old'); INSERT INTO setting VALUES('lang','zh');");
    struct state *s = open_or_fail();
    struct state_loaded l = load(s);
    assert_int_equal(l.key_count, 1);
    assert_false(l.keys[0].enabled);
    assert_int_equal(l.ban_count, 1);
    assert_string_equal(state_setting(s, "lang"), "zh");
    state_loaded_free(&l);
    state_close(s);
    assert_int_equal(ask_int("PRAGMA user_version"), statedb_schema);
    assert_int_equal(ask_int("SELECT count(*) FROM request"), 0);
    state_close(open_or_fail()); /* and nothing is taken twice */
}

/* A step that cannot be done leaves the schema and everything else as it was. */
static void half_a_step_is_no_step(void **state)
{
    (void)state;
    assert_int_equal(mkdir(dir, 0700), 0);
    run_sql(schema_1);
    run_sql("CREATE TABLE slice(mine); INSERT INTO ban VALUES('Qwen/Old');");
    assert_refused("cannot bring to the newest schema");
    assert_int_equal(ask_int("PRAGMA user_version"), 1);
    assert_int_equal(ask_int("SELECT count(*) FROM sqlite_master WHERE name = 'request'"), 0);
    assert_int_equal(count_files("corrupt"), 0);
    run_sql("DROP TABLE slice");
    struct state *s = open_or_fail();
    struct state_loaded l = load(s);
    assert_int_equal(l.ban_count, 1);
    state_loaded_free(&l);
    state_close(s);
}

static void a_foreign_database_is_set_aside(void **state)
{
    (void)state;
    assert_int_equal(mkdir(dir, 0700), 0);
    run_sql("CREATE TABLE holiday(picture); INSERT INTO holiday VALUES('beach');");
    struct state *s = open_or_fail();
    assert_int_equal(count_files("corrupt"), 1);
    state_close(s);
}

static void what_cannot_be_read_is_not_passed_over(void **state)
{
    (void)state;
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(mkdir(in_dir("state.db"), 0700), 0);
    assert_refused("state.db");
}

static void odd_values_are_brought_into_range(void **state)
{
    (void)state;
    make_state(true);
    run_sql("UPDATE key SET class=99, balance_origin=-5, label='x' || char(27) || '[31m' || char(10);"
            "UPDATE cooldown SET verdict=1000000, repeats=-1; INSERT INTO ban VALUES(x'00ff41');");
    struct state *s = open_or_fail();
    struct state_loaded l = load(s);
    assert_int_equal(l.keys[0].class, 0);
    assert_int_equal(l.keys[0].balance_origin, 0);
    assert_string_equal(l.keys[0].label, "x?[31m?");
    assert_int_equal(l.cooldowns[0].verdict, 0);
    assert_int_equal(l.cooldowns[0].repeats, 0);
    assert_string_equal(l.bans[0], "??A");
    state_loaded_free(&l);
    state_close(s);
}

static void a_bad_token_is_refused(void **state)
{
    (void)state;
    struct state *s = open_or_fail();
    struct buf why = BUF_INIT(1000);
    assert_true(file_replace(in_dir("admin.token"), STR("short\n"), &why));
    assert_null(state_admin_token(s, &why));
    assert_non_null(strstr(buf_cstr(&why), "admin.token"));
    buf_free(&why);
    state_close(s);
}

static void a_long_path_is_refused(void **state)
{
    (void)state;
    memset(dir + strlen(dir), 'x', 95);
    assert_refused("control socket");
}

static void wait_for_jobs(struct disk *d)
{
    struct disk_health h;
    for (int64_t until = mono_now().ms + 20000; mono_now().ms < until;) {
        disk_health(d, &h);
        if (!h.queued) return;
        usleep(1000);
    }
    fail();
}

/* Errors, then recovery: a save that failed is made up for by the next one that works, whatever it saves. */
static void check_failing_then_recovering(struct state *s, void (*make_room)(void))
{
    struct disk *d = disk();
    struct disk_health h;
    struct key_saved k = key_of("0000000c", "late", false);
    assert_true(save(s, d, 1, &k, NULL));
    assert_true(state_save_keys(s, d, xstrdup("sk-cccccccccccccccccccccccccccc01\n")));
    wait_for_jobs(d);
    for (int64_t until = mono_now().ms + 20000; disk_health(d, &h), h.errors < 2 && mono_now().ms < until;)
        usleep(1000);
    assert_true(h.failing);
    assert_int_equal(h.errors, 2);
    assert_true(strlen(h.last_error) > 0);
    make_room();
    assert_true(state_save_setting(s, d, "lang", "zh"));
    for (int64_t until = mono_now().ms + 20000; disk_health(d, &h), h.failing && mono_now().ms < until;) usleep(1000);
    assert_false(h.failing);
    assert_true(disk_free(d, 20000));
    assert_int_equal(mode_of(in_dir("keys")), 0600); /* made up for now, not only at the end */
    state_close(s);
    s = open_or_fail();
    struct state_loaded l = load(s);
    bool found = false;
    for (size_t i = 0; i < l.key_count; i++)
        found = found || (strcmp(l.keys[i].id, "0000000c") == 0 && !l.keys[i].enabled);
    assert_true(found);
    assert_int_equal(l.runtime_count, 1);
    assert_string_equal(state_setting(s, "lang"), "zh");
    state_loaded_free(&l);
    state_close(s);
}

static struct rlimit room_before;

static void lift_limit(void)
{
    setrlimit(RLIMIT_FSIZE, &room_before);
}

static void a_full_disk_stops_nothing(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &room_before);
    struct rlimit none = {0, room_before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &none);
    struct state *s = open_or_fail(); /* there never was a state.db, and there is no room for one */
    struct state_loaded l = load(s);
    assert_int_equal(l.key_count, 0);
    check_failing_then_recovering(s, lift_limit);
}

static void free_tmpfs(void)
{
    assert_int_equal(unlink(in_dir("filler")), 0);
}

static void fill_tmpfs(void)
{
    static const char junk[4096];
    FILE *f = fopen(in_dir("filler"), "w");
    assert_non_null(f);
    setbuf(f, NULL);
    while (fwrite(junk, 1, sizeof junk, f) == sizeof junk) {
    }
    fclose(f);
}

static void a_full_tmpfs_keeps_what_was_there(void **state)
{
    (void)state;
    assert_int_equal(mkdir(dir, 0700), 0);
    if (geteuid() != 0 || mount("none", dir, "tmpfs", 0, "size=512k,mode=700") != 0) skip();
    make_state(false);
    fill_tmpfs();
    struct state *s = open_or_fail();
    struct state_loaded l = load(s);
    size_t keys = l.key_count;
    bool enabled = keys && l.keys[0].enabled;
    state_loaded_free(&l);
    if (keys == 60 && !enabled) check_failing_then_recovering(s, free_tmpfs);
    assert_int_equal(keys, 60);
    assert_false(enabled);
}

/* Killed while it writes: whatever is there must be one save, whole. */
static void a_kill_leaves_a_whole_save(void **state)
{
    (void)state;
    for (int round = 0; round < 8; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct buf why = BUF_INIT(1000);
            struct state *s = state_open(dir, "x", &why);
            struct disk *d = disk();
            for (int i = 0; s; i++) {
                struct key_saved keys[50];
                char label[20];
                snprintf(label, sizeof label, "%d", i);
                for (int k = 0; k < 50; k++) keys[k] = key_of("00000000", label, true), keys[k].id[0] = (char)('0' + k);
                struct disk_health h;
                do disk_health(d, &h);
                while (h.queued > 50);
                if (!save(s, d, 50, keys, NULL)) _exit(2);
            }
            _exit(1);
        }
        struct stat st;
        for (int64_t until = mono_now().ms + 20000; mono_now().ms < until;) {
            char *wal = in_dir("state.db-wal");
            if (stat(wal, &st) == 0 && st.st_size > 200000 + round * 7000) break; /* the tables alone are 60 KB */
            usleep(500);
        }
        kill(pid, SIGKILL);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        struct state *s = open_or_fail();
        struct state_loaded l = load(s);
        assert_int_equal(l.key_count, 50);
        for (size_t i = 1; i < 50; i++) assert_string_equal(l.keys[i].label, l.keys[0].label);
        assert_int_equal(count_files("corrupt"), 0);
        state_loaded_free(&l);
        state_close(s);
    }
}

static int setup(void **state)
{
    (void)state;
    static int n;
    snprintf(dir, sizeof dir, "%s/%d", base, n++);
    return 0;
}

/* Also when the test failed half-way. */
static int teardown(void **state)
{
    (void)state;
    umount2(dir, MNT_DETACH);
    return 0;
}

static int make_base(void **state)
{
    (void)state;
    return mkdtemp(base) ? 0 : -1;
}

static int remove_base(void **state)
{
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", base);
    return system(command);
}

static void sticky_rows_come_and_go(void **state)
{
    (void)state;
    struct state *s = open_or_fail();
    struct disk *d = disk();
    int64_t now = wall_now().ms;
    struct sticky_row all[] = {{.kind = STICKY_FILE, .id = "f'1", .owner = {"11111111", "A"}, .made = {now - 2}},
                               {.kind = STICKY_VOICE, .id = "v", .owner = {"22222222", ""}, .made = {now - 1}},
                               {.kind = STICKY_VIDEO, .id = "old", .made = {now - 3 * 3600000}},
                               {.kind = STICKY_FILE, .id = "f'1", .gone = true}};
    for (size_t i = 0; i < 2; i++) {
        struct sticky_row *rows = xcalloc(3, sizeof *rows);
        memcpy(rows, i ? &all[3] : all, (i ? 1 : 3) * sizeof *rows);
        assert_true(state_save_sticky(s, d, rows, i ? 1 : 3));
        assert_true(disk_free(d, 5000));
        struct state_loaded l = load(s);
        assert_int_equal(l.sticky_count, i ? 1 : 2);
        assert_string_equal(l.sticky[0].id, i ? "v" : "f'1");
        assert_string_equal(l.sticky[0].owner.key_id, i ? "22222222" : "11111111");
        assert_string_equal(l.sticky[0].owner.account, i ? "" : "A");
        assert_int_equal(l.sticky[0].made.ms, i ? now - 1 : now - 2);
        state_loaded_free(&l);
        d = disk();
    }
    assert_true(disk_free(d, 5000));
    state_close(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(sticky_rows_come_and_go),
        T(everything_comes_back),
        T(keys_that_are_gone_stay_thirty_days),
        T(modes_do_not_depend_on_the_umask),
        T(a_second_one_is_refused),
        T(damage_is_set_aside),
        T(a_newer_schema_is_refused_and_untouched),
        T(the_first_schema_is_brought_to_the_newest),
        T(half_a_step_is_no_step),
        T(a_foreign_database_is_set_aside),
        T(what_cannot_be_read_is_not_passed_over),
        T(odd_values_are_brought_into_range),
        T(a_bad_token_is_refused),
        T(a_long_path_is_refused),
        T(a_full_disk_stops_nothing),
        T(a_full_tmpfs_keeps_what_was_there),
        T(a_kill_leaves_a_whole_save),
    };
    return cmocka_run_group_tests_name("state", tests, make_base, remove_base);
}
