/* Every verb of the screen, the API and the subcommands, carried out on the control thread: a table of functions. */
#include "base/mem.h"
#include "engine.h"

static bool key_exists(struct engine *g, const char *id)
{
    size_t room = keypool_count(g->pool) + 1;
    struct key_view *views = xcalloc(room, sizeof *views);
    size_t n = MIN(keypool_view(g->pool, mono_now(), views, room), room);
    bool found = false;
    for (size_t i = 0; i < n && !found; i++) found = strcmp(views[i].id, id) == 0;
    free(views);
    return found;
}

/* Answers 404 when `known` is false, else 200 with the sentence. */
static void answer_key(struct engine *g, struct command *cmd, bool known, const char *what)
{
    if (known) {
        log_msg(LOG_INFO, "key %s: %s", cmd->subject, what);
        control_changed(g->control);
        control_answer(cmd, 200, "key %s: %s", cmd->subject, what);
    } else {
        control_answer(cmd, 404, "there is no key %s", cmd->subject);
    }
}

static void key_enable(struct engine *g, struct command *cmd)
{
    answer_key(g, cmd, keypool_set_enabled(g->pool, cmd->subject, true), "switched on");
}

static void key_disable(struct engine *g, struct command *cmd)
{
    answer_key(g, cmd, keypool_set_enabled(g->pool, cmd->subject, false), "switched off");
}

static void key_test(struct engine *g, struct command *cmd)
{
    if (key_exists(g, cmd->subject))
        tester_add(g->tester, cmd->subject, cmd->kind == CMD_KEY_TEST_DEEP, cmd);
    else
        answer_key(g, cmd, false, "");
}

static void key_test_other(struct engine *g, struct command *cmd)
{
    if (key_exists(g, cmd->subject))
        region_test(g, cmd);
    else
        answer_key(g, cmd, false, "");
}

static void keys_test(struct engine *g, struct command *cmd)
{
    bool bad_only = cmd->text && strcmp(cmd->text, "bad") == 0;
    unsigned n = tester_add_all(g->tester, bad_only);
    control_changed(g->control);
    control_answer(cmd, n ? 202 : 200, n ? "testing %u keys" : "no key to test (%u)", n);
}

static void test_stop(struct engine *g, struct command *cmd)
{
    control_answer(cmd, 200, "%u tests cancelled", tester_cancel(g->tester));
}

static void keys_add(struct engine *g, struct command *cmd)
{
    struct key_conf *keys = NULL;
    size_t count = 0;
    struct command_result r = {.ok = true, .status = 200};
    r.ignored = (unsigned)keys_parse(str_of(cmd->text), cmd->flag, "state", &keys, &count);
    for (size_t i = 0; i < count; i++) {
        char id[KEY_ID_LEN + 1];
        switch (keypool_add(g->pool, &keys[i], mono_now(), id)) {
        case KEY_ADDED:
            r.added++;
            log_msg(LOG_INFO, "key %s added", id);
            tester_add(g->tester, id, false, NULL);
            break;
        case KEY_DUPLICATE: r.duplicate++; break;
        case KEY_POOL_FULL: r.ignored++; break;
        }
    }
    keys_free(keys, count);
    if (r.added) engine_keys_changed(g);
    if (!r.added && !r.duplicate) {
        r.ok = false;
        r.status = 400;
    }
    snprintf(r.message, sizeof r.message, "%u new, %u duplicate, %u ignored", r.added, r.duplicate, r.ignored);
    control_changed(g->control);
    control_answer_result(cmd, &r);
}

static void key_remove(struct engine *g, struct command *cmd)
{
    char origin[160] = "";
    switch (keypool_remove(g->pool, cmd->subject, origin, sizeof origin)) {
    case KEY_REMOVED:
        engine_keys_changed(g);
        answer_key(g, cmd, true, "removed");
        break;
    case KEY_NOT_FOUND: answer_key(g, cmd, false, ""); break;
    case KEY_FROM_FILE:
        control_answer(cmd, 409, "key %s comes from %s: delete it there and reload, or switch it off here",
                       cmd->subject, origin);
        break;
    }
}

static void key_reset(struct engine *g, struct command *cmd)
{
    answer_key(g, cmd, keypool_reset(g->pool, cmd->subject, mono_now()), "cooldowns cleared");
}

static void key_label(struct engine *g, struct command *cmd)
{
    bool known = keypool_set_label(g->pool, cmd->subject, cmd->text ? cmd->text : "");
    if (known) engine_keys_changed(g);
    answer_key(g, cmd, known, "labelled");
}

static void key_balance(struct engine *g, struct command *cmd)
{
    int64_t micro = 0;
    struct str text = str_trim(str_of(cmd->text));
    if (text.n && !str_micro(text, &micro)) {
        control_answer(cmd, 400, "a balance is a number such as 14.50");
        return;
    }
    bool known = keypool_set_balance(g->pool, cmd->subject, text.n ? BALANCE_SET : BALANCE_UNKNOWN, micro, wall_now());
    answer_key(g, cmd, known, text.n ? "balance set" : "balance is unknown again");
}

static bool model_name_ok(struct command *cmd)
{
    struct str name = str_of(cmd->text);
    bool ok = name.n > 0 && name.n <= MODEL_NAME_MAX;
    for (size_t i = 0; i < name.n && ok; i++) ok = (unsigned char)name.p[i] >= 0x20 && name.p[i] != 0x7F;
    if (!ok) control_answer(cmd, 400, "a model's name has 1 to %d bytes and no control characters", MODEL_NAME_MAX);
    return ok;
}

static void explain(struct engine *g, struct command *cmd)
{
    struct buf out = BUF_INIT(8 * 1024 * 1024);
    if (!model_name_ok(cmd)) return;
    engine_explain(g, str_of(cmd->text), &out);
    struct command_result r = {.ok = !out.failed, .status = out.failed ? 503 : 200};
    if (out.failed) str_copy(r.message, sizeof r.message, STR("there is no memory for the answer"));
    if (r.ok) r.json = buf_take(&out);
    buf_free(&out);
    control_answer_result(cmd, &r);
}

static void bans_changed(struct engine *g, struct command *cmd, const char *what)
{
    g->bans_dirty = true;
    engine_apply_bans(g);
    log_msg(LOG_INFO, "model %s %s", cmd->text, what);
    control_changed(g->control);
    control_answer(cmd, 200, "%s %s", cmd->text, what);
}

static void model_ban(struct engine *g, struct command *cmd)
{
    if (!model_name_ok(cmd)) return;
    map_put(&g->bans, str_of(cmd->text), g);
    bans_changed(g, cmd, "banned");
}

static void model_unban(struct engine *g, struct command *cmd)
{
    if (!model_name_ok(cmd)) return;
    for (size_t i = 0; i < g->conf->models_ban.count; i++) {
        if (strcmp(g->conf->models_ban.items[i], cmd->text) != 0) continue;
        control_answer(cmd, 409, "%s is banned by the configuration (models.ban); change it there and reload",
                       cmd->text);
        return;
    }
    if (map_remove(&g->bans, str_of(cmd->text)))
        bans_changed(g, cmd, "no longer banned");
    else
        control_answer(cmd, 404, "%s is not banned", cmd->text);
}

struct cancel_ask {
    uint64_t id;
    atomic_uint refs;
};

static void cancel_in_worker(struct proxy *p, void *arg)
{
    struct cancel_ask *a = arg;
    proxy_cancel(p, a->id, "cancelled by the operator of this proxy");
    if (atomic_fetch_sub(&a->refs, 1) == 1) free(a);
}

static bool is_live(struct engine *g, uint64_t id)
{
    for (unsigned w = 0; w < g->worker_count; w++)
        for (size_t i = 0; i < g->live[w].count; i++)
            if (g->live[w].rows[i].r.id == id) return true;
    return false;
}

static void request_cancel(struct engine *g, struct command *cmd)
{
    if (!is_live(g, cmd->number)) {
        control_answer(cmd, 404, "this request is over");
        return;
    }
    struct cancel_ask *a = xcalloc(1, sizeof *a);
    a->id = cmd->number;
    atomic_init(&a->refs, g->worker_count + 1);
    for (unsigned i = 0; i < g->worker_count; i++)
        if (!worker_call(g->workers[i], cancel_in_worker, a)) atomic_fetch_sub(&a->refs, 1);
    if (atomic_fetch_sub(&a->refs, 1) == 1) free(a);
    log_msg(LOG_INFO, "request %llu cancelled by hand", (unsigned long long)cmd->number);
    control_answer(cmd, 202, "request cancelled");
}

static void models_refresh(struct engine *g, struct command *cmd)
{
    refresh_start(g->refresh, cmd);
}

static void reload(struct engine *g, struct command *cmd)
{
    engine_reload(g, cmd);
}

static void set_setting(struct engine *g, struct command *cmd)
{
    bool ok = state_save_setting(g->state, g->disk, cmd->subject, cmd->text ? cmd->text : "");
    control_answer(cmd, ok ? 200 : 503, ok ? "saved" : "not saved: the disk does not keep up");
}

static void drain(struct engine *g, struct command *cmd)
{
    engine_drain(g);
    control_answer(cmd, 202, "draining");
}

static void quit(struct engine *g, struct command *cmd)
{
    control_answer(cmd, 202, "stopping");
    engine_stop(g, cmd->flag ? 130 : 0);
}

static void hangup(struct engine *g, struct command *cmd)
{
    control_answer(cmd, 200, " ");
    engine_hangup(g);
}

static void screen_hidden(struct engine *g, struct command *cmd)
{
    disk_log_to_stderr(g->disk, cmd->flag);
    control_answer(cmd, 200, " ");
}

static void (*const verbs[CMD_COUNT])(struct engine *, struct command *) = {
    [CMD_KEY_ENABLE] = key_enable,
    [CMD_KEY_DISABLE] = key_disable,
    [CMD_KEY_TEST] = key_test,
    [CMD_KEY_TEST_DEEP] = key_test,
    [CMD_KEY_TEST_OTHER] = key_test_other,
    [CMD_KEYS_TEST] = keys_test,
    [CMD_TEST_STOP] = test_stop,
    [CMD_KEYS_ADD] = keys_add,
    [CMD_KEY_REMOVE] = key_remove,
    [CMD_KEY_RESET] = key_reset,
    [CMD_KEY_LABEL] = key_label,
    [CMD_KEY_BALANCE] = key_balance,
    [CMD_MODEL_BAN] = model_ban,
    [CMD_MODEL_UNBAN] = model_unban,
    [CMD_EXPLAIN] = explain,
    [CMD_REQUEST_CANCEL] = request_cancel,
    [CMD_MODELS_REFRESH] = models_refresh,
    [CMD_RELOAD] = reload,
    [CMD_USAGE] = asking_usage,
    [CMD_BILLING] = asking_billing,
    [CMD_SETTING] = set_setting,
    [CMD_DRAIN] = drain,
    [CMD_QUIT] = quit,
    [CMD_HANGUP] = hangup,
    [CMD_SCREEN_HIDDEN] = screen_hidden,
    [CMD_SCREEN_SAVE] = engine_save_picture,
};

void commands_run(void *engine, struct command *cmd)
{
    struct engine *g = engine;
    if (g->options.readonly && command_changes(cmd->kind))
        control_answer(cmd, 403, "read-only: sfproxy was started with --readonly");
    else if (verbs[cmd->kind])
        verbs[cmd->kind](g, cmd);
    else
        control_answer(cmd, 400, "unknown command");
}
