/* SPDX-License-Identifier: MIT */
/* Task states and ends; see task.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/fault.h"
#include "task/scope.h"

#include <errno.h>
#include <inttypes.h>

static void schedule(struct rt_task *task)
{
	struct rt_executor *executor = task->home->executor;

	task->state = TASK_SCHEDULED;
	executor->schedule(executor, &task->runnable);
}

static void end(struct rt_task *task)
{
	struct rt_runtime *runtime = self_get()->runtime;

	if (--runtime->task_count == 0 && runtime->drained)
		*runtime->drained = true;
	if (task->frame)
		frames_abandon(task);
	while (task->joiners) {
		struct rt_waiter *waiter = task->joiners;

		ring_remove(&task->joiners, waiter);
		waiter->wake(waiter, 0);
		if (FAULT(join_one))
			task_forget_joiners(task);
	}
	task->home->ops->ended(task);
}

static void run(struct rt_runnable *runnable)
{
	struct rt_task *task = container_of(runnable, struct rt_task, runnable);
	struct self *self = self_get();
	struct rt_task *outer = self->task;

	task->state = TASK_RUNNING;
	self->task = task;
	self_refill(self);
	self_turn(self);
	task->home->ops->resume(task);
	self_turn(self);
	self->task = outer;
	if (task->state == TASK_RUNNING)
		task->state = TASK_PARKED;
	else if (task->state == TASK_NOTIFIED)
		schedule(task);
	else
		end(task);
}

void task_init(struct rt_task *task, const struct task_home *home)
{
	*task = (struct rt_task){
		.runnable.run = run,
		.home = home,
		.state = TASK_PARKED,
	};
}

void task_start(struct rt_task *task)
{
	struct rt_runtime *runtime = self_get()->runtime;

	runtime->task_count++;
	/* The end has come: all others have been cancelled. */
	if (runtime->drained)
		task->cancelled = task->interrupted = true;
	schedule(task);
}

void task_finish(struct rt_task *task, int result)
{
	task->result = result;
	task->state = TASK_DONE;
}

void task_wake(struct rt_task *task)
{
	if (task->state == TASK_PARKED || (FAULT(wake_repeated) && task->state == TASK_SCHEDULED) ||
	    (FAULT(wake_hasty) && task->state == TASK_RUNNING))
		schedule(task);
	else if (task->state == TASK_RUNNING && !FAULT(wake_forgotten))
		task->state = TASK_NOTIFIED;
}

uint32_t task_current_id(void)
{
	const struct rt_task *task = self_get()->task;
	uint32_t id = 0, parent;

	if (task)
		task->home->ops->ids(task, &id, &parent);
	return id;
}

const char *rt_task_name(const struct rt_task *task)
{
	return task ? task->home->ops->name(task) : "none";
}

const char *rt_task_site(const struct rt_task *task)
{
	return task ? task->home->ops->site(task) : "?";
}

void task_forget_joiners(struct rt_task *task)
{
	while (task->joiners)
		ring_remove(&task->joiners, task->joiners);
}

static void stop_joining(struct task_wait *wait)
{
	struct rt_task *target = wait->source;

	if (wait->waiter.next && !FAULT(join_stays))
		ring_remove(&target->joiners, &wait->waiter);
}

static void describe_join(const struct task_wait *wait, char *text, size_t size)
{
	const struct rt_task *target = wait->source;
	uint32_t id, parent;

	target->home->ops->ids(target, &id, &parent);
	snprintf(text, size, "task %" PRIu32 ", spawned at %s", id, rt_task_site(target));
}

static const struct wait_kind join = {"join", stop_joining, describe_join};

/* Whether target cannot end before task: it is the same, or owns a scope around it. */
static bool outlasts(const struct rt_task *target, const struct rt_task *task)
{
	if (target == task)
		return true;
	for (struct rt_frame *frame = task->frame; frame; frame = frame_around(frame)) {
		if (frame->task == target)
			return true;
	}
	return false;
}

/* Whether target outlasts task, or joins one that does, and so on. No chain of joins is ever closed. */
static bool joins(const struct rt_task *target, const struct rt_task *task)
{
	while (!outlasts(target, task)) {
		if (target->wait.kind != &join || wait_over(target))
			return false;
		target = target->wait.source;
	}
	return true;
}

int task_await(struct rt_task *task, struct rt_task *target)
{
	if (joins(target, task))
		return -EDEADLK;
	wait_prepare(task, &join, target);
	if (target->state == TASK_DONE)
		task->wait.result = 0;
	else
		ring_push(&target->joiners, &task->wait.waiter);
	return 0;
}
