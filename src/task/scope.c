/* SPDX-License-Identifier: MIT */
/* Scopes: who belongs to them, and waiting for their end; see scope.h and rt/scope.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "task/scope.h"

#include "task/cancel.h"

#include <errno.h>

void rt_scope_enter(struct rt_scope *scope, rt_time deadline)
{
	*scope = (struct rt_scope){.owner = self_get()->task};
	frame_enter(&scope->frame, FRAME_SCOPE, deadline);
}

/* ---- Children ---- */

static void push_child(struct rt_scope *scope, struct rt_scope_child *child)
{
	child->prev = NULL;
	child->next = scope->children;
	if (child->next)
		child->next->prev = child;
	scope->children = child;
}

static void remove_child(struct rt_scope *scope, struct rt_scope_child *child)
{
	if (child->prev)
		child->prev->next = child->next;
	else
		scope->children = child->next;
	if (child->next)
		child->next->prev = child->prev;
}

static void fail(struct rt_scope *scope, int error)
{
	if (scope->failures++ > 0)
		return;
	scope->error = error;
	scope_cancel(scope);
}

static void child_ended(struct rt_waiter *waiter, int unused)
{
	struct rt_scope_child *child = container_of(waiter, struct rt_scope_child, waiter);
	struct rt_scope *scope = child->scope;
	bool cancelled = child->task->cancelled;

	(void)unused;
	if (scope)
		remove_child(scope, child);
	int error = child->ended(child);

	if (!scope)
		return;
	if (error < 0 && !(cancelled && error == -ECANCELED))
		fail(scope, error);
	if (!scope->children && scope->waiter) {
		waiter = scope->waiter;
		scope->waiter = NULL;
		waiter->wake(waiter, 0);
	}
}

static void adopt(struct rt_scope *scope, struct rt_task *task, struct rt_scope_child *child)
{
	rt_time deadline = scope->frame.effective;

	child->waiter.wake = child_ended;
	child->frame = (struct rt_frame){
		.task = task, .kind = FRAME_CHILD, .deadline = deadline, .effective = deadline};
	child->task = task;
	child->scope = scope;
	task->frame = &child->frame;
	ring_push(&task->joiners, &child->waiter);
	push_child(scope, child);
	if (scope->frame.cancelled)
		task_cancel(task);
}

bool scope_adopt(struct rt_scope *scope, struct rt_task *task, struct rt_scope_child *child)
{
	struct rt_runtime *runtime = self_lock();
	bool open = scope_is_open(scope) && !scope->sealed;

	if (open)
		adopt(scope, task, child);
	self_unlock(runtime);
	return open;
}

void scope_abandon(struct rt_scope *scope)
{
	scope_cancel(scope);
	for (struct rt_scope_child *child = scope->children; child; child = child->next)
		child->scope = NULL;
	scope->children = NULL;
	scope->owner = NULL;
}

/* ---- Leaving ---- */

static void stop_leaving(struct task_wait *wait)
{
	struct rt_scope *scope = wait->source;

	scope->waiter = NULL;
}

bool scope_await(struct rt_scope *scope)
{
	static const struct wait_kind leaving = {.what = "scope", .detach = stop_leaving};
	struct rt_runtime *runtime = self_lock();
	bool waits = scope->children;

	if (waits) {
		wait_prepare(scope->owner, &leaving, scope);
		scope->waiter = &scope->owner->wait.waiter;
	}
	scope->sealed = !waits;
	self_unlock(runtime);
	return waits;
}

static int wait_for_children(struct rt_scope *scope)
{
	int err = 0;

	/* Whoever ran between the wake-up and now may have spawned one more. */
	while (err == 0 && scope_await(scope))
		err = task_suspend(scope->owner, RT_FOREVER);
	return err;
}

static int end_children(struct rt_scope *scope)
{
	struct rt_shield shield;

	/* Whatever interrupts the owner has cancelled the children as well. */
	if (wait_for_children(scope) == 0)
		return 0;
	rt_shield_enter(&shield);
	int err = wait_for_children(scope);

	rt_shield_leave(&shield);
	return err;
}

/* Of a scope that has been left. */
static int result(const struct rt_scope *scope, const struct rt_task *task)
{
	if (scope->failures > 0)
		return scope->error;
	if (scope->frame.expired)
		return -ETIMEDOUT;
	return task->interrupted ? -ECANCELED : 0;
}

int scope_begin_leave(struct rt_scope *scope)
{
	struct rt_task *task = self_get()->task;

	if (!scope_is_open(scope) || scope->owner != task)
		return -EPERM;
	frame_leave_inner(&scope->frame);
	return 0;
}

static int close_scope(struct rt_scope *scope)
{
	struct rt_runtime *runtime = self_lock();
	struct rt_task *task = scope->owner;

	if (scope->children)
		scope_abandon(scope);
	scope->owner = NULL;
	int error = result(scope, task);

	self_unlock(runtime);
	return error;
}

int scope_end_leave(struct rt_scope *scope)
{
	frame_leave(&scope->frame);
	return close_scope(scope);
}

int rt_scope_leave(struct rt_scope *scope)
{
	int err = scope_begin_leave(scope);

	if (err < 0)
		return err;
	err = end_children(scope);
	int ended = scope_end_leave(scope);

	return err < 0 ? err : ended;
}

unsigned rt_scope_failures(const struct rt_scope *scope)
{
	return scope->failures;
}
