/* SPDX-License-Identifier: MIT */
/* Events: set, clear, and those that wait. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/suite.h"
#include "support/waiters.h"
#include "sync/event.h"

static struct rt_event *create(void)
{
	struct rt_event *event;

	ck_assert_int_eq(rt_event_create(&event), 0);
	ck_assert(!rt_event_is_set(event));
	return event;
}

static int wait_event(void *source, rt_time deadline)
{
	return rt_event_wait(source, deadline);
}

static void set(void *event)
{
	ck_assert_int_eq(rt_event_set(event), 0);
}

static void start_three(struct waiting waiting[3], struct rt_event *event)
{
	for (int i = 0; i < 3; i++)
		start_wait(&waiting[i], wait_event, event, RT_FOREVER);
	await_queue(&event->waiters, 3);
}

IN_TASK(setting_wakes_all_even_if_cleared_at_once)
{
	struct rt_event *event = create();
	struct waiting waiting[3];

	start_three(waiting, event);
	set(event);
	ck_assert_int_eq(rt_event_clear(event), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(join_task(waiting[i].task), 0);
		ck_assert_int_eq(waiting[i].ended, i + 1);
	}
	rt_event_destroy(event);
}

IN_TASK(it_stays_set_until_it_is_cleared)
{
	struct rt_event *event = create();

	ck_assert_int_eq(rt_event_wait(event, RT_NOW), -ETIMEDOUT);
	set(event);
	set(event);
	ck_assert(rt_event_is_set(event));
	ck_assert_int_eq(rt_event_wait(event, RT_NOW), 0);
	ck_assert_int_eq(rt_event_wait(event, RT_FOREVER), 0);
	ck_assert_int_eq(rt_event_clear(event), 0);
	ck_assert(!rt_event_is_set(event));
	ck_assert_int_eq(rt_event_wait(event, RT_NOW), -ETIMEDOUT);
	rt_event_destroy(event);
}

static int leave(void *arg)
{
	struct rt_event *event = create();

	check_leaving(*(int *)arg, wait_event, event, &event->waiters, set);
	rt_event_destroy(event);
	return 0;
}

START_TEST(a_waiter_leaves)
{
	ck_assert_int_eq(rt_run(&rt_native, NULL, leave, &_i, NULL), 0);
}
END_TEST

static void pulse(void *event)
{
	set(event);
	ck_assert_int_eq(rt_event_clear(event), 0);
}

IN_TASK(a_wake_up_beats_leaving)
{
	struct rt_event *event = create();

	check_served_beats_leaving(wait_event, event, &event->waiters, pulse);
	rt_event_destroy(event);
}

static void destroy(void *source)
{
	rt_event_destroy(source);
}

IN_TASK(destroying_wakes_those_that_wait)
{
	struct rt_event *event = create();

	check_destroying(wait_event, event, &event->waiters, destroy);
}

static int wait_for_what_is_set(void *event)
{
	return rt_event_wait(event, RT_FOREVER);
}

IN_TASK(whoever_need_not_wait_gives_way)
{
	struct rt_event *event = create();

	set(event);
	check_giving_way(wait_for_what_is_set, event);
	rt_event_destroy(event);
}

START_TEST(outside_of_a_task)
{
	struct rt_event *event = create();

	set(event);
	ck_assert(rt_event_is_set(event));
	ck_assert_int_eq(rt_event_wait(event, RT_NOW), -EPERM);
	rt_event_destroy(event);
	ck_assert_int_eq(rt_event_create(NULL), -EINVAL);
	ck_assert_int_eq(rt_event_set(NULL), -EINVAL);
	ck_assert_int_eq(rt_event_clear(NULL), -EINVAL);
	ck_assert_int_eq(rt_event_wait(NULL, RT_NOW), -EINVAL);
	ck_assert(!rt_event_is_set(NULL));
	rt_event_destroy(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("event");
	TCase *tcase = tcase_create("event");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, setting_wakes_all_even_if_cleared_at_once);
	tcase_add_test(tcase, it_stays_set_until_it_is_cleared);
	tcase_add_loop_test(tcase, a_waiter_leaves, 0, WAYS_TO_LEAVE);
	tcase_add_test(tcase, a_wake_up_beats_leaving);
	tcase_add_test(tcase, destroying_wakes_those_that_wait);
	tcase_add_test(tcase, whoever_need_not_wait_gives_way);
	tcase_add_test(tcase, outside_of_a_task);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
