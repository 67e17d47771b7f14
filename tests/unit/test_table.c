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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cursor_follows_the_row),
        cmocka_unit_test(marks_survive_filter_and_sort),
        cmocka_unit_test(rows_may_vanish),
        cmocka_unit_test(columns_drop_by_priority),
        cmocka_unit_test(filters),
    };
    if (!setlocale(LC_CTYPE, "C.UTF-8")) return 1;
    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
