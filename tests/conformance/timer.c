/* SPDX-License-Identifier: MIT */
/* arm() and disarm(): timers fire once, not before their deadline, in order; what is disarmed does not. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "conformance.h"

#include "base/list.h"

#include <errno.h>
#include <string.h>

struct alarm {
	struct rt_timer timer;
	atomic_int fired; /* as the how many-th, from 1 on */
};

static atomic_int count;

static void expire(struct rt_waiter *waiter, int result)
{
	struct alarm *alarm = container_of(waiter, struct alarm, timer.waiter);

	ck_assert_int_ge(rt_now(), alarm->timer.deadline);
	ck_assert_uint_eq(alarm->timer.slot, 0);
	ck_assert_int_eq(result, -ETIMEDOUT);
	ck_assert_int_eq(atomic_load(&alarm->fired), 0);
	atomic_store(&alarm->fired, atomic_fetch_add(&count, 1) + 1);
}

static void arm_locked(struct alarm *alarm, rt_time deadline)
{
	alarm->timer = (struct rt_timer){.waiter.wake = expire, .deadline = deadline};
	atomic_store(&alarm->fired, 0);
	int err = ops->arm(runtime, &alarm->timer);

	/* It cannot have fired yet: the lock is ours. */
	ck_assert_int_eq(err, 0);
	ck_assert_uint_ne(alarm->timer.slot, 0);
}

static void arm(struct alarm *alarm, rt_time deadline)
{
	rt_runtime_lock(runtime);
	arm_locked(alarm, deadline);
	rt_runtime_unlock(runtime);
}

static void disarm_locked(struct alarm *alarm)
{
	ops->disarm(runtime, &alarm->timer);
	ck_assert_uint_eq(alarm->timer.slot, 0);
}

static void disarm(struct alarm *alarm)
{
	rt_runtime_lock(runtime);
	disarm_locked(alarm);
	rt_runtime_unlock(runtime);
}

ON_EVERY(timers_fire_once)
{
	static struct alarm early, late, passed, disarmed, never, unused;
	rt_time now = rt_now();

	disarm(&unused);
	arm(&late, now + RT_MS(40));
	arm(&never, RT_FOREVER);
	/* Before it can fire, however long it takes to get there. */
	rt_runtime_lock(runtime);
	arm_locked(&disarmed, now + RT_MS(30));
	arm_locked(&early, now + RT_MS(2));
	arm_locked(&passed, RT_NOW);
	disarm_locked(&disarmed);
	rt_runtime_unlock(runtime);
	disarm(&disarmed);
	await_count(&count, 3);
	if (is_ordered()) {
		ck_assert_int_eq(atomic_load(&passed.fired), 1);
		ck_assert_int_eq(atomic_load(&early.fired), 2);
		ck_assert_int_eq(atomic_load(&late.fired), 3);
	}
	ck_assert_int_eq(atomic_load(&disarmed.fired), 0);
	disarm(&late);
	disarm(&never);
}

ON_EVERY(a_timer_is_armed_again)
{
	static struct alarm alarm;

	for (int i = 1; i <= 100; i++) {
		arm(&alarm, rt_in(RT_S(3600)));
		disarm(&alarm);
		arm(&alarm, rt_in(RT_US(20)));
		await_count(&alarm.fired, i);
	}
}

/* Far and near ones, and equal ones, in no order. */
enum { ALARMS = 1000, STEPS = 20 };
static struct alarm alarms[ALARMS];

ON_EVERY(many_timers_fire_in_order)
{
	int order[ALARMS + 1], armed = 0;
	rt_time begin = rt_now();

	for (int i = 0; i < ALARMS; i++)
		arm(&alarms[i], begin + RT_MS(20 + i * 7 % STEPS));
	for (int i = 0; i < ALARMS; i += 3)
		disarm(&alarms[i]);
	for (int i = 0; i < ALARMS; i++)
		armed += i % 3 != 0;
	/* A slow machine may have fired some of those before. */
	for (int i = 0; i < ALARMS; i += 3)
		armed += atomic_load(&alarms[i].fired) != 0;
	await_count(&count, armed);
	for (int i = 0; i < ALARMS; i++) {
		if (i % 3 != 0)
			ck_assert_int_gt(atomic_load(&alarms[i].fired), 0);
		order[atomic_load(&alarms[i].fired)] = i;
	}
	for (int i = 2; is_ordered() && i <= armed; i++)
		ck_assert_int_ge(alarms[order[i]].timer.deadline, alarms[order[i - 1]].timer.deadline);
}

/* Sleepers on all workers. */
static int sleep_for(void *arg)
{
	rt_time duration = *(rt_time *)arg, begin = rt_now();

	ck_assert_int_eq(rt_sleep(duration), 0);
	ck_assert_int_ge(rt_now() - begin, duration);
	atomic_fetch_add(&count, 1);
	return 0;
}

ON_EVERY(tasks_sleep_as_long_as_they_want)
{
	static rt_time durations[200];
	struct rt_task *tasks[200];

	for (int i = 0; i < 200; i++) {
		durations[i] = RT_US(100 * (i * 37 % 200));
		tasks[i] = start(sleep_for, &durations[i]);
	}
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(finish(tasks[i]), 0);
	ck_assert_int_eq(atomic_load(&count), 200);
}

void add_timer(Suite *suite)
{
	TCase *tcase = new_case(suite, "timer");

	ADD(tcase, timers_fire_once);
	ADD(tcase, a_timer_is_armed_again);
	ADD(tcase, many_timers_fire_in_order);
	ADD(tcase, tasks_sleep_as_long_as_they_want);
}
