/* SPDX-License-Identifier: MIT */
/*
 * Job VMs: those that rt.parallel() runs functions in. There is at most one for each worker of the runtime,
 * made when it is needed and kept until the program's own VM stops; that one and its job VMs are a family.
 *
 * Each is on a strand of its own. Only what runs on it touches its lua_State; other VMs hand in jobs, as
 * runnables. A VM runs several jobs at once, as tasks.
 */
#ifndef RT_LUA_JOB_POOL_H
#define RT_LUA_JOB_POOL_H

#include "lua/job.h"
#include "lua/state.h"

struct job_vm {
	struct job_vm *next;
	struct job_pool *pool;
	struct strand *strand;
	struct state state; /* on the strand */
	int body; /* in the registry: what runs a job; see lua/rt/job.lua */
	unsigned paths; /* which of the pool's search paths it has */
	bool cancelled; /* the end has come before it was made */
	struct rt_runnable cancel; /* on the strand: cancels all its tasks */
	bool cancelling; /* it is scheduled; locked */
	/* Locked: */
	struct job *jobs; /* queued, running, and those that have ended but not left */
	unsigned job_count;
	unsigned load; /* of these, how many have not ended */
	bool starved; /* a job has run out of memory: no more jobs, until it has been mended */
	unsigned number; /* from 1 on, for messages */
};

struct job_pool {
	struct job_pool *next_left; /* of those that could not be freed */
	struct vm *owner; /* the program's own; NULL: it has gone, and left this one behind */
	struct rt_runtime *runtime;
	struct task_family *family; /* the owner's; if that has gone, the pool's own */
	struct chan_list *chans; /* shared by its VMs */
	size_t memory; /* bytes for each; 0: any */
	bool jit_off; /* as in the owner */
	/* Locked: */
	struct job_vm *vms;
	unsigned count; /* of those that are not starved */
	char *path, *cpath; /* as package has them in the VM that has started the last job */
	unsigned paths; /* goes up when they change */
};

/* The pool of the VM's family, made now if there is none, with the search paths of L. Raises. */
struct job_pool *job_pool_of(lua_State *L, struct vm *vm);

/* Adds the job to the VM with the fewest, and schedules it. 0 or -ENOMEM. */
int job_pool_submit(struct job_pool *pool, struct job *job);

/*
 * Part of stopping the owner: stops and frees all, when nothing else runs. With a job that does not give way
 * all of them are left as they are.
 */
void job_pool_destroy(struct vm *owner);

/* Cancels all tasks of the job VMs, soon. NULL is fine. */
void job_pool_cancel(struct job_pool *pool);

/* Names those that have tasks of their own left, on stderr: only at the end, when nothing runs. */
void job_pool_report_left(const struct job_pool *pool);

/* Names the jobs that have begun and not ended, on stderr. Any thread. NULL is fine. */
void job_pool_report_running(struct job_pool *pool);

/* failures_report() for each, at the end as well. Returns how many there have been in all. */
unsigned job_pool_report_failures(struct job_pool *pool);

/* On the VM's strand: makes its lua_State unless it has one. 0 or -ENOMEM. */
int job_vm_open(struct job_vm *vm);

/* On the VM's strand, after a job: a VM that ran out of memory is cleaned up, or closed, to be made anew. */
void job_vm_mend(struct job_vm *vm);

#endif
