/* What the tests of the key pool share: a made-up clock, keys, one-line requests. */
#ifndef TESTS_UNIT_KEYPOOL_HELP_H
#define TESTS_UNIT_KEYPOOL_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "pool/keypool.h"

#define FREE_MODEL "Qwen/Qwen3-8B"
#define PAID_MODEL "Qwen/Qwen3-32B"
#define PRO_MODEL  "Pro/deepseek-ai/DeepSeek-V3"

enum { S = 1000, M = 60 * S, H = 60 * M };

static mono_t now_ms = {1000000};
static const wall_t wall0 = {1790000000000};

static inline struct key_conf conf_of(const char *secret, const char *account, const char *origin)
{
    return (struct key_conf){.secret = (char *)(uintptr_t)secret,
                             .label = (char *)(uintptr_t) "",
                             .account = (char *)(uintptr_t)account,
                             .origin = (char *)(uintptr_t)origin};
}

/* Adds "sk-test-...-<n>" to the account ("" = its own); returns its id in a static ring. */
static inline const char *add(struct keypool *p, unsigned n, const char *account)
{
    static char ids[64][KEY_ID_LEN + 1];
    static unsigned at;
    char secret[64], *id = ids[at++ % 64];
    snprintf(secret, sizeof secret, "sk-test-0123456789abcdef0123456789-%u", n);
    struct key_conf c = conf_of(secret, account, "state");
    assert_int_equal(keypool_add(p, &c, now_ms, id), KEY_ADDED);
    return id;
}

static inline struct pick pick_for(struct keypool *p, const char *model)
{
    struct pick out;
    struct pick_ask ask = {.model = str_of(model), .now = now_ms};
    keypool_acquire(p, &ask, &out);
    return out;
}

static inline struct pick pick_key(struct keypool *p, const char *model, const char *id)
{
    struct pick out;
    struct pick_ask ask = {.model = str_of(model), .only_key = id, .now = now_ms};
    keypool_acquire(p, &ask, &out);
    return out;
}

static inline struct lease_end end_with(enum verdict v, const char *model)
{
    return (struct lease_end){.verdict = v, .status = 429, .model = str_of(model), .now = now_ms, .wall = wall0};
}

static inline void give_back(struct keypool *p, struct pick *pick, const char *model, enum verdict v)
{
    struct lease_end end = end_with(v, model);
    keypool_return(p, &pick->lease, &end);
    assert_int_equal(pick->lease.seq, 0);
}

/* One whole request on one key. */
static inline void run(struct keypool *p, const char *id, const char *model, enum verdict v)
{
    struct pick pick = pick_key(p, model, id);
    assert_int_equal(pick.result, PICK_OK);
    give_back(p, &pick, model, v);
}

static inline bool can(struct keypool *p, const char *id, const char *model)
{
    struct pick pick = pick_key(p, model, id);
    if (pick.result == PICK_OK) give_back(p, &pick, model, VERDICT_CANCELLED);
    return pick.result == PICK_OK;
}

static inline struct key_view view_of(struct keypool *p, const char *id)
{
    static struct key_view views[64];
    size_t n = keypool_view(p, now_ms, views, ARRAY_LEN(views));
    for (size_t i = 0; i < n; i++)
        if (strcmp(views[i].id, id) == 0) return views[i];
    fail_msg("no key %s", id);
    return views[0];
}

static inline void later(int64_t ms)
{
    now_ms = mono_add(now_ms, ms);
}

#endif
