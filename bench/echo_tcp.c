/* SPDX-License-Identifier: MIT */
/* The echo in C, a task per connection. echo_tcp [ADDRESS]; run-echo.sh measures it. */
#include <rt.h>

#include <stdio.h>

/* Small, so that a connection which waits has touched one page of its stack. */
enum { BUFFER = 512 };

static int serve(void *arg)
{
	struct rt_tcp *tcp = arg;
	char buf[BUFFER];
	ssize_t got;

	while ((got = rt_tcp_read(tcp, buf, sizeof buf, RT_FOREVER)) > 0) {
		if (rt_tcp_write(tcp, buf, (size_t)got, NULL, RT_FOREVER) < 0)
			break;
	}
	rt_tcp_destroy(tcp);
	return 0; /* a connection that breaks is no failure of the server */
}

static int async_main(int argc, char **argv)
{
	struct rt_tcp_listener *listener;
	struct rt_tcp *tcp;
	struct rt_addr addr;
	char text[RT_ADDR_TEXT_MAX];
	int err = rt_tcp_listen(&listener, argc > 1 ? argv[1] : "127.0.0.1:0", NULL);

	if (err < 0)
		return err;
	rt_tcp_listener_local_addr(listener, &addr);
	printf("listening on %s\n", rt_addr_text(&addr, text));
	fflush(stdout);
	while ((err = rt_tcp_accept(listener, &tcp, NULL, RT_FOREVER)) == 0) {
		struct rt_task *task = rt_spawn(serve, tcp);

		if (!task)
			rt_tcp_destroy(tcp);
		rt_detach(task);
	}
	rt_tcp_listener_destroy(listener);
	return err;
}

RT_MAIN(async_main)
