/* SPDX-License-Identifier: MIT */
/* What TCP and UDP sockets share: making, binding, naming, options. */
#ifndef RT_NET_SOCKET_H
#define RT_NET_SOCKET_H

#include <rt/net.h>

RT_PRIVATE_BEGIN

/* Addresses of one name that are tried at most. */
enum { SOCKET_ADDRS_MAX = 16 };

/* A non-blocking, close-on-exec socket of addr's family; type: SOCK_STREAM or SOCK_DGRAM. Or -errno. */
int socket_open(const struct rt_addr *addr, int type);

int socket_set(int fd, int level, int name, int value);
int socket_get(int fd, int level, int name);
int socket_local_addr(int fd, struct rt_addr *addr);
int socket_peer_addr(int fd, struct rt_addr *addr);

/*
 * Resolves text, then calls try with each address until one succeeds (>= 0).
 * Returns its result, or the last error. Suspends for names.
 */
int socket_each_addr(const char *text, rt_time deadline, int (*try)(const struct rt_addr *addr, void *arg),
		     void *arg);

RT_PRIVATE_END

#endif
