/* SPDX-License-Identifier: MIT */
/*
 * Tells which TCP ports of a host are open: four workers take the ports from a
 * channel and put what they find into another. The scope owns the workers: they
 * have ended when it has been left, and after five seconds it gives up, whatever
 * they are waiting for.
 *
 * Try it:  ./dev build
 *          build/examples/tcp_echo                             (in another terminal)
 *          build/examples/ports [HOST [FIRST [LAST]]]          (127.0.0.1 8070 8090)
 */
#include <rt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORKERS = 4 };

static const char *host = "127.0.0.1";
static struct rt_chan *ports, *found;

static int work(void *arg)
{
	char addr[RT_ADDR_TEXT_MAX];
	struct rt_tcp *conn;
	int port, err;

	(void)arg;
	while ((err = rt_chan_recv(ports, &port, RT_FOREVER)) == 0) {
		snprintf(addr, sizeof addr, "%s:%d", host, port);
		if (rt_tcp_connect(&conn, addr, rt_in(RT_S(1))) == 0) {
			rt_tcp_destroy(conn);
			rt_chan_send(found, &port, RT_FOREVER);
		}
	}
	return err == -EPIPE ? 0 : err; /* closed: that was all */
}

/* Hands the ports out; returns 0, or -ETIMEDOUT when there was no time for all of them. */
static int scan(int first, int last)
{
	struct rt_scope scope;

	rt_scope_enter(&scope, rt_in(RT_S(5)));
	for (int i = 0; i < WORKERS; i++)
		rt_scope_spawn(&scope, work, NULL);
	for (int port = first; port <= last; port++) {
		if (rt_chan_send(ports, &port, RT_FOREVER) < 0)
			break;
	}
	rt_chan_close(ports);
	return rt_scope_leave(&scope);
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static int report(int total)
{
	int *open = calloc((size_t)total, sizeof *open);
	size_t count = 0;

	if (!open)
		return -ENOMEM;
	while (count < (size_t)total && rt_chan_try_recv(found, &open[count]) == 0)
		count++;
	qsort(open, count, sizeof *open, compare);
	for (size_t i = 0; i < count; i++)
		printf("%d is open\n", open[i]);
	printf("%zu of %d ports are open\n", count, total);
	free(open);
	return 0;
}

static int async_main(int argc, char **argv)
{
	int first = argc > 2 ? atoi(argv[2]) : 8070;
	int last = argc > 3 ? atoi(argv[3]) : 8090;

	if (argc > 1)
		host = argv[1];
	if (first < 1 || last > 65535 || first > last)
		return -EINVAL;
	int err = rt_chan_create(&ports, sizeof(int), 0);

	if (err == 0)
		err = rt_chan_create(&found, sizeof(int), (size_t)(last - first + 1));
	if (err == 0) {
		err = scan(first, last);
		report(last - first + 1);
	}
	rt_chan_destroy(ports);
	rt_chan_destroy(found);
	return err;
}

RT_MAIN(async_main)
