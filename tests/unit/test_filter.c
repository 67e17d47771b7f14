/* Reasoning made part of the text: byte for byte what comes out, however the stream was cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proxy/filter.h"

#define DONE "data: [DONE]\n\n"
/* A chunk as the platform writes it, and as it goes out. */
#define CHUNK_OF(model, delta, finish, usage)                                                                          \
    "data: {\"id\":\"019a\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"" model                     \
    "\",\"choices\":[{\"index\":0,\"delta\":{" delta "},\"finish_reason\":" finish                                     \
    "}],\"system_fingerprint\":\"\",\"usage\":" usage "}\n\n"
#define USAGE               "{\"prompt_tokens\":5,\"completion_tokens\":3,\"total_tokens\":8}"
#define FROM(delta, finish) CHUNK_OF("deepseek-ai/DeepSeek-R1", delta, finish, USAGE)
#define TO(delta, finish)   CHUNK_OF("the-alias", delta, finish, USAGE)
#define BEFORE(delta)       CHUNK_OF("the-alias", delta, "null", "null")
#define ROLE                "\"role\":\"assistant\""
#define REASONS(text)       FROM("\"content\":null,\"reasoning_content\":\"" text "\"," ROLE, "null")
#define SAYS(text, finish)  FROM("\"content\":\"" text "\",\"reasoning_content\":null," ROLE, finish)
#define SAID(text, finish)  TO("\"content\":\"" text "\"," ROLE, finish)

static void run(enum reasoning_form form, struct str text, size_t step, struct buf *out)
{
    struct filter *f = filter_reasoning(form, "the-alias");
    for (size_t at = 0; at < text.n; at += step)
        f->ops->stream(f, (struct str){text.p + at, MIN(step, text.n - at)}, out);
    f->ops->stream_end(f, out);
    f->ops->free(f);
}

/* Every cut gives the same; a step of one byte splits every character. */
static void check(enum reasoning_form form, const char *in, const char *expected)
{
    struct str text = str_of(in);
    for (size_t step = 1; step <= text.n; step++) {
        struct buf out = BUF_INIT(1 << 20);
        run(form, text, step, &out);
        assert_string_equal(buf_cstr(&out), expected);
        buf_free(&out);
    }
}

static void check_whole(enum reasoning_form form, const char *in, const char *expected)
{
    struct buf out = BUF_INIT(1 << 20);
    struct filter *f = filter_reasoning(form, "the-alias");
    f->ops->whole(f, str_of(in), &out);
    assert_string_equal(buf_cstr(&out), expected);
    f->ops->free(f);
    buf_free(&out);
}

/* The original's recorded stream: reasoning "", "想\n一", "下", then content "\n", "你好", "". */
#define RECORDED                                                                                                       \
    REASONS("")                                                                                                        \
    REASONS("\xE6\x83\xB3\\n\xE4\xB8\x80")                                                                             \
    REASONS("\xE4\xB8\x8B") SAYS("\\n", "null") SAYS("\xE4\xBD\xA0\xE5\xA5\xBD", "null") SAYS("", "\"stop\"") DONE

static void recorded_tags(void **state)
{
    (void)state;
    check(REASONING_TAGS, RECORDED,
          BEFORE(ROLE ",\"content\":\"<\"") BEFORE("\"content\":\"think\"") BEFORE("\"content\":\">\\n\"")
              SAID("", "null") SAID("\xE6\x83\xB3\\n\xE4\xB8\x80", "null") SAID("\xE4\xB8\x8B", "null")
                  BEFORE("\"content\":\"\\n</think>\\n\"") SAID("\\n", "null") SAID("\xE4\xBD\xA0\xE5\xA5\xBD", "null")
                      SAID("", "\"stop\"") DONE);
}

static void recorded_quote(void **state)
{
    (void)state;
    check(REASONING_QUOTE, RECORDED,
          SAID("> ", "null") SAID("\xE6\x83\xB3\\n> \xE4\xB8\x80", "null") SAID("\xE4\xB8\x8B", "null")
              BEFORE("\"content\":\"\\n\\n\"") SAID("\\n", "null") SAID("\xE4\xBD\xA0\xE5\xA5\xBD", "null")
                  SAID("", "\"stop\"") DONE);
}

static void reasoning_that_comes_again(void **state)
{
    (void)state;
    const char *in = REASONS("a") SAYS("b", "null") REASONS("c") SAYS("d", "\"stop\"");
    check(REASONING_TAGS, in,
          BEFORE(ROLE ",\"content\":\"<\"") BEFORE("\"content\":\"think\"") BEFORE("\"content\":\">\\n\"")
              SAID("a", "null") BEFORE("\"content\":\"\\n</think>\\n\"") SAID("b", "null") BEFORE("\"content\":\"<\"")
                  BEFORE("\"content\":\"think\"") BEFORE("\"content\":\">\\n\"") SAID("c", "null")
                      BEFORE("\"content\":\"\\n</think>\\n\"") SAID("d", "\"stop\""));
    check(REASONING_QUOTE, in,
          SAID("> a", "null") BEFORE("\"content\":\"\\n\\n\"") SAID("b", "null") SAID("\\n\\n> c", "null")
              BEFORE("\"content\":\"\\n\\n\"") SAID("d", "\"stop\""));
}

/* Both members in one chunk: the empty one is meant as absent; two full ones come one after the other. */
static void both_members(void **state)
{
    (void)state;
#define BOTH(r, c, finish) FROM(ROLE ",\"reasoning_content\":\"" r "\",\"content\":\"" c "\"", finish)
    const char *in = BOTH("", "", "null") BOTH("a", "", "null") BOTH("", "b", "null") BOTH("c", "d", "\"stop\"");
#define OUT(c, finish) TO(ROLE ",\"content\":\"" c "\"", finish)
    check(REASONING_QUOTE, in,
          OUT("", "null") OUT("> a", "null") BEFORE("\"content\":\"\\n\\n\"") OUT("b", "null")
              BEFORE("\"content\":\"\\n\\n> c\"") BEFORE("\"content\":\"\\n\\n\"") OUT("d", "\"stop\""));
}

/* Every spelling of a newline, and what only looks like one. */
static void newlines(void **state)
{
    (void)state;
    check(REASONING_QUOTE, REASONS("a\\nb\\u000Ac\\u000ad\\\\n\\\\u000a\\r\\n\\n"),
          SAID("> a\\n> b\\u000A> c\\u000a> d\\\\n\\\\u000a\\r\\n> \\n> ", "null"));
}

/* Calls of tools stay, and end an open tag; so does a finish_reason. */
static void tools_and_ends(void **state)
{
    (void)state;
#define CALL "\"tool_calls\":[{\"index\":0,\"id\":null,\"function\":{\"arguments\":\"{\\\"\"}}]"
    check(REASONING_TAGS,
          REASONS("a") FROM("\"content\":null,\"reasoning_content\":null," CALL, "null") FROM(CALL, "null")
              FROM("", "\"tool_calls\"") DONE,
          BEFORE(ROLE ",\"content\":\"<\"") BEFORE("\"content\":\"think\"") BEFORE("\"content\":\">\\n\"")
              SAID("a", "null") TO("\"content\":\"\\n</think>\\n\"," CALL, "null") TO(CALL, "null")
                  TO("", "\"tool_calls\"") DONE);
    check(REASONING_QUOTE, REASONS("a") FROM("\"content\":null,\"reasoning_content\":null," CALL, "\"tool_calls\""),
          SAID("> a", "null") TO("\"content\":null," CALL, "\"tool_calls\""));
    check(REASONING_TAGS, REASONS("a") FROM("", "\"length\""),
          BEFORE(ROLE ",\"content\":\"<\"") BEFORE("\"content\":\"think\"") BEFORE("\"content\":\">\\n\"")
              SAID("a", "null") TO("\"content\":\"\\n</think>\\n\"", "\"length\""));
    check(REASONING_TAGS, FROM("\"content\":null,\"reasoning_content\":\"a\"," ROLE, "\"length\""),
          BEFORE(ROLE ",\"content\":\"<\"") BEFORE("\"content\":\"think\"") BEFORE("\"content\":\">\\n\"")
              BEFORE("\"content\":\"a\"") TO("\"content\":\"\\n</think>\\n\"," ROLE, "\"length\""));
    check(REASONING_TAGS, REASONS("a") FROM("\"tool_calls\":[]", "null"), /* no call */
          BEFORE(ROLE ",\"content\":\"<\"") BEFORE("\"content\":\"think\"") BEFORE("\"content\":\">\\n\"")
              SAID("a", "null") TO("\"tool_calls\":[]", "null"));
}

/* A first chunk gets a role when it has none; members come and go with the right commas. */
static void members(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } rows[] = {
        {FROM("", "null"), TO(ROLE, "null")},
        {FROM("\"reasoning_content\":null", "null"), TO(ROLE, "null")},
        {FROM("\"reasoning_content\":\"a\"", "null"), TO(ROLE ",\"content\":\"> a\"", "null")},
        {FROM("\"x\":1,\"reasoning_content\":null", "null"), TO(ROLE ",\"x\":1", "null")},
        {FROM("\"reasoning_content\":null , \"x\":1", "null"), TO(ROLE ", \"x\":1", "null")},
        {FROM("\"reasoning_content\":null,\"content\":\"a\"", "null"), TO(ROLE ",\"content\":\"a\"", "null")},
        {FROM("\"x\":1,\"reasoning_content\":\"a\",\"y\":2", "null"),
         TO(ROLE ",\"x\":1,\"content\":\"> a\",\"y\":2", "null")},
        {FROM("\"content\" : null, \"x\":[{\"content\":\"c\"}] ,\"reasoning_content\" : \"a\"", "null"),
         TO(ROLE ",\"content\" : \"> a\", \"x\":[{\"content\":\"c\"}] ", "null")},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) check(REASONING_QUOTE, rows[i].from, rows[i].to);
    /* a tag that ends where the delta has no member */
    check(REASONING_TAGS, FROM("", "null") REASONS("a") FROM("\"x\":1", "\"stop\""),
          TO(ROLE, "null") BEFORE("\"content\":\"<\"") BEFORE("\"content\":\"think\"") BEFORE("\"content\":\">\\n\"")
              SAID("a", "null") TO("\"content\":\"\\n</think>\\n\",\"x\":1", "\"stop\""));
}

/* Each choice has a state of its own, whether they come in one event or in turn. */
static void choices(void **state)
{
    (void)state;
#define TWO(a, b, model)                                                                                               \
    "data: {\"choices\":[{\"index\":1,\"delta\":{" a "}},{\"delta\":{" b "},\"index\":0}],\"model\":\"" model "\"}"    \
    "\n\n"
#define ONE(n, d)                                                                                                      \
    "data: {\"choices\":[{\"index\":" n ",\"delta\":{" d "},\"finish_reason\":null}],\"model\":\"the-alias\"}\n\n"
    check(REASONING_QUOTE,
          TWO("\"reasoning_content\":\"a\"", "\"reasoning_content\":\"b\"", "m")
              TWO("\"content\":\"c\"", "\"reasoning_content\":\"d\"", "m")
                  TWO("\"content\":\"e\"", "\"content\":\"f\"", "m"),
          TWO(ROLE ",\"content\":\"> a\"", ROLE ",\"content\":\"> b\"", "the-alias") ONE("1", "\"content\":\"\\n\\n\"")
              TWO("\"content\":\"c\"", "\"content\":\"d\"", "the-alias") ONE("0", "\"content\":\"\\n\\n\"")
                  TWO("\"content\":\"e\"", "\"content\":\"f\"", "the-alias"));
}

/* Nothing but what must change changes. */
static void the_rest_stays(void **state)
{
    (void)state;
    static const char *const same[] = {
        "",
        DONE,
        ": waiting\n\n",
        ": c\r\n\r\n",
        "data: {\"error\":{\"message\":\"m\"},\"model\":\"x\"}\n\n",
        "data: {\"code\":50505,\"message\":\"busy\",\"data\":null}\n\n",
        "data: {not json\n\n",
        "event: x\ndata: 1\n\n",
        "data: {\"choices\":null}\n\n",
        "data: [DONE]\r\r",
        "id: 7\nretry: 5\n\n",
        "data\n\n",
        "data: {\"choices\":[1,[],{},{\"delta\":5},{\"index\":\"0\",\"delta\":{}},{\"index\":999,\"delta\":{}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\",\"content\":\"b\",\"reasoning_content\":\"c\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":[1],\"reasoning_content\":\"c\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"c\",\"reasoning_content\":{}}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\\ud83d \xFF "
        "\\u0000\"}}],\"x\":12345678901234567890.10e+07}\n\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        check(REASONING_TAGS, same[i], same[i]);
        check(REASONING_QUOTE, same[i], same[i]);
    }
    check(REASONING_TAGS, "data: {\"model\":\"m\",\"choices\":[],\"usage\":" USAGE "}\n\n",
          "data: {\"model\":\"the-alias\",\"choices\":[],\"usage\":" USAGE "}\n\n");
    check(REASONING_TAGS, "\xEF\xBB\xBF: c\nid: 7\ndata: {\"model\":\"m\",\ndata: \"choices\":[]}\n: d\n\n" DONE,
          ": c\nid: 7\n: d\ndata: {\"model\":\"the-alias\",\ndata: \"choices\":[]}\n\n" DONE);
    check(REASONING_TAGS, "data: {\"choices\":[]}\r\n\r\ndata: [DONE]\r\n\r\n",
          "data: {\"choices\":[]}\n\ndata: [DONE]\r\n\r\n");
}

/* What ends without a blank line comes out when the stream ends well, and not before. */
static void the_end_of_a_stream(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(4096);
    struct filter *f = filter_reasoning(REASONING_TAGS, "the-alias");
    f->ops->stream(f, STR("data: [DONE]\n"), &out);
    assert_int_equal(out.len, 0);
    f->ops->stream_end(f, &out);
    assert_string_equal(buf_cstr(&out), DONE);
    f->ops->free(f);
    buf_free(&out);
}

/* An event beyond the bound passes as it is, in the parts it came in; what follows is rewritten again. */
static void too_large_an_event(void **state)
{
    (void)state;
    static const size_t sizes[] = {(1 << 20) - 100, (1 << 20) + 1000, 3 << 20};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct buf in = BUF_INIT(16 << 20), out = BUF_INIT(16 << 20);
        buf_puts(&in, SAYS("a", "null") "data: {\"model\":\"m\",\"choices\":[],\"x\":\"");
        while (in.len < sizes[i]) buf_puts(&in, "\xE4\xBD\xA0");
        buf_puts(&in, "\"}\n\n" SAYS("b", "\"stop\"") DONE);
        for (size_t step = 1000; step < 5u << 20; step *= 60) {
            buf_reset(&out);
            run(REASONING_TAGS, buf_str(&in), step, &out);
            assert_false(out.failed);
            bool whole = i > 0; /* unchanged, with one blank line more */
            assert_int_equal(out.len - in.len, 2 * (strlen("the-alias") - strlen("deepseek-ai/DeepSeek-R1")) -
                                                   2 * strlen(",\"reasoning_content\":null") +
                                                   (whole ? 1 : strlen("the-alias") - 1));
            assert_true(str_ends(buf_str(&out), SAID("b", "\"stop\"") DONE));
        }
        buf_free(&in);
        buf_free(&out);
    }
}

#define BODY(model, message, finish)                                                                                   \
    "{\"id\":\"019b\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"" model                                 \
    "\",\"choices\":[{\"index\":0,\"message\":{" message "},\"finish_reason\":" finish                                 \
    "}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":6,\"total_tokens\":11},\"x\":12345678901234567890}"

static void whole_answers(void **state)
{
    (void)state;
#define HAS(r, c) BODY("m", ROLE ",\"content\":" c ",\"reasoning_content\":" r, "\"length\"")
#define GETS(c)   BODY("the-alias", ROLE ",\"content\":" c, "\"length\"")
    check_whole(REASONING_TAGS, HAS("\"l1\\nl2\"", "\"\xE7\xAD\x94\""),
                GETS("\"<think>\\nl1\\nl2\\n</think>\\n\xE7\xAD\x94\""));
    check_whole(REASONING_QUOTE, HAS("\"l1\\nl2\"", "\"\xE7\xAD\x94\""), GETS("\"> l1\\n> l2\\n\\n\xE7\xAD\x94\""));
    check_whole(REASONING_QUOTE, HAS("\"a\"", "\"\""), GETS("\"> a\\n\\n\""));
    check_whole(REASONING_TAGS, HAS("\"a\"", "null"), GETS("\"<think>\\na\\n</think>\\n\""));
    check_whole(REASONING_QUOTE, HAS("\"a\"", "null"), GETS("\"> a\""));
    check_whole(REASONING_TAGS, HAS("null", "null"), GETS("null"));
    check_whole(REASONING_TAGS, HAS("\"\"", "\"b\""), GETS("\"b\""));
    check_whole(REASONING_TAGS, HAS("5", "\"b\""),
                BODY("the-alias", ROLE ",\"content\":\"b\",\"reasoning_content\":5", "\"length\""));
    check_whole(REASONING_TAGS, BODY("m", "\"content\":\"b\"", "null"), BODY("the-alias", "\"content\":\"b\"", "null"));
    check_whole(REASONING_TAGS, BODY("m", "\"reasoning_content\":\"a\"," CALL, "null"),
                BODY("the-alias", "\"content\":\"<think>\\na\\n</think>\\n\"," CALL, "null"));
    check_whole(REASONING_QUOTE,
                " {\"choices\":[{\"message\":{\"content\":\"b\",\"reasoning_content\":\"a\"}},"
                "{\"message\":{\"reasoning_content\":\"c\",\"content\":\"d\"},\"index\":1}]}\n",
                " {\"choices\":[{\"message\":{\"content\":\"> a\\n\\nb\"}},"
                "{\"message\":{\"content\":\"> c\\n\\nd\"},\"index\":1}]}\n");
    static const char *const same[] = {
        "",      "{", "[]", "null", "\"x\"", "{\"choices\":[]} x", "{\"choices\":5}", "{\"model\":\"m\",\"data\":[]}",
        "<html>"};
    for (size_t i = 0; i < ARRAY_LEN(same); i++) check_whole(REASONING_TAGS, same[i], same[i]);
}

/* A name that JSON must escape. */
static void alias_is_escaped(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(4096);
    struct filter *f = filter_reasoning(REASONING_TAGS, "a\"\\\xE4\xBD\xA0");
    f->ops->whole(f, STR("{\"model\":\"m\",\"choices\":[]}"), &out);
    assert_string_equal(buf_cstr(&out), "{\"model\":\"a\\\"\\\\\xE4\xBD\xA0\",\"choices\":[]}");
    f->ops->free(f);
    buf_free(&out);
}

/* An output that has no room left says so. */
static void no_room(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(300);
    run(REASONING_TAGS, STR(RECORDED), 100, &out);
    assert_true(out.failed);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_tags),
        cmocka_unit_test(recorded_quote),
        cmocka_unit_test(both_members),
        cmocka_unit_test(reasoning_that_comes_again),
        cmocka_unit_test(newlines),
        cmocka_unit_test(tools_and_ends),
        cmocka_unit_test(members),
        cmocka_unit_test(choices),
        cmocka_unit_test(the_rest_stays),
        cmocka_unit_test(the_end_of_a_stream),
        cmocka_unit_test(too_large_an_event),
        cmocka_unit_test(whole_answers),
        cmocka_unit_test(alias_is_escaped),
        cmocka_unit_test(no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
