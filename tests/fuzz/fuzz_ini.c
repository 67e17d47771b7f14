/* Arbitrary bytes through the INI reader and the key reader. Checks what callers rely on: slices stay inside the text,
 * lines are counted upwards, every key found is a valid one. */
#include "base/check.h"
#include "conf/conf.h"
#include "conf/ini.h"
#include "conf/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct str text;
    unsigned line;
};

static void check_slice(const struct seen *s, struct str part)
{
    if (part.n) BUG_ON(part.p < s->text.p || part.p + part.n > s->text.p + s->text.n);
}

static void on_item(void *arg, const struct ini_item *item)
{
    struct seen *s = arg;
    struct key_conf key;
    check_slice(s, item->section);
    check_slice(s, item->name);
    check_slice(s, item->value);
    BUG_ON(item->line <= s->line || !item->name.n);
    s->line = item->line;
    if (!key_entry_parse(item->name, item->value, "fuzz", &key)) {
        BUG_ON(!key_is_valid(str_of(key.secret)));
        key_clear(&key);
    }
}

static void on_problem(void *arg, unsigned line, const char *sentence)
{
    struct seen *s = arg;
    BUG_ON(line <= s->line || !*sentence);
    s->line = line;
}

static void read_keys(struct str text, bool any)
{
    struct key_conf *keys = NULL;
    size_t count = 0;
    keys_parse(text, any, "fuzz", &keys, &count);
    for (size_t i = 0; i < count; i++) {
        BUG_ON(!key_is_valid(str_of(keys[i].secret)));
        BUG_ON(!any && strncmp(keys[i].secret, "sk-", 3) != 0);
        BUG_ON(!keys[i].label || !keys[i].account || !keys[i].origin);
    }
    keys_free(keys, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ini_ops ops = {.item = on_item, .problem = on_problem};
    struct seen seen = {.text = {(const char *)data, size}};
    ini_parse(seen.text, &ops, &seen);
    read_keys(seen.text, false);
    read_keys(seen.text, true);
    return 0;
}
