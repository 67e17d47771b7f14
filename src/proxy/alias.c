/* A name is looked up in two steps, each at most once, so that nothing can go in circles: the configuration's alias for
 * the whole name; then a suffix, and the configuration's alias for what is left. An alias of the configuration wins
 * over a model of that name, a suffix does not: X-thinking may be the id of a model. */
#include "proxy/alias.h"

static const struct {
    const char *suffix;
    enum reasoning_form form;
} suffixes[] = {{"-thinking", REASONING_QUOTE}, {"-openwebui", REASONING_TAGS}};

const char *alias_suffix(size_t i)
{
    return i < ARRAY_LEN(suffixes) ? suffixes[i].suffix : NULL;
}

static bool configured(const struct conf *c, struct alias *a)
{
    const struct model_rule *r = conf_model_rule(c, a->model);
    if (!r || !r->alias_of) return false;
    a->model = str_of(r->alias_of);
    return true;
}

static bool cut_suffix(struct alias *a)
{
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        size_t n = strlen(suffixes[i].suffix);
        if (a->model.n <= n || !str_ends(a->model, suffixes[i].suffix)) continue;
        a->model.n -= n;
        a->reasoning = true;
        a->form = suffixes[i].form;
        return true;
    }
    return false;
}

bool alias_resolve(const struct conf *c, struct str asked, bool chat, bool (*exists)(void *arg, struct str id),
                   void *arg, struct alias *out)
{
    *out = (struct alias){.model = asked};
    bool found = configured(c, out);
    if (!chat || !c->models_reasoning_aliases) return found;
    /* a rule with a price or a limit says that there is such a model */
    if (exists(arg, out->model) || conf_model_rule(c, out->model) || !cut_suffix(out)) return found;
    if (!found) configured(c, out);
    return true;
}
