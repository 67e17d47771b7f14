/* Files, clocks, digests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/secret.h"

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/sfproxy-io-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static const char *in_dir(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void replace_and_read(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(10), why = BUF_INIT(500);
    struct stat st;
    assert_true(file_replace(in_dir("f"), STR("first"), &why));
    assert_true(file_replace(in_dir("f"), STR("0123456789"), &why));
    assert_int_equal(stat(in_dir("f"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(file_read(in_dir("f"), &out, &why)); /* exactly as large as the cap */
    assert_string_equal(buf_cstr(&out), "0123456789");
    assert_true(file_replace(in_dir("f"), STR("0123456789a"), &why));
    buf_reset(&out);
    assert_false(file_read(in_dir("f"), &out, &why));
    assert_non_null(strstr(buf_cstr(&why), "larger than 10 bytes"));
    unlink(in_dir("f"));
    buf_free(&out);
    buf_free(&why);
}

static void failures_are_sentences(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(10), why = BUF_INIT(500);
    assert_false(file_read(in_dir("missing"), &out, &why));
    assert_non_null(strstr(buf_cstr(&why), "No such file"));
    buf_reset(&why);
    assert_false(file_read(dir, &out, &why));
    assert_non_null(strstr(buf_cstr(&why), "directory"));
    buf_reset(&why);
    assert_false(file_replace(in_dir("no/such/f"), STR("x"), &why));
    assert_true(why.len > 0);
    buf_free(&out);
    buf_free(&why);
}

static void directories(void **state)
{
    (void)state;
    struct buf why = BUF_INIT(500);
    struct stat st;
    assert_true(dir_make(in_dir("a/b/c"), &why));
    assert_true(dir_make(in_dir("a/b/c"), &why));
    assert_int_equal(stat(in_dir("a/b"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_true(file_replace(in_dir("a/file"), STR(""), &why));
    assert_false(dir_make(in_dir("a/file"), &why));
    assert_false(dir_make("", &why));
    assert_true(dir_make("/", &why));
    unlink(in_dir("a/file"));
    rmdir(in_dir("a/b/c"));
    rmdir(in_dir("a/b"));
    rmdir(in_dir("a"));
    buf_free(&why);
}

static int remove_dir(void **state)
{
    (void)state;
    return rmdir(dir); /* also proves that no temporary file was left */
}

static void zones_and_days(void **state)
{
    (void)state;
    char out[40];
    assert_false(clock_has_timezone("No/Where"));
    assert_false(clock_has_timezone("../../etc/passwd"));
    assert_false(clock_has_timezone("/etc/localtime"));
    assert_false(clock_has_timezone("Asia"));
    assert_false(clock_has_timezone(""));
    assert_true(clock_set_timezone("Asia/Shanghai"));
    wall_t t = {1795413751104}; /* 2026-11-23T06:02:31.104Z */
    wall_format(t, out, sizeof out);
    assert_string_equal(out, "2026-11-23T14:02:31.104+08:00");
    wall_format_time(t, out, sizeof out);
    assert_string_equal(out, "14:02:31");
    assert_int_equal(wall_day(t), 20261123);
    wall_t midnight = wall_next_midnight(t);
    assert_int_equal(wall_day((wall_t){midnight.ms - 1}), 20261123);
    assert_int_equal(wall_day(midnight), 20261124);
}

static void digests(void **state)
{
    (void)state;
    uint8_t d[DIGEST_LEN];
    char hex[2 * DIGEST_LEN + 1];
    sha256(STR("abc"), d);
    hex_encode(d, sizeof d, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(secret_equal(STR("key"), STR("key")));
    assert_false(secret_equal(STR("key"), STR("key ")));
    assert_true(secret_equal((struct str){NULL, 0}, STR("")));
    char one[33], two[33];
    random_hex(16, one);
    random_hex(16, two);
    assert_int_equal(strlen(one), 32);
    assert_string_not_equal(one, two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replace_and_read), cmocka_unit_test(failures_are_sentences),
        cmocka_unit_test(directories),      cmocka_unit_test(zones_and_days),
        cmocka_unit_test(digests),
    };
    return cmocka_run_group_tests_name("io, clock, secret", tests, make_dir, remove_dir);
}
