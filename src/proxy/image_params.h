/* From what OpenAI's clients say about pictures to what the platform's models understand, as tables. The platform's own
 * parameters are left alone and win. A body is never parsed and written again: members are left out and put in, the
 * others stay byte for byte. Pure. */
#ifndef SFPROXY_PROXY_IMAGE_PARAMS_H
#define SFPROXY_PROXY_IMAGE_PARAMS_H

#include "base/buf.h"

enum { IMAGE_N_MAX = 4 }; /* pictures of one request: the platform makes one a call */

struct image_ask {
    unsigned n;    /* pictures: 1..IMAGE_N_MAX */
    bool b64;      /* response_format: "b64_json" */
    bool usage;    /* chat: stream_options.include_usage */
    bool changed;  /* what goes to the platform is in `out`; false: the client's body as it is */
    char why[200]; /* what the client did wrong */
};

/* `body`: a JSON object that scan_json() passed. False: `why` tells. `out` may fail for want of memory. */
bool image_params(struct str body, struct str model, struct image_ask *ask, struct buf *out);
/* The same from the body of chat/completions: the prompt is the text of all user messages, joined with blanks; models
 * that edit get the last picture of the messages. Always `changed`; one picture. */
bool image_params_of_chat(struct str body, struct str model, struct image_ask *ask, struct buf *out);

#endif
