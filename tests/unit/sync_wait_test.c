/* SPDX-License-Identifier: MIT */
/* What all waits of src/sync have in common: chance, names, timeouts, stacks that cannot be left. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/suite.h"
#include "support/waiters.h"
#include "sync/sync_wait.h"

#include <rt/sync.h>

/* ---- Everything that can be waited for, such that it must be waited for ---- */

static struct rt_chan *chan;
static struct rt_mutex *mutex;
static struct rt_semaphore *semaphore;
static struct rt_event *event;
static struct rt_wait_group *group;

static int hold_mutex(void *arg)
{
	(void)arg;
	ck_assert_int_eq(rt_mutex_lock(mutex, RT_FOREVER), 0);
	rt_sleep(RT_FOREVER);
	return rt_mutex_unlock(mutex);
}

static struct rt_task *open_sources(void)
{
	ck_assert_int_eq(rt_chan_create(&chan, sizeof(int), 0), 0);
	ck_assert_int_eq(rt_mutex_create(&mutex), 0);
	ck_assert_int_eq(rt_semaphore_create(&semaphore, 1), 0);
	ck_assert_int_eq(rt_semaphore_acquire(semaphore, RT_FOREVER), 0);
	ck_assert_int_eq(rt_event_create(&event), 0);
	ck_assert_int_eq(rt_wait_group_create(&group), 0);
	ck_assert_int_eq(rt_wait_group_add(group, 1), 0);
	struct rt_task *holder = spawn_task(hold_mutex, NULL);

	while (rt_mutex_try_lock(mutex) == 0) {
		ck_assert_int_eq(rt_mutex_unlock(mutex), 0);
		rt_yield();
	}
	return holder;
}

static void close_sources(struct rt_task *holder)
{
	rt_cancel(holder);
	ck_assert_int_eq(join_task(holder), 0);
	rt_chan_destroy(chan);
	rt_mutex_destroy(mutex);
	rt_semaphore_destroy(semaphore);
	rt_event_destroy(event);
	rt_wait_group_destroy(group);
}

static int do_send(void *source, rt_time deadline)
{
	(void)source;
	return rt_chan_send(chan, &(int){1}, deadline);
}

static int do_recv(void *source, rt_time deadline)
{
	(void)source;
	return rt_chan_recv(chan, &(int){1}, deadline);
}

static int do_lock(void *source, rt_time deadline)
{
	(void)source;
	return rt_mutex_lock(mutex, deadline);
}

static int do_acquire(void *source, rt_time deadline)
{
	(void)source;
	return rt_semaphore_acquire(semaphore, deadline);
}

static int do_wait_event(void *source, rt_time deadline)
{
	(void)source;
	return rt_event_wait(event, deadline);
}

static int do_wait_group(void *source, rt_time deadline)
{
	(void)source;
	return rt_wait_group_wait(group, deadline);
}

static int do_select(void *source, rt_time deadline)
{
	struct rt_select_case cases[] = {RT_CASE_EVENT(event), RT_CASE_RECV(chan, &(int){1})};

	(void)source;
	return rt_select(cases, 2, deadline);
}

static const struct {
	wait_fn *wait;
	const char *what;
} waits[] = {
	{do_send, "send"},       {do_recv, "receive"},     {do_lock, "lock"},
	{do_acquire, "acquire"}, {do_wait_event, "event"}, {do_wait_group, "wait group"},
	{do_select, "select"},
};
enum { WAITS = sizeof waits / sizeof *waits };

/* ---- Every wait ---- */

IN_TASK(every_wait_has_a_name_and_is_cancelled)
{
	struct rt_task *holder = open_sources();
	struct waiting waiting;

	for (int i = 0; i < WAITS; i++) {
		start_wait(&waiting, waits[i].wait, NULL, RT_FOREVER);
		while (waiting.task->state != TASK_PARKED)
			ck_assert_int_eq(rt_yield(), 0);
		ck_assert_str_eq(waiting.task->wait.kind->what, waits[i].what);
		rt_cancel(waiting.task);
		ck_assert_int_eq(join_task(waiting.task), -ECANCELED);
	}
	close_sources(holder);
}

static int turns;

static int count_turns(void *arg)
{
	(void)arg;
	while (rt_yield() == 0)
		turns++;
	return 0;
}

static int be_stubborn(void *arg)
{
	int before = turns;

	(void)arg;
	for (int i = 0; i < WAITS; i++) {
		ck_assert_int_eq(waits[i].wait(NULL, RT_FOREVER), -ECANCELED);
		ck_assert_int_gt(turns, before);
		before = turns;
	}
	return 0;
}

IN_TASK(every_wait_of_a_cancelled_task_fails_and_gives_way)
{
	struct rt_task *holder = open_sources();
	struct rt_task *other = spawn_task(count_turns, NULL);
	struct rt_task *task = spawn_task(be_stubborn, NULL);

	rt_cancel(task);
	ck_assert_int_eq(join_task(task), 0);
	rt_cancel(other);
	join_task(other);
	close_sources(holder);
}

IN_TASK(every_wait_has_a_deadline)
{
	struct rt_task *holder = open_sources();
	struct rt_timeout timeout;

	for (int i = 0; i < WAITS; i++) {
		rt_time deadline = rt_in(RT_MS(1));

		ck_assert_int_eq(waits[i].wait(NULL, RT_NOW), -ETIMEDOUT);
		ck_assert_int_eq(waits[i].wait(NULL, deadline), -ETIMEDOUT);
		ck_assert_int_ge(rt_now(), deadline);
		rt_timeout_enter(&timeout, rt_in(RT_MS(1)));
		ck_assert_int_eq(waits[i].wait(NULL, RT_FOREVER), -ECANCELED);
		ck_assert_int_eq(rt_timeout_leave(&timeout), -ETIMEDOUT);
	}
	close_sources(holder);
}

struct nesting {
	rt_time outer, inner; /* from now */
	int leave_inner, between, leave_outer;
};

static const struct nesting nestings[] = {
	{RT_S(1000), RT_MS(1), -ETIMEDOUT, 0, 0},
	{RT_MS(1), RT_S(1000), 0, -ECANCELED, -ETIMEDOUT},
	{RT_MS(1), RT_MS(1), -ETIMEDOUT, -ECANCELED, -ETIMEDOUT},
	{RT_S(1000), -1, -ETIMEDOUT, 0, 0},
	{-1, RT_S(1000), 0, -ECANCELED, -ETIMEDOUT},
};

static void wait_nested(wait_fn *wait, const struct nesting *nesting)
{
	struct rt_timeout outer, inner;
	rt_time now = rt_now();

	rt_timeout_enter(&outer, now + nesting->outer);
	rt_timeout_enter(&inner, now + nesting->inner);
	ck_assert_int_eq(wait(NULL, RT_FOREVER), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&inner), nesting->leave_inner);
	ck_assert_int_eq(rt_yield(), nesting->between);
	ck_assert_int_eq(rt_timeout_leave(&outer), nesting->leave_outer);
}

IN_TASK(every_wait_under_two_deadlines)
{
	struct rt_task *holder = open_sources();

	for (int i = 0; i < WAITS; i++) {
		for (size_t j = 0; j < sizeof nestings / sizeof *nestings; j++)
			wait_nested(waits[i].wait, &nestings[j]);
	}
	close_sources(holder);
}

/* ---- Giving way ---- */

/* The budget is used up and an enclosing timeout has passed: what has happened has happened. */
IN_TASK(giving_way_is_not_ended_by_a_timeout)
{
	struct rt_task *holder = open_sources();
	struct rt_timeout timeout;

	ck_assert_int_eq(rt_event_set(event), 0);
	rt_timeout_enter(&timeout, rt_in(-1));
	self_get()->budget = 0;
	ck_assert_int_eq(rt_event_wait(event, RT_FOREVER), 0);
	ck_assert_int_eq(rt_timeout_leave(&timeout), 0);
	close_sources(holder);
}

IN_TASK(a_try_does_not_give_way)
{
	struct rt_task *holder = open_sources();
	bool raised = false;
	struct rt_task *other = spawn_task(raise_flag, &raised);

	ck_assert_int_eq(rt_semaphore_release(semaphore), 0);
	for (int i = 0; i < 2 * TASK_BUDGET; i++) {
		ck_assert_int_eq(rt_semaphore_try_acquire(semaphore), 0);
		ck_assert_int_eq(rt_semaphore_release(semaphore), 0);
	}
	ck_assert(!raised);
	join_task(other);
	close_sources(holder);
}

/* ---- A stack that cannot be left ---- */

static int refuse(struct rt_task *task)
{
	(void)task;
	return -ENOTSUP;
}

IN_TASK(a_stack_that_cannot_be_left)
{
	struct rt_task *holder = open_sources(), *task = rt_task_current();
	const struct task_home *home = task->home;
	struct task_ops refusing = *home->ops;

	refusing.park = refuse;
	task->home = &(struct task_home){home->executor, &refusing, home->runtime};
	for (int i = 0; i < WAITS; i++)
		ck_assert_int_eq(waits[i].wait(NULL, RT_FOREVER), -ENOTSUP);
	/* It cannot give way either, but the permit is taken. */
	ck_assert_int_eq(rt_semaphore_release(semaphore), 0);
	self_get()->budget = 0;
	ck_assert_int_eq(rt_semaphore_acquire(semaphore, RT_FOREVER), 0);
	ck_assert_uint_eq(rt_semaphore_permits(semaphore), 0);
	task->home = home;
	/* Nobody is left to send to, or to receive from. */
	ck_assert_int_eq(rt_chan_try_send(chan, &(int){1}), -EAGAIN);
	ck_assert_int_eq(rt_chan_try_recv(chan, &(int){1}), -EAGAIN);
	close_sources(holder);
}

/* ---- Chance ---- */

START_TEST(chance_is_below_its_bound_and_repeats)
{
	unsigned drawn[100];

	self_get()->random = 5;
	for (unsigned i = 0; i < 100; i++) {
		drawn[i] = self_choose(i + 1);
		ck_assert_uint_le(drawn[i], i);
	}
	self_get()->random = 5;
	for (unsigned i = 0; i < 100; i++)
		ck_assert_uint_eq(self_choose(i + 1), drawn[i]);
	ck_assert_uint_eq(self_choose(1), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sync_wait");
	TCase *tcase = tcase_create("sync_wait");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, every_wait_has_a_name_and_is_cancelled);
	tcase_add_test(tcase, every_wait_of_a_cancelled_task_fails_and_gives_way);
	tcase_add_test(tcase, every_wait_has_a_deadline);
	tcase_add_test(tcase, every_wait_under_two_deadlines);
	tcase_add_test(tcase, giving_way_is_not_ended_by_a_timeout);
	tcase_add_test(tcase, a_try_does_not_give_way);
	tcase_add_test(tcase, a_stack_that_cannot_be_left);
	tcase_add_test(tcase, chance_is_below_its_bound_and_repeats);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
