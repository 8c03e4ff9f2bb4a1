/* SPDX-License-Identifier: MIT */
/*
 * A stealer: a worker of the stealing runtime. What it takes and steals, and how it sleeps; and struct
 * stealing, what all of them have in common.
 *
 * There is one reactor. A worker that has nothing to do sleeps in it: the driver. The others sleep on a
 * condition; a busy worker looks into the reactor now and then. Whoever comes out of it with work leaves it
 * to a sentinel, a sleeping worker that looks every millisecond whether somebody is there.
 */
#ifndef RT_STEALER_H
#define RT_STEALER_H

#include "reactor/reactor.h"
#include "runtime/virtual_clock.h"
#include "sched/crew.h"
#include "sched/idle.h"
#include "sched/inject.h"
#include "sched/lifo_slot.h"
#include "sched/parker.h"
#include "sched/pool.h"
#include "sched/queue.h"
#include "sched/steal_queue.h"

#include <pthread.h>
#include <stdatomic.h>

struct stealer {
	struct stealing *owner;
	unsigned number;
	struct steal_queue queue;
	struct lifo_slot slot;
	const struct rt_runnable *running;
	unsigned tick, slot_turns;
	bool searching; /* as struct idle knows */
	bool polling; /* in the reactor */
	uint64_t random;
	struct parker parker;
};

struct stealing {
	struct rt_runtime runtime;
	struct stealer *workers;
	unsigned count;
	bool drawn; /* chance decides, on one thread */
	struct inject inject;
	struct queue ready; /* of a single worker, from which nobody steals: in order, without a limit */
	struct reactor *reactor;
	struct pool *pool;
	bool virtual;
	struct virtual_clock clock;
	_Atomic(const bool *) done; /* that of run() */
	/* NULL: all workers are on one thread. Otherwise: */
	struct crew *crew;
	struct idle *idle;
	pthread_mutex_t driver; /* whoever is in the reactor */
	_Atomic uint64_t polls; /* how often somebody was */
	_Atomic rt_time polled; /* and when at last */
	atomic_bool sentinel; /* there is one */
	atomic_bool driver_looks; /* who sleeps in the reactor does what a sentinel does */
	atomic_uint missing; /* workers that could not be started */
	pthread_mutex_t outside; /* held by threads that are none of its own while they hand something in */
};

/* Wakes, or starts, a worker for something to run that has been queued, unless somebody searches. Any thread.
 */
void stealing_notify(struct stealing *self);

/* Whether something is queued anywhere: a snapshot. Any thread. */
bool stealing_has_anything(struct stealing *self);

/* Whether a descriptor, a timer or blocking work may still bring something. Any thread, not locked. */
bool stealing_can_wake(struct stealing *self);

/* Whether what run() waits for has come about. Any thread. */
bool stealing_is_done(struct stealing *self);

/* All from here on: the thread that the worker is at this moment, not locked. */

/* Queues what a task of this worker, or something that the worker was told, has scheduled; locked or not. */
void stealer_push(struct stealer *worker, struct rt_runnable *runnable);

/*
 * One turn of a worker's loop: runs something, or sleeps until there may be something. Returns 0, -EDEADLK to
 * worker 0 if nothing can happen any more, or the reactor's error.
 */
int stealer_step(struct stealer *worker);

/* The same when all workers are on one thread: false if there is nothing. Never sleeps. */
bool stealer_step_alone(struct stealer *worker);

/* Tells worker 0 if the end of run() has come about on this one. */
void stealer_look_for_end(struct stealer *worker);

/* Polls the reactor unless somebody is there, without waiting. Returns 0 or the reactor's error. */
int stealer_look_into_reactor(struct stealer *worker);

/* Sleeps until there may be something to run. Returns as stealer_step() does. */
int stealer_sleep(struct stealer *worker);

#endif
