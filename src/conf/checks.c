/* What options mean, alone and together: addresses, URLs, paths, zones, clients. Runs once, after the file and the
 * environment, and fills the derived fields of struct conf. Each check is a problem at the place that set the option.
 */
#include "conf/load.h"

#include <errno.h>
#include <pwd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conf/address.h"
#include "conf/keys.h"
#include "conf/models.h"

/* --- paths --- */

static char *home_dir(void)
{
    const char *home = getenv("HOME");
    if (home && home[0] == '/') return xstrdup(home);
    struct passwd *pw = getpwuid(getuid());
    return pw && pw->pw_dir && pw->pw_dir[0] == '/' ? xstrdup(pw->pw_dir) : NULL;
}

static char *working_dir(void)
{
    char *cwd = getcwd(NULL, 0);
    return cwd ? cwd : xstrdup(".");
}

/* The directory part of conf.path, which is absolute. */
static char *conf_dir(const struct conf *c)
{
    const char *slash = strrchr(c->path, '/');
    return slash ? xstrndup(c->path, slash == c->path ? 1 : (size_t)(slash - c->path)) : working_dir();
}

/* "~/x" and relative paths made absolute. */
static char *resolve(const char *path, const char *base)
{
    char *home = strncmp(path, "~/", 2) == 0 ? home_dir() : NULL, *full;
    if (home)
        full = xasprintf("%s/%s", home, path + 2);
    else if (path[0] == '/')
        full = xstrdup(path);
    else
        full = xasprintf("%s/%s", strcmp(base, "/") == 0 ? "" : base, path);
    free(home);
    return full;
}

static void check_paths(struct loading *l)
{
    static const size_t paths[] = {OPTION_AT_pool_keys_file, OPTION_AT_upstream_ca_file, OPTION_AT_store_dir,
                                   OPTION_AT_log_file};
    char *cwd = working_dir(), *dir = conf_dir(l->c);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        char **text = option_text(l->c, option_at(paths[i]));
        if (!**text) continue;
        char *full = resolve(*text, l->from_file[paths[i]] ? dir : cwd);
        free(*text);
        *text = full;
    }
    free(cwd);
    free(dir);
    const char *ca = l->c->upstream_ca_file;
    if (*ca && access(ca, R_OK) != 0)
        load_problem(l, load_where(l, OPTION_AT_upstream_ca_file), "upstream.ca_file: cannot open %s: %s", ca,
                     strerror(errno));
}

static void check_state_dir(struct loading *l, const char *state_dir)
{
    const char *xdg = getenv("XDG_STATE_HOME");
    char *cwd = working_dir(), *home = home_dir();
    if (state_dir && *state_dir)
        l->c->state_dir = resolve(state_dir, cwd);
    else if (*l->c->store_dir)
        l->c->state_dir = xstrdup(l->c->store_dir);
    else if (xdg && xdg[0] == '/')
        l->c->state_dir = xasprintf("%s/sfproxy", xdg);
    else if (home)
        l->c->state_dir = xasprintf("%s/.local/state/sfproxy", home);
    else
        load_problem(l, "store.dir", "there is no home directory to keep state in: set dir in [store]");
    free(cwd);
    free(home);
}

/* --- where clients come from --- */

static void check_listen(struct loading *l)
{
    const char *where = load_where(l, OPTION_AT_server_listen);
    struct text_list *listen = &l->c->server_listen, clean = {NULL, 0};
    struct buf why = BUF_INIT(512);
    for (size_t i = 0; i < listen->count; i++) {
        struct listen_address a;
        char written[64];
        buf_reset(&why);
        if (!listen_address_parse(str_of(listen->items[i]), &a, &why)) {
            load_problem(l, where, "server.listen: address %zu %s", i + 1, buf_cstr(&why));
            continue;
        }
        listen_address_write(&a, written, sizeof written);
        if (a.port && text_list_has(&clean, str_of(written)))
            load_problem(l, where, "server.listen: %s is given twice", written);
        text_list_add(&clean, str_of(written));
        if (!a.is_loopback && !l->c->client_count && !l->c->server_allow_open)
            load_problem(l, where,
                         "server.listen: %s can be reached from other machines and no client key is set, so anybody "
                         "could spend your keys: set client_key in [server] or AUTHORIZATION_KEY, or name clients in "
                         "[clients], or allow it with allow_open = yes",
                         written);
    }
    text_list_free(listen);
    *listen = clean;
    buf_free(&why);
}

static void check_clients(struct loading *l)
{
    const char *where = load_where(l, OPTION_AT_server_client_key), *token = l->c->admin_token;
    if (*l->c->server_client_key) load_client(l, STR("default"), str_of(l->c->server_client_key), where);
    if (*token && !client_key_is_valid(str_of(token)))
        load_problem(l, load_where(l, OPTION_AT_admin_token),
                     "admin.token must be 1 to 512 printable ASCII characters without blanks");
    else if (*token && strlen(token) < KEY_MIN_BYTES)
        load_warning(l, load_where(l, OPTION_AT_admin_token), "admin.token is shorter than 8 characters");
    for (size_t i = 0; i < l->c->server_trusted_hosts.count; i++)
        if (!host_name_is_valid(str_of(l->c->server_trusted_hosts.items[i])))
            load_problem(l, load_where(l, OPTION_AT_server_trusted_hosts),
                         "server.trusted_hosts: entry %zu is no host name (no port, no scheme)", i + 1);
}

/* --- where the platform is --- */

/* The path without the /v1 at its end; twice given counts as once. */
static struct str without_v1(struct str path)
{
    while (str_ends(path, "/v1") || str_ends(path, "/")) path.n -= str_ends(path, "/") ? 1 : 3;
    return path;
}

static void check_base_url(struct loading *l)
{
    const char *where = load_where(l, OPTION_AT_upstream_base_url), *wrong = NULL;
    struct conf *c = l->c;
    struct buf why = BUF_INIT(256), url = BUF_INIT(4096);
    struct url_parts u;
    if (!url_parse(str_of(c->upstream_base_url), &u, &why))
        wrong = buf_cstr(&why);
    else if (!str_ieq(u.scheme, STR("http")) && !str_ieq(u.scheme, STR("https")))
        wrong = "must start with https:// or http://";
    else if (u.userinfo.p)
        wrong = "must hold no user name and no password";
    if (wrong) {
        load_problem(l, where, "upstream.base_url %s", wrong);
    } else {
        c->upstream_tls = str_ieq(u.scheme, STR("https"));
        c->upstream_host = xstrdup(u.host);
        c->upstream_port = u.port ? u.port : c->upstream_tls ? 443 : 80;
        buf_printf(&url, u.is_v6 ? "%s://[%s]" : "%s://%s", c->upstream_tls ? "https" : "http", u.host);
        if (u.port) buf_printf(&url, ":%d", u.port);
        buf_add_str(&url, without_v1(u.path));
        if (!buf_puts(&url, "/v1")) load_problem(l, where, "upstream.base_url: no memory for it");
        c->api_url = buf_take(&url);
        bool is_local =
            strcmp(u.host, "localhost") == 0 || strncmp(u.host, "127.", 4) == 0 || strcmp(u.host, "::1") == 0;
        if (!c->upstream_tls && !is_local)
            load_warning(l, where, "upstream.base_url is http://: keys cross the network in clear");
    }
    buf_free(&why);
    buf_free(&url);
}

static void check_proxy(struct loading *l)
{
    static const struct {
        const char *scheme;
        int port; /* libcurl's default for it */
    } known[] = {{"http", 1080}, {"https", 443}, {"socks5h", 1080}};
    struct buf why = BUF_INIT(256);
    struct url_parts u = {.port = 0};
    const char *wrong = NULL;
    int port = 0;
    if (!*l->c->upstream_proxy) {
        l->c->proxy_host = xstrdup("");
        return;
    }
    if (!url_parse(str_of(l->c->upstream_proxy), &u, &why)) wrong = buf_cstr(&why);
    for (size_t i = 0; !wrong && i < ARRAY_LEN(known); i++)
        if (str_is(u.scheme, known[i].scheme)) port = known[i].port;
    if (!wrong && !port) wrong = "must start with http://, https:// or socks5h://";
    if (!wrong && u.path.n) wrong = "must have no path";
    if (wrong) load_problem(l, load_where(l, OPTION_AT_upstream_proxy), "upstream.proxy %s", wrong);
    l->c->proxy_host = xstrdup(wrong ? "" : u.host);
    l->c->proxy_port = wrong ? 0 : u.port ? u.port : port;
    buf_free(&why);
}

void load_checks(struct loading *l, const char *state_dir)
{
    check_clients(l);
    check_listen(l);
    check_base_url(l);
    check_proxy(l);
    check_paths(l);
    check_state_dir(l, state_dir);
    check_model_rules(l);
    if (!clock_has_timezone(l->c->server_timezone))
        load_problem(l, load_where(l, OPTION_AT_server_timezone),
                     "server.timezone is not in this system's database; examples: Asia/Shanghai, Europe/Berlin, UTC");
    if (*l->c->pool_keys_file) load_keys_file(l, l->c->pool_keys_file, load_where(l, OPTION_AT_pool_keys_file));
}
