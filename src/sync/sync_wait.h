/* SPDX-License-Identifier: MIT */
/*
 * What every wait of this folder is: one of several cases, mostly of one. A case lies
 * in the queue of its source, a ring, as long as the wait may still be ended by it:
 *
 *	 source ──► queue: case ◄──► case ◄──► case        in order of arrival
 *	                    │         │         │
 *	                   wait      wait      wait ──► its other cases, elsewhere
 *
 * Whoever brings about what a case waits for does the whole operation on its behalf
 * and then completes it, which takes all cases of the wait out of their queues. So a
 * queue has no dead cases, and a task that is woken has nothing left to do to the source,
 * which may be gone. The memory is the caller's, until the wait is over.
 */
#ifndef RT_SYNC_WAIT_H
#define RT_SYNC_WAIT_H

#include "base/fault.h"
#include "base/list.h"
#include "task/task.h"

#include <errno.h>

RT_PRIVATE_BEGIN

struct sync_case;

struct sync_kind {
	struct wait_kind wait; /* of a wait for this case alone; detaches by sync_detach */
	/* Does it now if it can be done without waiting: the result; else -EAGAIN. Locked. */
	int (*try)(struct sync_case *sync_case);
};

struct sync_case {
	const struct sync_kind *kind;
	void *source;
	void *element; /* of a channel's */
	struct rt_waiter **queue; /* of the source */
	/* Set by sync_await(): */
	struct rt_waiter waiter; /* linked in the queue if next is not NULL */
	struct sync_wait *wait;
	unsigned order; /* a permutation: which case to try in this place */
};

struct sync_wait {
	struct rt_task *task;
	struct sync_case *cases;
	unsigned count;
	unsigned chosen; /* the index of the case that happened, if result says so */
	int result; /* WAIT_PENDING, then that case's */
};

/*
 * Lets task, which is running, wait for one of the cases, whose first four members
 * are filled in. False: one has happened at once. True: task must be suspended; that
 * may be so although one has happened, when the task has used up its budget and
 * others should run. Afterwards sync_result(). Does not suspend.
 */
bool sync_await(struct sync_wait *wait, struct rt_task *task, struct sync_case *cases, unsigned count);

/* The result of the case that happened, or, if none did, what suspending gave. */
static inline int sync_result(const struct sync_wait *wait, int suspended)
{
	if (FAULT(value_lost) && wait->task->interrupted)
		return -ECANCELED;
	return wait->result == WAIT_PENDING ? suspended : wait->result;
}

/* sync_await(), task_suspend() and sync_result() for the calling task. -EPERM outside of one. Suspends. */
int sync_suspend(struct sync_wait *wait, struct sync_case *cases, unsigned count, rt_time deadline);

/* The same for a single case. Suspends. */
int sync_wait_for(struct sync_case *sync_case, rt_time deadline);

/* For struct wait_kind: takes all cases of the wait out of their queues. Locked. */
void sync_detach(struct task_wait *wait);

/* The case that has waited longest. The queue must not be empty. */
static inline struct sync_case *sync_first(struct rt_waiter *queue)
{
	return container_of(queue, struct sync_case, waiter);
}

/* Ends the wait that the case belongs to: what it waits for has been done, with that result. Locked. */
void sync_complete(struct sync_case *sync_case, int result);

/* Completes all that is in the queue. Locked. */
void sync_complete_all(struct rt_waiter **queue, int result);

RT_PRIVATE_END

#endif
