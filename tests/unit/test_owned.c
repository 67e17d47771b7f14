/* Which requests are about things that one account owns, and what answers teach. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "proxy/owned.h"

static struct owned_want find(const char *method, const char *path, const char *body)
{
    struct scan_text texts[OWNED_TEXTS];
    struct scan_limits limits = {.max_depth = 64, .max_model = 256, .texts = texts, .text_count = OWNED_TEXTS};
    struct scan scan;
    struct owned_want want;
    owned_texts(texts);
    scan_json(str_of(body), &limits, &scan);
    owned_find(str_of(method), path, texts, &want);
    return want;
}

static void requests(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *body;
        enum owned_rule rule;
        enum sticky_kind kind;
        const char *id;
        bool around;
    } cases[] = {
        {"POST", "video/submit", "{}", OWNED_MAKE, STICKY_VIDEO, "", false},
        {"POST", "video/status", "{\"requestId\":\"r\"}", OWNED_USE, STICKY_VIDEO, "r", true},
        {"POST", "video/status", "{}", OWNED_NOT, 0, "", false},
        {"GET", "video/status", "{\"requestId\":\"r\"}", OWNED_NOT, 0, "", false},
        {"GET", "files", "", OWNED_LIST, STICKY_FILE, "", false},
        {"POST", "files", "", OWNED_MAKE, STICKY_FILE, "", false},
        {"GET", "files/f-1", "", OWNED_USE, STICKY_FILE, "f-1", true},
        {"HEAD", "files/f-1/content", "", OWNED_USE, STICKY_FILE, "f-1", true},
        {"DELETE", "files/f-1", "", OWNED_USE, STICKY_FILE, "f-1", false},
        {"PUT", "files/f-1", "", OWNED_USE, STICKY_FILE, "f-1", false},
        {"PUT", "files", "", OWNED_NOT, 0, "", false},
        {"GET", "batches", "", OWNED_LIST, STICKY_BATCH, "", false},
        {"POST", "batches", "{\"input_file_id\":\"f\"}", OWNED_USE, STICKY_FILE, "f", false},
        {"POST", "batches", "{\"input_file_id\":1}", OWNED_NOT, 0, "", false},
        {"GET", "batches/b", "", OWNED_USE, STICKY_BATCH, "b", true},
        {"POST", "batches/b/cancel", "{}", OWNED_USE, STICKY_BATCH, "b", false},
        {"POST", "uploads/audio/voice", "", OWNED_MAKE, STICKY_VOICE, "", false},
        {"GET", "audio/voice/list", "", OWNED_LIST, STICKY_VOICE, "", false},
        {"POST", "audio/voice/deletions", "{\"uri\":\"speech:a:b:c\"}", OWNED_USE, STICKY_VOICE, "speech:a:b:c", false},
        {"POST", "audio/speech", "{\"voice\":\"speech:a:b:c\"}", OWNED_USE, STICKY_VOICE, "speech:a:b:c", false},
        {"POST", "audio/speech", "{\"voice\":\"m/m:alex\"}", OWNED_NOT, 0, "", false},
        {"POST", "audio/speech", "{}", OWNED_NOT, 0, "", false},
        {"POST", "chat/completions", "{\"uri\":\"x\",\"voice\":\"speech:a:b:c\"}", OWNED_NOT, 0, "", false},
        {"GET", "filesystem/x", "", OWNED_NOT, 0, "", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct owned_want w = find(cases[i].method, cases[i].path, cases[i].body);
        assert_int_equal(w.rule, cases[i].rule);
        assert_string_equal(w.id, cases[i].id);
        if (w.rule == OWNED_NOT) continue;
        assert_int_equal(w.kind, cases[i].kind);
        assert_int_equal(w.may_ask_around, cases[i].around);
        assert_true(owned_may_be(cases[i].path));
    }
    assert_false(owned_may_be("chat/completions"));
}

static void note(void *arg, enum sticky_kind kind, struct str id)
{
    buf_printf(arg, "%s=%.*s ", sticky_kind_name(kind), STR_ARG(id));
}

static void answers(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *body, *answer, *learned;
    } cases[] = {
        {"POST", "video/submit", "{}", "{\"requestId\":\"r\"}", "video=r "},
        {"POST", "video/submit", "{}", "{\"requestId\":\"r\"", ""},
        {"POST", "files", "", "{\"code\":20000,\"data\":{\"id\":\"f\"}}", "file=f "},
        {"POST", "files", "", "{\"id\":\"f\",\"object\":\"file\"}", "file=f "},
        {"POST", "batches", "{\"input_file_id\":\"f\"}",
         "{\"id\":\"b\",\"input_file_id\":\"f\",\"output_file_id\":null}", "batch=b file=f "},
        {"GET", "batches/b", "", "{\"id\":\"b\",\"output_file_id\":\"o\",\"error_file_id\":\"e\"}",
         "batch=b file=o file=e "},
        {"POST", "uploads/audio/voice", "", "{\"uri\":\"speech:a:b:c\"}", "voice=speech:a:b:c "},
        {"POST", "video/status", "{\"requestId\":\"r\"}", "{\"requestId\":\"other\"}", ""},
        {"POST", "chat/completions", "{}", "{\"id\":\"x\"}", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct owned_want w = find(cases[i].method, cases[i].path, cases[i].body);
        struct buf seen = BUF_INIT(1000);
        owned_answer(&w, str_of(cases[i].answer), note, &seen);
        assert_string_equal(buf_cstr(&seen), cases[i].learned);
        buf_free(&seen);
    }
}

static void hints(void **state)
{
    (void)state;
    struct owned_want w = find("POST", "audio/speech", "{\"voice\":\"speech:name:account:x\"}");
    assert_true(str_is(owned_hint(&w), "account"));
    w = find("POST", "audio/speech", "{\"voice\":\"speech:name:account\"}");
    assert_int_equal(owned_hint(&w).n, 0);
    w = find("GET", "files/a:b:c:d", "");
    assert_int_equal(owned_hint(&w).n, 0);
    w = find("DELETE", "files/x", "");
    assert_true(owned_was_deleted(&w));
    w = find("GET", "files/x", "");
    assert_false(owned_was_deleted(&w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(requests), cmocka_unit_test(answers), cmocka_unit_test(hints)};
    return cmocka_run_group_tests_name("owned", tests, NULL, NULL);
}
