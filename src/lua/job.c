/* SPDX-License-Identifier: MIT */
/* The life of a job; see job.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/job.h"

#include "lua/job_pool.h"
#include "lua/lua_task.h"
#include "task/cancel.h"

#include <stdlib.h>
#include <string.h>

static const char no_memory[] = "not enough memory";

struct job *job_create(struct message *call, const char *site)
{
	struct job *job = calloc(1, sizeof *job);

	if (job)
		job->site = strdup(site);
	if (!job || !job->site) {
		free(job);
		message_destroy(call);
		return NULL;
	}
	job->refs = 1;
	job->call = call;
	return job;
}

void job_unref(struct job *job)
{
	if (__atomic_sub_fetch(&job->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	message_destroy(job->call);
	message_destroy(job->result);
	free(job->traceback);
	free(job->site);
	free(job);
}

void job_link(struct job *job, struct job_vm *vm)
{
	__atomic_add_fetch(&job->refs, 1, __ATOMIC_RELAXED);
	job->vm = vm;
	job->next = vm->jobs;
	job->prev = NULL;
	if (job->next)
		job->next->prev = job;
	vm->jobs = job;
	vm->job_count++;
	vm->load++;
}

static void unlink_job(struct job *job)
{
	if (job->prev)
		job->prev->next = job->next;
	else
		job->vm->jobs = job->next;
	if (job->next)
		job->next->prev = job->prev;
	job->vm->job_count--;
}

/*
 * Its outcome is there: whoever waits goes on, and may at once start the next one, for which this VM must not
 * count as busy. Locked.
 */
static void end(struct job *job)
{
	if (job->state != JOB_ENDED)
		job->vm->load--;
	job->state = JOB_ENDED;
	job->task = NULL;
	while (job->waiting) {
		struct rt_waiter *waiter = job->waiting;

		ring_remove(&job->waiting, waiter);
		waiter->wake(waiter, 0);
	}
}

/* ---- In the job VM ---- */

/* Gives back the VM's reference, in which nothing of the job is left. */
static void leave(struct job *job)
{
	struct job_vm *vm = job->vm;
	struct rt_runtime *runtime = vm->pool->runtime;

	rt_runtime_lock(runtime);
	unlink_job(job);
	bool mend = vm->starved && vm->job_count == 0;

	rt_runtime_unlock(runtime);
	job_unref(job);
	if (mend)
		job_vm_mend(vm);
}

/* Its task has ended. Locked, so what may free it comes later. */
static void task_ended(struct rt_waiter *waiter, int result)
{
	struct job *job = container_of(waiter, struct job, ended);
	struct rt_executor *executor = &job->vm->strand->executor;

	(void)result;
	if (job->outcome == JOB_NO_OUTCOME) {
		job->outcome = JOB_FAILED;
		job->failure = no_memory;
		job->vm->starved = true;
	}
	end(job);
	executor->schedule(executor, &job->runnable);
}

/* (job), protected: makes its task. */
static int spawn(lua_State *L)
{
	struct job *job = lua_touserdata(L, 1);
	struct vm *vm = job->vm->state.vm;

	lua_rawgeti(L, LUA_REGISTRYINDEX, job->vm->body);
	lua_pushvalue(L, 1);
	uint16_t site = site_named(vm->sites, L, job->site);
	struct lua_task *task = lua_task_create(L, vm, 1, 0);

	task->site = site;
	task->parent = job->parent;
	job->ended = (struct rt_waiter){.wake = task_ended};
	ring_push(&task->task.joiners, &job->ended); /* nobody else knows the task yet */
	task_start(&task->task);
	rt_runtime_lock(vm->runtime);
	job->task = &task->task;
	if (job->cancelled)
		task_cancel(job->task);
	rt_runtime_unlock(vm->runtime);
	return 0;
}

static void fail(struct job *job, const char *failure)
{
	struct rt_runtime *runtime = job->vm->pool->runtime;

	rt_runtime_lock(runtime);
	job->outcome = JOB_FAILED;
	job->failure = failure;
	job->vm->starved = failure == no_memory;
	end(job);
	rt_runtime_unlock(runtime);
	leave(job);
}

static void begin(struct job *job)
{
	if (job_vm_open(job->vm) < 0) {
		fail(job, "cannot make a VM: not enough memory");
		return;
	}
	lua_State *L = job->vm->state.vm->L;

	if (lua_cpcall(L, spawn, job) == 0)
		return;
	lua_pop(L, 1);
	fail(job, no_memory);
}

void job_run(struct rt_runnable *runnable)
{
	struct job *job = container_of(runnable, struct job, runnable);
	struct rt_runtime *runtime = job->vm->pool->runtime;

	rt_runtime_lock(runtime);
	/* At the end of the program what has not begun is dropped. */
	if (job->state != JOB_ENDED && task_family_ends(runtime, job->vm->pool->family)) {
		job->outcome = JOB_CANCELLED;
		end(job);
	}
	bool ended = job->state == JOB_ENDED;

	if (!ended)
		job->state = JOB_RUNNING;
	rt_runtime_unlock(runtime);
	if (ended)
		leave(job);
	else
		begin(job);
}

/* ---- Elsewhere ---- */

static void stop_waiting(struct task_wait *wait)
{
	struct job *job = wait->source;

	ring_remove(&job->waiting, &wait->waiter);
}

static void describe(const struct task_wait *wait, char *text, size_t size)
{
	const struct job *job = wait->source;

	if (job->vm)
		snprintf(text, size, "in job VM %u", job->vm->number);
}

void job_await(struct job *job, struct rt_task *task)
{
	static const struct wait_kind kind = {"job", stop_waiting, describe};
	struct rt_runtime *runtime = self_lock();

	wait_prepare(task, &kind, job);
	if (job->state == JOB_ENDED)
		task->wait.result = 0;
	else
		ring_push(&job->waiting, &task->wait.waiter);
	self_unlock(runtime);
}

void job_cancel(struct job *job)
{
	struct rt_runtime *runtime = self_lock();
	struct message *dropped = NULL;

	job->cancelled = true;
	if (job->state == JOB_QUEUED) {
		dropped = job->call;
		job->call = NULL;
		job->outcome = JOB_CANCELLED;
		end(job);
	} else if (job->task) {
		task_cancel(job->task);
	}
	self_unlock(runtime);
	message_destroy(dropped);
}

void job_abandon(struct job *job)
{
	struct rt_runtime *runtime = job->vm->pool->runtime;

	rt_runtime_lock(runtime);
	unlink_job(job);
	if (job->outcome == JOB_NO_OUTCOME)
		job->outcome = JOB_CANCELLED;
	end(job);
	rt_runtime_unlock(runtime);
	job->vm = NULL;
	job_unref(job);
}
