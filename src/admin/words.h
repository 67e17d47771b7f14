/* The page's words in its two languages, and how states look: symbol, colour class and word. Constant; any thread. */
#ifndef SFPROXY_ADMIN_WORDS_H
#define SFPROXY_ADMIN_WORDS_H

#include "admin/browser.h"
#include "admin/page_text.h"
#include "control/snapshot.h"

struct state_look {
    const char *symbol, *class; /* class: a colour of page.css: ok, warn, bad, info, off */
    const char *words[PAGE_LANGS];
};

const char *page_word(enum page_lang lang, enum page_word w);
const char *page_word_named(enum page_lang lang, struct str name); /* NULL: no such word */
const struct state_look *state_look(enum key_state s);
const struct state_look *class_look(enum key_class c);
const char *verdict_word(enum page_lang lang, enum verdict v);
const char *end_word(enum page_lang lang, enum end_reason e);
/* All of them for the page's script: {"words":{id:text},"states":{name:{"symbol","class","word"}},"classes":{...},
 * "verdicts":{name:text},"ends":{name:text}}. */
void words_json(enum page_lang lang, struct buf *out);

#endif
