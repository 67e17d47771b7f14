/* The endpoints. A handler prepares conn.ex (body or flow); the caller sends it. */
#ifndef STANDIN_API_H
#define STANDIN_API_H

#include "scan.h"
#include "serve.h"

struct call {
    struct conn *c;
    const char *body;
    size_t n;
    struct scan scan;
    const char *path; /* of the request */
    const char *rest; /* what follows a route that ends in a slash */
};

typedef void handler(struct call *call);

/* Answers with a preset instead. */
void api_preset(struct conn *c, const char *name);
/* The body as a document, NULL when cJSON refuses it. The caller deletes it. */
cJSON *api_json(const struct call *call);
/* Value of a string member, or NULL. */
const char *api_text(const cJSON *j, const char *name);

/* endpoints.c */
handler endpoint_chat, endpoint_completions, endpoint_messages, endpoint_embeddings, endpoint_rerank;
handler endpoint_images, endpoint_transcriptions, endpoint_speech, endpoint_models, endpoint_user_info;

/* owned.c: what belongs to an account. */
handler video_submit, video_status, voice_upload, voice_list, voice_delete;
handler file_upload, file_list, file_get, file_delete, batch_create, batch_list, batch_get, batch_cancel;
/* Whether this voice uri may be used by the account. */
bool voice_usable(const char *uri, const struct account *a);
void owned_reset(void);

#endif
