/* The platform's answers about pictures, read where they lie, and the replies made of them: OpenAI's shape with the
 * platform's own members kept, or a chat completion. Pure. */
#ifndef SFPROXY_PROXY_IMAGE_REPLY_H
#define SFPROXY_PROXY_IMAGE_REPLY_H

#include "proxy/flow.h"

enum { ANSWER_PICTURES_MAX = 8 };

struct image_answer {
    struct str body; /* one JSON object; the slices below point into it */
    size_t count;
    struct str url[ANSWER_PICTURES_MAX];     /* the string, quotes included */
    struct str element[ANSWER_PICTURES_MAX]; /* what it stands in, as it is written */
    bool has_images, has_data, has_created;
};

/* Looks for the pictures in `images`, else in `data`. False: it holds none. */
bool image_answer_read(struct str body, struct image_answer *out);
/* The URL without quotes and escapes; false: not text, or too long. */
bool image_answer_url(const struct image_answer *a, size_t i, struct buf *out);

/* One picture of a reply. */
struct image_result {
    const struct image_answer *answer;
    size_t index;
    struct body *picture; /* fetched; NULL: its URL is delivered */
    const char *type;     /* of it: "image/png" */
};

/* Reply to images/generations: {"created","data":[...],"images":[...], what else the first answer says}. A single
 * answer that has all of that, and whose pictures stay URLs, stays byte for byte. `created`: unix time. */
void image_reply(struct flow *f, const struct image_result *r, size_t count, int64_t created);

struct image_chat {
    const char *id, *model;
    int64_t created; /* unix time */
    bool stream, usage;
};
/* Reply to chat/completions: ![image](its URL, or its bytes as a data URI). */
void image_chat_reply(struct flow *f, const struct image_result *r, const struct image_chat *c);

#endif
