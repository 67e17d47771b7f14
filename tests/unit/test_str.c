/* Slices, strict numbers, masking, cleaning. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/str.h"

static struct str s(const char *text)
{
    return str_of(text);
}

static void slices(void **state)
{
    (void)state;
    assert_true(str_eq(str_of(NULL), STR("")));
    assert_true(str_ieq(STR("AbC-9"), STR("aBc-9")));
    assert_false(str_ieq(STR("a"), STR("ab")));
    assert_true(str_starts(STR("sk-x"), "sk-"));
    assert_false(str_starts(STR("s"), "sk-"));
    assert_true(str_starts((struct str){NULL, 0}, ""));
    assert_true(str_ends(STR("a/v1"), "/v1"));
    assert_true(str_icontains(STR("xxTooBusyxx"), "toobusy"));
    assert_false(str_icontains(STR("too bus"), "too busy"));
    assert_true(str_is(str_trim(STR(" \t a b\r\n")), "a b"));
    assert_int_equal(str_trim(STR(" \n ")).n, 0);
}

static void split_keeps_empty_parts(void **state)
{
    (void)state;
    static const char *const expected[] = {"a", "", "b", ""};
    struct str rest = STR("a,,b,"), part;
    size_t n = 0;
    while (str_split(&rest, ',', &part)) assert_true(str_is(part, expected[n++]));
    assert_int_equal(n, 4);
    assert_false(str_split(&rest, ',', &part));
}

static void copy_tells_when_it_cut(void **state)
{
    (void)state;
    char out[4];
    assert_true(str_copy(out, sizeof out, STR("abc")));
    assert_false(str_copy(out, sizeof out, STR("abcd")));
    assert_string_equal(out, "abc");
}

static void whole_numbers(void **state)
{
    (void)state;
    uint64_t v;
    assert_true(str_u64(s("18446744073709551615"), &v) && v == UINT64_MAX);
    static const char *const bad[] = {"", " 1", "1 ", "+1", "-1", "0x1", "1.0", "18446744073709551616", "1e3"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_false(str_u64(s(bad[i]), &v));
    assert_true(str_size(s("64K"), &v) && v == 65536);
    assert_true(str_size(s("32m"), &v) && v == 32u << 20);
    assert_true(str_size(s("4G"), &v) && v == 4ull << 30);
    assert_true(str_size(s("17179869183G"), &v));
    static const char *const bad_sizes[] = {"", "K", "1KB", "1.5M", "17179869184G", "-1K"};
    for (size_t i = 0; i < ARRAY_LEN(bad_sizes); i++) assert_false(str_size(s(bad_sizes[i]), &v));
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"500ms", 500}, {"30s", 30000}, {"20m", 1200000}, {"1h", 3600000}, {"7d", 604800000}, {"0", 0}};
    static const char *const bad[] = {"", "s", "30", "1w", "1.5s", "-1s", "1 s", "106751991168d"};
    int64_t ms;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(str_duration_ms(s(good[i].text), &ms));
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_false(str_duration_ms(s(bad[i]), &ms));
}

static void millionths(void **state)
{
    (void)state;
    int64_t v;
    assert_true(str_micro(s("14"), &v) && v == 14000000);
    assert_true(str_micro(s("14.5"), &v) && v == 14500000);
    assert_true(str_micro(s("-0.01"), &v) && v == -10000);
    assert_true(str_micro(s("0.000001"), &v) && v == 1);
    static const char *const bad[] = {"", "-", ".", "1.", ".5", "1.0000001", "1,5", "1.2.3", "99999999999999", "1.-5"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_false(str_micro(s(bad[i]), &v));
}

static void masks_hide_sixteen_characters(void **state)
{
    (void)state;
    char out[32];
    key_mask("sk-abcdefghijklmnopqrstuvwx", out, sizeof out); /* 7 + 16 + 4 */
    assert_string_equal(out, "sk-abcd..uvwx");
    key_mask("sk-abcdefghijklmnopqrstuvw", out, sizeof out);
    assert_string_equal(out, "****************");
    key_mask("short", out, sizeof out);
    assert_string_equal(out, "*****");
    key_mask("sk-abcdefghijklmnopqrstuvw", out, 4);
    assert_string_equal(out, "***");
}

static void cleaning(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"plain", "plain"},
        {"a\033[31mb\nc\177", "a?[31mb?c?"},
        {"\xE4\xB8\xAD", "\xE4\xB8\xAD"},
        {"\xE4\xB8", "??"},
        {"\xC0\xAF", "??"},           /* overlong */
        {"\xED\xA0\x80", "???"},      /* surrogate */
        {"\xF4\x90\x80\x80", "????"}, /* above U+10FFFF */
        {"\xC2\x9B"
         "31m",
         "?31m"}, /* C1 CSI */
        {"a\xE2\x80\xAE"
         "b",
         "a?b"}, /* right-to-left override */
        {"\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
    };
    char out[64];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(text_clean(s(rows[i].in), out, sizeof out), strlen(rows[i].out));
        assert_string_equal(out, rows[i].out);
    }
    assert_int_equal(text_clean(s("ab\xE4\xB8\xAD"), out, 5), 2); /* never cut inside a character */
    assert_string_equal(out, "ab");
}

static void tokens_and_hex(void **state)
{
    (void)state;
    char long_token[130], out[9];
    memset(long_token, 'a', sizeof long_token);
    assert_true(token_is_safe(s("req_1-2.3:4/5@6")));
    assert_true(token_is_safe((struct str){long_token, 128}));
    assert_false(token_is_safe((struct str){long_token, 129}));
    assert_false(token_is_safe(s("")));
    assert_false(token_is_safe(s("a b")));
    hex_encode((const uint8_t *)"\x00\xff\x1a\xb2", 4, out);
    assert_string_equal(out, "00ff1ab2");
    assert_true(str_hash(STR("a")) != str_hash(STR("b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices),
        cmocka_unit_test(split_keeps_empty_parts),
        cmocka_unit_test(copy_tells_when_it_cut),
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(durations),
        cmocka_unit_test(millionths),
        cmocka_unit_test(masks_hide_sixteen_characters),
        cmocka_unit_test(cleaning),
        cmocka_unit_test(tokens_and_hex),
    };
    return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
