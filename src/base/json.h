/* Writing JSON onto a buffer: an escaping appender with a nesting stack, so that commas and quotes are right by
 * construction. Strings are cleaned to valid UTF-8. (Reading small JSON is cJSON's work, where it is needed.) */
#ifndef SFPROXY_BASE_JSON_H
#define SFPROXY_BASE_JSON_H

#include "base/buf.h"

struct json {
    struct buf *out;
    unsigned depth;
    bool has_items[32]; /* per level: a comma is due before the next item */
};

void json_init(struct json *j, struct buf *out);
void json_object(struct json *j); /* opens */
void json_object_end(struct json *j);
void json_array(struct json *j);
void json_array_end(struct json *j);
/* Name of the next value inside an object. */
void json_name(struct json *j, const char *name);
void json_str(struct json *j, struct str s);
void json_cstr(struct json *j, const char *s); /* NULL writes null */
void json_int(struct json *j, int64_t v);
void json_bool(struct json *j, bool v);
void json_null(struct json *j);
/* Millionths as a decimal number: 14500000 -> 14.5 */
void json_micro(struct json *j, int64_t micro);
/* `tenths`: 123 -> 12.3 */
void json_tenths(struct json *j, int64_t tenths);
/* Name and value in one call. */
void json_put_str(struct json *j, const char *name, const char *s);
void json_put_int(struct json *j, const char *name, int64_t v);
void json_put_bool(struct json *j, const char *name, bool v);
/* Negative: not known, null. */
void json_put_known(struct json *j, const char *name, int64_t v);
void json_put_known_micro(struct json *j, const char *name, int64_t micro);
/* Appends `s` as a quoted JSON string. */
void json_quote(struct buf *out, struct str s);

#endif
