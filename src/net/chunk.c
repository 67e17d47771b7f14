/* Chunked bodies, byte by byte where the framing is, by slices where the data is.
 *
 *   SIZE -hex-> SIZE ... ';' -> EXT_* ... CR -> SIZE_LF -LF-> DATA (size > 0) -> DATA_CR -> DATA_LF -> SIZE
 *                                                        `-> TRAILER (size 0) ... empty line -> DONE
 *
 * Strict where others are not, because a lenient reader in front of a strict one (or the reverse) is how requests are
 * smuggled: no sign, no 0x, no blank after the size, no empty extension, no bare LF, no control byte, no overflow.
 * Any fault is final. */
#include "net/chunk.h"

enum chunk_state {
    SIZE,
    EXT_NAME_FIRST,
    EXT_NAME,
    EXT_VALUE_FIRST,
    EXT_VALUE,
    EXT_QUOTED,
    EXT_ESCAPED,
    EXT_QUOTED_END,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_FIRST,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
    DONE,
    BAD,
};

enum {
    LINE_MAX_BYTES = 256,     /* a size line with its extensions */
    TRAILER_MAX_BYTES = 8192, /* all trailer lines together */
    SIZE_MAX_DIGITS = 15,     /* below 2^60: no overflow anywhere behind us */
};

void chunk_init(struct chunk_reader *r)
{
    *r = (struct chunk_reader){.state = SIZE};
}

static int hex_value(char c)
{
    if (ascii_digit(c)) return c - '0';
    char l = ascii_lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

static bool is_token(char c)
{
    return ascii_alnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* Text of a quoted string or a field value: tab, blank, visible, and bytes above 0x7f. */
static bool is_text(char c)
{
    unsigned char u = (unsigned char)c;
    return u == '\t' || (u >= 0x20 && u != 0x7f);
}

static enum chunk_state after_size_part(char c)
{
    return c == ';' ? EXT_NAME_FIRST : c == '\r' ? SIZE_LF : BAD;
}

static enum chunk_state size_byte(struct chunk_reader *r, char c)
{
    int v = hex_value(c);
    if (v < 0) return r->digits ? after_size_part(c) : BAD;
    if (++r->digits > SIZE_MAX_DIGITS) return BAD;
    r->left = r->left << 4 | (unsigned)v;
    return SIZE;
}

static enum chunk_state ext_byte(enum chunk_state s, char c)
{
    switch (s) {
    case EXT_NAME_FIRST: return is_token(c) ? EXT_NAME : BAD;
    case EXT_NAME: return is_token(c) ? EXT_NAME : c == '=' ? EXT_VALUE_FIRST : after_size_part(c);
    case EXT_VALUE_FIRST: return c == '"' ? EXT_QUOTED : is_token(c) ? EXT_VALUE : BAD;
    case EXT_VALUE: return is_token(c) ? EXT_VALUE : after_size_part(c);
    case EXT_QUOTED: return c == '"' ? EXT_QUOTED_END : c == '\\' ? EXT_ESCAPED : is_text(c) ? EXT_QUOTED : BAD;
    case EXT_ESCAPED: return is_text(c) ? EXT_QUOTED : BAD;
    case EXT_QUOTED_END: return after_size_part(c);
    default: return BAD;
    }
}

static enum chunk_state trailer_byte(enum chunk_state s, char c)
{
    switch (s) {
    case TRAILER_FIRST: return c == '\r' ? LAST_LF : is_token(c) ? TRAILER_NAME : BAD;
    case TRAILER_NAME: return c == ':' ? TRAILER_VALUE : is_token(c) ? TRAILER_NAME : BAD;
    case TRAILER_VALUE: return c == '\r' ? TRAILER_LF : is_text(c) ? TRAILER_VALUE : BAD;
    case TRAILER_LF: return c == '\n' ? TRAILER_FIRST : BAD;
    case LAST_LF: return c == '\n' ? DONE : BAD;
    default: return BAD;
    }
}

static enum chunk_state size_line_ended(struct chunk_reader *r)
{
    r->line_used = r->digits = 0;
    return r->left ? DATA : TRAILER_FIRST;
}

/* The state after one byte of framing. */
static enum chunk_state framing_byte(struct chunk_reader *r, char c)
{
    enum chunk_state s = (enum chunk_state)r->state;
    if (s <= SIZE_LF && ++r->line_used > LINE_MAX_BYTES) return BAD;
    if (s >= TRAILER_FIRST && ++r->trailer_used > TRAILER_MAX_BYTES) return BAD;
    switch (s) {
    case SIZE: return size_byte(r, c);
    case SIZE_LF: return c == '\n' ? size_line_ended(r) : BAD;
    case DATA_CR: return c == '\r' ? DATA_LF : BAD;
    case DATA_LF: return c == '\n' ? SIZE : BAD;
    default: return s < SIZE_LF ? ext_byte(s, c) : trailer_byte(s, c);
    }
}

static enum chunk_result take_data(struct chunk_reader *r, struct str *in, struct str *piece)
{
    size_t n = r->left < in->n ? (size_t)r->left : in->n;
    *piece = (struct str){in->p, n};
    in->p += n;
    in->n -= n;
    r->left -= n;
    if (!r->left) r->state = DATA_CR;
    return CHUNK_DATA;
}

enum chunk_result chunk_read(struct chunk_reader *r, struct str *in, struct str *piece)
{
    while (r->state != DONE && r->state != BAD) {
        if (!in->n) return CHUNK_MORE;
        if (r->state == DATA) return take_data(r, in, piece);
        r->state = framing_byte(r, *in->p);
        in->p++;
        in->n--;
    }
    return r->state == DONE ? CHUNK_DONE : CHUNK_ERROR;
}
