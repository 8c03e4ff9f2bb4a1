/* SPDX-License-Identifier: MIT */
/* Blocking calls of tasks; see rt/blocking.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "task/task.h"

#include <rt/blocking.h>
#include <rt/scope.h>

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>

/* Belongs to the pool until done(), then to the task; whoever comes last frees it. */
struct call {
	struct rt_job job;
	rt_blocking_fn *fn;
	void *arg;
	int result;
	sem_t ended; /* fn has returned */
	/* Under the runtime's lock. */
	struct rt_waiter *waiter;
	bool done;
	bool abandoned; /* the task will not come back for it */
	bool left; /* and is counted */
};

/* On a pool thread. */
static void work(struct rt_job *job)
{
	struct call *call = container_of(job, struct call, job);

	call->result = call->fn(call->arg);
	sem_post(&call->ended);
}

static void destroy(struct call *call)
{
	sem_destroy(&call->ended);
	free(call);
}

static void done(struct rt_job *job)
{
	struct call *call = container_of(job, struct call, job);
	/* There is none any more when it was left running at the end. */
	struct rt_runtime *runtime = self_lock();

	call->done = true;
	if (call->left && runtime)
		runtime->jobs_left--;
	if (call->abandoned)
		destroy(call);
	else if (call->waiter)
		call->waiter->wake(call->waiter, 0);
	self_unlock(runtime);
}

static int offload(rt_blocking_fn *fn, void *arg, struct call **call)
{
	struct rt_runtime *runtime = self_get()->runtime;
	struct call *created = calloc(1, sizeof *created);

	if (!created)
		return -ENOMEM;
	created->job.work = work;
	created->job.done = done;
	created->fn = fn;
	created->arg = arg;
	sem_init(&created->ended, 0, 0);
	int err = runtime->ops->offload(runtime, &created->job);

	if (err < 0)
		destroy(created);
	else
		*call = created;
	return err;
}

static bool has_ended(struct call *call)
{
	int value = 0;

	sem_getvalue(&call->ended, &value);
	return value > 0;
}

/* The task does not run any more, but fn does, with an argument that may lie on the task's stack. */
static void abandon(struct rt_task *task, struct call *call)
{
	call->abandoned = true;
	if (has_ended(call))
		return;
	call->left = true;
	task->home->runtime->jobs_left++;
	task->wait.pinned = true;
}

/* The source is the task's pointer to the call: NULL from now on if it had not begun. */
static void detach(struct task_wait *wait)
{
	struct rt_task *task = container_of(wait, struct rt_task, wait);
	struct rt_runtime *runtime = task->home->runtime;
	struct call **call = wait->source;
	bool goes_on = task == self_get()->task;

	(*call)->waiter = NULL;
	if (runtime_recall(runtime, &(*call)->job)) {
		runtime->jobs_dropped += !goes_on || task_family_ends(runtime, task->home->family);
		destroy(*call);
		*call = NULL;
	} else if (!goes_on) {
		abandon(task, *call);
	}
}

static int await(struct call **call, rt_time deadline)
{
	static const struct wait_kind blocking = {.what = "blocking call", .detach = detach};
	struct rt_task *task = self_get()->task;
	struct rt_runtime *runtime = self_lock();

	wait_prepare(task, &blocking, call);
	if ((*call)->done)
		task->wait.result = 0;
	else
		(*call)->waiter = &task->wait.waiter;
	self_unlock(runtime);
	return task_suspend(task, deadline);
}

/* On a stack that cannot be left: the whole thread waits. */
static void outlast(struct call *call)
{
	while (sem_wait(&call->ended) < 0)
		;
}

/* The result, once fn has returned; frees. */
static int end(struct call *call)
{
	int result = call->result;
	struct rt_runtime *runtime = self_lock();

	if (call->done)
		destroy(call);
	else
		call->abandoned = true;
	self_unlock(runtime);
	return result;
}

/* It has begun. */
static int await_end(struct call **call)
{
	struct rt_shield shield;

	rt_shield_enter(&shield);
	int err = await(call, RT_FOREVER);

	rt_shield_leave(&shield);
	if (!*call)
		return err;
	if (err < 0)
		outlast(*call);
	return end(*call);
}

/* Whether it would not even begin. As every wait, it gives way if that is not by its own deadline. */
static int look_at_time(struct rt_task *task, rt_time deadline)
{
	rt_time now = rt_now();
	struct rt_runtime *runtime = self_lock();
	bool interrupted = task->interrupted;

	self_unlock(runtime);
	int err = interrupted || task_deadline(task) <= now ? rt_yield() : 0;

	return err == 0 && deadline <= now ? -ETIMEDOUT : err;
}

int rt_blocking(rt_blocking_fn *fn, void *arg, rt_time deadline)
{
	struct rt_task *task = self_get()->task;
	struct call *call;

	if (!fn)
		return -EINVAL;
	if (!task)
		return -EPERM;
	int err = look_at_time(task, deadline);

	if (err == 0)
		err = offload(fn, arg, &call);
	if (err < 0)
		return err;
	err = await(&call, deadline);
	if (!call)
		return err;
	return err < 0 ? await_end(&call) : end(call);
}
