#include "admin/inside.h"

#include "admin/assets.h"
#include "admin/gate.h"
#include "base/mem.h"
#include "base/secret.h"

/* A segment in braces stands for any one segment. */
static const struct local_route routes[] = {
    {"GET", "/", ROUTE_PUBLIC, site_page}, /* shows the login form to whoever may not see more */
    {"GET", "/style.css", ROUTE_PUBLIC, site_style},
    {"GET", "/app.js", ROUTE_PUBLIC, site_script},
    {"POST", "/login", ROUTE_PUBLIC, site_login},
    {"POST", "/logout", ROUTE_PUBLIC, site_logout},
    {"GET", "/metrics", ROUTE_METRICS, api_metrics},
    {"GET", "/admin/api/snapshot", ROUTE_VIEW, api_snapshot},
    {"GET", "/admin/api/events", ROUTE_VIEW, api_events},
    {"GET", "/admin/api/keys", ROUTE_VIEW, api_keys},
    {"GET", "/admin/api/models", ROUTE_VIEW, api_models},
    {"GET", "/admin/api/requests", ROUTE_VIEW, api_requests},
    {"GET", "/admin/api/explain", ROUTE_VIEW, api_explain},
    {"GET", "/admin/api/usage", ROUTE_VIEW, api_usage},
    {"GET", "/dashboard/billing/subscription", ROUTE_CLIENT, billing_subscription},
    {"GET", "/dashboard/billing/usage", ROUTE_CLIENT, billing_usage},
    {"GET", "/dashboard/billing/credit_grants", ROUTE_CLIENT, billing_credit_grants},
    {"POST", "/admin/api/keys", ROUTE_OWN, api_keys_add},
    {"POST", "/admin/api/keys/test", ROUTE_ACT, api_keys_test},
    {"POST", "/admin/api/keys/{id}/enable", ROUTE_ACT, api_key_enable},
    {"POST", "/admin/api/keys/{id}/disable", ROUTE_ACT, api_key_disable},
    {"POST", "/admin/api/keys/{id}/test", ROUTE_ACT, api_key_test},
    {"POST", "/admin/api/keys/{id}/reset", ROUTE_ACT, api_key_reset},
    {"POST", "/admin/api/keys/{id}/label", ROUTE_ACT, api_key_label},
    {"POST", "/admin/api/keys/{id}/balance", ROUTE_ACT, api_key_balance},
    {"DELETE", "/admin/api/keys/{id}", ROUTE_OWN, api_key_remove},
    {"POST", "/admin/api/models/ban", ROUTE_ACT, api_model_ban},
    {"POST", "/admin/api/models/unban", ROUTE_ACT, api_model_unban},
    {"POST", "/admin/api/models/refresh", ROUTE_ACT, api_models_refresh},
    {"POST", "/admin/api/requests/{id}/cancel", ROUTE_ACT, api_request_cancel},
    {"POST", "/admin/api/reload", ROUTE_OWN, api_reload},
    {"POST", "/admin/api/drain", ROUTE_OWN, api_drain},
};

static void content_tag(struct str content, char tag[17])
{
    uint8_t digest[DIGEST_LEN];
    sha256(content, digest);
    hex_encode(digest, 8, tag);
}

struct admin *admin_new(struct control *control, const char *token, bool readonly)
{
    struct admin *a = xcalloc(1, sizeof *a);
    a->control = control;
    a->login = login_new();
    a->events = events_new(control);
    a->token = xstrdup(token);
    a->readonly = readonly;
    content_tag(asset_style(), a->style_tag);
    content_tag(asset_script(), a->script_tag);
    a->table =
        (struct local_table){.routes = routes, .count = ARRAY_LEN(routes), .arg = a, .authorize = gate_authorize};
    return a;
}

void admin_free(struct admin *a)
{
    if (!a) return;
    events_free(a->events);
    login_free(a->login);
    free_secret(a->token);
    free(a);
}

const struct local_table *admin_table(struct admin *a)
{
    return &a->table;
}
