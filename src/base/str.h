/* Text helpers: slices (pointer + length, not NUL-terminated), strict numbers, ASCII-only case, masking, cleaning
 * of foreign bytes. Pure; any thread; independent of the locale. */
#ifndef SFPROXY_BASE_STR_H
#define SFPROXY_BASE_STR_H

#include "base/base.h"

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
/* For printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int)(s).n, (s).p

/* Inline: with a literal the compiler knows the length, and these run for every header line of every request. */

/* NULL gives the empty slice. */
static inline struct str str_of(const char *s)
{
    return (struct str){s ? s : "", s ? strlen(s) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_is(struct str a, const char *b)
{
    return str_eq(a, str_of(b));
}

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline bool ascii_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static inline bool ascii_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_alnum(char c)
{
    char l = ascii_lower(c);
    return ascii_digit(c) || (l >= 'a' && l <= 'z');
}

bool str_ieq_bytes(const char *a, const char *b, size_t n);

/* ASCII case ignored. */
static inline bool str_ieq(struct str a, struct str b)
{
    return a.n == b.n && str_ieq_bytes(a.p, b.p, a.n);
}

bool str_starts(struct str a, const char *prefix);
bool str_ends(struct str a, const char *suffix);
/* ASCII case ignored; `needle` must be lower case. */
bool str_icontains(struct str hay, const char *needle);
struct str str_trim(struct str s); /* blanks and tabs, CR, LF at both ends */
/* Cuts the part before the first `sep` off `*rest` and returns it; false when nothing is left. */
bool str_split(struct str *rest, char sep, struct str *part);
char *str_dup(struct str s);
/* Copies what fits and always terminates; returns false when it was cut. */
bool str_copy(char *to, size_t size, struct str s);

/* Decimal digits only, no sign, no blanks, no overflow, whole slice. */
bool str_u64(struct str s, uint64_t *out);
/* "65536", "64K", "32M", "1G" (powers of 1024). */
bool str_size(struct str s, uint64_t *out);
/* "500ms", "30s", "20m", "1h", "7d", "0"; result in milliseconds. */
bool str_duration_ms(struct str s, int64_t *out);
/* "14", "14.5", "-0.01" with up to 6 decimals -> millionths. */
bool str_micro(struct str s, int64_t *out);

/* Masked form of an API key: "sk-ab12..9f3c" when at least 16 characters stay hidden, else all stars (at most 16). */
void key_mask(const char *key, char *out, size_t size);

/* Makes foreign text safe for a log line, a terminal or a page: C0, DEL, C1, bidi controls and broken UTF-8 become
 * '?'; result is valid UTF-8, cut at a character's edge to fit `size`, terminated. Returns its length. */
size_t text_clean(struct str in, char *out, size_t size);

/* Identifier we reflect in a header or log: true when every byte is in [A-Za-z0-9._:/@-] and 1 <= n <= 128. */
bool token_is_safe(struct str s);

void hex_encode(const uint8_t *in, size_t n, char *out /* 2n+1 */);

/* FNV-1a with a final mix: for our own tables, not for foreign keys that must resist collisions. */
uint64_t str_hash(struct str s);

#endif
