/* The observer of answers: usage however a stream is cut, completeness, odd numbers, bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "proxy/tap.h"

#define CHUNK(content, finish, in, out)                                                                                \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" content "\"},\"finish_reason\":" finish               \
    "}],\"usage\":{\"prompt_tokens\":" in ",\"completion_tokens\":" out                                                \
    ",\"completion_tokens_details\":{\"reasoning_tokens\":2},\"prompt_tokens_details\":{\"cached_tokens\":3}}}\n\n"
#define DONE "data: [DONE]\n\n"

static void feed(struct tap *t, const char *text, size_t step)
{
    size_t n = strlen(text);
    for (size_t at = 0; at < n; at += step)
        tap_stream(t, (struct str){text + at, MIN(step, n - at)}, 1000 + (int64_t)at);
}

static void assert_usage(struct usage u, int64_t in, int64_t out, int64_t cached, int64_t reasoning)
{
    assert_true(u.known);
    assert_int_equal(u.in, in);
    assert_int_equal(u.out, out);
    assert_int_equal(u.cached, cached);
    assert_int_equal(u.reasoning, reasoning);
}

/* Usage is cumulative on every chunk: the last counts, wherever the network cut. */
static void test_stream_at_every_cut(void **state)
{
    (void)state;
    const char *text = CHUNK("", "null", "7", "0") ": a comment\n\n" CHUNK("你好", "null", "7", "1")
        CHUNK("", "\"stop\"", "7", "5") DONE;
    for (size_t step = 1; step <= strlen(text); step++) {
        struct tap t;
        tap_init(&t);
        feed(&t, text, step);
        assert_usage(tap_usage(&t), 7, 5, 3, 2);
        assert_int_equal(t.events, 4);
        assert_true(t.complete);
        assert_false(t.error_seen);
        assert_true(t.first_us >= 1000 && t.last_us >= t.first_us);
        tap_free(&t);
    }
}

static struct tap fed(const char *text)
{
    struct tap t;
    tap_init(&t);
    feed(&t, text, 1000);
    return t;
}

static void test_what_completes_a_stream(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool complete;
    } rows[] = {
        {"", false},
        {CHUNK("x", "null", "1", "1"), false},
        {CHUNK("x", "\"stop\"", "1", "1"), true},
        {CHUNK("x", "\"tool_calls\"", "1", "1"), true},
        {DONE, true},
        {"data:[DONE]\n\n", true},
        {"data: [DONE]\n", false}, /* the event is not over */
        {"data: [DONE] \r\n\r\n", true},
        {"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", true},
        {"event: message_delta\ndata: {\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n", true},
        {"event: message_start\ndata: {\"message\":{\"stop_reason\":null}}\n\n", false},
        {": [DONE]\n\n", false},
        {CHUNK("[DONE] \\\"finish_reason\\\":\\\"stop\\\"", "null", "1", "1"), false}, /* said by the model */
        {"data: {\"x\":\"finish_reason\",\"y\":\"stop\"}\n\n", false},
        {"data: {\"finish_reason\" : \"length\"}\n\n", true},
        {CHUNK("x", "\"\"", "1", "1"), false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tap t = fed(rows[i].text);
        if (t.complete != rows[i].complete) fail_msg("row %zu: %s", i, rows[i].text);
        tap_free(&t);
    }
}

static void test_errors_inside(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool error;
    } rows[] = {{"data: {\"error\":{\"message\":\"x\"}}\n\n", true},
                {"data: {\"error\":\"x\"}\n\n", true},
                {"data: {\"error\":null,\"choices\":[]}\n\n", false},
                {"data: {\"error\":\"\",\"choices\":[]}\n\n", false},
                {"event: error\ndata: {}\n\n", true},
                {CHUNK("\\\"error\\\":{}", "null", "1", "1"), false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tap t = fed(rows[i].text);
        if (t.error_seen != rows[i].error) fail_msg("row %zu", i);
        tap_free(&t);
    }
}

static void test_anthropic(void **state)
{
    (void)state;
    struct tap t = fed("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":"
                       "{\"input_tokens\":40,\"cache_read_input_tokens\":30,\"output_tokens\":1}}}\n\n");
    assert_usage(tap_usage(&t), 40, 1, 30, 0); /* live, before the end */
    feed(&t,
         "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},"
         "\"usage\":{\"output_tokens\":12}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
         5);
    assert_usage(tap_usage(&t), 40, 12, 30, 0);
    assert_true(t.complete);
    tap_free(&t);
}

/* Numbers that are none count as nothing or as 0; nothing overflows. */
static void test_odd_usage(void **state)
{
    (void)state;
    const int64_t top = (1ll << 53) - 1;
    static const struct {
        const char *usage;
        bool known;
        int64_t in, out;
    } rows[] = {
        {"null", false, 0, 0},
        {"{}", false, 0, 0},
        {"{\"prompt_tokens\":-5,\"completion_tokens\":-7}", false, 0, 0},
        {"{\"prompt_tokens\":\"12\",\"completion_tokens\":\"many\"}", false, 0, 0},
        {"{\"prompt_tokens\":{\"n\":[1]},\"completion_tokens\":[2]}", false, 0, 0},
        {"{\"prompt_tokens\":-5,\"completion_tokens\":7}", true, 0, 7},
        {"{\"prompt_tokens\":99999999999999999999,\"completion_tokens\":18446744073709551616}", true, -1, -1},
        {"{\"prompt_tokens\":9007199254740991,\"completion_tokens\":9007199254740992}", true, -1, -1},
        {"{ \"prompt_tokens\" : 3 , \"completion_tokens\" : 4 }", true, 3, 4},
        {"{\"input_tokens\":3,\"output_tokens\":4}", true, 3, 4},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf text = BUF_INIT(4096);
        buf_printf(&text, "data: {\"choices\":[],\"usage\":%s}\n\n", rows[i].usage);
        struct tap t = fed(buf_cstr(&text));
        struct usage u = tap_usage(&t);
        if (u.known != rows[i].known) fail_msg("row %zu", i);
        assert_int_equal(u.in, rows[i].in < 0 ? top : rows[i].in);
        assert_int_equal(u.out, rows[i].out < 0 ? top : rows[i].out);
        tap_free(&t);
        buf_free(&text);
    }
}

/* A chunk without usage does not take back what an earlier one said. */
static void test_last_known_usage_stays(void **state)
{
    (void)state;
    struct tap t = fed(CHUNK("x", "null", "9", "4") "data: {\"choices\":[],\"usage\":null}\n\n" DONE);
    assert_usage(tap_usage(&t), 9, 4, 3, 2);
    tap_free(&t);
}

/* The last event counts without its closing blank line, once the bytes are over. */
static void test_the_end_of_the_bytes(void **state)
{
    (void)state;
    struct tap t = fed(CHUNK("x", "null", "9", "4") "data: [DONE]\n");
    assert_false(t.complete);
    tap_finish(&t, 5000);
    assert_true(t.complete);
    assert_int_equal(t.events, 2);
    assert_int_equal(t.last_us, 5000);
    tap_finish(&t, 6000);
    assert_int_equal(t.events, 2);
    tap_free(&t);
}

static void test_answers(void **state)
{
    (void)state;
    assert_usage(usage_of_answer(STR("{\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}")), 1, 2,
                 0, 0);
    assert_usage(usage_of_answer(STR("{\"results\":[],\"tokens\":{\"input_tokens\":28,\"output_tokens\":0}}")), 28, 0,
                 0, 0);
    assert_usage(usage_of_answer(STR("{\"meta\":{\"tokens\":{\"input_tokens\":8,\"output_tokens\":0}}}")), 8, 0, 0, 0);
    assert_usage(usage_of_answer(STR("{\"content\":\"\\\"usage\\\":{\\\"prompt_tokens\\\":99}\",\"usage\":"
                                     "{\"prompt_tokens\":1,\"completion_tokens\":2,\"prompt_cache_hit_tokens\":1}}")),
                 1, 2, 1, 0);
    assert_false(usage_of_answer(STR("{\"text\":\"no usage here\"}")).known);
    assert_false(usage_of_answer(STR("")).known);
    assert_false(usage_of_answer(STR("{\"usage\":{\"prompt_tokens\":1")).known); /* cut */
}

/* Of a body only the end is kept; usage stands there. */
static void test_long_bodies(void **state)
{
    (void)state;
    const char *end = "\",\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":22}}";
    for (size_t filler = 0; filler < 5000; filler += 37) {
        for (size_t step = 1; step < 4000; step = step * 3 + 1) {
            struct buf text = BUF_INIT(8192);
            struct tap t;
            tap_init(&t);
            buf_puts(&text, "{\"usage\":{\"prompt_tokens\":1},\"x\":\"");
            for (size_t i = 0; i < filler; i++) buf_putc(&text, 'x');
            buf_puts(&text, end);
            for (size_t at = 0; at < text.len; at += step)
                tap_body(&t, (struct str){text.data + at, MIN(step, text.len - at)});
            assert_usage(tap_usage(&t), 11, 22, 0, 0);
            tap_free(&t);
            buf_free(&text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stream_at_every_cut),
                                       cmocka_unit_test(test_what_completes_a_stream),
                                       cmocka_unit_test(test_errors_inside),
                                       cmocka_unit_test(test_anthropic),
                                       cmocka_unit_test(test_odd_usage),
                                       cmocka_unit_test(test_last_known_usage_stays),
                                       cmocka_unit_test(test_the_end_of_the_bytes),
                                       cmocka_unit_test(test_answers),
                                       cmocka_unit_test(test_long_bodies)};
    return cmocka_run_group_tests_name("tap", tests, NULL, NULL);
}
