/* The subcommands' text: columns, figures, and the key that somebody means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli_text.h"

static void test_columns_line_up(void **state)
{
    (void)state;
    static const char *const heads[] = {"LABEL", ">RPM", "NOTE"};
    struct text_table t;
    struct buf out = BUF_INIT(4096);
    text_table_init(&t, heads, 3);
    size_t row = text_table_row(&t);
    text_table_set(&t, row, 0, "备用密钥");
    text_table_set(&t, row, 1, "7");
    text_table_set(&t, row, 2, "a\x1b]52;c;b\n");
    row = text_table_row(&t);
    text_table_set(&t, row, 0, "a");
    text_table_set(&t, row, 1, "12.3K");
    text_table_write(&t, &out);
    assert_string_equal(buf_cstr(&out), "LABEL       RPM  NOTE\n"
                                        "备用密钥      7  a?]52;c;b?\n"
                                        "a         12.3K  -\n");
    text_table_free(&t);
    buf_free(&out);
}

static void test_many_rows(void **state)
{
    (void)state;
    static const char *const heads[] = {"A", "B"};
    struct text_table t;
    struct buf out = BUF_INIT(65536);
    text_table_init(&t, heads, 2);
    for (int i = 0; i < 300; i++) text_table_row(&t);
    text_table_write(&t, &out);
    assert_int_equal(out.len, 301 * strlen("-  -\n"));
    text_table_free(&t);
    buf_free(&out);
}

static void test_figures(void **state)
{
    (void)state;
    static const struct {
        double n;
        const char *text;
    } rows[] = {{0, "0"},         {999, "999"},     {1000, "1.00K"}, {1240, "1.24K"}, {38240000, "38.2M"},
                {148000, "148K"}, {999499, "999K"}, {9994, "9.99K"}, {9996, "10.0K"}, {999999, "1.00M"}};
    char text[32];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        text_count(rows[i].n, text, sizeof text);
        assert_string_equal(text, rows[i].text);
    }
    text_age(43, text, sizeof text);
    assert_string_equal(text, "43s");
    text_age(3600, text, sizeof text);
    assert_string_equal(text, "60m");
    text_age(90000, text, sizeof text);
    assert_string_equal(text, "25h");
    text_age(1e300, text, sizeof text);
    text_age(-5, text, sizeof text);
    assert_string_equal(text, "0s");
}

static void test_which_key_is_meant(void **state)
{
    (void)state;
    cJSON *keys = cJSON_Parse("[{\"id\":\"aabb0011\",\"label\":\"main\"},{\"id\":\"aabb0022\",\"label\":\"spare\"},"
                              "{\"id\":\"ccdd0033\",\"label\":\"spare\"},{\"id\":\"eeff0044\",\"label\":\"\"},{}]");
    static const struct {
        const char *what;
        enum key_match match;
        const char *id;
    } rows[] = {
        {"aabb0011", KEY_MATCH_ONE, "aabb0011"},
        {"main", KEY_MATCH_ONE, "aabb0011"},
        {"eef", KEY_MATCH_ONE, "eeff0044"},
        {"ccdd", KEY_MATCH_ONE, "ccdd0033"},
        {"ee", KEY_MATCH_NONE, NULL},
        {"aabb", KEY_MATCH_SEVERAL, NULL},
        {"spare", KEY_MATCH_SEVERAL, NULL},
        {"", KEY_MATCH_NONE, NULL},
        {"nobody", KEY_MATCH_NONE, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const cJSON *found = NULL;
        if (key_find(keys, rows[i].what, &found) != rows[i].match) fail_msg("%s", rows[i].what);
        if (rows[i].id) assert_string_equal(json_text(found, "id", ""), rows[i].id);
    }
    cJSON_Delete(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_line_up),
        cmocka_unit_test(test_many_rows),
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_which_key_is_meant),
    };
    return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
