/* Routes: every spelling of a path, what is refused, which limits and which dialect follow from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/route.h"

static enum route_result find(const char *method, const char *path, struct route *out, const char **allow)
{
    struct head h = {.method = str_of(method), .path = str_of(path), .is_head = strcmp(method, "HEAD") == 0};
    *out = (struct route){.path = "untouched"};
    return route_find(&h, out, allow);
}

static void test_pooled(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        enum body_kind body;
        enum dialect dialect;
        bool upload;
    } rows[] = {{"chat/completions", BODY_JSON, DIALECT_OPENAI, false},
                {"completions", BODY_JSON, DIALECT_OPENAI, false},
                {"embeddings", BODY_JSON, DIALECT_OPENAI, false},
                {"rerank", BODY_JSON, DIALECT_OPENAI, false},
                {"images/generations", BODY_JSON, DIALECT_OPENAI, false},
                {"audio/speech", BODY_JSON, DIALECT_OPENAI, false},
                {"audio/transcriptions", BODY_MULTIPART, DIALECT_OPENAI, true},
                {"messages", BODY_JSON, DIALECT_ANTHROPIC, false}};
    static const char *const spellings[] = {"/v1/%s", "/%s", "//v1//%s", "/v1/v1/%s", "/v1/%s/", "/v1/%s//", "///%s"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t k = 0; k < ARRAY_LEN(spellings); k++) {
            char path[128];
            struct route r;
            const char *allow;
            const char *mark = strstr(spellings[k], "%s");
            snprintf(path, sizeof path, "%.*s%s%s", (int)(mark - spellings[k]), spellings[k], rows[i].path, mark + 2);
            assert_int_equal(find("POST", path, &r, &allow), ROUTE_FOUND);
            assert_int_equal(r.kind, ROUTE_KIND_POOLED);
            assert_string_equal(r.path, rows[i].path);
            assert_int_equal(r.body, rows[i].body);
            assert_int_equal(r.dialect, rows[i].dialect);
            assert_int_equal(r.upload, rows[i].upload);
            assert_int_equal(find("GET", path, &r, &allow), ROUTE_BAD_METHOD);
            assert_string_equal(allow, "POST, OPTIONS");
            assert_int_equal(r.dialect, rows[i].dialect); /* the refusal is written in it */
        }
    }
}

static void test_forwarded(void **state)
{
    (void)state;
    static const struct {
        const char *path, *normal;
        bool upload;
    } rows[] = {{"/video/status", "video/status", false},
                {"/files", "files", true},
                {"/v1/files/file-1/content", "files/file-1/content", true},
                {"/batches/batch_1/cancel", "batches/batch_1/cancel", false},
                {"/v1/uploads/audio/voice", "uploads/audio/voice", true},
                {"/audio/voice/list", "audio/voice/list", false},
                {"/v1/user/info", "user/info", true},
                {"/v1/chat/completions/x", "chat/completions/x", true},
                {"/v1/healthz", "healthz", true},
                {"/v1/.hidden", ".hidden", true}};
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    struct route r;
    const char *allow;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t k = 0; k < ARRAY_LEN(methods); k++) {
            assert_int_equal(find(methods[k], rows[i].path, &r, &allow), ROUTE_FOUND);
            assert_int_equal(r.kind, ROUTE_KIND_FORWARD);
            assert_string_equal(r.path, rows[i].normal);
            assert_int_equal(r.upload, rows[i].upload);
        }
        assert_int_equal(find("BREW", rows[i].path, &r, &allow), ROUTE_BAD_METHOD);
        assert_string_equal(allow, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    }
    assert_int_equal(find("POST", "/v1/messages/count_tokens", &r, &allow), ROUTE_FOUND);
    assert_int_equal(r.kind, ROUTE_KIND_FORWARD);
    assert_int_equal(r.dialect, DIALECT_ANTHROPIC);
}

static void test_not_offered(void **state)
{
    (void)state;
    static const char *const paths[] = {"/v1/responses",         "/responses",        "/v1/v1/responses/r/cancel",
                                        "/v1/realtime",          "//v1//moderations", "/images/edits",
                                        "/v1/images/variations/"};
    struct route r;
    const char *allow;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        assert_int_equal(find("POST", paths[i], &r, &allow), ROUTE_NOT_OFFERED);
        assert_non_null(strstr(allow, "/v1/chat/completions") ? allow : strstr(allow, "/v1/images/generations"));
    }
    assert_int_equal(find("POST", "/v1/responsesx", &r, &allow), ROUTE_FOUND);
    assert_int_equal(find("POST", "/v1/video/submit", &r, &allow), ROUTE_FOUND);
    assert_int_equal(r.kind, ROUTE_KIND_POOLED);
    assert_int_equal(find("GET", "/v1/video/submit", &r, &allow), ROUTE_BAD_METHOD);
}

static void test_own(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"/models", "models"},
                                          {"/v1/models", "models"},
                                          {"/v1//models/", "models"},
                                          {"/v1/models/Qwen/Qwen3-8B", "models/Qwen/Qwen3-8B"},
                                          {"/v1/models/Qwen%2FQwen3-8B", "models/Qwen/Qwen3-8B"},
                                          {"/models/a%2fb%2Dc", "models/a/b-c"},
                                          {"/healthz", "healthz"},
                                          {"/", ""},
                                          {"/admin/api/keys", "admin/api/keys"},
                                          {"/v1", "v1"},
                                          {"/v1x/y", "v1x/y"},
                                          {"/V1/models", "V1/models"}};
    struct route r;
    const char *allow;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(find("GET", rows[i][0], &r, &allow), ROUTE_FOUND);
        assert_int_equal(r.kind, ROUTE_KIND_OWN);
        assert_string_equal(r.path, rows[i][1]);
    }
    assert_int_equal(find("HEAD", "/v1/models", &r, &allow), ROUTE_FOUND);
    assert_int_equal(find("POST", "/v1/models", &r, &allow), ROUTE_BAD_METHOD);
    assert_string_equal(allow, "GET, HEAD, OPTIONS");
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const paths[] = {"",
                                        "*",
                                        "v1/models",
                                        "/v1/..",
                                        "/v1/../admin",
                                        "/./v1",
                                        "/a/./b",
                                        "/v1/files/.",
                                        "/v1/%66iles",
                                        "/v1/files/%2e%2e",
                                        "/%76%31/files",
                                        "/v1/chat%2Fcompletions",
                                        "/v1/a b",
                                        "/v1/\xe4",
                                        "/v1/models/%",
                                        "/v1/models/%2",
                                        "/v1/models/%zz",
                                        "/v1/models/a%00b",
                                        "/v1/a\\b",
                                        "/v1/<x>",
                                        "/v1/models/%2e%2e",
                                        "/v1/models/a%2F..%2F..%2Fadmin",
                                        "/v1/models/%41%20",
                                        "/v1/a|b"};
    struct route r;
    const char *allow;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (find("GET", paths[i], &r, &allow) != ROUTE_NOT_FOUND) fail_msg("%s was taken", paths[i]);
}

static void test_long_paths(void **state)
{
    (void)state;
    char path[2000];
    struct route r;
    const char *allow;
    memset(path, 'a', sizeof path);
    memcpy(path, "/v1/", 4);
    for (size_t n = 1000; n < 1100; n++) {
        path[n] = '\0';
        assert_int_equal(find("GET", path, &r, &allow), n < 1024 ? ROUTE_FOUND : ROUTE_NOT_FOUND);
        if (n < 1024) assert_int_equal(strlen(r.path), n - 4);
        path[n] = 'a';
    }
    memset(path + 4, '/', sizeof path - 4); /* slashes that collapse do not count */
    memcpy(path + 1990, "files", 6);
    assert_int_equal(find("GET", path, &r, &allow), ROUTE_FOUND);
    assert_string_equal(r.path, "files");
}

static void test_path_alone(void **state)
{
    (void)state;
    char out[32];
    assert_true(route_path(STR("//v1///models/"), false, out, sizeof out));
    assert_string_equal(out, "/v1/models");
    assert_true(route_path(STR("/v1/v1/models"), true, out, sizeof out));
    assert_string_equal(out, "/models");
    assert_true(route_path(STR("/"), true, out, sizeof out));
    assert_string_equal(out, "/");
    assert_true(route_path(STR("/...//..a/b.."), true, out, sizeof out));
    assert_string_equal(out, "/.../..a/b..");
    assert_false(route_path(STR("/a/.."), true, out, sizeof out));
    assert_false(route_path(STR("/%41"), true, out, sizeof out));
    assert_false(route_path(STR("/0123456789012345678901234567890"), true, out, sizeof out));
    assert_true(route_path(STR("/012345678901234567890123456789"), true, out, sizeof out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pooled),      cmocka_unit_test(test_forwarded),
                                       cmocka_unit_test(test_not_offered), cmocka_unit_test(test_own),
                                       cmocka_unit_test(test_refused),     cmocka_unit_test(test_long_paths),
                                       cmocka_unit_test(test_path_alone)};
    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
