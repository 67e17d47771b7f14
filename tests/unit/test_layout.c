/* The layout is pure: every size and view must give rectangles inside the screen that do not overlap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ui/tui/layout.h"

static bool present(struct rect r)
{
    return r.w > 0 && r.h > 0;
}

static bool inside(struct rect r, int w, int h)
{
    return r.x >= 0 && r.y >= 0 && r.x + r.w <= w && r.y + r.h <= h;
}

static bool overlap(struct rect a, struct rect b)
{
    return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

static void check(int w, int h, enum view_id v, bool detail, bool zoom, int first)
{
    struct layout l;
    struct layout_wish wish = {detail, zoom, first};
    layout_make(w, h, v, &wish, &l);
    for (int i = 0; i < REGION_COUNT; i++) {
        struct rect r = l.at[i];
        bool ok = r.w >= 0 && r.h >= 0 && (!present(r) || inside(r, w, h));
        for (int k = 0; ok && k < i; k++) ok = !present(r) || !present(l.at[k]) || !overlap(r, l.at[k]);
        if (!ok) fail_msg("view %d at %dx%d, detail %d: region %d is outside or overlaps", v, w, h, detail, i);
    }
}

static void inside_without_overlap(void **state)
{
    static const int first[] = {0, 12, 1000};
    (void)state;
    for (int w = 1; w <= 300; w++)
        for (int h = 1; h <= 100; h++)
            for (int v = 0; v < VIEW_COUNT; v++)
                for (int d = 0; d < 4; d++) check(w, h, (enum view_id)v, d & 1, d & 2, first[(w + h + v) % 3]);
}

static void nothing_is_lost_where_there_is_room(void **state)
{
    struct layout l;
    (void)state;
    layout_make(80, 24, VIEW_OVERVIEW, &(struct layout_wish){false, false, 0}, &l);
    assert_int_equal(l.size, SIZE_SMALL);
    for (int r = R_GRAPH_RPM; r <= R_GRAPH_TPD; r++) assert_int_equal(l.at[r].h, 5);
    assert_true(present(l.at[R_KEYS]) && present(l.at[R_REQUESTS]));
    layout_make(200, 50, VIEW_OVERVIEW, &(struct layout_wish){false, false, 0}, &l);
    assert_true(present(l.at[R_MODELS]) && present(l.at[R_LOG]) && present(l.at[R_GRAPH_TPD]));
    layout_make(80, 24, VIEW_KEYS, &(struct layout_wish){true, false, 0}, &l);
    assert_true(present(l.at[R_MAIN]) && present(l.at[R_DETAIL]));
    layout_make(40, 12, VIEW_KEYS, &(struct layout_wish){true, false, 0}, &l);
    assert_true(!present(l.at[R_MAIN]) && present(l.at[R_DETAIL]));
    layout_make(39, 12, VIEW_KEYS, &(struct layout_wish){false, false, 0}, &l);
    assert_int_equal(l.size, SIZE_NANO);
    assert_int_equal(l.at[R_MESSAGE].w, 39);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inside_without_overlap),
        cmocka_unit_test(nothing_is_lost_where_there_is_room),
    };
    return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
