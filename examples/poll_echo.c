/* SPDX-License-Identifier: MIT */
/*
 * The TCP echo on a runtime of one's own: poll_runtime.c, or any other that is registered.
 *
 * Try it:  ./dev build
 *          build/examples/poll_echo [RUNTIME [ADDRESS]]    (poll, 127.0.0.1:8080)
 *          nc 127.0.0.1 8080                               (in other terminals)
 */
#include "poll_runtime.h"

#include <stdio.h>
#include <stdlib.h>

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
	return 0;
}

static int async_main(int argc, char **argv)
{
	struct rt_tcp_listener *listener;
	struct rt_tcp *conn;
	struct rt_addr addr;
	char text[RT_ADDR_TEXT_MAX];
	int err = rt_tcp_listen(&listener, argc > 2 ? argv[2] : "127.0.0.1:8080", NULL);

	if (err < 0)
		return err;
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	rt_tcp_listener_local_addr(listener, &addr);
	printf("Listening on %s\n", rt_addr_text(&addr, text));
	printf("Running on %s\n", rt_runtime_current()->ops->name);
	while ((err = rt_tcp_accept(listener, &conn, NULL, RT_FOREVER)) == 0) {
		struct rt_task *task = rt_spawn(echo, conn);
		if (!task)
			rt_tcp_destroy(conn);
		rt_detach(task);
	}
	rt_tcp_listener_destroy(listener);
	return err;
}

int main(int argc, char **argv)
{
	rt_runtime_register(&poll_runtime);
	const char *name = argc > 1 ? argv[1] : "poll";
	const struct rt_runtime_ops *ops = rt_runtime_find(name);

	if (ops)
		return rt_main(argc, argv, async_main, "async_main", ops);
	fprintf(stderr, "%s: no runtime is called '%s'; there is:", argv[0], name);
	for (unsigned i = 0; rt_runtime_name(i); i++)
		fprintf(stderr, " %s", rt_runtime_name(i));
	fprintf(stderr, "\n");
	return EXIT_FAILURE;
}
