/* SPDX-License-Identifier: MIT */
/* Strands; see strand.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/strand.h"

#include "base/list.h"
#include "task/self.h"

#include <stdlib.h>

static void lock(struct strand *strand)
{
	if (strand->runtime && strand->runtime->shared)
		pthread_mutex_lock(&strand->lock);
}

static void unlock(struct strand *strand)
{
	if (strand->runtime && strand->runtime->shared)
		pthread_mutex_unlock(&strand->lock);
}

/* Whether it is to be scheduled now, as it has something to run; which is noted. Locked. */
static bool wants_turn(struct strand *strand)
{
	bool starts = strand->queue.head && !strand->scheduled && !strand->held;

	strand->scheduled |= starts;
	return starts;
}

static void schedule(struct rt_executor *executor, struct rt_runnable *runnable)
{
	struct strand *strand = container_of(executor, struct strand, executor);

	lock(strand);
	queue_push(&strand->queue, runnable);
	bool starts = wants_turn(strand);

	unlock(strand);
	if (starts)
		strand->parent->schedule(strand->parent, &strand->runnable);
}

static void destroy(struct strand *strand)
{
	if (!strand)
		return;
	pthread_mutex_destroy(&strand->lock);
	pthread_cond_destroy(&strand->change);
	free(strand);
}

/* The list is the runtime's. */
static void lock_retired(struct strand *strand)
{
	if (strand->runtime)
		rt_runtime_lock(strand->runtime);
}

static void unlock_retired(struct strand *strand)
{
	if (strand->runtime)
		rt_runtime_unlock(strand->runtime);
}

static void free_retired(struct strand *strand)
{
	void **link = strand->retired;

	lock_retired(strand);
	while (*link != strand)
		link = &((struct strand *)*link)->next;
	*link = strand->next;
	unlock_retired(strand);
	destroy(strand);
}

static struct rt_runnable *take(struct strand *strand)
{
	struct rt_runnable *next = strand->put_back;

	if (next) {
		strand->put_back = NULL;
		return next;
	}
	lock(strand);
	strand->running = self_get();
	next = strand->held ? NULL : queue_next(&strand->queue);
	unlock(strand);
	return next;
}

static void run(struct rt_runnable *runnable)
{
	struct strand *strand = container_of(runnable, struct strand, runnable);

	if (strand->retired) {
		free_retired(strand);
		return;
	}
	strand->left = strand->queue.seeded ? 1 : STRAND_BATCH;
	while (strand->left-- > 0) {
		struct rt_runnable *next = take(strand);

		if (!next)
			break;
		next->run(next);
	}
	lock(strand);
	strand->scheduled = false;
	strand->running = NULL;
	bool again = wants_turn(strand);

	if (strand->held)
		pthread_cond_broadcast(&strand->change);
	unlock(strand);
	if (again)
		strand->parent->schedule(strand->parent, &strand->runnable);
}

struct rt_runnable *strand_next(struct strand *strand)
{
	if (strand->left <= 0)
		return NULL;
	strand->left--;
	return take(strand);
}

void strand_put_back(struct strand *strand, struct rt_runnable *runnable)
{
	strand->left++;
	strand->put_back = runnable;
}

void strand_init(struct strand *strand, struct rt_executor *parent)
{
	*strand = (struct strand){
		.executor.schedule = schedule,
		.runnable.run = run,
		.parent = parent,
		.runtime = self_get()->runtime,
		.queue.seeded = self_get()->seeded,
	};
	pthread_mutex_init(&strand->lock, NULL);
	pthread_cond_init(&strand->change, NULL);
}

bool strand_hold(struct strand *strand)
{
	if (!strand->runtime || !strand->runtime->shared)
		return false;
	pthread_mutex_lock(&strand->lock);
	bool holds = strand->running != self_get();

	while (holds && strand->held)
		pthread_cond_wait(&strand->change, &strand->lock);
	strand->held |= holds;
	while (holds && strand->running)
		pthread_cond_wait(&strand->change, &strand->lock);
	pthread_mutex_unlock(&strand->lock);
	return holds;
}

void strand_release(struct strand *strand)
{
	pthread_mutex_lock(&strand->lock);
	strand->held = false;
	bool again = wants_turn(strand);

	pthread_cond_broadcast(&strand->change);
	pthread_mutex_unlock(&strand->lock);
	if (again)
		strand->parent->schedule(strand->parent, &strand->runnable);
}

bool strand_is_running(struct strand *strand)
{
	lock(strand);
	bool running = strand->running != NULL;

	unlock(strand);
	return running;
}

void strand_retire(struct strand *strand, void **retired)
{
	if (!strand || !strand->scheduled) {
		destroy(strand);
		return;
	}
	lock_retired(strand);
	strand->next = *retired;
	strand->retired = retired;
	*retired = strand;
	unlock_retired(strand);
}

void strands_free(void *retired)
{
	while (retired) {
		struct strand *strand = retired;

		retired = strand->next;
		destroy(strand);
	}
}
