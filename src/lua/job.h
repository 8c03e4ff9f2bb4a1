/* SPDX-License-Identifier: MIT */
/*
 * Jobs: a function with its arguments on the way to a job VM, and its results on the way back.
 *
 * Two have a job: an object in the VM that has started it, in which a task waits, and its place in
 * the job VM. The last one frees it.
 */
#ifndef RT_LUA_JOB_H
#define RT_LUA_JOB_H

#include "lua/message.h"

enum job_state {
	JOB_QUEUED,
	JOB_RUNNING, /* it has been begun; its task may not exist yet */
	JOB_ENDED, /* its outcome is there */
};

enum job_outcome { JOB_NO_OUTCOME, JOB_VALUES, JOB_ERROR, JOB_CANCELLED, JOB_FAILED };

struct job {
	struct rt_runnable runnable; /* begins it; after its end, gives back the job VM's reference */
	unsigned refs; /* atomic */
	uint32_t parent; /* the id of the task that has started it */
	char *site; /* where; malloc'ed */
	struct job_vm *vm;
	struct message *call; /* function and arguments, until they are taken */
	/* Locked: */
	enum job_state state;
	struct job *next, *prev; /* of the VM's jobs */
	struct rt_waiter *waiting; /* a ring */
	struct rt_task *task; /* while it runs */
	struct rt_waiter ended; /* on its joiners */
	bool cancelled;
	/* Written by the job VM before the end: */
	enum job_outcome outcome;
	struct message *result; /* values, or an error */
	char *traceback; /* of the error; malloc'ed, or NULL */
	const char *failure; /* of a job that could not be done */
};

struct job_vm;

/* One reference, for the caller. Takes over call; site is copied. NULL without memory: call is dropped. */
struct job *job_create(struct message *call, const char *site);

void job_unref(struct job *job);

/* Its place in the VM. Locked. */
void job_link(struct job *job, struct job_vm *vm);

/* On the VM's strand; see struct job. */
void job_run(struct rt_runnable *runnable);

/* Publishes the task on its end. */
void job_await(struct job *job, struct rt_task *task);

/* Cancels its task; a job that has not begun is dropped. */
void job_cancel(struct job *job);

/* The end of all: the VM will not run it any more. */
void job_abandon(struct job *job);

#endif
