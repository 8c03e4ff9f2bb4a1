/* SPDX-License-Identifier: MIT */
/*
 * Several workers, and many tasks that have something in common: nothing is lost, nothing comes twice, nobody
 * sleeps for ever. STRESS=N in the environment: N times as much of everything.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/suite.h"
#include "support/workers.h"

#include <limits.h>
#include <stdatomic.h>

enum { CREW = 8 };

/* Joins, and says whether the result is one of two. */
static void finish(struct rt_task *task, int expected, int or_else)
{
	int result = 1;

	ck_assert_int_eq(rt_join(task, &result, rt_in(PATIENCE)), 0);
	if (result != expected && result != or_else)
		ck_abort_msg("a task gave %d, neither %d nor %d", result, expected, or_else);
}

static void start_all(struct rt_task *tasks[CREW], rt_task_fn *fn, void *arg)
{
	for (int i = 0; i < CREW; i++)
		ck_assert_ptr_nonnull(tasks[i] = rt_spawn(fn, arg));
}

static void finish_all(struct rt_task *tasks[CREW], int expected, int or_else)
{
	for (int i = 0; i < CREW; i++)
		finish(tasks[i], expected, or_else);
}

/* ---- Channels ---- */

struct traffic {
	struct rt_chan *buffered, *direct;
	long each; /* to be sent by each sender */
	atomic_long sent, received, sent_sum, received_sum;
};

static void open_traffic(struct traffic *traffic, long each)
{
	*traffic = (struct traffic){.each = each};
	ck_assert_int_eq(rt_chan_create(&traffic->buffered, sizeof(long), 16), 0);
	ck_assert_int_eq(rt_chan_create(&traffic->direct, sizeof(long), 0), 0);
}

/* What is still in the buffer counts. */
static void close_traffic(struct traffic *traffic)
{
	long value;

	while (rt_chan_try_recv(traffic->buffered, &value) == 0) {
		traffic->received++;
		traffic->received_sum += value;
	}
	ck_assert_int_eq(traffic->sent, traffic->received);
	ck_assert_int_eq(traffic->sent_sum, traffic->received_sum);
	rt_chan_destroy(traffic->buffered);
	rt_chan_destroy(traffic->direct);
}

static int send_one(struct traffic *traffic, long value)
{
	struct rt_chan *chan = value % 2 ? traffic->buffered : traffic->direct;
	struct rt_select_case both[] = {RT_CASE_SEND(traffic->direct, &value),
					RT_CASE_SEND(traffic->buffered, &value)};

	if (value % 3)
		return rt_chan_send(chan, &value, RT_FOREVER);
	int chosen = rt_select(both, 2, RT_FOREVER);

	return chosen < 0 ? chosen : both[chosen].result;
}

static int send_all(void *arg)
{
	struct traffic *traffic = arg;

	for (long i = 0; i < traffic->each; i++) {
		int err = send_one(traffic, i);

		if (err < 0)
			return err;
		traffic->sent++;
		traffic->sent_sum += i;
	}
	return 0;
}

static int receive_one(struct traffic *traffic, long *value)
{
	struct rt_select_case both[] = {RT_CASE_RECV(traffic->direct, value),
					RT_CASE_RECV(traffic->buffered, value)};
	int chosen = rt_select(both, 2, RT_FOREVER);

	return chosen < 0 ? chosen : both[chosen].result;
}

/* Until one of the channels is closed, or cancelled. */
static int receive_all(void *arg)
{
	struct traffic *traffic = arg;
	long value = 0;
	int err;

	while ((err = receive_one(traffic, &value)) == 0) {
		traffic->received++;
		traffic->received_sum += value;
	}
	return err;
}

static void close_both(struct traffic *traffic)
{
	rt_chan_close(traffic->direct);
	rt_chan_close(traffic->buffered);
}

/* Receivers come and are cancelled all the time. */
ON_WORKERS(channels_lose_and_double_nothing)
{
	struct rt_task *senders[CREW], *receivers[CREW];
	struct traffic traffic;

	open_traffic(&traffic, count_of(4000));
	start_all(receivers, receive_all, &traffic);
	start_all(senders, send_all, &traffic);
	while (traffic.sent < CREW * traffic.each) {
		struct rt_task *receiver = rt_spawn(receive_all, &traffic);

		rt_yield();
		rt_cancel(receiver);
		finish(receiver, -ECANCELED, -ECANCELED);
	}
	finish_all(senders, 0, 0);
	close_both(&traffic);
	finish_all(receivers, -EPIPE, -EPIPE);
	ck_assert_int_eq(traffic.sent, CREW * traffic.each);
	close_traffic(&traffic);
}

ON_WORKERS(channels_are_closed_in_the_middle)
{
	for (long round = count_of(20); round > 0; round--) {
		struct rt_task *senders[CREW], *receivers[CREW];
		struct traffic traffic;

		open_traffic(&traffic, LONG_MAX);
		start_all(receivers, receive_all, &traffic);
		start_all(senders, send_all, &traffic);
		while (traffic.sent < 200)
			rt_yield();
		rt_cancel(senders[0]);
		rt_cancel(receivers[0]);
		close_both(&traffic);
		finish_all(senders, -EPIPE, -ECANCELED);
		finish_all(receivers, -EPIPE, -ECANCELED);
		close_traffic(&traffic);
	}
}

/* ---- Deadlines that come together with what is waited for ---- */

static int send_in_time(void *arg)
{
	struct traffic *traffic = arg;

	for (long i = 0; i < traffic->each; i++) {
		int err = rt_chan_send(i % 2 ? traffic->direct : traffic->buffered, &i, rt_in(RT_US(20)));

		ck_assert(err == 0 || err == -ETIMEDOUT);
		if (err == 0) {
			traffic->sent++;
			traffic->sent_sum += i;
		}
	}
	return 0;
}

static int receive_in_time(void *arg)
{
	struct traffic *traffic = arg;

	for (long i = 0, value; i < traffic->each; i++) {
		int err = rt_chan_recv(i % 2 ? traffic->direct : traffic->buffered, &value, rt_in(RT_US(20)));

		ck_assert(err == 0 || err == -ETIMEDOUT);
		if (err == 0) {
			traffic->received++;
			traffic->received_sum += value;
		}
	}
	return 0;
}

ON_WORKERS(deadlines_race_with_wakes)
{
	struct rt_task *senders[CREW], *receivers[CREW];
	struct traffic traffic;

	open_traffic(&traffic, count_of(150));
	start_all(receivers, receive_in_time, &traffic);
	start_all(senders, send_in_time, &traffic);
	finish_all(senders, 0, 0);
	finish_all(receivers, 0, 0);
	close_traffic(&traffic);
}

static int sleep_often(void *arg)
{
	atomic_long *slept = arg;

	for (int i = 0; i < 10; i++) {
		rt_time until = rt_in(RT_US(100) * (i % 5));

		ck_assert_int_eq(rt_sleep_until(until), 0);
		ck_assert_int_ge(rt_now(), until);
		++*slept;
	}
	return 0;
}

ON_WORKERS(nobody_sleeps_too_short_or_for_ever)
{
	struct rt_task *tasks[CREW];
	atomic_long slept = 0;
	long rounds = count_of(2);

	for (long round = 0; round < rounds; round++) {
		start_all(tasks, sleep_often, &slept);
		finish_all(tasks, 0, 0);
	}
	ck_assert_int_eq(slept, rounds * CREW * 10);
}

/* ---- Locks ---- */

struct locks {
	struct rt_mutex *mutex;
	struct rt_semaphore *semaphore;
	struct rt_wait_group *group;
	struct rt_event *event;
	long rounds, locked, counted; /* the last two under the mutex */
	atomic_long taken, holders;
};

static void lock(struct locks *locks, long round)
{
	int err = rt_mutex_lock(locks->mutex, round % 4 ? RT_FOREVER : rt_in(RT_US(5)));

	if (err == -ETIMEDOUT)
		return;
	ck_assert_int_eq(err, 0);
	ck_assert_int_eq(locks->locked++, 0);
	locks->counted++;
	locks->taken++;
	if (round % 16 == 0)
		rt_yield();
	ck_assert_int_eq(--locks->locked, 0);
	ck_assert_int_eq(rt_mutex_unlock(locks->mutex), 0);
}

static void acquire(struct locks *locks, long round)
{
	int err = rt_semaphore_acquire(locks->semaphore, round % 4 ? RT_FOREVER : rt_in(RT_US(5)));

	if (err == -ETIMEDOUT)
		return;
	ck_assert_int_eq(err, 0);
	ck_assert_int_le(++locks->holders, 3);
	if (round % 16 == 0)
		rt_yield();
	locks->holders--;
	ck_assert_int_eq(rt_semaphore_release(locks->semaphore), 0);
}

static int hammer(void *arg)
{
	struct locks *locks = arg;

	ck_assert_int_eq(rt_event_wait(locks->event, rt_in(PATIENCE)), 0);
	for (long i = 0; i < locks->rounds; i++) {
		lock(locks, i);
		acquire(locks, i);
	}
	ck_assert_int_eq(rt_wait_group_done(locks->group), 0);
	return 0;
}

ON_WORKERS(locks_are_held_by_one_and_given_on)
{
	struct locks locks = {.rounds = count_of(2000)};
	struct rt_task *tasks[CREW];

	ck_assert_int_eq(rt_mutex_create(&locks.mutex), 0);
	ck_assert_int_eq(rt_semaphore_create(&locks.semaphore, 3), 0);
	ck_assert_int_eq(rt_wait_group_create(&locks.group), 0);
	ck_assert_int_eq(rt_event_create(&locks.event), 0);
	ck_assert_int_eq(rt_wait_group_add(locks.group, CREW), 0);
	start_all(tasks, hammer, &locks);
	ck_assert_int_eq(rt_event_set(locks.event), 0);
	ck_assert_int_eq(rt_wait_group_wait(locks.group, rt_in(PATIENCE)), 0);
	finish_all(tasks, 0, 0);
	ck_assert_int_eq(locks.counted, locks.taken);
	ck_assert_uint_eq(rt_semaphore_permits(locks.semaphore), 3);
	ck_assert_int_eq(rt_mutex_try_lock(locks.mutex), 0);
	rt_mutex_destroy(locks.mutex);
	rt_semaphore_destroy(locks.semaphore);
	rt_wait_group_destroy(locks.group);
	rt_event_destroy(locks.event);
}

/* ---- Tasks ---- */

static atomic_long ended;

static int end_somehow(void *arg)
{
	int err = (intptr_t)arg % 2 ? rt_yield() : rt_sleep((intptr_t)arg % 8 ? RT_US(50) : RT_FOREVER);

	ended++;
	return err;
}

/* Joins, detaches, cancels, in all orders. */
static int storm(void *arg)
{
	for (long i = 0; i < *(long *)arg; i++) {
		struct rt_task *task = rt_spawn(end_somehow, (void *)(intptr_t)i);

		ck_assert_ptr_nonnull(task);
		if (i % 3 == 0)
			rt_yield();
		if (i % 8 == 0 || i % 5 == 0)
			rt_cancel(task);
		if (i % 7 == 0)
			rt_detach(task);
		else
			finish(task, 0, -ECANCELED);
	}
	return 0;
}

ON_WORKERS(tasks_are_joined_detached_and_cancelled)
{
	struct rt_task *tasks[CREW];
	long each = count_of(1000);

	ended = 0;
	start_all(tasks, storm, &each);
	finish_all(tasks, 0, 0);
	for (rt_time end = rt_in(PATIENCE); ended < CREW * each;) {
		ck_assert_int_lt(rt_now(), end);
		rt_sleep(RT_US(100));
	}
	ck_assert_int_eq(ended, CREW * each);
}

static int count_up(void *arg)
{
	++*(atomic_long *)arg;
	return 0;
}

static int spawn_many(void *arg)
{
	enum { BATCH = 100 };
	struct rt_task *tasks[BATCH];

	for (int i = 0; i < BATCH; i++)
		ck_assert_ptr_nonnull(tasks[i] = rt_spawn(count_up, arg));
	for (int i = 0; i < BATCH; i++)
		finish(tasks[i], 0, 0);
	return 0;
}

ON_WORKERS(each_of_many_tasks_runs_once)
{
	struct rt_task *tasks[CREW];
	atomic_long ran = 0;
	long rounds = count_of(40);

	for (long round = 0; round < rounds; round++) {
		start_all(tasks, spawn_many, &ran);
		finish_all(tasks, 0, 0);
	}
	ck_assert_int_eq(ran, rounds * CREW * 100);
}

/* ---- Scopes ---- */

static int end_or_fail(void *arg)
{
	ended++;
	return arg ? -EIO : 0;
}

static int sleep_on(void *arg)
{
	int err = rt_sleep(arg ? RT_FOREVER : RT_US(30));

	ended++;
	return err;
}

/* Children fail while others are still being spawned, and spawn more of them. */
static int spawn_two(void *arg)
{
	ended++;
	for (int i = 0; i < 2; i++) {
		struct rt_task *child = rt_scope_spawn(arg, sleep_on, arg);

		ck_assert_ptr_nonnull(child);
	}
	return 0;
}

static int open_scopes(void *arg)
{
	for (long i = 0; i < *(long *)arg; i++) {
		struct rt_scope scope;

		rt_scope_enter(&scope, i % 4 == 3 ? rt_in(RT_US(40)) : RT_FOREVER);
		for (int child = 0; child < 3; child++) {
			ck_assert_ptr_nonnull(
				rt_scope_spawn(&scope, end_or_fail, child == 1 ? &scope : NULL));
			ck_assert_ptr_nonnull(rt_scope_spawn(&scope, sleep_on, child ? &scope : NULL));
			ck_assert_ptr_nonnull(rt_scope_spawn(&scope, spawn_two, &scope));
		}
		int err = rt_scope_leave(&scope);

		if (err != -EIO && err != -ETIMEDOUT)
			ck_abort_msg("a scope ended with %d", err);
		ck_assert_uint_eq(rt_scope_failures(&scope), 1);
	}
	return 0;
}

ON_WORKERS(nothing_outlives_its_scope)
{
	struct rt_task *tasks[CREW];
	long each = count_of(30);

	ended = 0;
	start_all(tasks, open_scopes, &each);
	finish_all(tasks, 0, 0);
	ck_assert_int_eq(ended, CREW * each * 15);
}

/* ---- Runs ---- */

static int start_and_end(void *arg)
{
	struct rt_task *tasks[CREW];
	atomic_long ran = 0;

	start_all(tasks, count_up, &ran);
	if (arg)
		finish_all(tasks, 0, 0);
	else
		for (int i = 0; i < CREW; i++)
			finish(tasks[i], 0, 0);
	return (int)ran;
}

START_TEST(runs_begin_and_end)
{
	for (long i = count_of(100); i > 0; i--)
		ck_assert_int_eq(run_on(_i, start_and_end, i % 2 ? &ended : NULL), CREW);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("workers_stress");
	TCase *tcase = tcase_create("workers");

	tcase_set_timeout(tcase, 300);
	ADD(tcase, channels_lose_and_double_nothing);
	ADD(tcase, channels_are_closed_in_the_middle);
	ADD(tcase, deadlines_race_with_wakes);
	ADD(tcase, nobody_sleeps_too_short_or_for_ever);
	ADD(tcase, locks_are_held_by_one_and_given_on);
	ADD(tcase, tasks_are_joined_detached_and_cancelled);
	ADD(tcase, each_of_many_tasks_runs_once);
	ADD(tcase, nothing_outlives_its_scope);
	ADD(tcase, runs_begin_and_end);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
