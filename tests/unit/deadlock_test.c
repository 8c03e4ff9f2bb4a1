/* SPDX-License-Identifier: MIT */
/* What rt_main() says when no task can ever go on, and when it says nothing. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/child.h"
#include "support/pair.h"
#include "support/suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct rt_chan *chan;

/* Exported by name, for backtraces: the program is linked with -rdynamic. */
__attribute__((visibility("default"), noinline)) int wait_for_the_other(void *arg);

int wait_for_the_other(void *arg)
{
	int element, err = rt_chan_recv(chan, &element, RT_FOREVER);

	(void)arg;
	/* So that the call above is none in tail position. */
	return err == 0 ? element : err;
}

static int wait_for_each_other(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (rt_chan_create(&chan, sizeof(int), 0) < 0)
		return 2;
	rt_detach(rt_spawn(wait_for_the_other, NULL));
	int err = rt_join(rt_spawn(wait_for_the_other, NULL), NULL, RT_FOREVER);

	rt_chan_destroy(chan);
	return err;
}

static int run_main(rt_main_fn *fn)
{
	char *argv[] = {"program", NULL};

	return rt_main(1, argv, fn, "async_main", &rt_native);
}

static int deadlock(void)
{
	return run_main(wait_for_each_other);
}

/* Where the next one begins: each line has to come, in this order. */
static const char *expect_next(const char *said, const char *text)
{
	const char *at = strstr(said, text);

	ck_assert_msg(at, "'%s' is not in:\n%s", text, said);
	return at + strlen(text);
}

START_TEST(a_deadlock_names_each_task_and_what_it_waits_for)
{
	char said[16384];
	int status = observe(deadlock, said, sizeof said);
	const char *at = said;

	ck_assert_int_eq(WEXITSTATUS(status), EXIT_FAILURE);
	ck_assert(strncmp(said, "deadlock:", 9) == 0);
	at = expect_next(at, "\ntask 1 'async_main' waits for: join (task 3, spawned at ");
	at = expect_next(at, "\n  task 2 'wait_for_the_other' (spawned at ");
	at = expect_next(at, "deadlock_test.c:");
	at = expect_next(at, ") waits for: receive\n    ");
	at = expect_next(at, "wait_for_the_other+");
	at = expect_next(at, "\n  task 3 'wait_for_the_other' (spawned at ");
	at = expect_next(at, ") waits for: receive\n    ");
	at = expect_next(at, "wait_for_the_other+");
	at = expect_next(at, "\nprogram: async_main: ");
	ck_assert_ptr_null(strstr(at, "deadlock:"));
}
END_TEST

/* ---- None ---- */

static int connect_once(void *arg)
{
	struct rt_tcp *tcp;
	int err = rt_sleep(RT_MS(5));

	if (err == 0)
		err = rt_tcp_connect_addr(&tcp, arg, RT_FOREVER);
	if (err == 0)
		rt_tcp_destroy(tcp);
	return err;
}

static int accept_one(void *arg)
{
	struct rt_tcp *tcp;
	int err = rt_tcp_accept(arg, &tcp, NULL, RT_FOREVER);

	if (err == 0)
		rt_tcp_destroy(tcp);
	return err;
}

/* Kills the process from outside when it has shown that it waits. */
static void end_by_timer(int signal)
{
	(void)signal;
	_exit(23);
}

static int serve_for_ever(int argc, char **argv)
{
	struct rt_tcp_listener *listener = listen_on("127.0.0.1:0");
	struct rt_addr addr = addr_of(listener);
	struct rt_task *client = spawn_task(connect_once, &addr);

	(void)argc;
	(void)argv;
	if (accept_one(listener) < 0 || join_task(client) < 0)
		return 2;
	/* From here on nothing but a connection could wake anybody, and none comes. */
	signal(SIGALRM, end_by_timer);
	ualarm(50000, 0);
	return accept_one(listener);
}

static int server(void)
{
	return run_main(serve_for_ever);
}

START_TEST(a_server_that_waits_for_connections_is_no_deadlock)
{
	expect_exit(server, 23, "");
}
END_TEST

static int fail_by_itself(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return rt_join(rt_task_current(), NULL, RT_FOREVER);
}

static int own_error(void)
{
	return run_main(fail_by_itself);
}

START_TEST(the_same_error_from_main_itself_is_no_deadlock)
{
	char said[512];
	int status = observe(own_error, said, sizeof said);

	ck_assert_int_eq(WEXITSTATUS(status), EXIT_FAILURE);
	ck_assert_msg(strncmp(said, "program: async_main: ", 21) == 0, "%s", said);
}
END_TEST

static int sleep_for_ever(void *arg)
{
	(void)arg;
	return rt_sleep(RT_FOREVER);
}

static int embedded(void)
{
	return rt_run(&rt_native, NULL, sleep_for_ever, NULL, NULL) == -EDEADLK ? 0 : 1;
}

START_TEST(a_host_program_gets_the_error_alone)
{
	expect_exit(embedded, 0, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("deadlock");
	TCase *tcase = tcase_create("deadlock");

	tcase_add_test(tcase, a_deadlock_names_each_task_and_what_it_waits_for);
	tcase_add_test(tcase, a_server_that_waits_for_connections_is_no_deadlock);
	tcase_add_test(tcase, the_same_error_from_main_itself_is_no_deadlock);
	tcase_add_test(tcase, a_host_program_gets_the_error_alone);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
