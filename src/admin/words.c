#include "admin/words.h"

static const struct {
    const char *name, *words[PAGE_LANGS];
} words[] = {
#define PAGE_WORD_ROW(id, en, zh) {#id, {en, zh}},
    PAGE_WORDS(PAGE_WORD_ROW)};

const char *page_word(enum page_lang lang, enum page_word w)
{
    return words[w].words[lang];
}

const char *page_word_named(enum page_lang lang, struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_is(name, words[i].name)) return words[i].words[lang];
    return NULL;
}

const struct state_look *state_look(enum key_state s)
{
    static const struct state_look looks[KEY_STATE_COUNT] = {
        [KEY_READY] = {"✓", "ok", {"ready", "就绪"}},
        [KEY_BUSY] = {"▸", "ok", {"busy", "使用中"}},
        [KEY_COOLING] = {"~", "warn", {"cooling", "冷却"}},
        [KEY_DRAINING] = {"d", "warn", {"draining", "排空"}},
        [KEY_OFF] = {"-", "off", {"off", "禁用"}},
        [KEY_BAD] = {"✗", "bad", {"bad", "失效"}},
        [KEY_UNTESTED] = {"?", "info", {"untested", "未测试"}},
        [KEY_TESTING] = {"t", "info", {"testing", "测试中"}},
    };
    return &looks[s];
}

const struct state_look *class_look(enum key_class c)
{
    static const struct state_look looks[CLASS_COUNT] = {
        [CLASS_UNKNOWN] = {"?", "off", {"?", "?"}},         [CLASS_PAID] = {"", "ok", {"PAID", "付费"}},
        [CLASS_FREE] = {"", "info", {"FREE", "免费"}},      [CLASS_UNVERIFIED] = {"", "warn", {"UNVER", "未实名"}},
        [CLASS_INVALID] = {"", "bad", {"INVALID", "无效"}},
    };
    return &looks[c];
}

const char *verdict_word(enum page_lang lang, enum verdict v)
{
    static const char *const zh[VERDICT_COUNT] = {
        [VERDICT_OK] = "正常",
        [VERDICT_KEY_INVALID] = "平台不认识此密钥",
        [VERDICT_NO_FUNDS] = "余额不足",
        [VERDICT_NOT_VERIFIED] = "账户未实名认证",
        [VERDICT_MODEL_DENIED] = "账户不可用此模型",
        [VERDICT_FORBIDDEN_OTHER] = "平台拒绝此账户",
        [VERDICT_RATE_MINUTE] = "每分钟限速",
        [VERDICT_RATE_HOUR] = "每小时限速",
        [VERDICT_RATE_DAY] = "每日限额",
        [VERDICT_RATE_UNKNOWN] = "限速",
        [VERDICT_BUSY] = "平台或模型过载",
        [VERDICT_SERVER] = "平台故障",
        [VERDICT_GW_TIMEOUT] = "平台未及时应答",
        [VERDICT_CONNECT] = "无法连接平台",
        [VERDICT_RESET] = "应答前连接中断",
        [VERDICT_GARBAGE] = "应答不是 HTTP",
        [VERDICT_BAD_REQUEST] = "请求本身被拒绝",
        [VERDICT_REDIRECT] = "平台返回重定向",
        [VERDICT_RETIRED] = "平台已停用此地址",
        [VERDICT_STREAM_BROKEN] = "应答中断",
        [VERDICT_CANCELLED] = "已放弃",
    };
    return lang == PAGE_ZH && zh[v] ? zh[v] : verdict_sentence(v);
}

const char *end_word(enum page_lang lang, enum end_reason e)
{
    static const char *const texts[END_COUNT][PAGE_LANGS] = {
        [END_OK] = {"ok", "成功"},
        [END_CLIENT_ERROR] = {"refused request", "请求有误"},
        [END_UPSTREAM_ERROR] = {"upstream error", "上游错误"},
        [END_NO_KEY] = {"no key", "无可用密钥"},
        [END_STREAM_BROKEN] = {"stream broken", "流中断"},
        [END_TIMEOUT] = {"timeout", "超时"},
        [END_CLIENT_ABORT] = {"client left", "客户端断开"},
        [END_CLIENT_STALLED] = {"client stalled", "客户端停滞"},
        [END_KILLED] = {"cancelled", "已取消"},
    };
    return texts[e][lang] ? texts[e][lang] : end_name(e);
}

static void put_look(struct json *j, const char *name, const struct state_look *look, enum page_lang lang)
{
    json_name(j, name);
    json_object(j);
    json_put_str(j, "symbol", look->symbol);
    json_put_str(j, "class", look->class);
    json_put_str(j, "word", look->words[lang]);
    json_object_end(j);
}

static void open_named(struct json *j, const char *name)
{
    json_name(j, name);
    json_object(j);
}

void words_json(enum page_lang lang, struct buf *out)
{
    struct json j;
    json_init(&j, out);
    json_object(&j);
    open_named(&j, "words");
    for (size_t i = 0; i < ARRAY_LEN(words); i++) json_put_str(&j, words[i].name, words[i].words[lang]);
    json_object_end(&j);
    open_named(&j, "states");
    for (int s = 0; s < KEY_STATE_COUNT; s++) put_look(&j, key_state_name(s), state_look(s), lang);
    json_object_end(&j);
    open_named(&j, "classes");
    for (int c = 0; c < CLASS_COUNT; c++) put_look(&j, key_class_name(c), class_look(c), lang);
    json_object_end(&j);
    open_named(&j, "verdicts");
    for (int v = 0; v < VERDICT_COUNT; v++) json_put_str(&j, verdict_name(v), verdict_word(lang, v));
    json_object_end(&j);
    open_named(&j, "ends");
    for (int e = 0; e < END_COUNT; e++) json_put_str(&j, end_name(e), end_word(lang, e));
    json_object_end(&j);
    json_object_end(&j);
}
