/* SPDX-License-Identifier: MIT */
/* Wait groups: counting, and those that wait until all is done. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/suite.h"
#include "support/waiters.h"
#include "sync/wait_group.h"

#include <limits.h>

static struct rt_wait_group *create(int count)
{
	struct rt_wait_group *group;

	ck_assert_int_eq(rt_wait_group_create(&group), 0);
	ck_assert_int_eq(rt_wait_group_add(group, count), 0);
	return group;
}

static int wait_group(void *source, rt_time deadline)
{
	return rt_wait_group_wait(source, deadline);
}

static int left;

static int finish_later(void *arg)
{
	for (int i = left % 5; i > 0; i--)
		rt_yield();
	left--;
	return rt_wait_group_done(arg);
}

IN_TASK(all_that_wait_are_woken_when_all_is_done)
{
	struct rt_wait_group *group = create(100);
	struct waiting waiting[3];

	left = 100;
	for (int i = 0; i < 3; i++)
		start_wait(&waiting[i], wait_group, group, RT_FOREVER);
	for (int i = 0; i < 100; i++)
		rt_detach(spawn_task(finish_later, group));
	ck_assert_int_eq(rt_wait_group_wait(group, RT_FOREVER), 0);
	ck_assert_int_eq(left, 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(join_task(waiting[i].task), 0);
	rt_wait_group_destroy(group);
}

IN_TASK(it_can_be_used_again)
{
	struct rt_wait_group *group = create(0);

	ck_assert_int_eq(rt_wait_group_wait(group, RT_NOW), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(rt_wait_group_add(group, 2), 0);
		ck_assert_int_eq(rt_wait_group_done(group), 0);
		ck_assert_int_eq(rt_wait_group_wait(group, RT_NOW), -ETIMEDOUT);
		ck_assert_int_eq(rt_wait_group_add(group, -1), 0);
		ck_assert_int_eq(rt_wait_group_wait(group, RT_FOREVER), 0);
	}
	rt_wait_group_destroy(group);
}

IN_TASK(counts_that_cannot_be_change_nothing)
{
	struct rt_wait_group *group = create(2);

	ck_assert_int_eq(rt_wait_group_add(group, -3), -EINVAL);
	ck_assert_int_eq(group->count, 2);
	ck_assert_int_eq(rt_wait_group_add(group, INT_MIN), -EINVAL);
	ck_assert_int_eq(rt_wait_group_add(group, INT_MAX), -EOVERFLOW);
	ck_assert_int_eq(group->count, 2);
	ck_assert_int_eq(rt_wait_group_add(group, INT_MAX - 2), 0);
	ck_assert_int_eq(rt_wait_group_add(group, 1), -EOVERFLOW);
	ck_assert_int_eq(rt_wait_group_add(group, -INT_MAX), 0);
	ck_assert_int_eq(rt_wait_group_done(group), -EINVAL);
	ck_assert_int_eq(rt_wait_group_wait(group, RT_NOW), 0);
	rt_wait_group_destroy(group);
}

static void finish_all(void *source)
{
	struct rt_wait_group *group = source;

	ck_assert_int_eq(rt_wait_group_add(group, -group->count), 0);
}

static int leave(void *arg)
{
	struct rt_wait_group *group = create(3);

	check_leaving(*(int *)arg, wait_group, group, &group->waiters, finish_all);
	rt_wait_group_destroy(group);
	return 0;
}

START_TEST(a_waiter_leaves)
{
	ck_assert_int_eq(rt_run(&rt_native, NULL, leave, &_i, NULL), 0);
}
END_TEST

static void finish_and_begin(void *source)
{
	finish_all(source);
	ck_assert_int_eq(rt_wait_group_add(source, 1), 0);
}

IN_TASK(a_wake_up_beats_leaving)
{
	struct rt_wait_group *group = create(1);

	check_served_beats_leaving(wait_group, group, &group->waiters, finish_and_begin);
	rt_wait_group_destroy(group);
}

static void destroy(void *source)
{
	rt_wait_group_destroy(source);
}

IN_TASK(destroying_wakes_those_that_wait)
{
	struct rt_wait_group *group = create(1);

	check_destroying(wait_group, group, &group->waiters, destroy);
}

static int wait_for_nothing(void *group)
{
	return rt_wait_group_wait(group, RT_FOREVER);
}

IN_TASK(whoever_need_not_wait_gives_way)
{
	struct rt_wait_group *group = create(0);

	check_giving_way(wait_for_nothing, group);
	rt_wait_group_destroy(group);
}

START_TEST(outside_of_a_task)
{
	struct rt_wait_group *group = create(1);

	ck_assert_int_eq(rt_wait_group_wait(group, RT_NOW), -EPERM);
	ck_assert_int_eq(rt_wait_group_done(group), 0);
	rt_wait_group_destroy(group);
	ck_assert_int_eq(rt_wait_group_create(NULL), -EINVAL);
	ck_assert_int_eq(rt_wait_group_add(NULL, 1), -EINVAL);
	ck_assert_int_eq(rt_wait_group_done(NULL), -EINVAL);
	ck_assert_int_eq(rt_wait_group_wait(NULL, RT_NOW), -EINVAL);
	rt_wait_group_destroy(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wait_group");
	TCase *tcase = tcase_create("wait_group");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, all_that_wait_are_woken_when_all_is_done);
	tcase_add_test(tcase, it_can_be_used_again);
	tcase_add_test(tcase, counts_that_cannot_be_change_nothing);
	tcase_add_loop_test(tcase, a_waiter_leaves, 0, WAYS_TO_LEAVE);
	tcase_add_test(tcase, a_wake_up_beats_leaving);
	tcase_add_test(tcase, destroying_wakes_those_that_wait);
	tcase_add_test(tcase, whoever_need_not_wait_gives_way);
	tcase_add_test(tcase, outside_of_a_task);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
