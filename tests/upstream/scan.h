/* A fast look at the top level of a JSON body, without building a document: works on 32 MiB bodies in milliseconds
 * and on bodies that stricter parsers refuse (lone surrogates, raw control characters). Duplicate names: the last
 * one wins, as in Python, JavaScript and Go. Names compare case-sensitively and unescaped. */
#ifndef STANDIN_SCAN_H
#define STANDIN_SCAN_H

#include <stdbool.h>
#include <stddef.h>

struct scan {
    bool object;       /* the body is an object whose top level could be walked */
    const char *model; /* raw text between the quotes, still escaped; NULL when absent or not a string */
    size_t model_len;
    bool stream;        /* top-level "stream": true */
    bool tools;         /* a non-empty "tools" array */
    bool include_usage; /* stream_options.include_usage true */
    long max_tokens;    /* -1 when absent */
    int duplicates;     /* how often model or stream came again */
};

void scan_body(const char *p, size_t n, struct scan *out);

#endif
