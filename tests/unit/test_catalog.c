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
    for (const struct model *m; (m = builtin_at(n)); n++) {
        assert_ptr_equal(builtin_find(str_of(m->id)), m);
        if (n) assert_true(strcmp(builtin_at(n - 1)->id, m->id) < 0);
        assert_true(m->type[0] && m->sub_type[0] && m->price.unit != PRICE_UNKNOWN);
        assert_int_equal(m->free, price_is_free(&m->price));
        if (m->free) assert_false(str_starts(str_of(m->id), "Pro/"));
        if (m->reasons) assert_string_equal(m->sub_type, "chat");
        free_models += m->free;
    }
    assert_int_equal(n, 82);
    assert_int_equal(free_models, 16);
    assert_null(builtin_at(n));
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
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) assert_null(builtin_find(str_of(ids[i])));
    assert_null(builtin_find((struct str){NULL, 0}));
}

static void assert_price(const char *id, const char *expected)
{
    char text[PRICE_TEXT_MAX];
    price_text(&builtin_find(str_of(id))->price, text, sizeof text);
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
    assert_true(builtin_find(STR("deepseek-ai/DeepSeek-R1"))->reasons);
    assert_false(builtin_find(STR("deepseek-ai/DeepSeek-V3"))->reasons);
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

/* --- the run-time catalogue --- */

static void check_cost(const struct catalog *c, const char *id, enum model_cost cost, const char *evidence)
{
    const char *why;
    assert_int_equal(catalog_cost(c, str_of(id), &why), cost);
    assert_string_equal(why, evidence);
}

static void without_anything_it_is_the_table(void **state)
{
    (void)state;
    struct catalog_parts parts = {.conf = NULL};
    struct catalog *c = catalog_build(&parts);
    size_t n = 0;
    for (; builtin_at(n); n++) {
        assert_string_equal(catalog_at(c, n)->id, builtin_at(n)->id);
        assert_true(catalog_at(c, n)->listed);
        assert_ptr_equal(catalog_find(NULL, str_of(builtin_at(n)->id)), builtin_at(n));
    }
    assert_null(catalog_at(c, n));
    check_cost(c, "Qwen/Qwen3-8B", COST_FREE, "table");
    check_cost(c, "Pro/new/model", COST_PAID, "prefix");
    check_cost(NULL, "new/model", COST_UNKNOWN, "unknown");
    catalog_put(c);
}

static void the_platforms_list(void **state)
{
    (void)state;
    struct listed_model listed[] = {{(char *)"Qwen/Qwen3-8B", "embedding"},
                                    {(char *)"zai-org/GLM-9", "chat"},
                                    {(char *)"a/DeepSeek-R1-next", "chat"},
                                    {(char *)"z/Paint", "text-to-image"},
                                    {(char *)"Pro/z/Paint", "text-to-image"}};
    struct catalog_parts parts = {.has_listing = true, .listed = listed, .listed_count = ARRAY_LEN(listed)};
    struct catalog *c = catalog_build(&parts);
    const struct model *m = catalog_find(c, STR("Qwen/Qwen3-8B"));
    assert_true(m->listed);
    assert_string_equal(m->sub_type, "chat"); /* the table knows better */
    m = catalog_find(c, STR("Qwen/Qwen3-32B"));
    assert_false(m->listed); /* gone, but its kind and price are known when it is asked for */
    assert_int_equal(m->price.unit, PRICE_TOKENS);
    m = catalog_find(c, STR("z/Paint"));
    assert_string_equal(m->type, "image");
    assert_string_equal(m->sub_type, "text-to-image");
    assert_int_equal(m->price.unit, PRICE_UNKNOWN);
    assert_false(m->reasons);
    assert_true(catalog_find(c, STR("a/DeepSeek-R1-next"))->reasons);
    assert_false(catalog_find(c, STR("zai-org/GLM-9"))->reasons);
    check_cost(c, "z/Paint", COST_UNKNOWN, "unknown");
    check_cost(c, "Pro/z/Paint", COST_PAID, "prefix");
    for (size_t i = 1; catalog_at(c, i); i++) assert_true(strcmp(catalog_at(c, i - 1)->id, catalog_at(c, i)->id) < 0);
    catalog_put(c);
}

static void rules_and_observations(void **state)
{
    (void)state;
    struct model_rule rules[] = {
        {.name = (char *)"gpt-4o", .alias_of = (char *)"Qwen/Qwen3-8B", .free = -1},
        {.name = (char *)"mystery", .alias_of = (char *)"Pro/no/such", .free = -1},
        {.name = (char *)"Qwen/Qwen3-8B", .free = 0, .limit_rpm = 5},
        {.name = (char *)"new/free", .free = 1},
        {.name = (char *)"new/paid", .free = -1, .has_price = true},
        {.name = (char *)"new/zero", .free = -1, .has_price = true},
    };
    assert_true(price_parse(STR("1/2"), &rules[4].price));
    assert_true(price_parse(STR("0"), &rules[5].price));
    struct observed_cost observed[] = {{(char *)"new/free", COST_PAID},
                                       {(char *)"new/seen", COST_FREE},
                                       {(char *)"Qwen/Qwen3-32B", COST_FREE},
                                       {(char *)"Pro/new", COST_FREE}};
    struct conf conf = {.model_rules = rules, .model_rule_count = ARRAY_LEN(rules)};
    struct catalog_parts parts = {.conf = &conf, .observed = observed, .observed_count = ARRAY_LEN(observed)};
    struct catalog *c = catalog_build(&parts);
    check_cost(c, "Qwen/Qwen3-8B", COST_PAID, "config");
    check_cost(c, "gpt-4o", COST_PAID, "config"); /* what its model costs */
    check_cost(c, "mystery", COST_PAID, "prefix");
    check_cost(c, "new/free", COST_FREE, "config");
    check_cost(c, "new/paid", COST_PAID, "config");
    check_cost(c, "new/zero", COST_FREE, "config");
    check_cost(c, "new/seen", COST_FREE, "observed");
    check_cost(c, "Qwen/Qwen3-32B", COST_PAID, "table");
    check_cost(c, "Pro/new", COST_PAID, "prefix");
    const struct model *m = catalog_find(c, STR("gpt-4o"));
    assert_string_equal(m->alias_of, "Qwen/Qwen3-8B");
    assert_true(m->listed && m->reasons);
    assert_int_equal(m->limit_rpm, 5);
    assert_true(catalog_find(c, STR("mystery"))->listed);
    assert_false(catalog_find(c, STR("new/free"))->listed);
    catalog_put(catalog_get(c));
    catalog_put(c);
}

static void sub_types(void **state)
{
    (void)state;
    for (size_t i = 0; builtin_at(i); i++)
        assert_string_equal(model_type_of(builtin_at(i)->sub_type), builtin_at(i)->type);
    assert_string_equal(model_sub_type(0), "chat");
    assert_null(model_sub_type(9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorted_and_findable),
        cmocka_unit_test(what_is_not_there),
        cmocka_unit_test(costs_with_evidence),
        cmocka_unit_test(kinds_by_name),
        cmocka_unit_test(without_anything_it_is_the_table),
        cmocka_unit_test(the_platforms_list),
        cmocka_unit_test(rules_and_observations),
        cmocka_unit_test(sub_types),
    };
    return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
