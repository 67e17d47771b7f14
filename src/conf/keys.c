/* Keys from text that people paste: lists, CSV, shell lines, notes. Line by line, each line split into words:
 *
 *   [export] NAME = word word ...        NAME is the label, unless it looks like an environment variable
 *   word ... KEY ...                     words before the only key of a line are its label
 *   account=A  balance=N                 belong to the key before them, else to the next one of the line
 *
 * Words are separated by blanks, commas, semicolons, bars, tabs, "----", and the full-width forms of these; quotes and
 * brackets around a word are dropped. A word that starts with "sk-" is a key; any other word only when the caller
 * accepts such keys and the line has no "sk-" key. What was not understood is counted, never guessed. */
#include "conf/keys.h"

#include "base/mem.h"
#include "conf/settings.h"

struct line {
    bool any;
    const char *origin;
    struct key_conf **keys;
    size_t *count, first;  /* first: number of keys before this line */
    struct key_conf draft; /* account and balance that came before the key */
    struct str label;      /* p NULL: none yet */
    size_t lead_words, ignored;
    bool is_header;
};

static bool printable_word(struct str s, size_t least)
{
    if (s.n < least || s.n > KEY_MAX_BYTES) return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7F) return false;
    return true;
}

bool key_is_valid(struct str s)
{
    if (!printable_word(s, KEY_MIN_BYTES)) return false;
    for (size_t i = 0; i < s.n; i++)
        if (memchr(",;\"'", s.p[i], 4)) return false;
    return true;
}

bool client_key_is_valid(struct str s)
{
    return printable_word(s, 1);
}

bool label_is_valid(struct str s)
{
    return s.n >= 1 && s.n <= LABEL_MAX_BYTES && text_is_clean(s);
}

void key_clear(struct key_conf *key)
{
    free_secret(key->secret);
    free(key->label);
    free(key->account);
    free(key->origin);
    *key = (struct key_conf){.secret = NULL};
}

void keys_free(struct key_conf *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) key_clear(&keys[i]);
    free(keys);
}

/* Label and account of foreign text: cleaned, and cut at 64 bytes. */
static char *tidy(struct str s)
{
    char clean[LABEL_MAX_BYTES + 1];
    text_clean(s, clean, sizeof clean);
    return xstrdup(clean);
}

/* --- words --- */

static size_t separator_at(struct str s)
{
    static const char *const separators[] = {" ",
                                             "\t",
                                             "\r",
                                             ",",
                                             ";",
                                             "|",
                                             "----",
                                             "\xEF\xBC\x8C" /* ， */,
                                             "\xEF\xBC\x9B" /* ； */,
                                             "\xE3\x80\x81" /* 、 */,
                                             "\xE3\x80\x80" /* ideographic space */,
                                             "\xC2\xA0" /* no-break space */,
                                             "\xE2\x80\x8B" /* zero width space */,
                                             "\xEF\xBB\xBF" /* byte order mark */};
    if (ascii_alnum(s.p[0])) return 0; /* most bytes: keys are made of these */
    for (size_t i = 0; i < ARRAY_LEN(separators); i++)
        if (str_starts(s, separators[i])) return strlen(separators[i]);
    return 0;
}

static struct str skip(struct str s, size_t n)
{
    return (struct str){s.p + n, s.n - n};
}

static struct str strip_marks(struct str s)
{
    static const char marks[] = "\"'`[](){}<>";
    while (s.n && memchr(marks, s.p[0], sizeof marks - 1)) s = skip(s, 1);
    while (s.n && memchr(marks, s.p[s.n - 1], sizeof marks - 1)) s.n--;
    return s;
}

/* The next word, without separators, quotes and brackets around it; false at the end. */
static bool next_word(struct str *rest, struct str *word)
{
    size_t n;
    do {
        while (rest->n && (n = separator_at(*rest))) *rest = skip(*rest, n);
        if (!rest->n) return false;
        *word = *rest;
        while (rest->n && !separator_at(*rest)) *rest = skip(*rest, 1);
        word->n = (size_t)(rest->p - word->p);
        *word = strip_marks(*word);
    } while (!word->n);
    return true;
}

static bool is_one_of(struct str s, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_ieq(s, str_of(words[i]))) return true;
    return false;
}

/* Words that stand around keys and mean nothing. */
static bool is_noise(struct str s)
{
    static const char *const noise[] = {"=",   ":", "bearer", "authorization:", "authorization", "export",
                                        "set", "-", "*"};
    return is_one_of(s, noise, ARRAY_LEN(noise));
}

/* Column names of a CSV file's first line. */
static bool is_column_name(struct str s)
{
    static const char *const names[] = {"key",  "keys",  "api_key", "apikey",  "token", "secret",
                                        "name", "label", "account", "balance", "status"};
    return is_one_of(s, names, ARRAY_LEN(names));
}

static bool is_key(struct str s, bool any)
{
    if (!key_is_valid(s)) return false;
    if (str_starts(s, "sk-")) return true;
    size_t letters = 0; /* and digits: rows of dashes are no keys */
    for (size_t i = 0; i < s.n; i++) letters += ascii_alnum(s.p[i]);
    return any && letters >= KEY_MIN_BYTES && !str_icontains(s, "://") && !str_icontains(s, "sk-");
}

static bool has_sk_key(struct str rest)
{
    struct str word;
    while (next_word(&rest, &word)) {
        const char *equals = memchr(word.p, '=', word.n);
        if (is_key(word, false)) return true;
        if (equals && is_key(strip_marks(skip(word, (size_t)(equals - word.p) + 1)), false)) return true;
    }
    return false;
}

/* --- a line --- */

static void add_key(struct line *l, struct str secret)
{
    struct key_conf *key;
    *l->keys = xrealloc(*l->keys, *l->count + 1, sizeof **l->keys);
    key = &(*l->keys)[(*l->count)++];
    *key = l->draft;
    key->secret = str_dup(secret);
    key->label = xstrdup("");
    key->account = key->account ? key->account : xstrdup("");
    key->origin = xstrdup(l->origin);
    l->draft = (struct key_conf){.secret = NULL};
}

/* The key that account= and balance= belong to here. */
static struct key_conf *target(struct line *l)
{
    return *l->count > l->first ? &(*l->keys)[*l->count - 1] : &l->draft;
}

/* Takes `name=value` or `name = value` off the words. False: the word is nothing of the kind. */
static bool take_attribute(struct line *l, struct str word, struct str *rest)
{
    struct str name, value = word;
    bool has_equals = memchr(word.p, '=', word.n) != NULL;
    if (!str_split(&value, '=', &name)) return false;
    bool is_account = str_ieq(name, STR("account")), is_balance = str_ieq(name, STR("balance"));
    struct str ahead = *rest, next;
    if (!is_account && !is_balance) return false;
    if (!has_equals) {
        /* "account" alone may be a label or a column name. */
        if (!next_word(&ahead, &next) || next.p[0] != '=') return false;
        *rest = ahead;
        value = skip(next, 1);
    }
    value = strip_marks(value);
    if (!value.n && !next_word(rest, &value)) value = STR("");
    struct key_conf *key = target(l);
    if (is_account && value.n) {
        free(key->account);
        key->account = tidy(value);
    } else if (is_balance && str_micro(value, &key->balance_micro)) {
        key->has_balance = true;
    } else {
        l->ignored++;
    }
    return true;
}

static bool looks_like_env_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= 'A' && s.p[i] <= 'Z') && !ascii_digit(s.p[i]) && s.p[i] != '_') return false;
    return str_icontains(s, "key") || str_icontains(s, "token");
}

/* "left = rest": takes the left part off as the label, unless it is a key or belongs to account= or balance=. */
static void take_label(struct line *l, struct str *text)
{
    const char *equals = text->n ? memchr(text->p, '=', text->n) : NULL;
    if (!equals) return;
    struct str left = {text->p, (size_t)(equals - text->p)}, words = left, word, last = STR("");
    while (next_word(&words, &word)) last = word;
    if (!last.n || str_icontains(left, "sk-") || str_ieq(last, STR("account")) || str_ieq(last, STR("balance"))) return;
    left = str_trim(left);
    bool exported = str_starts(left, "export ") || str_starts(left, "set ");
    *text = skip(*text, (size_t)(equals - text->p) + 1);
    if (!exported && !looks_like_env_name(last)) l->label = strip_marks(left);
    l->lead_words = 1;
    l->is_header = false;
}

static void take_word(struct line *l, struct str word, struct str *rest)
{
    const char *equals = memchr(word.p, '=', word.n);
    if (take_attribute(l, word, rest) || is_noise(word)) return;
    struct str after = equals ? strip_marks(skip(word, (size_t)(equals - word.p) + 1)) : word;
    if (is_key(word, l->any) && !(equals && is_key(after, false))) {
        add_key(l, word);
    } else if (equals && is_key(after, l->any)) {
        add_key(l, after);
    } else if (*l->count > l->first) {
        l->ignored++;
    } else {
        l->is_header = l->is_header && is_column_name(word);
        l->lead_words++;
        if (word.p[word.n - 1] == ':') word.n--;
        if (!l->label.p && word.n) l->label = strip_marks(word);
    }
}

/* Without comment: '#' at the beginning or after a blank. */
static struct str without_comment(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '#' && (i == 0 || ascii_space(s.p[i - 1]))) return (struct str){s.p, i};
    return s;
}

static size_t parse_line(struct str text, bool any, const char *origin, struct key_conf **keys, size_t *count)
{
    struct line l = {.origin = origin, .keys = keys, .count = count, .first = *count, .is_header = true};
    struct str word;
    text = without_comment(str_trim(text));
    l.any = any && !has_sk_key(text);
    take_label(&l, &text);
    while (next_word(&text, &word)) take_word(&l, word, &text);
    size_t found = *count - l.first;
    if (found == 1 && l.label.n) {
        free((*keys)[l.first].label);
        (*keys)[l.first].label = tidy(l.label);
    }
    if (l.draft.account || l.draft.has_balance) l.ignored++;
    key_clear(&l.draft);
    bool nothing = found == 0 && !(l.is_header && l.lead_words > 1);
    return l.ignored + (nothing ? l.lead_words : 0);
}

size_t keys_parse(struct str text, bool any, const char *origin, struct key_conf **keys, size_t *count)
{
    struct str line;
    size_t ignored = 0;
    while (str_split(&text, '\n', &line)) ignored += parse_line(line, any, origin, keys, count);
    return ignored;
}

/* --- the strict form --- */

static const char *entry_attribute(struct str word, struct key_conf *out)
{
    struct str value = word, name;
    if (!memchr(word.p, '=', word.n) || !str_split(&value, '=', &name)) name = STR("");
    if (str_is(name, "account")) {
        if (!label_is_valid(value)) return "account= needs 1 to 64 bytes of text";
        free(out->account);
        out->account = str_dup(value);
        return NULL;
    }
    if (!str_is(name, "balance")) return "after the key only account=NAME and balance=NUMBER may follow";
    if (!str_micro(value, &out->balance_micro)) return "balance= needs a number such as 14 or 14.50";
    out->has_balance = true;
    return NULL;
}

static bool next_blank_word(struct str *rest, struct str *word)
{
    *rest = str_trim(*rest);
    *word = (struct str){rest->p, 0};
    while (word->n < rest->n && !ascii_space(rest->p[word->n])) word->n++;
    *rest = skip(*rest, word->n);
    return word->n > 0;
}

const char *key_entry_parse(struct str label, struct str value, const char *origin, struct key_conf *out)
{
    const char *wrong = NULL;
    struct str word;
    *out = (struct key_conf){.secret = NULL};
    while (!wrong && next_blank_word(&value, &word)) {
        if (!out->secret && (str_starts(word, "account=") || str_starts(word, "balance=")))
            wrong = "the key comes before account= and balance=";
        else if (!out->secret && !key_is_valid(word))
            wrong = "is no key: 8 to 512 printable ASCII characters without blanks, quotes, commas and semicolons";
        else if (!out->secret)
            out->secret = str_dup(word);
        else
            wrong = entry_attribute(word, out);
    }
    if (!wrong && !out->secret) wrong = "has no key";
    if (wrong) {
        key_clear(out);
        return wrong;
    }
    out->label = tidy(label);
    out->account = out->account ? out->account : xstrdup("");
    out->origin = xstrdup(origin);
    return NULL;
}
