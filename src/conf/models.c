/* The rules about single models. The word before the first '.' says what is set, the rest is the model's name as
 * clients write it (or, for alias, the name that clients may use instead). */
#include "conf/models.h"

#include "base/mem.h"

enum { NAME_MAX_BYTES = 256, LIMIT_MAX = 1000000000 };

/* Sets one thing; NULL, or what is wrong as the rest of a sentence. */
typedef const char *(*set_fn)(struct model_rule *, struct str value);

static bool name_is_valid(struct str s)
{
    bool ok = s.n >= 1 && s.n <= NAME_MAX_BYTES && text_is_clean(s);
    for (size_t i = 0; ok && i < s.n; i++) ok = !ascii_space(s.p[i]);
    return ok;
}

static const char *set_alias(struct model_rule *r, struct str value)
{
    if (!name_is_valid(value)) return "must be a model's name of 1 to 256 bytes without blanks";
    if (str_is(value, r->name)) return "must be another model's name";
    r->alias_of = str_dup(value);
    return NULL;
}

static const char *set_price(struct model_rule *r, struct str value)
{
    if (!price_parse(value, &r->price))
        return "must be a price in CNY such as 1.5/4/0.4 (per million tokens, in/out/cached) or 0.3/image";
    r->has_price = true;
    return NULL;
}

static const char *set_free(struct model_rule *r, struct str value)
{
    if (str_ieq(value, STR("yes")) || str_ieq(value, STR("true")) || str_ieq(value, STR("on")) || str_is(value, "1"))
        r->free = 1;
    else if (str_ieq(value, STR("no")) || str_ieq(value, STR("false")) || str_ieq(value, STR("off")) ||
             str_is(value, "0"))
        r->free = 0;
    else
        return "must be yes or no";
    return NULL;
}

static const char *set_limit(struct model_rule *r, struct str value)
{
    struct str rest = value, rpm = value, tpm = STR("0");
    uint64_t requests, tokens;
    if (memchr(value.p, '/', value.n) && str_split(&rest, '/', &rpm)) tpm = rest;
    if (!str_u64(str_trim(rpm), &requests) || !str_u64(str_trim(tpm), &tokens) || requests > LIMIT_MAX ||
        tokens > LIMIT_MAX || (!requests && !tokens))
        return "must be requests/tokens a minute of one account, such as 1000/50000 (0: no limit)";
    r->limit_rpm = (int64_t)requests;
    r->limit_tpm = (int64_t)tokens;
    return NULL;
}

static const struct {
    const char *word;
    set_fn set;
} kinds[] = {{"alias.", set_alias}, {"price.", set_price}, {"free.", set_free}, {"limit.", set_limit}};

bool model_item_is(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_starts(name, kinds[i].word)) return true;
    return false;
}

const struct model_rule *conf_model_rule(const struct conf *c, struct str name)
{
    for (size_t i = 0; i < c->model_rule_count; i++)
        if (str_is(name, c->model_rules[i].name)) return &c->model_rules[i];
    return NULL;
}

/* The rule of that name, made when there is none. */
static struct model_rule *rule_of(struct conf *c, struct str name)
{
    struct model_rule *r = (struct model_rule *)conf_model_rule(c, name);
    if (r) return r;
    c->model_rules = xrealloc(c->model_rules, c->model_rule_count + 1, sizeof *c->model_rules);
    r = &c->model_rules[c->model_rule_count++];
    *r = (struct model_rule){.name = str_dup(name), .free = -1};
    return r;
}

void load_model_item(struct loading *l, struct str name, struct str value, const char *where)
{
    size_t i = 0;
    while (i < ARRAY_LEN(kinds) && !str_starts(name, kinds[i].word)) i++;
    if (i == ARRAY_LEN(kinds)) return;
    struct str model = {name.p + strlen(kinds[i].word), name.n - strlen(kinds[i].word)};
    char shown[80] = "(not shown)"; /* a key in the wrong place */
    if (!str_icontains(name, "sk-")) text_clean(name, shown, sizeof shown);
    if (!name_is_valid(model)) {
        load_problem(l, where, "models.%s: the name after the dot must have 1 to 256 bytes without blanks", shown);
        return;
    }
    if (l->c->model_rule_count >= MODEL_RULES_MAX && !conf_model_rule(l->c, model)) {
        load_problem(l, where, "models.%s: more than %d models have rules", shown, MODEL_RULES_MAX);
        return;
    }
    const char *wrong = kinds[i].set(rule_of(l->c, model), value);
    if (wrong) load_problem(l, where, "models.%s %s", shown, wrong);
}

static void check_rule(struct loading *l, const struct model_rule *r)
{
    const struct model_rule *to = r->alias_of ? conf_model_rule(l->c, str_of(r->alias_of)) : NULL;
    char *where = xasprintf("models.alias.%s", r->name);
    if (to && to->alias_of) load_problem(l, where, "%s is an alias itself; name the model it stands for", r->alias_of);
    if (r->alias_of && (r->has_price || r->free >= 0 || r->limit_rpm || r->limit_tpm))
        load_warning(l, where, "price, free and limit of an alias have no effect; set those of %s", r->alias_of);
    free(where);
}

void check_model_rules(struct loading *l)
{
    for (size_t i = 0; i < l->c->model_rule_count; i++) check_rule(l, &l->c->model_rules[i]);
}

void model_rules_free(struct conf *c)
{
    for (size_t i = 0; i < c->model_rule_count; i++) {
        free(c->model_rules[i].name);
        free(c->model_rules[i].alias_of);
    }
    free(c->model_rules);
}
