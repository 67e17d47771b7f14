/* Prices as text, and what a request costs: steps at their edges, cached tokens, units, the ends of the range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf/price.h"

static struct price parsed(const char *text)
{
    struct price p;
    if (!price_parse(str_of(text), &p)) fail_msg("\"%s\" is no price", text);
    return p;
}

static void reads_and_shows(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"0", "0"},
        {"1.5/4/0.4", "1.5 / 4 / 0.4"},
        {" 1.5 / 4 ", "1.5 / 4"},
        {"1.5/4/1.5", "1.5 / 4"},
        {"4/4/0.4", "4 / 4 / 0.4"},
        {"0.07", "0.07"},
        {"0.7/0.7", "0.7"},
        {"0.000001/0.1", "0.000001 / 0.1"},
        {"0.8/6.4<=128K,2/16", "0.8 / 6.4 <=128K, 2 / 16"},
        {"1/2/0.1 <= 1000, 2/3 <=2m, 3/4 <=1000000000", "1 / 2 / 0.1 <=1K, 2 / 3 <=2M, 3 / 4 <=1000M"},
        {"0.8/6.4 and up", "0.8 / 6.4 and up"},
        {"0.8/6.4 <=131072 and up", "0.8 / 6.4 <=131072 and up"},
        {"0.3/image", "0.3 per image"},
        {"0.3 PER Image", "0.3 per image"},
        {"0 per image", "0 per image"},
        {"2/video", "2 per video"},
        {"0.05 / kB", "0.05 per kB"},
        {"1000000", "1000000"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[PRICE_TEXT_MAX];
        struct price p = parsed(rows[i][0]), again;
        price_text(&p, text, sizeof text);
        assert_string_equal(text, rows[i][1]);
        assert_true(price_parse(str_of(text), &again));
        assert_memory_equal(&p, &again, sizeof p);
    }
}

static void refuses(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        " ",
        "free",
        "-1",
        "1/",
        "1//2",
        "1/2/3/4",
        "1/2/3/",
        "1/2,",
        ",1/2",
        "1/2,,3/4",
        "1/2 3",
        "1 2",
        "1e3",
        "0.1234567",
        "1000000.000001",
        "99999999999999999999",
        "1/2 <=",
        "1/2 <=0",
        "1/2 <=K",
        "1/2 <=1001M",
        "1/2 <=18446744073709551615K",
        "1/2 <=2K, 3/4 <=1K",
        "1/2, 3/4",
        "1 <=1, 2 <=2, 3 <=3, 4",
        "0.3/picture",
        "0.3/image, 1/2",
        "1/2 <=1K, 0.3/image",
        "0.3/image and up",
        "and up",
        "0.3/image/2",
        "0.3 per image 2",
        "1.",
        ".5",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct price p;
        if (price_parse(str_of(rows[i]), &p)) fail_msg("\"%s\" was taken", rows[i]);
        assert_int_equal(p.unit, PRICE_UNKNOWN);
        assert_int_equal(price_cost(&p, &(struct price_use){.known = true, .in = 1}), -1);
    }
    assert_false(price_parse((struct str){NULL, 0}, &(struct price){0}));
}

static int64_t cost(const char *price, int64_t in, int64_t out, int64_t cached)
{
    struct price p = parsed(price);
    return price_cost(&p, &(struct price_use){.known = true, .in = in, .out = out, .cached = cached});
}

static int64_t unit_cost(const char *price, int64_t units)
{
    struct price p = parsed(price);
    return price_cost(&p, &(struct price_use){.units = units});
}

static void tokens_cost(void **state)
{
    (void)state;
    assert_int_equal(cost("1.5/4/0.4", 1000000, 0, 0), 1500000);
    assert_int_equal(cost("1.5/4/0.4", 1000000, 1000000, 1000000), 4400000);
    assert_int_equal(cost("1.5/4/0.4", 1000, 10, 600), 600 + 240 + 40);
    assert_int_equal(cost("1.5/4", 1000, 10, 600), 1500 + 40);
    assert_int_equal(cost("1.5/4/0.4", 10, 0, 600), 4); /* more cached than there was */
    assert_int_equal(cost("0.5/2", 1, 0, 0), 1);        /* to the nearest */
    assert_int_equal(cost("0.4/2", 1, 0, 0), 0);
    assert_int_equal(cost("1/2", -5, -5, -5), 0);
    assert_int_equal(cost("0", 1000, 1000, 0), 0);
    struct price p = parsed("1/2");
    assert_int_equal(price_cost(&p, &(struct price_use){.known = false, .in = 5}), -1);
}

static void steps_at_their_edges(void **state)
{
    (void)state;
    const char *price = "1/10/0.5 <=1K, 2/20 <=2K, 3/30";
    assert_int_equal(cost(price, 0, 1, 0), 10);
    assert_int_equal(cost(price, 1000, 1, 1000), 510);
    assert_int_equal(cost(price, 1001, 1, 1001), 2022);
    assert_int_equal(cost(price, 2000, 1, 0), 4020);
    assert_int_equal(cost(price, 2001, 1, 0), 6033);
    assert_int_equal(cost("1/10 <=1K", 1000, 0, 0), 1000);
    assert_int_equal(cost("1/10 <=1K", 1001, 0, 0), -1);
    assert_int_equal(cost("1/10 <=1K and up", 1001, 0, 0), 1001); /* at least */
    assert_int_equal(cost("1/10 and up", 5000000, 0, 0), 5000000);
}

static void units_cost(void **state)
{
    (void)state;
    assert_int_equal(unit_cost("0.3/image", 4), 1200000);
    assert_int_equal(unit_cost("0.3/image", 0), -1);
    assert_int_equal(unit_cost("0/image", 0), 0);
    assert_int_equal(unit_cost("2/video", 1), 2000000);
    assert_int_equal(unit_cost("0.05/kB", 1), 50);
    assert_int_equal(unit_cost("0.05/kB", 1999), 99950);
    struct price p = parsed("1/2");
    assert_int_equal(price_cost(&p, &(struct price_use){.units = 3}), -1);
}

static void the_range_ends(void **state)
{
    (void)state;
    int64_t most = (1ll << 53) - 1;
    assert_true(cost("1000000", most, most, 0) == INT64_MAX);
    assert_true(unit_cost("1000000/image", INT64_MAX) == INT64_MAX);
    assert_true(money_add(INT64_MAX - 1, 5) == INT64_MAX);
    assert_true(money_add(INT64_MIN + 1, -5) == INT64_MIN);
    assert_int_equal(money_add(3, -5), -2);
}

static void free_is_free(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool free;
    } rows[] = {{"0", true},      {"0/0/0", true},  {"0/image", true},   {"0/0.1", false},
                {"0.1/0", false}, {"0/0/1", false}, {"0 and up", false}, {"0 <=1K", false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct price p = parsed(rows[i].text);
        assert_int_equal(price_is_free(&p), rows[i].free);
    }
    assert_false(price_is_free(&(struct price){.unit = PRICE_UNKNOWN}));
}

static void text_that_does_not_fit(void **state)
{
    (void)state;
    struct price p = parsed("1.5/4/0.4");
    char text[8];
    for (size_t size = 1; size <= sizeof text; size++) {
        memset(text, 'x', sizeof text);
        price_text(&p, text, size);
        assert_int_equal(strnlen(text, size), size - 1);
    }
    price_text(&(struct price){.unit = PRICE_UNKNOWN}, text, sizeof text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_shows), cmocka_unit_test(refuses),
        cmocka_unit_test(tokens_cost),     cmocka_unit_test(steps_at_their_edges),
        cmocka_unit_test(units_cost),      cmocka_unit_test(the_range_ends),
        cmocka_unit_test(free_is_free),    cmocka_unit_test(text_that_does_not_fit),
    };
    return cmocka_run_group_tests_name("price", tests, NULL, NULL);
}
