/* SPDX-License-Identifier: MIT */
/*
 * Tasks: spawn, join, detach, cancel, yield, local values.
 *
 * A task runs fn(arg) on a stack of its own and ends with fn's result. Tasks of
 * one runtime share its threads; a task gives way only where it waits. Spawning
 * needs a running runtime: see rt_main() and rt_run() in rt/runtime.h.
 */
#ifndef RT_TASK_H
#define RT_TASK_H

#include <rt/time.h>
#include <stdio.h>

RT_BEGIN_DECLS

typedef int rt_task_fn(void *arg);

struct rt_task_options {
	const char *name; /* copied; NULL: the name of fn */
	const char *site; /* "file:line" of the spawn, kept as a pointer */
	size_t stack_size; /* bytes; 0: 64 KiB */
};

/*
 * Starts a task and returns its handle, which must be given to rt_join() or
 * rt_detach() once; it ends with the runtime at the latest. Returns NULL without a
 * runtime on this thread or when there is no memory for a stack; errno tells (EPERM,
 * ENOMEM, EINVAL for the stack size). Does not suspend: the new task runs when the caller waits.
 */
#define rt_spawn(fn, arg) rt_spawn_with((fn), (arg), &(const struct rt_task_options){#fn, RT_SITE, 0})
#ifdef __cplusplus
#undef rt_spawn
#define rt_spawn(fn, arg) rt_spawn_named((fn), (arg), #fn, RT_SITE)
#endif
RT_API struct rt_task *rt_spawn_with(rt_task_fn *fn, void *arg, const struct rt_task_options *options);
RT_API struct rt_task *rt_spawn_named(rt_task_fn *fn, void *arg, const char *name, const char *site);

/*
 * Waits until the task has ended, stores fn's result in *result (may be NULL)
 * and releases the handle. Returns 0; the task's own failure is in *result. On
 * -ETIMEDOUT and -ECANCELED the handle stays valid. -EINVAL for NULL and for a
 * task of a scope, -EDEADLK for the calling task itself, for the owner of a scope that
 * it is in, and for one that joins it in turn, or joins one that does. Suspends.
 */
RT_API int rt_join(struct rt_task *task, int *result, rt_time deadline);

/* Releases the handle; the task goes on. NULL is fine. Does not suspend. */
RT_API void rt_detach(struct rt_task *task);

/*
 * Asks the task to end: its current wait and every later one give -ECANCELED,
 * except behind a shield, and its scopes are cancelled (rt/scope.h). A wait whose
 * event has already happened still succeeds, so nothing is lost. Cancelling a
 * finished task does nothing. Does not suspend.
 */
RT_API void rt_cancel(struct rt_task *task);

/* Lets the other tasks run. Returns 0 or -ECANCELED, -EPERM outside of a task. Suspends. */
RT_API int rt_yield(void);

/* The calling task, or NULL outside of one. The handle is borrowed. */
RT_API struct rt_task *rt_task_current(void);

/* Whether cancellation was asked for. */
RT_API bool rt_task_cancelled(const struct rt_task *task);

/* What the task is called, and "file:line" of its spawn ("?" if unknown). */
RT_API const char *rt_task_name(const struct rt_task *task);
RT_API const char *rt_task_site(const struct rt_task *task);

/* What a task is doing, as rt_task_list() and rt_task_dump() tell it. */
struct rt_task_info {
	uint32_t id; /* of the runtime's tasks, from 1 on */
	uint32_t parent; /* the id of the task that has spawned it; 0: none, or it has ended */
	unsigned depth; /* how many parents there are */
	const char *name; /* "" for a Lua task without one */
	const char *site; /* "file:line" of the spawn */
	const char *status; /* "runnable", "running", "waiting" */
	const char *waits_for; /* "sleep", "receive", ...; NULL if it does not wait */
	char detail[96]; /* what exactly, and until when; may be "" */
};

/*
 * Calls visit for every task of this thread's runtime, in C or in Lua, each after the task
 * that has spawned it. The strings are valid during the call, which must not spawn or end
 * tasks. Other threads of the runtime rest meanwhile; -EBUSY if one of them is in a task that has not
 * given way for a tenth of a second. Returns how many there are, -EPERM without a runtime, -EINVAL,
 * -ENOMEM. Does not suspend.
 */
RT_API int rt_task_list(void (*visit)(const struct rt_task_info *info, void *arg), void *arg);

/*
 * Prints the same to file as a tree, with what is on each task's stack. The functions
 * of C tasks have names if the program is linked with -rdynamic. Does not suspend.
 */
RT_API void rt_task_dump(FILE *file);

/*
 * A key of task-local values: a static object, whose address is what counts.
 *
 *	static const struct rt_local request = RT_LOCAL_INIT(free);
 *
 * destroy, which may be NULL, is called with a value that is not NULL when the last
 * task that has it has ended or has set another one, and must not wait.
 */
struct rt_local {
	void (*destroy)(void *value);
};
/* clang-format off */
#define RT_LOCAL_INIT(destroy) {(destroy)}
/* clang-format on */

/*
 * Sets the calling task's value; NULL: it has none any more. Tasks that it spawns from
 * then on have the value too, until they set another one; they share what they have not
 * changed, so that spawning costs the same. On success the value is the library's, to
 * destroy. Setting costs more with each key. Returns 0, -EPERM outside of a task,
 * -ENOTSUP in one that is no C task, -EINVAL for a NULL key, -ENOMEM. Does not suspend.
 */
RT_API int rt_local_set(const struct rt_local *key, void *value);

/* The calling task's value; NULL if there is none. Does not suspend. */
RT_API void *rt_local_get(const struct rt_local *key);

RT_END_DECLS
#endif
