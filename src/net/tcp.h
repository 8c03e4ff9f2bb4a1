/* SPDX-License-Identifier: MIT */
/* TCP connections and listeners inside: in the caller's memory, and their single tries. */
#ifndef RT_NET_TCP_H
#define RT_NET_TCP_H

#include "net/watch.h"

#include <rt/net.h>
#include <sys/uio.h>

RT_PRIVATE_BEGIN

struct rt_tcp {
	struct rt_watch watch; /* fd -1 after tcp_finish() */
	union {
		struct hold hold; /* for the functions of rt/net.h that wait */
		void *extra; /* for an owner who uses the tries alone; tcp_init() makes it NULL */
	} u;
};

struct rt_tcp_listener {
	struct rt_watch watch;
	struct hold hold;
};

void tcp_init(struct rt_tcp *tcp, int fd);

/* Closes; harmless when closed. Those that wait get -EBADF. */
void tcp_finish(struct rt_tcp *tcp);

/*
 * One try. -EAGAIN: watch_wait() for RT_READ or RT_WRITE, then again. That may
 * come although the socket is ready, when the task has used up its budget.
 */
ssize_t tcp_try_read(struct rt_tcp *tcp, void *buf, size_t size);
ssize_t tcp_try_write(struct rt_tcp *tcp, const void *buf, size_t size);
ssize_t tcp_try_writev(struct rt_tcp *tcp, struct iovec *parts, size_t count);

/*
 * Starts to connect. 0: connected; -EINPROGRESS: wait for RT_WRITE, then tcp_connected(), which may say so
 * again. After any other error it is closed.
 */
int tcp_begin_connect(struct rt_tcp *tcp, const struct rt_addr *addr);
int tcp_connected(struct rt_tcp *tcp);

/* Binds and listens on one address. Returns 0 or -errno. */
int listener_init(struct rt_tcp_listener *listener, const struct rt_addr *addr,
		  const struct rt_tcp_listen_options *options);
void listener_finish(struct rt_tcp_listener *listener);

/*
 * One try. Returns the new descriptor, -EAGAIN: wait for RT_READ; -EMFILE,
 * -ENFILE, -ENOBUFS, -ENOMEM: see listener_exhausted().
 */
int listener_try_accept(struct rt_tcp_listener *listener, struct rt_addr *peer);

/* Whether the error means to wait for LISTENER_BACKOFF, for somebody to close something. */
bool listener_exhausted(int err);

#define LISTENER_BACKOFF RT_MS(50)

RT_PRIVATE_END

#endif
