/* SPDX-License-Identifier: MIT */
/* The raw epoll echo, one thread: what run-echo.sh measures the others against. echo_epoll [PORT] */
/*
 * As little as Linux allows: one edge-triggered registration per connection for
 * its life, and two system calls per request. A read that did not fill the
 * buffer has drained the socket, so none follows to see EAGAIN, unless the peer
 * has closed its side: then the end of the stream is still to be read.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512, BUFFER = 4096 };

/* What the peer did not take yet; nothing is read from it meanwhile. */
struct pending {
	size_t start;
	size_t end;
	char bytes[BUFFER];
};

struct conn {
	int fd;
	bool closing; /* EPOLLRDHUP was seen */
	struct pending *pending;
};

static char buffer[BUFFER];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Keeps what the socket would not take. Returns false when the connection is lost. */
static bool keep(struct conn *conn, const char *bytes, size_t size)
{
	conn->pending = malloc(sizeof *conn->pending);
	if (!conn->pending)
		return false;
	memcpy(conn->pending->bytes, bytes, size);
	conn->pending->start = 0;
	conn->pending->end = size;
	return true;
}

/* Sends as much as the socket takes. Returns the number of bytes, or -1 when the connection is lost. */
static ssize_t put(int fd, const char *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t sent = send(fd, bytes + done, size - done, MSG_NOSIGNAL);

		if (sent >= 0)
			done += (size_t)sent;
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR)
			return -1;
	}
	return (ssize_t)done;
}

static bool flush(struct conn *conn)
{
	struct pending *pending = conn->pending;
	ssize_t sent = put(conn->fd, pending->bytes + pending->start, pending->end - pending->start);

	if (sent < 0)
		return false;
	pending->start += (size_t)sent;
	if (pending->start == pending->end) {
		free(pending);
		conn->pending = NULL;
	}
	return true;
}

/* Echoes until the socket is drained or full. Returns false when the connection has ended. */
static bool echo(struct conn *conn)
{
	if (conn->pending && !flush(conn))
		return false;
	while (!conn->pending) {
		ssize_t got = recv(conn->fd, buffer, sizeof buffer, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN;
		if (got == 0)
			return false;
		ssize_t sent = put(conn->fd, buffer, (size_t)got);

		if (sent < 0)
			return false;
		if (sent < got)
			return keep(conn, buffer + sent, (size_t)(got - sent));
		if (got < BUFFER && !conn->closing)
			return true;
	}
	return true;
}

static void finish(struct conn *conn)
{
	close(conn->fd);
	free(conn->pending);
	free(conn);
}

static void adopt(int epoll, int fd)
{
	struct conn *conn = calloc(1, sizeof *conn);
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = conn};

	if (!conn)
		die("echo_epoll: calloc");
	conn->fd = fd;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("echo_epoll: epoll_ctl");
}

static void accept_all(int epoll, int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			adopt(epoll, fd);
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR && errno != ECONNABORTED)
			die("echo_epoll: accept4");
	}
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
	socklen_t size = sizeof addr;
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		die("echo_epoll: socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&addr, size) < 0)
		die("echo_epoll: bind");
	if (listen(fd, 1024) < 0 || getsockname(fd, (struct sockaddr *)&addr, &size) < 0)
		die("echo_epoll: listen");
	printf("listening on 127.0.0.1:%u\n", ntohs(addr.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int listener = listen_on(argc > 1 ? (uint16_t)atoi(argv[1]) : 0);
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0)
		die("echo_epoll: epoll");
	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS, -1);

		if (count < 0 && errno != EINTR)
			die("echo_epoll: epoll_wait");
		for (int i = 0; i < count; i++) {
			struct conn *conn = events[i].data.ptr;

			if (!conn) {
				accept_all(epoll, listener);
				continue;
			}
			if (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
				conn->closing = true;
			if (!echo(conn))
				finish(conn);
		}
	}
}
