/* The walk over JSON text in place: what it finds, where, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json_text.h"

/* "name=value|name=value|", with a ! at the end when the text is bad. */
static void check_walk(const char *text, const char *expected)
{
    struct buf b = BUF_INIT(4096);
    struct json_walk w;
    struct json_item item;
    json_walk_init(&w, str_of(text));
    while (json_walk_next(&w, &item)) {
        assert_true(item.at >= text && item.value.p >= item.at && (!item.comma || *item.comma == ','));
        buf_printf(&b, "%.*s=%.*s|", STR_ARG(item.name), STR_ARG(item.value));
    }
    assert_false(json_walk_next(&w, &item));
    if (w.bad) buf_putc(&b, '!');
    assert_string_equal(buf_cstr(&b), expected);
    buf_free(&b);
}

static void walks(void **state)
{
    (void)state;
    check_walk("{}", "");
    check_walk(" [ ] ", "");
    check_walk("{\"a\":1,\"b\":[1,{\"a\":2}] , \"\":\"x\\\"}\"}", "a=1|b=[1,{\"a\":2}]|=\"x\\\"}\"|");
    check_walk("[12345678901234567890,-0.5e+7,null,true,[[]],{\"x\":{}}]",
               "=12345678901234567890|=-0.5e+7|=null|=true|=[[]]|={\"x\":{}}|");
    check_walk("{\"\\u0061\":\"\xE4\xB8\xAD\"}", "\\u0061=\"\xE4\xB8\xAD\"|");
}

static void refuses(void **state)
{
    (void)state;
    check_walk("", "!");
    check_walk("1", "!");
    check_walk("{", "!");
    check_walk("{\"a\":1", "a=1|!");
    check_walk("{\"a\":1,}", "a=1|!");
    check_walk("[1,]", "=1|!");
    check_walk("[1 2]", "=1|!");
    check_walk("{\"a\" 1}", "!");
    check_walk("{a:1}", "!");
    check_walk("{\"a\":01}", "a=0|!");
    check_walk("{\"a\":[1}", "!");
    check_walk("{\"a\":{\"b\"}}", "!");
    check_walk("{\"a\":{\"b\":1,}}", "!");
    check_walk("{\"a\":[,1]}", "!");
    check_walk("{\"a\":1}}", "a=1|!");
    check_walk("{\"a\":\"\n\"}", "!");
    check_walk("{\"a\":tru}", "!");
}

/* A value may be nested so deep and no deeper, and a million brackets cost nothing. */
static void depth(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        bool bad;
    } rows[] = {{JSON_TEXT_DEPTH, false}, {JSON_TEXT_DEPTH + 1, true}, {1000000, true}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = BUF_INIT(4 << 20);
        struct json_walk w;
        struct json_item item;
        buf_putc(&b, '[');
        for (size_t k = 0; k < rows[i].n; k++) buf_putc(&b, '[');
        for (size_t k = 0; k < rows[i].n; k++) buf_putc(&b, ']');
        buf_putc(&b, ']');
        json_walk_init(&w, buf_str(&b));
        assert_int_equal(json_walk_next(&w, &item), !rows[i].bad);
        json_walk_next(&w, &item);
        assert_int_equal(w.bad, rows[i].bad);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(walks), cmocka_unit_test(refuses), cmocka_unit_test(depth)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
