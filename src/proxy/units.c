#include "proxy/units.h"

#include "base/json_text.h"

/* The value of a top-level member, the last one of that name; empty when there is none. */
static struct str member(struct str body, const char *name)
{
    struct json_walk walk;
    struct json_item item;
    struct str found = {NULL, 0};
    json_walk_init(&walk, body);
    while (json_walk_next(&walk, &item))
        if (str_is(item.name, name)) found = item.value;
    return walk.bad ? (struct str){NULL, 0} : found;
}

static int64_t utf8_size(unsigned code)
{
    return code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
}

static unsigned hex_value(char c)
{
    return ascii_digit(c) ? (unsigned)(c - '0') : (unsigned)(ascii_lower(c) - 'a' + 10);
}

/* Bytes of a string's text when its escapes are resolved. `s` has its quotes and is well-formed. */
static int64_t text_size(struct str s)
{
    int64_t n = 0;
    for (size_t i = 1; i + 1 < s.n; i++) {
        unsigned code = 0;
        if (s.p[i] != '\\') {
            n++;
        } else if (s.p[++i] != 'u' || i + 4 >= s.n) {
            n++;
        } else {
            for (size_t k = 1; k <= 4; k++) code = code << 4 | hex_value(s.p[i + k]);
            i += 4;
            n += code >= 0xD800 && code < 0xE000 ? 2 : utf8_size(code); /* half of a pair: four bytes together */
        }
    }
    return n;
}

int64_t units_of_speech(struct str body)
{
    struct str input = member(body, "input");
    return input.n >= 2 && input.p[0] == '"' ? text_size(input) : 0;
}

static int64_t count_elements(struct str array)
{
    struct json_walk walk;
    struct json_item item;
    int64_t n = 0;
    if (!array.n || array.p[0] != '[') return 0;
    json_walk_init(&walk, array);
    while (json_walk_next(&walk, &item)) n++;
    return walk.bad ? 0 : n;
}

int64_t units_of_images(struct str answer)
{
    int64_t n = count_elements(member(answer, "images"));
    return n ? n : count_elements(member(answer, "data"));
}

int64_t units_of_video(struct str answer)
{
    struct str id = member(answer, "requestId");
    return id.n > 2 && id.p[0] == '"';
}
