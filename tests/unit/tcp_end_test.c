/* SPDX-License-Identifier: MIT */
/* How TCP connections end: shutdown, reset, destruction while others wait. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/pair.h"
#include "support/suite.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int read_some(void *arg)
{
	char buf[64];

	return (int)rt_tcp_read(arg, buf, sizeof buf, RT_FOREVER);
}

static int read_to_end(void *arg)
{
	char buf[64];
	ssize_t got;

	while ((got = rt_tcp_read(arg, buf, sizeof buf, RT_FOREVER)) > 0)
		;
	return (int)got;
}

static int write_much(void *arg)
{
	static char block[16 << 20];

	return (int)rt_tcp_write(arg, block, sizeof block, NULL, RT_FOREVER);
}

/* ---- Half-closed ---- */

IN_TASK(a_half_closed_stream_still_goes_the_other_way)
{
	struct rt_tcp *ends[2];
	char buf[16];

	open_pair(ends);
	send_text(ends[0], "question", 8);
	ck_assert_int_eq(rt_tcp_shutdown(ends[0], SHUT_WR), 0);
	ck_assert_int_eq(rt_tcp_read_exactly(ends[1], buf, sizeof buf, NULL, RT_FOREVER), 8);
	send_text(ends[1], "answer", 6);
	ck_assert_int_eq(rt_tcp_read(ends[0], buf, sizeof buf, RT_FOREVER), 6);
	ck_assert_int_eq(rt_tcp_write(ends[0], "x", 1, NULL, RT_FOREVER), -EPIPE);
	ck_assert_int_eq(rt_tcp_shutdown(ends[1], SHUT_RDWR), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(rt_tcp_read(ends[0], buf, sizeof buf, RT_FOREVER), 0);
	ck_assert_int_lt(rt_tcp_shutdown(ends[0], 99), 0);
	close_pair(ends);
}

IN_TASK(shutting_down_ends_a_read_under_way)
{
	struct rt_tcp *ends[2];

	open_pair(ends);
	struct rt_task *task = spawn_task(read_some, ends[0]);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	ck_assert_int_eq(rt_tcp_shutdown(ends[0], SHUT_RD), 0);
	ck_assert_int_eq(join_task(task), 0);
	close_pair(ends);
}

/* ---- One event brings data and the end: the reader's short read must not hide what follows ---- */

enum { FIN, RST };

static void end_with_data(struct rt_tcp *tcp, int how)
{
	send_text(tcp, "last", 4);
	if (how == FIN)
		rt_tcp_destroy(tcp);
	else
		reset_end(tcp);
}

/* How a read of all that is there ends: a FIN with 0, an RST with an error, neither by hanging. */
static void expect_end(struct rt_tcp *tcp, int how)
{
	char buf[64];
	ssize_t got = rt_tcp_read(tcp, buf, sizeof buf, rt_in(RT_S(20)));

	if (how == FIN) {
		ck_assert_int_eq(got, 4);
		ck_assert_mem_eq(buf, "last", 4);
	}
	if (got > 0)
		got = rt_tcp_read(tcp, buf, sizeof buf, rt_in(RT_S(20)));
	ck_assert_int_eq(got, how == FIN ? 0 : -ECONNRESET);
}

/* The loop's index: FIN or RST; and whether the descriptor is registered before. */
static int how_to_end, registered;

static int data_and_end(void *arg)
{
	struct rt_tcp *ends[2];
	char byte;

	(void)arg;
	open_pair(ends);
	if (registered)
		ck_assert_int_eq(rt_tcp_read(ends[0], &byte, 1, rt_in(1)), -ETIMEDOUT);
	end_with_data(ends[1], how_to_end);
	expect_end(ends[0], how_to_end);
	rt_tcp_destroy(ends[0]);
	return 0;
}

START_TEST(data_and_end_arrive_together)
{
	how_to_end = _i % 2;
	registered = _i / 2;
	ck_assert_int_eq(rt_run(&rt_native, NULL, data_and_end, NULL, NULL), 0);
}
END_TEST

static int read_then_end(void *arg)
{
	expect_end(arg, how_to_end);
	return 0;
}

static int data_and_end_while_reading(void *arg)
{
	struct rt_tcp *ends[2];

	(void)arg;
	open_pair(ends);
	struct rt_task *task = spawn_task(read_then_end, ends[0]);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	end_with_data(ends[1], how_to_end);
	ck_assert_int_eq(join_task(task), 0);
	rt_tcp_destroy(ends[0]);
	return 0;
}

START_TEST(data_and_end_arrive_while_reading)
{
	how_to_end = _i;
	ck_assert_int_eq(rt_run(&rt_native, NULL, data_and_end_while_reading, NULL, NULL), 0);
}
END_TEST

/* A server's round: a short read, an answer, and the next read; the end comes between any two of them. */
static int answer(void *arg)
{
	char buf[64];
	ssize_t got, sent = 1;

	while (sent > 0 && (got = rt_tcp_read(arg, buf, sizeof buf, rt_in(RT_S(20)))) > 0)
		sent = rt_tcp_write(arg, buf, (size_t)got, NULL, RT_FOREVER);
	if (sent < 0)
		got = rt_tcp_read(arg, buf, sizeof buf, rt_in(RT_S(20)));
	ck_assert_int_ne(got, -ETIMEDOUT);
	return 0;
}

static int ask_and_leave(void *arg)
{
	(void)arg;
	for (int round = 0; round < 60; round++) {
		struct rt_tcp *ends[2];
		char buf[16];

		open_pair(ends);
		struct rt_task *server = spawn_task(answer, ends[1]);

		for (int i = 0; i < round / 6 % 3; i++) {
			send_text(ends[0], "ask", 3);
			ck_assert_int_eq(rt_tcp_read(ends[0], buf, sizeof buf, RT_FOREVER), 3);
		}
		for (int i = 0; i < round / 2 % 3; i++)
			rt_yield();
		end_with_data(ends[0], round % 2);
		ck_assert_int_eq(join_task(server), 0);
		rt_tcp_destroy(ends[1]);
	}
	return 0;
}

START_TEST(the_end_is_seen_between_question_and_answer)
{
	ck_assert_int_eq(rt_run(&rt_native, NULL, ask_and_leave, NULL, NULL), 0);
}
END_TEST

/* ---- Resets ---- */

IN_TASK(a_reset_wakes_a_reader)
{
	struct rt_tcp *ends[2];

	open_pair(ends);
	struct rt_task *task = spawn_task(read_some, ends[0]);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	reset_end(ends[1]);
	ck_assert_int_eq(join_task(task), -ECONNRESET);
	rt_tcp_destroy(ends[0]);
}

IN_TASK(a_reset_wakes_a_writer)
{
	struct rt_tcp *ends[2];

	open_pair(ends);
	shrink_buffers(ends);
	struct rt_task *task = spawn_task(write_much, ends[0]);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	reset_end(ends[1]);
	ck_assert_int_eq(join_task(task), -ECONNRESET);
	rt_tcp_destroy(ends[0]);
}

IN_TASK(a_reset_wakes_both)
{
	struct rt_tcp *ends[2];

	open_pair(ends);
	shrink_buffers(ends);
	struct rt_task *reader = spawn_task(read_to_end, ends[0]);
	struct rt_task *writer = spawn_task(write_much, ends[0]);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	reset_end(ends[1]);
	int read = join_task(reader), wrote = join_task(writer);

	/* The first of them to look takes the error. */
	ck_assert(read == -ECONNRESET || wrote == -ECONNRESET);
	ck_assert_int_le(read, 0);
	ck_assert(wrote == -ECONNRESET || wrote == -EPIPE);
	rt_tcp_destroy(ends[0]);
}

IN_TASK(writing_to_the_dead_is_an_error_and_no_signal)
{
	struct rt_tcp *ends[2];
	ssize_t sent = 0;

	signal(SIGPIPE, SIG_DFL);
	open_pair(ends);
	rt_tcp_destroy(ends[1]);
	for (int i = 0; i < 1000 && sent >= 0; i++) {
		sent = rt_tcp_write(ends[0], "x", 1, NULL, RT_FOREVER);
		rt_sleep(RT_US(10));
	}
	ck_assert(sent == -EPIPE || sent == -ECONNRESET);
	ck_assert_int_eq(rt_tcp_write(ends[0], "x", 1, NULL, RT_FOREVER), -EPIPE);
	rt_tcp_destroy(ends[0]);
}

/* ---- Destruction ---- */

IN_TASK(destroying_wakes_those_that_wait)
{
	struct rt_tcp *ends[2];

	rt_tcp_destroy(NULL);
	rt_tcp_listener_destroy(NULL);
	open_pair(ends);
	shrink_buffers(ends);
	struct rt_task *reader = spawn_task(read_some, ends[0]);
	struct rt_task *writer = spawn_task(write_much, ends[0]);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	rt_tcp_destroy(ends[0]);
	ck_assert_int_eq(join_task(reader), -EBADF);
	ck_assert_int_eq(join_task(writer), -EBADF);
	rt_tcp_destroy(ends[1]);
}

static struct rt_tcp *doomed;

static int destroy_when_readable(void *arg)
{
	ck_assert_int_eq(rt_wait_fd(*(int *)arg, RT_READ, RT_FOREVER), 0);
	rt_tcp_destroy(doomed);
	return 0;
}

/* One turn of the loop wakes both, first the one that destroys, then the reader. */
IN_TASK(destroying_what_has_just_been_woken)
{
	struct rt_tcp *ends[2];
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t one = 1;

	open_pair(ends);
	doomed = ends[0];
	struct rt_task *reader = spawn_task(read_some, ends[0]);
	struct rt_task *destroyer = spawn_task(destroy_when_readable, &fd);

	rt_yield();
	ck_assert_int_eq(write(fd, &one, sizeof one), sizeof one);
	ck_assert_int_eq(send(rt_tcp_fd(ends[1]), "data", 4, 0), 4);
	ck_assert_int_eq(join_task(reader), -EBADF);
	ck_assert_int_eq(join_task(destroyer), 0);
	rt_tcp_destroy(ends[1]);
	close(fd);
}

static int read_bytes(void *arg)
{
	char byte;
	ssize_t got;

	while ((got = rt_tcp_read(arg, &byte, 1, RT_FOREVER)) > 0)
		;
	return (int)got;
}

/* The reader has data left, but has used up its budget. */
IN_TASK(destroying_while_a_task_has_given_way)
{
	struct rt_tcp *ends[2];
	static char block[4096];

	open_pair(ends);
	send_text(ends[1], block, sizeof block);
	struct rt_task *reader = spawn_task(read_bytes, ends[0]);

	rt_yield();
	rt_tcp_destroy(ends[0]);
	ck_assert_int_eq(join_task(reader), -EBADF);
	rt_tcp_destroy(ends[1]);
}

static int exhaust_and_write(void *arg)
{
	char byte;

	/* As many operations as it takes to be made to give way in the next one. */
	while (rt_tcp_write(arg, "x", 1, NULL, RT_FOREVER) == 1)
		;
	return (int)rt_tcp_read(doomed, &byte, 1, RT_NOW);
}

IN_TASK(destroying_while_a_writer_has_given_way)
{
	struct rt_tcp *ends[2], *other[2];

	open_pair(ends);
	open_pair(other);
	doomed = other[0];
	struct rt_task *writer = spawn_task(exhaust_and_write, ends[0]);

	rt_yield();
	rt_tcp_destroy(ends[0]);
	ck_assert_int_eq(join_task(writer), -ETIMEDOUT);
	rt_tcp_destroy(ends[1]);
	close_pair(other);
}

/* Cancelled and destroyed before it runs again. */
IN_TASK(destroying_what_a_cancelled_task_reads)
{
	struct rt_tcp *ends[2];

	open_pair(ends);
	struct rt_task *reader = spawn_task(read_some, ends[0]);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	rt_cancel(reader);
	rt_tcp_destroy(ends[0]);
	int result = join_task(reader);

	ck_assert(result == -EBADF || result == -ECANCELED);
	rt_tcp_destroy(ends[1]);
}

/* A handle that lives on after its runtime, then is destroyed without one. */
static int leave_open(void *arg)
{
	struct rt_tcp **ends = arg;
	char byte;

	open_pair(ends);
	ck_assert_int_eq(rt_tcp_read(ends[0], &byte, 1, rt_in(1)), -ETIMEDOUT);
	return 0;
}

START_TEST(destroying_after_the_runtime_has_ended)
{
	struct rt_tcp *ends[2];

	ck_assert_int_eq(rt_run(&rt_native, NULL, leave_open, ends, NULL), 0);
	close_pair(ends);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcp_end");
	TCase *tcase = tcase_create("tcp_end");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_half_closed_stream_still_goes_the_other_way);
	tcase_add_test(tcase, shutting_down_ends_a_read_under_way);
	tcase_add_loop_test(tcase, data_and_end_arrive_together, 0, 4);
	tcase_add_loop_test(tcase, data_and_end_arrive_while_reading, 0, 2);
	tcase_add_test(tcase, the_end_is_seen_between_question_and_answer);
	tcase_add_test(tcase, a_reset_wakes_a_reader);
	tcase_add_test(tcase, a_reset_wakes_a_writer);
	tcase_add_test(tcase, a_reset_wakes_both);
	tcase_add_test(tcase, writing_to_the_dead_is_an_error_and_no_signal);
	tcase_add_test(tcase, destroying_wakes_those_that_wait);
	tcase_add_test(tcase, destroying_what_has_just_been_woken);
	tcase_add_test(tcase, destroying_while_a_task_has_given_way);
	tcase_add_test(tcase, destroying_while_a_writer_has_given_way);
	tcase_add_test(tcase, destroying_what_a_cancelled_task_reads);
	tcase_add_test(tcase, destroying_after_the_runtime_has_ended);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
