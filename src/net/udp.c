/* SPDX-License-Identifier: MIT */
/* UDP sockets; see udp.h and rt/net.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "net/udp.h"

#include "base/error.h"
#include "net/addr.h"
#include "net/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int udp_init(struct rt_udp *udp, const struct rt_addr *addr)
{
	int fd = socket_open(addr, SOCK_DGRAM);

	udp->watch.fd = -1;
	udp->hold = (struct hold){0};
	if (fd < 0)
		return fd;
	if (bind(fd, &addr->u.any, addr_len(addr)) < 0) {
		int err = error_last();

		close(fd);
		return -err;
	}
	watch_init(&udp->watch, fd);
	return 0;
}

void udp_finish(struct rt_udp *udp)
{
	int fd = udp->watch.fd;

	if (fd < 0)
		return;
	watch_finish(&udp->watch);
	udp->watch.fd = -1;
	close(fd);
}

ssize_t udp_try_recv(struct rt_udp *udp, void *buf, size_t size, struct rt_addr *peer)
{
	struct self *self = self_get();
	struct rt_watch *watch = &udp->watch;
	uint32_t seen = watch_look(watch);
	ssize_t got = watch_check(self, watch, seen, RT_READ);

	if (got < 0)
		return got;

	do {
		socklen_t len = sizeof *peer;

		/* MSG_TRUNC: the datagram's real size, so that a cut is noticed. */
		got = recvfrom(watch->fd, buf, size, MSG_TRUNC, peer ? &peer->u.any : NULL,
			       peer ? &len : NULL);
	} while (got < 0 && error_last() == EINTR);
	return got < 0 ? watch_failed(self, watch, seen, RT_READ) : got;
}

ssize_t udp_try_send(struct rt_udp *udp, const void *buf, size_t size, const struct rt_addr *addr)
{
	struct self *self = self_get();
	struct rt_watch *watch = &udp->watch;
	uint32_t seen = watch_look(watch);
	ssize_t sent = watch_check(self, watch, seen, RT_WRITE);

	if (sent < 0)
		return sent;

	do
		sent = sendto(watch->fd, buf, size, MSG_NOSIGNAL, addr ? &addr->u.any : NULL,
			      addr ? addr_len(addr) : 0);
	while (sent < 0 && error_last() == EINTR);
	return sent < 0 ? watch_failed(self, watch, seen, RT_WRITE) : sent;
}

int udp_connect(struct rt_udp *udp, const struct rt_addr *addr)
{
	if (udp->watch.fd < 0)
		return -EBADF;
	return connect(udp->watch.fd, &addr->u.any, addr_len(addr)) < 0 ? -error_last() : 0;
}

static int bind_one(const struct rt_addr *addr, void *udp)
{
	return udp_init(udp, addr);
}

static int connect_one(const struct rt_addr *addr, void *udp)
{
	return udp_connect(udp, addr);
}

int rt_udp_bind(struct rt_udp **udp, const char *addr)
{
	struct rt_udp *bound = malloc(sizeof *bound);

	*udp = NULL;
	if (!bound)
		return -ENOMEM;
	int err = socket_each_addr(addr, RT_FOREVER, bind_one, bound);

	if (err < 0)
		free(bound);
	else
		*udp = bound;
	return err;
}

/* Another thread may have destroyed it in the middle of the operation. */
static void release(struct rt_udp *udp)
{
	if (!hold_end(self_get(), &udp->hold))
		return;
	udp_finish(udp);
	free(udp);
}

static ssize_t recv_from(struct rt_udp *udp, void *buf, size_t size, struct rt_addr *peer, rt_time deadline)
{
	for (;;) {
		ssize_t got = udp_try_recv(udp, buf, size, peer);

		if (got != -EAGAIN)
			return got;
		int err = watch_wait(&udp->watch, RT_READ, deadline);

		if (err < 0)
			return err;
	}
}

ssize_t rt_udp_recv_from(struct rt_udp *udp, void *buf, size_t size, struct rt_addr *peer, rt_time deadline)
{
	hold_begin(self_get(), &udp->hold);
	ssize_t got = recv_from(udp, buf, size, peer, deadline);

	release(udp);
	return got;
}

static ssize_t send_to(struct rt_udp *udp, const void *buf, size_t size, const struct rt_addr *addr,
		       rt_time deadline)
{
	for (;;) {
		ssize_t sent = udp_try_send(udp, buf, size, addr);

		if (sent != -EAGAIN)
			return sent;
		int err = watch_wait(&udp->watch, RT_WRITE, deadline);

		if (err < 0)
			return err;
	}
}

ssize_t rt_udp_send_to(struct rt_udp *udp, const void *buf, size_t size, const struct rt_addr *addr,
		       rt_time deadline)
{
	hold_begin(self_get(), &udp->hold);
	ssize_t sent = send_to(udp, buf, size, addr, deadline);

	release(udp);
	return sent;
}

int rt_udp_connect(struct rt_udp *udp, const char *addr, rt_time deadline)
{
	hold_begin(self_get(), &udp->hold);
	int err = socket_each_addr(addr, deadline, connect_one, udp);

	release(udp);
	return err;
}

ssize_t rt_udp_recv(struct rt_udp *udp, void *buf, size_t size, rt_time deadline)
{
	return rt_udp_recv_from(udp, buf, size, NULL, deadline);
}

ssize_t rt_udp_send(struct rt_udp *udp, const void *buf, size_t size, rt_time deadline)
{
	return rt_udp_send_to(udp, buf, size, NULL, deadline);
}

int rt_udp_local_addr(const struct rt_udp *udp, struct rt_addr *addr)
{
	return socket_local_addr(udp->watch.fd, addr);
}

int rt_udp_peer_addr(const struct rt_udp *udp, struct rt_addr *addr)
{
	return socket_peer_addr(udp->watch.fd, addr);
}

int rt_udp_fd(const struct rt_udp *udp)
{
	return udp->watch.fd;
}

void rt_udp_destroy(struct rt_udp *udp)
{
	if (!udp)
		return;
	hold_destroy(self_get(), &udp->hold);
	if (self_is_shared())
		watch_finish(&udp->watch);
	else
		udp_finish(udp);
	release(udp);
}

struct option {
	int level, name;
};

static bool is_v6(const struct rt_udp *udp)
{
	return socket_get(udp->watch.fd, SOL_SOCKET, SO_DOMAIN) == AF_INET6;
}

static int find_option(const struct rt_udp *udp, enum rt_udp_option which, struct option *option)
{
	static const struct option options[] = {
		[RT_UDP_BROADCAST] = {SOL_SOCKET, SO_BROADCAST},
		[RT_UDP_TTL] = {IPPROTO_IP, IP_TTL},
		[RT_UDP_MULTICAST_LOOP_V4] = {IPPROTO_IP, IP_MULTICAST_LOOP},
		[RT_UDP_MULTICAST_TTL_V4] = {IPPROTO_IP, IP_MULTICAST_TTL},
		[RT_UDP_MULTICAST_LOOP_V6] = {IPPROTO_IPV6, IPV6_MULTICAST_LOOP},
	};

	if ((size_t)which >= sizeof options / sizeof *options)
		return -EINVAL;
	*option = options[which];
	if (which == RT_UDP_TTL && is_v6(udp))
		*option = (struct option){IPPROTO_IPV6, IPV6_UNICAST_HOPS};
	return 0;
}

int rt_udp_get(const struct rt_udp *udp, enum rt_udp_option which)
{
	struct option option;
	int err = find_option(udp, which, &option);

	return err < 0 ? err : socket_get(udp->watch.fd, option.level, option.name);
}

int rt_udp_set(struct rt_udp *udp, enum rt_udp_option which, int value)
{
	struct option option;
	int err = find_option(udp, which, &option);

	return err < 0 ? err : socket_set(udp->watch.fd, option.level, option.name, value);
}

static int member_v4(struct rt_udp *udp, int name, struct in_addr group, struct in_addr interface)
{
	struct ip_mreq request = {.imr_multiaddr = group, .imr_interface = interface};

	return setsockopt(udp->watch.fd, IPPROTO_IP, name, &request, sizeof request) < 0 ? -error_last() : 0;
}

static int member_v6(struct rt_udp *udp, int name, const struct in6_addr *group, unsigned interface)
{
	struct ipv6_mreq request = {.ipv6mr_multiaddr = *group, .ipv6mr_interface = interface};

	return setsockopt(udp->watch.fd, IPPROTO_IPV6, name, &request, sizeof request) < 0 ? -error_last()
											   : 0;
}

int rt_udp_join_multicast_v4(struct rt_udp *udp, struct in_addr group, struct in_addr interface)
{
	return member_v4(udp, IP_ADD_MEMBERSHIP, group, interface);
}

int rt_udp_leave_multicast_v4(struct rt_udp *udp, struct in_addr group, struct in_addr interface)
{
	return member_v4(udp, IP_DROP_MEMBERSHIP, group, interface);
}

int rt_udp_join_multicast_v6(struct rt_udp *udp, const struct in6_addr *group, unsigned interface)
{
	return member_v6(udp, IPV6_ADD_MEMBERSHIP, group, interface);
}

int rt_udp_leave_multicast_v6(struct rt_udp *udp, const struct in6_addr *group, unsigned interface)
{
	return member_v6(udp, IPV6_DROP_MEMBERSHIP, group, interface);
}
