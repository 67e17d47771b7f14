/* The configuration file and the file of keys. Sections [clients] and [keys] take names of the user's choice, and
 * [models] such names behind "alias.", "price.", "free." and "limit."; all others only the names of the option table.
 */
#include "conf/load.h"

#include <sys/stat.h>

#include "base/io.h"
#include "base/map.h"
#include "base/mem.h"
#include "conf/ini.h"
#include "conf/keys.h"
#include "conf/models.h"

#define FILE_MAX_BYTES (16u << 20)

struct file_reader {
    struct loading *l;
    struct map seen; /* "section\nname" of [clients], [keys] and rules of [models], for names given twice */
    struct text_list unknown_sections;
    bool has_secrets;
};

/* A name of the file as it may be shown: cleaned, cut, and not at all when it may be a key in the wrong place. */
static void show_name(struct str name, char *out, size_t size)
{
    if (str_icontains(name, "sk-"))
        str_copy(out, size, STR("(not shown)"));
    else
        text_clean(name, out, size);
}

static bool section_is_known(struct str section)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (str_is(section, option_at(i)->section)) return true;
    return false;
}

static const char *section_of(struct str name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (str_is(name, option_at(i)->name)) return option_at(i)->section;
    return NULL;
}

static void unknown_item(struct file_reader *f, const struct ini_item *item, const char *where)
{
    char section[64], name[64];
    show_name(item->section, section, sizeof section);
    show_name(item->name, name, sizeof name);
    const char *home = section_of(item->name);
    if (!item->section.n) {
        load_problem(f->l, where, "%s stands before the first [section]", name);
    } else if (section_is_known(item->section)) {
        load_problem(f->l, where, "unknown option %s in [%s]%s%s%s", name, section, home ? "; it belongs in [" : "",
                     home ? home : "", home ? "]" : "");
    } else if (!text_list_has(&f->unknown_sections, item->section)) {
        text_list_add(&f->unknown_sections, item->section);
        load_problem(f->l, where, "unknown section [%s]", section);
    }
}

/* True when the name was there before in this section (a problem). */
static bool given_twice(struct file_reader *f, const struct ini_item *item, const char *where)
{
    char *id = xasprintf("%.*s\n%.*s", STR_ARG(item->section), STR_ARG(item->name)), name[80];
    bool twice = map_put(&f->seen, str_of(id), f) != NULL;
    free(id);
    show_name(item->name, name, sizeof name);
    if (twice) load_problem(f->l, where, "%s is given twice in [%.*s]", name, STR_ARG(item->section));
    return twice;
}

static void key_item(struct file_reader *f, const struct ini_item *item, const char *where)
{
    struct key_conf key;
    const char *wrong = NULL;
    f->has_secrets = true;
    if (given_twice(f, item, where)) return;
    if (str_starts(item->name, "sk-"))
        wrong = "a key in [keys] is written label = key";
    else if (!label_is_valid(item->name))
        wrong = "a label in [keys] has 1 to 64 bytes of UTF-8 text";
    if (wrong) {
        load_problem(f->l, where, "%s", wrong);
        return;
    }
    wrong = key_entry_parse(item->name, item->value, where, &key);
    if (wrong)
        load_problem(f->l, where, "%.*s in [keys]: %s", STR_ARG(item->name), wrong);
    else
        load_key(f->l, &key);
}

static void client_item(struct file_reader *f, const struct ini_item *item, const char *where)
{
    f->has_secrets = true;
    if (!given_twice(f, item, where)) load_client(f->l, item->name, item->value, where);
}

static void model_item(struct file_reader *f, const struct ini_item *item, const char *where)
{
    if (!given_twice(f, item, where)) load_model_item(f->l, item->name, item->value, where);
}

static void option_item(struct file_reader *f, const struct ini_item *item, const char *where)
{
    struct loading *l = f->l;
    size_t i = option_find(item->section, item->name);
    if (i == OPTION_COUNT) {
        unknown_item(f, item, where);
    } else if (l->set_at[i]) {
        load_problem(l, where, "%s.%s is given twice, first at %s", option_at(i)->section, option_at(i)->name,
                     l->set_at[i]);
    } else {
        load_option(l, i, item->value, where);
        l->from_file[i] = true;
        if (option_at(i)->is_secret && item->value.n) f->has_secrets = true;
    }
}

static void on_item(void *arg, const struct ini_item *item)
{
    struct file_reader *f = arg;
    char *where = xasprintf("%s:%u", f->l->file, item->line);
    if (str_is(item->section, "keys"))
        key_item(f, item, where);
    else if (str_is(item->section, "clients"))
        client_item(f, item, where);
    else if (str_is(item->section, "models") && model_item_is(item->name))
        model_item(f, item, where);
    else
        option_item(f, item, where);
    free(where);
}

static void on_problem(void *arg, unsigned line, const char *sentence)
{
    struct file_reader *f = arg;
    char *where = xasprintf("%s:%u", f->l->file, line);
    load_problem(f->l, where, "%s", sentence);
    free(where);
}

static void warn_about_mode(struct loading *l, const char *path, const char *shown)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 077)) return;
    load_warning(l, shown, "holds keys and other users can reach it (mode %04o); chmod 600 it",
                 (unsigned)(st.st_mode & 07777));
}

/* Reads a file that may hold keys: one allocation where possible, wiped by the caller with drop_secret_text. */
static bool read_secret_file(const char *path, struct buf *text, struct buf *why)
{
    struct stat st;
    buf_init(text, FILE_MAX_BYTES);
    /* Room for file_read's last, empty read too, so that growing leaves no copy behind. */
    if (stat(path, &st) == 0 && st.st_size < FILE_MAX_BYTES / 2) buf_reserve(text, (size_t)st.st_size + 65536);
    return file_read(path, text, why);
}

static void drop_secret_text(struct buf *text)
{
    if (text->data) wipe(text->data, text->len);
    buf_free(text);
}

void load_file(struct loading *l, const char *path)
{
    static const struct ini_ops ops = {.item = on_item, .problem = on_problem};
    struct file_reader f = {.l = l};
    struct buf text, why = BUF_INIT(1024);
    if (read_secret_file(path, &text, &why))
        ini_parse(buf_str(&text), &ops, &f);
    else
        load_problem(l, l->file, "%s", buf_cstr(&why));
    drop_secret_text(&text);
    buf_free(&why);
    if (f.has_secrets) warn_about_mode(l, path, l->file);
    map_free(&f.seen);
    text_list_free(&f.unknown_sections);
}

/* One line of keys_file. A key without "sk-" counts when it is the line's only word besides label and attributes. */
static void keys_file_line(struct loading *l, struct str line, const char *where)
{
    struct key_conf *keys = NULL;
    size_t count = 0, ignored = keys_parse(line, false, where, &keys, &count);
    if (!count && ignored) {
        ignored = keys_parse(line, true, where, &keys, &count);
        if (count != 1 || ignored) {
            keys_free(keys, count);
            load_problem(l, where, "there is no key in this line; expected [label =] sk-... [account=A] [balance=N]");
            return;
        }
    }
    if (ignored) load_warning(l, where, "words besides the key that were not understood: %zu", ignored);
    for (size_t i = 0; i < count; i++) load_key(l, &keys[i]);
    free(keys);
}

void load_keys_file(struct loading *l, const char *path, const char *where)
{
    struct buf text, why = BUF_INIT(1024);
    struct str rest, line;
    bool ok = read_secret_file(path, &text, &why);
    if (!ok) load_problem(l, where, "pool.keys_file: %s", buf_cstr(&why));
    rest = ok ? buf_str(&text) : (struct str){NULL, 0};
    for (unsigned n = 1; str_split(&rest, '\n', &line); n++) {
        char *at = xasprintf("%s:%u", path, n);
        keys_file_line(l, line, at);
        free(at);
    }
    drop_secret_text(&text);
    buf_free(&why);
    if (ok) warn_about_mode(l, path, path);
}
