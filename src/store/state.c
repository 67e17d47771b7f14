/* The state directory and the jobs that write it.
 *
 *   main, before the threads:   state_open (directory, lock, database) -> state_load, state_admin_token
 *   control thread:             state_save_* copies what it needs into a job; state_setting reads the map in memory
 *   disk thread:                the jobs: they alone touch the database and the `keys` file from then on
 *   main, after the threads:    state_close
 *
 * The lock: flock on `lock`, which holds pid and address for the sentence of the second one. The file is removed at
 * the end, so whoever gets the lock makes sure that the file it locked is still the one with that name.
 * A save that fails (disk full) reports a sentence and is kept; it is tried again after the next save of anything that
 * works, and at the end, unless a newer save of the same thing has taken its place meanwhile. */
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/secret.h"
#include "store/statedb.h"

enum { KEYS_FILE_MAX = 16 << 20, TOKEN_MIN = 16, TOKEN_FILE_MAX = 1024, SOCKET_PATH_MAX = 100 };

struct save_job;

struct state {
    char *dir, *socket_path, *lock_path, *keys_path;
    int lock_fd;
    struct statedb *db;  /* main, then disk thread */
    struct map settings; /* name -> malloc'ed value; main, then control thread */
    struct list unsaved; /* of struct save_job, oldest first; disk thread, then main */
};

/* ---- the lock ---- */

static void say_who_holds(const struct state *s, int fd, struct buf *why)
{
    char text[300] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    struct str rest = {text, n > 0 ? (size_t)n : 0}, line, pid;
    uint64_t number;
    if (str_split(&rest, '\n', &line) && str_split(&line, ' ', &pid) && str_u64(pid, &number)) {
        char address[256];
        text_clean(str_trim(line), address, sizeof address);
        buf_printf(why, "another sfproxy, pid %llu on %s, uses this state directory (%s)", (unsigned long long)number,
                   address, s->dir);
    } else {
        buf_printf(why, "another sfproxy uses this state directory (%s)", s->dir);
    }
}

static bool is_still_named(int fd, const char *path)
{
    struct stat here, there;
    return fstat(fd, &here) == 0 && stat(path, &there) == 0 && here.st_ino == there.st_ino &&
           here.st_dev == there.st_dev;
}

/* Pid and address are for people: that they cannot be written (disk full) stops nothing. */
static void write_holder(int fd, const char *listen)
{
    struct buf text = BUF_INIT(1024);
    buf_printf(&text, "%ld %s\n", (long)getpid(), listen);
    if (fchmod(fd, 0600) != 0 || ftruncate(fd, 0) != 0 || !fd_write_all(fd, buf_cstr(&text), text.len))
        log_msg(LOG_WARN, "cannot write the lock file: %s", strerror(errno));
    buf_free(&text);
}

static bool take_lock(struct state *s, const char *listen, struct buf *why)
{
    for (;;) {
        int fd = open(s->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
        if (fd < 0) {
            buf_printf(why, "cannot open %s: %s", s->lock_path, strerror(errno));
            return false;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK)
                say_who_holds(s, fd, why);
            else
                buf_printf(why, "cannot lock %s: %s", s->lock_path, strerror(errno));
            close(fd);
            return false;
        }
        if (is_still_named(fd, s->lock_path)) {
            write_holder(fd, listen);
            s->lock_fd = fd;
            return true;
        }
        close(fd); /* its last holder removed it between our open and our lock */
    }
}

/* ---- opening and closing ---- */

/* A directory of the user's choice is not changed behind their back; what is in it is 0600 in any case. */
static void warn_open_directory(const char *dir)
{
    struct stat st;
    if (stat(dir, &st) == 0 && (st.st_mode & 077))
        log_msg(LOG_WARN, "the state directory %s is open to other users (mode %03o): chmod 700 it", dir,
                (unsigned)(st.st_mode & 0777));
}

/* dir_make() is subject to the umask only downwards: 0700 is what new directories get. */
static bool prepare_directory(struct state *s, struct buf *why)
{
    if (strlen(s->socket_path) > SOCKET_PATH_MAX) {
        buf_printf(why, "the path of the control socket, %s, is longer than %d bytes: choose another state directory",
                   s->socket_path, SOCKET_PATH_MAX);
        return false;
    }
    if (!dir_make(s->dir, why)) return false;
    warn_open_directory(s->dir);
    return true;
}

static bool open_database(struct state *s, struct buf *why)
{
    char *path = xasprintf("%s/state.db", s->dir);
    s->db = statedb_open(path, why);
    free(path);
    return s->db && statedb_load_settings(s->db, &s->settings, why);
}

/* What a process left that was killed while it saved the keys: they are nowhere but in `keys`. */
static void remove_leftover(const struct state *s)
{
    char *path = xasprintf("%s.tmp", s->keys_path);
    unlink(path);
    free(path);
}

struct state *state_open(const char *dir, const char *listen, struct buf *why)
{
    struct state *s = xcalloc(1, sizeof *s);
    s->lock_fd = -1;
    list_init(&s->unsaved);
    s->dir = xstrdup(dir);
    s->socket_path = xasprintf("%s/control.sock", dir);
    s->lock_path = xasprintf("%s/lock", dir);
    s->keys_path = xasprintf("%s/keys", dir);
    if (prepare_directory(s, why) && take_lock(s, listen, why) && open_database(s, why)) {
        remove_leftover(s);
        return s;
    }
    state_close(s);
    return NULL;
}

static void save_once_more(struct state *s);

void state_close(struct state *s)
{
    if (!s) return;
    save_once_more(s);
    statedb_close(s->db);
    if (s->lock_fd >= 0) {
        unlink(s->socket_path);
        unlink(s->lock_path); /* before the lock goes with the descriptor: nobody else's file is removed */
        close(s->lock_fd);
    }
    MAP_FOR(slot, &s->settings) free(slot->value);
    map_free(&s->settings);
    free(s->dir);
    free(s->socket_path);
    free(s->lock_path);
    free(s->keys_path);
    free(s);
}

const char *state_socket_path(const struct state *s)
{
    return s->socket_path;
}

const char *state_dir(const struct state *s)
{
    return s->dir;
}

struct statedb *state_db(struct state *s)
{
    return s->db;
}

bool state_was_replaced(struct state *s)
{
    return statedb_was_replaced(s->db);
}

const char *state_setting(const struct state *s, const char *name)
{
    return map_get(&s->settings, str_of(name));
}

/* ---- loading ---- */

/* Size of a private file of ours; tightens its mode. -1: not there. */
static int64_t private_file_size(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) return -1;
    if ((st.st_mode & 077) && S_ISREG(st.st_mode)) {
        bool done = chmod(path, 0600) == 0;
        log_msg(LOG_WARN, "%s was open to other users (mode %03o)%s", path, (unsigned)(st.st_mode & 0777),
                done ? ": now 600" : " and cannot be changed");
    }
    return st.st_size;
}

static void wipe_buf(struct buf *b)
{
    if (b->data) wipe(b->data, b->room);
    buf_free(b);
}

static bool load_runtime_keys(struct state *s, struct state_loaded *out, struct buf *why)
{
    int64_t size = private_file_size(s->keys_path);
    if (size < 0 && errno == ENOENT) return true;
    struct buf text = BUF_INIT(KEYS_FILE_MAX);
    buf_reserve(&text, (size_t)MIN(MAX(size, 0) + 65536, KEYS_FILE_MAX)); /* no copies left behind by growing */
    bool ok = file_read(s->keys_path, &text, why);
    size_t ignored = ok ? keys_parse(buf_str(&text), true, "state", &out->runtime_keys, &out->runtime_count) : 0;
    if (ignored) log_msg(LOG_WARN, "%zu entries in %s are no keys and were left out", ignored, s->keys_path);
    wipe_buf(&text);
    return ok;
}

bool state_load(struct state *s, struct state_loaded *out, struct buf *why)
{
    *out = (struct state_loaded){0};
    if (statedb_load(s->db, out, why) && load_runtime_keys(s, out, why)) return true;
    state_loaded_free(out);
    return false;
}

void state_loaded_free(struct state_loaded *l)
{
    free(l->keys);
    free(l->cooldowns);
    keys_free(l->runtime_keys, l->runtime_count);
    for (size_t i = 0; i < l->ban_count; i++) free(l->bans[i]);
    free(l->bans);
    free(l->sticky);
    *l = (struct state_loaded){0};
}

/* ---- the admin token ---- */

static char *make_token(const char *path)
{
    char hex[2 * 32 + 1], line[sizeof hex + 1];
    struct buf trouble = BUF_INIT(1024);
    random_hex(32, hex);
    snprintf(line, sizeof line, "%s\n", hex);
    if (!file_replace(path, str_of(line), &trouble))
        log_msg(LOG_WARN, "%s: the admin token of this run is not kept; the control socket works without it",
                buf_cstr(&trouble));
    buf_free(&trouble);
    char *token = xstrdup(hex);
    wipe(hex, sizeof hex);
    wipe(line, sizeof line);
    return token;
}

static char *read_token(const char *path, struct buf *why)
{
    struct buf text = BUF_INIT(TOKEN_FILE_MAX);
    char *token = NULL;
    if (file_read(path, &text, why)) {
        struct str s = str_trim(buf_str(&text));
        if (s.n >= TOKEN_MIN && token_is_safe(s))
            token = str_dup(s);
        else
            buf_printf(why, "%s holds no usable token (16 to 128 letters and digits): delete it to get a new one",
                       path);
    }
    wipe_buf(&text);
    return token;
}

char *state_admin_token(struct state *s, struct buf *why)
{
    char *path = xasprintf("%s/admin.token", s->dir);
    char *token = private_file_size(path) > 0 ? read_token(path, why) : make_token(path);
    free(path);
    return token;
}

/* ---- jobs ---- */

/* One kind of job for all: `save` is what it does, the rest is what it needs. */
struct save_job {
    struct disk_job job;
    struct list node; /* in `unsaved` */
    struct state *state;
    struct disk *disk;
    bool (*save)(struct save_job *j, struct buf *why);
    bool adds; /* to what earlier jobs saved, instead of taking its place */
    struct key_saved *keys;
    struct cooldown_saved *cooldowns;
    size_t key_count, cooldown_count;
    struct sticky_row *sticky;
    size_t sticky_count;
    char **models;
    size_t model_count;
    char *name, *value, *secret_text;
};

static void save_job_free(struct save_job *j)
{
    list_remove(&j->node);
    for (size_t i = 0; i < j->model_count; i++) free(j->models[i]);
    free(j->models);
    free(j->keys);
    free(j->cooldowns);
    free(j->sticky);
    free(j->name);
    free(j->value);
    free_secret(j->secret_text);
    free(j);
}

static bool is_same_thing(const struct save_job *a, const struct save_job *b)
{
    return !a->adds && a->save == b->save && (!a->name || strcmp(a->name, b->name) == 0);
}

static void drop_older(struct save_job *j)
{
    LIST_FOR_SAFE(it, &j->state->unsaved)
    {
        struct save_job *older = LIST_ENTRY(it, struct save_job, node);
        if (is_same_thing(older, j)) save_job_free(older);
    }
}

/* In order, up to the first that fails: what ails one ails the others. */
static bool save_unsaved(struct state *s, struct buf *why)
{
    LIST_FOR_SAFE(it, &s->unsaved)
    {
        struct save_job *j = LIST_ENTRY(it, struct save_job, node);
        if (!j->save(j, why)) return false;
        save_job_free(j);
    }
    return true;
}

static void run_save(struct disk_job *job)
{
    struct save_job *j = CONTAINER_OF(job, struct save_job, job);
    struct state *s = j->state;
    struct disk *d = j->disk;
    struct buf why = BUF_INIT(2048);
    drop_older(j);
    bool saved = j->save(j, &why);
    if (saved)
        save_job_free(j);
    else
        list_append(&s->unsaved, &j->node);
    if (saved && save_unsaved(s, &why))
        disk_report_ok(d);
    else
        disk_report_error(d, buf_cstr(&why));
    buf_free(&why);
}

static void save_once_more(struct state *s)
{
    struct buf why = BUF_INIT(2048);
    if (!save_unsaved(s, &why)) log_msg(LOG_ERROR, "%s: the newest state is lost", buf_cstr(&why));
    LIST_FOR_SAFE(it, &s->unsaved) save_job_free(LIST_ENTRY(it, struct save_job, node));
    buf_free(&why);
}

static struct save_job *save_job_new(struct state *s, struct disk *d, bool (*save)(struct save_job *, struct buf *))
{
    struct save_job *j = xcalloc(1, sizeof *j);
    *j = (struct save_job){.job.run = run_save, .state = s, .disk = d, .save = save};
    list_init(&j->node);
    return j;
}

static bool post_or_free(struct save_job *j)
{
    if (disk_post(j->disk, &j->job)) return true;
    save_job_free(j);
    return false;
}

static bool save_pool(struct save_job *j, struct buf *why)
{
    return statedb_save_pool(j->state->db, j->keys, j->key_count, j->cooldowns, j->cooldown_count, wall_now(), why);
}

bool state_save_pool(struct state *s, struct disk *d, struct key_saved *keys, size_t key_count,
                     struct cooldown_saved *cooldowns, size_t cooldown_count)
{
    struct save_job *j = save_job_new(s, d, save_pool);
    j->keys = keys;
    j->key_count = key_count;
    j->cooldowns = cooldowns;
    j->cooldown_count = cooldown_count;
    return post_or_free(j);
}

static bool save_keys(struct save_job *j, struct buf *why)
{
    return file_replace(j->state->keys_path, str_of(j->secret_text), why);
}

bool state_save_keys(struct state *s, struct disk *d, char *text)
{
    struct save_job *j = save_job_new(s, d, save_keys);
    j->secret_text = text;
    return post_or_free(j);
}

static bool save_bans(struct save_job *j, struct buf *why)
{
    return statedb_save_bans(j->state->db, j->models, j->model_count, why);
}

bool state_save_bans(struct state *s, struct disk *d, char **models, size_t count)
{
    struct save_job *j = save_job_new(s, d, save_bans);
    j->models = xcalloc(count, sizeof *j->models);
    for (size_t i = 0; i < count; i++) j->models[i] = xstrdup(models[i]);
    j->model_count = count;
    return post_or_free(j);
}

static bool save_sticky(struct save_job *j, struct buf *why)
{
    return statedb_save_sticky(j->state->db, j->sticky, j->sticky_count, wall_now(), why);
}

bool state_save_sticky(struct state *s, struct disk *d, struct sticky_row *rows, size_t count)
{
    struct save_job *j = save_job_new(s, d, save_sticky);
    j->adds = true;
    j->sticky = rows;
    j->sticky_count = count;
    if (disk_post(d, &j->job)) return true;
    j->sticky = NULL;
    save_job_free(j);
    return false;
}

static bool save_setting(struct save_job *j, struct buf *why)
{
    return statedb_save_setting(j->state->db, j->name, j->value, why);
}

bool state_save_setting(struct state *s, struct disk *d, const char *name, const char *value)
{
    struct save_job *j = save_job_new(s, d, save_setting);
    j->name = xstrdup(name);
    j->value = xstrdup(value);
    free(map_put(&s->settings, str_of(name), xstrdup(value)));
    return post_or_free(j);
}

bool state_save_settings(struct state *s, struct disk *d)
{
    bool ok = true;
    MAP_FOR(slot, &s->settings)
    {
        struct save_job *j = save_job_new(s, d, save_setting);
        j->name = xstrdup(slot->key);
        j->value = xstrdup(slot->value);
        ok = post_or_free(j) && ok;
    }
    return ok;
}
