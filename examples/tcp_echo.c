/* SPDX-License-Identifier: MIT */
/*
 * A TCP server that sends back what it gets: a task for each connection.
 *
 * Try it:  ./dev build
 *          build/examples/tcp_echo [ADDRESS]               (127.0.0.1:8080)
 *          nc 127.0.0.1 8080                               (in other terminals)
 */
#include <rt.h>
#include <stdio.h>

static int echo(void *arg)
{
	struct rt_tcp *conn = arg;
	char buf[4096];
	ssize_t got;

	while ((got = rt_tcp_read(conn, buf, sizeof buf, RT_FOREVER)) > 0) {
		if (rt_tcp_write(conn, buf, (size_t)got, NULL, RT_FOREVER) < 0)
			break;
	}
	rt_tcp_destroy(conn);
	return 0; /* a client that hangs up is no error */
}

static int async_main(int argc, char **argv)
{
	struct rt_tcp_listener *listener;
	struct rt_tcp *conn;
	struct rt_addr addr;
	char text[RT_ADDR_TEXT_MAX];
	int err = rt_tcp_listen(&listener, argc > 1 ? argv[1] : "127.0.0.1:8080", NULL);

	if (err < 0)
		return err;
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	rt_tcp_listener_local_addr(listener, &addr);
	printf("Listening on %s\n", rt_addr_text(&addr, text));
	while ((err = rt_tcp_accept(listener, &conn, &addr, RT_FOREVER)) == 0) {
		printf("Accepting from %s\n", rt_addr_text(&addr, text));
		struct rt_task *task = rt_spawn(echo, conn);
		if (!task)
			rt_tcp_destroy(conn);
		rt_detach(task);
	}
	rt_tcp_listener_destroy(listener);
	return err;
}

RT_MAIN(async_main)
