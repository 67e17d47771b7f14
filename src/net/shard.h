/* libcurl multis ("shards") driven by the worker's loop: sockets, timers, finished transfers. Private to net/upstream;
 * knows nothing of requests. Owner: the worker's thread.
 *
 * A shard is picked lowest first, so that the pools of idle connections stay few and warm. An empty one above the
 * first is given back after a while; a retired one as soon as it is empty. */
#ifndef SFPROXY_NET_SHARD_H
#define SFPROXY_NET_SHARD_H

#include <curl/curl.h>

#include "base/list.h"
#include "net/loop.h"

struct shards;

struct shard {
    struct shards *all;
    CURLM *multi;
    unsigned running; /* transfers added */
    bool retired;     /* takes no new transfers */
    bool kicking;     /* inside kick() */
    bool starved;     /* an allocation failed in libcurl's last run, surely; false: it may have */
    mono_t empty_since;
    struct loop_timer timer;
    struct loop_task kick;
    struct list sending; /* the owner's: transfers whose request may not have left completely */
};

struct shard_ops {
    /* libcurl worked on this shard; no libcurl function is on the stack. */
    void (*progress)(void *arg, struct shard *s);
    /* This transfer is complete; the owner must call shard_remove(). `user` is its CURLOPT_PRIVATE. */
    void (*done)(void *arg, void *user, CURLcode code);
};

struct shards *shards_new(struct loop *l, const struct shard_ops *ops, void *arg);
void shards_free(struct shards *all);   /* every transfer was removed before */
void shards_retire(struct shards *all); /* drops every idle connection; running transfers go on */
/* Makes the sockets of a handle ours; once per handle. */
void shards_adopt(struct shards *all, CURL *easy);
/* The lowest shard with room; NULL when libcurl cannot make one. */
struct shard *shard_pick(struct shards *all);
/* None of these from inside a libcurl callback. */
bool shard_add(struct shard *s, CURL *easy);
void shard_remove(struct shard *s, CURL *easy); /* closes the connection when the transfer was not complete */
void shard_resume(struct shard *s, CURL *easy); /* libcurl may call the write callback before this returns */

#endif
