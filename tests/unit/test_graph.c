/* The figures a graph shows must be true: peaks survive, gaps are gaps, zero is not "no data". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ui/tui/widget_graph.h"

static void a_peak_survives_any_width(void **state)
{
    int64_t in[1440], out[GRAPH_SLOTS_MAX];
    (void)state;
    for (size_t at = 0; at < 1440; at += 7) {
        memset(in, 0, sizeof in);
        in[at] = 900;
        for (size_t slots = 1; slots < 600; slots += 37) {
            graph_spread(in, 1440, out, slots);
            assert_int_equal(graph_peak(out, slots), 900);
        }
    }
}

static void gaps_stay_gaps(void **state)
{
    int64_t in[8] = {-1, -1, 0, 5, -1, 5, 5, 5}, out[8];
    (void)state;
    graph_spread(in, 8, out, 4);
    assert_int_equal(out[0], -1);
    assert_int_equal(out[1], 5);
    assert_int_equal(out[2], 5);
    assert_int_equal(graph_level(-1, 10, 16), 0);
    assert_int_equal(graph_level(0, 10, 16), 1);
    assert_true(graph_level(1, 1000000, 16) > graph_level(0, 1000000, 16));
    assert_int_equal(graph_level(10, 10, 16), 16);
    assert_int_equal(graph_level(99, 10, 16), 16);
}

static void rates_are_sums_over_a_minute(void **state)
{
    int64_t in[120], out[120];
    (void)state;
    for (size_t i = 0; i < 120; i++) in[i] = i < 30 ? -1 : 2;
    assert_int_equal(graph_sliding(in, 120, 60, out), 61);
    assert_int_equal(out[60], 120);
    assert_int_equal(out[0], 60);
    assert_int_equal(graph_sliding(in, 10, 60, out), 0);
    for (size_t i = 0; i < 120; i++) in[i] = -1;
    graph_sliding(in, 120, 60, out);
    assert_int_equal(out[60], -1);
    assert_int_equal(graph_grouped(in, 120, 60, out), 2);
    assert_int_equal(out[1], -1);
}

static void rows_have_the_width_asked_for(void **state)
{
    int64_t slots[20];
    char line[256];
    (void)state;
    for (size_t i = 0; i < 20; i++) slots[i] = (int64_t)i;
    graph_row(slots, 20, 19, 1, 0, true, line, sizeof line);
    assert_int_equal(strlen(line), 20);
    assert_int_equal(line[19], '#');
    assert_int_equal(line[0], '.');
    graph_row(slots, 20, 19, 2, 1, false, line, sizeof line);
    assert_int_equal(strlen(line), 30); /* ten cells of three bytes: the lower row has no blank */
    memset(slots, -1, sizeof slots);
    graph_row(slots, 20, 19, 2, 1, false, line, sizeof line);
    assert_string_equal(line, "          ");
}

static void bars_keep_their_values(void **state)
{
    int64_t in[24], out[200];
    (void)state;
    for (size_t i = 0; i < 24; i++) in[i] = (int64_t)i + 1;
    for (size_t slots = 48; slots <= 200; slots++) {
        graph_bars(in, 24, out, slots);
        for (size_t v = 1; v <= 24; v++) {
            size_t seen = 0;
            for (size_t i = 0; i < slots; i++) seen += out[i] == (int64_t)v;
            assert_true(seen >= 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peak_survives_any_width),    cmocka_unit_test(gaps_stay_gaps),
        cmocka_unit_test(rates_are_sums_over_a_minute), cmocka_unit_test(rows_have_the_width_asked_for),
        cmocka_unit_test(bars_keep_their_values),
    };
    return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
