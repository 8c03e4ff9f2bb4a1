/* SPDX-License-Identifier: MIT */
/* Tasks that do nothing but wait for one thing, and a look at the queue in which they do. */
#ifndef RT_TESTS_WAITERS_H
#define RT_TESTS_WAITERS_H

#include "base/list.h"
#include "support/pair.h"

#include <errno.h>

static inline size_t queue_length(const struct rt_waiter *queue)
{
	size_t length = 0;

	for (const struct rt_waiter *waiter = queue; waiter; length++)
		waiter = waiter->next == queue ? NULL : waiter->next;
	return length;
}

/* Lets the others run until that many wait in the queue. */
static inline void await_queue(struct rt_waiter **queue, size_t length)
{
	while (queue_length(*queue) != length)
		ck_assert_int_eq(rt_yield(), 0);
}

typedef int wait_fn(void *source, rt_time deadline);

struct waiting {
	wait_fn *wait;
	void *source;
	rt_time deadline;
	int ended; /* as the how manieth; 0: not yet */
	struct rt_task *task;
};

static int waits_ended;

static inline int run_wait(void *arg)
{
	struct waiting *waiting = arg;
	int result = waiting->wait(waiting->source, waiting->deadline);

	waiting->ended = ++waits_ended;
	return result;
}

static inline void start_wait(struct waiting *waiting, wait_fn *wait, void *source, rt_time deadline)
{
	*waiting = (struct waiting){wait, source, deadline, 0, NULL};
	waiting->task = spawn_task(run_wait, waiting);
}

/* Who leaves, of three: from the loop's index of a test, 0 to WAYS_TO_LEAVE. */
enum { WAYS_TO_LEAVE = 6 };

/*
 * Three wait, and one leaves, being cancelled or at its deadline. Then each serve()
 * is for one of the others, in order.
 */
static inline void check_leaving(int way, wait_fn *wait, void *source, struct rt_waiter **queue,
				 void (*serve)(void *source))
{
	struct waiting waiting[3];
	int leaver = way % 3;
	bool by_deadline = way >= 3;

	for (int i = 0; i < 3; i++)
		start_wait(&waiting[i], wait, source,
			   i == leaver && by_deadline ? rt_in(RT_MS(1)) : RT_FOREVER);
	if (!by_deadline) {
		await_queue(queue, 3);
		rt_cancel(waiting[leaver].task);
	}
	ck_assert_int_eq(join_task(waiting[leaver].task), by_deadline ? -ETIMEDOUT : -ECANCELED);
	ck_assert_uint_eq(queue_length(*queue), 2);
	for (int i = 0; i < 3; i++) {
		if (i == leaver)
			continue;
		serve(source);
		ck_assert_int_eq(join_task(waiting[i].task), 0);
	}
	ck_assert_ptr_null(*queue);
	ck_assert_int_lt(waiting[leaver == 0 ? 1 : 0].ended, waiting[leaver == 2 ? 1 : 2].ended);
}

/*
 * One waits, is served, and is cancelled before it runs; its deadline has passed as
 * well. The wait must have succeeded.
 */
static inline void check_served_beats_leaving(wait_fn *wait, void *source, struct rt_waiter **queue,
					      void (*serve)(void *source))
{
	struct waiting waiting;

	start_wait(&waiting, wait, source, rt_in(RT_S(1000)));
	await_queue(queue, 1);
	serve(source);
	rt_cancel(waiting.task);
	ck_assert_int_eq(join_task(waiting.task), 0);
	start_wait(&waiting, wait, source, rt_in(RT_MS(50)));
	await_queue(queue, 1);
	serve(source);
	while (rt_now() < waiting.deadline)
		;
	ck_assert_int_eq(join_task(waiting.task), 0);
}

/* Those that wait when their source is destroyed get -EPIPE. */
static inline void check_destroying(wait_fn *wait, void *source, struct rt_waiter **queue,
				    void (*destroy)(void *source))
{
	struct waiting waiting[3];

	for (int i = 0; i < 3; i++)
		start_wait(&waiting[i], wait, source, RT_FOREVER);
	await_queue(queue, 3);
	destroy(source);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(join_task(waiting[i].task), -EPIPE);
}

/*
 * A task that never has to wait still lets the others run. operate() does at least
 * one operation and must succeed; at most 1000 times before another task has run.
 */
static inline int raise_flag(void *arg)
{
	return *(bool *)arg = true;
}

static inline void check_giving_way(int (*operate)(void *source), void *source)
{
	bool raised = false;
	struct rt_task *other = spawn_task(raise_flag, &raised);

	for (int i = 0; i < 1000 && !raised; i++)
		ck_assert_int_eq(operate(source), 0);
	ck_assert(raised);
	join_task(other);
}

#endif
