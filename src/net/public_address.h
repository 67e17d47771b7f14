/* Which addresses belong to the open internet. Pure; any thread. */
#ifndef SFPROXY_NET_PUBLIC_ADDRESS_H
#define SFPROXY_NET_PUBLIC_ADDRESS_H

#include "base/str.h"

/* `text`: an IPv4 or IPv6 address, the latter with or without brackets. False for loopback, private, link-local,
 * multicast and reserved ranges, for IPv6 forms that hide such an IPv4 address, and for what is no address.
 * 198.18.0.0/15 counts as public although it is reserved: local tunnels (Clash and others) answer every name from it.
 */
bool address_is_public(const char *text);
/* A host that is an address, or that libcurl would take for one ("127.1", "0x7f000001", "2130706433"). */
bool host_is_numeric(const char *host);

#endif
