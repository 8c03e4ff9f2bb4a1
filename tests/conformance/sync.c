/* SPDX-License-Identifier: MIT */
/* What tasks wait for on each other: channels, select, mutexes, semaphores, wait groups. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "conformance.h"

#include "support/suite.h"

#include <errno.h>

/* ---- Channels ---- */

struct line {
	struct rt_chan *there, *back;
	int rounds;
};

static int answer(void *arg)
{
	struct line *line = arg;
	int number;

	while (rt_chan_recv(line->there, &number, rt_in(PATIENCE)) == 0) {
		number++;
		ck_assert_int_eq(rt_chan_send(line->back, &number, rt_in(PATIENCE)), 0);
	}
	return 0;
}

static void ping_pong(size_t capacity)
{
	struct line line = {.rounds = scaled(5000, 10)};
	int number = 0;

	ck_assert_int_eq(rt_chan_create(&line.there, sizeof number, capacity), 0);
	ck_assert_int_eq(rt_chan_create(&line.back, sizeof number, capacity), 0);
	struct rt_task *task = start(answer, &line);

	for (int i = 0; i < line.rounds; i++) {
		ck_assert_int_eq(rt_chan_send(line.there, &number, rt_in(PATIENCE)), 0);
		ck_assert_int_eq(rt_chan_recv(line.back, &number, rt_in(PATIENCE)), 0);
	}
	ck_assert_int_eq(number, line.rounds);
	rt_chan_close(line.there);
	ck_assert_int_eq(finish(task), 0);
	rt_chan_destroy(line.there);
	rt_chan_destroy(line.back);
}

ON_EVERY(two_tasks_play_ping_pong)
{
	ping_pong(0);
	ping_pong(1);
}

enum { SENDERS = 8, RECEIVERS = 4, MESSAGES = 500 };
static struct rt_chan *shared;
static atomic_int received[SENDERS * MESSAGES];

static int send_many(void *arg)
{
	int first = (int)(intptr_t)arg * MESSAGES;

	for (int i = first; i < first + MESSAGES; i++)
		ck_assert_int_eq(rt_chan_send(shared, &i, rt_in(PATIENCE)), 0);
	return 0;
}

/* What one sender has sent comes in its order. */
static int receive_many(void *arg)
{
	int last[SENDERS], number, err;

	(void)arg;
	for (int i = 0; i < SENDERS; i++)
		last[i] = -1;
	while ((err = rt_chan_recv(shared, &number, rt_in(PATIENCE))) == 0) {
		ck_assert_int_gt(number, last[number / MESSAGES]);
		last[number / MESSAGES] = number;
		atomic_fetch_add(&received[number], 1);
	}
	return err;
}

static void pass_on(size_t capacity)
{
	struct rt_task *senders[SENDERS], *receivers[RECEIVERS];

	ck_assert_int_eq(rt_chan_create(&shared, sizeof(int), capacity), 0);
	for (int i = 0; i < RECEIVERS; i++)
		receivers[i] = start(receive_many, NULL);
	for (int i = 0; i < SENDERS; i++)
		senders[i] = start(send_many, (void *)(intptr_t)i);
	for (int i = 0; i < SENDERS; i++)
		ck_assert_int_eq(finish(senders[i]), 0);
	rt_chan_close(shared);
	for (int i = 0; i < RECEIVERS; i++)
		ck_assert_int_eq(finish(receivers[i]), -EPIPE);
	rt_chan_destroy(shared);
	for (int i = 0; i < SENDERS * MESSAGES; i++)
		ck_assert_int_eq(atomic_exchange(&received[i], 0), 1);
}

ON_EVERY(channels_lose_and_double_nothing)
{
	pass_on(0);
	pass_on(1);
	pass_on(64);
}

/* Receivers that are cancelled take nothing along. */
static atomic_int taken;

static int take(void *arg)
{
	int number, err = 0;

	(void)arg;
	while ((err = rt_chan_recv(shared, &number, rt_in(PATIENCE))) == 0)
		atomic_fetch_add(&taken, 1);
	return err;
}

ON_EVERY(a_cancelled_receiver_loses_nothing)
{
	ck_assert_int_eq(rt_chan_create(&shared, sizeof(int), 0), 0);
	for (int i = 0; i < 200; i++) {
		struct rt_task *first = start(take, NULL), *second = start(take, NULL);

		ck_assert_int_eq(rt_chan_send(shared, &i, rt_in(PATIENCE)), 0);
		rt_cancel(first);
		ck_assert_int_eq(finish(first), -ECANCELED);
		ck_assert_int_eq(rt_chan_send(shared, &i, rt_in(PATIENCE)), 0);
		rt_cancel(second);
		ck_assert_int_eq(finish(second), -ECANCELED);
	}
	ck_assert_int_eq(atomic_load(&taken), 400);
	rt_chan_destroy(shared);
}

/* ---- Select ---- */

static int send_on(void *arg)
{
	for (int i = 0; i < MESSAGES; i++)
		ck_assert_int_eq(rt_chan_send(arg, &i, rt_in(PATIENCE)), 0);
	return 0;
}

/* Two who select from the same two channels: each message goes to one of them. */
static struct rt_chan *both[2];

static int select_many(void *arg)
{
	int count = 0;

	for (;;) {
		int number = -1;
		struct rt_select_case cases[] = {RT_CASE_RECV(both[0], &number),
						 RT_CASE_RECV(both[1], &number)};
		int chosen = rt_select(cases, 2, rt_in(PATIENCE));

		(void)arg;
		ck_assert_int_ge(chosen, 0);
		if (cases[chosen].result == -EPIPE)
			return count;
		ck_assert_int_ge(number, 0);
		count++;
	}
}

ON_EVERY(select_takes_each_once)
{
	struct rt_task *senders[2], *selectors[2];

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(rt_chan_create(&both[i], sizeof(int), (size_t)i), 0);
		senders[i] = start(send_on, both[i]);
	}
	for (int i = 0; i < 2; i++)
		selectors[i] = start(select_many, NULL);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(finish(senders[i]), 0);
	/* What is still buffered is received before the end of its channel is. */
	for (rt_time end = rt_in(PATIENCE); rt_chan_count(both[1]) > 0 && rt_now() < end;)
		ck_assert_int_eq(rt_yield(), 0);
	rt_chan_close(both[0]);
	rt_chan_close(both[1]);
	int count = finish(selectors[0]);

	ck_assert_int_eq(count + finish(selectors[1]), 2 * MESSAGES);
	rt_chan_destroy(both[0]);
	rt_chan_destroy(both[1]);
}

/* ---- Locks ---- */

static struct rt_mutex *mutex;
static int plain; /* guarded by it */

static int add_slowly(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++) {
		ck_assert_int_eq(rt_mutex_lock(mutex, rt_in(PATIENCE)), 0);
		int now = plain;

		if (i % 5 == 0)
			ck_assert_int_eq(rt_yield(), 0);
		plain = now + 1;
		ck_assert_int_eq(rt_mutex_unlock(mutex), 0);
	}
	return 0;
}

ON_EVERY(a_mutex_excludes)
{
	struct rt_task *tasks[20];

	plain = 0;
	ck_assert_int_eq(rt_mutex_create(&mutex), 0);
	for (int i = 0; i < 20; i++)
		tasks[i] = start(add_slowly, NULL);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(finish(tasks[i]), 0);
	ck_assert_int_eq(plain, 20 * 50);
	rt_mutex_destroy(mutex);
}

static struct rt_semaphore *semaphore;
static struct rt_wait_group *group;
static atomic_int inside, too_many;

static int enter_often(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(rt_semaphore_acquire(semaphore, rt_in(PATIENCE)), 0);
		if (atomic_fetch_add(&inside, 1) >= 3)
			atomic_fetch_add(&too_many, 1);
		ck_assert_int_eq(rt_yield(), 0);
		atomic_fetch_sub(&inside, 1);
		ck_assert_int_eq(rt_semaphore_release(semaphore), 0);
	}
	return rt_wait_group_done(group);
}

ON_EVERY(a_semaphore_admits_so_many)
{
	ck_assert_int_eq(rt_semaphore_create(&semaphore, 3), 0);
	ck_assert_int_eq(rt_wait_group_create(&group), 0);
	ck_assert_int_eq(rt_wait_group_add(group, 20), 0);
	struct rt_task *tasks[20];

	for (int i = 0; i < 20; i++)
		tasks[i] = start(enter_often, NULL);
	ck_assert_int_eq(rt_wait_group_wait(group, rt_in(PATIENCE)), 0);
	ck_assert_int_eq(atomic_load(&too_many), 0);
	ck_assert_uint_eq(rt_semaphore_permits(semaphore), 3);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(finish(tasks[i]), 0);
	rt_wait_group_destroy(group);
	rt_semaphore_destroy(semaphore);
}

void add_sync(Suite *suite)
{
	TCase *tcase = new_case(suite, "sync");

	ADD(tcase, two_tasks_play_ping_pong);
	ADD(tcase, channels_lose_and_double_nothing);
	ADD(tcase, a_cancelled_receiver_loses_nothing);
	ADD(tcase, select_takes_each_once);
	ADD(tcase, a_mutex_excludes);
	ADD(tcase, a_semaphore_admits_so_many);
}
