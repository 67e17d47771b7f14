/* A question before a key is shown to the platform's other region (.com for .cn and the other way): its owner reads
 * which host gets the key, and No is the default. The control thread finds the host from the base URL by itself, by the
 * table of src/conf/address.c; the one here says the same. What was asked is compared with the newest base URL before
 * the command goes out, so a reload in between shows no key to a host that nobody was asked about. */
#include "ui/tui/app.h"
#include "ui/tui/text.h"

static const char *const pairs[][2] = {{"api.siliconflow.cn", "api.siliconflow.com"},
                                       {"api-st.siliconflow.cn", "api.siliconflow.com"},
                                       {"api.siliconflow.com", "api.siliconflow.cn"}};

/* "https://Name:443/v1" -> "name" */
static void host_of(const char *url, char *out, size_t size)
{
    const char *p = strstr(url, "://");
    p = p ? p + 3 : url;
    struct str authority = {p, strcspn(p, "/?#")}, part;
    while (memchr(authority.p, '@', authority.n)) (void)str_split(&authority, '@', &part);
    size_t n = authority.n && authority.p[0] == '[' ? authority.n : strcspn(authority.p, ":/?#");
    str_copy(out, size, (struct str){authority.p, MIN(n, authority.n)});
    for (; *out; out++) *out = ascii_lower(*out);
}

/* By the newest snapshot, also while the picture is paused; `here` gets the configured host. NULL: not the platform's.
 */
static const char *other_host(struct app *a, char *here, size_t size)
{
    struct snapshot *s = control_snapshot(a->control);
    host_of(s ? s->upstream_url : "", here, size);
    snapshot_put(s);
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        if (strcmp(here, pairs[i][0]) == 0) return pairs[i][1];
    return NULL;
}

void region_ask(struct app *a)
{
    const struct key_view *keys[2];
    char here[256], name[64], text[400];
    if (app_refuse_readonly(a)) return;
    size_t n = keys_chosen(a, keys, ARRAY_LEN(keys));
    const char *host = other_host(a, here, sizeof here);
    if (n == 0) return; /* said already */
    if (n > 1) {
        app_say(a, TOAST_WARN, MSG_T_ONE_KEY);
    } else if (!host) {
        app_toast(a, TOAST_WARN, tr_with(text, sizeof text, MSG_T_NO_OTHER, here, NULL));
    } else {
        view_key_name(a, keys[0]->id, name, sizeof name);
        prompt_open(a, ASK_TEST_OTHER, tr_with(text, sizeof text, MSG_Q_OTHER, host, name, NULL));
        str_copy(a->prompt.subject, sizeof a->prompt.subject, str_of(keys[0]->id));
        a->prompt.host = host;
    }
}

void region_test_now(struct app *a, const char *key_id, const char *host)
{
    char here[256], name[64], text[400];
    const char *now = other_host(a, here, sizeof here);
    if (!now || strcmp(now, host) != 0) {
        app_say(a, TOAST_WARN, MSG_T_OTHER_CHANGED);
        return;
    }
    if (!app_post(a, CMD_KEY_TEST_OTHER, key_id, NULL, 0, 0)) return;
    view_key_name(a, key_id, name, sizeof name);
    app_toast(a, TOAST_INFO, tr_with(text, sizeof text, MSG_T_ASKING_OTHER, host, name, NULL));
}

void prompt_draw_other(struct app *a)
{
    char here[256], shown[200], not_here[400];
    (void)other_host(a, here, sizeof here);
    tr_with(shown, sizeof shown, MSG_Q_OTHER_SHOWN, a->prompt.host, NULL);
    tr_with(not_here, sizeof not_here, MSG_Q_OTHER_HERE, here, NULL);
    const char *const lines[] = {a->prompt.title, "", shown, not_here, tr(MSG_Q_OTHER_SAME), "", tr(MSG_Q_OTHER_YES)};
    dialog_box(a, lines, ARRAY_LEN(lines));
}
