/* SPDX-License-Identifier: MIT */
/* Cancellation: where it finds a task, what it gives way to, and who waits on whom. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/suite.h"
#include "support/waits.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int which;

static int cancel_while_waiting(void *arg)
{
	(void)arg;
	open_sources();
	struct rt_task *task = spawn_task(waits[which], NULL);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	ck_assert(!rt_task_cancelled(task));
	rt_cancel(task);
	rt_cancel(task);
	ck_assert(rt_task_cancelled(task));
	ck_assert_int_eq(join_task(task), -ECANCELED);
	close_sources();
	return 0;
}

/* The loop's index: a wait. */
START_TEST(every_wait_is_cancelled)
{
	which = _i;
	ck_assert_int_eq(rt_run(&rt_native, NULL, cancel_while_waiting, NULL, NULL), 0);
}
END_TEST

static int turns;

static int count_turns(void *arg)
{
	(void)arg;
	while (rt_yield() == 0)
		turns++;
	return 0;
}

/* A stubborn task waits on and on; each wait must fail and let the others run. */
static int be_stubborn(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++) {
		int before = turns;

		ck_assert_int_eq(waits[which](NULL), -ECANCELED);
		ck_assert_int_gt(turns, before);
	}
	return 77;
}

static int cancel_before_first_run(void *arg)
{
	(void)arg;
	open_sources();
	struct rt_task *other = spawn_task(count_turns, NULL);
	struct rt_task *task = spawn_task(be_stubborn, NULL);

	rt_cancel(task);
	ck_assert_int_eq(join_task(task), 77);
	rt_cancel(other);
	join_task(other);
	close_sources();
	return 0;
}

START_TEST(every_wait_of_a_cancelled_task_fails_and_gives_way)
{
	which = _i;
	ck_assert_int_eq(rt_run(&rt_native, NULL, cancel_before_first_run, NULL, NULL), 0);
}
END_TEST

/* ---- Before, after, oneself ---- */

static int note_run(void *arg)
{
	*(bool *)arg = true;
	return rt_task_cancelled(rt_task_current()) ? 5 : 6;
}

IN_TASK(a_task_cancelled_before_it_ran_still_runs)
{
	bool ran = false;
	struct rt_task *task = spawn_task(note_run, &ran);

	rt_cancel(task);
	ck_assert_int_eq(join_task(task), 5);
	ck_assert(ran);
}

IN_TASK(cancelling_a_finished_task_does_nothing)
{
	bool ran = false;
	struct rt_task *task = spawn_task(note_run, &ran);

	rt_yield();
	ck_assert(ran);
	rt_cancel(task);
	ck_assert(!rt_task_cancelled(task));
	ck_assert_int_eq(join_task(task), 6);
}

static int cancel_self(void *arg)
{
	(void)arg;
	rt_cancel(rt_task_current());
	return rt_sleep(RT_S(1000));
}

IN_TASK(a_task_cancels_itself)
{
	ck_assert_int_eq(join_task(spawn_task(cancel_self, NULL)), -ECANCELED);
}

static int join_arg(void *arg)
{
	return rt_join(arg, NULL, RT_FOREVER);
}

IN_TASK(a_cancelled_join_keeps_the_handle)
{
	struct rt_task *target = spawn_task(sleeps, NULL);
	struct rt_task *joiner = spawn_task(join_arg, target);

	rt_yield();
	rt_cancel(joiner);
	ck_assert_int_eq(join_task(joiner), -ECANCELED);
	ck_assert(!rt_task_cancelled(target));
	rt_cancel(target);
	ck_assert_int_eq(join_task(target), -ECANCELED);
}

/* ---- What has happened beats cancellation and deadline ---- */

static int at_once(void *arg)
{
	return *(int *)arg;
}

static int join_twice(void *arg)
{
	int result = 0;

	ck_assert_int_eq(rt_join(arg, &result, RT_FOREVER), 0);
	ck_assert(rt_task_cancelled(rt_task_current()));
	return result;
}

IN_TASK(a_result_beats_cancellation)
{
	int value = 31;
	struct rt_task *target = spawn_task(at_once, &value);
	struct rt_task *joiner = spawn_task(join_twice, target);

	/* Runs target, then joiner finds it finished; or target wakes joiner, and then comes the
	 * cancellation. */
	rt_cancel(joiner);
	ck_assert_int_eq(join_task(joiner), 31);
}

static struct rt_task *victim;

static int end_and_cancel(void *arg)
{
	(void)arg;
	rt_yield();
	rt_cancel(victim);
	return 32;
}

IN_TASK(a_wake_up_under_way_is_not_lost)
{
	struct rt_task *target = spawn_task(end_and_cancel, NULL);

	/* Cancelled in the same turn in which the target ends. */
	victim = spawn_task(join_twice, target);
	ck_assert_int_eq(join_task(victim), 32);
}

IN_TASK(data_that_arrived_beats_cancellation)
{
	struct rt_task *task;

	open_sources();

	ck_assert_int_eq(rt_tcp_write(sources.ends[1], "four", 4, NULL, RT_FOREVER), 4);
	task = spawn_task(reads, NULL);
	rt_cancel(task);
	ck_assert_int_eq(join_task(task), 4);
	close_sources();
}

IN_TASK(data_that_arrived_beats_a_passed_deadline)
{
	char buf[8];

	open_sources();

	ck_assert_int_eq(rt_tcp_write(sources.ends[1], "four", 4, NULL, RT_NOW), 4);
	ck_assert_int_eq(rt_tcp_read(sources.ends[0], buf, sizeof buf, RT_NOW), 4);
	ck_assert_int_eq(rt_tcp_read(sources.ends[0], buf, sizeof buf, RT_NOW), -ETIMEDOUT);
	close_sources();
}

/* Both are due in the same turn: the counter is readable and the deadline has passed. */
static int wait_past_deadline(void *arg)
{
	int fd = *(int *)arg;

	return rt_wait_fd(fd, RT_READ, rt_in(RT_MS(1)));
}

IN_TASK(readiness_beats_a_deadline_of_the_same_turn)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct rt_task *task = spawn_task(wait_past_deadline, &fd);
	uint64_t one = 1;

	rt_yield();
	ck_assert_int_eq(write(fd, &one, sizeof one), sizeof one);
	for (rt_time until = rt_in(RT_MS(3)); rt_now() < until;)
		;
	ck_assert_int_eq(join_task(task), 0);
	close(fd);
}

int main(void)
{
	Suite *suite = suite_create("cancel");
	TCase *tcase = tcase_create("cancel");

	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, every_wait_is_cancelled, 0, WAITS);
	tcase_add_loop_test(tcase, every_wait_of_a_cancelled_task_fails_and_gives_way, 0, WAITS);
	tcase_add_test(tcase, a_task_cancelled_before_it_ran_still_runs);
	tcase_add_test(tcase, cancelling_a_finished_task_does_nothing);
	tcase_add_test(tcase, a_task_cancels_itself);
	tcase_add_test(tcase, a_cancelled_join_keeps_the_handle);
	tcase_add_test(tcase, a_result_beats_cancellation);
	tcase_add_test(tcase, a_wake_up_under_way_is_not_lost);
	tcase_add_test(tcase, data_that_arrived_beats_cancellation);
	tcase_add_test(tcase, data_that_arrived_beats_a_passed_deadline);
	tcase_add_test(tcase, readiness_beats_a_deadline_of_the_same_turn);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
