#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/urls.h"

static void assert_path(const struct parsed_url *p, const char *want)
{
    char *path = NULL;
    assert_non_null(url_parts(p));
    assert_int_equal(curl_url_get(url_parts(p), CURLUPART_PATH, &path, 0), CURLUE_OK);
    assert_string_equal(path, want);
    curl_free(path);
}

static void test_the_same_text_is_taken_apart_once(void **state)
{
    (void)state;
    struct urls u = {.slots = {NULL}};
    struct parsed_url *a = urls_get(&u, "http://h:1/v1/a"), *b = urls_get(&u, "http://h:1/v1/a");
    assert_ptr_equal(a, b);
    assert_path(a, "/v1/a");
    url_put(a);
    url_put(b);
    urls_free(&u);
}

/* More texts than places: each newcomer throws one out, which those who use it keep. */
static void test_one_in_use_outlives_its_place(void **state)
{
    (void)state;
    struct urls u = {.slots = {NULL}};
    struct parsed_url *held[8 * URLS_KEPT];
    char text[64];
    for (int i = 0; i < 8 * URLS_KEPT; i++) {
        snprintf(text, sizeof text, "https://h/v1/x%d?q=%d", i, i);
        held[i] = urls_get(&u, text);
    }
    urls_free(&u);
    for (int i = 0; i < 8 * URLS_KEPT; i++) {
        snprintf(text, sizeof text, "/v1/x%d", i);
        assert_path(held[i], text);
        url_put(held[i]);
    }
}

static void test_paths_stay_as_they_are(void **state)
{
    (void)state;
    struct urls u = {.slots = {NULL}};
    struct parsed_url *p = urls_get(&u, "http://h/v1/a/../b//c");
    assert_path(p, "/v1/a/../b//c");
    url_put(p);
    urls_free(&u);
}

static void test_a_refused_text_is_null(void **state)
{
    (void)state;
    struct urls u = {.slots = {NULL}};
    assert_null(urls_get(&u, "http://h:port/"));
    assert_null(urls_get(&u, ""));
    assert_null(url_parts(NULL));
    url_put(NULL);
    urls_free(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_text_is_taken_apart_once),
        cmocka_unit_test(test_one_in_use_outlives_its_place),
        cmocka_unit_test(test_paths_stay_as_they_are),
        cmocka_unit_test(test_a_refused_text_is_null),
    };
    return cmocka_run_group_tests_name("urls", tests, NULL, NULL);
}
