/* API keys as text: what may be one, and the strict form of an entry in [keys]. The lenient reader of pasted text and
 * key files, keys_parse(), is declared in conf.h. Pure; any thread. */
#ifndef SFPROXY_CONF_KEYS_H
#define SFPROXY_CONF_KEYS_H

#include "conf/conf.h"

#define KEY_MIN_BYTES   8
#define KEY_MAX_BYTES   512
#define LABEL_MAX_BYTES 64 /* of labels and accounts */

/* 8..512 bytes of printable ASCII without blanks, quotes, commas and semicolons. */
bool key_is_valid(struct str s);
/* The same for the key of a client, which we do not choose: 1..512 bytes. */
bool client_key_is_valid(struct str s);
/* 1..64 bytes of UTF-8 text without control characters. */
bool label_is_valid(struct str s);
/* "sk-... [account=A] [balance=N]" -> *out, whose strings the caller frees with key_clear. NULL, or what is wrong as
 * the rest of a sentence, without the text; then *out is empty. `label` may be empty. */
const char *key_entry_parse(struct str label, struct str value, const char *origin, struct key_conf *out);
/* Wipes and frees what a key holds. */
void key_clear(struct key_conf *key);

#endif
