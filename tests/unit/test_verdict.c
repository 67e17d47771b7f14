/* The verdict table against every body that was seen or documented, and against bodies that try to mislead it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "pool/verdict.h"

#define MSG(m)    "{\"message\":\"" m "\",\"data\":null}"
#define COD(c, m) "{\"code\":" #c ",\"message\":\"" m "\",\"data\":null}"
#define LIMITED   "Request was rejected due to rate limiting. "

struct sample {
    int status;
    const char *body;
    enum verdict want;
};

static const struct sample answers[] = {
    {400, COD(20012, "Model does not exist. Please check it carefully."), VERDICT_BAD_REQUEST},
    {400, COD(20015, "The parameter is invalid. Please check again."), VERDICT_BAD_REQUEST},
    {400, COD(20015, "number of input tokens (300030) has exceeded max_prompt_tokens (98304) limit."),
     VERDICT_BAD_REQUEST},
    {400, COD(20015, "length of prompt_tokens (235121) must be less than max_seq_len (65536)."), VERDICT_BAD_REQUEST},
    {400, COD(20015, "No user query found in messages."), VERDICT_BAD_REQUEST},
    {400, COD(30014, "Token is invalid."), VERDICT_KEY_INVALID},
    {400, COD(30001, "Sorry, your account balance is insufficient"), VERDICT_NO_FUNDS},
    {400, "", VERDICT_BAD_REQUEST},
    {401, COD(30014, "Token is invalid."), VERDICT_KEY_INVALID},
    {401, "\"Api key is invalid\"", VERDICT_KEY_INVALID},
    {401, "\"Invalid token\"", VERDICT_KEY_INVALID},
    {401, "Invalid token", VERDICT_KEY_INVALID},
    {401, COD(20012, "Api key is invalid"), VERDICT_KEY_INVALID},
    {401, "", VERDICT_KEY_INVALID},
    {402, COD(30001, "Sorry, your account balance is insufficient"), VERDICT_NO_FUNDS},
    {402, "\"No enough balance\"", VERDICT_NO_FUNDS},
    {402, "", VERDICT_NO_FUNDS},
    {403, COD(30001, "Sorry, your account balance is insufficient"), VERDICT_NO_FUNDS},
    {403, COD(30003, "Model disabled."), VERDICT_MODEL_DENIED},
    {403, MSG("You have no permission for the model Pro/x"), VERDICT_MODEL_DENIED},
    {403, "\"Forbidden\"", VERDICT_FORBIDDEN_OTHER},
    {403, "", VERDICT_FORBIDDEN_OTHER},
    {403, "<html><head><title>403 Forbidden</title></head></html>", VERDICT_FORBIDDEN_OTHER},
    {403, MSG("Please complete real-name verification"), VERDICT_NOT_VERIFIED},
    {403, MSG("\\u8bf7\\u5148\\u5b9e\\u540d\\u8ba4\\u8bc1"), VERDICT_NOT_VERIFIED},
    {403, "\"账号未实名认证\"", VERDICT_NOT_VERIFIED},
    {404, "404 page not found", VERDICT_BAD_REQUEST},
    {405, "", VERDICT_BAD_REQUEST},
    {410, COD(20092, "This endpoint is deprecated and is no longer available."), VERDICT_RETIRED},
    {410, "", VERDICT_RETIRED},
    {413, COD(20015, "too long"), VERDICT_BAD_REQUEST},
    {415, "", VERDICT_BAD_REQUEST},
    {422, "{\"detail\":\"x\"}", VERDICT_BAD_REQUEST},
    {451, "", VERDICT_BAD_REQUEST},
    {429, MSG(LIMITED "Details: TPM limit reached."), VERDICT_RATE_MINUTE},
    {429, COD(50602, LIMITED "Details: TPM limit reached."), VERDICT_RATE_MINUTE},
    {429, COD(50603, LIMITED "Details: RPM limit reached."), VERDICT_RATE_MINUTE},
    {429, COD(50604, LIMITED "Details: IPM limit reached."), VERDICT_RATE_MINUTE},
    {429, MSG(LIMITED "If you want more, please contact contact@siliconflow.cn. Details:TPM limit reached."),
     VERDICT_RATE_MINUTE},
    {429, MSG(LIMITED "Details: RPH limit reached."), VERDICT_RATE_HOUR},
    {429, MSG(LIMITED "Details: TPH limit reached."), VERDICT_RATE_HOUR},
    {429, MSG(LIMITED "Details: RPD limit reached."), VERDICT_RATE_DAY},
    {429, MSG(LIMITED "Details: TPD limit reached."), VERDICT_RATE_DAY},
    {429, MSG(LIMITED "Details: IPD limit reached."), VERDICT_RATE_DAY},
    {429, MSG(LIMITED "Details: System is too busy now."), VERDICT_BUSY},
    {429, COD(50610, "too busy"), VERDICT_BUSY},
    {429, COD(50603, "System busy"), VERDICT_BUSY},
    {429, COD(50602, "Slow down"), VERDICT_RATE_UNKNOWN},
    {429, MSG("Slow down"), VERDICT_RATE_UNKNOWN},
    {429, MSG("RPMX TPMS"), VERDICT_RATE_UNKNOWN},
    {429, "", VERDICT_RATE_UNKNOWN},
    {429, COD(30001, "balance"), VERDICT_NO_FUNDS},
    {500, "", VERDICT_SERVER},
    {500, COD(50507, "Unknown error"), VERDICT_SERVER},
    {500, MSG("invalid token at position 3"), VERDICT_SERVER},
    {500, "\"Invalid token\"", VERDICT_KEY_INVALID},
    {500, COD(50508, "x"), VERDICT_BUSY},
    {502, "<html><body><h1>502 Bad Gateway</h1></body></html>", VERDICT_SERVER},
    {520, "error code: 520", VERDICT_SERVER},
    {503, COD(50505, "Model service overloaded. Please try again later."), VERDICT_BUSY},
    {503, COD(50508, "System is too busy now. Please try again later."), VERDICT_BUSY},
    {503, "", VERDICT_BUSY},
    {503, COD(50603, LIMITED "Details: TPM limit reached."), VERDICT_RATE_MINUTE},
    {504, "\"Gateway Timeout\"", VERDICT_GW_TIMEOUT},
    {504, "", VERDICT_GW_TIMEOUT},
    {301, "", VERDICT_REDIRECT},
    {307, COD(30014, "x"), VERDICT_REDIRECT},
    {100, "", VERDICT_GARBAGE},
    {0, "", VERDICT_GARBAGE},
    {700, "", VERDICT_GARBAGE},

    {200, "{\"id\":\"1\",\"choices\":[{\"message\":{\"content\":\"api key is invalid\"}}]}", VERDICT_OK},
    {200, "{\"code\":20000,\"message\":\"OK\",\"status\":true,\"data\":{}}", VERDICT_OK},
    {200, "{\"code\":20000,\"message\":\"OK\",\"data\":null}", VERDICT_OK},
    {200, "{\"code\":1,\"results\":[]}", VERDICT_OK},
    {200, "{\"code\":1,\"text\":\"\"}", VERDICT_OK},
    {200, "{\"error\":null,\"choices\":[]}", VERDICT_OK},
    {200, "", VERDICT_OK},
    {204, "", VERDICT_OK},
    {200, "\"Invalid token\"", VERDICT_OK},
    {200, COD(50609, "congestion"), VERDICT_BUSY},
    {200, COD(50505, "x"), VERDICT_BUSY},
    {200, COD(30001, "x"), VERDICT_NO_FUNDS},
    {200, COD(30014, "x"), VERDICT_KEY_INVALID},
    {200, COD(20015, "The parameter is invalid."), VERDICT_BAD_REQUEST},
    {200, COD(50602, LIMITED "Details: TPD limit reached."), VERDICT_RATE_DAY},
    {200, COD(77777, "what"), VERDICT_SERVER},
    {200, "{\"error\":{\"message\":\"System is too busy now\",\"code\":null},\"choices\":[]}", VERDICT_BUSY},
    {200, "{\"error\":{\"code\":\"30001\",\"message\":\"x\"}}", VERDICT_NO_FUNDS},
    {200, "{\"error\":{\"code\":429,\"message\":\"RPM limit\"}}", VERDICT_RATE_MINUTE},
    {200, "{\"error\":\"Invalid token.\"}", VERDICT_KEY_INVALID},
};

static struct str body_of(const char *s)
{
    return (struct str){s, strlen(s)};
}

static void every_seen_answer(void **state)
{
    (void)state;
    struct upstream_error e;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        enum verdict got = verdict_of_answer(answers[i].status, true, body_of(answers[i].body), &e);
        if (got != answers[i].want)
            fail_msg("%d %s: %s instead of %s", answers[i].status, answers[i].body, verdict_name(got),
                     verdict_name(answers[i].want));
    }
}

static const char *const patterns[] = {
    "Token is invalid",
    "Api key is invalid",
    "Invalid token",
    "balance is insufficient",
    "insufficient balance",
    "No enough balance",
    "余额不足",
    "欠费",
    "real-name",
    "实名",
    "identity",
    "Model disabled",
    "too busy",
    "overloaded",
    "繁忙",
    "rate limit TPM limit reached",
    "System is too busy now",
    "RPD limit reached",
};

/* Whatever a client's own error echoes, no key is to blame for it. */
static void a_clients_error_touches_no_key(void **state)
{
    (void)state;
    static const int statuses[] = {400, 404, 405, 413, 415, 422, 451};
    static const char *const shapes[] = {"{\"code\":20015,\"message\":\"%s\",\"data\":null}", "\"%s\"", "%s",
                                         "{\"error\":{\"code\":50508,\"message\":\"%s\"}}", "<html>%s</html>"};
    struct upstream_error e;
    struct buf b = BUF_INIT(4096);
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
        for (size_t s = 0; s < ARRAY_LEN(statuses); s++)
            for (size_t f = 0; f < ARRAY_LEN(shapes); f++) {
                buf_reset(&b);
                const char *at = strstr(shapes[f], "%s");
                buf_add(&b, shapes[f], (size_t)(at - shapes[f]));
                buf_puts(&b, patterns[i]);
                buf_puts(&b, at + 2);
                if (verdict_of_answer(statuses[s], true, buf_str(&b), &e) != VERDICT_BAD_REQUEST)
                    fail_msg("%d %s", statuses[s], buf_cstr(&b));
            }
    buf_free(&b);
}

static void content_of_a_good_answer_is_not_read(void **state)
{
    (void)state;
    struct upstream_error e;
    struct buf b = BUF_INIT(4096);
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        buf_reset(&b);
        buf_printf(&b, "{\"choices\":[{\"message\":{\"content\":\"%s\",\"error\":1,\"code\":30014}}]}", patterns[i]);
        assert_int_equal(verdict_of_answer(200, true, buf_str(&b), &e), VERDICT_OK);
    }
    buf_free(&b);
}

static void binary_is_judged_by_status(void **state)
{
    (void)state;
    struct upstream_error e;
    struct str body = STR("{\"code\":30014,\"message\":\"x\"}");
    assert_int_equal(verdict_of_answer(200, false, body, &e), VERDICT_OK);
    assert_int_equal(verdict_of_answer(429, false, body, &e), VERDICT_RATE_UNKNOWN);
    assert_int_equal(e.code, 0);
}

static void bodies_of_any_shape(void **state)
{
    (void)state;
    struct upstream_error e;
    upstream_error_read(STR(" {\"code\":\"50505\",\"message\":\"a\\u00e9\\n\\\"b\\\" \\ud83d\\ude00\",\"data\":null} "),
                        &e);
    assert_int_equal(e.code, 50505);
    assert_string_equal(e.message, "aé?\"b\" 😀");
    assert_true(e.is_object && !e.has_data && !e.has_error);
    upstream_error_read(STR("{\"error\":{\"message\":\"inner\",\"code\":12}}"), &e);
    assert_int_equal(e.code, 12);
    assert_string_equal(e.message, "inner");
    upstream_error_read(STR("\"Details: TPM limit reached.\""), &e);
    assert_string_equal(e.message, "Details: TPM limit reached.");
    assert_string_equal(e.metric, "TPM");
    assert_false(e.is_object);
    upstream_error_read(STR("<html><title>502  Bad</title>\n<p>Gateway</p></html>"), &e);
    assert_string_equal(e.message, "502 Bad Gateway");
    upstream_error_read(STR("{\"message\":\"key sk-abcDEF-123_456 (sk-short, task-scheduler1) is bad\"}"), &e);
    assert_string_equal(e.message, "key sk-************** (sk-short, task-scheduler1) is bad");
    upstream_error_read(STR("404 page not found"), &e);
    assert_string_equal(e.message, "404 page not found");
    upstream_error_read((struct str){NULL, 0}, &e);
    assert_string_equal(e.message, "");
    upstream_error_read(STR("{nonsense"), &e);
    assert_string_equal(e.message, "{nonsense");
    upstream_error_read(STR("\x1b[31mred\xff"), &e);
    assert_string_equal(e.message, "?[31mred?");
    upstream_error_read(STR("{\"code\":99999999999999999999,\"message\":5}"), &e);
    assert_int_equal(e.code, 0);
}

/* A long good answer is cut after 64 KiB; an error object deeper than any stack is still only a body. */
static void cut_and_deep_bodies(void **state)
{
    (void)state;
    struct upstream_error e;
    struct buf b = BUF_INIT(1 << 20);
    buf_puts(&b, "{\"code\":1,\"data\":[");
    while (b.len < 70000) buf_puts(&b, "0.5,");
    assert_int_equal(verdict_of_answer(200, true, buf_str(&b), &e), VERDICT_OK);
    assert_true(e.has_data);
    buf_reset(&b);
    buf_puts(&b, "{\"error\":");
    while (b.len < 60000) buf_puts(&b, "[{\"a\":");
    assert_int_equal(verdict_of_answer(200, true, buf_str(&b), &e), VERDICT_SERVER);
    buf_reset(&b);
    buf_puts(&b, "{\"code\":30001,\"message\":\"");
    while (b.len < 70000) buf_puts(&b, "x");
    assert_int_equal(verdict_of_answer(403, true, buf_str(&b), &e), VERDICT_NO_FUNDS);
    buf_free(&b);
}

static void events(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {0, "[DONE]", VERDICT_OK},
        {0, "", VERDICT_OK},
        {0, "\"Invalid token\"", VERDICT_OK},
        {0, "{\"choices\":[],\"code\":1}", VERDICT_OK},
        {0, "{\"type\":\"message_start\",\"code\":30014}", VERDICT_OK},
        {0, "{\"id\":\"1\",\"choices\":[{\"delta\":{\"content\":\"balance is insufficient\"}}],\"error\":null}",
         VERDICT_OK},
        {0, "{\"code\":20000}", VERDICT_OK},
        {0, COD(50609, "x"), VERDICT_BUSY},
        {0, COD(30014, "x"), VERDICT_KEY_INVALID},
        {0, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}", VERDICT_BUSY},
        {0, "{\"choices\":[],\"error\":{\"message\":\"boom\"}}", VERDICT_SERVER},
        {0, MSG(LIMITED "Details: TPM limit reached."), VERDICT_OK},
        {0, COD(50602, LIMITED "Details: TPM limit reached."), VERDICT_RATE_MINUTE},
    };
    struct upstream_error e;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++)
        if (verdict_of_event(body_of(samples[i].body), &e) != samples[i].want) fail_msg("%s", samples[i].body);
}

static void names_and_kinds(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VERDICT_COUNT; i++)
        for (unsigned k = 0; k < i; k++) assert_string_not_equal(verdict_name(i), verdict_name(k));
    assert_int_equal(verdict_kind(VERDICT_OK), KIND_OK);
    assert_int_equal(verdict_kind(VERDICT_RATE_DAY), KIND_REFUSAL);
    assert_int_equal(verdict_kind(VERDICT_GW_TIMEOUT), KIND_STALL);
    assert_int_equal(verdict_kind(VERDICT_BUSY), KIND_ONCE);
    assert_int_equal(verdict_kind(VERDICT_BAD_REQUEST), KIND_FINAL);
    assert_string_equal(verdict_sentence(VERDICT_RATE_MINUTE), "rate limit per minute");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_seen_answer),
        cmocka_unit_test(a_clients_error_touches_no_key),
        cmocka_unit_test(content_of_a_good_answer_is_not_read),
        cmocka_unit_test(binary_is_judged_by_status),
        cmocka_unit_test(bodies_of_any_shape),
        cmocka_unit_test(cut_and_deep_bodies),
        cmocka_unit_test(events),
        cmocka_unit_test(names_and_kinds),
    };
    return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
