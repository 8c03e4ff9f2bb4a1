/* SPDX-License-Identifier: MIT */
/*
 * A TCP client: connects, sends a greeting, prints the reply. Nothing takes
 * longer than five seconds: every function that waits has a deadline.
 *
 * Try it:  ./dev build
 *          build/examples/tcp_echo                         (in another terminal)
 *          build/examples/tcp_client [ADDRESS]             (127.0.0.1:8080)
 */
#include <rt.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int greet(struct rt_tcp *conn)
{
	const char *message = "hello world";
	char buf[1024];
	ssize_t sent = rt_tcp_write(conn, message, strlen(message), NULL, rt_in(RT_S(5)));

	if (sent < 0)
		return (int)sent;
	printf("<- %s\n", message);
	ssize_t got = rt_tcp_read(conn, buf, sizeof buf, rt_in(RT_S(5)));
	if (got < 0)
		return (int)got;
	if (got == 0)
		return -ECONNRESET; /* the server hung up without a reply */
	printf("-> %.*s\n", (int)got, buf);
	return 0;
}

static int async_main(int argc, char **argv)
{
	struct rt_tcp *conn;
	struct rt_addr addr;
	char text[RT_ADDR_TEXT_MAX];
	int err = rt_tcp_connect(&conn, argc > 1 ? argv[1] : "127.0.0.1:8080", rt_in(RT_S(5)));

	if (err < 0)
		return err;
	err = rt_tcp_peer_addr(conn, &addr);
	if (err == 0) {
		printf("Connected to %s\n", rt_addr_text(&addr, text));
		err = greet(conn);
	}
	rt_tcp_destroy(conn);
	return err;
}

RT_MAIN(async_main)
