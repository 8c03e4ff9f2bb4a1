/* SPDX-License-Identifier: MIT */
/* Shields: what they keep away, what they do not, and what is left of it afterwards. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/child.h"
#include "support/in_task.h"
#include "support/pair.h"
#include "support/suite.h"

#include <errno.h>

static rt_time never(void)
{
	return rt_in(RT_S(1000));
}

static int three_turns(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++)
		rt_yield();
	return 3;
}

/* ---- Cancellation ---- */

static int clean_up_after_cancellation(void *arg)
{
	struct rt_shield shield;
	int result = 0;

	(void)arg;
	ck_assert_int_eq(rt_sleep(RT_FOREVER), -ECANCELED);
	rt_shield_enter(&shield);
	ck_assert(rt_task_cancelled(rt_task_current()));
	ck_assert_int_eq(rt_yield(), 0);
	ck_assert_int_eq(rt_sleep(RT_US(1)), 0);
	ck_assert_int_eq(rt_join(spawn_task(three_turns, NULL), &result, RT_FOREVER), 0);
	ck_assert_int_eq(rt_join(rt_task_current(), NULL, RT_FOREVER), -EDEADLK);
	rt_shield_leave(&shield);
	ck_assert_int_eq(rt_sleep(RT_FOREVER), -ECANCELED);
	return result;
}

IN_TASK(a_cancelled_task_waits_behind_a_shield)
{
	struct rt_task *task = spawn_task(clean_up_after_cancellation, NULL);

	rt_yield();
	rt_cancel(task);
	ck_assert_int_eq(join_task(task), 3);
}

static int wait_shielded(void *arg)
{
	struct rt_shield shield;

	rt_shield_enter(&shield);
	int err = rt_join(arg, NULL, RT_FOREVER);

	rt_shield_leave(&shield);
	ck_assert_int_eq(rt_yield(), -ECANCELED);
	return err;
}

IN_TASK(a_cancellation_waits_for_the_end_of_the_shield)
{
	struct rt_task *task = spawn_task(wait_shielded, spawn_task(three_turns, NULL));

	rt_yield();
	rt_cancel(task);
	ck_assert(rt_task_cancelled(task));
	ck_assert_int_eq(join_task(task), 0);
}

static int wait_in_two_shields(void *arg)
{
	struct rt_shield outer, inner;

	(void)arg;
	rt_shield_enter(&outer);
	rt_shield_enter(&inner);
	rt_shield_leave(&inner);
	ck_assert_int_eq(rt_yield(), 0);
	rt_shield_enter(&inner);
	/* Left with the outer one. */
	rt_shield_leave(&outer);
	ck_assert_int_eq(rt_yield(), -ECANCELED);
	rt_shield_leave(&inner);
	return rt_yield();
}

IN_TASK(shields_nest)
{
	struct rt_task *task = spawn_task(wait_in_two_shields, NULL);

	rt_cancel(task);
	ck_assert_int_eq(join_task(task), -ECANCELED);
}

/* ---- Deadlines ---- */

IN_TASK(a_deadline_from_outside_waits_for_the_end_of_the_shield)
{
	struct rt_timeout timeout;
	struct rt_shield shield;

	rt_timeout_enter(&timeout, rt_in(RT_MS(1)));
	rt_shield_enter(&shield);
	ck_assert_int_eq(rt_sleep(RT_MS(2)), 0);
	ck_assert_int_eq(rt_yield(), 0);
	rt_shield_leave(&shield);
	ck_assert_int_eq(rt_sleep(RT_S(1000)), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&timeout), -ETIMEDOUT);
	ck_assert_int_eq(rt_yield(), 0);
}

IN_TASK(cleanup_in_an_expired_timeout)
{
	struct rt_timeout timeout;
	struct rt_shield shield;

	rt_timeout_enter(&timeout, RT_NOW);
	ck_assert_int_eq(rt_sleep(RT_FOREVER), -ECANCELED);
	rt_shield_enter(&shield);
	ck_assert_int_eq(rt_sleep(RT_US(1)), 0);
	rt_shield_leave(&shield);
	ck_assert_int_eq(rt_sleep(RT_FOREVER), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&timeout), -ETIMEDOUT);
}

IN_TASK(deadlines_inside_of_a_shield_count)
{
	struct rt_timeout outer, inner;
	struct rt_shield shield;

	rt_timeout_enter(&outer, RT_NOW);
	rt_shield_enter(&shield);
	ck_assert_int_eq(rt_join(spawn_task(three_turns, NULL), NULL, RT_NOW), -ETIMEDOUT);
	rt_timeout_enter(&inner, rt_in(RT_MS(1)));
	ck_assert_int_eq(rt_sleep(RT_FOREVER), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&inner), -ETIMEDOUT);
	ck_assert_int_eq(rt_sleep(RT_US(1)), 0);
	rt_shield_leave(&shield);
	/* Nothing was awaited in it. */
	ck_assert_int_eq(rt_timeout_leave(&outer), 0);
}

/* ---- Edges ---- */

IN_TASK(a_shield_left_by_its_outer_timeout)
{
	struct rt_timeout timeout;
	struct rt_shield shield;

	rt_timeout_enter(&timeout, never());
	rt_shield_enter(&shield);
	ck_assert_int_eq(rt_timeout_leave(&timeout), 0);
	rt_cancel(rt_task_current());
	ck_assert_int_eq(rt_yield(), -ECANCELED);
	rt_shield_leave(&shield);
}

START_TEST(outside_of_a_task)
{
	struct rt_shield shield;

	rt_shield_enter(&shield);
	rt_shield_leave(&shield);
	ck_assert_ptr_null(shield.frame.task);
}
END_TEST

static int hide_for_ever(void *arg)
{
	struct rt_shield shield;

	(void)arg;
	rt_shield_enter(&shield);
	return rt_sleep(RT_FOREVER);
}

static int leave_one_behind(void *arg)
{
	(void)arg;
	rt_detach(rt_spawn_with(hide_for_ever, NULL,
				&(struct rt_task_options){.name = "hidden", .site = "x:1"}));
	return rt_yield();
}

static int run_and_leave_one_behind(void)
{
	return rt_run(&rt_native, NULL, leave_one_behind, NULL, NULL);
}

/* It costs the grace. */
START_TEST(the_end_of_the_program_waits_only_so_long)
{
	expect_exit(run_and_leave_one_behind, 0,
		    "1 task ignores its cancellation and is abandoned: hidden (spawned at x:1)\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("shield");
	TCase *tcase = tcase_create("shield");

	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, a_cancelled_task_waits_behind_a_shield);
	tcase_add_test(tcase, a_cancellation_waits_for_the_end_of_the_shield);
	tcase_add_test(tcase, shields_nest);
	tcase_add_test(tcase, a_deadline_from_outside_waits_for_the_end_of_the_shield);
	tcase_add_test(tcase, cleanup_in_an_expired_timeout);
	tcase_add_test(tcase, deadlines_inside_of_a_shield_count);
	tcase_add_test(tcase, a_shield_left_by_its_outer_timeout);
	tcase_add_test(tcase, outside_of_a_task);
	tcase_add_test(tcase, the_end_of_the_program_waits_only_so_long);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
