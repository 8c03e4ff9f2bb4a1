/* SPDX-License-Identifier: MIT */
/* The life of a runtime: main, what is left over, errors, the registry. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "runtime/lifecycle.h"
#include "support/child.h"
#include "support/in_task.h"
#include "support/suite.h"
#include "task/fiber_task.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

static int run(rt_task_fn *fn, void *arg)
{
	return rt_run(&rt_native, NULL, fn, arg, NULL);
}

static int give_back(void *arg)
{
	return *(int *)arg;
}

/* ---- Main ---- */

START_TEST(run_gives_the_result_of_main)
{
	int values[] = {0, 42, -ENOENT, -EBUSY};

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(run(give_back, &values[i]), values[i]);
	ck_assert_int_eq(rt_run(NULL, NULL, give_back, &values[1], "named"), 42);
	ck_assert_int_eq(run(NULL, NULL), -EINVAL);
	ck_assert_ptr_null(rt_runtime_current());
}
END_TEST

IN_TASK(one_runtime_per_thread)
{
	struct rt_runtime *runtime = rt_runtime_current();
	int value = 1;

	ck_assert_ptr_nonnull(runtime);
	ck_assert_ptr_eq(runtime->ops, test_runtime());
	ck_assert_int_eq(run(give_back, &value), -EBUSY);
	ck_assert_ptr_eq(rt_runtime_current(), runtime);
	ck_assert_int_eq(rt_sleep(1), 0);
}

static void *run_on_thread(void *arg)
{
	ck_assert_ptr_null(rt_runtime_current());
	ck_assert_int_eq(run(give_back, arg), 3);
	return NULL;
}

static int run_elsewhere(void *arg)
{
	pthread_t thread;
	int value = 3;

	ck_assert_int_eq(pthread_create(&thread, NULL, run_on_thread, &value), 0);
	pthread_join(thread, NULL);
	return *(int *)arg;
}

START_TEST(every_thread_has_its_own)
{
	int value = 4;

	ck_assert_int_eq(run(run_elsewhere, &value), 4);
}
END_TEST

/* ---- Deadlock ---- */

static int sleep_for_ever(void *arg)
{
	int err = rt_sleep(RT_FOREVER);

	if (arg)
		*(int *)arg = err;
	return err;
}

static struct rt_task *first_task;

static int join_for_ever(void *arg)
{
	struct rt_task *other = rt_spawn(sleep_for_ever, NULL);

	(void)arg;
	return rt_join(other, NULL, RT_FOREVER);
}

START_TEST(what_nothing_can_wake_is_a_deadlock)
{
	int err = 0;

	ck_assert_int_eq(run(sleep_for_ever, &err), -EDEADLK);
	ck_assert_int_eq(err, -ECANCELED);
	ck_assert_int_eq(run(join_for_ever, NULL), -EDEADLK);
}
END_TEST

static struct rt_runtime *scheduled_on;

static void wake_first(struct rt_runnable *runnable)
{
	(void)runnable;
	rt_cancel(first_task);
}

static void *schedule_elsewhere(void *arg)
{
	scheduled_on->executor.schedule(&scheduled_on->executor, arg);
	return NULL;
}

static int await_foreign_thread(void *arg)
{
	pthread_t thread;

	scheduled_on = rt_runtime_current();
	first_task = rt_task_current();
	ck_assert_int_eq(pthread_create(&thread, NULL, schedule_elsewhere, arg), 0);
	pthread_join(thread, NULL);
	return rt_sleep(RT_FOREVER) == -ECANCELED ? 9 : 1;
}

START_TEST(what_another_thread_has_scheduled_is_no_deadlock)
{
	struct rt_runnable runnable = {.run = wake_first};

	ck_assert_int_eq(run(await_foreign_thread, &runnable), 9);
}
END_TEST

/* ---- Foreign threads ---- */

enum { THREADS = 4, HANDED_IN = 1000 };
static int handed_in;
static pthread_t home;

static void count_and_free(struct rt_runnable *runnable)
{
	if (!pthread_equal(pthread_self(), home))
		ck_abort_msg("runs on a foreign thread");
	handed_in++;
	free(runnable);
}

static void *hand_in(void *arg)
{
	struct rt_runtime *runtime = arg;

	for (int i = 0; i < HANDED_IN; i++) {
		struct rt_runnable *runnable = malloc(sizeof *runnable);

		runnable->run = count_and_free;
		runtime->executor.schedule(&runtime->executor, runnable);
	}
	return NULL;
}

IN_TASK(other_threads_schedule)
{
	pthread_t threads[THREADS];

	home = pthread_self();
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, hand_in, rt_runtime_current());
	for (rt_time end = rt_in(RT_S(20)); handed_in < THREADS * HANDED_IN && rt_now() < end;)
		ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	ck_assert_int_eq(handed_in, THREADS * HANDED_IN);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* A loop that is asleep wakes up for it: the sleep is far longer than the test may take. */
static int woken_by_thread(void *arg)
{
	pthread_t thread;

	scheduled_on = rt_runtime_current();
	first_task = rt_task_current();
	ck_assert_int_eq(pthread_create(&thread, NULL, schedule_elsewhere, arg), 0);
	int err = rt_sleep(RT_S(1000));

	pthread_join(thread, NULL);
	return err;
}

START_TEST(another_thread_wakes_the_loop)
{
	struct rt_runnable runnable = {.run = wake_first};

	ck_assert_int_eq(run(woken_by_thread, &runnable), -ECANCELED);
}
END_TEST

/* ---- What is left over ---- */

static int cleaned_up;

static int clean_up(void *arg)
{
	int err = rt_sleep(RT_S(1000));

	(void)arg;
	ck_assert_int_eq(err, -ECANCELED);
	rt_yield();
	cleaned_up++;
	return 0;
}

static int leave_tasks(void *arg)
{
	for (int i = 0; i < 10; i++)
		rt_detach(rt_spawn(clean_up, NULL));
	if (*(int *)arg)
		rt_yield();
	return 21;
}

/* The loop's index: whether they have run before main ends. */
START_TEST(left_over_tasks_are_cancelled_and_clean_up)
{
	int run_before = _i;

	ck_assert_int_eq(run(leave_tasks, &run_before), 21);
	ck_assert_int_eq(cleaned_up, 10);
}
END_TEST

static int spawn_at_the_end(void *arg)
{
	(void)arg;
	rt_sleep(RT_FOREVER);
	rt_detach(rt_spawn(clean_up, NULL));
	return 0;
}

/* As at the end of rt_run(), with more time for it: it says that all have ended, and that this was noticed.
 */
START_TEST(what_is_spawned_at_the_end_is_cancelled_too)
{
	struct rt_runtime *runtime;

	ck_assert_int_eq(runtime_open(&rt_native, NULL, &runtime), 0);
	rt_detach(rt_spawn(spawn_at_the_end, NULL));
	fiber_tasks_cancel(runtime);
	ck_assert(runtime_drain(runtime, NULL, RT_S(20)));
	ck_assert_int_eq(cleaned_up, 1);
	runtime_close(runtime);
}
END_TEST

/* ---- What will not end ---- */

static _Noreturn int ignore_cancellation(void *arg)
{
	struct rt_timeout timeout;

	(void)arg;
	rt_timeout_enter(&timeout, rt_in(RT_S(500)));
	for (;;)
		rt_sleep(RT_S(1000));
}

static _Noreturn int watch_on(void *arg)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	(void)arg;
	for (;;)
		rt_wait_fd(fd, RT_READ, RT_FOREVER);
}

static _Noreturn int resolve_on(void *arg)
{
	struct rt_addr addr;

	(void)arg;
	for (;;)
		if (rt_resolve("localhost:1", &addr, 1, RT_FOREVER) < 0)
			rt_yield();
}

static _Noreturn int join_on(void *arg)
{
	(void)arg;
	for (;;)
		rt_join(first_task, NULL, RT_FOREVER);
}

static int leave_stubborn(void *arg)
{
	static rt_task_fn *const fns[] = {resolve_on, watch_on, join_on};

	(void)arg;
	for (size_t i = 0; i < sizeof fns / sizeof *fns; i++)
		rt_detach(rt_spawn_named(fns[i], NULL, "one", "a.c:1"));
	first_task = rt_spawn_with(
		ignore_cancellation, NULL,
		&(struct rt_task_options){.name = "stubborn", .site = "file.c:7", .stack_size = 128 << 10});
	rt_yield();
	rt_detach(first_task);
	return 11;
}

static int abandon(void)
{
	rt_time start = rt_now();

	if (run(leave_stubborn, NULL) != 11)
		return 1;
	/* The thread is free for another one. */
	if (rt_now() - start < LIFECYCLE_GRACE || run(leave_tasks, &(int){0}) != 21)
		return 2;
	return 0;
}

START_TEST(a_task_that_ignores_cancellation_is_abandoned)
{
	expect_exit(abandon, 0,
		    "4 tasks ignore their cancellation and are abandoned, the first is stubborn "
		    "(spawned at file.c:7)\n");
}
END_TEST

/* ---- rt_main ---- */

static int main_result;

static int async_main(int argc, char **argv)
{
	if (argc != 1 || strcmp(argv[0], "program") != 0 || !rt_task_current())
		return 99;
	return main_result;
}

static int call_rt_main(void)
{
	char name[] = "program", *argv[] = {name, NULL};
	int result = rt_main(1, argv, async_main, "async_main", &rt_native);

	raise(SIGPIPE);
	return result;
}

/* As threads that the machine does not run for half a second. */
static int pause_slowly(struct rt_runtime *runtime, rt_time limit)
{
	return limit < RT_MS(500) ? -EBUSY : rt_native.pause(runtime, limit);
}

static int destroyed;

static void destroy(struct rt_runtime *runtime)
{
	destroyed++;
	rt_native.destroy(runtime);
}

START_TEST(threads_that_are_slow_to_rest_are_waited_for)
{
	struct rt_runtime_ops slow = rt_native;
	int value = 5;

	slow.pause = pause_slowly;
	slow.destroy = destroy;
	destroyed = 0;
	ck_assert_int_eq(rt_run(&slow, NULL, give_back, &value, NULL), 5);
	ck_assert_int_eq(destroyed, 1);
}
END_TEST

START_TEST(rt_main_exits_with_the_result_and_ignores_sigpipe)
{
	expect_exit(call_rt_main, 0, "");
	main_result = 7;
	expect_exit(call_rt_main, 7, "");
	main_result = -ENOENT;
	expect_exit(call_rt_main, 1, "program: async_main: no such file or directory\n");
}
END_TEST

/* ---- Options and resources ---- */

static int fill(void *arg)
{
	volatile char block[300 << 10];

	for (size_t i = 0; i < sizeof block; i += 512)
		block[i] = 1;
	return arg || rt_spawn(fill, &main_result) ? 0 : 1;
}

START_TEST(the_stack_size_is_an_option)
{
	struct rt_runtime_options options = {.stack_size = 512 << 10};

	ck_assert_int_eq(rt_run(&rt_native, &options, fill, NULL, NULL), 0);
	options.stack_size = 1;
	ck_assert_int_lt(rt_run(&rt_native, &options, fill, NULL, NULL), 0);
	ck_assert_ptr_null(rt_runtime_current());
}
END_TEST

START_TEST(no_descriptors_are_an_error)
{
	struct rlimit limit;
	int value = 5, before = dup(0);

	close(before);
	getrlimit(RLIMIT_NOFILE, &limit);
	for (int left = 0; left < 8; left++) {
		struct rlimit tight = {(rlim_t)(before + left), limit.rlim_max};

		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
		int err = run(give_back, &value);

		ck_assert(left == 0 ? err < 0 : err < 0 || err == 5);
	}
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(run(give_back, &value), 5);
	int after = dup(0);

	ck_assert_int_eq(after, before);
	close(after);
}
END_TEST

/* ---- The registry ---- */

static int fake_creates;

static int fake_create(struct rt_runtime **runtime, const struct rt_runtime_options *options)
{
	fake_creates++;
	return rt_native.create(runtime, options);
}

static int check_fake(void *arg)
{
	ck_assert_str_eq(rt_runtime_current()->ops->name, "fake");
	ck_assert_int_eq(rt_sleep(RT_US(1)), 0);
	return *(int *)arg;
}

/* The library's part of the memory holds anything, but for what create() sets; the runtime's own follows it.
 */
static int untidy_create(struct rt_runtime **runtime, const struct rt_runtime_options *options)
{
	int err = rt_native.create(runtime, options);

	if (err < 0)
		return err;
	unsigned workers = (*runtime)->workers;

	memset(*runtime, 0xa5, sizeof **runtime);
	(*runtime)->shared = false;
	(*runtime)->workers = workers;
	return 0;
}

static void ignore_info(const struct rt_task_info *info, void *arg)
{
	(void)info;
	(void)arg;
}

static int list_tasks(void *arg)
{
	(void)arg;
	rt_detach(rt_spawn(sleep_for_ever, NULL));
	return rt_task_list(ignore_info, NULL);
}

START_TEST(a_runtime_need_not_zero_its_memory)
{
	struct rt_runtime_ops untidy = rt_native;

	untidy.create = untidy_create;
	ck_assert_int_eq(rt_run(&untidy, NULL, list_tasks, NULL, NULL), 2);
}
END_TEST

START_TEST(a_runtime_is_found_by_its_name)
{
	static struct rt_runtime_ops fake, same, others[20];
	static char names[20][16];
	int value = 13;

	fake = rt_native;
	fake.name = "fake";
	fake.create = fake_create;
	same = fake;
	ck_assert_ptr_eq(rt_runtime_find("native"), &rt_native);
	ck_assert_ptr_null(rt_runtime_find("fake"));
	ck_assert_ptr_null(rt_runtime_find(""));
	ck_assert_int_eq(rt_runtime_register(&fake), 0);
	ck_assert_int_eq(rt_runtime_register(&same), -EEXIST);
	ck_assert_int_eq(rt_runtime_register(&rt_native), -EEXIST);
	ck_assert_ptr_eq(rt_runtime_find("fake"), &fake);
	ck_assert_int_eq(rt_run(rt_runtime_find("fake"), NULL, check_fake, &value, NULL), 13);
	ck_assert_int_eq(fake_creates, 1);
	int err = 0, count = 0;

	for (; count < 20 && err == 0; count++) {
		snprintf(names[count], sizeof names[count], "n%d", count);
		others[count] = fake;
		others[count].name = names[count];
		err = rt_runtime_register(&others[count]);
	}
	ck_assert_int_eq(err, -ENOSPC);
	ck_assert_ptr_eq(rt_runtime_find("n3"), &others[3]);
	ck_assert_str_eq(rt_runtime_name(0), "native");
	ck_assert_str_eq(rt_runtime_name(1), "stealing");
	ck_assert_str_eq(rt_runtime_name(2), "fake");
	ck_assert_str_eq(rt_runtime_name(3), "n0");
	ck_assert_ptr_null(rt_runtime_name((unsigned)count + 2));
	ck_assert_ptr_null(rt_runtime_name(1000000));
	ck_assert_ptr_null(rt_runtime_find("none"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("runtime");
	TCase *tcase = tcase_create("runtime");

	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, run_gives_the_result_of_main);
	tcase_add_test(tcase, one_runtime_per_thread);
	tcase_add_test(tcase, every_thread_has_its_own);
	tcase_add_test(tcase, what_nothing_can_wake_is_a_deadlock);
	tcase_add_test(tcase, what_another_thread_has_scheduled_is_no_deadlock);
	tcase_add_test(tcase, other_threads_schedule);
	tcase_add_test(tcase, another_thread_wakes_the_loop);
	tcase_add_loop_test(tcase, left_over_tasks_are_cancelled_and_clean_up, 0, 2);
	tcase_add_test(tcase, what_is_spawned_at_the_end_is_cancelled_too);
	tcase_add_test(tcase, a_task_that_ignores_cancellation_is_abandoned);
	tcase_add_test(tcase, threads_that_are_slow_to_rest_are_waited_for);
	tcase_add_test(tcase, rt_main_exits_with_the_result_and_ignores_sigpipe);
	tcase_add_test(tcase, the_stack_size_is_an_option);
	tcase_add_test(tcase, no_descriptors_are_an_error);
	tcase_add_test(tcase, a_runtime_need_not_zero_its_memory);
	tcase_add_test(tcase, a_runtime_is_found_by_its_name);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
