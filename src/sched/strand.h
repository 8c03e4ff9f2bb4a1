/* SPDX-License-Identifier: MIT */
/*
 * A strand: a serial executor that is itself a runnable of its parent. Whatever is
 * scheduled on it, from any thread, runs one at a time and in order, on whichever thread its
 * turn comes. (The word is Asio's.)
 */
#ifndef RT_STRAND_H
#define RT_STRAND_H

#include "sched/queue.h"

RT_PRIVATE_BEGIN

struct strand {
	struct rt_executor executor;
	struct rt_runnable runnable; /* scheduled on the parent while there is something to run */
	struct rt_executor *parent;
	struct rt_runtime *runtime; /* whether it is shared; NULL: no */
	pthread_mutex_t lock; /* of the next four */
	struct queue queue;
	bool scheduled;
	bool held; /* it gets no turn, or no more in this one */
	const struct self *running; /* on whose thread it has its turn, or NULL */
	pthread_cond_t change; /* of the last two */
	int left; /* of the turn that it has, runnables; of the thread that it runs on, as is the next */
	struct rt_runnable *put_back; /* the next one, in front of the queue; NULL outside of a turn */
	void **retired, *next; /* the list that it is in; NULL: in use */
};

/* How many runnables run before the parent's others get their turn; one, where chance decides. */
enum { STRAND_BATCH = 64 };

/* On a thread of the runtime that parent belongs to. */
void strand_init(struct strand *strand, struct rt_executor *parent);

/*
 * Ends a strand whose memory is from malloc(): what is scheduled on it never runs. The memory is
 * freed at once, or, as nothing leaves the parent's queue but by running, in its last turn there;
 * until then it is in the list, for strands_free(). NULL is fine.
 */
void strand_retire(struct strand *strand, void **retired);

/*
 * For what runs on it: takes what is next in this turn, to run it in its place; NULL if there is nothing
 * more. What has been taken may be put back at once.
 */
struct rt_runnable *strand_next(struct strand *strand);
void strand_put_back(struct strand *strand, struct rt_runnable *runnable);

/*
 * Keeps what is scheduled on it from running until strand_release(); waits, with the thread, until what is
 * running there has given way. False: there is nothing to wait for or to release, as there is one thread, or
 * it has its turn on this one, around the call.
 */
bool strand_hold(struct strand *strand);
void strand_release(struct strand *strand);

/* Whether what is on it has its turn, on another thread, or on this one around the call. Any thread. */
bool strand_is_running(struct strand *strand);

/* Frees those whose parent is gone, and with it their turns. */
void strands_free(void *retired);

RT_PRIVATE_END

#endif
