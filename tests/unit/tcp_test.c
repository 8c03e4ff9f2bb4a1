/* SPDX-License-Identifier: MIT */
/* TCP connections: data. How they end is in tcp_end_test.c, how they begin in listener_test.c. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/pair.h"
#include "support/suite.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <stdio.h>

/* ---- Reading ---- */

static int echo(void *arg)
{
	char buf[1024];
	ssize_t got;

	while ((got = rt_tcp_read(arg, buf, sizeof buf, RT_FOREVER)) > 0)
		ck_assert_int_eq(rt_tcp_write(arg, buf, (size_t)got, NULL, RT_FOREVER), got);
	return (int)got;
}

IN_TASK(echo_back_and_forth)
{
	struct rt_tcp *ends[2];
	char buf[1024], text[64];

	open_pair(ends);
	struct rt_task *task = spawn_task(echo, ends[1]);

	for (int i = 0; i < 1000; i++) {
		int size = snprintf(text, sizeof text, "message %d", i);

		send_text(ends[0], text, (size_t)size);
		ck_assert_int_eq(rt_tcp_read(ends[0], buf, sizeof buf, RT_FOREVER), size);
		ck_assert_mem_eq(buf, text, (size_t)size);
	}
	ck_assert_int_eq(rt_tcp_shutdown(ends[0], SHUT_WR), 0);
	ck_assert_int_eq(join_task(task), 0);
	close_pair(ends);
}

IN_TASK(reading_in_parts)
{
	struct rt_tcp *ends[2];
	char buf[8];

	open_pair(ends);
	send_text(ends[0], "abcdefghij", 10);
	ck_assert_int_eq(rt_tcp_read(ends[1], buf, 4, RT_FOREVER), 4);
	ck_assert_mem_eq(buf, "abcd", 4);
	ck_assert_int_eq(rt_tcp_read(ends[1], buf, 4, RT_FOREVER), 4);
	ck_assert_mem_eq(buf, "efgh", 4);
	ck_assert_int_eq(rt_tcp_read(ends[1], buf, 4, RT_FOREVER), 2);
	ck_assert_mem_eq(buf, "ij", 2);
	ck_assert_int_eq(rt_tcp_read(ends[1], buf, 4, RT_NOW), -ETIMEDOUT);
	/* A read that was short, a write, and data again. */
	send_text(ends[1], "x", 1);
	send_text(ends[0], "kl", 2);
	ck_assert_int_eq(rt_tcp_read(ends[1], buf, 4, RT_FOREVER), 2);
	close_pair(ends);
}

static int send_in_parts(void *arg)
{
	for (int i = 0; i < 10; i++) {
		send_text(arg, "0123456789", 10);
		ck_assert_int_eq(rt_sleep(RT_US(100)), 0);
	}
	return 0;
}

IN_TASK(reading_exactly)
{
	struct rt_tcp *ends[2];
	char buf[200];
	size_t done = 0;

	open_pair(ends);
	struct rt_task *task = spawn_task(send_in_parts, ends[0]);

	ck_assert_int_eq(rt_tcp_read_exactly(ends[1], buf, 73, &done, RT_FOREVER), 73);
	ck_assert_uint_eq(done, 73);
	ck_assert_mem_eq(buf + 65, "56789012", 8);
	ck_assert_int_eq(rt_tcp_read_exactly(ends[1], buf, 0, &done, RT_FOREVER), 0);
	ck_assert_uint_eq(done, 0);
	join_task(task);
	/* The deadline, with what there is already. */
	ck_assert_int_eq(rt_tcp_read_exactly(ends[1], buf, 28, &done, rt_in(RT_MS(1))), -ETIMEDOUT);
	ck_assert_uint_eq(done, 27);
	ck_assert_mem_eq(buf, "3456789012", 10);
	ck_assert_int_eq(rt_tcp_read_exactly(ends[1], buf, 5, NULL, RT_NOW), -ETIMEDOUT);
	/* The end of the stream. */
	send_text(ends[0], "last", 4);
	rt_tcp_shutdown(ends[0], SHUT_WR);
	ck_assert_int_eq(rt_tcp_read_exactly(ends[1], buf, 5, &done, RT_FOREVER), 4);
	ck_assert_uint_eq(done, 4);
	ck_assert_int_eq(rt_tcp_read_exactly(ends[1], buf, 5, &done, RT_FOREVER), 0);
	close_pair(ends);
}

static int read_exactly_cancelled(void *arg)
{
	char buf[10];
	size_t done = 0;

	ck_assert_int_eq(rt_tcp_read_exactly(arg, buf, 10, &done, RT_FOREVER), -ECANCELED);
	return (int)done;
}

IN_TASK(a_cancelled_read_tells_what_it_has)
{
	struct rt_tcp *ends[2];

	open_pair(ends);
	struct rt_task *task = spawn_task(read_exactly_cancelled, ends[1]);

	send_text(ends[0], "abc", 3);
	ck_assert_int_eq(rt_sleep(RT_MS(2)), 0);
	rt_cancel(task);
	ck_assert_int_eq(join_task(task), 3);
	close_pair(ends);
}

IN_TASK(reads_have_deadlines)
{
	struct rt_tcp *ends[2];
	char buf[4];

	open_pair(ends);
	rt_time deadline = rt_in(RT_MS(2));

	ck_assert_int_eq(rt_tcp_read(ends[0], buf, sizeof buf, deadline), -ETIMEDOUT);
	ck_assert_int_ge(rt_now(), deadline);
	ck_assert_int_eq(rt_tcp_read(ends[0], buf, sizeof buf, -1), -ETIMEDOUT);
	/* A program that polls sees the data as long as it gives way. */
	send_text(ends[1], "data", 4);
	ssize_t got;

	while ((got = rt_tcp_read(ends[0], buf, sizeof buf, RT_NOW)) == -ETIMEDOUT)
		rt_yield();
	ck_assert_int_eq(got, 4);
	close_pair(ends);
}

/* ---- Writing ---- */

enum { LARGE = 4 << 20 };

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 31 + i / 4096);
}

static int write_large(void *arg)
{
	unsigned char *block = malloc(LARGE);
	size_t done = 0;

	for (size_t i = 0; i < LARGE; i++)
		block[i] = pattern(i);
	ck_assert_int_eq(rt_tcp_write(arg, block, LARGE, &done, RT_FOREVER), LARGE);
	ck_assert_uint_eq(done, LARGE);
	free(block);
	return rt_tcp_shutdown(arg, SHUT_WR);
}

static int read_slowly(void *arg)
{
	unsigned char buf[10000];
	size_t sum = 0;
	ssize_t got;

	while ((got = rt_tcp_read(arg, buf, sizeof buf, RT_FOREVER)) > 0) {
		for (ssize_t i = 0; i < got; i++)
			if (buf[i] != pattern(sum + (size_t)i))
				ck_abort_msg("a wrong byte at %zu", sum + (size_t)i);
		sum += (size_t)got;
		if (rt_yield() < 0)
			break;
	}
	ck_assert_int_eq(got, 0);
	ck_assert_uint_eq(sum, LARGE);
	return 0;
}

IN_TASK(both_directions_at_once_against_slow_readers)
{
	struct rt_tcp *ends[2];
	struct rt_task *tasks[4];

	open_pair(ends);
	for (int i = 0; i < 2; i++) {
		/* A small receive buffer would have TCP's timers rule. */
		int size = 16 << 10;

		setsockopt(rt_tcp_fd(ends[i]), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
		tasks[i] = spawn_task(write_large, ends[i]);
		tasks[i + 2] = spawn_task(read_slowly, ends[i]);
	}
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(join_task(tasks[i]), 0);
	close_pair(ends);
}

IN_TASK(writes_have_deadlines_and_tell_what_went_out)
{
	struct rt_tcp *ends[2];
	char *block = calloc(1, LARGE), buf[4096];
	size_t done = 0, sum = 0;
	ssize_t got;

	open_pair(ends);
	shrink_buffers(ends);
	ck_assert_int_eq(rt_tcp_write(ends[0], block, LARGE, &done, rt_in(RT_MS(5))), -ETIMEDOUT);
	ck_assert_uint_gt(done, 0);
	ck_assert_uint_lt(done, LARGE);
	ck_assert_int_eq(rt_tcp_write(ends[0], block, 0, &done, RT_NOW), 0);
	size_t more = 1;

	ck_assert_int_eq(rt_tcp_write(ends[0], block, LARGE, &more, RT_NOW), -ETIMEDOUT);
	rt_tcp_shutdown(ends[0], SHUT_WR);
	while ((got = rt_tcp_read(ends[1], buf, sizeof buf, RT_FOREVER)) > 0)
		sum += (size_t)got;
	ck_assert_int_eq(got, 0);
	ck_assert_uint_gt(sum, 0);
	ck_assert_uint_le(sum, LARGE);
	free(block);
	close_pair(ends);
}

/* ---- One task per direction ---- */

static int read_some(void *arg)
{
	char buf[16];

	return (int)rt_tcp_read(arg, buf, sizeof buf, RT_FOREVER);
}

static int write_much(void *arg)
{
	static char block[LARGE];

	return (int)rt_tcp_write(arg, block, sizeof block, NULL, RT_FOREVER);
}

IN_TASK(a_second_one_in_a_direction_is_busy)
{
	struct rt_tcp *ends[2];
	char buf[16];

	open_pair(ends);
	shrink_buffers(ends);
	struct rt_task *reader = spawn_task(read_some, ends[0]);
	struct rt_task *writer = spawn_task(write_much, ends[0]);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	ck_assert_int_eq(rt_tcp_read(ends[0], buf, sizeof buf, RT_FOREVER), -EBUSY);
	ck_assert_int_eq(rt_tcp_write(ends[0], buf, sizeof buf, NULL, RT_FOREVER), -EBUSY);
	/* Neither has lost its place. */
	send_text(ends[1], "hello", 5);
	ck_assert_int_eq(join_task(reader), 5);
	rt_cancel(writer);
	ck_assert_int_eq(join_task(writer), -ECANCELED);
	close_pair(ends);
}

/* ---- The budget ---- */

static bool stop;

static int flood(void *arg)
{
	static char block[1 << 16];

	while (!stop && rt_tcp_write(arg, block, sizeof block, NULL, RT_FOREVER) > 0)
		;
	return rt_tcp_shutdown(arg, SHUT_WR);
}

static int swallow(void *arg)
{
	char byte;
	int count = 0;

	while (rt_tcp_read(arg, &byte, 1, RT_FOREVER) > 0 && !stop)
		count++;
	stop = true;
	return count;
}

static int ping(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(rt_yield(), 0);
	return 0;
}

IN_TASK(a_task_that_always_finds_data_does_not_starve_the_others)
{
	struct rt_tcp *ends[2], *quiet[2];
	char buf[4];

	open_pair(ends);
	open_pair(quiet);
	struct rt_task *writer = spawn_task(flood, ends[0]);
	struct rt_task *reader = spawn_task(swallow, ends[1]);

	/* A timer, another task, and another connection. */
	ck_assert_int_eq(rt_sleep(RT_MS(2)), 0);
	ck_assert(!stop);
	ck_assert_int_eq(join_task(spawn_task(ping, NULL)), 0);
	ck_assert(!stop);
	send_text(quiet[0], "ping", 4);
	ck_assert_int_eq(rt_tcp_read_exactly(quiet[1], buf, 4, NULL, rt_in(RT_S(20))), 4);
	ck_assert(!stop);
	stop = true;
	ck_assert_int_gt(join_task(reader), 0);
	rt_cancel(writer);
	join_task(writer);
	close_pair(ends);
	close_pair(quiet);
}

IN_TASK(a_timeout_ends_what_always_finds_data)
{
	struct rt_tcp *ends[2];
	struct rt_timeout timeout;
	char byte;
	ssize_t got;
	rt_time end = rt_in(RT_S(20));

	open_pair(ends);
	struct rt_task *writer = spawn_task(flood, ends[0]);

	rt_timeout_enter(&timeout, rt_in(RT_MS(5)));
	do
		got = rt_tcp_read(ends[1], &byte, 1, RT_FOREVER);
	while (got > 0 && rt_now() < end);
	ck_assert_int_eq(got, -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&timeout), -ETIMEDOUT);
	rt_cancel(writer);
	join_task(writer);
	close_pair(ends);
}

/* ---- Addresses and options ---- */

IN_TASK(addresses_and_options)
{
	struct rt_tcp *ends[2];
	struct rt_addr local, peer;
	int value = 0;
	socklen_t size = sizeof value;

	open_pair(ends);
	ck_assert_int_eq(rt_tcp_local_addr(ends[0], &local), 0);
	ck_assert_int_eq(rt_tcp_peer_addr(ends[1], &peer), 0);
	ck_assert(rt_addr_equal(&local, &peer));
	ck_assert_int_eq(rt_tcp_set_nodelay(ends[0], true), 0);
	ck_assert_int_eq(getsockopt(rt_tcp_fd(ends[0]), IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
	ck_assert_int_ne(value, 0);
	ck_assert_int_eq(rt_tcp_set_nodelay(ends[0], false), 0);
	ck_assert_int_eq(rt_tcp_set_keepalive(ends[0], 30), 0);
	ck_assert_int_eq(getsockopt(rt_tcp_fd(ends[0]), IPPROTO_TCP, TCP_KEEPIDLE, &value, &size), 0);
	ck_assert_int_eq(value, 30);
	ck_assert_int_eq(rt_tcp_set_keepalive(ends[0], UINT32_MAX), 0);
	ck_assert_int_eq(rt_tcp_set_keepalive(ends[0], 0), 0);
	ck_assert_int_eq(getsockopt(rt_tcp_fd(ends[0]), SOL_SOCKET, SO_KEEPALIVE, &value, &size), 0);
	ck_assert_int_eq(value, 0);
	close_pair(ends);
}

int main(void)
{
	Suite *suite = suite_create("tcp");
	TCase *tcase = tcase_create("tcp");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, echo_back_and_forth);
	tcase_add_test(tcase, reading_in_parts);
	tcase_add_test(tcase, reading_exactly);
	tcase_add_test(tcase, a_cancelled_read_tells_what_it_has);
	tcase_add_test(tcase, reads_have_deadlines);
	tcase_add_test(tcase, both_directions_at_once_against_slow_readers);
	tcase_add_test(tcase, writes_have_deadlines_and_tell_what_went_out);
	tcase_add_test(tcase, a_second_one_in_a_direction_is_busy);
	tcase_add_test(tcase, a_task_that_always_finds_data_does_not_starve_the_others);
	tcase_add_test(tcase, a_timeout_ends_what_always_finds_data);
	tcase_add_test(tcase, addresses_and_options);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
