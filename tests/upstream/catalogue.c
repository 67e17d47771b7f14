/* The built-in table was taken from the platform's own model page (July 2026), without what was retired since. */
#include "catalogue.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const struct model_row builtin[] = {
    {"ByteDance-Seed/Seed-OSS-36B-Instruct", "text", "chat", false},
    {"deepseek-ai/DeepSeek-OCR", "text", "chat", true},
    {"Pro/deepseek-ai/DeepSeek-R1", "text", "chat", false},
    {"deepseek-ai/DeepSeek-R1", "text", "chat", false},
    {"deepseek-ai/DeepSeek-R1-0528-Qwen3-8B", "text", "chat", true},
    {"Pro/deepseek-ai/DeepSeek-V3", "text", "chat", false},
    {"deepseek-ai/DeepSeek-V3", "text", "chat", false},
    {"Pro/deepseek-ai/DeepSeek-V3.1-Terminus", "text", "chat", false},
    {"deepseek-ai/DeepSeek-V3.1-Terminus", "text", "chat", false},
    {"Pro/deepseek-ai/DeepSeek-V3.2", "text", "chat", false},
    {"deepseek-ai/DeepSeek-V3.2", "text", "chat", false},
    {"deepseek-ai/DeepSeek-V4-Flash", "text", "chat", false},
    {"deepseek-ai/DeepSeek-V4-Pro", "text", "chat", false},
    {"inclusionAI/Ling-flash-2.0", "text", "chat", false},
    {"inclusionAI/Ling-mini-2.0", "text", "chat", false},
    {"meituan-longcat/LongCat-2.0", "text", "chat", false},
    {"Pro/moonshotai/Kimi-K2.6", "text", "chat", false},
    {"moonshotai/Kimi-K2.7-Code", "text", "chat", false},
    {"PaddlePaddle/PaddleOCR-VL-1.5", "text", "chat", true},
    {"Qwen/Qwen2.5-14B-Instruct", "text", "chat", false},
    {"Qwen/Qwen2.5-32B-Instruct", "text", "chat", false},
    {"Qwen/Qwen2.5-72B-Instruct", "text", "chat", false},
    {"Qwen/Qwen2.5-72B-Instruct-128K", "text", "chat", false},
    {"Pro/Qwen/Qwen2.5-7B-Instruct", "text", "chat", false},
    {"Qwen/Qwen2.5-7B-Instruct", "text", "chat", true},
    {"Qwen/Qwen3-14B", "text", "chat", false},
    {"Qwen/Qwen3-30B-A3B-Instruct-2507", "text", "chat", false},
    {"Qwen/Qwen3-32B", "text", "chat", false},
    {"Qwen/Qwen3-8B", "text", "chat", true},
    {"Qwen/Qwen3-Coder-30B-A3B-Instruct", "text", "chat", false},
    {"Qwen/Qwen3-Omni-30B-A3B-Captioner", "text", "chat", false},
    {"Qwen/Qwen3-Omni-30B-A3B-Instruct", "text", "chat", false},
    {"Qwen/Qwen3-Omni-30B-A3B-Thinking", "text", "chat", false},
    {"Qwen/Qwen3-VL-30B-A3B-Instruct", "text", "chat", false},
    {"Qwen/Qwen3-VL-30B-A3B-Thinking", "text", "chat", false},
    {"Qwen/Qwen3-VL-32B-Instruct", "text", "chat", false},
    {"Qwen/Qwen3-VL-32B-Thinking", "text", "chat", false},
    {"Qwen/Qwen3-VL-8B-Instruct", "text", "chat", false},
    {"Qwen/Qwen3-VL-8B-Thinking", "text", "chat", false},
    {"Qwen/Qwen3.5-122B-A10B", "text", "chat", false},
    {"Qwen/Qwen3.5-27B", "text", "chat", false},
    {"Qwen/Qwen3.5-35B-A3B", "text", "chat", false},
    {"Qwen/Qwen3.5-4B", "text", "chat", true},
    {"Qwen/Qwen3.5-9B", "text", "chat", false},
    {"Qwen/Qwen3.6-27B", "text", "chat", false},
    {"Qwen/Qwen3.6-35B-A3B", "text", "chat", false},
    {"stepfun-ai/Step-3.5-Flash", "text", "chat", false},
    {"tencent/Hunyuan-A13B-Instruct", "text", "chat", false},
    {"tencent/Hunyuan-MT-7B", "text", "chat", true},
    {"THUDM/GLM-4-32B-0414", "text", "chat", false},
    {"THUDM/GLM-4-9B-0414", "text", "chat", true},
    {"THUDM/GLM-Z1-9B-0414", "text", "chat", true},
    {"zai-org/GLM-4.5-Air", "text", "chat", false},
    {"zai-org/GLM-4.5V", "text", "chat", false},
    {"Pro/zai-org/GLM-5.1", "text", "chat", false},
    {"zai-org/GLM-5.2", "text", "chat", false},
    {"BAAI/bge-large-en-v1.5", "text", "embedding", true},
    {"BAAI/bge-large-zh-v1.5", "text", "embedding", true},
    {"BAAI/bge-m3", "text", "embedding", true},
    {"Pro/BAAI/bge-m3", "text", "embedding", false},
    {"Qwen/Qwen3-Embedding-0.6B", "text", "embedding", false},
    {"Qwen/Qwen3-Embedding-4B", "text", "embedding", false},
    {"Qwen/Qwen3-Embedding-8B", "text", "embedding", false},
    {"Qwen/Qwen3-VL-Embedding-8B", "text", "embedding", false},
    {"BAAI/bge-reranker-v2-m3", "text", "reranker", true},
    {"Pro/BAAI/bge-reranker-v2-m3", "text", "reranker", false},
    {"Qwen/Qwen3-Reranker-0.6B", "text", "reranker", false},
    {"Qwen/Qwen3-Reranker-4B", "text", "reranker", false},
    {"Qwen/Qwen3-Reranker-8B", "text", "reranker", false},
    {"Qwen/Qwen3-VL-Reranker-8B", "text", "reranker", false},
    {"Kwai-Kolors/Kolors", "image", "text-to-image", true},
    {"Qwen/Qwen-Image", "image", "text-to-image", false},
    {"Qwen/Qwen-Image-Edit", "image", "text-to-image", false},
    {"Qwen/Qwen-Image-Edit-2509", "image", "text-to-image", false},
    {"Tongyi-MAI/Z-Image", "image", "text-to-image", false},
    {"Tongyi-MAI/Z-Image-Turbo", "image", "text-to-image", false},
    {"FunAudioLLM/SenseVoiceSmall", "audio", "speech-to-text", true},
    {"TeleAI/TeleSpeechASR", "audio", "speech-to-text", true},
    {"fnlp/MOSS-TTSD-v0.5", "audio", "text-to-speech", false},
    {"FunAudioLLM/CosyVoice2-0.5B", "audio", "text-to-speech", false},
    {"Wan-AI/Wan2.2-T2V-A14B", "video", "text-to-video", false},
    {"Wan-AI/Wan2.2-I2V-A14B", "video", "image-to-video", false},
};

enum { N_BUILTIN = sizeof builtin / sizeof *builtin };

static struct model_row *own;
static size_t n_own;

static void drop_own(void)
{
    for (size_t i = 0; i < n_own; i++) {
        free((char *)(uintptr_t)own[i].id);
        free((char *)(uintptr_t)own[i].type);
        free((char *)(uintptr_t)own[i].sub_type);
    }
    free(own);
    own = NULL;
    n_own = 0;
}

static const struct model_row *find_in(const struct model_row *rows, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rows[i].id, id) == 0) return &rows[i];
    }
    return NULL;
}

static struct model_row row_of(const cJSON *v, const char *id)
{
    const struct model_row *known = find_in(builtin, N_BUILTIN, id);
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(v, "type");
    const cJSON *sub = cJSON_GetObjectItemCaseSensitive(v, "sub_type");
    const cJSON *gratis = cJSON_GetObjectItemCaseSensitive(v, "free");
    return (struct model_row){xstrdup(id),
                              xstrdup(cJSON_IsString(type) ? type->valuestring
                                      : known              ? known->type
                                                           : "text"),
                              xstrdup(cJSON_IsString(sub) ? sub->valuestring
                                      : known             ? known->sub_type
                                                          : "chat"),
                              cJSON_IsBool(gratis) ? cJSON_IsTrue(gratis)
                              : known              ? known->free
                                                   : strncmp(id, "Pro/", 4) != 0};
}

bool catalogue_set(const cJSON *list, struct buf *why)
{
    const cJSON *v;
    drop_own();
    if (!list) return true;
    own = xalloc(((size_t)cJSON_GetArraySize(list) + 1) * sizeof *own);
    cJSON_ArrayForEach(v, list)
    {
        const cJSON *id = cJSON_IsObject(v) ? cJSON_GetObjectItemCaseSensitive(v, "id") : v;
        if (!cJSON_IsString(id)) {
            buf_puts(why, "models: each is an id or an object with id");
            drop_own();
            return false;
        }
        own[n_own++] = row_of(v, id->valuestring);
    }
    return true;
}

const struct model_row *catalogue_find(const char *id)
{
    return own ? find_in(own, n_own, id) : find_in(builtin, N_BUILTIN, id);
}

bool catalogue_paid(const char *id)
{
    const struct model_row *m = catalogue_find(id);
    return m ? !m->free : strncmp(id, "Pro/", 4) == 0;
}

bool catalogue_reasons(const char *id)
{
    return strstr(id, "DeepSeek-R1") || strstr(id, "Thinking") || strstr(id, "GLM-Z1");
}

void catalogue_list(struct buf *out, const char *type, const char *sub_type)
{
    const struct model_row *rows = own ? own : builtin;
    size_t n = own ? n_own : N_BUILTIN;
    const char *comma = "";
    buf_puts(out, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < n; i++) {
        if (*type && strcmp(rows[i].type, type) != 0) continue;
        if (*sub_type && strcmp(rows[i].sub_type, sub_type) != 0) continue;
        buf_printf(out, "%s{\"id\":", comma);
        buf_json_s(out, rows[i].id);
        buf_puts(out, ",\"object\":\"model\",\"created\":0,\"owned_by\":\"\"}");
        comma = ",";
    }
    buf_puts(out, "]}");
}
