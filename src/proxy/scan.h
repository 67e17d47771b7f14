/* One pass over a request body to find what the proxy must know, without changing or copying it: an iterative JSON
 * scanner for top-level `model` and `stream` (names compared after unescaping, case-sensitively), and a multipart
 * scanner for the `model` part. Pure. */
#ifndef SFPROXY_PROXY_SCAN_H
#define SFPROXY_PROXY_SCAN_H

#include "base/str.h"

enum scan_result {
    SCAN_OK,
    SCAN_BAD_JSON,      /* not one JSON object (RFC 8259, with raw bytes >= 0x80 let through in strings) */
    SCAN_TOO_DEEP,      /* beyond max_depth */
    SCAN_DUPLICATE_KEY, /* `model` or `stream` twice at top level */
    SCAN_BAD_MODEL,     /* not a string, empty, too long, control characters, or not valid text after unescaping */
    SCAN_BAD_STREAM,    /* `stream` is neither true, false nor null */
    SCAN_NO_MODEL,
    SCAN_BAD_MULTIPART,
};

/* A top-level text member of a JSON body that the caller wants to know beside model and stream. */
struct scan_text {
    const char *name; /* at most 16 bytes */
    char value[192];  /* unescaped; "" when absent, not a text, empty, too long or with control characters. Of several
                         with this name the last counts, as it does for most parsers */
};

struct scan_limits {
    unsigned max_depth;
    size_t max_model; /* bytes after unescaping, at most 256 */
    struct scan_text *texts;
    size_t text_count;
};

struct scan {
    char model[257]; /* unescaped, terminated; "" when absent */
    size_t model_len;
    bool has_model;
    bool stream;
    /* Where the model stands, for splicing: a JSON string with its quotes; the text of a multipart part. */
    size_t model_at, model_size;
    size_t error_at; /* offset of the trouble */
};

enum scan_result scan_json(struct str body, const struct scan_limits *limits, struct scan *out);
/* `content_type`: the whole header value, with the boundary. */
enum scan_result scan_multipart(struct str body, struct str content_type, const struct scan_limits *limits,
                                struct scan *out);
/* A model name: not empty, valid UTF-8, no control characters (C0, DEL, C1). */
bool scan_model_text_ok(struct str s);
/* For the scanners: all a caller may use of a refused body is error_at. Returns r. */
enum scan_result scan_refuse(struct scan *out, enum scan_result r, size_t at);
/* A sentence for the client that names the parameter. */
const char *scan_sentence(enum scan_result r);

#endif
