/* SPDX-License-Identifier: MIT */
/*
 * A UDP server that sends every datagram back to whoever sent it.
 *
 * Try it:  ./dev build
 *          build/examples/udp_echo
 *          nc -u 127.0.0.1 8080                (in other terminals)
 */
/* examples/udp_echo.c: cc udp_echo.c $(pkg-config --cflags --libs rtcore) */
#include <rt.h>
#include <stdio.h>

static int async_main(int argc, char **argv)
{
	struct rt_udp *socket;
	struct rt_addr addr;
	char buf[1024], text[RT_ADDR_TEXT_MAX];
	int err = rt_udp_bind(&socket, "127.0.0.1:8080");

	if (err < 0)
		return err;
	rt_udp_local_addr(socket, &addr);
	printf("Listening on %s\n", rt_addr_text(&addr, text));
	for (;;) {
		ssize_t got = rt_udp_recv_from(socket, buf, sizeof buf, &addr, RT_FOREVER);
		if (got < 0)
			return (int)got;
		ssize_t sent = rt_udp_send_to(socket, buf, (size_t)got, &addr, RT_FOREVER);
		if (sent < 0)
			return (int)sent;
		printf("Sent %zd out of %zd bytes to %s\n", sent, got, rt_addr_text(&addr, text));
	}
}

RT_MAIN(async_main)
