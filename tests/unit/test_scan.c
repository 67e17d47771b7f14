/* The scanner against a table of documents in the spirit of JSONTestSuite (y_ must pass, n_ must not, i_ as decided),
 * as whole body and as a member's value; then model, stream, nesting, size, multipart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "proxy/scan.h"

static const struct scan_limits limits = {.max_depth = 512, .max_model = 256};

static enum scan_result scan_bytes(const char *p, size_t n, struct scan *out)
{
    char *copy = xmalloc(n ? n : 1); /* no NUL behind it: ASan sees a step too far */
    if (n) memcpy(copy, p, n);
    enum scan_result r = scan_json((struct str){copy, n}, &limits, out);
    free(copy);
    return r;
}

static enum scan_result scan_text(const char *text, struct scan *out)
{
    return scan_bytes(text, strlen(text), out);
}

/* ---- grammar: values, tried as {"model":"m","x":VALUE} and inside arrays and objects ---- */

static const char *const good_values[] = {
    "0",
    "-0",
    "1",
    "-1",
    "123",
    "1.5",
    "-1.5",
    "0.1",
    "1e5",
    "1E5",
    "1e+5",
    "1e-5",
    "0e1",
    "0e+1",
    "1.0e5",
    "123e65",
    "20e1",
    "123.456e78",
    "-123123e100000",
    "1e999999",
    "18446744073709551616",
    "9007199254740993",
    "0.0000000000000000000000000000000000000000000000000000000000000000000000000000001",
    "true",
    "false",
    "null",
    "\"\"",
    "\"a\"",
    "\" \"",
    "\"\\\"\"",
    "\"\\\\\"",
    "\"\\/\"",
    "\"\\b\\f\\n\\r\\t\"",
    "\"\\u0041\"",
    "\"\\u0000\"",
    "\"\\uD834\\uDD1E\"",
    "\"\\uD800\"",
    "\"\\uDC00\"",
    "\"\\uDC00\\uD800\"",
    "\"\\uD800\\n\"",
    "\"\\uD800\\uD800\\uDC00\"",
    "\"\\ud800abc\"",
    "\"\\uFFFF\"",
    "\"\\uabcd\\uABCD\"",
    "\"\xE4\xBD\xA0\xE5\xA5\xBD\"",
    "\"\xFF\xFE\"",
    "\"\xC0\xAF\"",
    "\"\xED\xA0\x80\"",
    "\"\xF4\xBF\xBF\xBF\"",
    "\"\xE2\x80\xA8\"",
    "\"\x7F\"",
    "\"\\u007F\"",
    "\"a/*b*/c\"",
    "\"\\\\u0000\"",
    "\"\\\\n\"",
    "[]",
    "{}",
    "[ ]",
    "{ }",
    "[[]]",
    "[{}]",
    "{\"\":0}",
    "{\"a\":{}}",
    "{\"a\":[],\"b\":1}",
    "[1,2,3]",
    "[1 , 2\n,\t3\r]",
    "[null,1,\"1\",{}]",
    "[1,null,null,2]",
    "{\"a\":\"b\",\"a\":\"c\"}",
    "{\"a\\u0000b\":1}",
    "{\"a\":1,\"model\":5,\"stream\":5}",
    "[\"]\",\"}\"]",
    "{\"}\":\"{\"}",
    "[[[[]]],{\"a\":[{}]}]",
    "[0.4e-001]",
    "[-0.0]",
    "[1e01]",
    "\"0123456789012345678901234567890123456789012345678901234567890123456789\"",
};

static const char *const bad_values[] = {
    "",
    " ",
    "+1",
    "01",
    "-01",
    "00",
    "-",
    "--1",
    "1.",
    ".5",
    "-.5",
    "1.e5",
    "1e",
    "1e+",
    "1e-",
    "1E",
    "1ee5",
    "1e5.5",
    "0x1",
    "1_000",
    "1 000",
    "1a",
    "-a",
    "0.e1",
    "2.e-3",
    "0e",
    "0e+",
    "1+2",
    "0.3e",
    "0.3e+",
    "9.e+",
    "1eE2",
    "Infinity",
    "-Infinity",
    "NaN",
    "-NaN",
    "Inf",
    "nan",
    "\xEF\xBC\x91",
    "-1.0.",
    "0.1.2",
    "1,",
    ",1",
    "True",
    "TRUE",
    "tru",
    "truee",
    "fals",
    "falsee",
    "nul",
    "nulll",
    "nil",
    "none",
    "undefined",
    "\"",
    "\"a",
    "a\"",
    "'a'",
    "\"\\\"",
    "\"\\",
    "\"\\x41\"",
    "\"\\a\"",
    "\"\\0\"",
    "\"\\'\"",
    "\"\\u\"",
    "\"\\u0\"",
    "\"\\u00\"",
    "\"\\u004\"",
    "\"\\u004G\"",
    "\"\\u 041\"",
    "\"\\uD834\\u\"",
    "\"\\uD800\\u1x\"",
    "\"\\U0041\"",
    "\"\\\xE5\"",
    "\"\\ \"",
    "\"a\nb\"",
    "\"a\tb\"",
    "\"\x01\"",
    "\"\x1F\"",
    "\"\r\"",
    "\"a\" \"b\"",
    "\"a\"b",
    "\"\"\"",
    "`a`",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1,,2]",
    "[,]",
    "[1 2]",
    "[1:2]",
    "[\"a\"",
    "[}",
    "[1}",
    "[[]",
    "[]]",
    "[\"a\",\n1,",
    "[*]",
    "[a]",
    "[#]",
    "[1];",
    "{",
    "}",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{,\"a\":1}",
    "{\"a\" 1}",
    "{\"a\",1}",
    "{\"a\"::1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1;\"b\":2}",
    "{a:1}",
    "{1:1}",
    "{'a':1}",
    "{null:1}",
    "{true:1}",
    "{\"a\":}",
    "{:1}",
    "{\"a\":1]",
    "{[]:1}",
    "{{}}",
    "{\"a\":1}}",
    "{\"a\":1,,\"b\":2}",
    "{\"a\":'b'}",
    "{\"a\"=1}",
    "{\"a\":\"b\"",
    "{\"a\":\"b",
    "{\"\\x\":1}",
    "{\"a\nb\":1}",
    "/**/1",
    "1/**/",
    "//\n1",
    "#1\n",
    "\xEF\xBB\xBF"
    "1",
    "\xC2\xA0"
    "1",
    "\xE2\x80\xA8"
    "1",
    "\f1",
    "\v1",
    "\b1",
    "<null>",
    "$1",
    "(1)",
    "1)",
    "\\u0031",
    "@",
    "1\x7F",
};

static const char *const wraps[] = {
    "{\"model\":\"m\",\"x\":%s}",
    "{\"x\":%s,\"model\":\"m\"}",
    " {\"x\" : [ %s ] , \"model\" : \"m\" }\r\n",
    "{\"x\":{\"y\":[1,%s,2]},\"model\":\"m\"}",
    "{\"stream\":true,\"x\":[[[{\"y\":%s}]]],\"model\":\"m\"}",
};

static char *wrap(const char *how, const char *value)
{
    const char *at = strstr(how, "%s");
    return xasprintf("%.*s%s%s", (int)(at - how), how, value, at + 2);
}

static void test_good_values(void **state)
{
    (void)state;
    struct scan s;
    for (size_t i = 0; i < ARRAY_LEN(good_values); i++) {
        for (size_t w = 0; w < ARRAY_LEN(wraps); w++) {
            char *text = wrap(wraps[w], good_values[i]);
            enum scan_result r = scan_text(text, &s);
            if (r != SCAN_OK || strcmp(s.model, "m") != 0) fail_msg("%s: %d at %zu", text, r, s.error_at);
            assert_int_equal(strncmp(text + s.model_at, "\"m\"", s.model_size), 0);
            free(text);
        }
    }
}

static void test_bad_values(void **state)
{
    (void)state;
    struct scan s;
    for (size_t i = 0; i < ARRAY_LEN(bad_values); i++) {
        for (size_t w = 0; w < ARRAY_LEN(wraps); w++) {
            bool list = strchr(wraps[w], '[') && (strcmp(bad_values[i], "") == 0 || strcmp(bad_values[i], " ") == 0);
            if (list && w == 2) continue; /* "[ ]" is fine */
            char *text = wrap(wraps[w], bad_values[i]);
            enum scan_result r = scan_text(text, &s);
            if (r != SCAN_BAD_JSON || s.has_model) fail_msg("%s: %d", text, r);
            assert_true(s.error_at <= strlen(text));
            free(text);
        }
    }
}

/* Every proper beginning of a good document is bad. */
static void test_prefixes(void **state)
{
    (void)state;
    struct scan s;
    const char *text = "{\"model\":\"a\\u0041\\n\",\"x\":[1.5e+3,{\"y\":null,\"z\":[true,false]}],\"stream\":true}";
    for (size_t n = 0; n < strlen(text); n++) assert_int_equal(scan_bytes(text, n, &s), SCAN_BAD_JSON);
}

struct row {
    const char *text;
    enum scan_result result;
    const char *model;
    bool stream;
};

static void check_rows(const struct row *rows, size_t n)
{
    struct scan s;
    for (size_t i = 0; i < n; i++) {
        enum scan_result r = scan_text(rows[i].text, &s);
        const char *model = rows[i].model ? rows[i].model : "";
        if (r != rows[i].result || strcmp(s.model, model) != 0 || s.stream != rows[i].stream)
            fail_msg("%s: %d, %s, %d", rows[i].text, r, s.model, s.stream);
        assert_int_equal(s.model_len, strlen(model));
        assert_int_equal(s.has_model, rows[i].model != NULL);
    }
}

static void test_whole_documents(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", SCAN_BAD_JSON, NULL, false},
        {" \n", SCAN_BAD_JSON, NULL, false},
        {"[]", SCAN_BAD_JSON, NULL, false},
        {"1", SCAN_BAD_JSON, NULL, false},
        {"null", SCAN_BAD_JSON, NULL, false},
        {"\"model\"", SCAN_BAD_JSON, NULL, false},
        {"{}", SCAN_NO_MODEL, NULL, false},
        {" { } ", SCAN_NO_MODEL, NULL, false},
        {"{} {}", SCAN_BAD_JSON, NULL, false},
        {"{}x", SCAN_BAD_JSON, NULL, false},
        {"{},", SCAN_BAD_JSON, NULL, false},
        {"\xEF\xBB\xBF{\"model\":\"m\"}", SCAN_BAD_JSON, NULL, false},
        {"{\"model\":\"m\"}#", SCAN_BAD_JSON, NULL, false},
        {"[{\"model\":\"m\"}]", SCAN_BAD_JSON, NULL, false},
        {"\xFF\xFE{\"", SCAN_BAD_JSON, NULL, false},
        {"{\"model\":\"m\"}\f", SCAN_BAD_JSON, NULL, false},
    };
    struct scan s;
    check_rows(rows, ARRAY_LEN(rows));
    assert_int_equal(scan_bytes("{}\0", 3, &s), SCAN_BAD_JSON);
    assert_int_equal(scan_bytes("{\"a\":\"\0\"}", 9, &s), SCAN_BAD_JSON);
    assert_int_equal(scan_bytes("\0", 1, &s), SCAN_BAD_JSON);
    assert_int_equal(scan_json((struct str){NULL, 0}, &limits, &s), SCAN_BAD_JSON);
}

static void test_model(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\"model\":\"Qwen/Qwen3-8B\"}", SCAN_OK, "Qwen/Qwen3-8B", false},
        {"{\"\\u006dodel\":\"m\"}", SCAN_OK, "m", false},
        {"{\"\\u006D\\u006F\\u0064\\u0065\\u006C\":\"m\"}", SCAN_OK, "m", false},
        {"{\"mod\\u0065l\":\"m\",\"model\":\"n\"}", SCAN_DUPLICATE_KEY, NULL, false},
        {"{\"model\":\"m\",\"model\":\"m\"}", SCAN_DUPLICATE_KEY, NULL, false},
        {"{\"model\":\"m\",\"x\":1,\"model\":2}", SCAN_DUPLICATE_KEY, NULL, false},
        {"{\"Model\":\"x\",\"model\":\"m\",\"MODEL\":\"y\"}", SCAN_OK, "m", false},
        {"{\"Model\":\"x\"}", SCAN_NO_MODEL, NULL, false},
        {"{\"model \":\"x\",\" model\":\"x\",\"model\\u0000\":\"x\"}", SCAN_NO_MODEL, NULL, false},
        {"{\"x\":{\"model\":\"m\"}}", SCAN_NO_MODEL, NULL, false},
        {"{\"x\":[{\"model\":\"a\"}],\"model\":\"m\",\"y\":{\"model\":1,\"stream\":3}}", SCAN_OK, "m", false},
        {"{\"model\":\"a\\/b\\\"c\\\\d\"}", SCAN_OK, "a/b\"c\\d", false},
        {"{\"model\":\"\\u4f60\\u597d\"}", SCAN_OK, "\xE4\xBD\xA0\xE5\xA5\xBD", false},
        {"{\"model\":\"\\uD83D\\uDE00\"}", SCAN_OK, "\xF0\x9F\x98\x80", false},
        {"{\"model\":\"\xE4\xBD\xA0\"}", SCAN_OK, "\xE4\xBD\xA0", false},
        {"{\"model\":\"\"}", SCAN_BAD_MODEL, NULL, false},
        {"{\"model\":null}", SCAN_BAD_MODEL, NULL, false},
        {"{\"model\":1}", SCAN_BAD_MODEL, NULL, false},
        {"{\"model\":true}", SCAN_BAD_MODEL, NULL, false},
        {"{\"model\":{}}", SCAN_BAD_MODEL, NULL, false},
        {"{\"model\":[\"m\"]}", SCAN_BAD_MODEL, NULL, false},
        {"{\"model\":\"\\uD800\"}", SCAN_BAD_MODEL, NULL, false},
        {"{\"model\":\"\\uDC00x\"}", SCAN_BAD_MODEL, NULL, false},
        {"{\"model\":\"\\uD800\\u0041\"}", SCAN_BAD_MODEL, NULL, false},
        {"{\"model\":\"\\uD800\\n\"}", SCAN_BAD_MODEL, NULL, false},
        {"{\"model\":\"a\\nb\"}", SCAN_BAD_MODEL, NULL, false},
        {"{\"model\":\"a\\u0000b\"}", SCAN_BAD_MODEL, NULL, false},
        {"{\"model\":\"a\\u007F\"}", SCAN_BAD_MODEL, NULL, false},
        {"{\"model\":\"a\\u009B\"}", SCAN_BAD_MODEL, NULL, false},
        {"{\"model\":\"\xFF\"}", SCAN_BAD_MODEL, NULL, false},
        {"{\"model\":\"\xC0\xAF\"}", SCAN_BAD_MODEL, NULL, false},
        {"{\"model\":\"\xED\xA0\x80\"}", SCAN_BAD_MODEL, NULL, false},
        {"{\"model\":\"\xE4\xBD\"}", SCAN_BAD_MODEL, NULL, false},
        {"{\"model\":1,}", SCAN_BAD_JSON, NULL, false}, /* grammar wins */
        {"{\"model\":\"m\",\"model\":\"m\"", SCAN_BAD_JSON, NULL, false},
        {"{\"model\":\"m\",\"stream\":true}", SCAN_OK, "m", true},
        {"{\"stream\":true,\"model\":\"m\"}", SCAN_OK, "m", true},
        {"{\"str\\u0065am\":true,\"model\":\"m\"}", SCAN_OK, "m", true},
        {"{\"model\":\"m\",\"stream\":false}", SCAN_OK, "m", false},
        {"{\"model\":\"m\",\"stream\":null}", SCAN_OK, "m", false},
        {"{\"model\":\"m\",\"Stream\":true}", SCAN_OK, "m", false},
        {"{\"model\":\"m\",\"stream\":1}", SCAN_BAD_STREAM, NULL, false},
        {"{\"model\":\"m\",\"stream\":\"true\"}", SCAN_BAD_STREAM, NULL, false},
        {"{\"model\":\"m\",\"stream\":[true]}", SCAN_BAD_STREAM, NULL, false},
        {"{\"model\":\"m\",\"stream\":{}}", SCAN_BAD_STREAM, NULL, false},
        {"{\"model\":\"m\",\"stream\":true,\"stream\":true}", SCAN_DUPLICATE_KEY, NULL, false},
        {"{\"stream\":true}", SCAN_NO_MODEL, NULL, true},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_model_length(void **state)
{
    (void)state;
    struct scan s;
    for (size_t n = 250; n < 260; n++) {
        struct buf b = BUF_INIT(1000);
        buf_puts(&b, "{\"model\":\"");
        for (size_t i = 0; i < n; i++) buf_putc(&b, 'x');
        buf_puts(&b, "\"}");
        assert_int_equal(scan_bytes(b.data, b.len, &s), n <= 256 ? SCAN_OK : SCAN_BAD_MODEL);
        assert_int_equal(strlen(s.model), n <= 256 ? n : 0);
        buf_free(&b);
    }
    const struct scan_limits small = {.max_depth = 3, .max_model = 3};
    assert_int_equal(scan_json(STR("{\"model\":\"abc\"}"), &small, &s), SCAN_OK);
    assert_int_equal(scan_json(STR("{\"model\":\"abcd\"}"), &small, &s), SCAN_BAD_MODEL);
    assert_int_equal(scan_json(STR("{\"model\":\"ab\\u00e9\"}"), &small, &s), SCAN_BAD_MODEL);
}

static enum scan_result nested(size_t depth, unsigned max, char open, bool closed)
{
    const struct scan_limits deep = {.max_depth = max, .max_model = 256};
    struct buf b = BUF_INIT(64 << 20);
    struct scan s;
    buf_puts(&b, "{\"model\":\"m\",\"x\":");
    for (size_t i = 1; i < depth; i++) buf_puts(&b, open == '[' ? "[" : i + 1 < depth ? "{\"a\":" : "{");
    for (size_t i = 1; closed && i < depth; i++) buf_putc(&b, open == '[' ? ']' : '}');
    buf_puts(&b, "}");
    enum scan_result r = scan_json(buf_str(&b), &deep, &s);
    buf_free(&b);
    return r;
}

static void test_depth(void **state)
{
    (void)state;
    for (const char *open = "[{"; *open; open++) {
        assert_int_equal(nested(512, 512, *open, true), SCAN_OK);
        assert_int_equal(nested(513, 512, *open, true), SCAN_TOO_DEEP);
        assert_int_equal(nested(4096, 1000000, *open, true), SCAN_OK);
        assert_int_equal(nested(4097, 1000000, *open, true), SCAN_TOO_DEEP);
        assert_int_equal(nested(5000000, 512, *open, false), SCAN_TOO_DEEP);
    }
    assert_int_equal(nested(2, 1, '[', true), SCAN_TOO_DEEP);
    assert_int_equal(nested(2, 2, '[', true), SCAN_OK);
    assert_int_equal(nested(10, 0, '[', true), SCAN_TOO_DEEP);
}

/* A quote, an escape and a control character at every position of the fast path's blocks. */
static void test_string_blocks(void **state)
{
    (void)state;
    struct scan s;
    static const struct {
        const char *piece;
        enum scan_result result;
    } pieces[] = {{"", SCAN_OK},           {"\\n", SCAN_OK},        {"\\u12aF", SCAN_OK},
                  {"\xFF", SCAN_OK},       {" ", SCAN_OK},          {"!", SCAN_OK},
                  {"#", SCAN_OK},          {"[", SCAN_OK},          {"]", SCAN_OK},
                  {"\x01", SCAN_BAD_JSON}, {"\x1F", SCAN_BAD_JSON}, {"\n", SCAN_BAD_JSON},
                  {"\\q", SCAN_BAD_JSON},  {"\"", SCAN_BAD_JSON},   {"\\u12g4", SCAN_BAD_JSON}};
    for (size_t before = 0; before < 200; before++) {
        for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
            struct buf b = BUF_INIT(2000);
            buf_puts(&b, "{\"x\":\"");
            for (size_t k = 0; k < before; k++) buf_putc(&b, 'A');
            buf_puts(&b, pieces[i].piece);
            for (size_t k = 0; k < 100; k++) buf_putc(&b, 'B');
            buf_puts(&b, "\",\"model\":\"m\"}");
            if (scan_bytes(b.data, b.len, &s) != pieces[i].result) fail_msg("%zu, piece %zu", before, i);
            buf_free(&b);
        }
    }
}

static void test_big_body(void **state)
{
    (void)state;
    struct scan s;
    size_t n = 32 << 20;
    struct buf b = BUF_INIT(40 << 20);
    buf_puts(&b, "{\"messages\":[{\"image\":\"data:");
    memset(buf_reserve(&b, n), 'A', n);
    buf_added(&b, n);
    buf_puts(&b, "\"}],\"model\":\"m\",\"stream\":true}");
    assert_int_equal(scan_json(buf_str(&b), &limits, &s), SCAN_OK);
    assert_true(s.stream);
    assert_memory_equal(b.data + s.model_at, "\"m\"", s.model_size);
    buf_free(&b);
}

/* ---- multipart ---- */

#define DISP(name) "Content-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define TYPE       "multipart/form-data; boundary=B"

static void test_multipart(void **state)
{
    (void)state;
    static const struct {
        const char *type, *body;
        enum scan_result result;
        const char *model;
    } rows[] = {
        {TYPE, "--B\r\n" DISP("model") "m\r\n--B--\r\n", SCAN_OK, "m"},
        {TYPE, "--B\r\n" DISP("model") "m\r\n--B--", SCAN_OK, "m"},
        {TYPE, "--B \t\r\n" DISP("model") "\r\nm\r\n\r\n--B--", SCAN_OK, "m"},
        {TYPE, "preamble\r\n--B\r\n" DISP("model") "m\r\n--B--\r\nepilogue --B", SCAN_OK, "m"},
        {TYPE, "--B\r\n" DISP("file") "x\r\n-B\r\n--b\r\n--B\r\n" DISP("model") "a b\r\n--B--", SCAN_OK, "a b"},
        {TYPE, "--B\r\ncontent-disposition:form-data;NAME=model\r\nContent-Type: text/plain\r\n\r\nm\r\n--B--", SCAN_OK,
         "m"},
        {TYPE, "--B\r\n" DISP("mod\\el") "m\r\n--B--", SCAN_OK, "m"},
        {TYPE, "--B\r\n" DISP("a; name=model") "m\r\n--B--", SCAN_NO_MODEL, ""},
        {TYPE, "--B\r\n" DISP("Model") "m\r\n--B--", SCAN_NO_MODEL, ""},
        {TYPE, "--B\r\n" DISP("file") "\r\n--B--", SCAN_NO_MODEL, ""},
        {TYPE, "--B\r\n" DISP("file") "--B--", SCAN_NO_MODEL, ""},
        {TYPE, "--B--", SCAN_NO_MODEL, ""},
        {TYPE, "--B\r\n" DISP("model") "m\r\n--B\r\n" DISP("model") "m\r\n--B--", SCAN_DUPLICATE_KEY, ""},
        {TYPE, "--B\r\n" DISP("model") "\r\n--B--", SCAN_BAD_MODEL, ""},
        {TYPE, "--B\r\n" DISP("model") "a\nb\r\n--B--", SCAN_BAD_MODEL, ""},
        {TYPE, "--B\r\n" DISP("model") "\xFF\r\n--B--", SCAN_BAD_MODEL, ""},
        {TYPE, "--B\r\nContent-Disposition: form-data; name=model; filename=x\r\n\r\nm\r\n--B--", SCAN_BAD_MODEL, ""},
        {TYPE, "", SCAN_BAD_MULTIPART, ""},
        {TYPE, "--B", SCAN_BAD_MULTIPART, ""},
        {TYPE, "--B\r\n", SCAN_BAD_MULTIPART, ""},
        {TYPE, "--B\r\n" DISP("model") "m", SCAN_BAD_MULTIPART, ""},
        {TYPE, "--B\r\n" DISP("model") "m\r\n--B\r\n", SCAN_BAD_MULTIPART, ""},
        {TYPE, "--B\r\n" DISP("model") "m\r\n--C--", SCAN_BAD_MULTIPART, ""},
        {TYPE, "--B\r\n" DISP("model") "m\r\n--Bx\r\n", SCAN_BAD_MULTIPART, ""},
        {TYPE, "--B\n" DISP("model") "m\r\n--B--", SCAN_BAD_MULTIPART, ""},
        {TYPE, "--B\r\nContent-Disposition: form-data; name=\"model\"\n\nm\r\n--B--", SCAN_BAD_MULTIPART, ""},
        {TYPE, "--B\r\n\r\nm\r\n--B--", SCAN_BAD_MULTIPART, ""},
        {TYPE, "--B\r\nno colon\r\n\r\nm\r\n--B--", SCAN_BAD_MULTIPART, ""},
        {TYPE, "--B\r\nX: y\r\n--B: z\r\n" DISP("model") "m\r\n--B--", SCAN_BAD_MULTIPART, ""},
        {TYPE, "--B\r\nContent-Disposition: form-data; name=x; name=model\r\n\r\nm\r\n--B--", SCAN_BAD_MULTIPART, ""},
        {TYPE, "--B\r\nContent-Disposition: form-data; name=\"x\r\n\r\nm\r\n--B--", SCAN_BAD_MULTIPART, ""},
        {TYPE, "--B\r\nContent-Disposition: attachment; name=model\r\n\r\nm\r\n--B--", SCAN_BAD_MULTIPART, ""},
        {"multipart/form-data; boundary=\"a b\"", "--a b\r\n" DISP("model") "m\r\n--a b--", SCAN_OK, "m"},
        {"Multipart/Form-Data; charset=x; Boundary=B;", "--B\r\n" DISP("model") "m\r\n--B--", SCAN_OK, "m"},
        {"multipart/form-data", "--B--", SCAN_BAD_MULTIPART, ""},
        {"multipart/form-data; boundary=", "--B--", SCAN_BAD_MULTIPART, ""},
        {"multipart/form-data; boundary=\"\"", "----", SCAN_BAD_MULTIPART, ""},
        {"multipart/form-data; boundary=\"B", "--B--", SCAN_BAD_MULTIPART, ""},
        {"multipart/form-data; boundary=B; boundary=C", "--B--", SCAN_BAD_MULTIPART, ""},
        {"multipart/mixed; boundary=B", "--B--", SCAN_BAD_MULTIPART, ""},
        {"", "--B--", SCAN_BAD_MULTIPART, ""},
    };
    struct scan s;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum scan_result r = scan_multipart(str_of(rows[i].body), str_of(rows[i].type), &limits, &s);
        if (r != rows[i].result || strcmp(s.model, rows[i].model) != 0) fail_msg("row %zu: %d %s", i, r, s.model);
        assert_int_equal(s.model_size, s.model_len);
        assert_memory_equal(rows[i].body + s.model_at, s.model, s.model_len);
    }
}

static void test_multipart_sizes(void **state)
{
    (void)state;
    struct scan s;
    struct buf b = BUF_INIT(64 << 20), type = BUF_INIT(2 << 20);
    for (int i = 0; i < 100000; i++) buf_puts(&b, "--B\r\n" DISP("x") "y\r\n");
    buf_puts(&b, "--B\r\n" DISP("model") "m\r\n--B--");
    assert_int_equal(scan_multipart(buf_str(&b), STR(TYPE), &limits, &s), SCAN_OK);
    assert_string_equal(s.model, "m");
    for (size_t n = 69; n <= 1 << 20; n = n < 72 ? n + 1 : n * 16) {
        buf_reset(&type);
        buf_puts(&type, "multipart/form-data; boundary=");
        for (size_t i = 0; i < n; i++) buf_putc(&type, 'b');
        struct str boundary = {type.data + 30, n};
        buf_reset(&b);
        buf_printf(&b, "--%.*s\r\n" DISP("model") "m\r\n--%.*s--", STR_ARG(boundary), STR_ARG(boundary));
        enum scan_result r = scan_multipart(buf_str(&b), buf_str(&type), &limits, &s);
        assert_int_equal(r, n <= 70 ? SCAN_OK : SCAN_BAD_MULTIPART);
    }
    buf_reset(&b);
    buf_puts(&b, "--B\r\n");
    for (int i = 0; i < 1000000; i++) buf_puts(&b, "X: y\r\n"); /* a header block without end */
    assert_int_equal(scan_multipart(buf_str(&b), STR(TYPE), &limits, &s), SCAN_BAD_MULTIPART);
    buf_free(&b);
    buf_free(&type);
}

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        const char *body, *uri, *voice;
    } cases[] = {
        {"{\"model\":\"m\",\"uri\":\"a\",\"voice\":\"b\"}", "a", "b"},
        {"{\"uri\":\"a\"}", "a", ""},
        {"{}", "", ""},
        {"{\"\\u0075r\\u0069\":\"\\u4f60\\/\"}", "\xe4\xbd\xa0/", ""},
        {"{\"uri\":\"a\",\"uri\":\"b\"}", "b", ""}, /* the last one counts, whatever it is */
        {"{\"uri\":\"a\",\"uri\":7}", "", ""},
        {"{\"uri\":{\"uri\":\"x\"},\"voice\":[\"y\"]}", "", ""},
        {"{\"x\":{\"uri\":\"a\"},\"URI\":\"b\",\"uri \":\"c\"}", "", ""},
        {"{\"uri\":\"\",\"voice\":null}", "", ""},
        {"{\"uri\":\"a\\u0000b\",\"voice\":\"a\\nb\"}", "", ""},
        {"{\"uri\":\"\\ud800\"}", "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scan_text texts[] = {{.name = "uri", .value = "old"}, {.name = "voice", .value = "old"}};
        struct scan_limits with = {.max_depth = 512, .max_model = 256, .texts = texts, .text_count = 2};
        struct scan s;
        enum scan_result r = scan_json(str_of(cases[i].body), &with, &s);
        assert_true(r == SCAN_OK || r == SCAN_NO_MODEL);
        assert_string_equal(texts[0].value, cases[i].uri);
        assert_string_equal(texts[1].value, cases[i].voice);
    }
}

static void test_text_length(void **state)
{
    (void)state;
    struct scan_text text = {.name = "uri"};
    struct scan_limits with = {.max_depth = 512, .max_model = 256, .texts = &text, .text_count = 1};
    struct scan s;
    char body[300];
    for (int n = 190; n <= 193; n++) {
        int len = snprintf(body, sizeof body, "{\"uri\":\"%0*d\"}", n, 0);
        scan_json((struct str){body, (size_t)len}, &with, &s);
        assert_int_equal(strlen(text.value), n <= 191 ? n : 0);
    }
}

static void test_sentences(void **state)
{
    (void)state;
    for (int r = SCAN_OK; r <= SCAN_BAD_MULTIPART; r++) assert_non_null(scan_sentence((enum scan_result)r));
    assert_non_null(strstr(scan_sentence(SCAN_BAD_MODEL), "`model`"));
    assert_non_null(strstr(scan_sentence(SCAN_BAD_STREAM), "`stream`"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_values),     cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_prefixes),        cmocka_unit_test(test_whole_documents),
        cmocka_unit_test(test_model),           cmocka_unit_test(test_model_length),
        cmocka_unit_test(test_depth),           cmocka_unit_test(test_string_blocks),
        cmocka_unit_test(test_big_body),        cmocka_unit_test(test_multipart),
        cmocka_unit_test(test_multipart_sizes), cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_texts),           cmocka_unit_test(test_text_length),
    };
    return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
