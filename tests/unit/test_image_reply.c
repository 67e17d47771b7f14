/* Base64, answers in pieces, reading the platform's answers and writing replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/mem.h"
#include "proxy/image_reply.h"

static struct memory_budget budget = {.limit = 1 << 30};

static struct body *picture(const char *bytes)
{
    struct body *b = body_new(&budget, 1 << 20);
    buf_puts(&b->bytes, bytes);
    return b;
}

static void base64(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};
    char out[16];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) { /* RFC 4648, 10 */
        size_t n = strlen(rows[i][0]);
        assert_int_equal(base64_length(n), strlen(rows[i][1]));
        base64_encode(rows[i][0], n, out);
        assert_memory_equal(out, rows[i][1], base64_length(n));
    }
    base64_encode("\xff\xfe\xfb\x00\x10\x83", 6, out);
    assert_memory_equal(out, "//77ABCD", 8);
}

/* Everything, in pieces of `max`. */
static char *pour(struct flow *f, size_t max)
{
    struct buf all = BUF_INIT(1 << 20), piece = BUF_INIT(1 << 20);
    f->at_picture = f->at_text = f->at_byte = 0;
    while (flow_next(f, &piece, max)) {
        assert_true(piece.len <= MAX(max, (size_t)4));
        buf_add_str(&all, buf_str(&piece));
        buf_reset(&piece);
    }
    buf_free(&piece);
    assert_int_equal(all.len, flow_length(f));
    return buf_take(&all);
}

static void pieces(void **state)
{
    (void)state;
    struct flow f;
    struct body *a = picture("foobar"), *b = picture("f");
    flow_init(&f, 65536);
    buf_puts(&f.text, "<");
    flow_picture(&f, a, 0, 3);
    flow_picture(&f, a, 3, 6);
    buf_puts(&f.text, "|long text between|");
    flow_picture(&f, b, 0, 1);
    flow_picture(&f, b, 1, 1); /* nothing of it */
    buf_puts(&f.text, ">");
    for (size_t max = 1; max < 50; max++) {
        char *all = pour(&f, max);
        assert_string_equal(all, "<Zm9vYmFy|long text between|Zg==>");
        free(all);
    }
    flow_free(&f);
    body_put(a);
    body_put(b);
    assert_int_equal(atomic_load(&budget.used), 0);
}

static void reading(void **state)
{
    (void)state;
    struct image_answer a;
    struct buf url = BUF_INIT(1000);
    assert_true(image_answer_read(
        STR("{\"images\":[{\"url\":\"https:\\/\\/h\\/a\"},{\"x\":1},{\"url\":\"b\"}],\"data\":7}"), &a));
    assert_int_equal(a.count, 2);
    assert_true(a.has_images && !a.has_data && !a.has_created);
    assert_true(image_answer_url(&a, 0, &url));
    assert_string_equal(buf_cstr(&url), "https://h/a");
    assert_true(image_answer_read(STR("{\"data\":[{\"url\":\"\\ud800\"}],\"images\":null,\"created\":1}"), &a));
    assert_true(!a.has_images && a.has_data && a.has_created);
    assert_false(image_answer_url(&a, 0, &url));
    static const char *const none[] = {"",
                                       "{}",
                                       "[]",
                                       "{\"images\":{}}",
                                       "{\"images\":[{\"url\":\"\"}]}",
                                       "{\"data\":[1]",
                                       "{\"images\":[{\"url\":7}]}",
                                       "null",
                                       "{\"data\":[{\"url\":\"a\"}]} x"};
    for (size_t i = 0; i < ARRAY_LEN(none); i++) assert_false(image_answer_read(str_of(none[i]), &a));
    buf_free(&url);
}

static void check(const struct image_result *r, size_t n, const char *expected)
{
    struct flow f;
    flow_init(&f, 65536);
    image_reply(&f, r, n, 5);
    char *all = pour(&f, 7);
    assert_string_equal(all, expected);
    free(all);
    flow_free(&f);
}

static void replies(void **state)
{
    (void)state;
    static const char complete[] = "{ \"images\":[{\"url\":\"a\"}],\"data\":[{\"url\":\"a\"}],\"created\":9}";
    struct image_answer a, b;
    struct body *p = picture("foo");
    assert_true(image_answer_read(STR(complete), &a));
    check((struct image_result[]){{&a, 0, NULL, ""}}, 1, complete);
    assert_true(image_answer_read(
        STR("{\"seed\":1,\"images\":[{\"url\":\"b\",\"k\":2}],\"timings\":{\"inference\":1.2}}"), &b));
    check((struct image_result[]){{&b, 0, NULL, ""}}, 1,
          "{\"created\":5,\"data\":[{\"url\":\"b\"}],\"images\":[{\"url\":\"b\",\"k\":2}],\"seed\":1,\"timings\":{"
          "\"inference\":1.2}}");
    check((struct image_result[]){{&a, 0, NULL, ""}, {&b, 0, NULL, ""}}, 2,
          "{\"created\":5,\"data\":[{\"url\":\"a\"},{\"url\":\"b\"}],\"images\":[{\"url\":\"a\"},{\"url\":\"b\",\"k\":"
          "2}]}");
    check((struct image_result[]){{&a, 0, p, "image/png"}}, 1,
          "{\"created\":5,\"data\":[{\"b64_json\":\"Zm9v\"}],\"images\":[{\"url\":\"a\"}]}");
    body_put(p);
}

static void check_chat(const struct image_result *r, bool stream, bool usage, const char *expected)
{
    struct flow f;
    struct image_chat c = {"id\"1", "m", 5, stream, usage};
    flow_init(&f, 1 << 20);
    image_chat_reply(&f, r, &c);
    char *all = pour(&f, 1000);
    assert_string_equal(all, expected);
    free(all);
    flow_free(&f);
}

static void chats(void **state)
{
    (void)state;
    struct image_answer a;
    struct body *p = picture("foo");
    assert_true(image_answer_read(STR("{\"images\":[{\"url\":\"h\\/a\"}]}"), &a));
    check_chat(
        &(struct image_result){&a, 0, NULL, ""}, false, true,
        "{\"id\":\"id\\\"1\",\"object\":\"chat.completion\",\"created\":5,\"model\":\"m\",\"choices\":[{\"index\":0,"
        "\"message\":{\"role\":\"assistant\",\"content\":\"![image](h\\/a)\"},\"finish_reason\":\"stop\"}],"
        "\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0,\"total_tokens\":0}}");
#define HEAD                                                                                                           \
    "data: {\"id\":\"id\\\"1\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":\"m\",\"choices\":["
    check_chat(&(struct image_result){&a, 0, p, "image/png"}, true, false,
               HEAD
               "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"![image](data:image/png;base64,Zm9v)\"},"
               "\"finish_reason\":null}]}\n\n" HEAD
               "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
    body_put(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64),  cmocka_unit_test(pieces), cmocka_unit_test(reading),
        cmocka_unit_test(replies), cmocka_unit_test(chats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
