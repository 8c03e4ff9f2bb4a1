/* SPDX-License-Identifier: MIT */
/*
 * A strand: a serial executor that is itself a runnable of its parent. Whatever is
 * scheduled on it runs one at a time and in order. (The word is Asio's.)
 */
#ifndef RT_STRAND_H
#define RT_STRAND_H

#include "sched/queue.h"

RT_PRIVATE_BEGIN

struct strand {
	struct rt_executor executor;
	struct rt_runnable runnable; /* scheduled on the parent while there is something to run */
	struct rt_executor *parent;
	struct queue queue;
	bool scheduled;
};

/* How many runnables run before the parent's others get their turn; one, where chance decides. */
enum { STRAND_BATCH = 64 };

void strand_init(struct strand *strand, struct rt_executor *parent);

RT_PRIVATE_END

#endif
