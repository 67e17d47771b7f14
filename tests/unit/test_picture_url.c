/* Which addresses are public, and which URLs of pictures may be fetched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/public_address.h"
#include "proxy/picture_url.h"

static void addresses(void **state)
{
    (void)state;
    static const char *const open[] = {"1.1.1.1",        "8.8.8.8",        "9.255.255.255",   "11.0.0.0",
                                       "100.63.255.255", "100.128.0.0",    "126.9.9.9",       "128.0.0.1",
                                       "169.253.0.1",    "172.15.0.1",     "172.32.0.1",      "192.167.0.1",
                                       "192.169.0.1",    "198.18.0.7",     "223.255.255.255", "2400:3200::1",
                                       "[2400:3200::1]", "::ffff:8.8.8.8", "64:ff9b::808:808"};
    static const char *const closed[] = {"0.0.0.0",
                                         "10.0.0.1",
                                         "100.64.0.1",
                                         "127.0.0.1",
                                         "127.255.255.255",
                                         "169.254.169.254",
                                         "172.16.0.1",
                                         "172.31.255.255",
                                         "192.0.0.8",
                                         "192.0.2.1",
                                         "192.168.1.1",
                                         "198.51.100.1",
                                         "203.0.113.9",
                                         "224.0.0.1",
                                         "255.255.255.255",
                                         "::",
                                         "::1",
                                         "[::1]",
                                         "::ffff:127.0.0.1",
                                         "::ffff:10.1.1.1",
                                         "64:ff9b::7f00:1",
                                         "fe80::1",
                                         "fc00::1",
                                         "fdff::1",
                                         "ff02::1",
                                         "2001:db8::1",
                                         "2002:7f00:1::",
                                         "2001::1",
                                         "::127.0.0.1",
                                         "",
                                         "localhost",
                                         "1.1.1",
                                         "[]",
                                         "[1.1.1.1]",
                                         "3fff::1"};
    for (size_t i = 0; i < ARRAY_LEN(open); i++)
        if (!address_is_public(open[i])) fail_msg("%s is public", open[i]);
    for (size_t i = 0; i < ARRAY_LEN(closed); i++)
        if (address_is_public(closed[i])) fail_msg("%s is not public", closed[i]);
}

static void numeric_hosts(void **state)
{
    (void)state;
    static const char *const yes[] = {"1.2.3.4",    "127.1", "0x7f000001", "2130706433",
                                      "0177.0.0.1", "::1",   "a.0x7f",     "1.2.3.4."};
    static const char *const no[] = {"example.com", "1.example.com", "a1", "x--y.z9"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) assert_true(host_is_numeric(yes[i]));
    for (size_t i = 0; i < ARRAY_LEN(no); i++) assert_false(host_is_numeric(no[i]));
}

static const struct picture_base tls = {"api.example.cn", 443, true}, plain = {"127.0.0.1", 8080, false};

static bool good(const char *url, const struct picture_base *base, struct picture_url *out)
{
    return !picture_url_check(str_of(url), base, out);
}

static void allowed(void **state)
{
    (void)state;
    struct picture_url u;
    assert_true(good("https://S3.example.com/a/b.png?X-Sig=a%2Fb&e=1#f", &tls, &u));
    assert_string_equal(u.host, "s3.example.com");
    assert_true(u.port == 443 && !u.of_base && !u.at_base && !u.is_literal);
    assert_true(good("HTTPS://s3.example.com:8443", &tls, &u) && u.port == 8443);
    assert_true(good("https://api.example.cn/x", &tls, &u) && u.at_base);
    assert_true(good("https://api.example.cn:444/x", &tls, &u) && u.of_base && !u.at_base);
    assert_true(good("https://8.8.8.8/x", &tls, &u) && u.is_literal);
    assert_true(good("http://127.0.0.1:8080/x", &plain, &u) && u.at_base && u.is_literal);
    assert_true(good("https://127.0.0.1/x", &plain, &u) && u.of_base && !u.at_base);
    assert_true(good("https://h.com?q=1", &tls, &u));
}

static void refused(void **state)
{
    (void)state;
    struct picture_url u;
    static const char *const never[] = {"",
                                        "x",
                                        "https://",
                                        "https:///x",
                                        "https:/h/x",
                                        "http://s3.example.com/x",
                                        "ftp://s3.example.com/x",
                                        "file:///x",
                                        "data:image/png;base64,AAAA",
                                        "https://a@s3.example.com/x",
                                        "https://a:b@s3.example.com/x",
                                        "https://h.com:0/",
                                        "https://h.com:99999/",
                                        "https://h .com/",
                                        "https://h.com/\n",
                                        "https://h.com/?a=\"",
                                        "https://h.com\\x",
                                        "https://%31%32%37.0.0.1/",
                                        "https://[::1/x",
                                        "https://localhost/",
                                        "https://x.localhost/",
                                        "https://h.com./",
                                        "https://127.0.0.1/",
                                        "https://[::ffff:127.0.0.1]/",
                                        "https://10.0.0.1/",
                                        "https://0/",
                                        "https://0x7f.1/",
                                        "http://127.0.0.1:8081/",
                                        "http://127.0.0.2:8080/",
                                        "https://\xe4\xb8\xad.cn/"};
    for (size_t i = 0; i < ARRAY_LEN(never); i++) {
        if (good(never[i], &tls, &u)) fail_msg("%s", never[i]);
        if (strncmp(never[i], "https://127.0.0.1", 17) != 0 && good(never[i], &plain, &u)) fail_msg("%s", never[i]);
    }
    assert_false(good("http://api.example.cn/x", &tls, &u)); /* not even there, when base_url is https */
    assert_false(good("http://127.0.0.1:8080/x", &tls, &u));
}

static void types(void **state)
{
    (void)state;
    assert_string_equal(picture_type(STR("\x89PNG\r\n\x1a\n....")), "image/png");
    assert_string_equal(picture_type(STR("\xff\xd8\xff\xe0")), "image/jpeg");
    assert_string_equal(picture_type(STR("RIFF....WEBPVP8 ")), "image/webp");
    assert_string_equal(picture_type(STR("GIF89a")), "image/gif");
    assert_null(picture_type(STR("<html>")));
    assert_null(picture_type(STR("RIFF....WEB")));
    assert_null(picture_type(STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses), cmocka_unit_test(numeric_hosts), cmocka_unit_test(allowed),
        cmocka_unit_test(refused),   cmocka_unit_test(types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
