/* The environment: SFPROXY_<SECTION>_<OPTION> for every option, and the names of the original application. A name that
 * starts with SFPROXY_ wins over an original one, both win over the file. Original names that are set but empty count
 * as not set. */
#include "conf/load.h"

#include <cjson/cJSON.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/address.h"
#include "conf/keys.h"

static void option_env_name(const struct option *o, char *out, size_t size)
{
    snprintf(out, size, "SFPROXY_%s_%s", o->section, o->name);
    for (char *p = out; *p; p++)
        if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 32);
}

static const char *env_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static void set_from(struct loading *l, size_t index, const char *name, const char *value)
{
    char *where = xasprintf("environment %s", name);
    load_option(l, index, str_trim(str_of(value)), where);
    l->from_file[index] = false;
    free(where);
}

static bool env_name_is_known(struct str name)
{
    char known[80];
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        option_env_name(option_at(i), known, sizeof known);
        if (str_is(name, known)) return true;
    }
    return str_is(name, "SFPROXY_ASCII");
}

static void warn_about_unknown(struct loading *l)
{
    for (char **e = environ; e && *e; e++) {
        struct str rest = str_of(*e), name;
        if (!str_starts(rest, "SFPROXY_") || !str_split(&rest, '=', &name) || env_name_is_known(name)) continue;
        char shown[80];
        text_clean(name, shown, sizeof shown);
        char *where = xasprintf("environment %s", shown);
        load_warning(l, where, "there is no such option; it has no effect");
        free(where);
    }
}

/* BAN_MODELS adds to the list; what cannot be read is a warning, as in the original. */
static void add_ban_models(struct loading *l)
{
    const char *text = env_set("BAN_MODELS"), *end = NULL;
    cJSON *list = text ? cJSON_ParseWithLengthOpts(text, strlen(text) + 1, &end, 1) : NULL, *item;
    bool ok = !text || cJSON_IsArray(list);
    cJSON_ArrayForEach(item, list) ok = ok && cJSON_IsString(item);
    if (!ok) load_warning(l, "environment BAN_MODELS", "must be a JSON array of model names; ignored");
    for (item = ok && list ? list->child : NULL; item; item = item->next) {
        struct str name = str_trim(str_of(item->valuestring));
        if (name.n && text_is_clean(name) && !text_list_has(&l->c->models_ban, name))
            text_list_add(&l->c->models_ban, name);
    }
    cJSON_Delete(list);
}

/* PORT replaces the port of the first listen address and keeps its host. */
static void apply_port(struct loading *l)
{
    const char *text = env_set("PORT");
    struct text_list *listen = &l->c->server_listen;
    struct listen_address a;
    struct buf why = BUF_INIT(256);
    uint64_t port;
    if (!text) return;
    if (!str_u64(str_trim(str_of(text)), &port) || port > 65535) {
        load_problem(l, "environment PORT", "must be a port number from 0 to 65535");
    } else if (listen_address_parse(str_of(listen->items[0]), &a, &why)) {
        char written[64];
        a.port = (uint16_t)port;
        listen_address_write(&a, written, sizeof written);
        free(listen->items[0]);
        listen->items[0] = xstrdup(written);
    }
    buf_free(&why);
}

void load_environment(struct loading *l)
{
    static const struct {
        const char *name;
        size_t option;
    } originals[] = {{"AUTHORIZATION_KEY", OPTION_AT_server_client_key}, {"TEST_MODEL", OPTION_AT_models_test_model}};
    char name[80];
    for (size_t i = 0; i < ARRAY_LEN(originals); i++) {
        const char *value = env_set(originals[i].name);
        if (value) set_from(l, originals[i].option, originals[i].name, value);
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        option_env_name(option_at(i), name, sizeof name);
        const char *value = getenv(name);
        if (value) set_from(l, i, name, value);
    }
    add_ban_models(l);
    apply_port(l);
    warn_about_unknown(l);
}

void load_environment_keys(struct loading *l)
{
    const char *text = env_set("KEYS"), *free_key = env_set("FREE_MODEL_TEST_KEY");
    struct key_conf *keys = NULL;
    size_t count = 0, ignored = keys_parse(text ? str_of(text) : STR(""), true, "environment", &keys, &count);
    for (size_t i = 0; i < count; i++) load_key(l, &keys[i]);
    free(keys);
    if (ignored) load_warning(l, "environment KEYS", "pieces that are no key were ignored: %zu", ignored);
    struct str trimmed = str_trim(str_of(free_key));
    if (trimmed.n && !key_is_valid(trimmed))
        load_problem(l, "environment FREE_MODEL_TEST_KEY", "is no key: 8 to 512 printable ASCII characters");
    else
        l->c->free_model_test_key = str_dup(trimmed);
}
