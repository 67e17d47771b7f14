/* Fitting text must give exactly the cells asked for, whatever bytes come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>

#include "ui/tui/input.h"
#include "ui/tui/text.h"

static unsigned seed = 7;

static unsigned rnd(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % n;
}

static void fill(char *s, size_t n)
{
    static const char *const parts[] = {
        "a", "中", "，", "✓", "é", "e\xCC\x81", "\xF0\x9F\x98\x80", "\xFF", "\xC3", "\x1B", "\xE2\x80\xAE", "⣿"};
    s[0] = '\0';
    while (strlen(s) + 8 < n && rnd(30)) text_add(s, n, parts[rnd(ARRAY_LEN(parts))]);
}

static void fit_is_exact(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char in[256], out[2048];
        fill(in, sizeof in);
        int width = (int)rnd(60);
        text_fit(out, sizeof out, in, width, rnd(2));
        if (text_width(out) != width) fail_msg("width %d instead of %d for \"%s\"", text_width(out), width, in);
        for (const char *c = out; *c; c++) assert_true((unsigned char)*c >= 0x20 && *c != 0x7F);
    }
}

static void fit_cuts_and_pads(void **state)
{
    char out[64];
    (void)state;
    text_fit(out, sizeof out, "abc", 5, false);
    assert_string_equal(out, "abc  ");
    text_fit(out, sizeof out, "abc", 5, true);
    assert_string_equal(out, "  abc");
    text_fit(out, sizeof out, "abcdefgh", 5, false);
    assert_string_equal(out, "abc..");
    text_fit(out, sizeof out, "中文中文", 7, false);
    assert_string_equal(out, "中文.. ");
    text_fit(out, sizeof out, "中", 1, false);
    assert_string_equal(out, " ");
    text_fit(out, sizeof out, "a\x1B[31mb", 20, false);
    assert_string_equal(out, "a?[31mb             ");
}

static void fit_never_overruns(void **state)
{
    char out[8] = "";
    (void)state;
    for (int w = 0; w < 100; w++) {
        text_fit(out, 7, "中中中中中中", w, false);
        assert_true(strlen(out) < 7);
    }
}

static void numbers(void **state)
{
    (void)state;
    assert_string_equal(num_si(0).s, "0");
    assert_string_equal(num_si(999).s, "999");
    assert_string_equal(num_si(1000).s, "1.0K");
    assert_string_equal(num_si(61204).s, "61.2K");
    assert_string_equal(num_si(148000).s, "148K");
    assert_string_equal(num_si(999600).s, "1.0M");
    assert_string_equal(num_si(38200000).s, "38.2M");
    assert_string_equal(num_grouped(1234567).s, "1,234,567");
    assert_string_equal(num_seconds(410).s, "0.41");
    assert_string_equal(num_seconds(-1).s, "?");
    assert_string_equal(num_span(42001).s, "43s");
    assert_string_equal(num_span(0).s, "0s");
    assert_string_equal(num_span(3600000).s, "60m");
    assert_string_equal(num_money(12400000).s, "12.40");
    assert_string_equal(num_percent(0, 0).s, "-");
    assert_string_equal(num_percent(6, 1000).s, "0.6%");
    for (uint64_t v = 1; v < UINT64_MAX / 10; v = v * 3 + 1) assert_true(strlen(num_si(v).s) <= 5);
}

static void input_method_letters_are_ascii(void **state)
{
    (void)state;
    assert_int_equal(input_normalise(0xFF45), 'e');
    assert_int_equal(input_normalise(0xFF1F), '?');
    assert_int_equal(input_normalise(0xFF0F), '/');
    assert_int_equal(input_normalise(0x3000), ' ');
    assert_int_equal(input_normalise(0x4E2D), 0x4E2D);
}

static void lines_are_broken_at_blanks_or_between_wide_characters(void **state)
{
    (void)state;
    size_t next;
    assert_int_equal(text_line("one two three", 8, &next), 7);
    assert_int_equal(next, 8);
    assert_int_equal(text_line("one two", 8, &next), 7);
    assert_int_equal(next, 7);
    assert_int_equal(text_line("密钥会被测试", 5, &next), 6);
    assert_int_equal(next, 6);
    assert_int_equal(text_line("/a/path/without/blanks", 6, &next), 6);
    assert_int_equal(text_line("中", 1, &next), 3);
    assert_int_equal(text_line("中文abc", 6, &next), 6);
    assert_int_equal(text_line("", 4, &next), 0);
}

static void keys_in_a_text_are_masked(void **state)
{
    char out[200];
    (void)state;
    text_mask_keys(out, sizeof out, "see sk-abcdefghijklmnopqrstuvwxyz0123 and sk-short, 中 sk-");
    assert_string_equal(out, "see sk-abcd..0123 and sk-short, 中 sk-");
    text_mask_keys(out, 8, "a long text");
    assert_string_equal(out, "a long ");
    assert_string_equal(num_cost(1234).s, "0.0012");
    assert_string_equal(num_cost(1240000).s, "1.24");
    assert_string_equal(num_cost(0).s, "0.00");
    assert_string_equal(num_cost(-1).s, "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_in_a_text_are_masked),
        cmocka_unit_test(lines_are_broken_at_blanks_or_between_wide_characters),
        cmocka_unit_test(fit_is_exact),
        cmocka_unit_test(fit_cuts_and_pads),
        cmocka_unit_test(fit_never_overruns),
        cmocka_unit_test(numbers),
        cmocka_unit_test(input_method_letters_are_ascii),
    };
    if (!setlocale(LC_CTYPE, "C.UTF-8")) return 1;
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
