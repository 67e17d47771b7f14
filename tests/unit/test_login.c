/* Sessions, login failures, and what is believed of a browser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "admin/browser.h"
#include "admin/login.h"

#define TOKEN STR("correct horse battery staple")

static mono_t at(int64_t ms)
{
    return (mono_t){1000000 + ms};
}

static enum login_result attempt(struct login *l, const char *token, const char *peer, bool owner, int64_t ms, char *id)
{
    int64_t wait;
    char own[SESSION_ID_LEN + 1];
    struct login_try t = {str_of(token), TOKEN, peer, owner, 10, at(ms)};
    enum login_result r = login_open(l, &t, id ? id : own, &wait);
    assert_true(wait >= 0 && wait <= FAILURE_SPAN_MS);
    if (r == LOGIN_BLOCKED) assert_true(wait > 0);
    return r;
}

static enum login_result right(struct login *l, const char *peer, bool owner, int64_t ms, char *id)
{
    return attempt(l, TOKEN.p, peer, owner, ms, id);
}

static void test_session_lives_until_logout(void **state)
{
    (void)state;
    struct login *l = login_new();
    char a[SESSION_ID_LEN + 1], b[SESSION_ID_LEN + 1];
    assert_int_equal(right(l, "10.0.0.1", false, 0, a), LOGIN_OK);
    assert_int_equal(right(l, "10.0.0.1", false, 0, b), LOGIN_OK);
    assert_int_equal(strlen(a), SESSION_ID_LEN);
    assert_string_not_equal(a, b);
    assert_true(login_check(l, str_of(a), TOKEN, at(5)));
    login_close(l, str_of(a));
    assert_false(login_check(l, str_of(a), TOKEN, at(6)));
    assert_true(login_check(l, str_of(b), TOKEN, at(6)));
    login_close(l, STR("no such session"));
    login_free(l);
}

static void test_foreign_sessions_are_refused(void **state)
{
    (void)state;
    struct login *l = login_new();
    char id[SESSION_ID_LEN + 1];
    assert_int_equal(right(l, "10.0.0.1", false, 0, id), LOGIN_OK);
    assert_false(login_check(l, STR(""), TOKEN, at(1)));
    assert_false(login_check(l, (struct str){id, SESSION_ID_LEN - 1}, TOKEN, at(1)));
    char other[SESSION_ID_LEN + 1];
    memset(other, '0', SESSION_ID_LEN);
    other[SESSION_ID_LEN] = '\0';
    assert_false(login_check(l, str_of(other), TOKEN, at(1)));
    assert_true(login_check(l, str_of(id), TOKEN, at(1)));
    assert_false(login_check(l, str_of(id), STR("a new token"), at(2))); /* the token was changed */
    assert_false(login_check(l, str_of(id), TOKEN, at(3)));              /* and the session is gone for good */
    login_free(l);
}

static void test_sessions_end_by_themselves(void **state)
{
    (void)state;
    struct login *l = login_new();
    char idle[SESSION_ID_LEN + 1], used[SESSION_ID_LEN + 1];
    assert_int_equal(right(l, "10.0.0.1", false, 0, idle), LOGIN_OK);
    assert_int_equal(right(l, "10.0.0.1", false, 0, used), LOGIN_OK);
    for (int64_t t = SESSION_IDLE_MS / 2; t < SESSION_LIFE_MS; t += SESSION_IDLE_MS / 2)
        assert_true(login_check(l, str_of(used), TOKEN, at(t)));
    assert_false(login_check(l, str_of(idle), TOKEN, at(SESSION_IDLE_MS)));
    assert_false(login_check(l, str_of(used), TOKEN, at(SESSION_LIFE_MS)));
    login_free(l);
}

static void test_sessions_are_bounded(void **state)
{
    (void)state;
    struct login *l = login_new();
    char first[SESSION_ID_LEN + 1], second[SESSION_ID_LEN + 1], last[SESSION_ID_LEN + 1];
    assert_int_equal(right(l, "10.0.0.1", false, 0, first), LOGIN_OK);
    assert_int_equal(right(l, "10.0.0.1", false, 1, second), LOGIN_OK);
    for (int i = 2; i < SESSIONS_MAX; i++) assert_int_equal(right(l, "10.0.0.1", false, i, last), LOGIN_OK);
    assert_true(login_check(l, str_of(first), TOKEN, at(100)));
    assert_int_equal(right(l, "10.0.0.1", false, 101, last), LOGIN_OK);
    assert_true(login_check(l, str_of(first), TOKEN, at(102)));
    assert_false(login_check(l, str_of(second), TOKEN, at(102))); /* the one not used for longest made room */
    assert_true(login_check(l, str_of(last), TOKEN, at(102)));
    login_free(l);
}

static void test_wrong_tokens_block_the_address(void **state)
{
    (void)state;
    struct login *l = login_new();
    for (int i = 0; i < 10; i++) assert_int_equal(attempt(l, "wrong", "10.0.0.1", false, i, NULL), LOGIN_WRONG);
    assert_int_equal(attempt(l, "wrong", "10.0.0.1", false, 10, NULL), LOGIN_BLOCKED);
    assert_int_equal(right(l, "10.0.0.1", false, 11, NULL), LOGIN_BLOCKED);
    assert_int_equal(right(l, "10.0.0.2", false, 11, NULL), LOGIN_OK);
    /* What came while blocked does not lengthen the block. */
    assert_int_equal(attempt(l, "wrong", "10.0.0.1", false, FAILURE_SPAN_MS - 1, NULL), LOGIN_BLOCKED);
    assert_int_equal(right(l, "10.0.0.1", false, FAILURE_SPAN_MS, NULL), LOGIN_OK);
    login_free(l);
}

static void test_owner_is_never_locked_out(void **state)
{
    (void)state;
    struct login *l = login_new();
    for (int i = 0; i < 10000; i++) attempt(l, "wrong", "127.0.0.1", true, i * 5, NULL);
    assert_int_equal(attempt(l, "wrong", "127.0.0.1", true, 50000, NULL), LOGIN_BLOCKED);
    assert_int_equal(right(l, "127.0.0.1", true, 50001, NULL), LOGIN_OK);
    login_free(l);
}

static void test_failure_table_is_bounded(void **state)
{
    (void)state;
    struct login *l = login_new();
    char peer[32];
    for (int i = 0; i < 10; i++) attempt(l, "wrong", "192.0.2.1", false, 0, NULL);
    assert_int_equal(right(l, "192.0.2.1", false, 1, NULL), LOGIN_BLOCKED);
    for (int i = 0; i < FAILURES_MAX - 1; i++) {
        snprintf(peer, sizeof peer, "10.0.%d.%d", i / 250, i % 250);
        assert_int_equal(attempt(l, "wrong", peer, false, 2 + i, NULL), LOGIN_WRONG);
    }
    assert_int_equal(right(l, "192.0.2.1", false, 500, NULL), LOGIN_BLOCKED);
    attempt(l, "wrong", "10.9.9.9", false, 501, NULL); /* one too many: the oldest is forgotten */
    assert_int_equal(right(l, "192.0.2.1", false, 502, NULL), LOGIN_OK);
    login_free(l);
}

static void test_ipv6_counts_by_network(void **state)
{
    (void)state;
    struct login *l = login_new();
    char peer[64];
    for (int i = 0; i < 10; i++) {
        snprintf(peer, sizeof peer, "2001:db8:1:2::%x", i + 1);
        assert_int_equal(attempt(l, "wrong", peer, false, i, NULL), LOGIN_WRONG);
    }
    assert_int_equal(right(l, "2001:db8:1:2:ffff::1", false, 20, NULL), LOGIN_BLOCKED);
    assert_int_equal(right(l, "2001:db8:1:3::1", false, 20, NULL), LOGIN_OK);
    login_free(l);
}

static void test_wrong_cookies_count_too(void **state)
{
    (void)state;
    struct login *l = login_new();
    for (int i = 0; i < 10; i++) login_failed(l, "10.0.0.1", at(i));
    assert_int_equal(right(l, "10.0.0.1", false, 20, NULL), LOGIN_BLOCKED);
    login_free(l);
}

static void test_no_token_no_login(void **state)
{
    (void)state;
    struct login *l = login_new();
    char id[SESSION_ID_LEN + 1];
    int64_t wait;
    struct login_try t = {STR(""), STR(""), "127.0.0.1", true, 10, at(0)};
    assert_int_equal(login_open(l, &t, id, &wait), LOGIN_WRONG);
    login_free(l);
}

static void test_hosts(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool ours;
    } rows[] = {
        {"localhost", true},
        {"LocalHost:7860", true},
        {"127.0.0.1", true},
        {"127.0.0.1:7860", true},
        {"192.168.1.5:80", true},
        {"[::1]:7860", true},
        {"[2001:db8::1]", true},
        {"pool.example.org", true},
        {"POOL.example.org:8443", true},
        {"", false},
        {":7860", false},
        {"localhost.evil.com", false},
        {"evil.com", false},
        {"127.0.0.1.", false},
        {"127.0.0.1.nip.io", false},
        {"localhost.", false},
        {"user@localhost", false},
        {"localhost:99999", false},
        {"localhost:0", false},
        {"localhost:", false},
        {"localhost:80:80", false},
        {"localhost:8o", false},
        {"[::1", false},
        {"[::1]7860", false},
        {"[127.0.0.1]", false},
        {"::1", false},
        {"[fe80::1%25lo]", false},
        {"0x7f.1", false},
        {"local host", false},
        {"sub.pool.example.org", false},
    };
    char name[] = "pool.example.org", *names[] = {name};
    struct text_list trusted = {names, 1};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (host_is_ours(str_of(rows[i].host), &trusted) != rows[i].ours) fail_msg("Host: %s", rows[i].host);
}

static void test_origins(void **state)
{
    (void)state;
    static const struct {
        const char *host, *origin, *site;
        bool ours;
    } rows[] = {
        {"127.0.0.1:7860", "", "", true}, /* no browser */
        {"127.0.0.1:7860", "http://127.0.0.1:7860", "", true},
        {"127.0.0.1:7860", "http://127.0.0.1:7860", "same-origin", true},
        {"pool.example.org", "https://Pool.example.org", "", true},
        {"pool.example.org:443", "https://pool.example.org", "", true},
        {"[::1]:7860", "http://[::1]:7860", "same-origin", true},
        {"127.0.0.1:7860", "", "same-origin", true},
        {"127.0.0.1:7860", "null", "", false},
        {"127.0.0.1:7860", "null", "same-origin", false},
        {"127.0.0.1:7860", "http://127.0.0.1:7861", "", false},
        {"127.0.0.1:7860", "http://localhost:7860", "", false},
        {"127.0.0.1:7860", "http://evil.com", "", false},
        {"127.0.0.1:7860", "http://127.0.0.1:7860.evil.com", "", false},
        {"127.0.0.1:7860", "http://evil.com#127.0.0.1:7860", "", false},
        {"127.0.0.1:7860", "ftp://127.0.0.1:7860", "", false},
        {"127.0.0.1:7860", "127.0.0.1:7860", "", false},
        {"127.0.0.1:7860", "", "cross-site", false},
        {"127.0.0.1:7860", "", "same-site", false},
        {"127.0.0.1:7860", "", "none", false},
        {"127.0.0.1:7860", "http://127.0.0.1:7860", "cross-site", false},
        {"pool.example.org", "http://pool.example.org:443", "", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool ours = post_is_ours(str_of(rows[i].host), str_of(rows[i].origin), str_of(rows[i].site));
        if (ours != rows[i].ours) fail_msg("Origin: %s, Sec-Fetch-Site: %s", rows[i].origin, rows[i].site);
    }
}

static void assert_cookie(const char *header, const char *value)
{
    struct str got = cookie_find(str_of(header), SESSION_COOKIE);
    assert_int_equal(got.n, strlen(value));
    assert_memory_equal(got.p, value, got.n);
}

static void test_cookies(void **state)
{
    (void)state;
    assert_cookie("", "");
    assert_cookie("sfproxy_session=abc", "abc");
    assert_cookie("a=b; sfproxy_session=abc; c=d", "abc");
    assert_cookie("a=b;sfproxy_session=abc", "abc");
    assert_cookie("xsfproxy_session=abc; sfproxy_sessions=abc", "");
    assert_cookie("sfproxy_session", "");
    assert_cookie("sfproxy_session=", "");
    assert_cookie("sfproxy_session=first; sfproxy_session=second", "first");
}

static void assert_field(const char *form, bool there, const char *value)
{
    struct buf out = BUF_INIT(64);
    bool found = form_find(str_of(form), "token", &out);
    if (found != there) fail_msg("form: %s", form);
    if (there) assert_string_equal(buf_cstr(&out), value);
    buf_free(&out);
}

static void test_forms(void **state)
{
    (void)state;
    assert_field("token=abc", true, "abc");
    assert_field("lang=zh&token=a%20b+c%2B&x=y", true, "a b c+");
    assert_field("token=", true, "");
    assert_field("token=a=b", true, "a=b");
    assert_field("", false, "");
    assert_field("token", true, "");
    assert_field("tokens=a&atoken=b", false, "");
    assert_field("token=%", false, "");
    assert_field("token=%4", false, "");
    assert_field("token=%zz", false, "");
    assert_field("token=1234567890123456789012345678901234567890123456789012345678901234567890", false, "");
}

static void test_languages(void **state)
{
    (void)state;
    static const struct {
        const char *wanted, *accept;
        enum page_lang lang;
    } rows[] = {
        {"", "", PAGE_EN},
        {"", "zh-CN,zh;q=0.9,en;q=0.8", PAGE_ZH},
        {"", "en-GB,en;q=0.9,zh;q=0.8", PAGE_EN},
        {"", "fr, zh;q=0.5, en;q=0.7", PAGE_EN},
        {"", "fr, zh-Hant-TW ; q=0.5", PAGE_ZH},
        {"", "en;q=0.5, zh;q=0.5", PAGE_EN},
        {"", "zh;q=0", PAGE_EN},
        {"", "zh;q=junk,en;q=0.1", PAGE_EN},
        {"", "zhx, *", PAGE_EN},
        {"zh", "en", PAGE_ZH},
        {"en", "zh", PAGE_EN},
        {"fr", "zh", PAGE_ZH},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (lang_choose(str_of(rows[i].wanted), str_of(rows[i].accept)) != rows[i].lang)
            fail_msg("%s / %s", rows[i].wanted, rows[i].accept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session_lives_until_logout),
        cmocka_unit_test(test_foreign_sessions_are_refused),
        cmocka_unit_test(test_sessions_end_by_themselves),
        cmocka_unit_test(test_sessions_are_bounded),
        cmocka_unit_test(test_wrong_tokens_block_the_address),
        cmocka_unit_test(test_owner_is_never_locked_out),
        cmocka_unit_test(test_failure_table_is_bounded),
        cmocka_unit_test(test_ipv6_counts_by_network),
        cmocka_unit_test(test_wrong_cookies_count_too),
        cmocka_unit_test(test_no_token_no_login),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_languages),
    };
    return cmocka_run_group_tests_name("login", tests, NULL, NULL);
}
