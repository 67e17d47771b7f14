/* Listening sockets on the control thread's loop: accept, and hand the connection over. No SO_REUSEPORT: a second
 * instance must fail loudly. Out of descriptors: accepting stops for 100 ms and says so. */
#ifndef SFPROXY_NET_LISTENER_H
#define SFPROXY_NET_LISTENER_H

#include "base/buf.h"
#include "net/loop.h"

struct listener;

struct listener_ops {
    /* Takes over the connected, non-blocking, close-on-exec socket. */
    void (*accepted)(void *arg, int fd, const char *peer, bool is_local);
    /* May another one be accepted? False: it is answered 503 and closed. */
    bool (*has_room)(void *arg);
};

/* `address`: "127.0.0.1:7860", "[::1]:7860", "localhost:7860". NULL with a sentence. */
struct listener *listener_tcp(struct loop *l, const char *address, const struct listener_ops *ops, void *arg,
                              struct buf *why);
/* Unix socket, mode 0600; a stale one is removed (the caller holds the state lock). Peers other than our uid and root
 * are turned away. */
struct listener *listener_unix(struct loop *l, const char *path, const struct listener_ops *ops, void *arg,
                               struct buf *why);
/* The address it is really bound to ("127.0.0.1:40213" for port 0). */
const char *listener_address(const struct listener *li);
void listener_free(struct listener *li); /* closes; NULL is fine */

#endif
