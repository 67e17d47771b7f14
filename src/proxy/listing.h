/* Private to proxy/: a list merged over all accounts. See listing.c for the story. */
#ifndef SFPROXY_PROXY_LISTING_H
#define SFPROXY_PROXY_LISTING_H

struct exchange;
struct listing;

/* Instead of picking a key: `e->bound` is a list, with its accounts. Answers and settles the exchange later. */
void listing_start(struct exchange *e);
void listing_free(struct listing *l); /* NULL is fine */

#endif
