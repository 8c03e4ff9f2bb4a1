/* SPDX-License-Identifier: MIT */
/*
 * A UDP client: sends one datagram and prints the reply, which may be five
 * seconds under way.
 *
 * Try it:  ./dev build
 *          build/examples/udp_echo                         (in another terminal)
 *          build/examples/udp_client [ADDRESS]             (127.0.0.1:8080)
 */
#include <rt.h>
#include <stdio.h>
#include <string.h>

static int greet(struct rt_udp *socket, const char *addr)
{
	const char *message = "hello world";
	char buf[1024];
	int err = rt_udp_connect(socket, addr, rt_in(RT_S(5)));

	if (err < 0)
		return err;
	ssize_t sent = rt_udp_send(socket, message, strlen(message), rt_in(RT_S(5)));
	if (sent < 0)
		return (int)sent;
	printf("<- %s\n", message);
	ssize_t got = rt_udp_recv(socket, buf, sizeof buf, rt_in(RT_S(5)));
	if (got < 0)
		return (int)got;
	if (got > (ssize_t)sizeof buf)
		got = sizeof buf; /* a larger datagram was cut off */
	printf("-> %.*s\n", (int)got, buf);
	return 0;
}

static int async_main(int argc, char **argv)
{
	struct rt_udp *socket;
	int err = rt_udp_bind(&socket, "127.0.0.1:0");

	if (err < 0)
		return err;
	err = greet(socket, argc > 1 ? argv[1] : "127.0.0.1:8080");
	rt_udp_destroy(socket);
	return err;
}

RT_MAIN(async_main)
