/* Keys in pasted text, and the strict entries of [keys]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf/keys.h"

#define A "sk-aaaaaaaaaaaaaaaa"
#define B "sk-bbbbbbbbbbbbbbbb"
#define C "sk-cccccccccccccccc"

/* Parses and compares with a trace: "secret/label/account/balance-in-micro " per key, then "ignored". */
static void check(const char *text, bool any, const char *expected)
{
    struct key_conf *keys = NULL;
    size_t count = 0, ignored = keys_parse(str_of(text), any, "paste", &keys, &count);
    struct buf trace = BUF_INIT(10000);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&trace, "%s/%s/%s/", keys[i].secret, keys[i].label, keys[i].account);
        if (keys[i].has_balance) buf_printf(&trace, "%lld", (long long)keys[i].balance_micro);
        buf_putc(&trace, ' ');
        assert_string_equal(keys[i].origin, "paste");
    }
    buf_printf(&trace, "%zu", ignored);
    assert_string_equal(buf_cstr(&trace), expected);
    keys_free(keys, count);
    buf_free(&trace);
}

static void lists(void **state)
{
    (void)state;
    check("", false, "0");
    check(A, false, A "/// 0");
    check(A "\n" B "\r\n\n" C "\n", false, A "/// " B "/// " C "/// 0");
    check(A "," B ";" C, false, A "/// " B "/// " C "/// 0");
    check("  " A " ,, " B "\t" C " ", false, A "/// " B "/// " C "/// 0");
    check("[\"" A "\", '" B "', `" C "`]", false, A "/// " B "/// " C "/// 0");
    check(A "\xEF\xBC\x8C" B "\xE3\x80\x81" C, false, A "/// " B "/// " C "/// 0");
    check("\xEF\xBB\xBF" A, false, A "/// 0");
    check("# " A "\n" B " # " C, false, B "/// 0");
}

static void shell_lines(void **state)
{
    (void)state;
    check("KEYS=" A "," B, false, A "/// " B "/// 0");
    check("export SILICONFLOW_API_KEY=\"" A "\"", false, A "/// 0");
    check("export KEYS='" A "," B "'", false, A "/// " B "/// 0");
    check("Authorization: Bearer " A, false, A "/// 0");
    check("Bearer " A, false, A "/// 0");
}

static void labels(void **state)
{
    (void)state;
    check("main = " A, false, A "/main// 0");
    check("main=" A, false, A "/main// 0");
    check("my first key = " A " account=X balance=14.5", false, A "/my first key/X/14500000 0");
    check("main," A, false, A "/main// 0");
    check("\"main\";\"" A "\"", false, A "/main// 0");
    check("main: " A, false, A "/main// 0");
    check("\xE4\xB8\xBB\xE5\x8F\xB7 " A, false, A "/\xE4\xB8\xBB\xE5\x8F\xB7// 0");
    check("main = " A "," B, false, A "/// " B "/// 0"); /* one label for two keys is none */
    check("a\033[31mb = " A, false, A "/a?[31mb// 0");
}

static void attributes(void **state)
{
    (void)state;
    check(A " account=X balance=0.01", false, A "//X/10000 0");
    check(A " account = X balance = -2", false, A "//X/-2000000 0");
    check("account=X " A, false, A "//X/ 0");
    check(A " balance=1 " B " balance=2", false, A "///1000000 " B "///2000000 0");
    check(A " balance=lots", false, A "/// 1");
    check("balance=5", false, "1");
}

static void csv_with_a_header(void **state)
{
    (void)state;
    check("name,key\none," A "\ntwo," B "\n", false, A "/one// " B "/two// 0");
}

static void other_keys(void **state)
{
    (void)state;
    check("abcdefgh12345678", false, "1");
    check("abcdefgh12345678", true, "abcdefgh12345678/// 0");
    check("main = abcdefgh12345678", true, "abcdefgh12345678/main// 0");
    check("short," A, true, A "/short// 0");
    check("longer-than-eight " A, true, A "/longer-than-eight// 0"); /* beside an sk- key only a label */
    check("https://example.com/path", true, "1");
    check("====================\n--------------------", true, "1");
    check("sk-abc", true, "1"); /* too short: never a key of another kind */
    check("hello world\n" A " trailing words", false, A "/// 4");
}

static void length_limits(void **state)
{
    (void)state;
    char text[520];
    memset(text, 'k', sizeof text);
    assert_false(key_is_valid((struct str){text, 7}));
    assert_true(key_is_valid((struct str){text, 8}));
    assert_true(key_is_valid((struct str){text, 512}));
    assert_false(key_is_valid((struct str){text, 513}));
    text[3] = ' ';
    assert_false(key_is_valid((struct str){text, 20}));
    text[3] = '\x80';
    assert_false(key_is_valid((struct str){text, 20}));
    text[3] = ',';
    assert_false(key_is_valid((struct str){text, 20}));
}

static void strict_entries(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "sk-abc", A " " B, A " acount=X", A " balance=", A " balance=x", A " account=", A "," B, "account=X",
    };
    struct key_conf key;
    assert_null(key_entry_parse(STR("main"), STR(A "\taccount=X  balance=14.00"), "f:1", &key));
    assert_string_equal(key.secret, A);
    assert_string_equal(key.label, "main");
    assert_string_equal(key.account, "X");
    assert_string_equal(key.origin, "f:1");
    assert_true(key.has_balance && key.balance_micro == 14000000);
    key_clear(&key);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const char *wrong = key_entry_parse(STR("main"), str_of(bad[i]), "f:1", &key);
        assert_non_null(wrong);
        assert_null(strstr(wrong, "sk-a"));
        assert_null(key.secret);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),         cmocka_unit_test(shell_lines),       cmocka_unit_test(labels),
        cmocka_unit_test(attributes),    cmocka_unit_test(csv_with_a_header), cmocka_unit_test(other_keys),
        cmocka_unit_test(length_limits), cmocka_unit_test(strict_entries),
    };
    return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
