/* The table follows identities: selection, marks, the held order, the filter; columns drop by priority. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>

#include "ui/tui/widget_table.h"

struct thing {
    uint64_t id;
    int value;
};

static struct thing things[16];
static size_t thing_count;

static size_t count(void *arg)
{
    (void)arg;
    return thing_count;
}

static const void *row(void *arg, size_t i)
{
    (void)arg;
    return &things[i];
}

static uint64_t id(const void *r)
{
    return ((const struct thing *)r)->id;
}

static void cell(void *arg, const void *r, size_t column, struct cell *out)
{
    const struct thing *t = r;
    (void)arg, (void)column;
    snprintf(out->text, sizeof out->text, "thing%d", (int)t->id);
}

static int compare(void *arg, const void *a, const void *b, size_t column)
{
    (void)arg, (void)column;
    return ((const struct thing *)a)->value - ((const struct thing *)b)->value;
}

static const struct column columns[] = {{MSG_COL_KEY, 10, 0, 0, 1, false, "key"},
                                        {MSG_COL_RPM, 5, 0, 0, 3, true, "rpm"},
                                        {MSG_COL_NOTE, 8, 50, 0, 2, false, "note"}};
static const struct table_spec spec = {columns, ARRAY_LEN(columns), count, row, id, NULL, cell, compare};

static void make(struct table *t)
{
    thing_count = 10;
    for (size_t i = 0; i < thing_count; i++) things[i] = (struct thing){100 + i, (int)i};
    table_init(t, &spec, NULL);
    t->sort = 0;
    t->markable = true;
    table_arrange(t, (mono_t){1000});
}

static void the_cursor_follows_the_row(void **state)
{
    struct table t;
    (void)state;
    make(&t);
    for (int i = 0; i < 3; i++) table_action(&t, ACT_DOWN, (mono_t){1000});
    assert_int_equal(id(table_selected(&t)), 103);
    for (size_t i = 0; i < thing_count; i++) things[i].value = -things[i].value; /* everything turns round */
    table_arrange(&t, (mono_t){2000});
    assert_int_equal(t.at, 3); /* the order is held */
    assert_int_equal(id(table_selected(&t)), 103);
    table_arrange(&t, (mono_t){1000 + SORT_HOLD_MS + 1});
    assert_int_equal(t.at, 6); /* sorted again, same row */
    assert_int_equal(id(table_selected(&t)), 103);
    table_free(&t);
}

static void marks_survive_filter_and_sort(void **state)
{
    struct table t;
    (void)state;
    make(&t);
    table_action(&t, ACT_MARK, (mono_t){1000});
    memcpy(t.filter, "thing105", 9);
    table_arrange(&t, (mono_t){1000});
    assert_int_equal(t.count, 1);
    assert_int_equal(t.mark_count, 1);
    t.filter[0] = '\0';
    t.reverse = true;
    table_arrange(&t, (mono_t){100000});
    assert_true(table_is_marked(&t, 100));
    table_action(&t, ACT_MARK_ALL, (mono_t){1000});
    assert_int_equal(t.mark_count, 10);
    table_action(&t, ACT_MARK_ALL, (mono_t){1000});
    assert_int_equal(t.mark_count, 0);
    table_free(&t);
}

static void rows_may_vanish(void **state)
{
    struct table t;
    (void)state;
    make(&t);
    table_action(&t, ACT_LAST, (mono_t){1000});
    thing_count = 4;
    table_arrange(&t, (mono_t){1001});
    assert_int_equal(t.at, 3);
    thing_count = 0;
    table_arrange(&t, (mono_t){1002});
    assert_null(table_selected(&t));
    table_action(&t, ACT_DOWN, (mono_t){1003});
    table_action(&t, ACT_MARK, (mono_t){1003});
    thing_count = 2;
    table_arrange(&t, (mono_t){1004});
    assert_non_null(table_selected(&t));
    table_free(&t);
}

static void columns_drop_by_priority(void **state)
{
    int w[3];
    (void)state;
    table_widths(columns, 3, 0, 100, w);
    assert_true(w[0] == 10 && w[1] == 5 && w[2] == 58);
    table_widths(columns, 3, 0, 24, w);
    assert_true(w[0] == 10 && w[1] == 0 && w[2] >= 8);
    table_widths(columns, 3, 0, 15, w);
    assert_true(w[0] == 10 && w[1] == 0 && w[2] == 0);
}

static void filters(void **state)
{
    (void)state;
    assert_true(filter_matches("", "x"));
    assert_true(filter_matches("QWEN", "Qwen/Qwen3-8B"));
    assert_true(filter_matches("qwen !coder", "Qwen/Qwen3-8B"));
    assert_false(filter_matches("qwen !8b", "Qwen/Qwen3-8B"));
    assert_false(filter_matches("qwen 32b", "Qwen/Qwen3-8B"));
    assert_true(filter_matches("!", "anything!"));
    assert_true(filter_matches("团队", "团队共享"));
}

static bool field(void *arg, struct str name, char *out, size_t size)
{
    (void)arg;
    if (str_is(name, "class")) return str_copy(out, size, STR("免费\nFREE"));
    if (str_is(name, "tpm")) return str_copy(out, size, STR("12.4K"));
    if (str_is(name, "balance")) return str_copy(out, size, STR("<=9.80"));
    if (str_is(name, "cool")) return str_copy(out, size, STR("3m"));
    return str_is(name, "dur") && str_copy(out, size, STR("-"));
}

static void filters_of_one_field(void **state)
{
    static const struct {
        const char *filter;
        bool holds;
    } cases[] = {{"class:free", true}, {"class:免费", true},      {"!class:free", false}, {"class:paid", false},
                 {"tpm>10K", true},    {"tpm<12000", false},      {"balance<10", true},   {"cool>100s", true},
                 {"cool<2m", false},   {"dur>0", false},          {"dur<5", false},       {"qwen tpm>1", true},
                 {"http://x", false},  {"other:thing", false},    {"tpm>many", false},    {"class:", false},
                 {"odd:words", true},  {"class:free kimi", false}};
    const struct filter_source row = {"Qwen/Qwen3-8B odd:words", field, NULL};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (filter_matches_row(cases[i].filter, &row) != cases[i].holds) fail_msg("%s", cases[i].filter);
}

static void a_range_marks_what_lies_between(void **state)
{
    struct table t;
    (void)state;
    make(&t);
    table_action(&t, ACT_DOWN, (mono_t){1000});
    table_action(&t, ACT_RANGE, (mono_t){1000});
    table_action(&t, ACT_DOWN, (mono_t){1000});
    table_action(&t, ACT_DOWN, (mono_t){1000});
    assert_int_equal(table_marked(&t), 3);
    assert_int_equal(t.mark_count, 0); /* not before it ends */
    table_action(&t, ACT_RANGE, (mono_t){1000});
    assert_int_equal(t.mark_count, 3);
    assert_true(table_is_marked(&t, 101) && table_is_marked(&t, 103) && !table_is_marked(&t, 104));
    table_free(&t);
}

static void hidden_columns_are_named(void **state)
{
    struct table t;
    char names[64];
    int w[3];
    (void)state;
    make(&t);
    table_hide(&t, "note,nonsense,key,rpm"); /* key is needed: never hidden */
    assert_int_equal(t.hidden, 6);
    table_hidden_text(&t, names, sizeof names);
    assert_string_equal(names, "rpm,note");
    table_widths(columns, 3, t.hidden, 100, w);
    assert_true(w[0] == 10 && w[1] == 0 && w[2] == 0);
    table_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cursor_follows_the_row),
        cmocka_unit_test(marks_survive_filter_and_sort),
        cmocka_unit_test(rows_may_vanish),
        cmocka_unit_test(columns_drop_by_priority),
        cmocka_unit_test(filters),
        cmocka_unit_test(filters_of_one_field),
        cmocka_unit_test(a_range_marks_what_lies_between),
        cmocka_unit_test(hidden_columns_are_named),
    };
    if (!setlocale(LC_CTYPE, "C.UTF-8")) return 1;
    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
