/* SPDX-License-Identifier: MIT */
/* What sockets share; see socket.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "net/socket.h"

#include "base/error.h"
#include "net/addr.h"

#include <errno.h>
#include <sys/socket.h>

int socket_open(const struct rt_addr *addr, int type)
{
	int fd = socket(addr->u.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -error_last() : fd;
}

int socket_set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -error_last() : 0;
}

int socket_get(int fd, int level, int name)
{
	int value = 0;
	socklen_t size = sizeof value;

	return getsockopt(fd, level, name, &value, &size) < 0 ? -error_last() : value;
}

int socket_local_addr(int fd, struct rt_addr *addr)
{
	socklen_t size = sizeof *addr;

	return getsockname(fd, &addr->u.any, &size) < 0 ? -error_last() : 0;
}

int socket_peer_addr(int fd, struct rt_addr *addr)
{
	socklen_t size = sizeof *addr;

	return getpeername(fd, &addr->u.any, &size) < 0 ? -error_last() : 0;
}

int socket_each_addr(const char *text, rt_time deadline, int (*try)(const struct rt_addr *addr, void *arg),
		     void *arg)
{
	struct rt_addr addrs[SOCKET_ADDRS_MAX];
	int count = rt_resolve(text, addrs, SOCKET_ADDRS_MAX, deadline);
	int result = count;

	for (int i = 0; i < count; i++) {
		result = try(&addrs[i], arg);
		/* Trying the others would not help. */
		if (result >= 0 || result == -ETIMEDOUT || result == -ECANCELED)
			break;
	}
	return result;
}
