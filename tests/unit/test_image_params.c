/* OpenAI's parameters for pictures against what goes to the platform, as tables; then the bodies of chat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proxy/image_params.h"

typedef bool params_fn(struct str, struct str, struct image_ask *, struct buf *);

/* Without a NUL behind the body: ASan sees a step too far. */
static bool run(params_fn *fn, const char *text, const char *model, struct image_ask *ask, struct buf *out)
{
    size_t n = strlen(text);
    char *copy = xmalloc(n ? n : 1);
    memcpy(copy, text, n);
    buf_reset(out);
    bool good = fn((struct str){copy, n}, str_of(model), ask, out);
    free(copy);
    return good;
}

#define KOLORS "Kwai-Kolors/Kolors"
#define QWEN   "Qwen/Qwen-Image"
#define EDIT   "Qwen/Qwen-Image-Edit-2509"
#define ZIMAGE "Tongyi-MAI/Z-Image-Turbo"

struct row {
    const char *model, *body, *expected; /* NULL: unchanged */
};

static const struct row rows[] = {
    /* the platform's own parameters: byte for byte */
    {KOLORS, "{ \"image_size\" : \"1024x1024\" , \"batch_size\":2 }", NULL},
    {KOLORS, "{\"image_size\":null}", NULL},
    {QWEN, "{\"image_size\":\"1x1\",\"num_inference_steps\":3,\"cfg\":4}", NULL},
    {EDIT, "{\"image\":\"data:x\"}", NULL},
    {ZIMAGE, "{\"prompt\":\"x\"}", NULL},
    {"a/new-model", "{\"prompt\":\"x\",\"whatever\":{\"size\":1,\"n\":2}}", NULL},
    {"black-forest-labs/FLUX.2-flex", "{\"steps\":9}", NULL},
    /* size */
    {KOLORS, "{\"prompt\":\"x\"}", "{\"prompt\":\"x\",\"image_size\":\"1024x1024\"}"},
    {QWEN, "{}", "{\"image_size\":\"1328x1328\"}"},
    {KOLORS, "{\"size\":\"960x1280\"}", "{\"image_size\":\"960x1280\"}"},
    {KOLORS, "{\"size\":\"7x7\"}", "{\"image_size\":\"7x7\"}"},
    {KOLORS, "{\"size\":\"auto\"}", "{\"image_size\":\"1024x1024\"}"},
    {KOLORS, "{\"size\":null}", "{\"image_size\":\"1024x1024\"}"},
    {KOLORS, "{\"s\\u0069ze\":\"960x1280\"}", "{\"image_size\":\"960x1280\"}"},
    {KOLORS, "{\"size\":\"1x1\",\"image_size\":\"2x2\"}", "{\"image_size\":\"2x2\"}"},
    {ZIMAGE, "{\"size\":\"auto\",\"seed\":1}", "{\"seed\":1}"},
    {ZIMAGE, "{\"size\":\"512x512\"}", "{\"image_size\":\"512x512\"}"},
    {EDIT, "{\"size\":\"512x512\",\"image\":\"u\"}", "{\"image\":\"u\"}"},
    {"a/new-model", "{\"size\":\"huge\"}", "{\"image_size\":\"huge\"}"},
    {"a/new-model", "{\"size\":[1]}", "{\"image_size\":[1]}"},
    {"FLUX.1-Kontext-max", "{\"size\":\"1792x1024\"}", "{\"aspect_ratio\":\"7:4\"}"},
    {"FLUX.1-Kontext-max", "{\"size\":\"0x0\"}", "{\"image_size\":\"0x0\"}"},
    {"FLUX.1-Kontext-max", "{\"size\":\"1x1\",\"aspect_ratio\":\"9:21\"}", "{\"aspect_ratio\":\"9:21\"}"},
    {"FLUX-1.1-pro", "{\"size\":\"1024x768\"}", "{\"width\":1024,\"height\":768}"},
    {"FLUX-1.1-pro", "{\"size\":\"1024x768\",\"width\":256}", "{\"width\":256}"},
    /* quality, steps */
    {QWEN, "{\"image_size\":\"1x1\",\"quality\":\"hd\"}", "{\"image_size\":\"1x1\",\"num_inference_steps\":50}"},
    {QWEN, "{\"image_size\":\"1x1\",\"quality\":\"high\",\"steps\":7}",
     "{\"image_size\":\"1x1\",\"num_inference_steps\":7}"},
    {QWEN, "{\"image_size\":\"1x1\",\"quality\":\"standard\"}", "{\"image_size\":\"1x1\"}"},
    {QWEN, "{\"image_size\":\"1x1\",\"steps\":7,\"num_inference_steps\":8}",
     "{\"image_size\":\"1x1\",\"num_inference_steps\":8}"},
    {ZIMAGE, "{\"quality\":\"hd\",\"steps\":7}", "{}"},
    {"a/new-model", "{\"quality\":\"hd\"}", "{}"},
    {"a/new-model", "{\"steps\":7}", "{\"num_inference_steps\":7}"},
    {"black-forest-labs/FLUX.2-flex", "{\"quality\":\"hd\"}", "{\"steps\":50}"},
    /* what means nothing to the platform; the rest stays as it is written */
    {ZIMAGE,
     "{\"style\":\"vivid\", \"prompt\" : \"\\u732b \\ud800\" ,\"user\":\"u\",\"n\":1,\"big\":123456789012345678901,"
     "\"background\":\"x\",\"moderation\":\"low\",\"response_format\":\"url\"}",
     "{\"prompt\" : \"\\u732b \\ud800\",\"big\":123456789012345678901}"},
    {ZIMAGE, "{\"n\":null}", "{}"},
};

static void bodies(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(65536);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct image_ask ask;
        assert_true(run(image_params, rows[i].body, rows[i].model, &ask, &out));
        if (ask.changed != (rows[i].expected != NULL)) print_error("%s %s\n", rows[i].model, rows[i].body);
        assert_int_equal(ask.changed, rows[i].expected != NULL);
        if (rows[i].expected) assert_string_equal(buf_cstr(&out), rows[i].expected);
        assert_int_equal(ask.n, 1);
        assert_false(ask.b64);
    }
    buf_free(&out);
}

static void asked_of_us(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(65536);
    struct image_ask ask;
    assert_true(run(image_params, "{\"n\":4,\"response_format\":\"b64_json\"}", ZIMAGE, &ask, &out));
    assert_int_equal(ask.n, 4);
    assert_true(ask.b64 && ask.changed);
    assert_string_equal(buf_cstr(&out), "{}");
    assert_true(run(image_params, "{\"n\":2,\"n\":3}", ZIMAGE, &ask, &out)); /* the last one, as in most parsers */
    assert_int_equal(ask.n, 3);
    static const char *const wrong[] = {"{\"n\":0}",
                                        "{\"n\":5}",
                                        "{\"n\":-1}",
                                        "{\"n\":1.0}",
                                        "{\"n\":\"2\"}",
                                        "{\"n\":18446744073709551617}",
                                        "{\"n\":true}",
                                        "{\"n\":[1]}",
                                        "{\"response_format\":\"png\"}",
                                        "{\"response_format\":1}"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_false(run(image_params, wrong[i], KOLORS, &ask, &out));
        assert_non_null(strchr(ask.why, '\''));
    }
    buf_free(&out);
}

static const struct row chats[] = {
    {KOLORS,
     "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\","
     "\"content\":\"a \\\"cat\\\"\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"make "
     "it\"},{\"type\":"
     "\"text\",\"text\":\"blue\"}]}],\"temperature\":1,\"n\":3,\"prompt\":\"no\"}",
     "{\"model\":\"m\",\"prompt\":\"a \\\"cat\\\" make it blue\",\"image_size\":\"1024x1024\"}"},
    {KOLORS, "{\"model\":\"m\",\"size\":\"960x1280\",\"seed\":7,\"quality\":\"hd\",\"messages\":[]}",
     "{\"model\":\"m\",\"seed\":7,\"prompt\":\"\",\"image_size\":\"960x1280\",\"num_inference_steps\":50}"},
    {EDIT,
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
     "\"u1\"}}]},"
     "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"image_url\",\"image_url\":\"u2\"}]"
     "}]}",
     "{\"model\":\"m\",\"prompt\":\"x\",\"image\":\"u2\"}"},
    {EDIT,
     "{\"model\":\"m\",\"image\":\"own\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_"
     "url\":"
     "{\"url\":\"u\"}}]}]}",
     "{\"model\":\"m\",\"image\":\"own\",\"prompt\":\"\"}"},
    {ZIMAGE, "{\"model\":\"m\",\"messages\":\"odd\"}", "{\"model\":\"m\",\"prompt\":\"\"}"},
    {ZIMAGE, "{\"model\":\"m\",\"messages\":[1,null,{\"role\":\"user\"},{\"role\":\"user\",\"content\":[1,{}]}]}",
     "{\"model\":\"m\",\"prompt\":\"\"}"},
};

static void bodies_of_chat(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(65536);
    for (size_t i = 0; i < ARRAY_LEN(chats); i++) {
        struct image_ask ask;
        assert_true(run(image_params_of_chat, chats[i].body, chats[i].model, &ask, &out));
        assert_string_equal(buf_cstr(&out), chats[i].expected);
        assert_true(ask.changed && !ask.usage && ask.n == 1);
    }
    struct image_ask ask;
    assert_true(run(image_params_of_chat, "{\"stream_options\":{\"include_usage\":true}}", ZIMAGE, &ask, &out));
    assert_true(ask.usage);
    buf_free(&out);
}

static void too_deep(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(65536), body = BUF_INIT(65536);
    struct image_ask ask;
    buf_puts(&body, "{\"x\":");
    for (int i = 0; i < 600; i++) buf_putc(&body, '[');
    for (int i = 0; i < 600; i++) buf_putc(&body, ']');
    buf_putc(&body, '}');
    assert_false(run(image_params, buf_cstr(&body), KOLORS, &ask, &out));
    assert_false(run(image_params_of_chat, buf_cstr(&body), KOLORS, &ask, &out));
    buf_free(&out);
    buf_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies),
        cmocka_unit_test(asked_of_us),
        cmocka_unit_test(bodies_of_chat),
        cmocka_unit_test(too_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
