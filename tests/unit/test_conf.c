/* conf_load as a whole: files in a directory of the test, an environment of the test, and what comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/secret.h"
#include "conf/address.h"
#include "conf/settings.h"

#define KEY_A "sk-aaaaaaaaaaaaaaaa"
#define KEY_B "sk-bbbbbbbbbbbbbbbb"
#define KEY_C "sk-cccccccccccccccc"

static char dir[64], *start_dir;
static struct buf why, warnings;

/* --- the test's world --- */

static int setup(void **state)
{
    (void)state;
    start_dir = getcwd(NULL, 0);
    snprintf(dir, sizeof dir, "/tmp/sfproxy-conf-XXXXXX");
    buf_init(&why, 1 << 20);
    buf_init(&warnings, 1 << 20);
    return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&why);
    buf_free(&warnings);
    int failed = chdir(start_dir) || rmdir(dir);
    free(start_dir);
    return failed;
}

/* Every test starts with an empty environment and no file; what it made is removed. */
static int reset(void **state)
{
    (void)state;
    static const char *const files[] = {"sfproxy.conf", "keys.txt", "other.conf", "cfg/sfproxy/sfproxy.conf",
                                        "cfg/sfproxy",  "cfg"};
    clearenv();
    setenv("HOME", "/nonexistent", 1);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) remove(files[i]);
    return 0;
}

static void write_file(const char *name, const char *text)
{
    assert_true(file_replace(name, str_of(text), &why));
}

static struct conf *load(const char *text)
{
    buf_reset(&why);
    buf_reset(&warnings);
    if (text) write_file("sfproxy.conf", text);
    return conf_load(NULL, NULL, &why, &warnings);
}

static struct conf *load_ok(const char *text)
{
    struct conf *c = load(text);
    if (!c) print_error("%s", buf_cstr(&why));
    assert_non_null(c);
    assert_int_equal(why.len, 0);
    return c;
}

static void has(const struct buf *b, const char *part)
{
    if (!strstr(buf_cstr(b), part)) fail_msg("\"%s\" is not in:\n%s", part, buf_cstr(b));
}

/* The file is refused, and `part` stands in the reasons. */
static void refused(const char *text, const char *part)
{
    assert_null(load(text));
    has(&why, part);
}

/* --- defaults and files --- */

static void defaults(void **state)
{
    (void)state;
    struct conf *c = load_ok(NULL);
    assert_string_equal(c->path, "");
    assert_int_equal(c->server_listen.count, 1);
    assert_string_equal(c->server_listen.items[0], "127.0.0.1:7860");
    assert_int_equal(c->server_workers, 0);
    assert_int_equal(c->limits_max_body, 32 << 20);
    assert_int_equal(c->upstream_first_byte_timeout, 300000);
    assert_int_equal(c->pool_strategy, STRATEGY_ROUND_ROBIN);
    assert_int_equal(c->ui_on_hangup, HANGUP_EXIT);
    assert_true(c->ui_mouse);
    assert_string_equal(c->api_url, "https://api.siliconflow.cn/v1");
    assert_string_equal(c->upstream_host, "api.siliconflow.cn");
    assert_int_equal(c->upstream_port, 443);
    assert_true(c->upstream_tls);
    assert_string_equal(c->proxy_host, "");
    assert_string_equal(c->state_dir, "/nonexistent/.local/state/sfproxy");
    assert_string_equal(c->free_model_test_key, "");
    assert_int_equal(c->key_count + c->client_count, 0);
    assert_int_equal(warnings.len, 0);
    conf_put(c);
}

/* The tests are started at the source's top, or from below it. */
static const char *shipped_file(void)
{
    static char path[4200];
    static const char *const up[] = {"", "/..", "/../.."};
    for (size_t i = 0; i < ARRAY_LEN(up); i++) {
        snprintf(path, sizeof path, "%s%s/sfproxy.conf", start_dir, up[i]);
        if (access(path, R_OK) == 0) return path;
    }
    fail_msg("no sfproxy.conf at or above %s", start_dir);
    return NULL;
}

static void shipped_file_changes_nothing(void **state)
{
    (void)state;
    const char *path = shipped_file();
    struct conf *base = load_ok(NULL);
    struct conf *c = conf_load(path, NULL, &why, &warnings);
    assert_string_equal(buf_cstr(&why), "");
    assert_non_null(c);
    assert_string_equal(buf_cstr(&warnings), ""); /* no secret in it: its mode is nobody's business */
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        struct buf a = BUF_INIT(4096), b = BUF_INIT(4096);
        option_write(base, option_at(i), &a);
        option_write(c, option_at(i), &b);
        assert_string_equal(buf_cstr(&a), buf_cstr(&b));
        buf_free(&a);
        buf_free(&b);
    }
    assert_int_equal(c->key_count + c->client_count, 0);
    conf_put(c);
    conf_put(base);
}

static void every_type_from_the_file(void **state)
{
    (void)state;
    struct conf *c =
        load_ok("[server]\nlisten = 127.0.0.1:1, [0:0:0:0:0:0:0:1]:2, localhost:3\nworkers = auto\ndrain = 500ms\n"
                "[upstream]\nmax_attempts = 10\nretry_stalls = on\n[pool]\nstrategy = fill_first\n"
                "[models]\nban = a/b , c,\n[limits]\nmax_body = 1G\n[ui]\nlang = zh\n");
    assert_int_equal(c->server_listen.count, 3);
    assert_string_equal(c->server_listen.items[1], "[::1]:2");
    assert_string_equal(c->server_listen.items[2], "127.0.0.1:3");
    assert_int_equal(c->server_drain, 500);
    assert_int_equal(c->upstream_max_attempts, 10);
    assert_true(c->upstream_retry_stalls);
    assert_int_equal(c->pool_strategy, STRATEGY_FILL_FIRST);
    assert_int_equal(c->models_ban.count, 2);
    assert_string_equal(c->models_ban.items[1], "c");
    assert_int_equal(c->limits_max_body, 1 << 30);
    assert_int_equal(c->ui_lang, 2);
    assert_true(c->path[0] == '/');
    conf_put(c);
}

static void finds_the_file_in_order(void **state)
{
    (void)state;
    char xdg[100];
    snprintf(xdg, sizeof xdg, "%s/cfg", dir);
    setenv("XDG_CONFIG_HOME", xdg, 1);
    assert_true(dir_make("cfg/sfproxy", &why));
    write_file("cfg/sfproxy/sfproxy.conf", "[ui]\nfps = 7\n");
    write_file("other.conf", "[ui]\nfps = 9\n");
    struct conf *c = load_ok(NULL);
    assert_int_equal(c->ui_fps, 7);
    conf_put(c);
    c = load_ok("[ui]\nfps = 8\n");
    assert_int_equal(c->ui_fps, 8);
    conf_put(c);
    c = conf_load("other.conf", NULL, &why, &warnings);
    assert_int_equal(c->ui_fps, 9);
    conf_put(c);
    assert_null(conf_load("missing.conf", NULL, &why, &warnings));
    has(&why, "missing.conf");
    has(&why, "No such file");
}

/* --- problems --- */

static void all_problems_at_once(void **state)
{
    (void)state;
    assert_null(load("[server]\nworkers = many\nlistne = x\n[limits]\nmax_body = 1\nmax_body = 2M\nbase_url = x\n"
                     "[nowhere]\nx = 1\ny = 2\n[ui]\nlang = fr\nword\n[upstream]\nbase_url = ftp://host\n"));
    assert_string_equal(buf_cstr(&why),
                        "sfproxy.conf:2: server.workers must be a whole number, not \"many\"\n"
                        "sfproxy.conf:3: unknown option listne in [server]\n"
                        "sfproxy.conf:5: limits.max_body must be from 1K to 4G, not 1\n"
                        "sfproxy.conf:6: limits.max_body is given twice, first at sfproxy.conf:5\n"
                        "sfproxy.conf:7: unknown option base_url in [limits]; it belongs in [upstream]\n"
                        "sfproxy.conf:9: unknown section [nowhere]\n"
                        "sfproxy.conf:12: ui.lang must be one of auto|en|zh, not \"fr\"\n"
                        "sfproxy.conf:13: expected name = value\n"
                        "sfproxy.conf:15: upstream.base_url must start with https:// or http://\n");
}

static void wrong_values(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } rows[] = {
        {"x = 1\n", "sfproxy.conf:1: x stands before the first [section]"},
        {"[ui]\nfps = 11\n", "ui.fps must be from 1 to 10, not 11"},
        {"[ui]\nfps = -1\n", "must be a whole number"},
        {"[ui]\nmouse = maybe\n", "ui.mouse must be yes or no, not \"maybe\""},
        {"[server]\ndrain = 30\n", "server.drain must be a duration"},
        {"[server]\ndrain = 2h\n", "must be from 0 to 1h, not 2h"},
        {"[server]\ndrain =\n", "server.drain must be a duration"},
        {"[server]\nlisten = ,\n", "must have from 1 to 16 entries"},
        {"[server]\nlisten = 7860\n", "sfproxy.conf:2: server.listen: address 1 must be written address:port"},
        {"[server]\nlisten = 127.0.0.1:7860, example.com:80\n", "address 2 needs an IP address"},
        {"[server]\nlisten = ::1:7860\n", "server.listen"},
        {"[server]\nlisten = 127.0.0.1:1, localhost:1\n", "127.0.0.1:1 is given twice"},
        {"[server]\ntimezone = Mars/Olympus\n", "server.timezone"},
        {"[server]\ntrusted_hosts = http://x\n", "server.trusted_hosts: entry 1"},
        {"[models]\ntest_model = a\tb\n", "control characters"},
        {"[upstream]\nca_file = /no/such/ca.pem\n", "upstream.ca_file: cannot open /no/such/ca.pem: No such file"},
        {"[pool]\nkeys_file = missing.txt\n", "sfproxy.conf:2: pool.keys_file: cannot open"},
        {"[clients]\nbad name = 12345678\n", "a client is written NAME = KEY"},
        {"[clients]\na = 12345678\nb = 12345678\n", "sfproxy.conf:3: client b has the same key as client a"},
        {"[clients]\na = 12345678\na = 87654321\n", "sfproxy.conf:3: a is given twice in [clients]"},
        {"[clients]\na =\n", "the key of client a"},
        {"[server]\nclient_key = 12345678\n[clients]\ndefault = abcdefgh\n", "client default is given twice"},
        {"[keys]\na = " KEY_A "\na = " KEY_B "\n", "sfproxy.conf:3: a is given twice in [keys]"},
        {"[keys]\na = tiny\n", "sfproxy.conf:2: a in [keys]: is no key"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) refused(rows[i].text, rows[i].part);
}

static void rules_of_models(void **state)
{
    (void)state;
    struct conf *c = load_ok("[models]\nalias.gpt-4o = Qwen/Qwen3-32B\nprice.Qwen/Qwen3-32B = 1/4/0.1\n"
                             "free.Qwen/Qwen3-32B = no\nlimit.Qwen/Qwen3-32B = 1000/50000\nfree.x = on\n"
                             "limit.y = 30\nrefresh = 5m\nchat_images = inline\n");
    const struct model_rule *r = conf_model_rule(c, STR("gpt-4o"));
    assert_string_equal(r->alias_of, "Qwen/Qwen3-32B");
    assert_false(r->has_price);
    assert_int_equal(r->free, -1);
    r = conf_model_rule(c, STR("Qwen/Qwen3-32B"));
    assert_null(r->alias_of);
    assert_true(r->has_price);
    assert_int_equal(r->price.step[0].out, 4000000);
    assert_int_equal(r->free, 0);
    assert_int_equal(r->limit_rpm, 1000);
    assert_int_equal(r->limit_tpm, 50000);
    assert_int_equal(conf_model_rule(c, STR("x"))->free, 1);
    assert_int_equal(conf_model_rule(c, STR("y"))->limit_rpm, 30);
    assert_int_equal(conf_model_rule(c, STR("y"))->limit_tpm, 0);
    assert_null(conf_model_rule(c, STR("z")));
    assert_int_equal(c->model_rule_count, 4);
    assert_int_equal(c->models_refresh, 300000);
    assert_int_equal(c->models_chat_images, CHAT_IMAGES_INLINE);
    conf_put(c);
    conf_put(load_ok("[models]\nalias.a = b\nfree.a = yes\n"));
    has(&warnings, "price, free and limit of an alias have no effect; set those of b");
}

static void wrong_rules_of_models(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } rows[] = {
        {"[models]\nalias. = b\n", "sfproxy.conf:2: models.alias.: the name after the dot must have 1 to 256 bytes"},
        {"[models]\nalias.a =\n", "models.alias.a must be a model's name"},
        {"[models]\nalias.a = b c\n", "models.alias.a must be a model's name"},
        {"[models]\nalias.a = a\n", "models.alias.a must be another model's name"},
        {"[models]\nalias.a = b\nalias.b = c\n", "b is an alias itself"},
        {"[models]\nalias.a = b\nalias.a = c\n", "sfproxy.conf:3: alias.a is given twice in [models]"},
        {"[models]\nprice.a = cheap\n", "sfproxy.conf:2: models.price.a must be a price in CNY"},
        {"[models]\nprice.a = 1/-4\n", "models.price.a must be a price"},
        {"[models]\nfree.a = perhaps\n", "models.free.a must be yes or no"},
        {"[models]\nlimit.a = 0/0\n", "models.limit.a must be requests/tokens"},
        {"[models]\nlimit.a = 10/x\n", "models.limit.a must be requests/tokens"},
        {"[models]\nlimit.a = 10/20/30\n", "models.limit.a must be requests/tokens"},
        {"[models]\ncost.a = 1\n", "unknown option cost.a in [models]"},
        {"[models]\nchat_images = png\n", "models.chat_images must be one of link|inline"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) refused(rows[i].text, rows[i].part);
}

static void secrets_are_never_shown(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "[keys]\n" KEY_A " = main\n",
        "[keys]\n" KEY_A " = main\n" KEY_A " = main\n",
        "[keys]\na = " KEY_A " " KEY_B "\n",
        "[server]\n" KEY_A " = 1\nworkers = " KEY_A "\nlisten = " KEY_A "\n",
        "[" KEY_A "]\nx = 1\n",
        "[server]\nclient_key = sk-aaaa bbbb\n",
        "[admin]\ntoken = sk-aaaa bbbb\n",
        "[upstream]\nproxy = ftp://user:sk-aaaa@host\n",
        "[upstream]\nbase_url = https://user:sk-aaaa@host\n",
        "[clients]\na b = sk-aaaaaaaa\n" KEY_A " = x\n",
        "[models]\nprice." KEY_A " = x\n",
        KEY_A "\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_null(load(texts[i]));
        assert_true(why.len > 0);
        assert_null(strstr(buf_cstr(&why), "aaaa"));
        assert_null(strstr(buf_cstr(&why), "bbbb"));
    }
    setenv("FREE_MODEL_TEST_KEY", "bbbb bbbb", 1);
    setenv("SFPROXY_KEYS_MAIN", KEY_A, 1);
    refused("", "environment FREE_MODEL_TEST_KEY: is no key");
    assert_null(strstr(buf_cstr(&why), "bbbb"));
    assert_null(strstr(buf_cstr(&warnings), "aaaa"));
}

static void only_so_many_problems_are_shown(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(100000);
    for (int i = 0; i < 150; i++) buf_puts(&text, "word\n");
    refused(buf_cstr(&text), "and 50 more problems\n");
    buf_free(&text);
}

static void open_to_others_without_a_client_key(void **state)
{
    (void)state;
    static const char *const open[] = {"0.0.0.0:7860", "*:7860", "[::]:7860", "192.168.1.5:1",
                                       "127.0.0.1:1, 10.0.0.1:1"};
    static const char *const closed[] = {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1",
                                         "localhost:0"};
    char text[200];
    for (size_t i = 0; i < ARRAY_LEN(open); i++) {
        snprintf(text, sizeof text, "[server]\nlisten = %s\n", open[i]);
        refused(text, "set client_key in [server] or AUTHORIZATION_KEY");
        snprintf(text, sizeof text, "[server]\nlisten = %s\nallow_open = yes\n", open[i]);
        conf_put(load_ok(text));
        snprintf(text, sizeof text, "[server]\nlisten = %s\n[clients]\nme = 12345678\n", open[i]);
        conf_put(load_ok(text));
    }
    for (size_t i = 0; i < ARRAY_LEN(closed); i++) {
        snprintf(text, sizeof text, "[server]\nlisten = %s\n", closed[i]);
        conf_put(load_ok(text));
    }
}

/* --- the platform and a proxy --- */

static void base_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url, *api, *host;
        int port;
    } good[] = {
        {"https://api.siliconflow.com/v1", "https://api.siliconflow.com/v1", "api.siliconflow.com", 443},
        {"https://api.siliconflow.com/v1///", "https://api.siliconflow.com/v1", "api.siliconflow.com", 443},
        {"HTTPS://API.Example.COM/", "https://api.example.com/v1", "api.example.com", 443},
        {"http://127.0.0.1:8080", "http://127.0.0.1:8080/v1", "127.0.0.1", 8080},
        {"http://[::1]:8080/v1", "http://[::1]:8080/v1", "::1", 8080},
        {"https://gate.example/silicon/v1/", "https://gate.example/silicon/v1", "gate.example", 443},
        {"https://gate.example/v1/v1", "https://gate.example/v1", "gate.example", 443},
        {"https://gate.example/av1", "https://gate.example/av1/v1", "gate.example", 443},
    };
    static const char *const bad[] = {
        "api.siliconflow.cn",    "ftp://api.example", "https://",        "https://a b",         "https://u:p@host/",
        "https://host/?x=1",     "https://host/#x",   "https://host:0/", "https://host:99999/", "https://host:x/",
        "https://-host/",        "https://a..b/",     "https://[::1/",   "https://[zz]/",       "https://h\xC3\xB6st/",
        "https://host\\@other/", "https://@host/"};
    char text[200];
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        snprintf(text, sizeof text, "[upstream]\nbase_url = %s\n", good[i].url);
        struct conf *c = load_ok(text);
        assert_string_equal(c->api_url, good[i].api);
        assert_string_equal(c->upstream_host, good[i].host);
        assert_int_equal(c->upstream_port, good[i].port);
        assert_int_equal(warnings.len, 0);
        conf_put(c);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        snprintf(text, sizeof text, "[upstream]\nbase_url = \"%s\"\n", bad[i]);
        refused(text, "sfproxy.conf:2: upstream.base_url ");
    }
    conf_put(load_ok("[upstream]\nbase_url = http://other.example\n"));
    has(&warnings, "keys cross the network in clear");
}

static void proxies(void **state)
{
    (void)state;
    static const char *const bad[] = {"socks5://h:1", "h:1", "http://h:1/path", "http://"};
    char text[200];
    struct conf *c = load_ok("[upstream]\nproxy = socks5h://user:pw@Gate:9050\n");
    assert_string_equal(c->proxy_host, "gate");
    assert_int_equal(c->proxy_port, 9050);
    conf_put(c);
    c = load_ok("[upstream]\nproxy = https://gate/\n");
    assert_int_equal(c->proxy_port, 443);
    conf_put(c);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        snprintf(text, sizeof text, "[upstream]\nproxy = %s\n", bad[i]);
        refused(text, "upstream.proxy ");
    }
}

/* --- environment --- */

static void environment_wins(void **state)
{
    (void)state;
    setenv("SFPROXY_UI_FPS", "9", 1);
    setenv("SFPROXY_UPSTREAM_BASE_URL", "https://api.siliconflow.com/v1", 1);
    setenv("SFPROXY_ASCII", "1", 1);
    setenv("SFPROXY_UI_FSP", "9", 1);
    setenv("TEST_MODEL", "a/b", 1);
    struct conf *c = load_ok("[ui]\nfps = 2\nmouse = no\n[models]\ntest_model = x\n");
    assert_int_equal(c->ui_fps, 9);
    assert_false(c->ui_mouse);
    assert_string_equal(c->models_test_model, "a/b");
    assert_string_equal(c->upstream_host, "api.siliconflow.com");
    assert_string_equal(buf_cstr(&warnings), "environment SFPROXY_UI_FSP: there is no such option; it has no effect\n");
    conf_put(c);
    setenv("SFPROXY_UI_FPS", "fast", 1);
    setenv("SFPROXY_SERVER_LISTEN", "0.0.0.0:1", 1);
    refused(NULL, "environment SFPROXY_UI_FPS: ui.fps must be a whole number, not \"fast\"\n");
    has(&why, "environment SFPROXY_SERVER_LISTEN: server.listen: 0.0.0.0:1 can be reached");
}

static void port_keeps_the_host(void **state)
{
    (void)state;
    setenv("PORT", "9000", 1);
    struct conf *c = load_ok(NULL);
    assert_string_equal(c->server_listen.items[0], "127.0.0.1:9000");
    conf_put(c);
    c = load_ok("[server]\nlisten = [::1]:1, 127.0.0.1:2\n");
    assert_string_equal(c->server_listen.items[0], "[::1]:9000");
    assert_string_equal(c->server_listen.items[1], "127.0.0.1:2");
    conf_put(c);
    static const char *const bad[] = {"x", "65536", "-1", "80 81"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        setenv("PORT", bad[i], 1);
        refused("", "environment PORT: must be a port number");
    }
    setenv("PORT", "", 1);
    conf_put(load_ok(""));
}

static void ban_models_adds(void **state)
{
    (void)state;
    static const char *const bad[] = {"a,b", "{\"a\":1}", "[1]", "[\"a\"", "[\"a\"] x"};
    setenv("BAN_MODELS", "[\"b\", \"c/d\", \"\"]", 1);
    struct conf *c = load_ok("[models]\nban = a, b\n");
    assert_int_equal(c->models_ban.count, 3);
    assert_string_equal(c->models_ban.items[2], "c/d");
    conf_put(c);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        setenv("BAN_MODELS", bad[i], 1);
        c = load_ok("[models]\nban = a\n");
        assert_int_equal(c->models_ban.count, 1);
        has(&warnings, "environment BAN_MODELS: must be a JSON array");
        conf_put(c);
    }
}

static void clients_are_digests(void **state)
{
    (void)state;
    uint8_t digest[DIGEST_LEN];
    setenv("AUTHORIZATION_KEY", "from-environment", 1);
    struct conf *c = load_ok("[server]\nclient_key = from-file\n[clients]\nalice = alices-key\n");
    assert_int_equal(c->client_count, 2);
    assert_string_equal(c->clients[0].name, "alice");
    assert_string_equal(c->clients[1].name, "default");
    sha256(STR("from-environment"), digest);
    assert_memory_equal(c->clients[1].digest, digest, DIGEST_LEN);
    conf_put(c);
    setenv("SFPROXY_SERVER_CLIENT_KEY", "12345", 1);
    c = load_ok(NULL);
    sha256(STR("12345"), digest);
    assert_memory_equal(c->clients[1].digest, digest, DIGEST_LEN);
    has(&warnings, "environment SFPROXY_SERVER_CLIENT_KEY: the key of client default is shorter than 8 characters");
    conf_put(c);
}

/* --- keys --- */

static void keys_of_all_sources_are_one_list(void **state)
{
    (void)state;
    write_file("keys.txt", "# mine\n" KEY_A " account=X balance=2\n\nb = " KEY_B "\nother-kind-of-key\n");
    setenv("KEYS", KEY_B "," KEY_C ", junk", 1);
    setenv("FREE_MODEL_TEST_KEY", KEY_C, 1);
    struct conf *c = load_ok("[keys]\nmain = " KEY_A " balance=14.5\n[pool]\nkeys_file = keys.txt\n");
    static const char *const expected[][4] = {{KEY_A, "main", "X", "sfproxy.conf:2"},
                                              {KEY_B, "b", "", "keys.txt:4"},
                                              {"other-kind-of-key", "", "", "keys.txt:5"},
                                              {KEY_C, "", "", "environment"}};
    assert_int_equal(c->key_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(c->keys[i].secret, expected[i][0]);
        assert_string_equal(c->keys[i].label, expected[i][1]);
        assert_string_equal(c->keys[i].account, expected[i][2]);
        assert_true(str_ends(str_of(c->keys[i].origin), expected[i][3]));
    }
    assert_int_equal(c->keys[0].balance_micro, 14500000); /* the first one's, not keys.txt's */
    assert_string_equal(c->free_model_test_key, KEY_C);
    assert_string_equal(buf_cstr(&warnings), "environment KEYS: pieces that are no key were ignored: 1\n");
    conf_put(c);
}

static void bad_lines_of_the_keys_file(void **state)
{
    (void)state;
    write_file("keys.txt", KEY_A "\nsk-cut\n" KEY_B " balanse=3\n");
    refused("[pool]\nkeys_file = keys.txt\n", "keys.txt:2: there is no key in this line");
    has(&warnings, "keys.txt:3: words besides the key that were not understood: 1");
    assert_null(strstr(buf_cstr(&why), "sk-cut"));
}

static void modes_of_files_with_keys(void **state)
{
    (void)state;
    write_file("keys.txt", KEY_A "\n");
    write_file("other.conf", "[pool]\nkeys_file = keys.txt\n[clients]\nme = 12345678\n");
    buf_reset(&warnings);
    conf_put(conf_load("other.conf", NULL, &why, &warnings));
    assert_int_equal(warnings.len, 0);
    assert_int_equal(chmod("keys.txt", 0644) | chmod("other.conf", 0640), 0);
    conf_put(conf_load("other.conf", NULL, &why, &warnings));
    has(&warnings, "other.conf: holds keys and other users can reach it (mode 0640); chmod 600 it");
    has(&warnings, "keys.txt: holds keys and other users can reach it (mode 0644)");
}

/* --- the rest --- */

static void state_directory_order(void **state)
{
    (void)state;
    char expected[200];
    struct conf *c = conf_load(NULL, "given", &why, &warnings);
    snprintf(expected, sizeof expected, "%s/given", dir);
    assert_string_equal(c->state_dir, expected);
    conf_put(c);
    setenv("XDG_STATE_HOME", "/xdg", 1);
    c = load_ok("[ui]\nfps = 1\n");
    assert_string_equal(c->state_dir, "/xdg/sfproxy");
    conf_put(c);
    setenv("XDG_STATE_HOME", "relative", 1);
    c = load_ok("[ui]\nfps = 1\n");
    assert_string_equal(c->state_dir, "/nonexistent/.local/state/sfproxy");
    conf_put(c);
    c = load_ok("[store]\ndir = ~/state\n");
    assert_string_equal(c->state_dir, "/nonexistent/state");
    conf_put(c);
    setenv("SFPROXY_STORE_DIR", "/from/environment", 1);
    c = load_ok("[store]\ndir = /from/file\n");
    assert_string_equal(c->state_dir, "/from/environment");
    conf_put(c);
}

static void references_and_restart_options(void **state)
{
    (void)state;
    struct buf names = BUF_INIT(1000);
    struct conf *a = load_ok("[server]\nworkers = 2\n"),
                *b = load_ok("[server]\nworkers = 3\ndrain = 1s\n[log]\nfiles = 9\n");
    assert_ptr_equal(conf_get(a), a);
    conf_put(a);
    conf_diff_restart(a, b, &names);
    assert_string_equal(buf_cstr(&names), "server.workers, log.files");
    buf_reset(&names);
    conf_diff_restart(a, a, &names);
    assert_int_equal(names.len, 0);
    conf_put(a);
    conf_put(b);
    conf_put(NULL);
    buf_free(&names);
}

static void options_write_what_they_read(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(4096), wrong = BUF_INIT(1000), list = BUF_INIT(100000);
    struct conf *c = load_ok(NULL);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = option_at(i);
        assert_int_equal(option_find(str_of(o->section), str_of(o->name)), i);
        buf_reset(&text);
        option_write(c, o, &text);
        assert_true(option_set(c, o, buf_str(&text), &wrong));
    }
    conf_list_options(&list);
    has(&list, "upstream.idle_timeout DURATION 120s Between two reads of a running answer\n");
    conf_put(c);
    buf_free(&text);
    buf_free(&wrong);
    buf_free(&list);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, reset, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults),
        TEST(shipped_file_changes_nothing),
        TEST(every_type_from_the_file),
        TEST(finds_the_file_in_order),
        TEST(all_problems_at_once),
        TEST(wrong_values),
        TEST(rules_of_models),
        TEST(wrong_rules_of_models),
        TEST(secrets_are_never_shown),
        TEST(only_so_many_problems_are_shown),
        TEST(open_to_others_without_a_client_key),
        TEST(base_urls),
        TEST(proxies),
        TEST(environment_wins),
        TEST(port_keeps_the_host),
        TEST(ban_models_adds),
        TEST(clients_are_digests),
        TEST(keys_of_all_sources_are_one_list),
        TEST(bad_lines_of_the_keys_file),
        TEST(modes_of_files_with_keys),
        TEST(state_directory_order),
        TEST(references_and_restart_options),
        TEST(options_write_what_they_read),
    };
    return cmocka_run_group_tests_name("conf", tests, setup, teardown);
}
