/* SPDX-License-Identifier: MIT */
/* How cancellations and expired deadlines spread; see cancel.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "task/cancel.h"

#include "base/fault.h"
#include "task/scope.h"

static void interrupt(struct rt_task *task)
{
	if (task->interrupted || !frames_must_end(task))
		return;
	task->interrupted = true;
	/* A task that is running finds out at its next wait; elsewhere it may be about to park. */
	if ((task_state(task) == TASK_PARKED || task->home->runtime->shared) && !FAULT(cancel_unheard))
		task_wake(task);
}

/* Scopes whose tasks are still to be cancelled wait in a list: recursion would need deep stacks. */
static void cancel_scope(struct rt_scope *scope, struct rt_scope **pending)
{
	if (scope->frame.cancelled)
		return;
	scope->frame.cancelled = true;
	scope->pending = *pending;
	*pending = scope;
}

/* Cancels the task's scopes inside of end, NULL being outside of all, that are behind no shield there. */
static void cancel_scopes(struct rt_task *task, const struct rt_frame *end, struct rt_scope **pending)
{
	struct rt_frame *first = task->frame;

	for (struct rt_frame *frame = first; frame != end; frame = frame->outer) {
		if (frame->kind == FRAME_SHIELD)
			first = frame->outer;
	}
	for (struct rt_frame *frame = first; frame != end; frame = frame->outer) {
		if (frame->kind == FRAME_SCOPE)
			cancel_scope(scope_of(frame), pending);
	}
}

static void cancel_task(struct rt_task *task, struct rt_scope **pending)
{
	if (task_state(task) == TASK_DONE || task->cancelled)
		return;
	task->cancelled = true;
	cancel_scopes(task, NULL, pending);
	interrupt(task);
}

static void cancel_pending(struct rt_scope *pending)
{
	while (pending) {
		struct rt_scope *scope = pending;

		pending = scope->pending;
		/* Its frame has been left if one around it was, in the wrong order. */
		if (scope->frame.task)
			cancel_scopes(scope->owner, &scope->frame, &pending);
		interrupt(scope->owner);
		for (struct rt_scope_child *child = scope->children; child; child = child->next) {
			cancel_task(child->task, &pending);
			if (FAULT(cancel_one))
				break;
		}
	}
}

void task_cancel(struct rt_task *task)
{
	struct rt_scope *pending = NULL;

	cancel_task(task, &pending);
	cancel_pending(pending);
}

void rt_cancel(struct rt_task *task)
{
	if (!task)
		return;
	struct rt_runtime *runtime = self_lock();

	task_cancel(task);
	self_unlock(runtime);
}

void scope_cancel(struct rt_scope *scope)
{
	struct rt_scope *pending = NULL;

	if (!scope_is_open(scope))
		return;
	cancel_scope(scope, &pending);
	cancel_pending(pending);
}

void rt_scope_cancel(struct rt_scope *scope)
{
	struct rt_runtime *runtime = self_lock();

	scope_cancel(scope);
	self_unlock(runtime);
}

void frames_expire(struct rt_task *task, rt_time now)
{
	struct rt_scope *pending = NULL;

	for (struct rt_frame *frame = task->frame; frame && frame->effective <= now;
	     frame = frame_around(frame)) {
		if (frame->kind == FRAME_SCOPE)
			cancel_scope(scope_of(frame), &pending);
		if (frame->deadline <= now)
			frame->cancelled = frame->expired = true;
	}
	cancel_pending(pending);
	interrupt(task);
}

bool rt_task_cancelled(const struct rt_task *task)
{
	if (!task)
		return false;
	struct rt_runtime *runtime = self_lock();
	bool cancelled = task->cancelled;

	self_unlock(runtime);
	return cancelled;
}
