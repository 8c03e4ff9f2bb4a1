/* SPDX-License-Identifier: MIT */
/* Semaphores: never more than the permits, order, leaving. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/suite.h"
#include "support/waiters.h"
#include "sync/semaphore.h"

enum { MANY = 10000, PERMITS = 3 };

static struct rt_semaphore *create(size_t permits)
{
	struct rt_semaphore *semaphore;

	ck_assert_int_eq(rt_semaphore_create(&semaphore, permits), 0);
	ck_assert_uint_eq(rt_semaphore_permits(semaphore), permits);
	return semaphore;
}

static void acquire(struct rt_semaphore *semaphore)
{
	ck_assert_int_eq(rt_semaphore_acquire(semaphore, RT_FOREVER), 0);
}

static void release(void *semaphore)
{
	ck_assert_int_eq(rt_semaphore_release(semaphore), 0);
}

static int inside, most_inside;

static int enter_in_order(void *arg)
{
	static int entered;
	struct waiting *self = arg;

	acquire(self->source);
	self->ended = entered++;
	if (++inside > most_inside)
		most_inside = inside;
	/* They leave in another order than they came. */
	for (int i = 0; i <= self->ended % 3; i++)
		ck_assert_int_eq(rt_yield(), 0);
	inside--;
	release(self->source);
	return 0;
}

IN_TASK(many_enter_in_order_and_no_more_than_there_are_permits)
{
	static struct waiting waiting[MANY];
	struct rt_semaphore *semaphore = create(PERMITS);
	int count = scaled(MANY, 10);

	for (int i = 0; i < count; i++) {
		waiting[i].source = semaphore;
		waiting[i].task = spawn_task(enter_in_order, &waiting[i]);
	}
	for (int i = 0; i < count; i++) {
		ck_assert_int_eq(join_task(waiting[i].task), 0);
		ck_assert_int_eq(waiting[i].ended, i);
	}
	ck_assert_int_eq(most_inside, PERMITS);
	ck_assert_uint_eq(rt_semaphore_permits(semaphore), PERMITS);
	rt_semaphore_destroy(semaphore);
}

static int wait_acquire(void *source, rt_time deadline)
{
	return rt_semaphore_acquire(source, deadline);
}

IN_TASK(nobody_overtakes_who_waits)
{
	struct rt_semaphore *semaphore = create(1);
	struct waiting waiting;

	acquire(semaphore);
	start_wait(&waiting, wait_acquire, semaphore, RT_FOREVER);
	await_queue(&semaphore->waiters, 1);
	release(semaphore);
	ck_assert_int_eq(rt_semaphore_try_acquire(semaphore), -EAGAIN);
	ck_assert_int_eq(rt_semaphore_acquire(semaphore, RT_NOW), -ETIMEDOUT);
	ck_assert_int_eq(join_task(waiting.task), 0);
	rt_semaphore_destroy(semaphore);
}

IN_TASK(no_more_can_be_released_than_were_acquired)
{
	struct rt_semaphore *semaphore = create(2);

	ck_assert_int_eq(rt_semaphore_release(semaphore), -EOVERFLOW);
	ck_assert_int_eq(rt_semaphore_try_acquire(semaphore), 0);
	ck_assert_int_eq(rt_semaphore_acquire(semaphore, RT_NOW), 0);
	ck_assert_int_eq(rt_semaphore_try_acquire(semaphore), -EAGAIN);
	ck_assert_uint_eq(rt_semaphore_permits(semaphore), 0);
	release(semaphore);
	release(semaphore);
	ck_assert_int_eq(rt_semaphore_release(semaphore), -EOVERFLOW);
	ck_assert_uint_eq(rt_semaphore_permits(semaphore), 2);
	rt_semaphore_destroy(semaphore);
}

static int leave(void *arg)
{
	struct rt_semaphore *semaphore = create(2);

	acquire(semaphore);
	acquire(semaphore);
	check_leaving(*(int *)arg, wait_acquire, semaphore, &semaphore->waiters, release);
	ck_assert_uint_eq(rt_semaphore_permits(semaphore), 0);
	release(semaphore);
	release(semaphore);
	ck_assert_int_eq(rt_semaphore_release(semaphore), -EOVERFLOW);
	rt_semaphore_destroy(semaphore);
	return 0;
}

START_TEST(a_waiter_leaves)
{
	ck_assert_int_eq(rt_run(&rt_native, NULL, leave, &_i, NULL), 0);
}
END_TEST

IN_TASK(what_was_handed_over_beats_leaving)
{
	struct rt_semaphore *semaphore = create(1);

	acquire(semaphore);
	check_served_beats_leaving(wait_acquire, semaphore, &semaphore->waiters, release);
	ck_assert_uint_eq(rt_semaphore_permits(semaphore), 0);
	rt_semaphore_destroy(semaphore);
}

static void destroy(void *source)
{
	rt_semaphore_destroy(source);
}

IN_TASK(destroying_wakes_those_that_wait)
{
	struct rt_semaphore *semaphore = create(1);

	acquire(semaphore);
	check_destroying(wait_acquire, semaphore, &semaphore->waiters, destroy);
}

static int acquire_and_release(void *semaphore)
{
	acquire(semaphore);
	return rt_semaphore_release(semaphore);
}

IN_TASK(whoever_need_not_wait_gives_way)
{
	struct rt_semaphore *semaphore = create(1);

	check_giving_way(acquire_and_release, semaphore);
	rt_semaphore_destroy(semaphore);
}

START_TEST(outside_of_a_task)
{
	struct rt_semaphore *semaphore = create(1);

	ck_assert_int_eq(rt_semaphore_acquire(semaphore, RT_NOW), -EPERM);
	ck_assert_int_eq(rt_semaphore_try_acquire(semaphore), 0);
	ck_assert_int_eq(rt_semaphore_release(semaphore), 0);
	rt_semaphore_destroy(semaphore);
	ck_assert_int_eq(rt_semaphore_create(&semaphore, 0), -EINVAL);
	ck_assert_ptr_null(semaphore);
	ck_assert_int_eq(rt_semaphore_create(NULL, 1), -EINVAL);
	ck_assert_int_eq(rt_semaphore_acquire(NULL, RT_NOW), -EINVAL);
	ck_assert_int_eq(rt_semaphore_try_acquire(NULL), -EINVAL);
	ck_assert_int_eq(rt_semaphore_release(NULL), -EINVAL);
	ck_assert_uint_eq(rt_semaphore_permits(NULL), 0);
	rt_semaphore_destroy(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("semaphore");
	TCase *tcase = tcase_create("semaphore");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, many_enter_in_order_and_no_more_than_there_are_permits);
	tcase_add_test(tcase, nobody_overtakes_who_waits);
	tcase_add_test(tcase, no_more_can_be_released_than_were_acquired);
	tcase_add_loop_test(tcase, a_waiter_leaves, 0, WAYS_TO_LEAVE);
	tcase_add_test(tcase, what_was_handed_over_beats_leaving);
	tcase_add_test(tcase, destroying_wakes_those_that_wait);
	tcase_add_test(tcase, whoever_need_not_wait_gives_way);
	tcase_add_test(tcase, outside_of_a_task);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
