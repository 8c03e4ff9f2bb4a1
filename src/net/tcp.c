/* SPDX-License-Identifier: MIT */
/* TCP connections; see tcp.h and rt/net.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "net/tcp.h"

#include "base/error.h"
#include "net/addr.h"
#include "net/socket.h"
#include "net/wait_fd.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

void tcp_init(struct rt_tcp *tcp, int fd)
{
	watch_init(&tcp->watch, fd);
	tcp->u.extra = NULL;
	tcp->u.hold = (struct hold){0};
}

void tcp_finish(struct rt_tcp *tcp)
{
	int fd = tcp->watch.fd;

	if (fd < 0)
		return;
	watch_finish(&tcp->watch);
	tcp->watch.fd = -1;
	close(fd);
}

/*
 * A short read means that nothing is left, and spares the recv() that would say
 * so: but the event that brought the data may also have brought an error (libevent
 * reports it as readable and writable) or the end of the stream (RT_CLOSED), and
 * an edge comes only once. A send that succeeds after the read proves that
 * there was no error. So: a short read marks, a send settles.
 */
static inline void note_short_read(const struct self *self, struct rt_watch *watch, uint32_t seen)
{
	watch_change(self, watch, seen, RT_DRAINED, 0);
}

static inline void settle(const struct self *self, struct rt_watch *watch, uint32_t seen)
{
	if (!(seen & RT_DRAINED))
		return;
	watch_change(self, watch, seen, 0, seen & RT_CLOSED ? RT_DRAINED : RT_DRAINED | RT_READ);
}

static inline ssize_t try_read(struct self *self, struct rt_tcp *tcp, void *buf, size_t size)
{
	struct rt_watch *watch = &tcp->watch;
	uint32_t seen = watch_look(watch);
	ssize_t got = watch_check(self, watch, seen, RT_READ);

	if (got < 0)
		return got;
	do
		got = recv(watch->fd, buf, size, 0);
	while (got < 0 && error_last() == EINTR);
	if (got < 0)
		return watch_failed(self, watch, seen, RT_READ);
	if ((size_t)got < size)
		note_short_read(self, watch, seen);
	return got;
}

ssize_t tcp_try_read(struct rt_tcp *tcp, void *buf, size_t size)
{
	return try_read(self_get(), tcp, buf, size);
}

static inline ssize_t send_parts(int fd, struct iovec *parts, size_t count)
{
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};

	if (count == 1)
		return send(fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL);
	return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static inline __attribute__((always_inline)) ssize_t try_write(struct self *self, struct rt_tcp *tcp,
							       struct iovec *parts, size_t count)
{
	struct rt_watch *watch = &tcp->watch;
	uint32_t seen = watch_look(watch);
	ssize_t sent = watch_check(self, watch, seen, RT_WRITE);

	if (sent < 0)
		return sent;
	do
		sent = send_parts(watch->fd, parts, count);
	while (sent < 0 && error_last() == EINTR);
	if (sent < 0)
		return watch_failed(self, watch, seen, RT_WRITE);
	settle(self, watch, seen);
	return sent;
}

ssize_t tcp_try_writev(struct rt_tcp *tcp, struct iovec *parts, size_t count)
{
	return try_write(self_get(), tcp, parts, count);
}

ssize_t tcp_try_write(struct rt_tcp *tcp, const void *buf, size_t size)
{
	return try_write(self_get(), tcp, &(struct iovec){(void *)buf, size}, 1);
}

int tcp_begin_connect(struct rt_tcp *tcp, const struct rt_addr *addr)
{
	int fd = socket_open(addr, SOCK_STREAM);

	tcp->watch.fd = -1;
	if (fd < 0)
		return fd;
	tcp_init(tcp, fd);
	if (connect(fd, &addr->u.any, addr_len(addr)) == 0)
		return 0;
	int err = error_last();

	/* An interrupted connect() goes on in the background. */
	if (err == EINPROGRESS || err == EINTR) {
		tcp->watch.ready = 0;
		return -EINPROGRESS;
	}
	tcp_finish(tcp);
	return -err;
}

int tcp_connected(struct rt_tcp *tcp)
{
	struct self *self = self_get();
	uint32_t seen = watch_look(&tcp->watch);

	/* With several threads an event of another descriptor with this number may have come to this one. */
	if (self_shares(self) && fd_poll(tcp->watch.fd, RT_WRITE) == 0) {
		watch_change(self, &tcp->watch, seen, 0, RT_WRITE);
		return -EINPROGRESS;
	}
	int err = socket_get(tcp->watch.fd, SOL_SOCKET, SO_ERROR);

	if (err == 0) {
		/* It is registered: an event may come at this moment. */
		watch_set(&tcp->watch, RT_READ | RT_WRITE);
		return 0;
	}
	tcp_finish(tcp);
	return err < 0 ? err : -err;
}

struct connecting {
	struct rt_tcp *tcp;
	rt_time deadline;
};

static int connect_one(const struct rt_addr *addr, void *arg)
{
	struct connecting *connecting = arg;
	struct rt_tcp *tcp = connecting->tcp;
	int err = tcp_begin_connect(tcp, addr);

	while (err == -EINPROGRESS) {
		err = watch_wait(&tcp->watch, RT_WRITE, connecting->deadline);
		if (err < 0)
			tcp_finish(tcp);
		else
			err = tcp_connected(tcp);
	}
	return err;
}

/* A connection in memory of its own, if connect says that it succeeded. */
static int connect_with(struct rt_tcp **tcp, int (*connect)(struct connecting *, const void *),
			const void *to, rt_time deadline)
{
	struct connecting connecting = {malloc(sizeof(struct rt_tcp)), deadline};

	*tcp = NULL;
	if (!to || !connecting.tcp) {
		free(connecting.tcp);
		return to ? -ENOMEM : -EINVAL;
	}
	int err = connect(&connecting, to);

	if (err < 0)
		free(connecting.tcp);
	else
		*tcp = connecting.tcp;
	return err;
}

static int connect_addr(struct connecting *connecting, const void *addr)
{
	return connect_one(addr, connecting);
}

static int connect_text(struct connecting *connecting, const void *text)
{
	return socket_each_addr(text, connecting->deadline, connect_one, connecting);
}

int rt_tcp_connect(struct rt_tcp **tcp, const char *addr, rt_time deadline)
{
	return connect_with(tcp, connect_text, addr, deadline);
}

int rt_tcp_connect_addr(struct rt_tcp **tcp, const struct rt_addr *addr, rt_time deadline)
{
	return connect_with(tcp, connect_addr, addr, deadline);
}

static void free_destroyed(struct rt_tcp *tcp)
{
	tcp_finish(tcp);
	free(tcp);
}

/* Another task may have destroyed it in the middle of the operation. */
static inline void release(struct self *self, struct rt_tcp *tcp)
{
	if (__builtin_expect(hold_end(self, &tcp->u.hold), 0))
		free_destroyed(tcp);
}

/*
 * Held for as long as it takes, as another task may destroy it meanwhile. Without other threads that
 * begins with waiting: a try has been made.
 */
static __attribute__((noinline)) ssize_t read_held(struct self *self, struct rt_tcp *tcp, void *buf,
						   size_t size, rt_time deadline)
{
	ssize_t got = -EAGAIN;

	hold_begin(self, &tcp->u.hold);
	if (self_shares(self))
		got = try_read(self, tcp, buf, size);
	while (got == -EAGAIN) {
		int err = watch_wait(&tcp->watch, RT_READ, deadline);

		self = self_get();
		got = err < 0 ? err : try_read(self, tcp, buf, size);
	}
	release(self, tcp);
	return got;
}

ssize_t rt_tcp_read(struct rt_tcp *tcp, void *buf, size_t size, rt_time deadline)
{
	struct self *self = self_get();

	if (!self_shares(self)) {
		ssize_t got = try_read(self, tcp, buf, size);

		if (got != -EAGAIN)
			return got;
	}
	return read_held(self, tcp, buf, size, deadline);
}

ssize_t rt_tcp_read_exactly(struct rt_tcp *tcp, void *buf, size_t size, size_t *done, rt_time deadline)
{
	size_t have = 0;
	ssize_t got = 1;

	while (have < size && got > 0) {
		got = rt_tcp_read(tcp, (char *)buf + have, size - have, deadline);
		if (got > 0)
			have += (size_t)got;
	}
	if (done)
		*done = have;
	return got < 0 ? got : (ssize_t)have;
}

static ssize_t write_some(struct rt_tcp *tcp, const char *buf, size_t size, rt_time deadline)
{
	for (;;) {
		ssize_t sent = tcp_try_write(tcp, buf, size);

		if (sent != -EAGAIN)
			return sent;
		int err = watch_wait(&tcp->watch, RT_WRITE, deadline);

		if (err < 0)
			return err;
	}
}

static inline ssize_t note_done(size_t *done, size_t sent, ssize_t result)
{
	if (done)
		*done = sent;
	return result < 0 ? result : (ssize_t)sent;
}

/* What the first try has not sent. */
static __attribute__((noinline)) ssize_t write_held(struct rt_tcp *tcp, struct iovec all, size_t sent,
						    size_t *done, rt_time deadline)
{
	ssize_t result = 0;

	hold_begin(self_get(), &tcp->u.hold);
	while (sent < all.iov_len && result >= 0) {
		result = write_some(tcp, (const char *)all.iov_base + sent, all.iov_len - sent, deadline);
		if (result > 0)
			sent += (size_t)result;
	}
	release(self_get(), tcp);
	return note_done(done, sent, result);
}

ssize_t rt_tcp_write(struct rt_tcp *tcp, const void *buf, size_t size, size_t *done, rt_time deadline)
{
	struct self *self = self_get();
	struct iovec all = {(void *)buf, size};
	ssize_t sent = size > 0 && !self_shares(self) ? try_write(self, tcp, &all, 1) : 0;

	if (sent == -EAGAIN)
		sent = 0;
	if (sent < 0 || (size_t)sent == size)
		return note_done(done, sent < 0 ? 0 : size, sent);
	return write_held(tcp, all, (size_t)sent, done, deadline);
}

int rt_tcp_shutdown(struct rt_tcp *tcp, int how)
{
	if (tcp->watch.fd < 0)
		return -EBADF;
	return shutdown(tcp->watch.fd, how) < 0 ? -error_last() : 0;
}

void rt_tcp_destroy(struct rt_tcp *tcp)
{
	struct self *self = self_get();

	if (!tcp)
		return;
	hold_destroy(self, &tcp->u.hold);
	if (self_shares(self))
		watch_finish(&tcp->watch);
	else
		tcp_finish(tcp);
	release(self, tcp);
}

int rt_tcp_local_addr(const struct rt_tcp *tcp, struct rt_addr *addr)
{
	return socket_local_addr(tcp->watch.fd, addr);
}

int rt_tcp_peer_addr(const struct rt_tcp *tcp, struct rt_addr *addr)
{
	return socket_peer_addr(tcp->watch.fd, addr);
}

int rt_tcp_set_nodelay(struct rt_tcp *tcp, bool on)
{
	return socket_set(tcp->watch.fd, IPPROTO_TCP, TCP_NODELAY, on);
}

int rt_tcp_set_keepalive(struct rt_tcp *tcp, unsigned idle)
{
	int err = socket_set(tcp->watch.fd, SOL_SOCKET, SO_KEEPALIVE, idle > 0);

	if (err < 0 || idle == 0)
		return err;
	return socket_set(tcp->watch.fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)(idle < 32767 ? idle : 32767));
}

int rt_tcp_fd(const struct rt_tcp *tcp)
{
	return tcp->watch.fd;
}
