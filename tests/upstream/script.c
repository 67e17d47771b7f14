/* Rules are asked in order. A rule whose match holds counts the request; it fires when nth, every and probability
 * agree and its times are not used up. The first that fires decides, later ones do not see the request. */
#include "script.h"
#include "accounts.h"
#include "catalogue.h"

#include <stdlib.h>
#include <string.h>

struct rule {
    struct rule *next;
    char *key, *account, *model, *path, *method; /* NULL = any; a trailing * matches the rest */
    int stream;                                  /* -1 = any */
    long nth, every, times;                      /* 0 = not given; times -1 = for ever */
    double probability;                          /* 1 = always */
    long seen, fired;
    enum when when;
    struct act *act;
};

struct script script;
static struct rule *rules, **rules_end = &rules;
static int n_when[3];
static uint64_t random_state;

static const struct defaults initial = {
    .chunks = 8, .interval_ms = 2, .tokens_per_chunk = 1, .prompt_tokens = 0, .video_polls = 2};

static void drop_rules(void)
{
    for (struct rule *r = rules, *next; r; r = next) {
        next = r->next;
        free(r->key);
        free(r->account);
        free(r->model);
        free(r->path);
        free(r->method);
        act_drop(r->act);
        free(r);
    }
    rules = NULL;
    rules_end = &rules;
    memset(n_when, 0, sizeof n_when);
}

void script_clear(void)
{
    drop_rules();
    script = (struct script){.defaults = initial};
    random_state = 0x9e3779b97f4a7c15ull;
    catalogue_set(NULL, NULL);
    accounts_set(NULL, 60000, true, NULL);
}

static long number(const cJSON *o, const char *name, long otherwise)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsNumber(v) ? (long)v->valuedouble : otherwise;
}

static char *text(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsString(v) ? xstrdup(v->valuestring) : NULL;
}

static bool known_names(const cJSON *o, const char *const *names, const char *what, struct buf *why)
{
    const cJSON *v;
    cJSON_ArrayForEach(v, o)
    {
        int i = 0;
        while (names[i] && strcmp(names[i], v->string) != 0) i++;
        if (names[i]) continue;
        buf_printf(why, "%s: unknown name \"%s\"", what, v->string);
        return false;
    }
    return true;
}

static bool add_rule(const cJSON *json, struct buf *why)
{
    static const char *const outer[] = {"match", "times", "act", "comment", NULL};
    static const char *const inner[] = {"key",    "account", "model", "path",        "method",
                                        "stream", "nth",     "every", "probability", NULL};
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(json, "match");
    const cJSON *s = cJSON_GetObjectItemCaseSensitive(m, "stream");
    const cJSON *p = cJSON_GetObjectItemCaseSensitive(m, "probability");
    if (!known_names(json, outer, "rule", why) || !known_names(m, inner, "match", why)) return false;
    struct act *act = act_parse(cJSON_GetObjectItemCaseSensitive(json, "act"), why);
    if (!act) return false;
    struct rule *r = xalloc(sizeof *r);
    *r = (struct rule){.key = text(m, "key"),
                       .account = text(m, "account"),
                       .model = text(m, "model"),
                       .path = text(m, "path"),
                       .method = text(m, "method"),
                       .stream = cJSON_IsBool(s) ? cJSON_IsTrue(s) : -1,
                       .nth = number(m, "nth", 0),
                       .every = number(m, "every", 0),
                       .times = number(json, "times", -1),
                       .probability = cJSON_IsNumber(p) ? p->valuedouble : 1,
                       .act = act};
    r->when = act->before == BEFORE_ACCEPT ? AT_ACCEPT : act->early ? AT_HEAD : AT_REQUEST;
    n_when[r->when]++;
    *rules_end = r;
    rules_end = &r->next;
    return true;
}

static bool add_rules(const cJSON *list, struct buf *why)
{
    const cJSON *v;
    cJSON_ArrayForEach(v, list)
    {
        if (!add_rule(v, why)) return false;
    }
    return true;
}

static bool set_defaults(const cJSON *d, struct buf *why)
{
    static const char *const names[] = {"chunks",           "chunk_interval_ms", "chunk_bytes", "latency_ms",
                                        "tokens_per_chunk", "prompt_tokens",     "video_polls", NULL};
    if (!known_names(d, names, "defaults", why)) return false;
    script.defaults = (struct defaults){.chunks = number(d, "chunks", initial.chunks),
                                        .interval_ms = number(d, "chunk_interval_ms", initial.interval_ms),
                                        .chunk_bytes = number(d, "chunk_bytes", initial.chunk_bytes),
                                        .latency_ms = number(d, "latency_ms", initial.latency_ms),
                                        .tokens_per_chunk = number(d, "tokens_per_chunk", initial.tokens_per_chunk),
                                        .prompt_tokens = number(d, "prompt_tokens", initial.prompt_tokens),
                                        .video_polls = number(d, "video_polls", initial.video_polls)};
    return true;
}

static bool is_text(const cJSON *o, const char *name, const char *word)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsString(v) && strcmp(v->valuestring, word) == 0;
}

static bool load(const cJSON *j, struct buf *why)
{
    static const char *const names[] = {"variant",       "keys",      "rules",     "models",       "defaults", "seed",
                                        "strict_models", "user_info", "minute_ms", "unknown_keys", "comment",  NULL};
    const cJSON *models = cJSON_GetObjectItemCaseSensitive(j, "models");
    if (!cJSON_IsObject(j)) {
        buf_puts(why, "a script is a JSON object");
        return false;
    }
    script.v2025 = is_text(j, "variant", "2025");
    script.strict_models = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(j, "strict_models"));
    script.legacy_user_info = is_text(j, "user_info", "legacy") || (script.v2025 && !is_text(j, "user_info", "410"));
    random_state = (uint64_t)number(j, "seed", 1) * 0x9e3779b97f4a7c15ull | 1;
    return known_names(j, names, "script", why) && set_defaults(cJSON_GetObjectItemCaseSensitive(j, "defaults"), why) &&
           accounts_set(cJSON_GetObjectItemCaseSensitive(j, "keys"), number(j, "minute_ms", 60000),
                        !is_text(j, "unknown_keys", "invalid"), why) &&
           (!models || catalogue_set(models, why)) && add_rules(cJSON_GetObjectItemCaseSensitive(j, "rules"), why);
}

bool script_load(const char *json, size_t n, struct buf *why)
{
    script_clear();
    cJSON *j = cJSON_ParseWithLength(json, n);
    bool good = load(j, why);
    if (!j) buf_puts(why, " (not JSON)");
    if (!good) script_clear();
    cJSON_Delete(j);
    return good;
}

bool script_add_rules(const char *json, size_t n, struct buf *why)
{
    cJSON *j = cJSON_ParseWithLength(json, n);
    const cJSON *list = cJSON_IsArray(j) ? j : cJSON_GetObjectItemCaseSensitive(j, "rules");
    bool good = cJSON_IsArray(list) && add_rules(list, why);
    if (!good && !buf_size(why)) buf_puts(why, "give {\"rules\":[…]} or an array of rules");
    cJSON_Delete(j);
    return good;
}

static bool agrees(const char *pattern, const char *value)
{
    if (!pattern) return true;
    if (!value) return false;
    size_t n = strlen(pattern);
    if (n && pattern[n - 1] == '*') return strncmp(pattern, value, n - 1) == 0;
    return strcmp(pattern, value) == 0;
}

/* xorshift64*: the same script and the same order of requests give the same faults. */
static double random_01(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (double)((random_state * 0x2545f4914f6cdd1dull) >> 11) / 9007199254740992.0;
}

static bool fires(struct rule *r)
{
    r->seen++;
    if (r->times >= 0 && r->fired >= r->times) return false;
    if (r->nth && r->seen != r->nth) return false;
    if (r->every && r->seen % r->every != 0) return false;
    if (r->probability < 1 && random_01() >= r->probability) return false;
    r->fired++;
    return true;
}

bool script_has(enum when when)
{
    return n_when[when] > 0;
}

struct act *script_match(const struct candidate *c, enum when when)
{
    if (!n_when[when]) return NULL;
    for (struct rule *r = rules; r; r = r->next) {
        if (r->when != when || !agrees(r->key, c->key) || !agrees(r->account, c->account) ||
            !agrees(r->model, c->model) || !agrees(r->path, c->path) || !agrees(r->method, c->method) ||
            (r->stream >= 0 && c->stream != r->stream))
            continue;
        if (fires(r)) return act_hold(r->act);
    }
    return NULL;
}

void script_report(struct buf *out)
{
    const char *comma = "";
    buf_puts(out, "\"rules\":[");
    for (const struct rule *r = rules; r; r = r->next) {
        buf_printf(out, "%s{\"act\":\"%s\",\"matched\":%ld,\"fired\":%ld}", comma, r->act->name ? r->act->name : "",
                   r->seen, r->fired);
        comma = ",";
    }
    buf_puts(out, "]");
}
