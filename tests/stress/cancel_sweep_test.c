/* SPDX-License-Identifier: MIT */
/*
 * Cancels one task at every place where any task waits: small programs over every
 * primitive run under schedules that chance makes from a seed; a first run counts the
 * waits, then there is a run for each of them, in which the task that waits there is
 * cancelled. Nothing may get lost, nobody may still be in a queue, and all must end.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/suite.h"
#include "support/waiters.h"
#include "sync/chan.h"
#include "sync/event.h"
#include "sync/mutex.h"
#include "sync/semaphore.h"
#include "sync/wait_group.h"

#include <stdio.h>
#include <string.h>

enum { TASKS_MAX = 8, VALUES_MAX = 64, ROUNDS = 4, PERMITS = 2, SEEDS = 40 };

static struct {
	uint32_t chance;
	unsigned waits;
	unsigned cancel_at; /* the number of a wait; 0: none */
	bool cancel_later; /* after others have run, not at once */
	struct rt_task *tasks[TASKS_MAX];
	unsigned task_count;
	rt_task_fn *jobs[TASKS_MAX];
	unsigned cancelled; /* tasks that ended so */

	struct rt_chan *chans[2];
	struct rt_mutex *mutex;
	struct rt_semaphore *semaphore;
	struct rt_event *event;
	struct rt_wait_group *group;
	int values; /* given out so far */
	bool sent[VALUES_MAX];
	bool received[VALUES_MAX];
	int senders, receivers, setters; /* that have not ended */
	int inside;
} run;

/* ---- Chance ---- */

static unsigned chance(unsigned count)
{
	run.chance = run.chance * 1664525u + 1013904223u;
	return (unsigned)((uint64_t)run.chance * count >> 32);
}

/* Lets the others run, or not. -ECANCELED at times. */
static int stir(void)
{
	int err = 0;

	for (unsigned i = chance(3); i > 0 && err == 0; i--)
		err = rt_yield();
	return err;
}

/* Some waits are tried first in a way that gives up at once. */
static rt_time some_deadline(void)
{
	return chance(4) == 0 ? RT_NOW : RT_FOREVER;
}

/* ---- Cancelling at a wait ---- */

static int (*real_park)(struct rt_task *task);
static struct task_ops counting_ops;
static struct task_home counting_home;

static int cancel_it(void *task)
{
	for (unsigned i = chance(4); i > 0; i--)
		rt_yield();
	rt_cancel(task);
	return 0;
}

static int counting_park(struct rt_task *task)
{
	if (++run.waits == run.cancel_at) {
		if (run.cancel_later) {
			run.tasks[run.task_count++] = spawn_task(cancel_it, task);
		} else {
			rt_cancel(task);
			task_wake(task);
		}
	}
	return real_park(task);
}

static void count_waits_of(struct rt_task *task)
{
	real_park = task->home->ops->park;
	counting_ops = *task->home->ops;
	counting_ops.park = counting_park;
	counting_home = (struct task_home){task->home->executor, &counting_ops, task->home->runtime};
	task->home = &counting_home;
}

/* ---- The tasks: each ends with 0, -EPIPE or -ECANCELED ---- */

static int send_value(struct rt_chan *chan)
{
	int value = run.values++;
	int err = rt_chan_send(chan, &value, some_deadline());

	if (err == -ETIMEDOUT)
		err = rt_chan_send(chan, &value, RT_FOREVER);
	if (err == 0)
		run.sent[value] = true;
	return err;
}

static void note_received(int value)
{
	ck_assert(!run.received[value]);
	run.received[value] = true;
}

static int sender(void *arg)
{
	int err = 0;

	(void)arg;
	for (int i = 0; i < ROUNDS && err == 0; i++) {
		err = send_value(run.chans[0]);
		if (err == 0)
			err = stir();
	}
	if (--run.senders == 0)
		rt_chan_close(run.chans[0]);
	return err;
}

static int receiver(void *arg)
{
	int value, err = 0;

	(void)arg;
	while (err == 0) {
		err = rt_chan_recv(run.chans[0], &value, some_deadline());
		if (err == -ETIMEDOUT)
			err = rt_chan_recv(run.chans[0], &value, RT_FOREVER);
		if (err == 0) {
			note_received(value);
			err = stir();
		}
	}
	if (--run.receivers == 0)
		rt_chan_close(run.chans[0]);
	return err;
}

static int locker(void *arg)
{
	int err = 0;

	(void)arg;
	for (int i = 0; i < ROUNDS && err == 0; i++) {
		err = rt_mutex_lock(run.mutex, RT_FOREVER);
		if (err < 0)
			break;
		ck_assert_int_eq(run.inside++, 0);
		err = stir();
		run.inside--;
		ck_assert_int_eq(rt_mutex_unlock(run.mutex), 0);
	}
	return err;
}

static int acquirer(void *arg)
{
	int err = 0;

	(void)arg;
	for (int i = 0; i < ROUNDS && err == 0; i++) {
		err = rt_semaphore_acquire(run.semaphore, RT_FOREVER);
		if (err < 0)
			break;
		ck_assert_int_lt(run.inside++, PERMITS);
		err = stir();
		run.inside--;
		ck_assert_int_eq(rt_semaphore_release(run.semaphore), 0);
	}
	return err;
}

static int setter(void *arg)
{
	int err = 0;

	(void)arg;
	for (int i = 0; i < ROUNDS && err == 0; i++) {
		rt_event_clear(run.event);
		err = stir();
		rt_event_set(run.event);
		if (err == 0)
			err = stir();
	}
	run.setters--;
	rt_event_set(run.event);
	return err;
}

static int event_waiter(void *arg)
{
	int err = 0;

	(void)arg;
	while (err == 0 && run.setters > 0) {
		err = rt_event_wait(run.event, RT_FOREVER);
		if (err == 0)
			err = rt_yield();
	}
	return err;
}

static int group_worker(void *arg)
{
	int err = 0;

	(void)arg;
	for (int i = 0; i < ROUNDS && err == 0; i++)
		err = stir();
	run.inside--;
	ck_assert_int_eq(rt_wait_group_done(run.group), 0);
	return err;
}

static int group_waiter(void *arg)
{
	int err = rt_wait_group_wait(run.group, RT_FOREVER);

	(void)arg;
	ck_assert(err < 0 || run.inside == 0);
	return err;
}

/* Sends to one channel or receives from the other, until somebody has ended. */
static int selector(void *arg)
{
	int side = *(int *)arg, index = 0, in = -1;

	for (int i = 0; i < 3 * ROUNDS && index >= 0; i++) {
		int out = run.values++;
		struct rt_select_case cases[] = {
			RT_CASE_SEND(run.chans[side], &out),
			RT_CASE_RECV(run.chans[1 - side], &in),
			RT_CASE_RECV(run.chans[side], &in),
			RT_CASE_EVENT(run.event),
		};

		index = rt_select(cases, 4, RT_FOREVER);
		if (index == 0)
			run.sent[out] = true;
		else if (index == 1 || index == 2)
			note_received(in);
		if (index < 0 || index == 3)
			break;
		index = stir();
	}
	rt_event_set(run.event);
	return index < 0 ? index : 0;
}

/* ---- The programs ---- */

static void open_chans(size_t capacity)
{
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(rt_chan_create(&run.chans[i], sizeof(int), capacity), 0);
}

static void add_jobs(rt_task_fn *job, unsigned count)
{
	while (count-- > 0)
		run.jobs[run.task_count++] = job;
}

static void add_senders_and_receivers(size_t capacity)
{
	open_chans(capacity);
	add_jobs(sender, (unsigned)(run.senders = 3));
	add_jobs(receiver, (unsigned)(run.receivers = 2));
}

static void rendezvous(void)
{
	add_senders_and_receivers(0);
}

static void buffer_of_one(void)
{
	add_senders_and_receivers(1);
}

static void buffer_of_three(void)
{
	add_senders_and_receivers(3);
}

static void mutex(void)
{
	ck_assert_int_eq(rt_mutex_create(&run.mutex), 0);
	add_jobs(locker, 5);
}

static void semaphore(void)
{
	ck_assert_int_eq(rt_semaphore_create(&run.semaphore, PERMITS), 0);
	add_jobs(acquirer, 6);
}

static void event(void)
{
	ck_assert_int_eq(rt_event_create(&run.event), 0);
	add_jobs(setter, (unsigned)(run.setters = 2));
	add_jobs(event_waiter, 3);
}

static void wait_group(void)
{
	ck_assert_int_eq(rt_wait_group_create(&run.group), 0);
	ck_assert_int_eq(rt_wait_group_add(run.group, run.inside = 4), 0);
	add_jobs(group_worker, 4);
	add_jobs(group_waiter, 3);
}

static void select_with(size_t capacity)
{
	open_chans(capacity);
	ck_assert_int_eq(rt_event_create(&run.event), 0);
	add_jobs(selector, 4);
}

static void select_rendezvous(void)
{
	select_with(0);
}

static void select_buffer(void)
{
	select_with(1);
}

static const struct program {
	const char *name;
	void (*set_up)(void);
} programs[] = {
	{"rendezvous", rendezvous},
	{"buffer of one", buffer_of_one},
	{"buffer of three", buffer_of_three},
	{"mutex", mutex},
	{"semaphore", semaphore},
	{"event", event},
	{"wait group", wait_group},
	{"select, rendezvous", select_rendezvous},
	{"select, buffer", select_buffer},
};

/* ---- One run ---- */

static void start_jobs(void)
{
	static int sides[] = {0, 1};

	for (unsigned i = run.task_count; i > 1; i--) {
		unsigned other = chance(i);
		rt_task_fn *job = run.jobs[other];

		run.jobs[other] = run.jobs[i - 1];
		run.jobs[i - 1] = job;
	}
	for (unsigned i = 0; i < run.task_count; i++) {
		run.tasks[i] = spawn_task(run.jobs[i], &sides[i % 2]);
		count_waits_of(run.tasks[i]);
	}
}

/* Which may add one, that cancels. */
static void join_jobs(void)
{
	for (unsigned i = 0; i < run.task_count; i++) {
		int result = join_task(run.tasks[i]);

		ck_assert(result == 0 || result == -EPIPE || result == -ECANCELED);
		if (result == -ECANCELED)
			run.cancelled++;
	}
}

static void check_chan(struct rt_chan *chan)
{
	int value;

	if (!chan)
		return;
	ck_assert_ptr_null(chan->senders);
	ck_assert_ptr_null(chan->receivers);
	while (rt_chan_try_recv(chan, &value) == 0)
		note_received(value);
	rt_chan_destroy(chan);
}

/* Sent is what was received or was still there, no more and no less. */
static void check_values(void)
{
	for (int i = 0; i < 2; i++)
		check_chan(run.chans[i]);
	for (int i = 0; i < run.values; i++)
		ck_assert_int_eq(run.sent[i], run.received[i]);
}

static void check_the_rest(void)
{
	ck_assert(!run.mutex || (!run.mutex->holder && !run.mutex->waiters));
	ck_assert(!run.semaphore || (run.semaphore->permits == PERMITS && !run.semaphore->waiters));
	ck_assert(!run.event || !run.event->waiters);
	ck_assert(!run.group || (run.group->count == 0 && !run.group->waiters));
	ck_assert_uint_le(run.cancelled, 1);
	rt_mutex_destroy(run.mutex);
	rt_semaphore_destroy(run.semaphore);
	rt_event_destroy(run.event);
	rt_wait_group_destroy(run.group);
}

static unsigned run_once(const struct program *program, uint32_t seed, unsigned cancel_at, bool later)
{
	memset(&run, 0, sizeof run);
	run.chance = self_get()->random = seed * 2654435761u;
	run.cancel_at = cancel_at;
	run.cancel_later = later;
	program->set_up();
	start_jobs();
	join_jobs();
	check_values();
	check_the_rest();
	return run.waits;
}

/* Counts into *cancelled the tasks that ended by it. */
static unsigned sweep(const struct program *program, uint32_t seed, unsigned *cancelled)
{
	unsigned count = run_once(program, seed, 0, false);

	ck_assert_uint_eq(run.cancelled, 0);
	for (unsigned k = 1; k <= count; k++) {
		run_once(program, seed, k, false);
		*cancelled += run.cancelled;
		run_once(program, seed, k, true);
	}
	return count;
}

static int sweep_program(void *arg)
{
	const struct program *program = &programs[*(int *)arg];
	unsigned count = 0, cancelled = 0;

	for (int seed = 1; seed <= scaled(SEEDS, 10); seed++)
		count += sweep(program, (uint32_t)seed, &cancelled);
	/* Most waits that are cancelled must fail, or the sweep has missed. */
	ck_assert_uint_gt(cancelled, count / 2);
	printf("%s: cancelled at each of %u waits, twice\n", program->name, count);
	return 0;
}

START_TEST(every_wait_is_cancelled)
{
	ck_assert_int_eq(rt_run(&rt_native, NULL, sweep_program, &_i, NULL), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cancel_sweep");
	TCase *tcase = tcase_create("cancel_sweep");

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, every_wait_is_cancelled, 0, sizeof programs / sizeof *programs);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
