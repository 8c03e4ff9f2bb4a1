/* SPDX-License-Identifier: MIT */
/* C tasks: a fiber each, the task's own data at the top of its stack. */
#ifndef RT_FIBER_TASK_H
#define RT_FIBER_TASK_H

#include "task/task.h"

RT_PRIVATE_BEGIN

struct locals;

/* Where a C task holds its local values; NULL for a task of another kind. */
struct locals **fiber_task_locals(struct rt_task *task);

/* Cancels every C task of the runtime that has not ended. */
void fiber_tasks_cancel(struct rt_runtime *runtime);

/* Takes the C tasks that would not end out of whatever they wait for. */
void fiber_tasks_abandon(struct rt_runtime *runtime);

/* Frees them, the cache of stacks and the homes when the runtime that had them is gone. Pinned ones stay. */
void fiber_tasks_finish(struct rt_task *tasks, void *stacks, void *homes);

/* For the stack overflow handler: reports the task whose guard address lies in. */
bool task_report_overflow(const void *address);

/* The one after it in runtime->tasks. */
struct rt_task *fiber_task_next(const struct rt_task *task);

RT_PRIVATE_END

#endif
