/* SPDX-License-Identifier: MIT */
/* Socket addresses: what the library needs besides the part of <rt/net.h>. Any thread. */
#ifndef RT_NET_ADDR_H
#define RT_NET_ADDR_H

#include <rt/net.h>

RT_PRIVATE_BEGIN

/* The longest host name that DNS allows, as text, and its NUL. */
enum { ADDR_HOST_MAX = 254 };

/* What the system calls take for the length of addr->u; 0 when it holds no internet address. */
socklen_t addr_len(const struct rt_addr *addr);

/*
 * Splits "host:port", "[::1]:80" (the host loses its brackets) or ":80" (the host
 * is empty). Copies the host, which may be a name, to host. Returns 0, or -EINVAL
 * when the text has another form: no port or one above 65535, an IPv6 address
 * without brackets, brackets around anything else, blanks, control characters, a
 * host that is longer than a name can be or than host_size allows.
 */
int addr_split(const char *text, char *host, size_t host_size, uint16_t *port);

/*
 * Makes an address of a numeric host; IPv6 may end in a scope, the name or the
 * number of an interface ("fe80::1%lo"). An empty host is 0.0.0.0. Returns 0, or
 * -EINVAL, which leaves addr alone.
 */
int addr_from_host(struct rt_addr *addr, const char *host, uint16_t port);

RT_PRIVATE_END

#endif
