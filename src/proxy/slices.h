/* Parts of a JSON text as slices of its bytes, so that they can be passed on unchanged. Pure. */
#ifndef SFPROXY_PROXY_SLICES_H
#define SFPROXY_PROXY_SLICES_H

#include "base/json_text.h"

/* Value of the first member with that name of an object (compared as it is written); empty when there is none or the
 * text is malformed. */
struct str slice_member(struct str object, const char *name);
/* A text value, unescaped; "" when it is none or does not fit. */
void slice_text(struct str value, char *out, size_t size);
/* A whole number of at most 2^63 - 1; `otherwise` when it is none. */
int64_t slice_int(struct str value, int64_t otherwise);

#endif
