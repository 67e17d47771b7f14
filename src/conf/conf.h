/* The configuration: one immutable, reference-counted struct, built whole and swapped whole. Order: built-in default
 * < file < environment. Building reads files (configuration, keys_file): main before the threads run, or the disk
 * thread for a reload. Reading a built one: any thread. */
#ifndef SFPROXY_CONF_CONF_H
#define SFPROXY_CONF_CONF_H

#include <stdatomic.h>

#include "base/buf.h"
#include "conf/price.h"

struct text_list {
    char **items;
    size_t count;
};

enum pool_strategy { STRATEGY_ROUND_ROBIN, STRATEGY_LEAST_BUSY, STRATEGY_FILL_FIRST };
enum chat_images { CHAT_IMAGES_LINK, CHAT_IMAGES_INLINE };
enum ui_on_hangup { HANGUP_EXIT, HANGUP_KEEP };

/* A client that may use the proxy; only the digest of its key is kept. */
struct client_conf {
    char *name; /* [A-Za-z0-9._-]{1,48} */
    uint8_t digest[32];
};

/* A key as configured; the only places where it is in clear are here and in the pool. */
struct key_conf {
    char *secret;
    char *label;   /* "" when none */
    char *account; /* "" when none */
    char *origin;  /* "sfproxy.conf:12", "keys.txt:3", "environment", "state" */
    bool has_balance;
    int64_t balance_micro; /* CNY millionths */
};

/* What [models] says about one name: alias.NAME, price.NAME, free.NAME, limit.NAME. */
struct model_rule {
    char *name;
    char *alias_of; /* the model it stands for; NULL: none */
    bool has_price;
    struct price price;
    int free;                     /* -1 not said, 0, 1 */
    int64_t limit_rpm, limit_tpm; /* a minute, of one account; 0 none */
};

struct conf {
    atomic_uint refs;
    /* One field per option: see options.h for the types. */
#define CONF_FIELD_TEXT(f)                                          char *f;
#define CONF_FIELD_LIST(f)                                          struct text_list f;
#define CONF_FIELD_NUMBER(f)                                        int64_t f;
#define CONF_FIELD_SIZE(f)                                          int64_t f;
#define CONF_FIELD_DURATION(f)                                      int64_t f;
#define CONF_FIELD_FLAG(f)                                          bool f;
#define CONF_FIELD_CHOICE(f)                                        int f;
#define CONF_FIELD(section, name, type, def, min, max, flags, help) CONF_FIELD_##type(section##_##name)
#include "conf/options.h"
    OPTION_TABLE(CONF_FIELD)
    char *path;          /* absolute; "" when there is no file */
    char *api_url;       /* base_url with exactly one /v1 and no slash at the end: "https://api.siliconflow.cn/v1" */
    char *upstream_host; /* lower case, without brackets */
    int upstream_port;
    bool upstream_tls;
    char *proxy_host; /* "" without a proxy */
    int proxy_port;
    struct client_conf *clients;
    size_t client_count;
    struct key_conf *keys; /* from [keys], keys_file and the environment; duplicates collapsed, first wins */
    size_t key_count;
    struct model_rule *model_rules; /* order of the file */
    size_t model_rule_count;
    char *state_dir;           /* absolute */
    char *free_model_test_key; /* "" when unset; secret; no key of the pool */
};

/* Reads everything. `path` NULL: ./sfproxy.conf when it exists, else $XDG_CONFIG_HOME/sfproxy/sfproxy.conf,
 * ~/.config/sfproxy/sfproxy.conf, /etc/sfproxy.conf, else none. `state_dir` NULL: from the option.
 * All problems are appended to `why`, one "file:line: sentence" a line; warnings to `warnings`. NULL: there were
 * problems. The caller owns one reference. */
struct conf *conf_load(const char *path, const char *state_dir, struct buf *why, struct buf *warnings);
struct conf *conf_get(struct conf *c); /* one more reference */
void conf_put(struct conf *c);         /* the last one wipes the keys and frees */

/* The rule of that name; NULL: none. */
const struct model_rule *conf_model_rule(const struct conf *c, struct str name);

/* Parses text with keys in any common form: one per line, commas, semicolons, CSV, `export X=...`, `KEYS=a,b`,
 * quotes, "Bearer ", labels, `account=` and `balance=`. Appends to *keys; returns how many pieces were no key
 * (ignored). `any`: accept keys that do not start with "sk-". Used for keys_file, KEYS, the paste field and the API. */
size_t keys_parse(struct str text, bool any, const char *origin, struct key_conf **keys, size_t *count);
void keys_free(struct key_conf *keys, size_t count);

/* For docs and lint: writes every option as "section.name TYPE default help" lines. */
void conf_list_options(struct buf *out);
/* Names of RESTART options whose value differs between the two, comma separated, into `out`. */
void conf_diff_restart(const struct conf *old, const struct conf *new_conf, struct buf *out);

#endif
