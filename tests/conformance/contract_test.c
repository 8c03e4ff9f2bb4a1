/* SPDX-License-Identifier: MIT */
/* What rt/runtime.h demands of a runtime, asked of every one that is registered. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/list.h"
#include "support/suite.h"

#include <errno.h>
#include <pthread.h>
#include <rt.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A test's body; runs as the main task, the scheduler is reached through the table. */
static rt_task_fn *body;
static struct rt_runtime *runtime;
static const struct rt_runtime_ops *ops;

static int call_body(void *arg)
{
	runtime = rt_runtime_current();
	ops = runtime->ops;
	return body(arg);
}

/* The names that there are; the loop's index is one of them. */
static void on_runtime(int index, rt_task_fn *fn)
{
	const char *name = rt_runtime_name((unsigned)index);

	body = fn;
	ck_assert_ptr_nonnull(name);
	ck_assert_int_eq(rt_run(rt_runtime_find(name), NULL, call_body, NULL, NULL), 0);
}

struct probe {
	struct rt_runnable runnable;
	struct rt_waiter waiter;
	struct rt_timer timer;
	struct rt_job job;
	int order, result; /* order 0: not yet */
	pthread_t thread, worker;
};

static int count;

static void happen(struct probe *probe, int result)
{
	ck_assert_int_eq(probe->order, 0);
	probe->order = ++count;
	probe->result = result;
	probe->thread = pthread_self();
}

static void await_count(int wanted)
{
	for (rt_time end = rt_in(RT_S(20)); count < wanted && rt_now() < end;)
		ck_assert_int_eq(rt_sleep(RT_US(100)), 0);
	ck_assert_int_eq(count, wanted);
}

/* ---- schedule ---- */

static void run_probe(struct rt_runnable *runnable)
{
	ck_assert_ptr_null(rt_task_current());
	ck_assert_ptr_eq(rt_runtime_current(), runtime);
	happen(container_of(runnable, struct probe, runnable), 0);
}

static void schedule(struct probe *probe)
{
	probe->runnable.run = run_probe;
	runtime->executor.schedule(&runtime->executor, &probe->runnable);
}

static int schedule_here(void *arg)
{
	static struct probe probes[500];

	(void)arg;
	for (int i = 0; i < 500; i++)
		schedule(&probes[i]);
	ck_assert_int_eq(count, 0);
	await_count(500);
	for (int i = 0; i < 500 && ops == &rt_native; i++)
		ck_assert_int_eq(probes[i].order, i + 1);
	return 0;
}

START_TEST(schedule_never_runs_right_away)
{
	on_runtime(_i, schedule_here);
}
END_TEST

static void *schedule_many(void *arg)
{
	struct probe *probes = arg;

	for (int i = 0; i < 500; i++)
		schedule(&probes[i]);
	return NULL;
}

static int schedule_elsewhere(void *arg)
{
	static struct probe probes[500];
	pthread_t thread;

	(void)arg;
	ck_assert_int_eq(pthread_create(&thread, NULL, schedule_many, probes), 0);
	await_count(500);
	pthread_join(thread, NULL);
	for (int i = 0; i < 500; i++)
		ck_assert(!pthread_equal(probes[i].thread, thread));
	return 0;
}

START_TEST(any_thread_schedules)
{
	on_runtime(_i, schedule_elsewhere);
}
END_TEST

/* ---- arm ---- */

static void expire(struct rt_waiter *waiter, int result)
{
	struct probe *probe = container_of(waiter, struct probe, timer.waiter);

	ck_assert_int_ge(rt_now(), probe->timer.deadline);
	ck_assert_uint_eq(probe->timer.slot, 0);
	happen(probe, result);
}

static void arm(struct probe *probe, rt_time deadline)
{
	probe->timer = (struct rt_timer){.waiter.wake = expire, .deadline = deadline};
	ck_assert_int_eq(ops->arm(runtime, &probe->timer), 0);
	ck_assert_uint_ne(probe->timer.slot, 0);
}

static int arm_some(void *arg)
{
	struct probe early = {0}, late = {0}, passed = {0}, disarmed = {0}, never = {0};
	rt_time start = rt_now();

	(void)arg;
	ops->disarm(runtime, &early.timer);
	arm(&late, start + RT_MS(4));
	arm(&never, RT_FOREVER);
	arm(&disarmed, start + RT_MS(1));
	arm(&early, start + RT_MS(2));
	arm(&passed, RT_NOW);
	ops->disarm(runtime, &disarmed.timer);
	ck_assert_uint_eq(disarmed.timer.slot, 0);
	await_count(3);
	ck_assert_int_eq(passed.order, 1);
	ck_assert_int_eq(early.order, 2);
	ck_assert_int_eq(late.order, 3);
	ck_assert_int_eq(late.result, -ETIMEDOUT);
	ck_assert_int_eq(disarmed.order, 0);
	ops->disarm(runtime, &late.timer);
	ops->disarm(runtime, &never.timer);
	return 0;
}

START_TEST(timers_fire_once_and_not_before_their_deadline)
{
	on_runtime(_i, arm_some);
}
END_TEST

/* ---- watch ---- */

static void become_ready(struct rt_waiter *waiter, int result)
{
	happen(container_of(waiter, struct probe, waiter), result);
}

static int watch_one(void *arg)
{
	struct rt_watch watch = {.fd = eventfd(0, EFD_NONBLOCK)};
	struct probe reader = {.waiter.wake = become_ready};
	uint64_t one = 1;

	(void)arg;
	ck_assert_int_eq(ops->watch(runtime, &watch), 0);
	watch.reader = &reader.waiter;
	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	ck_assert_int_eq(watch.ready & (RT_READ | RT_WRITE), RT_WRITE);
	ck_assert_int_eq(count, 0);
	ck_assert_int_eq(write(watch.fd, &one, sizeof one), sizeof one);
	await_count(1);
	ck_assert_int_eq(reader.result, 0);
	ck_assert_ptr_null(watch.reader);
	ck_assert_int_eq(watch.ready & RT_READ, RT_READ);
	ops->unwatch(runtime, &watch);
	close(watch.fd);
	return 0;
}

START_TEST(readiness_wakes_the_waiter)
{
	on_runtime(_i, watch_one);
}
END_TEST

/* ---- offload ---- */

static void work(struct rt_job *job)
{
	container_of(job, struct probe, job)->worker = pthread_self();
}

static void done(struct rt_job *job)
{
	ck_assert_ptr_eq(rt_runtime_current(), runtime);
	happen(container_of(job, struct probe, job), 0);
}

static int offload_some(void *arg)
{
	static struct probe probes[100];

	(void)arg;
	for (int i = 0; i < 100; i++) {
		probes[i].job = (struct rt_job){.work = work, .done = done};
		ck_assert_int_eq(ops->offload(runtime, &probes[i].job), 0);
	}
	ck_assert_int_eq(count, 0);
	await_count(100);
	for (int i = 0; i < 100; i++)
		ck_assert(!pthread_equal(probes[i].worker, probes[i].thread));
	return 0;
}

START_TEST(blocking_work_is_done_elsewhere)
{
	on_runtime(_i, offload_some);
}
END_TEST

/* A job under way is something to wait for: no deadlock. */
static struct rt_task *sleeper;

static void cancel_sleeper(struct rt_job *job)
{
	(void)job;
	rt_cancel(sleeper);
}

static int await_job(void *arg)
{
	struct rt_job job = {.work = work, .done = cancel_sleeper};
	struct probe probe = {.job = job};

	(void)arg;
	sleeper = rt_task_current();
	ck_assert_int_eq(ops->offload(runtime, &probe.job), 0);
	return rt_sleep(RT_FOREVER) == -ECANCELED ? 0 : 1;
}

START_TEST(a_job_is_worth_waiting_for)
{
	on_runtime(_i, await_job);
}
END_TEST

/* ---- run ---- */

static int sleep_for_ever(void *arg)
{
	(void)arg;
	return rt_sleep(RT_FOREVER);
}

START_TEST(nothing_to_wait_for_is_a_deadlock)
{
	const struct rt_runtime_ops *table = rt_runtime_find(rt_runtime_name((unsigned)_i));

	ck_assert_int_eq(rt_run(table, NULL, sleep_for_ever, NULL, NULL), -EDEADLK);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("contract");
	TCase *tcase = tcase_create("contract");
	int runtimes = 0;

	while (rt_runtime_name((unsigned)runtimes))
		runtimes++;
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, schedule_never_runs_right_away, 0, runtimes);
	tcase_add_loop_test(tcase, any_thread_schedules, 0, runtimes);
	tcase_add_loop_test(tcase, timers_fire_once_and_not_before_their_deadline, 0, runtimes);
	tcase_add_loop_test(tcase, readiness_wakes_the_waiter, 0, runtimes);
	tcase_add_loop_test(tcase, blocking_work_is_done_elsewhere, 0, runtimes);
	tcase_add_loop_test(tcase, a_job_is_worth_waiting_for, 0, runtimes);
	tcase_add_loop_test(tcase, nothing_to_wait_for_is_a_deadlock, 0, runtimes);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
