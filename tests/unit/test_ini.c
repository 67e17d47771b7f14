/* The INI reader, as a trace: one line per item or problem. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf/ini.h"

#include "base/buf.h"
#include "base/mem.h"

static void on_item(void *arg, const struct ini_item *i)
{
    buf_printf(arg, "%u %.*s.%.*s=<%.*s>\n", i->line, STR_ARG(i->section), STR_ARG(i->name), STR_ARG(i->value));
}

static void on_problem(void *arg, unsigned line, const char *sentence)
{
    buf_printf(arg, "%u ! %s\n", line, sentence);
}

static void check_str(struct str text, const char *expected)
{
    static const struct ini_ops ops = {on_item, on_problem};
    struct buf trace = BUF_INIT(1 << 20);
    ini_parse(text, &ops, &trace);
    assert_string_equal(buf_cstr(&trace), expected);
    buf_free(&trace);
}

static void check(const char *text, const char *expected)
{
    check_str(str_of(text), expected);
}

static void items_and_sections(void **state)
{
    (void)state;
    check("", "");
    check("[a]\nx = 1\n\n[b]\n  y=2", "2 a.x=<1>\n5 b.y=<2>\n");
    check("x = 1\n", "1 .x=<1>\n");
    check("[ a ] ; comment\n\tx y =  1  2 \n", "2 a.x y=<1  2>\n");
    check("[a]\r\nx = 1\r\n", "2 a.x=<1>\n");
    check("\xEF\xBB\xBF[a]\nx=1", "2 a.x=<1>\n");
    check("[a]\nx = a=b=c\n", "2 a.x=<a=b=c>\n");
    check("[a]\nx =\ny = ; nothing\n", "2 a.x=<>\n3 a.y=<>\n");
    check("[a]\nx = 1\n   continued\n", "2 a.x=<1>\n3 ! expected name = value\n");
}

static void comments_and_quotes(void **state)
{
    (void)state;
    check("; c\n# c\n  ; c\n[a]\nx = 1;2 ; c\ny = a#b # c\nz =;raw\n", "5 a.x=<1;2>\n6 a.y=<a#b>\n7 a.z=<;raw>\n");
    check("[a]\nx = \"1 ; 2\" ; c\ny = ' # '\n", "2 a.x=<1 ; 2>\n3 a.y=< # >\n");
    check("[a]\nx = it's\ny = a\"b\"\n", "2 a.x=<it's>\n3 a.y=<a\"b\">\n");
    check("[a]\nx = \"open\ny = \"a\" b\nz = \"\"\n",
          "2 ! the quote is not closed\n3 ! there is text after the closing quote\n4 a.z=<>\n");
    check("[a]\nx ; = 1\n", "2 ! expected name = value\n");
    check("[a]\nx = \"\n", "2 ! the quote is not closed\n");
}

static void broken_lines(void **state)
{
    (void)state;
    check("[a]\nword\n= 1\n", "2 ! expected name = value\n3 ! expected name = value\n");
    check("[a\nx = 1\n[b] x\ny = 2\n[]\n[\n[c]\nz = 3\n",
          "1 ! a section is written [name], alone on its line\n3 ! a section is written [name], alone on its line\n"
          "5 ! a section is written [name], alone on its line\n6 ! a section is written [name], alone on its line\n"
          "8 c.z=<3>\n");
    check_str(STR("[a]\nx = 1\0002\ny = 1\n"),
              "2 ! the line holds a NUL byte; the file must be plain UTF-8 text\n3 a.y=<1>\n");
    check_str(STR("\xFF\xFE[\0a\0]\0"), "1 ! this is UTF-16 text; save the file as UTF-8\n");
}

static void long_lines(void **state)
{
    (void)state;
    static const struct ini_ops ops = {on_item, on_problem};
    struct buf text = BUF_INIT(1 << 20), trace = BUF_INIT(1 << 20);
    for (size_t total = 65536; total <= 65537; total++) {
        buf_reset(&text);
        buf_reset(&trace);
        buf_puts(&text, "x=");
        for (size_t i = 2; i < total; i++) buf_putc(&text, 'v');
        buf_puts(&text, "\ny=1\n");
        ini_parse(buf_str(&text), &ops, &trace);
        bool refused = strstr(buf_cstr(&trace), "1 ! the line is longer than 64 KiB\n2 .y=<1>\n") != NULL;
        assert_int_equal(refused, total > 65536);
        if (!refused) assert_true(trace.len > 65536);
    }
    buf_free(&text);
    buf_free(&trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_and_sections),
        cmocka_unit_test(comments_and_quotes),
        cmocka_unit_test(broken_lines),
        cmocka_unit_test(long_lines),
    };
    return cmocka_run_group_tests_name("ini", tests, NULL, NULL);
}
