/* SPDX-License-Identifier: MIT */
/* The bare libevent echo, one thread: what of our servers' cost is libevent's. echo_libevent */
/*
 * As little as libevent allows: one edge-triggered, persistent event per connection for its life, no
 * bufferevents, no locks; a read that did not fill the buffer has drained the socket. A peer that does not
 * take its echo loses the connection: run-echo.sh's has one message under way.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 4096 };

static char buffer[BUFFER];
static struct event_base *base;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void finish(struct event *event)
{
	event_del(event);
	close(event_get_fd(event));
	free(event);
}

static void echo(evutil_socket_t fd, short what, void *arg)
{
	for (;;) {
		ssize_t got = recv(fd, buffer, sizeof buffer, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0 || send(fd, buffer, (size_t)got, MSG_NOSIGNAL) != got) {
			finish(arg);
			return;
		}
		if (got < BUFFER && !(what & EV_CLOSED))
			return;
	}
}

static void accept_all(evutil_socket_t listener, short what, void *arg)
{
	int fd;

	(void)what, (void)arg;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct event *event = malloc(sizeof *event);

		if (!event)
			die("echo_libevent: malloc");
		event_assign(event, base, fd, EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST, echo,
			     event);
		if (event_add(event, NULL) < 0)
			die("echo_libevent: event_add");
	}
}

static int listen_anywhere(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t size = sizeof addr;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, size) < 0 || listen(fd, 1024) < 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &size) < 0)
		die("echo_libevent: listen");
	printf("listening on 127.0.0.1:%u\n", ntohs(addr.sin_port));
	fflush(stdout);
	return fd;
}

int main(void)
{
	struct event_config *config = event_config_new();
	struct event accepting;

	event_config_require_features(config, EV_FEATURE_ET);
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_NO_CACHE_TIME);
	base = event_base_new_with_config(config);
	event_config_free(config);
	if (!base)
		die("echo_libevent: event_base");
	event_assign(&accepting, base, listen_anywhere(), EV_READ | EV_ET | EV_PERSIST, accept_all, NULL);
	event_add(&accepting, NULL);
	return event_base_dispatch(base) < 0;
}
