/* Reading the platform's list of models, and what is no such list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "pool/listing.h"

static struct buf got;

static void each(void *arg, struct str id)
{
    (void)arg;
    buf_add_str(&got, id);
    buf_puts(&got, " ");
}

static bool reads(const char *body)
{
    buf_reset(&got);
    return listing_read(str_of(body), each, NULL);
}

static void lists(void **state)
{
    (void)state;
    assert_true(reads("{\"object\":\"list\",\"data\":[{\"id\":\"Qwen/Qwen3-8B\",\"object\":\"model\",\"created\":0},"
                      "{\"object\":\"model\",\"id\":\"a\\u002fb\"}, {\"name\":\"x\"}, {\"id\":7}, {\"id\":\"\"}, "
                      "{\"id\":\"two words\"}, {\"id\":\"line\\nbreak\"}, \"text\", null]}"));
    assert_string_equal(buf_cstr(&got), "Qwen/Qwen3-8B a/b ");
    assert_true(reads("{\"data\":[]}"));
    assert_string_equal(buf_cstr(&got), "");
}

static void no_lists(void **state)
{
    (void)state;
    static const char *const bodies[] = {"",
                                         "404 page not found",
                                         "[]",
                                         "{}",
                                         "{\"data\":null}",
                                         "{\"data\":{\"id\":\"x\"}}",
                                         "{\"data\":[{\"id\":\"x\"}",
                                         "{\"data\":[{\"id\":\"x\"}]} and more",
                                         "{\"code\":20000,\"data\":\"x\"}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        if (reads(bodies[i])) fail_msg("was read as a list: %s", bodies[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists), cmocka_unit_test(no_lists)};
    buf_init(&got, 65536);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&got);
    return rc;
}
