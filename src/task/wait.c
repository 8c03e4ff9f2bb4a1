/* SPDX-License-Identifier: MIT */
/* The one door to suspend through; see task.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/fault.h"
#include "task/cancel.h"

#include <errno.h>

void wait_wake(struct rt_waiter *waiter, int result)
{
	struct rt_task *task = container_of(waiter, struct rt_task, wait.waiter);

	/* wait_still() looks at it without a lock. */
	__atomic_store_n(&task->wait.result, result, __ATOMIC_RELAXED);
	task_wake(task);
}

static void expire(struct rt_waiter *waiter, int result)
{
	struct rt_task *task = container_of(waiter, struct wait_timer, timer.waiter)->task;

	(void)result;
	task->wait.expired = true;
	task_wake(task);
}

/* Whoever goes on waiting after a cancellation must still let the others run. */
static bool give_way(struct rt_task *task)
{
	task_wake(task);
	return true;
}

/* A seeded schedule can switch at every wait, even at one that is over already. */
static bool must_switch(void)
{
	struct self *self = self_get();

	return __builtin_expect(self->seeded, 0) && self_spend(self);
}

static bool arm(struct rt_task *task, rt_time deadline, struct wait_timer *timer)
{
	struct rt_runtime *runtime = task->home->runtime;
	struct task_wait *wait = &task->wait;

	*timer = (struct wait_timer){.timer.waiter.wake = expire, .timer.deadline = deadline, .task = task};
	if (runtime->ops->arm(runtime, &timer->timer) == 0) {
		wait->timer = timer;
		return true;
	}
	wait->expired = true;
	if (wait->by_frame)
		frames_expire(task, deadline);
	return give_way(task);
}

static bool begin(struct rt_task *task, rt_time deadline, struct wait_timer *timer)
{
	struct task_wait *wait = &task->wait;

	/* Over already; what was notified still has to give way once. */
	if (wait->result != WAIT_PENDING)
		return task_state(task) == TASK_NOTIFIED || (must_switch() && give_way(task));
	if (task->interrupted)
		return give_way(task);
	rt_time outer = task_deadline(task);

	wait->by_frame = outer < deadline;
	if (wait->by_frame)
		deadline = outer;
	if (deadline == RT_FOREVER)
		return true;
	if (deadline > RT_NOW)
		return arm(task, deadline, timer);
	wait->expired = true;
	return wait->by_frame && give_way(task);
}

bool wait_begin(struct rt_task *task, rt_time deadline, struct wait_timer *timer)
{
	struct rt_runtime *runtime = task->home->runtime;

	if (wait_is_plain(task, deadline)) {
		task->wait.by_frame = false;
		return true;
	}
	rt_runtime_lock(runtime);
	bool suspend = begin(task, deadline, timer);

	rt_runtime_unlock(runtime);
	return suspend;
}

static void nothing_to_detach(struct task_wait *wait)
{
	(void)wait;
}

static const struct wait_kind turn = {.what = "yield", .detach = nothing_to_detach};

/* A turn takes no timer: the deadline of the frames is looked at when it ends. */
static __attribute__((noinline)) bool frames_interrupt(struct rt_task *task)
{
	if (task_deadline(task) != RT_FOREVER)
		frames_expire(task, rt_now());
	return task->interrupted;
}

static inline bool turn_is_interrupted(struct rt_task *task)
{
	return task->interrupted || (task->frame && frames_interrupt(task));
}

static __attribute__((noinline)) void disarm_timer(struct task_wait *wait)
{
	struct rt_runtime *runtime = self_get()->runtime;

	if (!FAULT(timer_stays))
		runtime->ops->disarm(runtime, &wait->timer->timer);
	wait->timer = NULL;
}

static inline void disarm(struct task_wait *wait)
{
	if (wait->timer)
		disarm_timer(wait);
}

/* The event has not happened. */
static __attribute__((noinline)) int end_without(struct rt_task *task)
{
	struct task_wait *wait = &task->wait;

	wait->kind->detach(wait);
	if (wait->expired && wait->by_frame)
		frames_expire(task, rt_now());
	return wait->result = task->interrupted || wait->by_frame ? -ECANCELED : -ETIMEDOUT;
}

static inline __attribute__((always_inline)) int end(struct rt_task *task)
{
	struct task_wait *wait = &task->wait;

	disarm(wait);
	if (wait->result == WAIT_PENDING)
		return end_without(task);
	if (wait->kind == &turn && turn_is_interrupted(task))
		wait->result = -ECANCELED;
	return wait->result;
}

int wait_end(struct rt_task *task)
{
	struct rt_runtime *runtime = self_lock();
	int result = end(task);

	self_unlock(runtime);
	return result;
}

/* What wait_end() gives, if the wait is over; else WAIT_PENDING. */
static __attribute__((noinline)) int try_to_end(struct rt_task *task)
{
	struct rt_runtime *runtime = task->home->runtime;

	rt_runtime_lock(runtime);
	int result = wait_over(task) ? end(task) : WAIT_PENDING;

	rt_runtime_unlock(runtime);
	return result;
}

/* Takes back a wait on a stack that cannot be left. */
static __attribute__((noinline)) int give_up(struct rt_task *task, int err)
{
	struct rt_runtime *runtime = self_lock();
	struct task_wait *wait = &task->wait;

	disarm(wait);
	if (wait->result == WAIT_PENDING)
		wait->kind->detach(wait);
	wait->result = err;
	self_unlock(runtime);
	return err;
}

/*
 * Until the wait is over; it has begun. Inline: of what waits, a dump leaves out just one frame. A plain one
 * that is over as it should be has nothing to end, unless a second thread has come to run this meanwhile.
 */
static inline __attribute__((always_inline)) int park(struct rt_task *task, bool plain)
{
	for (;;) {
		int err = task->home->ops->park(task);

		if (err < 0)
			return give_up(task, err);
		if (plain && !task->home->runtime->shared && task->wait.result != WAIT_PENDING)
			return task->wait.result;
		int result = try_to_end(task);

		if (result != WAIT_PENDING)
			return result;
	}
}

int task_suspend_plain(struct rt_task *task)
{
	task->wait.by_frame = false;
	return park(task, true);
}

int task_suspend_timed(struct rt_task *task, rt_time deadline)
{
	struct rt_runtime *runtime = task->home->runtime;
	struct wait_timer timer;

	if (begin(task, deadline, &timer)) {
		rt_runtime_unlock(runtime);
		return park(task, false);
	}
	int result = end(task);

	rt_runtime_unlock(runtime);
	return result;
}

bool wait_still(struct rt_task *task)
{
	struct rt_runtime *runtime = task->home->runtime;

	/* The event, once it has happened, is not taken back. */
	if (__atomic_load_n(&task->wait.result, __ATOMIC_RELAXED) != WAIT_PENDING)
		return false;
	rt_runtime_lock(runtime);
	bool over = wait_over(task);

	rt_runtime_unlock(runtime);
	return !over;
}

void task_publish_turn(struct rt_task *task)
{
	wait_prepare(task, &turn, NULL);
	task->wait.result = 0;
	task_wake(task);
}

void task_await_turn(struct rt_task *task)
{
	struct rt_runtime *runtime = task->home->runtime;

	rt_runtime_lock(runtime);
	task_publish_turn(task);
	rt_runtime_unlock(runtime);
}

void task_await_deadline(struct rt_task *task)
{
	static const struct wait_kind sleeping = {.what = "sleep", .detach = nothing_to_detach};
	struct rt_runtime *runtime = self_lock();

	wait_prepare(task, &sleeping, NULL);
	self_unlock(runtime);
}

int task_slept(int result)
{
	return result == -ETIMEDOUT ? 0 : result;
}

int rt_yield(void)
{
	struct rt_task *task = self_get()->task;

	if (!task)
		return -EPERM;
	struct rt_runtime *runtime = task->home->runtime;

	rt_runtime_lock(runtime);
	task_publish_turn(task);
	rt_runtime_unlock(runtime);
	return park(task, false);
}
