/* The built-in catalogue: sorted, complete, and what it says about ids it does not know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pool/catalog.h"

static void sorted_and_findable(void **state)
{
    (void)state;
    size_t n = 0, free_models = 0;
    for (const struct model *m; (m = catalog_at(n)); n++) {
        assert_ptr_equal(catalog_find(str_of(m->id)), m);
        if (n) assert_true(strcmp(catalog_at(n - 1)->id, m->id) < 0);
        assert_true(m->type[0] && m->sub_type[0] && m->price.unit != PRICE_UNKNOWN);
        assert_int_equal(m->free, price_is_free(&m->price));
        if (m->free) assert_false(str_starts(str_of(m->id), "Pro/"));
        if (m->reasons) assert_string_equal(m->sub_type, "chat");
        free_models += m->free;
    }
    assert_int_equal(n, 82);
    assert_int_equal(free_models, 16);
    assert_null(catalog_at(n));
}

static void what_is_not_there(void **state)
{
    (void)state;
    static const char *const ids[] = {"",
                                      "a",
                                      "zzzz",
                                      "Qwen/Qwen3-8",
                                      "Qwen/Qwen3-8BB",
                                      "qwen/qwen3-8b",
                                      "MiniMaxAI/MiniMax-M2.5",
                                      "nex-agi/Nex-N2-Pro",
                                      "baidu/ERNIE-Image-Turbo",
                                      "Pro/google/gemma-2-9b-it"};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) assert_null(catalog_find(str_of(ids[i])));
    assert_null(catalog_find((struct str){NULL, 0}));
}

static void assert_price(const char *id, const char *expected)
{
    char text[PRICE_TEXT_MAX];
    price_text(&catalog_find(str_of(id))->price, text, sizeof text);
    assert_string_equal(text, expected);
}

static void costs_with_evidence(void **state)
{
    (void)state;
    const char *why;
    assert_int_equal(model_cost(STR("Qwen/Qwen3-8B"), &why), COST_FREE);
    assert_string_equal(why, "table");
    assert_int_equal(model_cost(STR("Qwen/Qwen3-32B"), &why), COST_PAID);
    assert_string_equal(why, "table");
    assert_int_equal(model_cost(STR("Pro/new/model"), &why), COST_PAID);
    assert_string_equal(why, "prefix");
    assert_int_equal(model_cost(STR("zai-org/GLM-5.3"), &why), COST_UNKNOWN);
    assert_string_equal(why, "unknown");
    assert_int_equal(model_cost(STR("deepseek-ai/DeepSeek-V4-Flash"), NULL), COST_PAID);
    assert_price("deepseek-ai/DeepSeek-V4-Flash", "3 / 9 / 0.3");
    assert_price("deepseek-ai/DeepSeek-V4-Pro", "12 / 24 / 1");
    assert_price("Qwen/Qwen2.5-14B-Instruct", "0.7");
    assert_price("Qwen/Qwen3.5-9B", "0.5 / 4 and up");
    assert_price("Qwen/Qwen-Image", "0.3 per image");
    assert_price("Wan-AI/Wan2.2-T2V-A14B", "2 per video");
    assert_price("FunAudioLLM/CosyVoice2-0.5B", "0.05 per kB");
    assert_true(catalog_find(STR("deepseek-ai/DeepSeek-R1"))->reasons);
    assert_false(catalog_find(STR("deepseek-ai/DeepSeek-V3"))->reasons);
}

static void kinds_by_name(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"BAAI/bge-reranker-v9", "text", "reranker"},
        {"BAAI/bge-m9", "text", "embedding"},
        {"Qwen/Qwen9-VL-Embedding", "text", "embedding"},
        {"x/Qwen-Image-9", "image", "text-to-image"},
        {"x/Qwen-Image-Edit-9", "image", "image-to-image"},
        {"black-forest-labs/FLUX.9", "image", "text-to-image"},
        {"Wan-AI/Wan9-T2V", "video", "text-to-video"},
        {"Wan-AI/Wan9-I2V", "video", "image-to-video"},
        {"x/SenseVoiceBig", "audio", "speech-to-text"},
        {"x/CosyVoice9", "audio", "text-to-speech"},
        {"some/other", "text", "chat"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *type, *sub_type;
        model_guess_kind(str_of(rows[i][0]), &type, &sub_type);
        assert_string_equal(type, rows[i][1]);
        assert_string_equal(sub_type, rows[i][2]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorted_and_findable),
        cmocka_unit_test(what_is_not_there),
        cmocka_unit_test(costs_with_evidence),
        cmocka_unit_test(kinds_by_name),
    };
    return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
