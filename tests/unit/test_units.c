/* What is paid by the piece: bytes of a text to speak, pictures and videos of an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proxy/units.h"

static void bytes_to_speak(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int64_t n;
    } rows[] = {
        {"{\"model\":\"m\",\"input\":\"hello\"}", 5},
        {"{ \"input\" : \"\xE4\xBD\xA0\xE5\xA5\xBD\" }", 6},
        {"{\"input\":\"\\u4f60\\u597D\"}", 6},
        {"{\"input\":\"\\ud83d\\ude00\"}", 4},
        {"{\"input\":\"a\\n\\\"\\\\\\u00e9\\u0041\"}", 7},
        {"{\"input\":\"\"}", 0},
        {"{\"input\":[\"a\"]}", 0},
        {"{\"input\":12}", 0},
        {"{\"x\":{\"input\":\"abc\"}}", 0},
        {"{}", 0},
        {"", 0},
        {"{\"input\":\"abc\"", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (units_of_speech(str_of(rows[i].body)) != rows[i].n) fail_msg("%s", rows[i].body);
}

static void pictures(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        int64_t n;
    } rows[] = {
        {"{\"images\":[{\"url\":\"a\"},{\"url\":\"b\"}],\"data\":[{\"url\":\"a\"},{\"url\":\"b\"}],\"seed\":1}", 2},
        {"{\"created\":1,\"data\":[{\"url\":\"],[\"}]}", 1},
        {"{\"images\":[]}", 0},
        {"{\"images\":[{\"url\":\"a\"}", 0},
        {"{\"images\":3}", 0},
        {"", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (units_of_images(str_of(rows[i].answer)) != rows[i].n) fail_msg("%s", rows[i].answer);
}

static void videos(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        int64_t n;
    } rows[] = {
        {"{\"requestId\":\"k6c86xim31fv\"}", 1},
        {"{\"x\":{\"requestId\":\"inner\"}}", 0},
        {"{\"requestId\":\"\"}", 0},
        {"{\"requestId\":null}", 0},
        {"{\"requestId\":\"k\"", 0},
        {"{}", 0},
        {"", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (units_of_video(str_of(rows[i].answer)) != rows[i].n) fail_msg("%s", rows[i].answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_to_speak), cmocka_unit_test(pictures),
                                       cmocka_unit_test(videos)};
    return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
