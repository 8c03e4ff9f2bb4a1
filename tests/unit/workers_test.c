/* SPDX-License-Identifier: MIT */
/* What can go wrong between the workers of one runtime: who looks after whom, and who notices the end. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/workers.h"

#include <stdatomic.h>
#include <unistd.h>

static void spin(rt_time duration)
{
	for (rt_time end = rt_in(duration); rt_now() < end;)
		;
}

static int set_flag(void *arg)
{
	atomic_store((atomic_bool *)arg, true);
	return 0;
}

static int spin_until_set(atomic_bool *flag)
{
	for (rt_time end = rt_in(RT_S(10)); !atomic_load(flag);) {
		if (rt_now() >= end)
			return -ETIMEDOUT;
	}
	return 0;
}

/* ---- Who computes for long does not keep what it has woken ---- */

static int wake_and_compute(void *arg)
{
	(void)arg;
	for (int i = 0; i < 40; i++) {
		atomic_bool ran = false;

		rt_sleep(RT_US(300) * (i % 3));
		spin(RT_US(200) * (i % 20));
		struct rt_task *task = rt_spawn(set_flag, &ran);
		int err = spin_until_set(&ran);

		rt_join(task, NULL, RT_FOREVER);
		if (err < 0)
			return err;
	}
	return 0;
}

START_TEST(others_run_what_a_busy_task_has_woken)
{
	ck_assert_int_eq(run_on(_i, wake_and_compute, NULL), 0);
}
END_TEST

/* The timer, too, is somebody else's to look after. */
static int set_flag_later(void *arg)
{
	rt_sleep(RT_MS(1));
	return set_flag(arg);
}

static int compute_until_timer(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++) {
		atomic_bool ran = false;
		struct rt_task *task = rt_spawn(set_flag_later, &ran);

		rt_sleep(RT_US(100) * (i % 10));
		int err = spin_until_set(&ran);

		rt_join(task, NULL, RT_FOREVER);
		if (err < 0)
			return err;
		/* Long enough for all to fall asleep in their own ways. */
		rt_sleep(i % 5 ? RT_US(300) : RT_MS(70));
	}
	return 0;
}

START_TEST(others_fire_timers_while_a_task_computes)
{
	ck_assert_int_eq(run_on(_i, compute_until_timer, NULL), 0);
}
END_TEST

/* ---- Deadlocks ---- */

static int wait_for_ever(void *arg)
{
	long value;

	return rt_chan_recv(arg, &value, RT_FOREVER);
}

static int yield_and_wait(void *arg)
{
	for (int i = 0; i < 3; i++)
		rt_yield();
	return wait_for_ever(arg);
}

static int deadlock(void *arg)
{
	struct rt_chan *chan;

	(void)arg;
	ck_assert_int_eq(rt_chan_create(&chan, sizeof(long), 0), 0);
	for (int i = 0; i < 6; i++)
		rt_detach(rt_spawn(i % 2 ? wait_for_ever : yield_and_wait, chan));
	wait_for_ever(chan);
	rt_chan_destroy(chan);
	return 0;
}

START_TEST(a_deadlock_is_always_seen)
{
	for (int i = scaled(400, 4); i > 0; i--)
		ck_assert_int_eq(run_on(_i, deadlock, NULL), -EDEADLK);
}
END_TEST

static int take_a_while(void *arg)
{
	usleep((useconds_t)(intptr_t)arg);
	return 0;
}

static int block(void *arg)
{
	return rt_blocking(take_a_while, arg, RT_FOREVER);
}

static int wait_for_descriptor(void *arg)
{
	return rt_wait_fd(*(int *)arg, RT_READ, RT_FOREVER);
}

/* At every moment something can still happen, of another kind each time. */
static int never_deadlock(void *arg)
{
	int ends[2];
	atomic_bool ran = false;

	(void)arg;
	ck_assert_int_eq(pipe(ends), 0);
	struct rt_task *reader = rt_spawn(wait_for_descriptor, &ends[0]);

	for (intptr_t i = 0; i < 20; i++) {
		ck_assert_int_eq(rt_join(rt_spawn(block, (void *)(i % 3)), NULL, RT_FOREVER), 0);
		ck_assert_int_eq(rt_sleep(RT_US(10) * (i % 4)), 0);
		ck_assert_int_eq(rt_join(rt_spawn(set_flag, &ran), NULL, RT_FOREVER), 0);
	}
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_eq(rt_join(reader, NULL, RT_FOREVER), 0);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

START_TEST(there_is_no_deadlock_where_something_can_happen)
{
	for (int i = scaled(60, 4); i > 0; i--)
		ck_assert_int_eq(run_on(_i, never_deadlock, NULL), 0);
}
END_TEST

/* ---- Lists of tasks ---- */

static FILE *nowhere;

/* While one of them looks at all tasks, another is in the middle of its run. */
static int dump_often(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++) {
		rt_task_dump(nowhere);
		if (i % 4 == 0)
			rt_sleep(RT_US(50));
	}
	return 0;
}

ON_WORKERS(several_tasks_list_all_tasks_at_once)
{
	struct rt_task *tasks[4];

	ck_assert_ptr_nonnull(nowhere = fopen("/dev/null", "w"));
	for (int i = 0; i < 4; i++)
		ck_assert_ptr_nonnull(tasks[i] = rt_spawn(dump_often, NULL));
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(rt_join(tasks[i], NULL, rt_in(PATIENCE)), 0);
	fclose(nowhere);
}

int main(void)
{
	Suite *suite = suite_create("workers");
	TCase *tcase = tcase_create("workers");

	tcase_set_timeout(tcase, 100);
	/* Native's tasks stay where they are. */
	tcase_add_loop_test(tcase, others_run_what_a_busy_task_has_woken, 0, 2);
	tcase_add_loop_test(tcase, others_fire_timers_while_a_task_computes, 0, 2);
	ADD(tcase, a_deadlock_is_always_seen);
	ADD(tcase, there_is_no_deadlock_where_something_can_happen);
	ADD(tcase, several_tasks_list_all_tasks_at_once);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
