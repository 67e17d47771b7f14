/* The snapshot's JSON: every name of the API page is there, what is not known is null, foreign text is harmless. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>

#include "base/mem.h"
#include "control/command.h"
#include "control/snapshot.h"

static struct snapshot *sample(void)
{
    struct snapshot *s = snapshot_new();
    s->time = (wall_t){1790000100000};
    str_copy(s->version, sizeof s->version, STR("0.1.0"));
    str_copy(s->listen, sizeof s->listen, STR("127.0.0.1:7860"));
    str_copy(s->upstream_url, sizeof s->upstream_url, STR("https://api.siliconflow.cn/v1"));
    s->totals.rates = (struct rates){1, 2, 3, 5000000000};
    s->totals.cost_today = s->totals.burn_per_hour = s->totals.hours_left = -1;
    s->totals.ttft_p50_ms = s->totals.ttft_p95_ms = -1;
    s->totals.ends[END_TIMEOUT] = 7;
    s->writes_dropped = 80;
    for (size_t i = 0; i < RING_MINUTES; i++) s->req_60s[i] = s->tok_60s[i] = -1;
    for (size_t i = RING_MINUTES - 70; i < RING_MINUTES; i++) s->req_60s[i] = 2;

    s->keys = xcalloc(2, sizeof *s->keys);
    s->key_count = 2;
    struct key_view *k = &s->keys[0].view;
    str_copy(k->id, sizeof k->id, STR("0badcafe"));
    str_copy(k->label, sizeof k->label, STR("\"</script><b>\x1b[31m"));
    k->class = CLASS_FREE;
    k->state = KEY_COOLING;
    s->keys[0].balance_origin = BALANCE_METERED;
    s->keys[0].balance_left_micro = -1500000;
    s->keys[0].spent_today_micro = 1250000;
    s->keys[1].spent_today_micro = -1;
    k->balance_at = (wall_t){1790000000000};
    k->cooldown_count = 12; /* more than the view holds */
    k->cooldowns[0] = (struct key_cooldown_view){.model = "M", .reason = VERDICT_RATE_MINUTE, .ms_left = 1200};
    k->last_error.at = (wall_t){1790000090000};
    k->last_error.status = 429;
    k->tested_at = (wall_t){1790000095000};
    s->keys[0].meter.ttft_ms = s->keys[1].meter.ttft_ms = -1;

    s->models = xcalloc(2, sizeof *s->models);
    s->model_count = 2;
    s->models[0].cost = COST_FREE;
    s->models[0].ttft_ms = s->models[1].ttft_ms = -1;

    s->cells = xcalloc(1, sizeof *s->cells);
    s->cell_count = 1;
    s->cells[0] = (struct snap_cell){.account = "A", .model = "M", .rpm = 3, .limit_rpm = 10, .limit_tpm = -1};
    s->cells[0].ms_left = 1;
    s->cells[0].reason = VERDICT_RATE_MINUTE;
    s->clients = xcalloc(1, sizeof *s->clients);
    s->client_count = 1;
    s->requests = xcalloc(2, sizeof *s->requests);
    s->request_count = 2;
    s->live_count = 1;
    s->requests[0].live = true;
    s->requests[0].age_ms = 321;
    s->requests[0].r.ttft_ms = -1;
    struct record *r = &s->requests[1].r;
    r->cost_micro = 1500;
    r->id = UINT64_MAX;
    r->end = END_STREAM_BROKEN;
    r->status = 200;
    r->usage = (struct usage){.known = true, .in = 10, .out = 50};
    r->gen_ms = 2000;
    r->tries = 200; /* more than the list holds */
    r->try_list[0].verdict = VERDICT_BUSY;
    str_copy(r->try_list[0].key_id, sizeof r->try_list[0].key_id, STR("0badcafe"));
    s->log = xcalloc(1, sizeof *s->log);
    s->log_count = 1;
    return s;
}

static cJSON *as_json(const struct snapshot *s)
{
    struct buf out = BUF_INIT(1 << 24);
    snapshot_json(s, &out);
    assert_false(out.failed);
    assert_null(strstr(buf_cstr(&out), "</script")); /* may stand inside a page */
    const char *end;
    cJSON *j = cJSON_ParseWithLengthOpts(out.data, out.len + 1, &end, true);
    assert_non_null(j);
    buf_free(&out);
    return j;
}

/* "a.0.b": names and places; NULL when there is none. */
static cJSON *at(cJSON *j, const char *path)
{
    struct str rest = str_of(path), part;
    while (j && *path && str_split(&rest, '.', &part)) {
        uint64_t n;
        char *name = str_dup(part);
        j = str_u64(part, &n) ? cJSON_GetArrayItem(j, (int)n) : cJSON_GetObjectItemCaseSensitive(j, name);
        free(name);
    }
    return j;
}

static void every_name_of_the_page_is_there(void **state)
{
    (void)state;
    static const char *const names[] = {
        "version time uptime_s listen upstream totals keys models requests series log",
        "upstream:base_url breaker reason",
        "totals:rpm tpm rpd tpd in_flight leases connections retries_per_min errors_per_min limited_per_min cost_today "
        "burn_per_hour hours_left",
        "keys.0:id label masked account class state enabled in_flight rpm tpm rpd tpd ok failed limited balance "
        "cooldowns last_error tested_s_ago",
        "keys.0.balance:value origin age_s",
        "cells.0:account model in_flight rpm tpm limit_rpm limit_tpm limit_origin reason seconds_left last_verdict "
        "idle_s",
        "keys.0.cooldowns.0:model reason seconds_left",
        "keys.0.last_error:time status code message",
        "models.0:id type sub_type free evidence price banned rpm tpm tpd keys_usable",
        "requests.0:id time state client method path model key stream attempts status reason ttft_ms duration_ms "
        "tokens_in tokens_out tokens_per_s",
        "series:rpm tpm rpd tpd",
    };
    struct snapshot *s = sample();
    cJSON *j = as_json(s);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *colon = strchr(names[i], ':');
        char *path = xstrndup(names[i], colon ? (size_t)(colon - names[i]) : 0);
        cJSON *object = at(j, path);
        struct str rest = str_of(colon ? colon + 1 : names[i]), name;
        while (str_split(&rest, ' ', &name)) {
            char *one = str_dup(name);
            if (!cJSON_GetObjectItemCaseSensitive(object, one)) fail_msg("%s.%s is missing", path, one);
            free(one);
        }
        free(path);
    }
    cJSON_Delete(j);
    snapshot_put(s);
}

static void values_are_right_and_unknown_is_null(void **state)
{
    (void)state;
    struct snapshot *s = sample();
    cJSON *j = as_json(s);
    static const char *const nulls[] = {"totals.cost_today",
                                        "totals.hours_left",
                                        "keys.1.spent_today",
                                        "requests.0.cost",
                                        "cells.0.limit_tpm",
                                        "cells.0.limit_origin",
                                        "totals.ttft_p50_ms",
                                        "keys.1.balance.value",
                                        "keys.1.balance.age_s",
                                        "keys.1.last_error",
                                        "keys.1.tested_s_ago",
                                        "models.1.free",
                                        "models.0.price",
                                        "requests.0.status",
                                        "requests.0.reason",
                                        "requests.0.tokens_in",
                                        "requests.0.tokens_per_s",
                                        "requests.0.ttft_ms",
                                        "alarm",
                                        "upstream.breaker",
                                        "progress",
                                        "series.rpd.0",
                                        "keys.0.last_error.code"};
    for (size_t i = 0; i < ARRAY_LEN(nulls); i++)
        if (!cJSON_IsNull(at(j, nulls[i]))) fail_msg("%s is not null", nulls[i]);
    assert_true(at(j, "totals.tpd")->valuedouble == 5e9);
    assert_int_equal(at(j, "writes_dropped")->valueint, 80);
    assert_int_equal(at(j, "totals.ends.timeout")->valueint, 7);
    assert_string_equal(at(j, "keys.0.class")->valuestring, "FREE");
    assert_string_equal(at(j, "keys.0.balance.origin")->valuestring, "metered");
    assert_true(at(j, "keys.0.spent_today")->valuedouble == 1.25);
    assert_true(at(j, "requests.1.cost")->valuedouble == 0.0015);
    assert_string_equal(at(j, "cells.0.reason")->valuestring, "rate_minute");
    assert_int_equal(at(j, "cells.0.seconds_left")->valueint, 1);
    assert_true(at(j, "keys.0.balance.value")->valuedouble == -1.5);
    assert_int_equal(at(j, "keys.0.balance.age_s")->valueint, 100);
    assert_int_equal(cJSON_GetArraySize(at(j, "keys.0.cooldowns")), 8);
    assert_int_equal(at(j, "keys.0.cooldown_count")->valueint, 12);
    assert_string_equal(at(j, "keys.0.cooldowns.0.reason")->valuestring, "rate_minute");
    assert_int_equal(at(j, "keys.0.cooldowns.0.seconds_left")->valueint, 2);
    assert_int_equal(at(j, "keys.0.tested_s_ago")->valueint, 5);
    assert_string_equal(at(j, "keys.1.balance.origin")->valuestring, "unknown");
    assert_true(cJSON_IsTrue(at(j, "models.0.free")));
    assert_int_equal(at(j, "requests.0.duration_ms")->valueint, 321);
    assert_string_equal(at(j, "requests.1.id")->valuestring, "18446744073709551615");
    assert_string_equal(at(j, "requests.1.reason")->valuestring, "stream_broken");
    assert_true(at(j, "requests.1.tokens_per_s")->valuedouble == 25.0);
    assert_int_equal(cJSON_GetArraySize(at(j, "requests.1.tries")), RECORD_TRIES);
    assert_string_equal(at(j, "requests.1.tries.0.verdict")->valuestring, "busy");
    assert_string_equal(at(j, "requests.1.tries.0.key")->valuestring, "0badcafe");
    assert_int_equal(cJSON_GetArraySize(at(j, "series.rpm")), 60);
    assert_int_equal(cJSON_GetArraySize(at(j, "series.rpd")), 24);
    assert_int_equal(at(j, "series.rpd.23")->valueint, 120);
    assert_int_equal(at(j, "series.rpd.22")->valueint, 20);
    cJSON_Delete(j);
    snapshot_put(s);
}

static void parts_are_the_same_as_in_the_whole(void **state)
{
    (void)state;
    struct snapshot *s = sample();
    struct buf whole = BUF_INIT(1 << 24), part = BUF_INIT(1 << 24);
    struct json j;
    snapshot_json(s, &whole);
    static void (*const parts[])(const struct snapshot *, struct json *) = {snapshot_keys_json, snapshot_models_json,
                                                                            snapshot_requests_json};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        buf_reset(&part);
        json_init(&j, &part);
        parts[i](s, &j);
        assert_non_null(strstr(buf_cstr(&whole), buf_cstr(&part)));
    }
    buf_free(&whole);
    buf_free(&part);
    snapshot_put(s);
}

static void the_last_reference_frees(void **state)
{
    (void)state;
    struct snapshot *s = sample(); /* freed early or never: the sanitizer says so */
    assert_ptr_equal(snapshot_get(s), s);
    snapshot_put(s);
    assert_int_equal(s->key_count, 2);
    snapshot_put(s);
    snapshot_put(NULL);
}

static void commands_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < CMD_COUNT; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(command_name((enum command_kind)i), command_name((enum command_kind)k));
    assert_string_equal(command_name(CMD_KEY_TEST_DEEP), "test_deep");
    assert_true(command_changes(CMD_KEY_REMOVE));
    assert_false(command_changes(CMD_SNAPSHOT));
    struct command *c = command_new(CMD_KEYS_ADD);
    c->text = xstrdup("sk-secret");
    command_free(c);
    command_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_of_the_page_is_there),
        cmocka_unit_test(values_are_right_and_unknown_is_null),
        cmocka_unit_test(parts_are_the_same_as_in_the_whole),
        cmocka_unit_test(the_last_reference_frees),
        cmocka_unit_test(commands_have_names),
    };
    return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
