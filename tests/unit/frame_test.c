/* SPDX-License-Identifier: MIT */
/* Frames: every function that waits under two deadlines, and how frames are left. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "task/frame.h"

#include "support/in_task.h"
#include "support/suite.h"
#include "support/waits.h"

#include <errno.h>

static rt_time never(void)
{
	return rt_in(RT_S(1000));
}

/* ---- Every function that waits ---- */

struct nesting {
	const char *name;
	rt_time outer, inner; /* from now; negative: passed; RT_FOREVER */
	int leave_inner, between, leave_outer;
};

static const struct nesting nestings[] = {
	{"inner shorter", RT_S(1000), RT_MS(1), -ETIMEDOUT, 0, 0},
	{"inner alone", RT_FOREVER, RT_MS(1), -ETIMEDOUT, 0, 0},
	{"outer shorter", RT_MS(1), RT_S(1000), 0, -ECANCELED, -ETIMEDOUT},
	{"outer alone", RT_MS(1), RT_FOREVER, 0, -ECANCELED, -ETIMEDOUT},
	{"equal", RT_MS(1), RT_MS(1), -ETIMEDOUT, -ECANCELED, -ETIMEDOUT},
	{"inner has passed", RT_S(1000), -1, -ETIMEDOUT, 0, 0},
	{"outer has passed", -1, RT_S(1000), 0, -ECANCELED, -ETIMEDOUT},
	{"both have passed", -1, -1, -ETIMEDOUT, -ECANCELED, -ETIMEDOUT},
};
enum { NESTINGS = sizeof nestings / sizeof *nestings };

static rt_time later(rt_time now, rt_time duration)
{
	return duration == RT_FOREVER ? RT_FOREVER : now + duration;
}

static void wait_nested(rt_task_fn *wait, const struct nesting *nesting)
{
	struct rt_timeout outer, inner;
	rt_time now = rt_now();

	rt_timeout_enter(&outer, later(now, nesting->outer));
	rt_timeout_enter(&inner, later(now, nesting->inner));
	ck_assert_int_eq(wait(NULL), -ECANCELED);
	ck_assert_int_eq(wait(NULL), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&inner), nesting->leave_inner);
	ck_assert_int_eq(rt_sleep(RT_US(1)), nesting->between);
	ck_assert_int_eq(rt_timeout_leave(&outer), nesting->leave_outer);
	ck_assert_int_eq(rt_sleep(RT_US(1)), 0);
}

static int which;

static int wait_in_every_nesting(void *arg)
{
	(void)arg;
	open_sources();
	for (int i = 0; i < NESTINGS; i++)
		wait_nested(waits[which], &nestings[i]);
	close_sources();
	return 0;
}

START_TEST(every_wait_under_two_deadlines)
{
	which = _i;
	ck_assert_int_eq(rt_run(&rt_native, NULL, wait_in_every_nesting, NULL, NULL), 0);
}
END_TEST

IN_TASK(what_is_ready_beats_a_deadline_that_has_passed)
{
	struct rt_timeout timeout;
	char buf[8];

	open_sources();
	send_text(sources.ends[1], "four", 4);
	rt_timeout_enter(&timeout, RT_NOW);
	ck_assert_int_eq(rt_tcp_read(sources.ends[0], buf, sizeof buf, RT_FOREVER), 4);
	ck_assert_int_eq(rt_udp_send_to(sources.udp, "x", 1, &sources.full_addr, RT_FOREVER), 1);
	ck_assert_int_eq(rt_timeout_leave(&timeout), 0);
	close_sources();
}

/* ---- Leaving ---- */

IN_TASK(leaving_the_outer_one_leaves_the_inner_ones)
{
	struct rt_timeout outer, middle, inner;

	rt_timeout_enter(&outer, never());
	rt_timeout_enter(&middle, rt_in(RT_MS(1)));
	rt_timeout_enter(&inner, rt_in(RT_MS(1)));
	ck_assert_int_eq(rt_sleep(RT_FOREVER), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&outer), 0);
	ck_assert_int_eq(rt_sleep(RT_MS(2)), 0);
	ck_assert_int_eq(rt_timeout_leave(&inner), 0);
	ck_assert_int_eq(rt_timeout_leave(&middle), 0);
	ck_assert_ptr_null(rt_task_current()->frame);
}

IN_TASK(leaving_twice_does_nothing)
{
	struct rt_timeout outer, inner;

	rt_timeout_enter(&outer, rt_in(RT_MS(1)));
	rt_timeout_enter(&inner, RT_NOW);
	ck_assert_int_eq(rt_sleep(RT_FOREVER), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&inner), -ETIMEDOUT);
	ck_assert_int_eq(rt_timeout_leave(&inner), 0);
	ck_assert_int_eq(rt_sleep(RT_S(1000)), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&outer), -ETIMEDOUT);
}

static int enter_and_end(void *arg)
{
	rt_timeout_enter(arg, RT_NOW);
	return rt_yield();
}

IN_TASK(a_task_that_ends_leaves_its_frames)
{
	struct rt_timeout timeout;

	ck_assert_int_eq(join_task(spawn_task(enter_and_end, &timeout)), -ECANCELED);
	ck_assert_ptr_null(timeout.frame.task);
	ck_assert_int_eq(rt_timeout_leave(&timeout), 0);
}

/* ---- Dropping one from the middle ---- */

IN_TASK(a_dropped_frame_has_no_say_any_more)
{
	struct rt_timeout outer, middle, inner;

	rt_timeout_enter(&outer, never());
	rt_timeout_enter(&middle, RT_NOW);
	rt_timeout_enter(&inner, never());
	frame_drop(&middle.frame);
	ck_assert_int_eq(rt_sleep(RT_US(1)), 0);
	frame_drop(&middle.frame);
	frame_drop(&inner.frame);
	ck_assert_ptr_eq(rt_task_current()->frame, &outer.frame);
	ck_assert_int_eq(rt_timeout_leave(&outer), 0);
}

IN_TASK(an_expired_frame_that_is_dropped_interrupts_no_more)
{
	struct rt_timeout expired, inner;

	rt_timeout_enter(&expired, RT_NOW);
	rt_timeout_enter(&inner, never());
	ck_assert_int_eq(rt_sleep(RT_FOREVER), -ECANCELED);
	frame_drop(&expired.frame);
	ck_assert_int_eq(rt_sleep(RT_US(1)), 0);
	ck_assert_int_eq(rt_timeout_leave(&inner), 0);
}

static int sleep_in_timeout(void *arg)
{
	rt_timeout_enter(arg, rt_in(RT_MS(2)));
	return rt_sleep(RT_FOREVER);
}

/* The wait is ended by what it was begun with; nothing is marked after that. */
IN_TASK(a_frame_dropped_while_its_task_waits)
{
	struct rt_timeout timeout;
	struct rt_task *task = spawn_task(sleep_in_timeout, &timeout);

	rt_yield();
	frame_drop(&timeout.frame);
	ck_assert_int_eq(join_task(task), -ECANCELED);
	ck_assert(!timeout.frame.expired);
}

/* ---- A timer that cannot be armed ---- */

static int refuse(struct rt_runtime *runtime, struct rt_timer *timer)
{
	(void)runtime;
	(void)timer;
	return -ENOMEM;
}

IN_TASK(a_deadline_that_cannot_be_armed_has_passed)
{
	struct rt_runtime *runtime = rt_runtime_current();
	const struct rt_runtime_ops *ops = runtime->ops;
	struct rt_runtime_ops refusing = *ops;
	struct rt_timeout outer, inner;

	refusing.arm = refuse;
	runtime->ops = &refusing;
	rt_timeout_enter(&outer, never());
	rt_timeout_enter(&inner, rt_in(RT_S(500)));
	ck_assert_int_eq(rt_sleep(RT_FOREVER), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&inner), -ETIMEDOUT);
	runtime->ops = ops;
	ck_assert_int_eq(rt_sleep(RT_US(1)), 0);
	ck_assert_int_eq(rt_timeout_leave(&outer), 0);
}

int main(void)
{
	Suite *suite = suite_create("frame");
	TCase *tcase = tcase_create("frame");

	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, every_wait_under_two_deadlines, 0, WAITS);
	tcase_add_test(tcase, what_is_ready_beats_a_deadline_that_has_passed);
	tcase_add_test(tcase, leaving_the_outer_one_leaves_the_inner_ones);
	tcase_add_test(tcase, leaving_twice_does_nothing);
	tcase_add_test(tcase, a_task_that_ends_leaves_its_frames);
	tcase_add_test(tcase, a_dropped_frame_has_no_say_any_more);
	tcase_add_test(tcase, an_expired_frame_that_is_dropped_interrupts_no_more);
	tcase_add_test(tcase, a_frame_dropped_while_its_task_waits);
	tcase_add_test(tcase, a_deadline_that_cannot_be_armed_has_passed);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
