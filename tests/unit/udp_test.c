/* SPDX-License-Identifier: MIT */
/* UDP: datagrams. Options and multicast are in udp_option_test.c. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/pair.h"
#include "support/suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct rt_udp *bind_to(const char *addr)
{
	struct rt_udp *udp;

	ck_assert_int_eq(rt_udp_bind(&udp, addr), 0);
	return udp;
}

static struct rt_addr local_of(const struct rt_udp *udp)
{
	struct rt_addr addr;

	ck_assert_int_eq(rt_udp_local_addr(udp, &addr), 0);
	return addr;
}

static const char *text_of(const struct rt_udp *udp)
{
	static char text[RT_ADDR_TEXT_MAX];
	struct rt_addr addr = local_of(udp);

	return rt_addr_text(&addr, text);
}

static int echo(void *arg)
{
	char buf[2048];
	struct rt_addr peer;
	ssize_t got;

	while ((got = rt_udp_recv_from(arg, buf, sizeof buf, &peer, RT_FOREVER)) >= 0)
		ck_assert_int_eq(rt_udp_send_to(arg, buf, (size_t)got, &peer, RT_FOREVER), got);
	return (int)got;
}

/* The loop's index: the family. */
static const char *const hosts[] = {"127.0.0.1:0", "[::1]:0", "localhost:0"};
static int family;

static int echo_all(void *arg)
{
	if (hosts[family][0] == '[' && !has_v6())
		return 0;
	struct rt_udp *server = bind_to(hosts[family]), *client = bind_to(hosts[family]);
	struct rt_addr addr = local_of(server), peer;
	struct rt_task *task = spawn_task(echo, server);
	char buf[2048], text[32];

	(void)arg;
	for (int i = 0; i < 500; i++) {
		int size = snprintf(text, sizeof text, "datagram %d", i);

		ck_assert_int_eq(rt_udp_send_to(client, text, (size_t)size, &addr, RT_FOREVER), size);
		ck_assert_int_eq(rt_udp_recv_from(client, buf, sizeof buf, &peer, RT_FOREVER), size);
		ck_assert_mem_eq(buf, text, (size_t)size);
		ck_assert(rt_addr_equal(&peer, &addr));
	}
	rt_udp_destroy(server);
	ck_assert_int_eq(join_task(task), -EBADF);
	rt_udp_destroy(client);
	return 0;
}

START_TEST(echo_of_datagrams)
{
	family = _i;
	ck_assert_int_eq(rt_run(&rt_native, NULL, echo_all, NULL, NULL), 0);
}
END_TEST

IN_TASK(datagrams_of_every_size)
{
	struct rt_udp *server = bind_to("127.0.0.1:0"), *client = bind_to("127.0.0.1:0");
	struct rt_addr addr = local_of(server), peer;
	static char block[70000], buf[70000];

	memset(block, 'x', sizeof block);
	/* Empty. */
	ck_assert_int_eq(rt_udp_send_to(client, "", 0, &addr, RT_FOREVER), 0);
	ck_assert_int_eq(rt_udp_recv_from(server, buf, sizeof buf, &peer, RT_FOREVER), 0);
	ck_assert_uint_eq(rt_addr_port(&peer), ntohs(local_of(client).u.v4.sin_port));
	/* The largest, and one more. */
	ck_assert_int_eq(rt_udp_send_to(client, block, 65507, &addr, RT_FOREVER), 65507);
	ck_assert_int_eq(rt_udp_recv_from(server, buf, sizeof buf, NULL, RT_FOREVER), 65507);
	ck_assert_mem_eq(buf, block, 65507);
	ck_assert_int_eq(rt_udp_send_to(client, block, 65508, &addr, RT_FOREVER), -EMSGSIZE);
	/* Larger than the buffer: cut, and told so; the next one is whole. */
	memset(buf, 0, 16);
	ck_assert_int_eq(rt_udp_send_to(client, block, 10, &addr, RT_FOREVER), 10);
	ck_assert_int_eq(rt_udp_send_to(client, "next", 4, &addr, RT_FOREVER), 4);
	ck_assert_int_eq(rt_udp_recv_from(server, buf, 4, NULL, RT_FOREVER), 10);
	ck_assert_mem_eq(buf, "xxxx\0\0", 6);
	ck_assert_int_eq(rt_udp_recv_from(server, buf, 4, NULL, RT_FOREVER), 4);
	ck_assert_mem_eq(buf, "next", 4);
	ck_assert_int_eq(rt_udp_send_to(client, "gone", 4, &addr, RT_FOREVER), 4);
	ck_assert_int_eq(rt_udp_recv_from(server, buf, 0, NULL, RT_FOREVER), 4);
	ck_assert_int_eq(rt_udp_recv_from(server, buf, 4, NULL, RT_NOW), -ETIMEDOUT);
	rt_udp_destroy(server);
	rt_udp_destroy(client);
}

/* ---- Connected ---- */

IN_TASK(a_connected_socket_hears_its_peer_only)
{
	struct rt_udp *one = bind_to("127.0.0.1:0"), *two = bind_to("127.0.0.1:0"),
		      *other = bind_to("127.0.0.1:0");
	struct rt_addr addr = local_of(one), peer;
	char buf[16];

	ck_assert_int_lt(rt_udp_peer_addr(one, &peer), 0);
	ck_assert_int_eq(rt_udp_send(one, "x", 1, RT_FOREVER), -EDESTADDRREQ);
	ck_assert_int_eq(rt_udp_connect(one, text_of(two), RT_FOREVER), 0);
	ck_assert_int_eq(rt_udp_peer_addr(one, &peer), 0);
	struct rt_addr expected = local_of(two);

	ck_assert(rt_addr_equal(&peer, &expected));
	ck_assert_int_eq(rt_udp_send_to(other, "other", 5, &addr, RT_FOREVER), 5);
	ck_assert_int_eq(rt_udp_send_to(two, "peer", 4, &addr, RT_FOREVER), 4);
	ck_assert_int_eq(rt_udp_recv(one, buf, sizeof buf, RT_FOREVER), 4);
	ck_assert_mem_eq(buf, "peer", 4);
	ck_assert_int_eq(rt_udp_send(one, "back", 4, RT_FOREVER), 4);
	ck_assert_int_eq(rt_udp_recv_from(two, buf, sizeof buf, &peer, RT_FOREVER), 4);
	ck_assert(rt_addr_equal(&peer, &addr));
	ck_assert_int_eq(rt_udp_connect(one, "nonsense", RT_FOREVER), -EINVAL);
	rt_udp_destroy(one);
	rt_udp_destroy(two);
	rt_udp_destroy(other);
}

static int recv_some(void *arg)
{
	char buf[16];

	return (int)rt_udp_recv(arg, buf, sizeof buf, RT_FOREVER);
}

IN_TASK(nobody_listens_at_the_peer)
{
	struct rt_udp *udp = bind_to("127.0.0.1:0"), *gone = bind_to("127.0.0.1:0");

	ck_assert_int_eq(rt_udp_connect(udp, text_of(gone), RT_FOREVER), 0);
	struct rt_task *task = spawn_task(recv_some, udp);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	rt_udp_destroy(gone);
	ck_assert_int_eq(rt_udp_send(udp, "x", 1, RT_FOREVER), 1);
	ck_assert_int_eq(join_task(task), -ECONNREFUSED);
	/* Only that one failed. */
	ck_assert_int_eq(rt_udp_recv(udp, &(char){0}, 1, RT_NOW), -ETIMEDOUT);
	rt_udp_destroy(udp);
}

/* ---- Errors and ends ---- */

IN_TASK(bad_addresses)
{
	struct rt_udp *udp = (struct rt_udp *)1;

	ck_assert_int_eq(rt_udp_bind(&udp, "nonsense"), -EINVAL);
	ck_assert_ptr_null(udp);
	ck_assert_int_eq(rt_udp_bind(&udp, "192.0.2.77:0"), -EADDRNOTAVAIL);
	struct rt_udp *first = bind_to("127.0.0.1:0");

	ck_assert_int_eq(rt_udp_bind(&udp, text_of(first)), -EADDRINUSE);
	ck_assert_ptr_null(udp);
	ck_assert_int_lt(rt_udp_send_to(first, "x", 1, &(struct rt_addr){0}, RT_FOREVER), 0);
	rt_udp_destroy(first);
	rt_udp_destroy(NULL);
}

IN_TASK(receiving_waits)
{
	struct rt_udp *udp = bind_to("127.0.0.1:0");
	char buf[8];
	rt_time deadline = rt_in(RT_MS(2));

	ck_assert_int_eq(rt_udp_recv(udp, buf, sizeof buf, deadline), -ETIMEDOUT);
	ck_assert_int_ge(rt_now(), deadline);
	struct rt_task *task = spawn_task(recv_some, udp);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	ck_assert_int_eq(rt_udp_recv(udp, buf, sizeof buf, RT_FOREVER), -EBUSY);
	rt_udp_destroy(udp);
	ck_assert_int_eq(join_task(task), -EBADF);
}

static struct rt_udp *doomed;

static int destroy_when_readable(void *arg)
{
	ck_assert_int_eq(rt_wait_fd(*(int *)arg, RT_READ, RT_FOREVER), 0);
	rt_udp_destroy(doomed);
	return 0;
}

IN_TASK(destroying_what_has_just_been_woken)
{
	struct rt_udp *peer = bind_to("127.0.0.1:0");
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t one = 1;

	doomed = bind_to("127.0.0.1:0");
	struct rt_addr addr = local_of(doomed);
	struct rt_task *reader = spawn_task(recv_some, doomed);
	struct rt_task *destroyer = spawn_task(destroy_when_readable, &fd);

	/* The loop takes note that it is writable: now only the order of what follows counts. */
	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	ck_assert_int_eq(write(fd, &one, sizeof one), sizeof one);
	ck_assert_int_eq(rt_udp_send_to(peer, "x", 1, &addr, RT_FOREVER), 1);
	ck_assert_int_eq(join_task(reader), -EBADF);
	ck_assert_int_eq(join_task(destroyer), 0);
	rt_udp_destroy(peer);
	close(fd);
}

static int recv_all(void *arg)
{
	char buf[16];
	int count = 0;

	while (rt_udp_recv(arg, buf, sizeof buf, RT_FOREVER) > 0)
		count++;
	return count;
}

static int send_for_ever(void *arg)
{
	while (rt_udp_send(arg, "x", 1, RT_FOREVER) == 1)
		;
	return 0;
}

IN_TASK(a_task_that_always_finds_datagrams_does_not_starve_the_others)
{
	struct rt_udp *udp = bind_to("127.0.0.1:0");
	struct rt_task *tasks[2];

	ck_assert_int_eq(rt_udp_connect(udp, text_of(udp), RT_FOREVER), 0);
	tasks[0] = spawn_task(send_for_ever, udp);
	tasks[1] = spawn_task(recv_all, udp);
	ck_assert_int_eq(rt_sleep(RT_MS(2)), 0);
	rt_udp_destroy(udp);
	ck_assert_int_eq(join_task(tasks[0]), 0);
	ck_assert_int_gt(join_task(tasks[1]), 0);
}

int main(void)
{
	Suite *suite = suite_create("udp");
	TCase *tcase = tcase_create("udp");

	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, echo_of_datagrams, 0, sizeof hosts / sizeof *hosts);
	tcase_add_test(tcase, datagrams_of_every_size);
	tcase_add_test(tcase, a_connected_socket_hears_its_peer_only);
	tcase_add_test(tcase, nobody_listens_at_the_peer);
	tcase_add_test(tcase, bad_addresses);
	tcase_add_test(tcase, receiving_waits);
	tcase_add_test(tcase, destroying_what_has_just_been_woken);
	tcase_add_test(tcase, a_task_that_always_finds_datagrams_does_not_starve_the_others);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
