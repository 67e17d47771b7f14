/* What the stand-in was told to be: variant, defaults, and the rules that turn requests into faults. */
#ifndef STANDIN_SCRIPT_H
#define STANDIN_SCRIPT_H

#include "act.h"

struct defaults {
    long chunks, interval_ms, chunk_bytes, latency_ms, tokens_per_chunk, prompt_tokens, video_polls;
};

struct script {
    bool v2025; /* bodies of the platform of 2025 */
    bool strict_models, legacy_user_info;
    struct defaults defaults;
};

extern struct script script;

/* What a rule may look at. NULL or "" = not known yet. */
struct candidate {
    const char *key, *account, *model, *path, *method;
    int stream; /* 0, 1, or -1 = not known */
};

enum when { AT_ACCEPT, AT_HEAD, AT_REQUEST };

/* Replaces the whole script. On false why says what is wrong, and the script is empty. */
bool script_load(const char *json, size_t n, struct buf *why);
/* Appends {"rules":[…]} or a bare array. */
bool script_add_rules(const char *json, size_t n, struct buf *why);
void script_clear(void);
/* The act of the first rule that fires, with a reference, or NULL. Counts nth, every and times. */
struct act *script_match(const struct candidate *c, enum when when);
/* True when some rule has an act of that moment, so that the caller need not look. */
bool script_has(enum when when);
/* JSON member "rules" of the report: how often each matched and fired. */
void script_report(struct buf *out);

#endif
