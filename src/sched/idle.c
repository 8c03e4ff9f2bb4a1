/* SPDX-License-Identifier: MIT */
/*
 * Who sleeps and who searches; see idle.h.
 *
 * Why no wake-up is lost. Work is queued before idle_notify() looks at the counts; a worker is counted as
 * parked, or as searching no longer, before it looks at the queues for the last time. Both looks could miss
 * the other's write if they were mere loads. Therefore idle_notify() looks by a read-modify-write that adds
 * nothing: all changes of one word have one order. If the parking comes first, idle_notify() sees it and
 * wakes the worker. If idle_notify() comes first, the parking reads its value, or one that was made from it:
 * acquire then pairs with its release, and the last look finds the work.
 *
 * As long as somebody searches, the others leave new work to him, and need not look again when they park. So
 * it is handed on: who is the last to stop searching notifies another if he has found something, and looks
 * again if not. A worker that was not allowed to search looks again, too, if nobody searches by the time it
 * parks: while all were awake and none searched, idle_notify() gave nobody, and who made the work may
 * be busy for long.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/idle.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

/* The two counts in one word. */
#define SEARCHING UINT32_C(1)
#define UNPARKED (UINT32_C(1) << 16)

struct idle {
	_Atomic uint32_t state; /* UNPARKED changes under the lock */
	unsigned workers; /* constant */
	pthread_mutex_t lock;
	unsigned parked_count; /* under the lock: workers less UNPARKED */
	unsigned parked[]; /* under the lock, the last one on top */
};

static unsigned searching_of(uint32_t state)
{
	return state & (UNPARKED - 1);
}

static unsigned unparked_of(uint32_t state)
{
	return state / UNPARKED;
}

int idle_create(struct idle **idle, unsigned workers)
{
	if (workers == 0 || workers > IDLE_MAX_WORKERS)
		return -EINVAL;
	struct idle *created = calloc(1, sizeof *created + workers * sizeof *created->parked);

	if (!created)
		return -ENOMEM;
	atomic_init(&created->state, workers * UNPARKED);
	created->workers = workers;
	pthread_mutex_init(&created->lock, NULL);
	*idle = created;
	return 0;
}

void idle_destroy(struct idle *idle)
{
	if (!idle)
		return;
	pthread_mutex_destroy(&idle->lock);
	free(idle);
}

static bool should_wake(const struct idle *idle, uint32_t state)
{
	return searching_of(state) == 0 && unparked_of(state) < idle->workers;
}

/* With the lock held. Others may begin to search meanwhile: therefore the exchange. */
static bool count_woken(struct idle *idle)
{
	uint32_t state = atomic_load_explicit(&idle->state, memory_order_relaxed), next;

	do {
		if (!should_wake(idle, state))
			return false;
		next = state + UNPARKED + SEARCHING;
	} while (!atomic_compare_exchange_weak_explicit(&idle->state, &state, next, memory_order_acq_rel,
							memory_order_acquire));
	return true;
}

int idle_notify(struct idle *idle)
{
	int worker = -1;

	/* Not a load: see above. */
	if (!should_wake(idle, atomic_fetch_add_explicit(&idle->state, 0, memory_order_acq_rel)))
		return -1;
	pthread_mutex_lock(&idle->lock);
	if (count_woken(idle)) {
		assert(idle->parked_count > 0);
		worker = (int)idle->parked[--idle->parked_count];
	}
	pthread_mutex_unlock(&idle->lock);
	return worker;
}

bool idle_start_searching(struct idle *idle)
{
	uint32_t state = atomic_load_explicit(&idle->state, memory_order_relaxed);

	do {
		if (2 * searching_of(state) >= idle->workers)
			return false;
		/* Acquire: what was queued for a searcher that was to find it is seen. */
	} while (!atomic_compare_exchange_weak_explicit(&idle->state, &state, state + SEARCHING,
							memory_order_acq_rel, memory_order_relaxed));
	return true;
}

bool idle_stop_searching(struct idle *idle)
{
	uint32_t before = atomic_fetch_sub_explicit(&idle->state, SEARCHING, memory_order_acq_rel);

	assert(searching_of(before) > 0);
	return searching_of(before) == 1;
}

bool idle_park(struct idle *idle, unsigned worker, bool searching)
{
	uint32_t change = UNPARKED + (searching ? SEARCHING : 0);

	pthread_mutex_lock(&idle->lock);
	uint32_t before = atomic_fetch_sub_explicit(&idle->state, change, memory_order_acq_rel);

	assert(idle->parked_count < idle->workers);
	idle->parked[idle->parked_count++] = worker;
	pthread_mutex_unlock(&idle->lock);
	return searching_of(before - change) == 0;
}

/* With the lock held: the place of worker among the parked ones, or parked_count. */
static unsigned find(const struct idle *idle, unsigned worker)
{
	unsigned i = 0;

	while (i < idle->parked_count && idle->parked[i] != worker)
		i++;
	return i;
}

bool idle_unpark_self(struct idle *idle, unsigned worker)
{
	pthread_mutex_lock(&idle->lock);
	unsigned place = find(idle, worker);
	bool found = place < idle->parked_count;

	if (found) {
		idle->parked[place] = idle->parked[--idle->parked_count];
		atomic_fetch_add_explicit(&idle->state, UNPARKED, memory_order_acq_rel);
	}
	pthread_mutex_unlock(&idle->lock);
	return found;
}

bool idle_is_parked(struct idle *idle, unsigned worker)
{
	pthread_mutex_lock(&idle->lock);
	bool found = find(idle, worker) < idle->parked_count;

	pthread_mutex_unlock(&idle->lock);
	return found;
}

unsigned idle_parked(struct idle *idle)
{
	/* Not a load: who wakes up later sees what the caller has written before. */
	uint32_t state = atomic_fetch_add_explicit(&idle->state, 0, memory_order_acq_rel);

	return idle->workers - unparked_of(state);
}
