/* SPDX-License-Identifier: MIT */
/*
 * Structured concurrency: scopes, which own tasks, and shields.
 *
 * Deadlines and cancellation pass from a scope down to its tasks, the first error
 * passes up, and no task outlives its scope:
 *
 *	struct rt_scope scope;
 *
 *	rt_scope_enter(&scope, rt_in(RT_S(10)));
 *	rt_scope_spawn(&scope, upload, relay);
 *	rt_scope_spawn(&scope, download, relay);
 *	err = rt_scope_leave(&scope);
 *
 * Timeouts, scopes and shields are left in the reverse order of entering, by the
 * task that entered them. The structs belong to the caller and must outlive leave;
 * their members are the library's own.
 */
#ifndef RT_SCOPE_H
#define RT_SCOPE_H

#include <rt/task.h>

RT_BEGIN_DECLS

struct rt_scope_child;
struct rt_waiter;

struct rt_scope {
	struct rt_frame frame;
	struct rt_task *owner; /* NULL: it is closed */
	struct rt_scope_child *children;
	struct rt_scope *pending;
	struct rt_waiter *waiter;
	int error;
	unsigned failures;
	bool sealed; /* the last task has ended and the owner goes on */
};

/*
 * Opens a scope of the calling task. Its deadline, or a nearer one around it, is
 * that of every wait in it, of the task and of the scope's own tasks: a wait that
 * it ends gives -ECANCELED, and the scope is cancelled. In a task that has been
 * cancelled already it opens as a cancelled one. Outside of a task it stays closed.
 * Does not suspend.
 */
RT_API void rt_scope_enter(struct rt_scope *scope, rt_time deadline);

/*
 * Starts a task in the scope, as rt_spawn() does. Any task of the runtime may, for
 * as long as rt_scope_leave() has not returned; in a scope that has been cancelled
 * the new task is so from the start. The handle is borrowed, and valid until the
 * task ends: rt_join() refuses it, rt_detach() ignores it. Returns NULL with errno
 * as rt_spawn_with(), EINVAL for a scope that is closed. Does not suspend.
 */
#define rt_scope_spawn(scope, fn, arg)                                                                       \
	rt_scope_spawn_with((scope), (fn), (arg), &(const struct rt_task_options){#fn, RT_SITE, 0})
#ifdef __cplusplus
#undef rt_scope_spawn
#define rt_scope_spawn(scope, fn, arg) rt_scope_spawn_named((scope), (fn), (arg), #fn, RT_SITE)
#endif
RT_API struct rt_task *rt_scope_spawn_with(struct rt_scope *scope, rt_task_fn *fn, void *arg,
					   const struct rt_task_options *options);
RT_API struct rt_task *rt_scope_spawn_named(struct rt_scope *scope, rt_task_fn *fn, void *arg,
					    const char *name, const char *site);

/*
 * Cancels all tasks of the scope, those that they have in scopes of their own, and
 * the waits of the owner in it, until it leaves. A scope that is closed is left
 * alone. Does not suspend.
 */
RT_API void rt_scope_cancel(struct rt_scope *scope);

/*
 * Waits until all tasks of the scope have ended, and closes it. It does not return
 * earlier: if the owner is cancelled or a deadline passes, the tasks are cancelled,
 * and it goes on waiting. Returns what is first in this list:
 *
 *	the error of a task    the first negative result, in time; it has cancelled the
 *	                       others. -ECANCELED of a cancelled task is none
 *	-ETIMEDOUT             the scope's own deadline has ended a wait in it
 *	-ECANCELED             it was cancelled from outside: rt_cancel() of its owner,
 *	                       or what is around it has been cancelled or has expired
 *	0
 *
 * -EPERM if the calling task is not the one that has opened it. -ENOTSUP where it
 * cannot wait: the scope's tasks are then cancelled and left to themselves. Suspends.
 */
RT_API int rt_scope_leave(struct rt_scope *scope);

/* How many of its tasks have failed so far; still valid after leave. Does not suspend. */
RT_API unsigned rt_scope_failures(const struct rt_scope *scope);

/*
 * Between enter and leave, neither cancellation nor a deadline from outside ends
 * the task's waits, so that it can clean up; deadlines of the calls and timeouts
 * inside still do. After leave the waits give -ECANCELED again. At the end of the
 * program a shielded task has no more time than others: two seconds.
 */
struct rt_shield {
	struct rt_frame frame;
};

/* Outside of a task they do nothing. Do not suspend. */
RT_API void rt_shield_enter(struct rt_shield *shield);
RT_API void rt_shield_leave(struct rt_shield *shield);

RT_END_DECLS
#endif
