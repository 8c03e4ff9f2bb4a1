/* SPDX-License-Identifier: MIT */
/*
 * Scopes as those see them who make tasks of another kind.
 *
 * A task belongs to a scope through a record, in memory of whoever spawns it: a waiter
 * on the task's joiners, so that the task itself has no more memory, and its outermost
 * frame, so that it sees the scope's deadline.
 */
#ifndef RT_SCOPE_PRIVATE_H
#define RT_SCOPE_PRIVATE_H

#include "task/frame.h"

#include <rt/scope.h>

RT_PRIVATE_BEGIN

struct rt_scope_child {
	struct rt_waiter waiter; /* on the joiners of the task */
	struct rt_frame frame;
	struct rt_task *task;
	struct rt_scope *scope; /* NULL: it has let the task go */
	struct rt_scope_child *next, *prev; /* of the scope */
	/*
	 * The task has ended and left the scope: returns its error, negative, or 0, and
	 * may free the record. -ECANCELED of a task that was cancelled is no failure.
	 * The scope's failures are counted after the call. Locked.
	 */
	int (*ended)(struct rt_scope_child *child);
};

static inline struct rt_scope *scope_of(struct rt_frame *frame)
{
	return container_of(frame, struct rt_scope, frame);
}

/* The frame around one, beyond the task's own frames too. */
static inline struct rt_frame *frame_around(struct rt_frame *frame)
{
	if (frame->kind != FRAME_CHILD)
		return frame->outer;
	struct rt_scope *scope = container_of(frame, struct rt_scope_child, frame)->scope;

	return scope ? &scope->frame : NULL;
}

/* Whether a task may be spawned into it. */
static inline bool scope_is_open(const struct rt_scope *scope)
{
	return scope && scope->owner;
}

/*
 * Gives a task that has been initialized and not started to an open scope. child->ended
 * is set; the record must last until it is called, or until the task is freed unended. False: it is
 * closed.
 */
bool scope_adopt(struct rt_scope *scope, struct rt_task *task, struct rt_scope_child *child);

/* Lets the tasks go, having cancelled them, and closes it: its owner cannot wait. Locked. */
void scope_abandon(struct rt_scope *scope);

/*
 * rt_scope_leave() in steps, for tasks that suspend in a way of their own. Begins: leaves
 * what is inside. Returns 0, or -EPERM if the calling task is not the owner.
 */
int scope_begin_leave(struct rt_scope *scope);

/*
 * Publishes the owner's waiter on the end of the tasks. False: there are none, it need not wait, and
 * nobody can spawn one any more.
 */
bool scope_await(struct rt_scope *scope);

/* Closes it. Tasks that are still there are let go. Returns what rt_scope_leave() does. */
int scope_end_leave(struct rt_scope *scope);

RT_PRIVATE_END

#endif
