/* The JSON writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/json.h"

static void check_quote(struct str in, const char *expected)
{
    struct buf b = BUF_INIT(1000);
    json_quote(&b, in);
    assert_string_equal(buf_cstr(&b), expected);
    buf_free(&b);
}

static void quotes(void **state)
{
    (void)state;
    check_quote(STR(""), "\"\"");
    check_quote(STR("a\"b\\c/\n\t\r\b\f"), "\"a\\\"b\\\\c/\\n\\t\\r\\b\\f\"");
    check_quote(STR("\x01\x7f\0"), "\"\\u0001\\u007f\\u0000\"");
    check_quote(STR("</script>"), "\"\\u003c/script>\"");
    check_quote(STR("\xE4\xB8\xAD\xF0\x9F\x98\x80"), "\"\xE4\xB8\xAD\xF0\x9F\x98\x80\"");
}

/* Whatever comes in, valid UTF-8 goes out. */
static void broken_bytes_become_question_marks(void **state)
{
    (void)state;
    check_quote(STR("\xC3("), "\"?(\"");
    check_quote(STR("\xC3\xC3"), "\"??\"");
    check_quote(STR("\xE4\xB8"), "\"??\"");
    check_quote(STR("\xE4("), "\"?(\"");
    check_quote(STR("\xE4()x"), "\"?()x\"");
    check_quote(STR("\xFF\x80"), "\"??\"");
    check_quote(STR("\xED\xA0\x80"), "\"???\"");
}

static void every_pair_of_bytes_is_clean_afterwards(void **state)
{
    (void)state;
    char clean[64];
    for (unsigned i = 0; i < 65536; i++) {
        char in[3] = {(char)(i >> 8), (char)(i & 255), 'x'};
        struct buf b = BUF_INIT(100);
        json_quote(&b, (struct str){in, 3});
        text_clean(buf_str(&b), clean, sizeof clean);
        assert_string_equal(clean, buf_cstr(&b));
        buf_free(&b);
    }
}

static void commas_and_nesting(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(1000);
    struct json j;
    json_init(&j, &b);
    json_object(&j);
    json_put_str(&j, "a", "x");
    json_put_str(&j, "none", NULL);
    json_put_int(&j, "n", -5);
    json_put_bool(&j, "t", true);
    json_name(&j, "list");
    json_array(&j);
    json_int(&j, INT64_MIN);
    json_object(&j);
    json_object_end(&j);
    json_array(&j);
    json_array_end(&j);
    json_null(&j);
    json_array_end(&j);
    json_put_int(&j, "last", 1);
    json_object_end(&j);
    assert_string_equal(buf_cstr(&b), "{\"a\":\"x\",\"none\":null,\"n\":-5,\"t\":true,"
                                      "\"list\":[-9223372036854775808,{},[],null],\"last\":1}");
    buf_free(&b);
}

static void decimals(void **state)
{
    (void)state;
    static const struct {
        int64_t micro;
        const char *text;
    } rows[] = {{14500000, "14.5"},
                {0, "0"},
                {-10000, "-0.01"},
                {1, "0.000001"},
                {14000000, "14"},
                {100000000, "100"},
                {INT64_MIN, "-9223372036854.775808"}};
    struct buf b = BUF_INIT(100);
    struct json j;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_reset(&b);
        json_init(&j, &b);
        json_micro(&j, rows[i].micro);
        assert_string_equal(buf_cstr(&b), rows[i].text);
    }
    buf_reset(&b);
    json_init(&j, &b);
    json_array(&j);
    json_tenths(&j, 123);
    json_tenths(&j, -5);
    json_array_end(&j);
    assert_string_equal(buf_cstr(&b), "[12.3,-0.5]");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes),
        cmocka_unit_test(broken_bytes_become_question_marks),
        cmocka_unit_test(every_pair_of_bytes_is_clean_afterwards),
        cmocka_unit_test(commas_and_nesting),
        cmocka_unit_test(decimals),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
