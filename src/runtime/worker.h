/* SPDX-License-Identifier: MIT */
/*
 * A worker of the native runtime: a thread's run queue and reactor, and an inbox for what other
 * threads hand in. What has been placed on it stays on it, so its queue has neither locks nor atomic
 * operations.
 */
#ifndef RT_WORKER_H
#define RT_WORKER_H

#include "reactor/reactor.h"
#include "sched/crew.h"
#include "sched/queue.h"

RT_PRIVATE_BEGIN

struct worker {
	struct rt_executor executor;
	struct rt_runtime *runtime;
	uint16_t number;
	struct reactor *reactor;
	struct queue ready;
	bool guest; /* in a host's loop */
	const struct crew *crew; /* which it must rest with; NULL: there is nobody else */
	bool idle; /* sleeps, or is about to; under the runtime's own lock of such things */
	/* Any thread, under the lock. */
	pthread_mutex_t lock;
	struct queue inbox;
};

/* turn(arg): see struct reactor_options; the other options too. */
int worker_init(struct worker *worker, struct rt_runtime *runtime, const struct reactor_options *options);
void worker_finish(struct worker *worker);

/* See struct rt_executor. Any thread. */
void worker_schedule(struct worker *worker, struct rt_runnable *runnable);

/* Has the owner thread take a watch out of its reactor, and waits for it. Any other thread. */
void worker_unwatch(struct worker *worker, struct rt_watch *watch);

/* Whether something waits in the inbox. Any thread. */
bool worker_has_mail(struct worker *worker);

/* Makes what is in the inbox ready. Owner thread only, as is the next. */
void worker_empty_inbox(struct worker *worker);

/* Runs some of what is ready. */
void worker_run_batch(struct worker *worker);

RT_PRIVATE_END

#endif
