/* The option table at run time: finding an option, setting it from text, writing its value as text. Setting happens
 * while a configuration is built (one thread); the rest reads only: any thread. */
#ifndef SFPROXY_CONF_SETTINGS_H
#define SFPROXY_CONF_SETTINGS_H

#include "conf/conf.h"

enum option_type {
    OPTION_TEXT,
    OPTION_LIST,
    OPTION_NUMBER,
    OPTION_SIZE,
    OPTION_DURATION,
    OPTION_FLAG,
    OPTION_CHOICE,
};

/* OPTION_AT_server_listen …: the index of each option. */
#define OPTION_INDEX(section, name, type, def, min, max, flags, help) OPTION_AT_##section##_##name,
enum option_index { OPTION_TABLE(OPTION_INDEX) OPTION_COUNT };
#undef OPTION_INDEX

struct option {
    const char *section, *name;
    enum option_type type;
    const char *default_text;
    int64_t min, max;
    const char *words; /* CHOICE: "a|b|c" */
    bool is_secret, needs_restart;
    const char *help;
    size_t offset; /* of the field in struct conf */
};

const struct option *option_at(size_t index); /* index < OPTION_COUNT */
/* Index of the option, or OPTION_COUNT when there is none. */
size_t option_find(struct str section, struct str name);
/* Checks the text against type and range and sets the field. False: the field is unchanged and `why` got the rest of
 * a sentence that starts with the option's name ("must be …"); a secret's text is never in it. */
bool option_set(struct conf *c, const struct option *o, struct str text, struct buf *why);
/* Every field to its default; the fields must be zero. */
void options_set_defaults(struct conf *c);
/* Frees the texts and lists; secrets are wiped. */
void options_free(struct conf *c);
/* The value as it would stand in the file; a secret in clear (the caller masks: is_secret). */
void option_write(const struct conf *c, const struct option *o, struct buf *out);

char **option_text(struct conf *c, const struct option *o);            /* TEXT only */
struct text_list *option_list(struct conf *c, const struct option *o); /* LIST only */
void text_list_add(struct text_list *list, struct str item);
bool text_list_has(const struct text_list *list, struct str item);
void text_list_free(struct text_list *list);

/* True when every byte may stand in a file name, a header or a terminal: valid UTF-8, no control characters. */
bool text_is_clean(struct str s);

#endif
