/* Errors of our own: both dialects are valid JSON with the documented members; the table says what it should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <cjson/cJSON.h>

#include "proxy/errors.h"

static cJSON *parsed(const struct buf *b)
{
    cJSON *j = cJSON_ParseWithLengthOpts(b->data, b->len, NULL, false);
    assert_non_null(j);
    return j;
}

static const char *text(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    assert_true(cJSON_IsString(item));
    return item->valuestring;
}

static void test_table(void **state)
{
    (void)state;
    for (enum error_code e = 0; e < ERR_COUNT; e++) {
        bool may = error_sdk_may_retry(e);
        bool should = e == ERR_draining || e == ERR_busy_memory || e == ERR_queue_full || e == ERR_upstream_unavailable;
        if (may != should) fail_msg("%s", error_name(e));
        assert_in_range(error_status(e), 400, 599);
    }
    static const struct {
        enum error_code e;
        const char *name;
        int status;
    } rows[] = {{ERR_no_keys, "no_keys", 503},
                {ERR_no_usable_key, "no_usable_key", 503},
                {ERR_all_cooling, "all_cooling", 429},
                {ERR_insufficient_funds, "insufficient_funds", 402},
                {ERR_not_verified, "not_verified", 403},
                {ERR_model_banned, "model_banned", 404},
                {ERR_not_found, "not_found", 404},
                {ERR_duplicate_key, "duplicate_key", 400},
                {ERR_bad_json, "bad_json", 400},
                {ERR_bad_model, "bad_model", 400},
                {ERR_unauthorized, "unauthorized", 401},
                {ERR_body_too_large, "body_too_large", 413},
                {ERR_busy_memory, "busy_memory", 503},
                {ERR_draining, "draining", 503},
                {ERR_upstream_dns, "upstream_dns", 502},
                {ERR_upstream_connect, "upstream_connect", 502},
                {ERR_upstream_tls, "upstream_tls", 502},
                {ERR_upstream_redirect, "upstream_redirect", 502},
                {ERR_upstream_garbage, "upstream_garbage", 502},
                {ERR_upstream_timeout, "upstream_timeout", 504},
                {ERR_queue_full, "queue_full", 429},
                {ERR_client_busy, "client_busy", 429},
                {ERR_upstream_unavailable, "upstream_unavailable", 503}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(error_name(rows[i].e), rows[i].name);
        assert_int_equal(error_status(rows[i].e), rows[i].status);
    }
}

static void test_of_status(void **state)
{
    (void)state;
    static const int with_a_code[] = {408, 413, 414, 417, 431, 501, 503, 505};
    for (size_t i = 0; i < ARRAY_LEN(with_a_code); i++)
        assert_int_equal(error_status(error_of_status(with_a_code[i])), with_a_code[i]);
    assert_int_equal(error_of_status(400), ERR_bad_request);
    assert_int_equal(error_of_status(999), ERR_bad_request);
}

static const char *const messages[] = {"plain", "", "with \"quotes\" and \\ and \n and \x01", "中文 😀"};

static void test_openai_shape(void **state)
{
    (void)state;
    for (enum error_code e = 0; e < ERR_COUNT; e++) {
        for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
            struct buf out = BUF_INIT(4096);
            error_body(&out, DIALECT_OPENAI, e, messages[i], NULL);
            cJSON *j = parsed(&out);
            const cJSON *error = cJSON_GetObjectItemCaseSensitive(j, "error");
            assert_string_equal(text(error, "message"), messages[i]);
            assert_string_equal(text(error, "code"), error_name(e));
            assert_true(text(error, "type")[0]);
            assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(error, "param")));
            assert_int_equal(cJSON_GetArraySize(j), 1);
            cJSON_Delete(j);
            buf_free(&out);
        }
    }
}

static void test_anthropic_shape(void **state)
{
    (void)state;
    static const char *const types[] = {
        "invalid_request_error", "authentication_error", "permission_error", "not_found_error",
        "request_too_large",     "rate_limit_error",     "api_error",        "overloaded_error"};
    struct upstream_error from = {.code = 50602, .message = "theirs"};
    for (enum error_code e = 0; e < ERR_COUNT; e++) {
        struct buf out = BUF_INIT(4096);
        error_body(&out, DIALECT_ANTHROPIC, e, messages[2], &from);
        cJSON *j = parsed(&out);
        const cJSON *error = cJSON_GetObjectItemCaseSensitive(j, "error");
        bool known = false;
        assert_string_equal(text(j, "type"), "error");
        assert_string_equal(text(error, "message"), messages[2]);
        for (size_t i = 0; i < ARRAY_LEN(types); i++) known = known || strcmp(types[i], text(error, "type")) == 0;
        if (!known) fail_msg("%s is not a type of theirs", text(error, "type"));
        cJSON_Delete(j);
        buf_free(&out);
    }
}

static void test_what_the_platform_said_is_kept(void **state)
{
    (void)state;
    struct upstream_error from = {.code = 50602, .message = "TPM limit reached."};
    struct buf out = BUF_INIT(4096);
    error_body(&out, DIALECT_OPENAI, ERR_all_cooling, "ours", &from);
    cJSON *j = parsed(&out);
    assert_int_equal(cJSON_GetObjectItemCaseSensitive(j, "code")->valueint, 50602);
    assert_string_equal(text(j, "message"), "TPM limit reached.");
    assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(j, "data")));
    assert_string_equal(text(cJSON_GetObjectItemCaseSensitive(j, "error"), "message"), "ours");
    cJSON_Delete(j);
    buf_reset(&out);
    from = (struct upstream_error){.is_object = true}; /* it said nothing */
    error_body(&out, DIALECT_OPENAI, ERR_all_cooling, "ours", &from);
    j = parsed(&out);
    assert_int_equal(cJSON_GetArraySize(j), 1);
    cJSON_Delete(j);
    buf_free(&out);
}

static void test_events(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(4096);
    error_event(&out, DIALECT_OPENAI, ERR_upstream_lost, "a\nb");
    assert_memory_equal(out.data, "data: {\"error\":", 15);
    assert_memory_equal(out.data + out.len - 3, "}\n\n", 3);
    assert_ptr_equal(memchr(out.data, '\n', out.len), out.data + out.len - 2); /* one line: the message's is escaped */
    buf_reset(&out);
    error_event(&out, DIALECT_ANTHROPIC, ERR_upstream_lost, "x");
    assert_memory_equal(out.data, "event: error\ndata: {\"type\":\"error\"", 34);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table),
                                       cmocka_unit_test(test_of_status),
                                       cmocka_unit_test(test_openai_shape),
                                       cmocka_unit_test(test_anthropic_shape),
                                       cmocka_unit_test(test_what_the_platform_said_is_kept),
                                       cmocka_unit_test(test_events)};
    return cmocka_run_group_tests_name("errors", tests, NULL, NULL);
}
