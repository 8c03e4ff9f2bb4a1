/* SPDX-License-Identifier: MIT */
/* How TCP connections begin: listening, accepting, connecting, and a full descriptor table. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/pair.h"
#include "support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static void expect_talk(struct rt_tcp *ends[2])
{
	char buf[8];

	send_text(ends[0], "ping", 4);
	ck_assert_int_eq(rt_tcp_read_exactly(ends[1], buf, 4, NULL, rt_in(RT_S(20))), 4);
	ck_assert_mem_eq(buf, "ping", 4);
}

static const char *with_port(char text[RT_ADDR_TEXT_MAX], const char *host, const struct rt_addr *addr)
{
	snprintf(text, RT_ADDR_TEXT_MAX, "%s:%u", host, (unsigned)rt_addr_port(addr));
	return text;
}

/* ---- Listening and connecting ---- */

/* The loop's index: where it listens, and what one connects to. */
static const struct {
	const char *listen, *connect;
} places[] = {
	{"127.0.0.1:0", "127.0.0.1"}, {"[::1]:0", "[::1]"},         {":0", "127.0.0.1"},
	{"localhost:0", "localhost"}, {"127.0.0.1:0", "localhost"}, {"[::]:0", "[::1]"},
};
static int place;

static int meet(void *arg)
{
	if (places[place].connect[0] == '[' && !has_v6())
		return 0;
	struct rt_tcp_listener *listener = listen_on(places[place].listen);
	struct rt_addr addr = addr_of(listener), peer, local;
	struct rt_tcp *ends[2];
	char text[RT_ADDR_TEXT_MAX];

	(void)arg;
	ck_assert_uint_ne(rt_addr_port(&addr), 0);
	ck_assert_int_ge(rt_tcp_listener_fd(listener), 0);
	ck_assert_int_eq(rt_tcp_connect(&ends[0], with_port(text, places[place].connect, &addr), RT_FOREVER),
			 0);
	ck_assert_int_eq(rt_tcp_accept(listener, &ends[1], &peer, RT_FOREVER), 0);
	ck_assert_int_eq(rt_tcp_local_addr(ends[0], &local), 0);
	ck_assert(rt_addr_equal(&local, &peer));
	expect_talk(ends);
	close_pair(ends);
	rt_tcp_listener_destroy(listener);
	return 0;
}

START_TEST(connecting_to_a_listener)
{
	place = _i;
	ck_assert_int_eq(rt_run(&rt_native, NULL, meet, NULL, NULL), 0);
}
END_TEST

IN_TASK(bad_addresses)
{
	static const char *const texts[] = {
		"",      "127.0.0.1",      "127.0.0.1:", "127.0.0.1:65536", "::1:80",
		"[::1]", "[127.0.0.1]:80", "a b:80",     "127.0.0.1:-1",    ":"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct rt_tcp *tcp = (struct rt_tcp *)1;
		struct rt_tcp_listener *listener = (struct rt_tcp_listener *)1;

		ck_assert_int_eq(rt_tcp_connect(&tcp, texts[i], RT_FOREVER), -EINVAL);
		ck_assert_ptr_null(tcp);
		ck_assert_int_eq(rt_tcp_listen(&listener, texts[i], NULL), -EINVAL);
		ck_assert_ptr_null(listener);
	}
	struct rt_tcp *tcp;
	struct rt_addr none = {0};

	ck_assert_int_eq(rt_tcp_connect(&tcp, NULL, RT_FOREVER), -EINVAL);
	ck_assert_int_lt(rt_tcp_connect_addr(&tcp, &none, RT_FOREVER), 0);
	ck_assert_int_eq(rt_tcp_connect_addr(&tcp, NULL, RT_FOREVER), -EINVAL);
}

IN_TASK(a_refused_connection)
{
	struct rt_tcp_listener *listener = listen_on("127.0.0.1:0");
	struct rt_addr addr = addr_of(listener);
	struct rt_tcp *tcp;
	char text[RT_ADDR_TEXT_MAX];

	rt_tcp_listener_destroy(listener);
	ck_assert_int_eq(rt_tcp_connect_addr(&tcp, &addr, RT_FOREVER), -ECONNREFUSED);
	ck_assert_ptr_null(tcp);
	ck_assert_int_eq(rt_tcp_connect(&tcp, with_port(text, "localhost", &addr), RT_FOREVER),
			 -ECONNREFUSED);
}

IN_TASK(an_address_in_use)
{
	struct rt_tcp_listener *listener = listen_on("127.0.0.1:0"), *second;
	struct rt_addr addr = addr_of(listener);
	struct rt_tcp_listen_options reuseport = {.backlog = 1, .reuseport = true};
	char text[RT_ADDR_TEXT_MAX];

	rt_addr_text(&addr, text);
	ck_assert_int_eq(rt_tcp_listen(&second, text, NULL), -EADDRINUSE);
	ck_assert_ptr_null(second);
	rt_tcp_listener_destroy(listener);
	/* Free at once, and shared by those that want it so. */
	ck_assert_int_eq(rt_tcp_listen(&listener, text, &reuseport), 0);
	ck_assert_int_eq(rt_tcp_listen(&second, text, &reuseport), 0);
	rt_tcp_listener_destroy(listener);
	rt_tcp_listener_destroy(second);
}

/* ---- Waiting to connect: a listener whose queue is full takes no more ---- */

static struct rt_tcp_listener *full_listener(struct rt_tcp *queued[], int *count)
{
	struct rt_tcp_listener *listener;
	int err = 0;

	ck_assert_int_eq(
		rt_tcp_listen(&listener, "127.0.0.1:0", &(struct rt_tcp_listen_options){.backlog = 1}), 0);
	struct rt_addr addr = addr_of(listener);

	for (*count = 0; err == 0; *count += err == 0) {
		ck_assert_int_lt(*count, 16);
		err = rt_tcp_connect_addr(&queued[*count], &addr, rt_in(RT_MS(50)));
	}
	ck_assert_int_eq(err, -ETIMEDOUT);
	return listener;
}

static int count_open(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static int connect_to(void *arg)
{
	struct rt_tcp *tcp;
	int err = rt_tcp_connect_addr(&tcp, arg, RT_FOREVER);

	ck_assert_ptr_null(tcp);
	return err;
}

IN_TASK(connecting_times_out_and_is_cancelled)
{
	struct rt_tcp *queued[16], *tcp;
	int count, open = count_open();
	struct rt_tcp_listener *listener = full_listener(queued, &count);
	struct rt_addr addr = addr_of(listener);
	struct rt_task *task = spawn_task(connect_to, &addr);

	ck_assert_int_eq(rt_tcp_connect_addr(&tcp, &addr, RT_NOW), -ETIMEDOUT);
	ck_assert_ptr_null(tcp);
	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	rt_cancel(task);
	ck_assert_int_eq(join_task(task), -ECANCELED);
	for (int i = 0; i < count; i++)
		rt_tcp_destroy(queued[i]);
	rt_tcp_listener_destroy(listener);
	/* No attempt has left a descriptor behind. */
	ck_assert_int_eq(count_open(), open);
}

/* ---- Accepting ---- */

static int accept_one(void *arg)
{
	struct rt_tcp *tcp;
	int err = rt_tcp_accept(arg, &tcp, NULL, RT_FOREVER);

	rt_tcp_destroy(tcp);
	return err;
}

IN_TASK(accepting_waits)
{
	struct rt_tcp_listener *listener = listen_on("127.0.0.1:0");
	struct rt_addr addr = addr_of(listener);
	struct rt_tcp *tcp;

	ck_assert_int_eq(rt_tcp_accept(listener, &tcp, NULL, RT_NOW), -ETIMEDOUT);
	ck_assert_ptr_null(tcp);
	ck_assert_int_eq(rt_tcp_accept(listener, &tcp, NULL, rt_in(RT_MS(1))), -ETIMEDOUT);
	struct rt_task *task = spawn_task(accept_one, listener);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	ck_assert_int_eq(rt_tcp_accept(listener, &tcp, NULL, RT_FOREVER), -EBUSY);
	ck_assert_int_eq(rt_tcp_connect_addr(&tcp, &addr, RT_FOREVER), 0);
	ck_assert_int_eq(join_task(task), 0);
	rt_tcp_destroy(tcp);
	task = spawn_task(accept_one, listener);
	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	rt_tcp_listener_destroy(listener);
	ck_assert_int_eq(join_task(task), -EBADF);
}

IN_TASK(a_connection_that_died_in_the_queue)
{
	struct rt_tcp_listener *listener = listen_on("127.0.0.1:0");
	struct rt_addr addr = addr_of(listener);
	struct rt_tcp *tcp, *good[2];

	ck_assert_int_eq(rt_tcp_connect_addr(&tcp, &addr, RT_FOREVER), 0);
	reset_end(tcp);
	ck_assert_int_eq(rt_tcp_connect_addr(&good[0], &addr, RT_FOREVER), 0);
	send_text(good[0], "x", 1);
	/* Linux hands out the dead one too; reading from it tells. */
	ck_assert_int_eq(rt_tcp_accept(listener, &tcp, NULL, RT_FOREVER), 0);
	ck_assert_int_eq(rt_tcp_accept(listener, &good[1], NULL, rt_in(RT_S(20))), 0);
	char buf[8];

	ck_assert_int_eq(rt_tcp_read(tcp, buf, sizeof buf, RT_FOREVER), -ECONNRESET);
	ck_assert_int_eq(rt_tcp_read(good[1], buf, sizeof buf, RT_FOREVER), 1);
	rt_tcp_destroy(tcp);
	close_pair(good);
	rt_tcp_listener_destroy(listener);
}

/* ---- A full descriptor table ---- */

static struct rlimit saved_limit;
static int fillers[64], filler_count;

/* Leaves no descriptor. */
static void fill_table(void)
{
	int next = dup(0);

	close(next);
	getrlimit(RLIMIT_NOFILE, &saved_limit);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)next + 8, saved_limit.rlim_max}),
			 0);
	for (filler_count = 0; filler_count < 64; filler_count++)
		if ((fillers[filler_count] = dup(0)) < 0)
			break;
	ck_assert_int_eq(errno, EMFILE);
	ck_assert_int_gt(filler_count, 0);
}

static void empty_table(void)
{
	while (filler_count > 0)
		close(fillers[--filler_count]);
	setrlimit(RLIMIT_NOFILE, &saved_limit);
}

static rt_time cpu_time(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return RT_S(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       RT_US(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* A client that needs a descriptor now, before the table is full. */
static int start_client(const struct rt_addr *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(connect(fd, &addr->u.any, sizeof addr->u.v4), 0);
	return fd;
}

IN_TASK(a_full_table_is_waited_out)
{
	/* It has the limit on its own: takes the connection from the queue, then says that there is no room.
	 */
	if (RUNNING_ON_VALGRIND)
		return;
	struct rt_tcp_listener *listener = listen_on("127.0.0.1:0");
	struct rt_addr addr = addr_of(listener);
	struct rt_tcp *ends[2];

	join_ends(listener, ends);
	int client = start_client(&addr);

	fill_table();
	struct rt_task *task = spawn_task(accept_one, listener);
	rt_time cpu = cpu_time(), start = rt_now();

	/* What is there is served, and little else is done. */
	for (int i = 0; i < 10; i++) {
		expect_talk(ends);
		ck_assert_int_eq(rt_sleep(RT_MS(40)), 0);
	}
	/* 5 % of the time, or whatever a sanitizer makes of it. */
	ck_assert_int_lt((cpu_time() - cpu) * scaled(20, 10), rt_now() - start);
	ck_assert_int_eq(rt_join(task, NULL, RT_NOW), -ETIMEDOUT);
	close(fillers[--filler_count]);
	ck_assert_int_eq(rt_join(task, NULL, rt_in(RT_S(1))), 0);
	empty_table();
	close(client);
	close_pair(ends);
	rt_tcp_listener_destroy(listener);
}

static int accept_until(void *arg)
{
	struct rt_tcp *tcp;

	return rt_tcp_accept(arg, &tcp, NULL, rt_in(RT_MS(120)));
}

IN_TASK(waiting_for_a_descriptor_ends_like_any_wait)
{
	struct rt_tcp_listener *listener = listen_on("127.0.0.1:0");
	struct rt_addr addr = addr_of(listener);
	struct rt_tcp *tcp;
	int client = start_client(&addr);

	fill_table();
	ck_assert_int_eq(rt_tcp_accept(listener, &tcp, NULL, RT_NOW), -ETIMEDOUT);
	ck_assert_int_eq(join_task(spawn_task(accept_until, listener)), -ETIMEDOUT);
	struct rt_task *task = spawn_task(accept_one, listener);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	rt_cancel(task);
	ck_assert_int_eq(join_task(task), -ECANCELED);
	ck_assert_int_eq(rt_tcp_connect_addr(&tcp, &addr, RT_FOREVER), -EMFILE);
	/* Destroyed while it waits for a descriptor, not for the listener. */
	task = spawn_task(accept_one, listener);
	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	rt_tcp_listener_destroy(listener);
	ck_assert_int_eq(join_task(task), -EBADF);
	empty_table();
	close(client);
}

int main(void)
{
	Suite *suite = suite_create("listener");
	TCase *tcase = tcase_create("listener");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, connecting_to_a_listener, 0, sizeof places / sizeof *places);
	tcase_add_test(tcase, bad_addresses);
	tcase_add_test(tcase, a_refused_connection);
	tcase_add_test(tcase, an_address_in_use);
	tcase_add_test(tcase, connecting_times_out_and_is_cancelled);
	tcase_add_test(tcase, accepting_waits);
	tcase_add_test(tcase, a_connection_that_died_in_the_queue);
	tcase_add_test(tcase, a_full_table_is_waited_out);
	tcase_add_test(tcase, waiting_for_a_descriptor_ends_like_any_wait);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
