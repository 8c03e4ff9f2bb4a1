/* SPDX-License-Identifier: MIT */
/*
 * A TCP proxy: passes every connection on to another server. Two tasks for each
 * copy both directions at the same time. When one side has sent all it will, the
 * other side is told so, and may still answer.
 *
 * Try it:  ./dev build
 *          build/examples/tcp_echo                         (in another terminal)
 *          build/examples/tcp_proxy [LISTEN [UPSTREAM]]    (127.0.0.1:8081, 127.0.0.1:8080)
 *          build/examples/tcp_client 127.0.0.1:8081        (in a third one)
 */
#include <rt.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What the two tasks of a connection share: the last one to leave closes it. */
struct relay {
	struct rt_tcp *client;
	struct rt_tcp *server;
	atomic_int users;
};

static const char *upstream = "127.0.0.1:8080";

static void leave(struct relay *relay)
{
	if (atomic_fetch_sub(&relay->users, 1) > 1)
		return;
	rt_tcp_destroy(relay->server);
	rt_tcp_destroy(relay->client);
	free(relay);
}

static void copy(struct rt_tcp *from, struct rt_tcp *to)
{
	char buf[4096];
	ssize_t got;

	while ((got = rt_tcp_read(from, buf, sizeof buf, RT_FOREVER)) > 0) {
		if (rt_tcp_write(to, buf, (size_t)got, NULL, RT_FOREVER) < 0)
			break;
	}
	rt_tcp_shutdown(to, SHUT_WR);
}

static int upload(void *arg)
{
	struct relay *relay = arg;

	copy(relay->client, relay->server);
	leave(relay);
	return 0;
}

static int download(void *arg)
{
	struct relay *relay = arg;

	copy(relay->server, relay->client);
	leave(relay);
	return 0;
}

static int proxy(void *arg)
{
	struct relay *relay = calloc(1, sizeof *relay);
	struct rt_task *task;
	int err;

	if (!relay) {
		rt_tcp_destroy(arg);
		return -ENOMEM;
	}
	relay->client = arg;
	relay->users = 1;
	err = rt_tcp_connect(&relay->server, upstream, rt_in(RT_S(10)));
	if (err < 0) {
		fprintf(stderr, "connect %s: %s\n", upstream, strerror(-err));
		leave(relay);
		return 0; /* the client sees its connection closed */
	}
	relay->users = 2;
	task = rt_spawn(upload, relay);
	if (!task) {
		relay->users = 1;
		leave(relay);
		return -ENOMEM;
	}
	rt_detach(task);
	return download(relay);
}

static int async_main(int argc, char **argv)
{
	struct rt_tcp_listener *listener;
	struct rt_tcp *conn;
	struct rt_addr addr;
	char text[RT_ADDR_TEXT_MAX];
	int err = rt_tcp_listen(&listener, argc > 1 ? argv[1] : "127.0.0.1:8081", NULL);

	if (err < 0)
		return err;
	if (argc > 2)
		upstream = argv[2];
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	rt_tcp_listener_local_addr(listener, &addr);
	printf("Listening on %s\n", rt_addr_text(&addr, text));
	while ((err = rt_tcp_accept(listener, &conn, &addr, RT_FOREVER)) == 0) {
		printf("Accepting from %s\n", rt_addr_text(&addr, text));
		struct rt_task *task = rt_spawn(proxy, conn);
		if (!task)
			rt_tcp_destroy(conn);
		rt_detach(task);
	}
	rt_tcp_listener_destroy(listener);
	return err;
}

RT_MAIN(async_main)
