/* SPDX-License-Identifier: MIT */
/* run(), create() and destroy(): deadlocks, ends, what is left over, one runtime after the other. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "conformance.h"

#include "runtime/lifecycle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static atomic_int count;

/* ---- Deadlocks ---- */

static int sleep_for_ever(void *arg)
{
	(void)arg;
	return rt_sleep(RT_FOREVER);
}

static int receive_for_ever(void *arg)
{
	char element;

	return rt_chan_recv(arg, &element, RT_FOREVER);
}

static struct rt_chan *chan;

/* Everybody receives, nobody sends. */
static int wait_in_vain(void *arg)
{
	(void)arg;
	ck_assert_int_eq(rt_chan_create(&chan, 1, 0), 0);
	for (int i = 0; i < 50; i++)
		rt_detach(start(receive_for_ever, chan));
	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	int err = rt_chan_recv(chan, &(char){0}, RT_FOREVER);

	ck_assert_int_eq(err, -ECANCELED);
	return err;
}

IN_EVERY(nothing_to_wait_for_is_a_deadlock)
{
	struct rt_runtime_options options = {.workers = setting.workers};

	ck_assert_int_eq(rt_run(setting.ops, &options, sleep_for_ever, NULL, NULL), -EDEADLK);
	ck_assert_int_eq(rt_run(setting.ops, &options, wait_in_vain, NULL, NULL), -EDEADLK);
	rt_chan_destroy(chan);
}

static void *write_later(void *arg)
{
	usleep(20000);
	ck_assert_int_eq(write(*(int *)arg, "x", 1), 1);
	return NULL;
}

ON_EVERY(a_descriptor_is_worth_waiting_for)
{
	pthread_t thread;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, write_later, &ends[1]), 0);
	ck_assert_int_eq(rt_wait_fd(ends[0], RT_READ, RT_FOREVER), 0);
	pthread_join(thread, NULL);
	close(ends[0]);
	close(ends[1]);
}

/* ---- Ends ---- */

static int give_seven(void *arg)
{
	(void)arg;
	return 7;
}

IN_EVERY(main_s_result_is_the_result)
{
	struct rt_runtime_options options = {.workers = setting.workers};

	ck_assert_int_eq(rt_run(setting.ops, &options, give_seven, NULL, NULL), 7);
	ck_assert_int_eq(rt_run(setting.ops, NULL, give_seven, NULL, NULL), 7);
}

static int be_cancelled(void *arg)
{
	(void)arg;
	ck_assert_int_eq(rt_sleep(RT_S(1000)), -ECANCELED);
	atomic_fetch_add(&count, 1);
	return 0;
}

/* Some wait, some have not run yet. */
static int leave_tasks(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++)
		rt_detach(start(be_cancelled, NULL));
	ck_assert_int_eq(rt_yield(), 0);
	for (int i = 0; i < 50; i++)
		rt_detach(start(be_cancelled, NULL));
	return 0;
}

/* On a machine that stalls for longer than they are given, some are abandoned. */
static void expect_cancelled(int tasks, rt_time begin)
{
	if (rt_now() - begin < LIFECYCLE_GRACE)
		ck_assert_int_eq(atomic_load(&count), tasks);
}

IN_EVERY(tasks_that_are_left_are_cancelled)
{
	rt_time begin = rt_now();

	ck_assert_int_eq(run_in(setting, leave_tasks, "leave_tasks"), 0);
	expect_cancelled(100, begin);
}

/* One that waits for work elsewhere, one that waits for a descriptor. */
static int wait_for_pipe(void *arg)
{
	int *pipe = arg;

	ck_assert_int_eq(rt_wait_fd(pipe[0], RT_READ, RT_FOREVER), -ECANCELED);
	atomic_fetch_add(&count, 1);
	return 0;
}

static int ends[2];

static int leave_waits(void *arg)
{
	(void)arg;
	rt_detach(start(wait_for_pipe, ends));
	return rt_sleep(RT_MS(1));
}

IN_EVERY(a_runtime_follows_another_on_the_thread)
{
	ck_assert_int_eq(pipe(ends), 0);
	for (int i = 1; i <= 10; i++) {
		ck_assert_ptr_null(rt_runtime_current());
		ck_assert_int_eq(run_in(setting, leave_waits, "leave_waits"), 0);
		ck_assert_int_eq(atomic_load(&count), i);
	}
	ck_assert_ptr_null(rt_runtime_current());
}

ON_EVERY(a_second_one_on_the_thread_is_refused)
{
	struct setting other;

	for (int i = 0; i < setting_count(); i++) {
		other = setting_at(i);
		ck_assert_int_eq(rt_run(other.ops, NULL, give_seven, NULL, NULL), -EBUSY);
	}
	ck_assert_int_eq(rt_sleep(0), 0);
}

static void *run_elsewhere(void *arg)
{
	struct setting *setting = arg;

	ck_assert_int_eq(run_in(*setting, leave_tasks, "leave_tasks"), 0);
	return NULL;
}

IN_EVERY(each_thread_may_have_one)
{
	pthread_t threads[3];
	rt_time begin = rt_now();

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, run_elsewhere, &setting), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	expect_cancelled(300, begin);
}

/* ---- Options ---- */

static int look_at_workers(void *arg)
{
	unsigned workers = rt_runtime_current()->workers;

	(void)arg;
	ck_assert_uint_ge(workers, 1);
	return (int)workers;
}

IN_EVERY(workers_are_as_many_as_asked_for_or_fewer)
{
	struct rt_runtime_options options = {.workers = setting.workers};
	int workers = rt_run(setting.ops, &options, look_at_workers, NULL, NULL);

	ck_assert_int_ge(workers, 1);
	ck_assert_int_le(workers, (int)setting.workers);
	options.workers = RT_WORKERS_MAX + 1;
	ck_assert_int_eq(rt_run(setting.ops, &options, give_seven, NULL, NULL), -EINVAL);
}

static int sleep_a_day(void *arg)
{
	(void)arg;
	return rt_sleep(RT_S(86400));
}

IN_EVERY(a_virtual_clock_works_or_is_refused)
{
	struct rt_runtime_options options = {.workers = setting.workers, .clock = RT_CLOCK_VIRTUAL};
	int result = rt_run(setting.ops, &options, sleep_a_day, NULL, NULL);

	ck_assert_int_eq(result, setting.ops->advance ? 0 : -ENOTSUP);
}

/* ---- Signals: the library's own watch ---- */

static int said[2];

static void await_listing(void)
{
	char text[4096];
	ssize_t got = 0;

	do {
		ck_assert_int_eq(rt_wait_fd(said[0], RT_READ, rt_in(PATIENCE)), 0);
		ssize_t more = read(said[0], text + got, sizeof text - 1 - (size_t)got);

		ck_assert_int_gt(more, 0);
		got += more;
		text[got] = '\0';
	} while (!strstr(text, "ask_often"));
	/* The rest of it. */
	ck_assert_int_eq(rt_sleep(RT_MS(2)), 0);
	while (read(said[0], text, sizeof text) > 0)
		;
}

static int ask_often(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (int i = 0; i < 3; i++) {
		raise(SIGQUIT);
		await_listing();
	}
	return 0;
}

IN_EVERY(sigquit_is_answered_every_time)
{
	char *argv[] = {(char *)"test", NULL};
	int saved = dup(STDERR_FILENO);

	ck_assert_int_eq(pipe2(said, O_NONBLOCK), 0);
	dup2(said[1], STDERR_FILENO);
	int result = rt_main(1, argv, ask_often, "ask_often", setting.ops);

	dup2(saved, STDERR_FILENO);
	ck_assert_int_eq(result, 0);
}

void add_run(Suite *suite)
{
	TCase *tcase = new_case(suite, "run");

	ADD(tcase, nothing_to_wait_for_is_a_deadlock);
	ADD(tcase, a_descriptor_is_worth_waiting_for);
	ADD(tcase, main_s_result_is_the_result);
	ADD(tcase, tasks_that_are_left_are_cancelled);
	ADD(tcase, a_runtime_follows_another_on_the_thread);
	ADD(tcase, a_second_one_on_the_thread_is_refused);
	ADD(tcase, each_thread_may_have_one);
	ADD(tcase, workers_are_as_many_as_asked_for_or_fewer);
	ADD(tcase, a_virtual_clock_works_or_is_refused);
	ADD(tcase, sigquit_is_answered_every_time);
}
