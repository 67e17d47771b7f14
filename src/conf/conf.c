/* Building a configuration: defaults, then the file, then the environment, then the checks; and its reference count.
 *
 *   find the file -> load_file -> load_environment -> load_checks (reads keys_file) -> load_environment_keys
 *
 * Nothing stops at the first problem: all of them are collected, and only then the result is given up. A built
 * configuration never changes; whoever holds a reference may read it on any thread. The last reference wipes the keys.
 */
#include "conf/load.h"

#include <stdarg.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/secret.h"
#include "conf/keys.h"
#include "conf/models.h"

/* --- problems --- */

static PRINTF(3, 0) void append(struct buf *to, const char *where, const char *fmt, va_list ap)
{
    char *sentence = NULL;
    if (vasprintf(&sentence, fmt, ap) < 0) return;
    buf_printf(to, "%s: %s\n", where, sentence);
    free(sentence);
}

void load_problem(struct loading *l, const char *where, const char *fmt, ...)
{
    va_list ap;
    if (++l->problems > LOAD_SHOWN_MAX) return;
    va_start(ap, fmt);
    append(l->why, where, fmt, ap);
    va_end(ap);
}

void load_warning(struct loading *l, const char *where, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    append(l->warnings, where, fmt, ap);
    va_end(ap);
}

const char *load_where(const struct loading *l, size_t index)
{
    return l->set_at[index] ? l->set_at[index] : "default";
}

/* --- what the readers add --- */

void load_option(struct loading *l, size_t index, struct str text, const char *where)
{
    const struct option *o = option_at(index);
    struct buf why = BUF_INIT(1024);
    if (!option_set(l->c, o, text, &why)) load_problem(l, where, "%s.%s %s", o->section, o->name, buf_cstr(&why));
    buf_free(&why);
    free(l->set_at[index]);
    l->set_at[index] = xstrdup(where);
}

static bool client_name_is_valid(struct str s)
{
    bool ok = s.n >= 1 && s.n <= 48;
    for (size_t i = 0; ok && i < s.n; i++) ok = ascii_alnum(s.p[i]) || memchr("._-", s.p[i], 3);
    return ok;
}

void load_client(struct loading *l, struct str name, struct str key, const char *where)
{
    struct conf *c = l->c;
    struct client_conf client;
    if (!client_name_is_valid(name) || str_starts(name, "sk-")) {
        load_problem(l, where, "a client is written NAME = KEY, its name 1 to 48 of A-Z a-z 0-9 . _ -");
        return;
    }
    if (!client_key_is_valid(key)) {
        load_problem(l, where, "the key of client %.*s must be 1 to 512 printable ASCII characters without blanks",
                     STR_ARG(name));
        return;
    }
    if (key.n < KEY_MIN_BYTES)
        load_warning(l, where, "the key of client %.*s is shorter than 8 characters", STR_ARG(name));
    sha256(key, client.digest);
    for (size_t i = 0; i < c->client_count; i++) {
        bool same_name = str_is(name, c->clients[i].name);
        if (!same_name && !digest_equal(client.digest, c->clients[i].digest)) continue;
        if (same_name)
            load_problem(l, where, "client %.*s is given twice", STR_ARG(name));
        else
            load_problem(l, where, "client %.*s has the same key as client %s", STR_ARG(name), c->clients[i].name);
        return;
    }
    client.name = str_dup(name);
    c->clients = xrealloc(c->clients, c->client_count + 1, sizeof *c->clients);
    c->clients[c->client_count++] = client;
}

/* What `known` lacks is taken from `other`. */
static void fill_in(struct key_conf *known, struct key_conf *other)
{
    if (!*known->label) {
        free(known->label);
        known->label = xstrdup(other->label);
    }
    if (!*known->account) {
        free(known->account);
        known->account = xstrdup(other->account);
    }
    if (!known->has_balance) {
        known->has_balance = other->has_balance;
        known->balance_micro = other->balance_micro;
    }
}

void load_key(struct loading *l, struct key_conf *key)
{
    struct conf *c = l->c;
    for (size_t i = 0; i < c->key_count; i++) {
        if (strcmp(c->keys[i].secret, key->secret) != 0) continue;
        fill_in(&c->keys[i], key);
        key_clear(key);
        return;
    }
    c->keys = xrealloc(c->keys, c->key_count + 1, sizeof *c->keys);
    c->keys[c->key_count++] = *key;
}

/* --- finding the file --- */

/* Takes `candidate` (may be NULL) when it exists. */
static char *if_exists(char *candidate)
{
    if (candidate && access(candidate, F_OK) == 0) return candidate;
    free(candidate);
    return NULL;
}

static char *find_file(const char *path)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (path) return xstrdup(path);
    char *found = if_exists(xstrdup("sfproxy.conf"));
    if (!found && xdg && xdg[0] == '/') found = if_exists(xasprintf("%s/sfproxy/sfproxy.conf", xdg));
    if (!found && home && home[0] == '/') found = if_exists(xasprintf("%s/.config/sfproxy/sfproxy.conf", home));
    return found ? found : if_exists(xstrdup("/etc/sfproxy.conf"));
}

static char *absolute(const char *path)
{
    char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0);
    char *full = cwd ? xasprintf("%s/%s", strcmp(cwd, "/") == 0 ? "" : cwd, path) : xstrdup(path);
    free(cwd);
    return full;
}

/* --- the life of a configuration --- */

static struct conf *conf_new(void)
{
    struct conf *c = xcalloc(1, sizeof *c);
    atomic_init(&c->refs, 1);
    options_set_defaults(c);
    return c;
}

struct conf *conf_load(const char *path, const char *state_dir, struct buf *why, struct buf *warnings)
{
    struct loading l = {.c = conf_new(), .why = why, .warnings = warnings};
    char *file = find_file(path);
    l.c->path = file ? absolute(file) : xstrdup("");
    l.file = file;
    if (file) load_file(&l, file);
    load_environment(&l);
    load_checks(&l, state_dir);
    load_environment_keys(&l);
    if (l.problems > LOAD_SHOWN_MAX) buf_printf(why, "and %u more problems\n", l.problems - LOAD_SHOWN_MAX);
    for (size_t i = 0; i < OPTION_COUNT; i++) free(l.set_at[i]);
    free(file);
    if (!l.problems) return l.c;
    conf_put(l.c);
    return NULL;
}

struct conf *conf_get(struct conf *c)
{
    BUG_ON(atomic_fetch_add(&c->refs, 1) == 0);
    return c;
}

void conf_put(struct conf *c)
{
    if (!c) return;
    unsigned before = atomic_fetch_sub(&c->refs, 1);
    BUG_ON(before == 0);
    if (before > 1) return;
    options_free(c);
    for (size_t i = 0; i < c->client_count; i++) free(c->clients[i].name);
    free(c->clients);
    keys_free(c->keys, c->key_count);
    model_rules_free(c);
    free(c->path);
    free(c->api_url);
    free(c->upstream_host);
    free(c->proxy_host);
    free(c->state_dir);
    free_secret(c->free_model_test_key);
    free(c);
}
