/* SPDX-License-Identifier: MIT */
/* Sleeping, intervals, deadlines. Timeouts are in timeout_test.c. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/suite.h"

#include <errno.h>

static void busy_until(rt_time time)
{
	while (rt_now() < time)
		;
}

/* ---- Deadlines ---- */

START_TEST(deadlines_saturate)
{
	rt_time before = rt_now();
	rt_time soon = rt_in(RT_S(1));

	ck_assert_int_ge(soon, before + RT_S(1));
	ck_assert_int_le(soon, rt_now() + RT_S(1));
	ck_assert_int_eq(rt_in(RT_FOREVER), RT_FOREVER);
	ck_assert_int_eq(rt_in(RT_FOREVER - 1), RT_FOREVER);
	ck_assert_int_lt(rt_in(RT_S(1000000000)), RT_FOREVER);
	ck_assert_int_le(rt_in(0), rt_now());
	ck_assert_int_le(rt_in(-1), rt_now());
	ck_assert_int_le(rt_in(INT64_MIN), rt_now());
	ck_assert_int_eq(RT_S(1), RT_MS(1000));
	ck_assert_int_eq(RT_MS(1), RT_US(1000));
	ck_assert_int_eq(RT_US(1), RT_NS(1000));
}
END_TEST

START_TEST(time_goes_on)
{
	rt_time last = rt_now();

	ck_assert_int_gt(last, RT_NOW);
	for (int i = 0; i < 10000; i++) {
		rt_time now = rt_now();

		if (now < last)
			ck_abort_msg("back in time");
		last = now;
	}
}
END_TEST

/* ---- Sleeping ---- */

IN_TASK(sleep_is_never_too_short)
{
	for (rt_time duration = 1; duration < RT_MS(20); duration *= 3) {
		rt_time deadline = rt_in(duration);

		ck_assert_int_eq(rt_sleep(duration), 0);
		ck_assert_int_ge(rt_now(), deadline);
		deadline = rt_in(duration);
		ck_assert_int_eq(rt_sleep_until(deadline), 0);
		ck_assert_int_ge(rt_now(), deadline);
	}
}

static int runs;

static int count_runs(void *arg)
{
	(void)arg;
	for (;;) {
		runs++;
		if (rt_yield() < 0)
			return 0;
	}
}

IN_TASK(a_time_that_has_passed_lets_the_others_run)
{
	rt_detach(rt_spawn(count_runs, NULL));
	static const rt_time durations[] = {0, -1, INT64_MIN};

	for (int i = 0; i < 3; i++) {
		int before = runs;

		ck_assert_int_eq(rt_sleep(durations[i]), 0);
		ck_assert_int_gt(runs, before);
		before = runs;
		ck_assert_int_eq(rt_sleep_until(durations[i]), 0);
		ck_assert_int_gt(runs, before);
		before = runs;
		ck_assert_int_eq(rt_sleep_until(rt_now() - 1), 0);
		ck_assert_int_gt(runs, before);
	}
}

enum { SLEEPERS = 500 };
static rt_time woken_at[SLEEPERS], last_deadline;
static int asleep;
static bool in_time; /* all of them, before the first deadline: only then there is an order */

static int sleep_ordered(void *arg)
{
	rt_time deadline = *(rt_time *)arg;

	asleep++;
	ck_assert_int_eq(rt_sleep_until(deadline), 0);
	if (rt_now() < deadline || (in_time && deadline < last_deadline))
		ck_abort_msg("woken too early or out of order");
	last_deadline = deadline;
	return 0;
}

static void sleep_from(rt_time start)
{
	struct rt_task *tasks[SLEEPERS];

	asleep = 0;
	in_time = false;
	last_deadline = 0;
	for (int i = 0; i < SLEEPERS; i++) {
		woken_at[i] = start + RT_US(i * 7919 % SLEEPERS * 20);
		tasks[i] = rt_spawn(sleep_ordered, &woken_at[i]);
	}
	while (asleep < SLEEPERS)
		ck_assert_int_eq(rt_yield(), 0);
	in_time = rt_now() < start;
	for (int i = 0; i < SLEEPERS; i++)
		ck_assert_int_eq(rt_join(tasks[i], NULL, RT_FOREVER), 0);
}

IN_TASK(sleepers_wake_in_the_order_of_their_deadlines)
{
	for (rt_time duration = RT_MS(50); !in_time; duration *= 2) {
		ck_assert_int_lt(duration, RT_S(10));
		sleep_from(rt_in(duration));
	}
}

static int sleep_and_note(void *arg)
{
	int err = rt_sleep(RT_FOREVER);

	*(bool *)arg = true;
	return err;
}

IN_TASK(for_ever_is_for_ever)
{
	bool ended = false;
	struct rt_task *task = rt_spawn(sleep_and_note, &ended);

	ck_assert_int_eq(rt_sleep(RT_MS(2)), 0);
	ck_assert(!ended);
	rt_cancel(task);
	ck_assert_int_eq(rt_join(task, NULL, RT_FOREVER), 0);
	ck_assert(ended);
}

static int stay_busy(void *arg)
{
	(void)arg;
	while (rt_yield() == 0)
		;
	return 0;
}

IN_TASK(busy_tasks_do_not_starve_timers)
{
	for (int i = 0; i < 200; i++)
		rt_detach(rt_spawn(stay_busy, NULL));
	ck_assert_int_eq(rt_sleep(RT_MS(2)), 0);
}

/* ---- Intervals ---- */

START_TEST(intervals_check_their_period)
{
	struct rt_interval interval = {0};

	ck_assert_int_eq(rt_interval_init(&interval, 0), -EINVAL);
	ck_assert_int_eq(rt_interval_init(&interval, -1), -EINVAL);
	ck_assert_int_eq(rt_interval_init(&interval, INT64_MIN), -EINVAL);
	ck_assert_int_eq(rt_interval_init(&interval, 1), 0);
	ck_assert_int_eq(rt_interval_init(&interval, RT_FOREVER), 0);
	ck_assert_int_eq(interval.next, RT_FOREVER);
	ck_assert_int_eq(rt_interval_wait(&interval), -EPERM);
}
END_TEST

IN_TASK(ticks_do_not_drift)
{
	struct rt_interval interval;
	rt_time period = RT_MS(1), before = rt_now();

	ck_assert_int_eq(rt_interval_init(&interval, period), 0);
	rt_time start = interval.next - period;

	ck_assert_int_ge(start, before);
	for (int i = 0; i < 20; i++) {
		rt_time due = interval.next;

		ck_assert_int_eq((due - start) % period, 0);
		ck_assert_int_eq(rt_interval_wait(&interval), 0);
		ck_assert_int_ge(rt_now(), due);
		busy_until(rt_now() + period / 3);
	}
}

IN_TASK(missed_ticks_are_skipped)
{
	struct rt_interval interval;
	rt_time period = RT_MS(2);

	ck_assert_int_eq(rt_interval_init(&interval, period), 0);
	rt_time start = interval.next - period;

	busy_until(start + 3 * period + period / 2);
	rt_time before = rt_now();

	ck_assert_int_eq(rt_interval_wait(&interval), 0); /* late: the first of those that were due */
	ck_assert_int_gt(interval.next, before);
	ck_assert_int_ge(interval.next, start + 4 * period);
	ck_assert_int_eq((interval.next - start) % period, 0);
	rt_time due = interval.next;

	ck_assert_int_eq(rt_interval_wait(&interval), 0);
	ck_assert_int_ge(rt_now(), due);
}

IN_TASK(a_late_tick_lets_the_others_run)
{
	struct rt_interval interval;

	rt_detach(rt_spawn(count_runs, NULL));
	ck_assert_int_eq(rt_interval_init(&interval, 1), 0);
	for (int i = 0; i < 10; i++) {
		int before = runs;

		ck_assert_int_eq(rt_interval_wait(&interval), 0);
		ck_assert_int_gt(runs, before);
	}
}

IN_TASK(an_interval_ends_at_the_end_of_time)
{
	struct rt_interval interval = {.period = RT_FOREVER - 1, .next = 1};

	ck_assert_int_eq(rt_interval_wait(&interval), 0);
	ck_assert_int_eq(interval.next, RT_FOREVER);
}

static struct rt_interval shared;

static int wait_tick(void *arg)
{
	(void)arg;
	return rt_interval_wait(&shared);
}

IN_TASK(a_cancelled_tick_is_left_to_the_next_call)
{
	int result = 0;

	ck_assert_int_eq(rt_interval_init(&shared, RT_MS(3)), 0);
	rt_time due = shared.next;
	struct rt_task *task = rt_spawn(wait_tick, NULL);

	rt_yield();
	rt_cancel(task);
	ck_assert_int_eq(rt_join(task, &result, RT_FOREVER), 0);
	ck_assert_int_eq(result, -ECANCELED);
	ck_assert_int_eq(shared.next, due);
	ck_assert_int_eq(rt_interval_wait(&shared), 0);
	ck_assert_int_ge(rt_now(), due);
}

int main(void)
{
	Suite *suite = suite_create("time");
	TCase *tcase = tcase_create("time");

	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, deadlines_saturate);
	tcase_add_test(tcase, time_goes_on);
	tcase_add_test(tcase, sleep_is_never_too_short);
	tcase_add_test(tcase, a_time_that_has_passed_lets_the_others_run);
	tcase_add_test(tcase, sleepers_wake_in_the_order_of_their_deadlines);
	tcase_add_test(tcase, for_ever_is_for_ever);
	tcase_add_test(tcase, busy_tasks_do_not_starve_timers);
	tcase_add_test(tcase, intervals_check_their_period);
	tcase_add_test(tcase, ticks_do_not_drift);
	tcase_add_test(tcase, missed_ticks_are_skipped);
	tcase_add_test(tcase, a_late_tick_lets_the_others_run);
	tcase_add_test(tcase, an_interval_ends_at_the_end_of_time);
	tcase_add_test(tcase, a_cancelled_tick_is_left_to_the_next_call);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
