/* What the files of the admin room share. Constant after admin_new(), but for `login`, which has a lock of its own. */
#ifndef SFPROXY_ADMIN_INSIDE_H
#define SFPROXY_ADMIN_INSIDE_H

#include "admin/admin.h"
#include "admin/events.h"
#include "admin/login.h"

struct admin {
    struct control *control;
    struct login *login;
    struct events *events;
    char *token;                        /* secret */
    char style_tag[17], script_tag[17]; /* of the files' content: makes them cacheable for ever */
    bool readonly;
    struct local_table table;
};

/* Handlers; `arg` is a struct admin. Worker's thread. */

/* site.c */
void site_page(void *arg, struct local_call *lc);
void site_style(void *arg, struct local_call *lc);
void site_script(void *arg, struct local_call *lc);
void site_login(void *arg, struct local_call *lc);
void site_logout(void *arg, struct local_call *lc);
/* api.c */
void api_snapshot(void *arg, struct local_call *lc);
void api_keys(void *arg, struct local_call *lc);
void api_models(void *arg, struct local_call *lc);
void api_explain(void *arg, struct local_call *lc);
void api_requests(void *arg, struct local_call *lc);
void api_usage(void *arg, struct local_call *lc); /* usage.c */
void billing_subscription(void *arg, struct local_call *lc);
void billing_usage(void *arg, struct local_call *lc);
void billing_credit_grants(void *arg, struct local_call *lc);
void api_metrics(void *arg, struct local_call *lc);
void api_events(void *arg, struct local_call *lc);
void api_keys_add(void *arg, struct local_call *lc);
void api_keys_test(void *arg, struct local_call *lc);
void api_key_enable(void *arg, struct local_call *lc);
void api_key_disable(void *arg, struct local_call *lc);
void api_key_test(void *arg, struct local_call *lc);
void api_key_reset(void *arg, struct local_call *lc);
void api_key_label(void *arg, struct local_call *lc);
void api_key_balance(void *arg, struct local_call *lc);
void api_key_remove(void *arg, struct local_call *lc);
void api_model_ban(void *arg, struct local_call *lc);
void api_model_unban(void *arg, struct local_call *lc);
void api_models_refresh(void *arg, struct local_call *lc);
void api_request_cancel(void *arg, struct local_call *lc);
void api_reload(void *arg, struct local_call *lc);
void api_drain(void *arg, struct local_call *lc);

#endif
