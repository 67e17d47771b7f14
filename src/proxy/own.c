#include "proxy/own.h"

#include "base/json.h"
#include "base/mem.h"
#include "proxy/alias.h"
#include "proxy/exchange.h"

static void reply_client_json(struct local_call *lc, int status, struct buf *json)
{
    struct buf headers = BUF_INIT(4096);
    buf_puts(&headers, "Content-Type: application/json\r\nCache-Control: no-store\r\n");
    answer_cors_headers(&headers);
    local_reply(lc, status, buf_str(&headers), buf_str(json));
    buf_free(&headers);
    buf_free(json);
}

/* A model under its id or another name. */
static void put_model(struct json *j, const struct model *m, const char *id)
{
    json_object(j);
    json_put_str(j, "id", id);
    json_put_str(j, "object", "model");
    json_put_int(j, "created", 1678888888);
    json_put_str(j, "owned_by", "siliconflow");
    json_name(j, "permission");
    json_array(j);
    json_array_end(j);
    json_put_str(j, "root", id);
    json_put_str(j, "parent", NULL);
    json_put_str(j, "type", m->type);
    json_put_str(j, "sub_type", m->sub_type);
    json_put_bool(j, "free", m->free);
    json_object_end(j);
}

/* Value of a query parameter; empty when absent. */
static struct str query_value(struct str query, const char *name)
{
    struct str part, key;
    while (str_split(&query, '&', &part))
        if (str_split(&part, '=', &key) && str_is(key, name) && part.p) return part;
    return (struct str){"", 0};
}

/* A ban of a model hides every name it has. */
static bool is_banned(const struct proxy *p, const struct model *m, struct str id)
{
    return ban_set_has(p->bans, id) || ban_set_has(p->bans, str_of(m->id)) ||
           (m->alias_of && ban_set_has(p->bans, str_of(m->alias_of)));
}

static bool has_reasoning_aliases(const struct conf *c, const struct model *m)
{
    return c->models_reasoning_aliases && m->reasons && !m->alias_of && strcmp(m->sub_type, "chat") == 0;
}

static void put_reasoning_aliases(struct json *j, const struct proxy *p, const struct model *m)
{
    const char *suffix;
    for (size_t i = 0; (suffix = alias_suffix(i)) != NULL; i++) {
        char *id = xasprintf("%s%s", m->id, suffix);
        if (!catalog_find(p->catalog, str_of(id)) && !is_banned(p, m, str_of(id))) put_model(j, m, id);
        free(id);
    }
}

static bool is_listed(void *proxy, struct str id)
{
    return catalog_find(((const struct proxy *)proxy)->catalog, id) != NULL;
}

/* The model that a listed name stands for; NULL: none. */
static const struct model *model_named(struct proxy *p, const struct conf *c, struct str id)
{
    const struct model *m = catalog_find(p->catalog, id);
    struct alias a;
    if (m || !alias_resolve(c, id, true, is_listed, p, &a)) return m;
    m = catalog_find(p->catalog, a.model);
    return m && has_reasoning_aliases(c, m) ? m : NULL;
}

static void get_models(void *arg, struct local_call *lc)
{
    (void)arg;
    struct buf out = BUF_INIT(4 * 1024 * 1024);
    struct json j;
    struct str type = query_value(local_query(lc), "type"), sub_type = query_value(local_query(lc), "sub_type");
    struct proxy *p = local_proxy(lc);
    json_init(&j, &out);
    json_object(&j);
    json_put_str(&j, "object", "list");
    json_put_bool(&j, "success", true);
    json_name(&j, "data");
    json_array(&j);
    const struct model *m;
    for (size_t i = 0; (m = catalog_at(p->catalog, i)) != NULL; i++) {
        if (!m->listed) continue;
        if (type.n && !str_is(type, m->type)) continue;
        if (sub_type.n && !str_is(sub_type, m->sub_type)) continue;
        if (!is_banned(p, m, str_of(m->id))) put_model(&j, m, m->id);
        if (has_reasoning_aliases(local_conf(lc), m)) put_reasoning_aliases(&j, p, m);
    }
    json_array_end(&j);
    json_object_end(&j);
    reply_client_json(lc, 200, &out);
}

static void get_model(void *arg, struct local_call *lc)
{
    (void)arg;
    struct str id = local_segment(lc);
    const struct model *m = model_named(local_proxy(lc), local_conf(lc), id);
    if (!m || is_banned(local_proxy(lc), m, id)) {
        local_refuse(lc, m ? ERR_model_banned : ERR_not_found,
                     m ? "this model is banned on this proxy" : "this model is not in the list");
        return;
    }
    struct buf out = BUF_INIT(16384);
    struct json j;
    json_init(&j, &out);
    char *name = str_dup(id);
    put_model(&j, m, name);
    free(name);
    reply_client_json(lc, 200, &out);
}

static void get_health(void *arg, struct local_call *lc)
{
    (void)arg;
    local_reply_json(lc, 200, STR("{\"status\":\"ok\"}"));
}

static void get_ready(void *arg, struct local_call *lc)
{
    struct proxy_shared *shared = arg;
    if (atomic_load(&shared->draining))
        local_reply_json(lc, 503, STR("{\"status\":\"draining\"}"));
    else if (keypool_usable(shared->pool, mono_now()) == 0)
        local_reply_json(lc, 503, STR("{\"status\":\"no usable key\"}"));
    else
        local_reply_json(lc, 200, STR("{\"status\":\"ready\"}"));
}

static const struct local_route routes[] = {
    {"GET", "/healthz", ROUTE_PUBLIC, get_health},
    {"GET", "/readyz", ROUTE_PUBLIC, get_ready},
    {"GET", "/v1/models", ROUTE_CLIENT, get_models},
    {"GET", "/v1/models/{rest}", ROUTE_CLIENT, get_model},
};

const struct local_table *own_table(struct proxy_shared *shared)
{
    static struct local_table table = {.routes = routes, .count = ARRAY_LEN(routes)};
    table.arg = shared;
    return &table;
}
