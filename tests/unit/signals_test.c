/* SPDX-License-Identifier: MIT */
/* SIGQUIT and SIGINT of a program that is a runtime's own, each in a process that can be killed. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "runtime/signals.h"
#include "support/child.h"
#include "support/suite.h"

#include <errno.h>
#include <pthread.h>
#include <rt.h>
#include <signal.h>
#include <string.h>

static struct rt_runtime *runtime;

static void print(const char *text)
{
	fputs(text, stderr);
}

/* Lets the loop come round until what a signal was to do has been done. */
static void go_round(void)
{
	for (int i = 0; i < 1000; i++)
		rt_yield();
}

static int run(rt_task_fn *fn)
{
	return rt_run(&rt_native, NULL, fn, NULL, "first");
}

static void open_signals(struct rt_task *main)
{
	runtime = rt_runtime_current();
	if (signals_open(runtime, main) != 0)
		print("not open\n");
}

static int occurrences(const char *text, const char *what)
{
	int count = 0;

	for (const char *at = text; (at = strstr(at, what)); at++)
		count++;
	return count;
}

static void expect_dumps(int (*body)(void), int count)
{
	char said[16384];
	int status = observe(body, said, sizeof said);

	ck_assert_msg(WIFEXITED(status), "died of signal %d: %s", WTERMSIG(status), said);
	ck_assert_msg(WEXITSTATUS(status) == 0 && occurrences(said, "task 1 'first'") == count, "%s", said);
}

/* ---- SIGQUIT ---- */

static int raise_quit(void *arg)
{
	(void)arg;
	open_signals(NULL);
	for (int i = 0; i < 3; i++) {
		raise(SIGQUIT);
		go_round();
	}
	signals_close(runtime);
	return 0;
}

static int quit_thrice(void)
{
	return run(raise_quit);
}

START_TEST(each_quit_prints_the_tasks)
{
	expect_dumps(quit_thrice, 3);
}
END_TEST

/* A child that does nothing but kill this process and then let it go on. */
static int be_killed(void *arg)
{
	int ends[2];

	(void)arg;
	open_signals(NULL);
	if (pipe(ends) < 0)
		return 1;
	pid_t child = fork();

	if (child == 0) {
		kill(getppid(), SIGQUIT);
		_exit(write(ends[1], "x", 1) != 1);
	}
	int err = rt_wait_fd(ends[0], RT_READ, RT_FOREVER);

	go_round();
	signals_close(runtime);
	waitpid(child, NULL, 0);
	return err;
}

static int quit_from_outside(void)
{
	return run(be_killed);
}

START_TEST(a_quit_from_another_process_prints_the_tasks)
{
	expect_dumps(quit_from_outside, 1);
}
END_TEST

static int raise_late(void *arg)
{
	(void)arg;
	open_signals(rt_task_current());
	raise(SIGQUIT);
	raise(SIGINT);
	signals_close(runtime);
	return 0;
}

static int raise_next(void *arg)
{
	(void)arg;
	open_signals(rt_task_current());
	/* Has the loop look at what has come. */
	raise(SIGQUIT);
	go_round();
	int cancelled = rt_task_cancelled(rt_task_current());

	if (signals_interrupted(runtime))
		print("interrupted\n");
	signals_close(runtime);
	return cancelled;
}

static int one_after_another(void)
{
	int err = run(raise_late);

	return err ? err : run(raise_next);
}

START_TEST(what_comes_too_late_is_not_for_the_next_runtime)
{
	char said[4096];
	int status = observe(one_after_another, said, sizeof said);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d: %s", status, said);
	ck_assert_ptr_null(strstr(said, "interrupted"));
	ck_assert_int_eq(occurrences(said, "task 1 'first'"), 1);
}
END_TEST

/* ---- SIGINT ---- */

static int be_interrupted(void *arg)
{
	(void)arg;
	open_signals(rt_task_current());
	if (signals_interrupted(runtime))
		print("too early\n");
	raise(SIGINT);
	if (rt_sleep(RT_S(60)) != -ECANCELED)
		print("not cancelled\n");
	if (!signals_interrupted(runtime))
		print("not told\n");
	if (signals_interrupted(NULL))
		print("told to others\n");
	signals_close(runtime);
	return 7;
}

static int int_once(void)
{
	return run(be_interrupted);
}

START_TEST(the_first_int_cancels_main)
{
	expect_exit(int_once, 7, "");
}
END_TEST

static int raise_int_twice(void *arg)
{
	(void)arg;
	open_signals(rt_task_current());
	raise(SIGINT);
	raise(SIGINT);
	return 0;
}

static int int_twice(void)
{
	return run(raise_int_twice);
}

START_TEST(the_second_int_kills)
{
	expect_signal(int_twice, SIGINT, "");
}
END_TEST

static int raise_int_without_main(void *arg)
{
	(void)arg;
	open_signals(NULL);
	raise(SIGINT);
	return 0;
}

static int int_without_main(void)
{
	signal(SIGINT, SIG_DFL); /* Check has a handler of its own */
	return run(raise_int_without_main);
}

START_TEST(without_main_int_kills_at_once)
{
	expect_signal(int_without_main, SIGINT, "");
}
END_TEST

static int raise_ignored(void *arg)
{
	struct sigaction now;

	(void)arg;
	open_signals(rt_task_current());
	for (int i = 0; i < 2; i++) {
		raise(SIGINT);
		raise(SIGQUIT);
		go_round();
	}
	int cancelled = rt_task_cancelled(rt_task_current());

	signals_close(runtime);
	sigaction(SIGINT, NULL, &now);
	return cancelled || now.sa_handler != SIG_IGN;
}

static int ignored(void)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	return run(raise_ignored);
}

START_TEST(what_is_ignored_stays_so)
{
	expect_exit(ignored, 0, "");
}
END_TEST

/* ---- Opening and closing ---- */

static void own_handler(int signal)
{
	print(signal == SIGQUIT ? "own quit\n" : "own int\n");
}

static int open_and_close(void *arg)
{
	int fd = dup(STDIN_FILENO), again;

	(void)arg;
	close(fd);
	for (int i = 0; i < 2; i++) {
		open_signals(rt_task_current());
		signals_close(runtime);
		signals_close(runtime);
		raise(SIGQUIT);
		raise(SIGINT);
	}
	again = dup(STDIN_FILENO);
	if (again != fd)
		print("a descriptor is left\n");
	close(again);
	return 0;
}

static int previous_actions(void)
{
	signal(SIGQUIT, own_handler);
	signal(SIGINT, own_handler);
	return run(open_and_close);
}

START_TEST(closing_brings_back_what_was_before)
{
	expect_exit(previous_actions, 0, "own quit\nown int\nown quit\nown int\n");
}
END_TEST

static int leave_int_alone(void *arg)
{
	(void)arg;
	open_signals(NULL);
	signal(SIGINT, own_handler);
	signals_close(runtime);
	raise(SIGINT);
	return 0;
}

static int changed_meanwhile(void)
{
	return run(leave_int_alone);
}

START_TEST(without_main_int_is_not_touched)
{
	expect_exit(changed_meanwhile, 0, "own int\n");
}
END_TEST

static int open_as_second(void *arg)
{
	(void)arg;
	ck_assert_ptr_ne(runtime, rt_runtime_current());
	if (signals_open(rt_runtime_current(), NULL) != -EBUSY)
		print("opened twice\n");
	/* Somebody else's. */
	signals_close(rt_runtime_current());
	return 0;
}

static void *run_second(void *arg)
{
	*(int *)arg = run(open_as_second);
	return NULL;
}

static int on_two_threads_first(void *arg)
{
	pthread_t thread;
	int result = -1;

	(void)arg;
	open_signals(rt_task_current());
	pthread_create(&thread, NULL, run_second, &result);
	pthread_join(thread, NULL);
	raise(SIGINT);
	if (rt_sleep(RT_S(60)) != -ECANCELED)
		print("closed by the other\n");
	if (signals_open(runtime, NULL) != -EBUSY)
		print("opened again\n");
	signals_close(runtime);
	return result;
}

static int on_two_threads(void)
{
	return run(on_two_threads_first);
}

START_TEST(only_one_runtime_has_the_signals)
{
	expect_exit(on_two_threads, 0, "");
}
END_TEST

static int fail_to_watch(struct rt_runtime *self, struct rt_watch *watch)
{
	(void)self;
	(void)watch;
	return -ENOSPC;
}

static int open_and_fail(void *arg)
{
	struct sigaction before, after;
	int fd = dup(STDIN_FILENO);

	(void)arg;
	runtime = rt_runtime_current();
	close(fd);
	sigaction(SIGQUIT, NULL, &before);
	if (signals_open(runtime, NULL) != -ENOSPC)
		print("no error\n");
	sigaction(SIGQUIT, NULL, &after);
	if (after.sa_handler != before.sa_handler)
		print("installed\n");
	int again = dup(STDIN_FILENO);

	if (again != fd)
		print("a descriptor is left\n");
	close(again);
	if (signals_open(runtime, NULL) != -ENOSPC)
		print("still open\n");
	signals_close(runtime);
	return 0;
}

static int without_watches(void)
{
	struct rt_runtime_ops ops = rt_native;

	ops.watch = fail_to_watch;
	return rt_run(&ops, NULL, open_and_fail, NULL, "first");
}

START_TEST(a_failure_leaves_nothing_behind)
{
	expect_exit(without_watches, 0, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("signals");
	TCase *tcase = tcase_create("signals");

	tcase_add_test(tcase, each_quit_prints_the_tasks);
	tcase_add_test(tcase, a_quit_from_another_process_prints_the_tasks);
	tcase_add_test(tcase, what_comes_too_late_is_not_for_the_next_runtime);
	tcase_add_test(tcase, the_first_int_cancels_main);
	tcase_add_test(tcase, the_second_int_kills);
	tcase_add_test(tcase, without_main_int_kills_at_once);
	tcase_add_test(tcase, what_is_ignored_stays_so);
	tcase_add_test(tcase, closing_brings_back_what_was_before);
	tcase_add_test(tcase, without_main_int_is_not_touched);
	tcase_add_test(tcase, only_one_runtime_has_the_signals);
	tcase_add_test(tcase, a_failure_leaves_nothing_behind);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
