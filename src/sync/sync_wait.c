/* SPDX-License-Identifier: MIT */
/* Waiting for one of several cases; see sync_wait.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sync/sync_wait.h"

#include "base/fault.h"

#include <errno.h>

static void enqueue(struct sync_case *sync_case)
{
	ring_push(sync_case->queue, &sync_case->waiter);
}

static void dequeue(struct sync_case *sync_case)
{
	if (sync_case->waiter.next)
		ring_remove(sync_case->queue, &sync_case->waiter);
}

static void dequeue_all(struct sync_wait *wait)
{
	for (unsigned i = 0; i < wait->count; i++)
		dequeue(&wait->cases[i]);
}

void sync_detach(struct task_wait *wait)
{
	if (FAULT(wait_stays))
		return;
	dequeue_all(wait->source);
}

static void choose(struct sync_case *sync_case, int result)
{
	struct sync_wait *wait = sync_case->wait;

	wait->chosen = (unsigned)(sync_case - wait->cases);
	wait->result = result;
}

void sync_complete(struct sync_case *sync_case, int result)
{
	struct sync_wait *wait = sync_case->wait;

	if (FAULT(select_stays))
		dequeue(sync_case);
	else
		dequeue_all(wait);
	choose(sync_case, result);
	wait_wake(&wait->task->wait.waiter, result);
}

void sync_complete_all(struct rt_waiter **queue, int result)
{
	while (*queue)
		sync_complete(sync_first(*queue), result);
}

/* Where the source is no sync_case's, a task's end: it has done all there was to do. */
static void wake(struct rt_waiter *waiter, int result)
{
	sync_complete(container_of(waiter, struct sync_case, waiter), result);
}

static inline void init(struct sync_wait *wait, struct rt_task *task, struct sync_case *cases, unsigned count)
{
	*wait = (struct sync_wait){task, cases, count, 0, WAIT_PENDING};
	for (unsigned i = 0; i < count; i++) {
		cases[i].waiter = (struct rt_waiter){.wake = wake};
		cases[i].wait = wait;
		cases[i].order = i;
	}
}

/* Fisher and Yates's shuffle, as far as needed: each place gets one of those that have none yet. */
static struct sync_case *draw(struct sync_wait *wait, unsigned place)
{
	struct sync_case *cases = wait->cases;
	unsigned left = wait->count - place;
	unsigned drawn = left > 1 ? place + self_choose(left) : place;
	unsigned index = cases[drawn].order;

	cases[drawn].order = cases[place].order;
	cases[place].order = index;
	return &cases[index];
}

static bool try(struct sync_case *sync_case)
{
	int result = sync_case->kind->try(sync_case);

	if (result == -EAGAIN)
		return false;
	choose(sync_case, result);
	return true;
}

static inline bool try_all(struct sync_wait *wait)
{
	if (wait->count == 1)
		return try(wait->cases);
	for (unsigned place = 0; place < wait->count; place++) {
		if (try(draw(wait, place)))
			return true;
	}
	return false;
}

static inline const struct wait_kind *kind_of(const struct sync_wait *wait)
{
	static const struct wait_kind several = {.what = "select", .detach = sync_detach};

	return wait->count == 1 ? &wait->cases->kind->wait : &several;
}

/* Inline, so that a wait for a single case knows it. */
static inline __attribute__((always_inline)) bool await(struct sync_wait *wait, struct self *self,
							struct rt_task *task, struct sync_case *cases,
							unsigned count)
{
	init(wait, task, cases, count);
	bool happened = try_all(wait);

	if (happened && !self_spend(self))
		return false;
	wait_prepare(task, kind_of(wait), wait);
	if (happened) {
		task->wait.result = wait->result;
		task_wake(task);
		return true;
	}
	for (unsigned i = 0; i < count; i++)
		enqueue(&cases[i]);
	return true;
}

bool sync_await(struct sync_wait *wait, struct rt_task *task, struct sync_case *cases, unsigned count)
{
	struct rt_runtime *runtime = task->home->runtime;

	rt_runtime_lock(runtime);
	bool suspend = await(wait, self_get(), task, cases, count);

	rt_runtime_unlock(runtime);
	return suspend;
}

static inline __attribute__((always_inline)) int suspend(struct sync_wait *wait, struct sync_case *cases,
							 unsigned count, rt_time deadline)
{
	struct self *self = self_get();
	struct rt_task *task = self->task;

	if (!task)
		return -EPERM;
	struct rt_runtime *runtime = task->home->runtime;

	rt_runtime_lock(runtime);
	if (await(wait, self, task, cases, count))
		return sync_result(wait, task_suspend_unlock(task, deadline));
	rt_runtime_unlock(runtime);
	return wait->result;
}

int sync_suspend(struct sync_wait *wait, struct sync_case *cases, unsigned count, rt_time deadline)
{
	return suspend(wait, cases, count, deadline);
}

int sync_wait_for(struct sync_case *sync_case, rt_time deadline)
{
	struct sync_wait wait;

	return suspend(&wait, sync_case, 1, deadline);
}
