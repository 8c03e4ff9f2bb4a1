/* SPDX-License-Identifier: MIT */
/* Tasks: many of them, spawned from anywhere; joining, yielding, scopes, timeouts, cancellation. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "conformance.h"

#include "support/suite.h"

#include <errno.h>
#include <unistd.h>

static atomic_int count;

static int add_one(void *arg)
{
	(void)arg;
	atomic_fetch_add(&count, 1);
	return 3;
}

ON_EVERY(ten_thousand_are_spawned_and_joined)
{
	enum { MANY = 10000 };
	static struct rt_task *tasks[MANY];
	int many = scaled(MANY, 10);

	for (int i = 0; i < many; i++)
		tasks[i] = start(add_one, NULL);
	for (int i = 0; i < many; i++)
		ck_assert_int_eq(finish(tasks[i]), 3);
	ck_assert_int_eq(atomic_load(&count), many);
}

ON_EVERY(one_after_the_other)
{
	int many = scaled(10000, 10);

	for (int i = 0; i < many; i++)
		ck_assert_int_eq(finish(start(add_one, NULL)), 3);
	ck_assert_int_eq(atomic_load(&count), many);
}

ON_EVERY(detached_ones_run_too)
{
	for (int i = 0; i < 1000; i++)
		rt_detach(start(add_one, NULL));
	await_count(&count, 1000);
}

/* Each spawns two more and joins them. */
static int grow(void *arg)
{
	intptr_t depth = (intptr_t)arg;

	atomic_fetch_add(&count, 1);
	if (depth == 0)
		return 1;
	struct rt_task *left = start(grow, (void *)(depth - 1));
	struct rt_task *right = start(grow, (void *)(depth - 1));
	int leaves = finish(left);

	return leaves + finish(right);
}

ON_EVERY(a_tree_of_tasks)
{
	ck_assert_int_eq(finish(start(grow, (void *)(intptr_t)10)), 1024);
	ck_assert_int_eq(atomic_load(&count), 2047);
}

static int yield_often(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(rt_yield(), 0);
	atomic_fetch_add(&count, 1);
	return 0;
}

ON_EVERY(many_yield)
{
	static struct rt_task *tasks[300];

	for (int i = 0; i < 300; i++)
		tasks[i] = start(yield_often, NULL);
	for (int i = 0; i < 300; i++)
		ck_assert_int_eq(finish(tasks[i]), 0);
	ck_assert_int_eq(atomic_load(&count), 300);
}

/* ---- Time limits ---- */

static int sleep_long(void *arg)
{
	(void)arg;
	return rt_sleep(RT_S(1000));
}

ON_EVERY(waits_have_deadlines)
{
	struct rt_task *sleeper = start(sleep_long, NULL);
	struct rt_timeout timeout;
	rt_time begin = rt_now();

	ck_assert_int_eq(rt_join(sleeper, NULL, begin + RT_MS(5)), -ETIMEDOUT);
	ck_assert_int_ge(rt_now(), begin + RT_MS(5));
	begin = rt_now();
	rt_timeout_enter(&timeout, begin + RT_MS(5));
	ck_assert_int_eq(rt_join(sleeper, NULL, RT_FOREVER), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&timeout), -ETIMEDOUT);
	ck_assert_int_ge(rt_now(), begin + RT_MS(5));
	rt_cancel(sleeper);
	ck_assert_int_eq(finish(sleeper), -ECANCELED);
}

/* Deadlines and what they race with: either is right, nothing is lost. */
static int sleep_a_little(void *arg)
{
	return rt_sleep(RT_US((intptr_t)arg)) == 0 ? 5 : -1;
}

ON_EVERY(a_deadline_races_with_an_end)
{
	for (int i = 0; i < 100; i++) {
		struct rt_task *task = start(sleep_a_little, (void *)(intptr_t)200);
		int result = 0;
		int err = rt_join(task, &result, rt_in(RT_US(100 + 2 * i)));

		ck_assert(err == 0 || err == -ETIMEDOUT);
		if (err < 0)
			result = finish(task);
		ck_assert_int_eq(result, 5);
	}
}

/* ---- Cancellation ---- */

static struct rt_chan *empty;
static struct rt_event *unset;
static struct rt_mutex *held;
static int ends[2];

static int receive(void *arg)
{
	return rt_chan_recv(empty, &arg, RT_FOREVER);
}

static int lock(void *arg)
{
	(void)arg;
	return rt_mutex_lock(held, RT_FOREVER);
}

static int await_event(void *arg)
{
	(void)arg;
	return rt_event_wait(unset, rt_in(RT_S(1000)));
}

static int await_pipe(void *arg)
{
	(void)arg;
	return rt_wait_fd(ends[0], RT_READ, rt_in(RT_S(1000)));
}

static int join_sleeper(void *arg)
{
	struct rt_task *sleeper = start(sleep_long, arg);
	int err = rt_join(sleeper, NULL, RT_FOREVER);

	rt_cancel(sleeper);
	rt_detach(sleeper);
	return err;
}

static int yield_for_ever(void *arg)
{
	int err = 0;

	(void)arg;
	while (err == 0)
		err = rt_yield();
	return err;
}

/* At once, a turn later, and some turns later. */
ON_EVERY(every_wait_can_be_cancelled)
{
	rt_task_fn *const waits[] = {sleep_long, receive,      lock,          await_event,
				     await_pipe, join_sleeper, yield_for_ever};

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(rt_chan_create(&empty, sizeof(void *), 0), 0);
	ck_assert_int_eq(rt_event_create(&unset), 0);
	ck_assert_int_eq(rt_mutex_create(&held), 0);
	ck_assert_int_eq(rt_mutex_lock(held, RT_FOREVER), 0);
	for (int delay = 0; delay < 20; delay++) {
		for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
			struct rt_task *task = start(waits[i], NULL);

			for (int turn = 0; turn < delay; turn++)
				ck_assert_int_eq(rt_yield(), 0);
			rt_cancel(task);
			ck_assert_int_eq(finish(task), -ECANCELED);
		}
	}
	ck_assert_int_eq(rt_mutex_unlock(held), 0);
	rt_mutex_destroy(held);
	rt_event_destroy(unset);
	rt_chan_destroy(empty);
	close(ends[0]);
	close(ends[1]);
}

/* Many at once, from a task that does not wait in between. */
ON_EVERY(many_are_cancelled_at_once)
{
	static struct rt_task *tasks[500];

	for (int i = 0; i < 500; i++)
		tasks[i] = start(sleep_long, NULL);
	ck_assert_int_eq(rt_yield(), 0);
	for (int i = 0; i < 500; i++)
		rt_cancel(tasks[i]);
	for (int i = 0; i < 500; i++)
		ck_assert_int_eq(finish(tasks[i]), -ECANCELED);
}

/* ---- Scopes ---- */

static int fail_soon(void *arg)
{
	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	return -(int)(intptr_t)arg;
}

static int note_cancelled(void *arg)
{
	int err = rt_sleep(RT_S(1000));

	(void)arg;
	atomic_fetch_add(&count, err == -ECANCELED);
	return err;
}

ON_EVERY(a_scope_waits_for_its_tasks)
{
	struct rt_scope scope;

	rt_scope_enter(&scope, RT_FOREVER);
	for (int i = 0; i < 100; i++)
		ck_assert_ptr_nonnull(rt_scope_spawn(&scope, yield_often, NULL));
	ck_assert_int_eq(rt_scope_leave(&scope), 0);
	ck_assert_int_eq(atomic_load(&count), 100);
}

ON_EVERY(a_failure_cancels_the_scope)
{
	struct rt_scope scope;

	rt_scope_enter(&scope, RT_FOREVER);
	for (int i = 0; i < 50; i++)
		ck_assert_ptr_nonnull(rt_scope_spawn(&scope, note_cancelled, NULL));
	ck_assert_ptr_nonnull(rt_scope_spawn(&scope, fail_soon, (void *)(intptr_t)EIO));
	ck_assert_int_eq(rt_scope_leave(&scope), -EIO);
	ck_assert_int_eq(atomic_load(&count), 50);
	ck_assert_int_eq(rt_sleep(0), 0);
}

ON_EVERY(a_scope_has_a_deadline)
{
	struct rt_scope scope;
	rt_time begin = rt_now();

	rt_scope_enter(&scope, begin + RT_MS(5));
	for (int i = 0; i < 50; i++)
		ck_assert_ptr_nonnull(rt_scope_spawn(&scope, note_cancelled, NULL));
	ck_assert_int_eq(rt_scope_leave(&scope), -ETIMEDOUT);
	ck_assert_int_ge(rt_now(), begin + RT_MS(5));
	ck_assert_int_eq(atomic_load(&count), 50);
}

void add_task(Suite *suite)
{
	TCase *tcase = new_case(suite, "task");

	ADD(tcase, ten_thousand_are_spawned_and_joined);
	ADD(tcase, one_after_the_other);
	ADD(tcase, detached_ones_run_too);
	ADD(tcase, a_tree_of_tasks);
	ADD(tcase, many_yield);
	ADD(tcase, waits_have_deadlines);
	ADD(tcase, a_deadline_races_with_an_end);
	ADD(tcase, every_wait_can_be_cancelled);
	ADD(tcase, many_are_cancelled_at_once);
	ADD(tcase, a_scope_waits_for_its_tasks);
	ADD(tcase, a_failure_cancels_the_scope);
	ADD(tcase, a_scope_has_a_deadline);
}
