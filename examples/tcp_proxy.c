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
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct relay {
	struct rt_tcp *client;
	struct rt_tcp *server;
};

static const char *upstream = "127.0.0.1:8080";

/* Until the stream ends, or fails: then the other direction ends too. */
static int copy(struct rt_tcp *from, struct rt_tcp *to)
{
	char buf[4096];
	ssize_t got;

	while ((got = rt_tcp_read(from, buf, sizeof buf, RT_FOREVER)) > 0) {
		got = rt_tcp_write(to, buf, (size_t)got, NULL, RT_FOREVER);
		if (got < 0)
			break;
	}
	rt_tcp_shutdown(to, SHUT_WR);
	return (int)got;
}

static int upload(void *arg)
{
	struct relay *relay = arg;

	return copy(relay->client, relay->server);
}

static int download(void *arg)
{
	struct relay *relay = arg;

	return copy(relay->server, relay->client);
}

static int proxy(void *arg)
{
	struct relay relay = {.client = arg};
	struct rt_scope scope;
	int err = rt_tcp_connect(&relay.server, upstream, rt_in(RT_S(10)));

	if (err < 0) {
		fprintf(stderr, "connect %s: %s\n", upstream, strerror(-err));
	} else {
		/* Nobody uses the relay any more when the scope has been left, cancelled or not. */
		rt_scope_enter(&scope, RT_FOREVER);
		if (!rt_scope_spawn(&scope, upload, &relay) || !rt_scope_spawn(&scope, download, &relay))
			rt_scope_cancel(&scope);
		err = rt_scope_leave(&scope);
	}
	rt_tcp_destroy(relay.server);
	rt_tcp_destroy(relay.client);
	return err;
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
