/* SPDX-License-Identifier: MIT */
/* UDP sockets inside: in the caller's memory, and their single tries. */
#ifndef RT_NET_UDP_H
#define RT_NET_UDP_H

#include "net/watch.h"

#include <rt/net.h>

RT_PRIVATE_BEGIN

struct rt_udp {
	struct rt_watch watch; /* fd -1 after udp_finish() */
	struct hold hold;
};

/* Binds one address. Returns 0 or -errno. */
int udp_init(struct rt_udp *udp, const struct rt_addr *addr);
void udp_finish(struct rt_udp *udp);

/* One try. -EAGAIN: watch_wait() for RT_READ or RT_WRITE, then again. addr may be NULL. */
ssize_t udp_try_recv(struct rt_udp *udp, void *buf, size_t size, struct rt_addr *peer);
ssize_t udp_try_send(struct rt_udp *udp, const void *buf, size_t size, const struct rt_addr *addr);

int udp_connect(struct rt_udp *udp, const struct rt_addr *addr);

RT_PRIVATE_END

#endif
