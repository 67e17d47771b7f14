/* The texts of answers: deterministic words, token counts, and the events of each kind of stream. Pure but for the
 * exchange they move on. */
#ifndef STANDIN_EVENTS_H
#define STANDIN_EVENTS_H

#include "serve.h"

/* Appends the content of chunk i: a fixed word, or exactly `bytes` bytes (Chinese characters, then ASCII). */
void text_piece(struct buf *b, int i, long bytes, bool reasoning);
/* The whole text of n chunks, as JSON string content without quotes (it needs no escaping). */
void text_all(struct buf *b, int n, long bytes, bool reasoning);
/* Appends the payload of the next event; *name gets its event name or NULL. False when the stream is over. */
bool event_next(struct exchange *x, struct buf *b, const char **name);
/* One chat chunk with this text in its content, for oversized events: what goes before and after the text. */
void event_around(struct exchange *x, struct buf *before, struct buf *after);
/* ,"usage":{…} after the tokens made so far; nothing when the act says so. */
void usage_member(const struct exchange *x, struct buf *b);
/* "tool_calls":[…] of a whole message; the tool_use block of Anthropic. */
void tool_calls(struct buf *b);
/* Counts of a complete answer. */
void tokens_all(struct exchange *x);
extern const char *const tool_arguments;

#endif
