/* SPDX-License-Identifier: MIT */
/* Mutexes: exclusion, order, leaving, and holders that end. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/suite.h"
#include "support/waiters.h"
#include "sync/mutex.h"

enum { MANY = 10000 };

static struct rt_mutex *create(void)
{
	struct rt_mutex *mutex;

	ck_assert_int_eq(rt_mutex_create(&mutex), 0);
	return mutex;
}

static void lock(struct rt_mutex *mutex)
{
	ck_assert_int_eq(rt_mutex_lock(mutex, RT_FOREVER), 0);
}

static void unlock(struct rt_mutex *mutex)
{
	ck_assert_int_eq(rt_mutex_unlock(mutex), 0);
}

/* ---- Exclusion and order ---- */

static int inside;

static int enter_in_order(void *arg)
{
	static int entered;
	struct waiting *self = arg;

	lock(self->source);
	self->ended = entered++;
	ck_assert_int_eq(inside++, 0);
	ck_assert_int_eq(rt_yield(), 0);
	inside--;
	unlock(self->source);
	return 0;
}

IN_TASK(many_enter_one_by_one_in_order)
{
	static struct waiting waiting[MANY];
	struct rt_mutex *mutex = create();
	int count = scaled(MANY, 10);

	for (int i = 0; i < count; i++) {
		waiting[i].source = mutex;
		waiting[i].task = spawn_task(enter_in_order, &waiting[i]);
	}
	for (int i = 0; i < count; i++) {
		ck_assert_int_eq(join_task(waiting[i].task), 0);
		ck_assert_int_eq(waiting[i].ended, i);
	}
	ck_assert_ptr_null(mutex->holder);
	rt_mutex_destroy(mutex);
}

static int wait_lock(void *source, rt_time deadline)
{
	int err = rt_mutex_lock(source, deadline);

	if (err == 0)
		unlock(source);
	return err;
}

IN_TASK(nobody_overtakes_who_waits)
{
	struct rt_mutex *mutex = create();
	struct waiting waiting;

	lock(mutex);
	start_wait(&waiting, wait_lock, mutex, RT_FOREVER);
	await_queue(&mutex->waiters, 1);
	unlock(mutex);
	ck_assert_int_eq(rt_mutex_try_lock(mutex), -EAGAIN);
	ck_assert_int_eq(rt_mutex_lock(mutex, RT_NOW), -ETIMEDOUT);
	lock(mutex);
	ck_assert_int_eq(waiting.ended, 1);
	unlock(mutex);
	join_task(waiting.task);
	rt_mutex_destroy(mutex);
}

static int try_lock(void *arg)
{
	return rt_mutex_try_lock(arg);
}

static int unlock_in_task(void *arg)
{
	return rt_mutex_unlock(arg);
}

IN_TASK(only_the_holder_unlocks)
{
	struct rt_mutex *mutex = create();

	ck_assert_int_eq(rt_mutex_unlock(mutex), -EPERM);
	ck_assert_int_eq(rt_mutex_try_lock(mutex), 0);
	ck_assert_int_eq(rt_mutex_lock(mutex, RT_FOREVER), -EDEADLK);
	ck_assert_int_eq(rt_mutex_try_lock(mutex), -EDEADLK);
	ck_assert_int_eq(join_task(spawn_task(try_lock, mutex)), -EAGAIN);
	ck_assert_int_eq(join_task(spawn_task(unlock_in_task, mutex)), -EPERM);
	unlock(mutex);
	ck_assert_int_eq(rt_mutex_unlock(mutex), -EPERM);
	ck_assert_int_eq(rt_mutex_lock(mutex, RT_NOW), 0);
	unlock(mutex);
	rt_mutex_destroy(mutex);
}

/* ---- Leaving ---- */

/* The first one that is served unlocks for the second. */
static void unlock_once(void *source)
{
	struct rt_mutex *mutex = source;

	if (mutex->holder == rt_task_current())
		unlock(mutex);
}

static int leave(void *arg)
{
	struct rt_mutex *mutex = create();

	lock(mutex);
	check_leaving(*(int *)arg, wait_lock, mutex, &mutex->waiters, unlock_once);
	ck_assert_ptr_null(mutex->holder);
	rt_mutex_destroy(mutex);
	return 0;
}

START_TEST(a_waiter_leaves)
{
	ck_assert_int_eq(rt_run(&rt_native, NULL, leave, &_i, NULL), 0);
}
END_TEST

static void hand_over(void *source)
{
	struct rt_mutex *mutex = source;

	unlock(mutex);
	ck_assert_ptr_nonnull(mutex->holder);
}

IN_TASK(what_was_handed_over_beats_leaving)
{
	struct rt_mutex *mutex = create();
	struct waiting waiting;

	for (int i = 0; i < 2; i++) {
		lock(mutex);
		start_wait(&waiting, wait_lock, mutex, i ? rt_in(RT_MS(50)) : RT_FOREVER);
		await_queue(&mutex->waiters, 1);
		hand_over(mutex);
		if (i == 0)
			rt_cancel(waiting.task);
		else
			while (rt_now() < waiting.deadline)
				;
		ck_assert_int_eq(join_task(waiting.task), 0);
		ck_assert_ptr_null(mutex->holder);
	}
	rt_mutex_destroy(mutex);
}

static void destroy(void *source)
{
	rt_mutex_destroy(source);
}

IN_TASK(destroying_wakes_those_that_wait)
{
	struct rt_mutex *mutex = create();

	lock(mutex);
	check_destroying(wait_lock, mutex, &mutex->waiters, destroy);
	ck_assert_ptr_null(rt_task_current()->joiners);
}

/* ---- Holders that end ---- */

static int lock_and_end(void *arg)
{
	rt_yield();
	return rt_mutex_lock(arg, RT_FOREVER);
}

IN_TASK(a_holder_that_ends_is_noticed)
{
	struct rt_mutex *mutex = create();
	struct rt_task *holder = spawn_task(lock_and_end, mutex);
	struct waiting waiting[2];

	while (!mutex->holder)
		rt_yield();
	/* It has ended, but nobody has waited yet: those who come later notice. */
	for (int i = 0; i < 2; i++)
		start_wait(&waiting[i], wait_lock, mutex, RT_FOREVER);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(join_task(waiting[i].task), -EOWNERDEAD);
	ck_assert_int_eq(join_task(holder), 0);
	ck_assert_int_eq(rt_mutex_try_lock(mutex), -EOWNERDEAD);
	ck_assert_int_eq(rt_mutex_lock(mutex, RT_NOW), -EOWNERDEAD);
	ck_assert_int_eq(rt_mutex_unlock(mutex), -EPERM);
	rt_mutex_destroy(mutex);
}

static int hold_a_while(void *arg)
{
	struct rt_mutex *mutex = arg;

	lock(mutex);
	await_queue(&mutex->waiters, 2);
	return 0;
}

IN_TASK(those_that_wait_notice_that_the_holder_ends)
{
	struct rt_mutex *mutex = create();
	struct rt_task *holder = spawn_task(hold_a_while, mutex);
	struct waiting waiting[2];

	for (int i = 0; i < 2; i++)
		start_wait(&waiting[i], wait_lock, mutex, RT_FOREVER);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(join_task(waiting[i].task), -EOWNERDEAD);
	ck_assert_int_eq(join_task(holder), 0);
	rt_mutex_destroy(mutex);
}

static int use_dead_holders_mutex(void *arg)
{
	struct rt_mutex *mutex = arg;

	ck_assert_ptr_eq(mutex->holder, rt_task_current());
	ck_assert_int_eq(rt_mutex_unlock(mutex), -EPERM);
	return rt_mutex_lock(mutex, RT_FOREVER);
}

IN_TASK(a_task_in_the_same_memory_is_not_the_holder)
{
	struct rt_mutex *mutex = create();

	ck_assert_int_eq(join_task(spawn_task(try_lock, mutex)), 0);
	ck_assert_int_eq(join_task(spawn_task(use_dead_holders_mutex, mutex)), -EOWNERDEAD);
	rt_mutex_destroy(mutex);
}

static int lock_and_wait(void *arg)
{
	int err = rt_mutex_lock(arg, RT_FOREVER);

	while (rt_yield() == 0)
		;
	return err;
}

IN_TASK(a_mutex_that_is_held_is_destroyed)
{
	struct rt_mutex *mutex = create();
	struct rt_task *holder = spawn_task(lock_and_wait, mutex);

	while (!mutex->holder)
		rt_yield();
	rt_mutex_destroy(mutex);
	rt_cancel(holder);
	ck_assert_int_eq(join_task(holder), 0);
}

static int lock_and_ignore_cancellation(void *arg)
{
	lock(arg);
	for (;;)
		rt_yield();
	return 0;
}

static int leave_a_stubborn_holder(void *arg)
{
	struct rt_mutex *mutex = arg;

	rt_detach(spawn_task(lock_and_ignore_cancellation, mutex));
	while (!mutex->holder)
		ck_assert_int_eq(rt_yield(), 0);
	return 0;
}

/* The runtime loses patience and frees the holder, which has not ended. */
START_TEST(the_runtime_of_the_holder_ends)
{
	struct rt_mutex *mutex = create();

	rt_run(&rt_native, NULL, leave_a_stubborn_holder, mutex, NULL);
	ck_assert_ptr_nonnull(mutex->holder);
	ck_assert_int_eq(rt_run(&rt_native, NULL, try_lock, mutex, NULL), -EOWNERDEAD);
	rt_mutex_destroy(mutex);
}
END_TEST

/* ---- Giving way, misuse ---- */

static int lock_and_unlock(void *mutex)
{
	lock(mutex);
	return rt_mutex_unlock(mutex);
}

IN_TASK(whoever_need_not_wait_gives_way)
{
	struct rt_mutex *mutex = create();

	check_giving_way(lock_and_unlock, mutex);
	rt_mutex_destroy(mutex);
}

START_TEST(outside_of_a_task)
{
	struct rt_mutex *mutex = create();

	ck_assert_int_eq(rt_mutex_lock(mutex, RT_NOW), -EPERM);
	ck_assert_int_eq(rt_mutex_try_lock(mutex), -EPERM);
	ck_assert_int_eq(rt_mutex_unlock(mutex), -EPERM);
	ck_assert_int_eq(rt_mutex_lock(NULL, RT_NOW), -EINVAL);
	ck_assert_int_eq(rt_mutex_try_lock(NULL), -EINVAL);
	ck_assert_int_eq(rt_mutex_unlock(NULL), -EINVAL);
	ck_assert_int_eq(rt_mutex_create(NULL), -EINVAL);
	rt_mutex_destroy(NULL);
	rt_mutex_destroy(mutex);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mutex");
	TCase *tcase = tcase_create("mutex");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, many_enter_one_by_one_in_order);
	tcase_add_test(tcase, nobody_overtakes_who_waits);
	tcase_add_test(tcase, only_the_holder_unlocks);
	tcase_add_loop_test(tcase, a_waiter_leaves, 0, WAYS_TO_LEAVE);
	tcase_add_test(tcase, what_was_handed_over_beats_leaving);
	tcase_add_test(tcase, destroying_wakes_those_that_wait);
	tcase_add_test(tcase, a_holder_that_ends_is_noticed);
	tcase_add_test(tcase, those_that_wait_notice_that_the_holder_ends);
	tcase_add_test(tcase, a_task_in_the_same_memory_is_not_the_holder);
	tcase_add_test(tcase, a_mutex_that_is_held_is_destroyed);
	tcase_add_test(tcase, the_runtime_of_the_holder_ends);
	tcase_add_test(tcase, whoever_need_not_wait_gives_way);
	tcase_add_test(tcase, outside_of_a_task);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
