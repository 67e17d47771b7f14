/* Every status and body of the platform that was seen or documented, by name. Bodies are verbatim where a capture
 * exists. The years say which of two generations of the platform used the form. */
#include "act.h"

#include <string.h>

#define JSON              "application/json; charset=utf-8"
#define TEXT              "text/plain; charset=utf-8"
#define HTML              "text/html"
#define ROW(code, text)   "{\"code\":" code ",\"message\":\"" text "\",\"data\":null}"
#define LIMIT             "Request was rejected due to rate limiting. Details: "
#define OLD_LIMIT(metric) "{\"message\":\"" LIMIT metric " limit reached.\",\"data\":null}"

const struct preset presets[] = {
    {"400_20012", 400, JSON, ROW("20012", "Model does not exist. Please check it carefully."), "unknown model"},
    {"400_20015", 400, JSON, ROW("20015", "The parameter is invalid. Please check again."), "bad parameter"},
    {"400_20015_max_prompt", 400, JSON,
     ROW("20015", "number of input tokens (300030) has exceeded max_prompt_tokens (98304) limit."), "context overflow"},
    {"400_20015_max_seq", 400, JSON,
     ROW("20015", "number of input tokens (300030) has exceeded max_seq_len (131072) limit."), "context overflow"},
    {"400_20015_length", 400, JSON,
     ROW("20015", "length of prompt_tokens (235121) must be less than max_seq_len (65536)."), "context overflow"},
    {"400_20015_no_user", 400, JSON, ROW("20015", "No user query found in messages."), "bad request"},
    {"400_20015_image", 400, JSON, ROW("20015", "Verify image file failed: broken PNG file"), "bad request"},
    {"400_20015_thinking", 400, JSON,
     ROW("20015", "Value error, current model does not support parameter `enable_thinking`."), "bad request"},
    {"400_openai", 400, JSON,
     "{\"error\":{\"message\":\"bad request\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}",
     "OpenAI shape, documented for /v1/completions"},
    {"401_30014", 401, JSON, ROW("30014", "Token is invalid."), "invalid key (2026)"},
    {"401_bare_string", 401, JSON, "\"Invalid token\"", "invalid key (until 2025)"},
    {"401_bare_api_key", 401, JSON, "\"Api key is invalid\"", "invalid key (docs)"},
    {"401_20012", 401, JSON, ROW("20012", "Api key is invalid"), "invalid key (another old form)"},
    {"401_empty", 401, JSON, "", "invalid key, empty body"},
    {"402_30001", 402, JSON, ROW("30001", "Sorry, your account balance is insufficient"), "no funds (2026)"},
    {"402_bare", 402, JSON, "\"No enough balance\"", "no funds (fixture)"},
    {"403_30001", 403, JSON, ROW("30001", "Sorry, your account balance is insufficient"), "no funds (until mid 2026)"},
    {"403_30003", 403, JSON, ROW("30003", "Model disabled."), "model not for this account"},
    {"403_forbidden", 403, JSON, "\"Forbidden\"", "no permission"},
    {"403_realname", 403, JSON,
     ROW("30011", "Please complete real-name verification (\xe5\xae\x9e\xe5\x90\x8d\xe8\xae\xa4\xe8\xaf\x81) first."),
     "account not verified"},
    {"404_text", 404, TEXT, "404 page not found", "wrong path"},
    {"410_20092", 410, JSON, ROW("20092", "This endpoint is deprecated and is no longer available."),
     "retired endpoint"},
    {"413_20015", 413, JSON, ROW("20015", "length of prompt_tokens (235121) must be less than max_seq_len (65536)."),
     "too large"},
    {"413_gateway", 413, HTML, "<html><head><title>413 Request Entity Too Large</title></head></html>\r\n",
     "too large, from the gateway"},
    {"429_tpm_2025", 429, JSON, OLD_LIMIT("TPM"), "rate limit, no code"},
    {"429_rpm_2025", 429, JSON, OLD_LIMIT("RPM"), "rate limit, no code"},
    {"429_rph_2025", 429, JSON, OLD_LIMIT("RPH"), "rate limit, no code"},
    {"429_rpd_2025", 429, JSON, OLD_LIMIT("RPD"), "rate limit, no code"},
    {"429_tpd_2025", 429, JSON, OLD_LIMIT("TPD"), "rate limit, no code"},
    {"429_ipm_2025", 429, JSON, OLD_LIMIT("IPM"), "rate limit, no code"},
    {"429_ipd_2025", 429, JSON, OLD_LIMIT("IPD"), "rate limit, no code"},
    {"429_tpm_2026", 429, JSON, ROW("50602", LIMIT "TPM limit reached."), "rate limit"},
    {"429_tpm", 429, JSON, ROW("50602", LIMIT "TPM limit reached."), "rate limit"},
    {"429_tpm_50603", 429, JSON, ROW("50603", LIMIT "TPM limit reached."), "rate limit"},
    {"429_rpm", 429, JSON, ROW("50603", LIMIT "RPM limit reached."), "rate limit"},
    {"429_rph", 429, JSON, ROW("50603", LIMIT "RPH limit reached."), "rate limit"},
    {"429_rpd", 429, JSON, ROW("50603", LIMIT "RPD limit reached."), "rate limit"},
    {"429_tpd", 429, JSON, ROW("50602", LIMIT "TPD limit reached."), "rate limit"},
    {"429_ipm_50604", 429, JSON, ROW("50604", LIMIT "IPM limit reached."), "rate limit"},
    {"429_ipd_50604", 429, JSON, ROW("50604", LIMIT "IPD limit reached."), "rate limit"},
    {"429_docs", 429, JSON,
     "{\"message\":\"Request was rejected due to rate limiting. If you want more, please contact "
     "contact@siliconflow.cn. Details:TPM limit reached.\",\"data\":\"\"}",
     "rate limit, as documented"},
    {"429_system_busy", 429, JSON, "{\"message\":\"" LIMIT "System is too busy now.\",\"data\":null}", "congestion"},
    {"429_busy_50610", 429, JSON, ROW("50610", "too busy"), "model congestion"},
    {"429_50603", 429, JSON, ROW("50603", "System is too busy now. Please try again later."), "system busy"},
    {"429_empty", 429, JSON, "", "no body"},
    {"451", 451, JSON, ROW("20031", "Image content rejected."), "moderation"},
    {"500", 500, JSON, ROW("50507", "Unknown error"), "unknown error"},
    {"500_text", 500, TEXT, "Internal Server Error", "unknown error, text"},
    {"502_html", 502, HTML, "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n</html>\r\n", "gateway"},
    {"503_50505", 503, JSON, ROW("50505", "Model service overloaded. Please try again later."), "overload"},
    {"503_50508", 503, JSON, ROW("50508", "System is too busy now. Please try again later."), "overload"},
    {"503_text", 503, TEXT, "upstream connect error or disconnect/reset before headers", "gateway"},
    {"504", 504, TEXT, "stream timeout", "timeout"},
    {"504_string", 504, JSON, "\"Gateway Timeout\"", "timeout, JSON string"},
    {"200_50609", 200, JSON, ROW("50609", "System is too busy now. Please try again later."), "error object in a 200"},
};

const size_t n_presets = sizeof presets / sizeof *presets;

const struct preset *preset_find(const char *name)
{
    for (size_t i = 0; i < n_presets; i++) {
        if (strcmp(presets[i].name, name) == 0) return &presets[i];
    }
    return NULL;
}
