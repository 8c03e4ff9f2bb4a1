/* SPDX-License-Identifier: MIT */
/* rt_blocking(): results, what ends a call that has begun or not, order, the end of the program. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "runtime/lifecycle.h"
#include "support/child.h"
#include "support/in_task.h"
#include "support/pair.h"
#include "support/suite.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

static int run_with(unsigned threads, rt_task_fn *fn, void *arg)
{
	return rt_run(&rt_native, &(struct rt_runtime_options){.blocking_threads = threads}, fn, arg, NULL);
}

/* A test whose body is a task of a runtime with so many threads for blocking work. */
#define WITH_THREADS(threads, name)                                                                          \
	static void name##_body(void);                                                                       \
	static int name##_task(void *arg)                                                                    \
	{                                                                                                    \
		(void)arg;                                                                                   \
		name##_body();                                                                               \
		return 0;                                                                                    \
	}                                                                                                    \
	START_TEST(name)                                                                                     \
	{                                                                                                    \
		ck_assert_int_eq(run_with(threads, name##_task, NULL), 0);                                   \
	}                                                                                                    \
	END_TEST                                                                                             \
	static void name##_body(void)

/* Bounded: a test that would hang fails. */
static void await(sem_t *semaphore)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 30;
	if (sem_timedwait(semaphore, &until) < 0)
		ck_abort_msg("waited for 30 seconds");
}

/* ---- Results ---- */

struct visit {
	pthread_t thread;
	struct rt_runtime *runtime;
	int slept, result;
};

static int look_around(void *arg)
{
	struct visit *visit = arg;

	visit->thread = pthread_self();
	visit->runtime = rt_runtime_current();
	visit->slept = rt_sleep(0);
	return visit->result;
}

IN_TASK(it_gives_what_the_function_returns)
{
	static const int results[] = {0, 1, INT32_MAX, -1, -EIO, -ETIMEDOUT, -ECANCELED, INT32_MIN};

	for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
		struct visit visit = {.result = results[i], .runtime = rt_runtime_current()};

		ck_assert_int_eq(rt_blocking(look_around, &visit, RT_FOREVER), results[i]);
		ck_assert(!pthread_equal(visit.thread, pthread_self()));
		ck_assert_ptr_null(visit.runtime);
		ck_assert_int_eq(visit.slept, -EPERM);
	}
}

static int never(void *arg)
{
	(void)arg;
	ck_abort_msg("it has begun");
	return 0;
}

START_TEST(outside_of_a_task)
{
	ck_assert_int_eq(rt_blocking(never, NULL, RT_FOREVER), -EPERM);
	ck_assert_int_eq(rt_blocking(NULL, NULL, RT_FOREVER), -EINVAL);
}
END_TEST

START_TEST(too_many_threads)
{
	ck_assert_int_eq(run_with(RT_BLOCKING_THREADS_MAX + 1, never, NULL), -EINVAL);
}
END_TEST

static int refuse(struct rt_runtime *runtime, struct rt_job *job)
{
	(void)runtime;
	(void)job;
	return -EAGAIN;
}

static int block_in_vain(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(rt_blocking(never, NULL, RT_FOREVER), -EAGAIN);
	/* The task has not been harmed. */
	ck_assert_int_eq(rt_sleep(RT_US(1)), 0);
	return 6;
}

START_TEST(a_thread_is_refused)
{
	struct rt_runtime_ops ops = rt_native;

	ops.offload = refuse;
	ck_assert_int_eq(rt_run(&ops, NULL, block_in_vain, NULL, NULL), 6);
}
END_TEST

/* ---- A function that returns when the test says so ---- */

struct errand {
	sem_t begun, may_end;
	rt_time deadline;
	int result;
	atomic_int calls;
};

static void init(struct errand *errand, rt_time deadline, int result)
{
	*errand = (struct errand){.deadline = deadline, .result = result};
	sem_init(&errand->begun, 0, 0);
	sem_init(&errand->may_end, 0, 0);
}

static int run_errand(void *arg)
{
	struct errand *errand = arg;

	atomic_fetch_add(&errand->calls, 1);
	sem_post(&errand->begun);
	await(&errand->may_end);
	return errand->result;
}

static int block(void *arg)
{
	struct errand *errand = arg;

	return rt_blocking(run_errand, errand, errand->deadline);
}

/* Starts a task with an errand that has begun. If that was too late for its deadline, it gets a later one. */
static struct rt_task *begin(struct errand *errand, rt_task_fn *fn, rt_time duration, int result)
{
	int failure;

	init(errand, rt_in(duration), result);
	struct rt_task *task = spawn_task(fn, errand);

	while (sem_trywait(&errand->begun) < 0) {
		if (rt_join(task, &failure, rt_in(RT_US(100))) < 0)
			continue;
		ck_assert_int_lt(failure, 0);
		ck_assert_int_eq(errand->calls, 0);
		ck_assert_int_lt(duration, RT_S(10));
		return begin(errand, fn, 2 * duration, result);
	}
	return task;
}

static int finish(struct errand *errand, struct rt_task *task)
{
	sem_post(&errand->may_end);
	return join_task(task);
}

static int count_turns(void *arg)
{
	int *turns = arg;

	while (rt_yield() == 0)
		++*turns;
	return 0;
}

IN_TASK(others_run_meanwhile)
{
	struct errand errand;
	struct rt_task *task = begin(&errand, block, RT_FOREVER, 5);
	int turns = 0;
	struct rt_task *counter = spawn_task(count_turns, &turns);

	ck_assert_int_eq(rt_sleep(RT_MS(2)), 0);
	ck_assert_int_gt(turns, 2);
	ck_assert_int_eq(rt_join(task, NULL, RT_NOW), -ETIMEDOUT);
	ck_assert_int_eq(finish(&errand, task), 5);
	rt_cancel(counter);
	join_task(counter);
}

/* ---- What has begun ---- */

IN_TASK(a_deadline_does_not_end_what_has_begun)
{
	struct errand errand;
	struct rt_task *task = begin(&errand, block, RT_MS(1), 5);

	ck_assert_int_eq(rt_join(task, NULL, errand.deadline + RT_MS(5)), -ETIMEDOUT);
	ck_assert_int_eq(finish(&errand, task), 5);
	ck_assert_int_eq(errand.calls, 1);
}

static int block_and_sleep(void *arg)
{
	int result = block(arg), err = rt_sleep(RT_FOREVER);

	ck_assert_int_eq(err, -ECANCELED);
	return result;
}

IN_TASK(a_cancellation_does_not_end_what_has_begun)
{
	struct errand errand;
	struct rt_task *task = begin(&errand, block_and_sleep, RT_FOREVER, 5);

	rt_cancel(task);
	ck_assert_int_eq(rt_join(task, NULL, rt_in(RT_MS(5))), -ETIMEDOUT);
	rt_cancel(task);
	ck_assert_int_eq(rt_yield(), 0);
	ck_assert_int_eq(finish(&errand, task), 5);
	ck_assert_int_eq(errand.calls, 1);
}

static int block_under_a_deadline(void *arg)
{
	struct errand *errand = arg;
	struct rt_timeout timeout;

	rt_timeout_enter(&timeout, errand->deadline);
	int result = rt_blocking(run_errand, errand, RT_FOREVER);

	ck_assert_int_eq(rt_timeout_leave(&timeout), -ETIMEDOUT);
	ck_assert_int_eq(rt_sleep(RT_US(1)), 0);
	return result;
}

IN_TASK(nor_does_a_deadline_around_it)
{
	struct errand errand;
	struct rt_task *task = begin(&errand, block_under_a_deadline, RT_MS(1), 5);

	ck_assert_int_eq(rt_join(task, NULL, errand.deadline + RT_MS(5)), -ETIMEDOUT);
	ck_assert_int_eq(finish(&errand, task), 5);
	ck_assert_int_eq(errand.calls, 1);
}

static int linger(void *arg)
{
	return nanosleep(arg, NULL) == 0 ? 7 : 0;
}

static int block_in_virtual_time(void *arg)
{
	struct timespec moment = {.tv_nsec = 5000000};
	rt_time now = rt_now();

	(void)arg;
	ck_assert_int_eq(rt_blocking(linger, &moment, rt_in(RT_NS(1))), 7);
	ck_assert_int_eq(rt_now(), now);
	return 0;
}

START_TEST(virtual_time_stands_still_meanwhile)
{
	struct rt_runtime_options options = {.clock = RT_CLOCK_VIRTUAL};

	ck_assert_int_eq(rt_run(&rt_native, &options, block_in_virtual_time, NULL, NULL), 0);
}
END_TEST

/* ---- What has not begun: the only thread is busy ---- */

static int return_arg(void *arg)
{
	return *(int *)arg;
}

/* Everything that was queued before has had its turn. */
static void pass_through(void)
{
	int one = 1;

	ck_assert_int_eq(rt_blocking(return_arg, &one, RT_FOREVER), 1);
}

WITH_THREADS(1, a_deadline_ends_what_has_not_begun)
{
	struct errand first, second;
	struct rt_task *task = begin(&first, block, RT_FOREVER, 5);

	init(&second, rt_in(RT_MS(1)), 6);
	ck_assert_int_eq(block(&second), -ETIMEDOUT);
	ck_assert_int_ge(rt_now(), second.deadline);
	ck_assert_int_eq(finish(&first, task), 5);
	pass_through();
	ck_assert_int_eq(second.calls, 0);
}

IN_TASK(refused_at_once)
{
	ck_assert_int_eq(rt_blocking(NULL, NULL, RT_FOREVER), -EINVAL);
	ck_assert_int_eq(rt_blocking(never, NULL, RT_NOW), -ETIMEDOUT);
	ck_assert_int_eq(rt_blocking(never, NULL, rt_now()), -ETIMEDOUT);
	pass_through();
}

WITH_THREADS(1, a_cancellation_ends_what_has_not_begun)
{
	struct errand first, second;
	struct rt_task *task = begin(&first, block, RT_FOREVER, 5);

	init(&second, RT_FOREVER, 6);
	struct rt_task *waiting = spawn_task(block, &second);

	ck_assert_int_eq(rt_yield(), 0);
	rt_cancel(waiting);
	ck_assert_int_eq(join_task(waiting), -ECANCELED);
	ck_assert_int_eq(finish(&first, task), 5);
	pass_through();
	ck_assert_int_eq(second.calls, 0);
}

static int block_cancelled(void *arg)
{
	(void)arg;
	return rt_blocking(never, NULL, RT_FOREVER);
}

IN_TASK(a_cancelled_task_begins_nothing)
{
	struct rt_task *task = spawn_task(block_cancelled, NULL);

	rt_cancel(task);
	ck_assert_int_eq(join_task(task), -ECANCELED);
	pass_through();
}

/* Nothing is lost or doubled whenever the end comes: either it has run, or it never does. */
static int count_call(void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
	return 1;
}

static int block_and_count(void *arg)
{
	return rt_blocking(count_call, arg, RT_FOREVER);
}

WITH_THREADS(2, cancelled_at_any_moment)
{
	for (int i = 0; i < scaled(2000, 10); i++) {
		static atomic_int calls;

		atomic_store(&calls, 0);
		struct rt_task *task = spawn_task(block_and_count, &calls);

		ck_assert_int_eq(rt_yield(), 0);
		for (int spin = 0; spin < i % 100 * 50; spin++)
			atomic_load(&calls);
		rt_cancel(task);
		int result = join_task(task);

		ck_assert_int_eq(result, atomic_load(&calls) ? 1 : -ECANCELED);
		if (i % 10 == 0)
			pass_through();
		ck_assert_int_eq(atomic_load(&calls), result == 1);
	}
}

/* ---- Order and number ---- */

static atomic_int turn;

static int take_turn(void *arg)
{
	(void)arg;
	return atomic_fetch_add(&turn, 1);
}

static int await_turn(void *arg)
{
	(void)arg;
	return rt_blocking(take_turn, NULL, RT_FOREVER);
}

WITH_THREADS(1, first_come_first_served)
{
	enum { TASKS = 100 };
	struct errand first;
	struct rt_task *task = begin(&first, block, RT_FOREVER, 5), *tasks[TASKS];

	for (int i = 0; i < TASKS; i++)
		tasks[i] = spawn_task(await_turn, NULL);
	ck_assert_int_eq(rt_yield(), 0);
	ck_assert_int_eq(finish(&first, task), 5);
	for (int i = 0; i < TASKS; i++)
		ck_assert_int_eq(join_task(tasks[i]), i);
}

enum { FLOODERS = 10, CALLS = 20 };

static int flood(void *arg)
{
	(void)arg;
	for (int i = 0; i < CALLS; i++)
		await_turn(NULL);
	return 0;
}

/* Who calls again and again is behind those who have called once. */
WITH_THREADS(1, a_flood_lets_others_through)
{
	struct errand first;
	struct rt_task *task = begin(&first, block, RT_FOREVER, 5), *flooders[FLOODERS];

	for (int i = 0; i < FLOODERS; i++)
		flooders[i] = spawn_task(flood, NULL);
	ck_assert_int_eq(rt_yield(), 0);
	struct rt_task *late = spawn_task(await_turn, NULL);

	ck_assert_int_eq(rt_yield(), 0);
	ck_assert_int_eq(finish(&first, task), 5);
	ck_assert_int_eq(join_task(late), FLOODERS);
	for (int i = 0; i < FLOODERS; i++)
		ck_assert_int_eq(join_task(flooders[i]), 0);
	ck_assert_int_eq(atomic_load(&turn), FLOODERS * CALLS + 1);
}

WITH_THREADS(2, as_many_at_once_as_there_are_threads)
{
	struct errand first, second, third;
	struct rt_task *one = begin(&first, block, RT_FOREVER, 1);
	struct rt_task *two = begin(&second, block, RT_FOREVER, 2);

	init(&third, RT_FOREVER, 3);
	struct rt_task *three = spawn_task(block, &third);

	ck_assert_int_eq(rt_sleep(RT_MS(5)), 0);
	ck_assert_int_eq(third.calls, 0);
	ck_assert_int_eq(finish(&second, two), 2);
	await(&third.begun);
	ck_assert_int_eq(finish(&third, three), 3);
	ck_assert_int_eq(finish(&first, one), 1);
}

/* ---- The end of the program ---- */

static struct errand under_way;
static sem_t written;

/* The argument is on the stack of a task that has been abandoned. */
static int write_late(void *arg)
{
	sem_post(&under_way.begun);
	await(&under_way.may_end);
	((volatile char *)arg)[0] = 1;
	sem_post(&written);
	return 0;
}

static int block_on_own_stack(void *arg)
{
	char here[1024] = {0};

	(void)arg;
	return rt_blocking(write_late, here, RT_FOREVER);
}

static int block_shielded(void *arg)
{
	struct rt_shield shield;

	(void)arg;
	rt_shield_enter(&shield);
	return rt_blocking(never, NULL, RT_FOREVER);
}

static int block_queued(void *arg)
{
	(void)arg;
	ck_assert_int_eq(rt_blocking(never, NULL, RT_FOREVER), -ECANCELED);
	return 0;
}

/* One under way, one queued that hears of the end, one queued that does not. */
static int leave_calls(void *arg)
{
	const struct rt_task_options options = {.stack_size = *(size_t *)arg};
	struct rt_task *task = rt_spawn_with(block_on_own_stack, NULL, &options);

	ck_assert_ptr_nonnull(task);
	rt_detach(task);
	ck_assert_int_eq(rt_yield(), 0);
	await(&under_way.begun);
	rt_detach(spawn_task(block_queued, NULL));
	rt_detach(spawn_task(block_shielded, NULL));
	return rt_yield();
}

static size_t stack_size;

static int end_with_calls(void)
{
	init(&under_way, RT_FOREVER, 0);
	sem_init(&written, 0, 0);
	if (run_with(1, leave_calls, &stack_size) != 0)
		return 1;
	/* The runtime is gone, and with it everything but what is still in use. */
	sem_post(&under_way.may_end);
	await(&written);
	return 0;
}

/* The loop's index: whether its stack is one of many or a mapping of its own. */
START_TEST(what_is_left_at_the_end_is_told)
{
	char said[512];

	stack_size = _i ? 256 * 1024 : 0;
	int status = observe(end_with_calls, said, sizeof said);

	ck_assert_msg(WIFEXITED(status), "died of signal %d: %s", WTERMSIG(status), said);
	ck_assert_msg(WEXITSTATUS(status) == 0, "%s", said);
	ck_assert_msg(strstr(said, "2 tasks ignore their cancellation"), "%s", said);
	ck_assert_msg(strstr(said, "2 blocking jobs were dropped, 1 left running\n"), "%s", said);
}
END_TEST

static int leave_soon_done(void *arg)
{
	static struct errand errand;

	(void)arg;
	rt_detach(begin(&errand, block, RT_FOREVER, 5));
	sem_post(&errand.may_end);
	pass_through();
	return 0;
}

static int end_in_time(void)
{
	return run_with(2, leave_soon_done, NULL);
}

START_TEST(what_ends_in_time_is_not_told)
{
	expect_exit(end_in_time, 0, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("blocking");
	TCase *tcase = tcase_create("blocking");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, it_gives_what_the_function_returns);
	tcase_add_test(tcase, outside_of_a_task);
	tcase_add_test(tcase, too_many_threads);
	tcase_add_test(tcase, a_thread_is_refused);
	tcase_add_test(tcase, others_run_meanwhile);
	tcase_add_test(tcase, a_deadline_does_not_end_what_has_begun);
	tcase_add_test(tcase, a_cancellation_does_not_end_what_has_begun);
	tcase_add_test(tcase, nor_does_a_deadline_around_it);
	tcase_add_test(tcase, virtual_time_stands_still_meanwhile);
	tcase_add_test(tcase, a_deadline_ends_what_has_not_begun);
	tcase_add_test(tcase, refused_at_once);
	tcase_add_test(tcase, a_cancellation_ends_what_has_not_begun);
	tcase_add_test(tcase, a_cancelled_task_begins_nothing);
	tcase_add_test(tcase, cancelled_at_any_moment);
	tcase_add_test(tcase, first_come_first_served);
	tcase_add_test(tcase, a_flood_lets_others_through);
	tcase_add_test(tcase, as_many_at_once_as_there_are_threads);
	tcase_add_loop_test(tcase, what_is_left_at_the_end_is_told, 0, 2);
	tcase_add_test(tcase, what_ends_in_time_is_not_told);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
