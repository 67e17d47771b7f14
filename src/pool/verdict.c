/* The verdict table: what an upstream answer says, and about whom.
 *
 * An answer is reduced to a *group* of statuses, a code, the text of its messages and the rate metric they name. Rows
 * are tried from the top, the first that matches wins; a row names the groups it is about, so that a client's own 400
 * can say "invalid token" as often as it likes. The order is: what cannot be mistaken (addresses retired, codes of keys
 * and funds), then the client's errors, then codes, then texts, then what the bare status means.
 *
 * An error object inside a 200 (or inside a stream's event) is the group IN_OK. Some gateways put the HTTP status into
 * its `code`; then that status decides. */
#include "pool/verdict.h"

#include "pool/error_body.h"

enum group {
    IN_OK = 1 << 0,
    S_REDIRECT = 1 << 1,
    S_CLIENT = 1 << 2, /* every 4xx that has no group of its own */
    S_401 = 1 << 3,
    S_402 = 1 << 4,
    S_403 = 1 << 5,
    S_410 = 1 << 6,
    S_429 = 1 << 7,
    S_5XX = 1 << 8, /* without 503 and 504 */
    S_503 = 1 << 9,
    S_504 = 1 << 10,
    S_GARBAGE = 1 << 11,
    S_SERVER = S_5XX | S_503 | S_504,
    /* Where texts and platform codes are believed. */
    S_SPEAKS = IN_OK | S_403 | S_429 | S_SERVER,
    S_ERROR = IN_OK | S_CLIENT | S_401 | S_402 | S_403 | S_429 | S_SERVER,
};

struct row {
    unsigned groups;
    int64_t code_from, code_to; /* 0, 0: any code or none */
    const char *text;           /* part of the text, lower case; NULL any. With '=' first: the whole text */
    char metric;                /* last letter of the rate metric: M, H, D; 0 does not matter */
    enum verdict verdict;
};

#define ANY         0, 0
#define CODE(c)     (c), (c)
#define CODES(a, b) (a), (b)

static const struct row rows[] = {
    {S_GARBAGE, ANY, NULL, 0, VERDICT_GARBAGE},
    {S_REDIRECT, ANY, NULL, 0, VERDICT_REDIRECT},
    {S_410, ANY, NULL, 0, VERDICT_RETIRED},
    {S_SPEAKS, CODE(20092), NULL, 0, VERDICT_RETIRED},
    {S_ERROR, CODE(30014), NULL, 0, VERDICT_KEY_INVALID},
    {S_ERROR, CODE(30001), NULL, 0, VERDICT_NO_FUNDS},
    {S_401, ANY, NULL, 0, VERDICT_KEY_INVALID},
    {S_402, ANY, NULL, 0, VERDICT_NO_FUNDS},
    {S_CLIENT, ANY, NULL, 0, VERDICT_BAD_REQUEST},

    {S_SPEAKS, CODE(30003), NULL, 0, VERDICT_MODEL_DENIED},
    {S_SPEAKS, CODE(50505), NULL, 0, VERDICT_BUSY},
    {S_SPEAKS, CODE(50508), NULL, 0, VERDICT_BUSY},
    {S_SPEAKS, CODE(50609), NULL, 0, VERDICT_BUSY},
    {S_SPEAKS, CODE(50610), NULL, 0, VERDICT_BUSY},
    {S_SPEAKS, CODES(50602, 50604), NULL, 'M', VERDICT_RATE_MINUTE},
    {S_SPEAKS, CODES(50602, 50604), NULL, 'H', VERDICT_RATE_HOUR},
    {S_SPEAKS, CODES(50602, 50604), NULL, 'D', VERDICT_RATE_DAY},
    {S_SPEAKS, CODE(50603), NULL, 0, VERDICT_BUSY},

    {S_429, ANY, NULL, 'M', VERDICT_RATE_MINUTE},
    {S_429, ANY, NULL, 'H', VERDICT_RATE_HOUR},
    {S_429, ANY, NULL, 'D', VERDICT_RATE_DAY},
    {S_SPEAKS, ANY, "rate limit", 'M', VERDICT_RATE_MINUTE},
    {S_SPEAKS, ANY, "rate limit", 'H', VERDICT_RATE_HOUR},
    {S_SPEAKS, ANY, "rate limit", 'D', VERDICT_RATE_DAY},
    {S_SPEAKS, ANY, "too busy", 0, VERDICT_BUSY},
    {S_SPEAKS, ANY, "overloaded", 0, VERDICT_BUSY},
    {S_SPEAKS, ANY, "繁忙", 0, VERDICT_BUSY},
    {S_SPEAKS, CODES(50602, 50604), NULL, 0, VERDICT_RATE_UNKNOWN},
    {S_SPEAKS, ANY, "balance is insufficient", 0, VERDICT_NO_FUNDS},
    {S_SPEAKS, ANY, "insufficient balance", 0, VERDICT_NO_FUNDS},
    {S_SPEAKS, ANY, "no enough balance", 0, VERDICT_NO_FUNDS},
    {S_SPEAKS, ANY, "余额不足", 0, VERDICT_NO_FUNDS},
    {S_SPEAKS, ANY, "欠费", 0, VERDICT_NO_FUNDS},
    {S_SPEAKS, ANY, "api key is invalid", 0, VERDICT_KEY_INVALID},
    {S_SPEAKS, ANY, "=token is invalid", 0, VERDICT_KEY_INVALID},
    {S_SPEAKS, ANY, "=invalid token", 0, VERDICT_KEY_INVALID},
    {IN_OK | S_403, ANY, "real-name", 0, VERDICT_NOT_VERIFIED},
    {IN_OK | S_403, ANY, "real name", 0, VERDICT_NOT_VERIFIED},
    {IN_OK | S_403, ANY, "实名", 0, VERDICT_NOT_VERIFIED},
    {S_403, ANY, "identity", 0, VERDICT_NOT_VERIFIED},
    {IN_OK | S_403, ANY, "model disabled", 0, VERDICT_MODEL_DENIED},
    {S_403, ANY, "model", 0, VERDICT_MODEL_DENIED},
    {S_403, ANY, "模型", 0, VERDICT_MODEL_DENIED},
    {IN_OK, ANY, "rate limit", 0, VERDICT_RATE_UNKNOWN},
    {IN_OK, CODES(20001, 20999), NULL, 0, VERDICT_BAD_REQUEST},

    {S_403, ANY, NULL, 0, VERDICT_FORBIDDEN_OTHER},
    {S_429, ANY, NULL, 0, VERDICT_RATE_UNKNOWN},
    {S_503, ANY, NULL, 0, VERDICT_BUSY},
    {S_504, ANY, NULL, 0, VERDICT_GW_TIMEOUT},
    {IN_OK | S_5XX, ANY, NULL, 0, VERDICT_SERVER},
};

static const struct {
    const char *name, *sentence;
    enum verdict_kind kind;
} table[VERDICT_COUNT] = {
#define VERDICT_ROW(id, text, what, why) {text, why, KIND_##what},
    VERDICT_TABLE(VERDICT_ROW)};

const char *verdict_name(enum verdict v)
{
    return (unsigned)v < VERDICT_COUNT ? table[v].name : "?";
}

const char *verdict_sentence(enum verdict v)
{
    return (unsigned)v < VERDICT_COUNT ? table[v].sentence : "?";
}

enum verdict_kind verdict_kind(enum verdict v)
{
    return (unsigned)v < VERDICT_COUNT ? table[v].kind : KIND_FINAL;
}

static enum group group_of(int64_t status)
{
    static const struct {
        int status;
        enum group group;
    } own[] = {{401, S_401}, {402, S_402}, {403, S_403}, {410, S_410}, {429, S_429}, {503, S_503}, {504, S_504}};
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (own[i].status == status) return own[i].group;
    if (status >= 300 && status < 400) return S_REDIRECT;
    if (status >= 400 && status < 500) return S_CLIENT;
    if (status >= 500 && status < 600) return S_5XX;
    return S_GARBAGE;
}

/* Blanks and a full stop at the end do not make another text. */
static bool is_whole_text(struct str text, const char *want)
{
    text = str_trim(text);
    while (text.n && (text.p[text.n - 1] == '.' || text.p[text.n - 1] == '!')) text.n--;
    return str_ieq(text, str_of(want));
}

static bool row_matches(const struct row *r, unsigned group, const struct upstream_error *e, struct str text)
{
    if (!(r->groups & group)) return false;
    if (r->code_to && (e->code < r->code_from || e->code > r->code_to)) return false;
    if (r->metric && (!e->metric[0] || e->metric[2] != r->metric)) return false;
    if (!r->text) return true;
    return r->text[0] == '=' ? is_whole_text(text, r->text + 1) : str_icontains(text, r->text);
}

static enum verdict judge(unsigned group, const struct upstream_error *e, struct str text)
{
    if (group == IN_OK && e->code >= 400 && e->code < 600) group = group_of(e->code);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (row_matches(&rows[i], group, e, text)) return rows[i].verdict;
    return VERDICT_SERVER;
}

enum verdict verdict_of_answer(int status, bool json, struct str body, struct upstream_error *out)
{
    char text[ERROR_TEXT_MAX];
    bool success = status >= 200 && status <= 299;
    if (success && (!json || !error_body_likely(body))) {
        *out = (struct upstream_error){0};
        return VERDICT_OK;
    }
    size_t n = error_body_read(json ? body : STR(""), out, text);
    if (!success) return judge(group_of(status), out, (struct str){text, n});
    bool coded = out->code && out->code != 20000 && !out->has_data;
    if (!out->is_object || (!out->has_error && !coded)) return VERDICT_OK;
    return judge(IN_OK, out, (struct str){text, n});
}

enum verdict verdict_of_event(struct str data, struct upstream_error *out)
{
    char text[ERROR_TEXT_MAX];
    *out = (struct upstream_error){0};
    if (!error_body_likely(data)) return VERDICT_OK;
    size_t n = error_body_read(data, out, text);
    bool coded = out->code && out->code != 20000 && !out->has_type_or_choices;
    if (!out->is_object || (!out->has_error && !coded)) return VERDICT_OK;
    return judge(IN_OK, out, (struct str){text, n});
}
