/* SPDX-License-Identifier: MIT */
/* TCP listeners; see tcp.h and rt/net.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "net/tcp.h"

#include "base/error.h"
#include "net/addr.h"
#include "net/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

static int bind_and_listen(int fd, const struct rt_addr *addr, const struct rt_tcp_listen_options *options)
{
	int err = socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	if (err == 0 && options->reuseport)
		err = socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (err < 0)
		return err;
	if (bind(fd, &addr->u.any, addr_len(addr)) < 0)
		return -error_last();
	return listen(fd, options->backlog ? options->backlog : BACKLOG) < 0 ? -error_last() : 0;
}

int listener_init(struct rt_tcp_listener *listener, const struct rt_addr *addr,
		  const struct rt_tcp_listen_options *options)
{
	static const struct rt_tcp_listen_options defaults;
	int fd = socket_open(addr, SOCK_STREAM);

	listener->watch.fd = -1;
	listener->hold = (struct hold){0};
	if (fd < 0)
		return fd;
	int err = bind_and_listen(fd, addr, options ? options : &defaults);

	if (err < 0)
		close(fd);
	else
		watch_init(&listener->watch, fd);
	return err;
}

void listener_finish(struct rt_tcp_listener *listener)
{
	int fd = listener->watch.fd;

	if (fd < 0)
		return;
	watch_finish(&listener->watch);
	listener->watch.fd = -1;
	close(fd);
}

/* What accept(2) passes on of the new connection's own errors, and what is worth another try. */
static bool is_transient(int err)
{
	switch (err) {
	case EINTR:
	case ECONNABORTED:
	case ENETDOWN:
	case EPROTO:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
		return true;
	default:
		return false;
	}
}

int listener_try_accept(struct rt_tcp_listener *listener, struct rt_addr *peer)
{
	struct rt_watch *watch = &listener->watch;
	int fd, err = 0;

	uint32_t seen = watch_look(watch);

	if (watch->fd < 0)
		return -EBADF;
	if (!(seen & RT_READ) || self_spend(self_get()))
		return -EAGAIN;
	do {
		socklen_t size = sizeof *peer;

		fd = accept4(watch->fd, peer ? &peer->u.any : NULL, peer ? &size : NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		err = fd < 0 ? error_last() : 0;
	} while (is_transient(err));
	if (err == EAGAIN)
		watch_change(self_get(), watch, seen, 0, RT_READ);
	return fd < 0 ? -err : fd;
}

bool listener_exhausted(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM;
}

struct listening {
	struct rt_tcp_listener *listener;
	const struct rt_tcp_listen_options *options;
};

static int listen_on(const struct rt_addr *addr, void *arg)
{
	struct listening *listening = arg;

	return listener_init(listening->listener, addr, listening->options);
}

int rt_tcp_listen(struct rt_tcp_listener **listener, const char *addr,
		  const struct rt_tcp_listen_options *options)
{
	struct listening listening = {malloc(sizeof(struct rt_tcp_listener)), options};

	*listener = NULL;
	if (!listening.listener)
		return -ENOMEM;
	int err = socket_each_addr(addr, RT_FOREVER, listen_on, &listening);

	if (err < 0)
		free(listening.listener);
	else
		*listener = listening.listener;
	return err;
}

/* When there is no descriptor left: waits for somebody to close one. */
static int back_off(rt_time deadline)
{
	rt_time until = rt_in(LISTENER_BACKOFF);

	if (deadline == RT_NOW)
		return -ETIMEDOUT;
	int err = rt_sleep_until(until < deadline ? until : deadline);

	if (err == 0 && until >= deadline)
		err = -ETIMEDOUT;
	return err;
}

static int accept_fd(struct rt_tcp_listener *listener, struct rt_addr *peer, rt_time deadline)
{
	for (;;) {
		int fd = listener_try_accept(listener, peer), err;

		if (fd == -EAGAIN)
			err = watch_wait(&listener->watch, RT_READ, deadline);
		else if (listener_exhausted(fd))
			err = back_off(deadline);
		else
			return fd;
		if (err < 0)
			return err;
	}
}

/* Another thread may have destroyed it meanwhile. */
static void release(struct rt_tcp_listener *listener)
{
	if (!hold_end(self_get(), &listener->hold))
		return;
	listener_finish(listener);
	free(listener);
}

int rt_tcp_accept(struct rt_tcp_listener *listener, struct rt_tcp **tcp, struct rt_addr *peer,
		  rt_time deadline)
{
	struct rt_tcp *accepted = malloc(sizeof *accepted);

	*tcp = NULL;
	if (!accepted)
		return -ENOMEM;
	hold_begin(self_get(), &listener->hold);
	int fd = accept_fd(listener, peer, deadline);

	release(listener);
	if (fd < 0) {
		free(accepted);
		return fd;
	}
	tcp_init(accepted, fd);
	*tcp = accepted;
	return 0;
}

int rt_tcp_listener_local_addr(const struct rt_tcp_listener *listener, struct rt_addr *addr)
{
	return socket_local_addr(listener->watch.fd, addr);
}

int rt_tcp_listener_fd(const struct rt_tcp_listener *listener)
{
	return listener->watch.fd;
}

void rt_tcp_listener_destroy(struct rt_tcp_listener *listener)
{
	if (!listener)
		return;
	hold_destroy(self_get(), &listener->hold);
	if (self_is_shared())
		watch_finish(&listener->watch);
	else
		listener_finish(listener);
	release(listener);
}
