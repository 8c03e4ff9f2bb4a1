/* SPDX-License-Identifier: MIT */
/* The stack of timeouts, scopes and shields of a task; see frame.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "task/frame.h"

#include "task/cancel.h"
#include "task/scope.h"

static rt_time nearest(rt_time deadline, const struct rt_frame *outer)
{
	return outer && outer->effective < deadline ? outer->effective : deadline;
}

void frame_enter(struct rt_frame *frame, enum frame_kind kind, rt_time deadline)
{
	struct rt_task *task = self_get()->task;

	*frame = (struct rt_frame){.task = task, .kind = (uint8_t)kind, .deadline = deadline};
	if (!task)
		return;
	struct rt_runtime *runtime = self_lock();

	frame->outer = task->frame;
	frame->effective = kind == FRAME_SHIELD ? RT_FOREVER : nearest(deadline, frame->outer);
	task->frame = frame;
	if (kind == FRAME_SHIELD)
		task->interrupted = false;
	else if (kind == FRAME_SCOPE)
		frame->cancelled = task->interrupted;
	self_unlock(runtime);
}

/* Takes it out of the chain; link is what points to it. */
static void unlink_frame(struct rt_frame **link)
{
	struct rt_frame *frame = *link;

	*link = frame->outer;
	frame->outer = NULL;
	frame->task = NULL;
}

static void leave_inner(struct rt_frame *frame)
{
	struct rt_task *task = frame->task;

	while (task && task->frame != frame) {
		struct rt_frame *inner = task->frame;

		unlink_frame(&task->frame);
		if (inner->kind == FRAME_SCOPE)
			scope_cancel(scope_of(inner));
	}
}

void frame_leave_inner(struct rt_frame *frame)
{
	struct rt_runtime *runtime = self_lock();

	leave_inner(frame);
	if (frame->task)
		frame->task->interrupted = frames_must_end(frame->task);
	self_unlock(runtime);
}

bool frame_leave(struct rt_frame *frame)
{
	struct rt_task *task = frame->task;

	if (!task)
		return false;
	struct rt_runtime *runtime = self_lock();

	leave_inner(frame);
	unlink_frame(&task->frame);
	task->interrupted = frames_must_end(task);
	bool expired = frame->expired;

	self_unlock(runtime);
	return expired;
}

/* What the frames inside of one that is gone have as their deadline now. */
static rt_time effective(const struct rt_frame *frame)
{
	rt_time deadline = RT_FOREVER;

	for (; frame && frame->kind != FRAME_SHIELD; frame = frame->outer)
		deadline = frame->deadline < deadline ? frame->deadline : deadline;
	return deadline;
}

void frame_drop(struct rt_frame *frame)
{
	struct rt_task *task = frame->task;

	if (!task)
		return;
	struct rt_runtime *runtime = self_lock();
	struct rt_frame **link = &task->frame;

	while (*link != frame)
		link = &(*link)->outer;
	unlink_frame(link);
	for (struct rt_frame *inner = task->frame; inner != *link; inner = inner->outer)
		inner->effective = effective(inner);
	task->interrupted = frames_must_end(task);
	self_unlock(runtime);
}

bool frames_must_end(const struct rt_task *task)
{
	for (const struct rt_frame *frame = task->frame; frame; frame = frame->outer) {
		if (frame->kind == FRAME_SHIELD)
			return false;
		if (frame->cancelled)
			return true;
	}
	return task->cancelled;
}

void frames_abandon(struct rt_task *task)
{
	while (task->frame) {
		struct rt_frame *frame = task->frame;

		unlink_frame(&task->frame);
		if (frame->kind == FRAME_SCOPE)
			scope_abandon(scope_of(frame));
	}
}
