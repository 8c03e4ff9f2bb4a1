/* SPDX-License-Identifier: MIT */
/*
 * Frames: the timeouts, scopes and shields that a task is in, innermost first.
 *
 *	task->frame ──► timeout ──► shield ──► scope ──► child ──► NULL
 *	                                                   ┊
 *	                                       the scope that owns the task, in
 *	                                       the chain of the task that opened it
 *
 * A frame that must end has cancelled set; task->interrupted says whether there is one
 * between the innermost and the next shield, or, without a shield, whether the task
 * itself is cancelled. Waits look at that and at the innermost frame's effective
 * deadline, never at the chain. A child is the outermost frame of a task that belongs to a
 * scope: it has the scope's deadline.
 */
#ifndef RT_FRAME_H
#define RT_FRAME_H

#include "task/task.h"

RT_PRIVATE_BEGIN

enum frame_kind { FRAME_TIMEOUT, FRAME_SCOPE, FRAME_SHIELD, FRAME_CHILD };

/*
 * Makes it the innermost frame of the running task; outside of one it counts as left. A scope is
 * cancelled from the start if the task is; a shield's task is not interrupted from here on.
 */
void frame_enter(struct rt_frame *frame, enum frame_kind kind, rt_time deadline);

/* Leaves what is inside of it, whose cancellation is over; scopes that are left so are cancelled. */
void frame_leave_inner(struct rt_frame *frame);

/* Leaves it and what is inside of it. Returns whether it has expired; false if it had been left before. */
bool frame_leave(struct rt_frame *frame);

/* Takes this one out, wherever it is in its task's chain; harmless if it has been left. */
void frame_drop(struct rt_frame *frame);

/* Whether the frames, or the task itself, say that its waits must end. Locked. */
bool frames_must_end(const struct rt_task *task);

/* Takes the task out of all its frames: it will not run any more. Scopes let their tasks go. Locked. */
void frames_abandon(struct rt_task *task);

RT_PRIVATE_END

#endif
