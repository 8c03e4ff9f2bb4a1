/* SPDX-License-Identifier: MIT */
/* rt_timeout: a deadline over everything that a task awaits, and how they nest. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/suite.h"

#include <errno.h>

static rt_time never(void)
{
	return rt_in(RT_S(1000));
}

IN_TASK(a_timeout_that_is_not_reached_changes_nothing)
{
	struct rt_timeout timeout;

	rt_timeout_enter(&timeout, never());
	ck_assert_int_eq(rt_sleep(RT_US(10)), 0);
	ck_assert_int_eq(rt_yield(), 0);
	ck_assert_int_eq(rt_timeout_leave(&timeout), 0);
	rt_timeout_enter(&timeout, RT_FOREVER);
	ck_assert_int_eq(rt_sleep(RT_US(10)), 0);
	ck_assert_int_eq(rt_timeout_leave(&timeout), 0);
	rt_timeout_enter(&timeout, RT_NOW);
	ck_assert_int_eq(rt_timeout_leave(&timeout), 0);
}

IN_TASK(a_timeout_ends_the_wait_and_every_further_one)
{
	struct rt_timeout timeout;
	rt_time deadline = rt_in(RT_MS(2));

	rt_timeout_enter(&timeout, deadline);
	ck_assert_int_eq(rt_sleep(RT_S(1000)), -ECANCELED);
	ck_assert_int_ge(rt_now(), deadline);
	ck_assert_int_eq(rt_sleep(RT_US(1)), -ECANCELED);
	ck_assert_int_eq(rt_sleep_until(RT_FOREVER), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&timeout), -ETIMEDOUT);
	ck_assert_int_eq(rt_sleep(RT_US(1)), 0);
	ck_assert(!rt_task_cancelled(rt_task_current()));
}

IN_TASK(yielding_is_a_wait_too)
{
	struct rt_timeout timeout;
	int err = 0;

	rt_timeout_enter(&timeout, rt_in(RT_MS(2)));
	for (rt_time end = rt_in(RT_S(5)); err == 0 && rt_now() < end;)
		err = rt_yield();
	ck_assert_int_eq(err, -ECANCELED);
	ck_assert_int_eq(rt_sleep(0), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&timeout), -ETIMEDOUT);
	ck_assert_int_eq(rt_yield(), 0);
}

static int turns;

static int count_turns(void *arg)
{
	(void)arg;
	do
		turns++;
	while (rt_yield() == 0);
	return 0;
}

IN_TASK(a_wait_in_an_expired_timeout_gives_way)
{
	struct rt_timeout timeout;

	rt_detach(rt_spawn(count_turns, NULL));
	rt_timeout_enter(&timeout, RT_NOW);
	for (int i = 0; i < 10; i++) {
		int before = turns;

		ck_assert_int_eq(rt_sleep(RT_S(1)), -ECANCELED);
		ck_assert_int_gt(turns, before);
	}
	ck_assert_int_eq(rt_timeout_leave(&timeout), -ETIMEDOUT);
}

IN_TASK(the_nearer_deadline_wins)
{
	struct rt_timeout timeout;
	struct rt_task *task = rt_spawn(count_turns, NULL);

	/* The call's own. */
	rt_timeout_enter(&timeout, never());
	ck_assert_int_eq(rt_join(task, NULL, rt_in(RT_MS(1))), -ETIMEDOUT);
	ck_assert_int_eq(rt_timeout_leave(&timeout), 0);
	/* The timeout's. */
	rt_timeout_enter(&timeout, rt_in(RT_MS(1)));
	ck_assert_int_eq(rt_join(task, NULL, never()), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&timeout), -ETIMEDOUT);
	rt_cancel(task);
	ck_assert_int_eq(rt_join(task, NULL, RT_FOREVER), 0);
}

/* ---- Nesting ---- */

IN_TASK(the_inner_one_is_shorter)
{
	struct rt_timeout outer, inner;

	rt_timeout_enter(&outer, never());
	rt_timeout_enter(&inner, rt_in(RT_MS(1)));
	ck_assert_int_eq(rt_sleep_until(RT_FOREVER), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&inner), -ETIMEDOUT);
	ck_assert_int_eq(rt_sleep(RT_US(1)), 0);
	ck_assert_int_eq(rt_timeout_leave(&outer), 0);
}

IN_TASK(the_outer_one_is_shorter)
{
	struct rt_timeout outer, inner;

	rt_timeout_enter(&outer, rt_in(RT_MS(1)));
	rt_timeout_enter(&inner, never());
	ck_assert_int_eq(rt_sleep_until(RT_FOREVER), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&inner), 0);
	ck_assert_int_eq(rt_sleep(RT_US(1)), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&outer), -ETIMEDOUT);
}

IN_TASK(equal_ones_are_the_inner_ones)
{
	struct rt_timeout outer, inner;
	rt_time deadline = rt_in(RT_MS(1));

	rt_timeout_enter(&outer, deadline);
	rt_timeout_enter(&inner, deadline);
	ck_assert_int_eq(rt_sleep_until(RT_FOREVER), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&inner), -ETIMEDOUT);
	ck_assert_int_eq(rt_sleep(RT_S(1)), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&outer), -ETIMEDOUT);
}

IN_TASK(both_expire_one_after_the_other)
{
	struct rt_timeout outer, inner;

	rt_timeout_enter(&outer, rt_in(RT_MS(3)));
	rt_timeout_enter(&inner, rt_in(RT_MS(1)));
	ck_assert_int_eq(rt_sleep_until(RT_FOREVER), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&inner), -ETIMEDOUT);
	ck_assert_int_eq(rt_sleep_until(RT_FOREVER), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&outer), -ETIMEDOUT);
	ck_assert_int_eq(rt_yield(), 0);
}

/* Cleanup under a timeout of its own, in an outer one that has expired. */
IN_TASK(an_inner_one_does_not_take_the_expiry_of_the_outer_one)
{
	struct rt_timeout outer, inner;

	rt_timeout_enter(&outer, rt_in(RT_MS(1)));
	ck_assert_int_eq(rt_sleep_until(RT_FOREVER), -ECANCELED);
	rt_timeout_enter(&inner, RT_NOW);
	ck_assert_int_eq(rt_timeout_leave(&inner), 0);
	rt_timeout_enter(&inner, never());
	ck_assert_int_eq(rt_sleep(RT_US(1)), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&inner), 0);
	ck_assert_int_eq(rt_timeout_leave(&outer), -ETIMEDOUT);
}

/* ---- With cancellation ---- */

static int wait_in_timeout(void *arg)
{
	struct rt_timeout timeout;

	rt_timeout_enter(&timeout, never());
	int err = rt_sleep_until(RT_FOREVER), left = rt_timeout_leave(&timeout);

	*(int *)arg = left;
	return err;
}

IN_TASK(cancellation_is_no_timeout)
{
	int left = 1, result = 0;
	struct rt_task *task = rt_spawn(wait_in_timeout, &left);

	rt_yield();
	rt_cancel(task);
	ck_assert_int_eq(rt_join(task, &result, RT_FOREVER), 0);
	ck_assert_int_eq(result, -ECANCELED);
	ck_assert_int_eq(left, 0);
}

static int own_deadline(void *arg)
{
	(void)arg;
	return rt_sleep(RT_MS(2));
}

IN_TASK(a_timeout_is_of_its_task_only)
{
	struct rt_timeout timeout;
	int result = -1;

	rt_timeout_enter(&timeout, rt_in(RT_MS(1)));
	struct rt_task *task = rt_spawn(own_deadline, NULL);

	ck_assert_int_eq(rt_sleep_until(RT_FOREVER), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&timeout), -ETIMEDOUT);
	ck_assert_int_eq(rt_join(task, &result, RT_FOREVER), 0);
	ck_assert_int_eq(result, 0);
}

START_TEST(outside_of_a_task)
{
	struct rt_timeout timeout;

	rt_timeout_enter(&timeout, RT_NOW);
	ck_assert_int_eq(rt_timeout_leave(&timeout), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("timeout");
	TCase *tcase = tcase_create("timeout");

	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, a_timeout_that_is_not_reached_changes_nothing);
	tcase_add_test(tcase, a_timeout_ends_the_wait_and_every_further_one);
	tcase_add_test(tcase, yielding_is_a_wait_too);
	tcase_add_test(tcase, a_wait_in_an_expired_timeout_gives_way);
	tcase_add_test(tcase, the_nearer_deadline_wins);
	tcase_add_test(tcase, the_inner_one_is_shorter);
	tcase_add_test(tcase, the_outer_one_is_shorter);
	tcase_add_test(tcase, equal_ones_are_the_inner_ones);
	tcase_add_test(tcase, both_expire_one_after_the_other);
	tcase_add_test(tcase, an_inner_one_does_not_take_the_expiry_of_the_outer_one);
	tcase_add_test(tcase, cancellation_is_no_timeout);
	tcase_add_test(tcase, a_timeout_is_of_its_task_only);
	tcase_add_test(tcase, outside_of_a_task);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
