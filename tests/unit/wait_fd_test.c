/* SPDX-License-Identifier: MIT */
/* Waiting for descriptors of somebody else. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/pair.h"
#include "support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { READ_END, WRITE_END };

static void open_pipe(int ends[2])
{
	ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
}

static int wait_readable(void *arg)
{
	return rt_wait_fd(*(int *)arg, RT_READ, RT_FOREVER);
}

static int wait_writable(void *arg)
{
	return rt_wait_fd(*(int *)arg, RT_WRITE, RT_FOREVER);
}

static void fill(int fd)
{
	static char block[4096];

	while (write(fd, block, sizeof block) > 0)
		;
	while (write(fd, block, 1) > 0)
		;
}

static void drain(int fd)
{
	char block[4096];

	while (read(fd, block, sizeof block) > 0)
		;
}

IN_TASK(a_pipe_becomes_readable)
{
	int ends[2];

	open_pipe(ends);
	struct rt_task *task = spawn_task(wait_readable, &ends[READ_END]);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	ck_assert_int_eq(rt_join(task, NULL, RT_NOW), -ETIMEDOUT);
	ck_assert_int_eq(write(ends[WRITE_END], "x", 1), 1);
	ck_assert_int_eq(join_task(task), 0);
	/* It still is, as often as one asks. */
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(rt_wait_fd(ends[READ_END], RT_READ, RT_NOW), 0);
	drain(ends[READ_END]);
	ck_assert_int_eq(rt_wait_fd(ends[READ_END], RT_READ, RT_NOW), -ETIMEDOUT);
	ck_assert_int_eq(rt_wait_fd(ends[READ_END], RT_READ, rt_in(RT_MS(1))), -ETIMEDOUT);
	close(ends[READ_END]);
	close(ends[WRITE_END]);
}

IN_TASK(a_pipe_becomes_writable)
{
	int ends[2];

	open_pipe(ends);
	ck_assert_int_eq(rt_wait_fd(ends[WRITE_END], RT_WRITE, RT_NOW), 0);
	fill(ends[WRITE_END]);
	struct rt_task *task = spawn_task(wait_writable, &ends[WRITE_END]);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	ck_assert_int_eq(rt_join(task, NULL, RT_NOW), -ETIMEDOUT);
	drain(ends[READ_END]);
	ck_assert_int_eq(join_task(task), 0);
	close(ends[READ_END]);
	close(ends[WRITE_END]);
}

IN_TASK(the_other_end_closes)
{
	int ends[2];

	open_pipe(ends);
	struct rt_task *task = spawn_task(wait_readable, &ends[READ_END]);

	rt_yield();
	close(ends[WRITE_END]);
	ck_assert_int_eq(join_task(task), 0);
	close(ends[READ_END]);
	open_pipe(ends);
	fill(ends[WRITE_END]);
	task = spawn_task(wait_writable, &ends[WRITE_END]);
	rt_yield();
	close(ends[READ_END]);
	ck_assert_int_eq(join_task(task), 0);
	close(ends[WRITE_END]);
}

IN_TASK(an_eventfd)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t count = 1;

	for (int i = 0; i < 100; i++) {
		struct rt_task *task = spawn_task(wait_readable, &fd);

		rt_yield();
		ck_assert_int_eq(write(fd, &count, sizeof count), sizeof count);
		ck_assert_int_eq(join_task(task), 0);
		ck_assert_int_eq(read(fd, &count, sizeof count), sizeof count);
		ck_assert_uint_eq(count, 1);
	}
	ck_assert_int_eq(rt_wait_fd(fd, RT_WRITE, RT_FOREVER), 0);
	close(fd);
}

/* A descriptor number that comes back as another file is waited for anew. */
IN_TASK(a_number_that_is_used_again)
{
	int first = eventfd(0, EFD_NONBLOCK);

	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(rt_wait_fd(first, RT_READ, rt_in(RT_US(100))), i % 2 ? 0 : -ETIMEDOUT);
		close(first);
		ck_assert_int_eq(eventfd(i % 2 == 0, EFD_NONBLOCK), first);
	}
	close(first);
}

/* ---- Several waits on one descriptor ---- */

IN_TASK(a_reader_and_a_writer)
{
	int ends[2];
	char buf[1024];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	fill(ends[0]);
	struct rt_task *writer = spawn_task(wait_writable, &ends[0]);
	struct rt_task *reader = spawn_task(wait_readable, &ends[0]);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_eq(join_task(reader), 0);
	ck_assert_int_eq(rt_join(writer, NULL, RT_NOW), -ETIMEDOUT);
	while (read(ends[1], buf, sizeof buf) > 0)
		;
	ck_assert_int_eq(join_task(writer), 0);
	close(ends[0]);
	close(ends[1]);
}

/* A second wait may be refused; if it is not, it must be woken too. */
IN_TASK(two_readers)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct rt_task *one = spawn_task(wait_readable, &fd), *two = spawn_task(wait_readable, &fd);
	uint64_t count = 1;

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	ck_assert_int_eq(write(fd, &count, sizeof count), sizeof count);
	ck_assert_int_eq(join_task(one), 0);
	int second = join_task(two);

	ck_assert_int_eq(second, 0);
	close(fd);
}

/* ---- Errors ---- */

IN_TASK(what_cannot_be_waited_for)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	FILE *file = tmpfile();

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(rt_wait_fd(fileno(file), RT_READ, RT_FOREVER), -EPERM);
	ck_assert_int_eq(rt_wait_fd(fileno(file), RT_WRITE, RT_FOREVER), -EPERM);
	fclose(file);
	ck_assert_int_eq(rt_wait_fd(fd, RT_READ | RT_WRITE, RT_FOREVER), -EINVAL);
	ck_assert_int_eq(rt_wait_fd(fd, 0, RT_FOREVER), -EINVAL);
	ck_assert_int_eq(rt_wait_fd(fd, 64, RT_FOREVER), -EINVAL);
	ck_assert_int_eq(rt_wait_fd(-1, RT_READ, RT_FOREVER), -EBADF);
	close(fd);
	ck_assert_int_eq(rt_wait_fd(fd, RT_READ, RT_FOREVER), -EBADF);
	ck_assert_int_eq(rt_wait_fd(fd, RT_WRITE, RT_FOREVER), -EBADF);
	ck_assert_int_eq(rt_wait_fd(1 << 30, RT_READ, RT_FOREVER), -EBADF);
}

START_TEST(outside_of_a_task)
{
	ck_assert_int_eq(rt_wait_fd(0, RT_READ, RT_NOW), -EPERM);
}
END_TEST

IN_TASK(a_ready_descriptor_lets_the_others_run)
{
	int fd = eventfd(1, EFD_NONBLOCK);
	struct rt_task *task = spawn_task(wait_readable, &fd);

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(rt_wait_fd(fd, RT_READ, RT_FOREVER), 0);
	ck_assert_int_eq(rt_join(task, NULL, RT_NOW), 0);
	close(fd);
}

IN_TASK(a_connection_can_be_waited_for_by_its_descriptor)
{
	struct rt_tcp *ends[2];
	char buf[8];

	open_pair(ends);
	int fd = rt_tcp_fd(ends[0]);
	struct rt_task *task = spawn_task(wait_readable, &fd);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	send_text(ends[1], "data", 4);
	ck_assert_int_eq(join_task(task), 0);
	ck_assert_int_eq(rt_tcp_read(ends[0], buf, sizeof buf, RT_FOREVER), 4);
	ck_assert_int_eq(rt_tcp_read(ends[0], buf, sizeof buf, rt_in(RT_US(100))), -ETIMEDOUT);
	task = spawn_task(wait_readable, &fd);
	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	send_text(ends[1], "more", 4);
	ck_assert_int_eq(join_task(task), 0);
	ck_assert_int_eq(rt_tcp_read(ends[0], buf, sizeof buf, rt_in(RT_S(20))), 4);
	close_pair(ends);
}

int main(void)
{
	Suite *suite = suite_create("wait_fd");
	TCase *tcase = tcase_create("wait_fd");

	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, a_pipe_becomes_readable);
	tcase_add_test(tcase, a_pipe_becomes_writable);
	tcase_add_test(tcase, the_other_end_closes);
	tcase_add_test(tcase, an_eventfd);
	tcase_add_test(tcase, a_number_that_is_used_again);
	tcase_add_test(tcase, a_reader_and_a_writer);
	tcase_add_test(tcase, two_readers);
	tcase_add_test(tcase, what_cannot_be_waited_for);
	tcase_add_test(tcase, outside_of_a_task);
	tcase_add_test(tcase, a_ready_descriptor_lets_the_others_run);
	tcase_add_test(tcase, a_connection_can_be_waited_for_by_its_descriptor);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
