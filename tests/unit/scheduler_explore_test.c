/* SPDX-License-Identifier: MIT */
/*
 * A small scheduler of all the parts that stealing has, under explored schedules: no work is left lying
 * while a worker sleeps, each runs once, at most half of the workers search.
 *
 * FAULT last_searcher_is_silent: who parks need never look again
 * - return searching_of(before - change) == 0;
 * + return false;
 *
 * FAULT only_searchers_look: only the last searcher looks again, not one that was not allowed to search
 * - searching_of(before - change) == 0
 * + searching && searching_of(before) == 1
 *
 * FAULT stops_silently: the last searcher that finds work wakes nobody
 * - return searching_of(before) == 1;
 * + return false;
 *
 * FAULT searching_in_two_steps: whether one may search, and that one does, are two steps
 * - next = state + UNPARKED + SEARCHING;
 * + atomic_fetch_add_explicit(&idle->state, UNPARKED + SEARCHING, memory_order_acq_rel);
 * + return true;
 *
 * FAULT woken_is_uncounted: a woken worker is not counted as searching
 * - state + UNPARKED + SEARCHING
 * + state + UNPARKED
 *
 * FAULT no_second_look: that nobody searched before the lock was taken is taken for granted
 * - if (!should_wake(idle, state))
 * - return false;
 * + ;
 *
 * FAULT all_may_search: the searchers are not limited
 * - 2 * searching_of(state) >= idle->workers
 * + false
 *
 * FAULT stays_parked: a worker that wakes by itself stays among the parked ones
 * - place < idle->parked_count
 * + false
 *
 * FAULT leaves_unlocked: a worker that wakes by itself takes itself out without a lock
 * - idle->parked[place] = idle->parked[--idle->parked_count];
 * - atomic_fetch_add_explicit(&idle->state, UNPARKED, memory_order_acq_rel);
 * + pthread_mutex_unlock(&idle->lock);
 * + assert(idle->parked_count > 0);
 * + idle->parked[place] = idle->parked[--idle->parked_count];
 * + atomic_fetch_add_explicit(&idle->state, UNPARKED, memory_order_acq_rel);
 * + pthread_mutex_lock(&idle->lock);
 *
 * FAULT unpark_is_lost: an unpark before the park is lost
 * - atomic_exchange_explicit(&parker->state, NOTIFIED, memory_order_release)
 * + EXPLORE_STEPS(EXPLORE_EXCHANGE(&parker->state, explore_before == EMPTY ? EMPTY : NOTIFIED))
 *
 * FAULT tail_first: the tail is published before the slot is written
 * - queue->slots[tail & MASK] = runnable;
 * + atomic_store_explicit(&queue->tail, tail + 1, memory_order_release);
 * + queue->slots[tail & MASK] = runnable;
 *
 * FAULT notifies_first: work is queued after somebody was notified (in this file)
 *
 * FAULT ignores_last_look: the last look finds work and nobody is told (in this file)
 *
 * FAULT slot_is_not_looked_at: the last look does not look at the LIFO slots (in this file)
 *
 * FAULT searches_on: who was woken and finds work of its own is counted as searching on (in this file)
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#define STEAL_QUEUE_SIZE 4
#include "support/explore_atomic.h"

#include "unit/scheduler_explore_test.inc"

#include "base/list.h"

enum { MAX_WORKERS = 3, MAX_ITEMS = 12 };

/* What there is to do: makes others, and may then wait until some have been done, which keeps its worker
 * busy. */
struct item {
	struct rt_runnable runnable;
	struct item *first_child, *first_awaited;
	unsigned children, awaited;
	unsigned done;
};

struct worker {
	unsigned index;
	struct steal_queue queue;
	struct lifo_slot slot;
	struct parker parker;
	bool kicked;
	bool searching;
	unsigned wakes_by_itself; /* how often it still may */
};

static struct worker workers[MAX_WORKERS];
static unsigned worker_count;
static struct item items[MAX_ITEMS];
static unsigned item_count, items_done;
static struct inject inject;
static struct idle *idle;
static bool closing;

static void check_searchers(void)
{
	explore_check(searching_of(idle->state) <= (worker_count + 1) / 2);
}

static void interrupt(void *arg)
{
	struct worker *worker = arg;

	explore_step();
	worker->kicked = true;
	explore_wake(&worker->kicked);
}

static void wake_one(void)
{
	int index = idle_notify(idle);

	if (index >= 0)
		parker_unpark(&workers[index].parker);
}

/* ---- Work ---- */

static void close_all(void)
{
	closing = true;
	for (unsigned i = 0; i < worker_count; i++)
		parker_unpark(&workers[i].parker);
}

static void queue_own(struct worker *worker, struct item *item)
{
	struct rt_runnable *runnable = &item->runnable;

	if (explore_random(3) == 0)
		runnable = lifo_slot_swap(&worker->slot, runnable);
	if (runnable)
		steal_queue_push(&worker->queue, runnable, &inject);
}

static void schedule(struct worker *worker, struct item *item)
{
	if (fault == NOTIFIES_FIRST)
		wake_one();
	if (worker)
		queue_own(worker, item);
	else
		inject_push(&inject, &item->runnable);
	if (fault != NOTIFIES_FIRST)
		wake_one();
}

static void run(struct worker *worker, struct rt_runnable *runnable)
{
	struct item *item = container_of(runnable, struct item, runnable);

	for (unsigned i = 0; i < item->children; i++)
		schedule(worker, &item->first_child[i]);
	for (unsigned i = 0; i < item->awaited; i++)
		while (!item->first_awaited[i].done)
			explore_wait(&item->first_awaited[i], false);
	explore_check(item->done++ == 0);
	explore_wake(item);
	if (++items_done == item_count)
		close_all();
}

/* ---- Workers ---- */

static struct rt_runnable *take_own(struct worker *worker)
{
	struct rt_runnable *found = lifo_slot_take(&worker->slot);

	if (!found)
		found = steal_queue_pop(&worker->queue);
	return found ? found : inject_pop(&inject);
}

static struct rt_runnable *rob(struct worker *worker, struct worker *victim)
{
	struct rt_runnable *found = steal_queue_steal(&victim->queue, &worker->queue);

	return found ? found : lifo_slot_take(&victim->slot);
}

static struct rt_runnable *search(struct worker *worker)
{
	unsigned first = explore_random(worker_count);

	if (!worker->searching && !(worker->searching = idle_start_searching(idle)))
		return NULL;
	for (unsigned i = 0; i < worker_count; i++) {
		struct worker *victim = &workers[(first + i) % worker_count];
		struct rt_runnable *found = victim == worker ? NULL : rob(worker, victim);

		if (found)
			return found;
	}
	return inject_pop(&inject);
}

static bool is_work_left(void)
{
	for (unsigned i = 0; i < worker_count; i++) {
		if (steal_queue_count(&workers[i].queue) > 0)
			return true;
		if (fault != SLOT_IS_NOT_LOOKED_AT && !lifo_slot_empty(&workers[i].slot))
			return true;
	}
	return inject_count(&inject) > 0;
}

static void sleep_somewhere(struct worker *worker)
{
	bool by_itself = worker->wakes_by_itself > 0;

	if (by_itself)
		worker->wakes_by_itself--;
	if (explore_random(2)) {
		parker_park(&worker->parker, by_itself ? RT_S(1) : RT_FOREVER);
	} else if (parker_begin_driver(&worker->parker)) {
		while (!worker->kicked && explore_wait(&worker->kicked, by_itself))
			;
		worker->kicked = false;
		parker_end_driver(&worker->parker);
	}
}

/* Whatever wakes it, a late interruption among others, it then looks for work again. */
static void park(struct worker *worker)
{
	bool must_look = idle_park(idle, worker->index, worker->searching);

	worker->searching = false;
	if (must_look && is_work_left() && fault != IGNORES_LAST_LOOK)
		wake_one();
	if (!closing)
		sleep_somewhere(worker);
	worker->searching = !idle_unpark_self(idle, worker->index);
}

static void found_work(struct worker *worker)
{
	if (!worker->searching || fault == SEARCHES_ON)
		return;
	worker->searching = false;
	if (idle_stop_searching(idle))
		wake_one();
}

static void work(void *arg)
{
	struct worker *worker = arg;

	while (!closing) {
		struct rt_runnable *found = take_own(worker);

		if (!found)
			found = search(worker);
		if (found) {
			found_work(worker);
			run(worker, found);
		} else {
			park(worker);
		}
	}
}

/* ---- Scenarios ---- */

static void make_workers(unsigned count)
{
	worker_count = count;
	for (unsigned i = 0; i < count; i++) {
		struct worker *worker = &workers[i];

		worker->index = i;
		worker->kicked = worker->searching = false;
		worker->wakes_by_itself = explore_random(3);
		steal_queue_init(&worker->queue);
		worker->slot = (struct lifo_slot){NULL};
		parker_init(&worker->parker, interrupt, worker);
	}
}

static void prepare(unsigned count)
{
	ck_assert_int_eq(idle_create(&idle, count), 0);
	inject_init(&inject);
	make_workers(count);
	memset(items, 0, sizeof items);
	items_done = 0;
	closing = false;
}

static void check_end(void)
{
	for (unsigned i = 0; i < item_count; i++)
		explore_check(items[i].done == 1);
	explore_check(!is_work_left());
	explore_check(idle_parked(idle) == 0 && idle->parked_count == 0);
}

static void finish(void)
{
	for (unsigned i = 0; i < worker_count; i++)
		parker_finish(&workers[i].parker);
	inject_destroy(&inject);
	idle_destroy(idle);
}

/* From outside: the items that no other makes. */
static void inject_roots(void *arg)
{
	unsigned roots = *(unsigned *)arg;

	for (unsigned i = 0; i < roots; i++)
		schedule(NULL, &items[i]);
}

static void run_all(unsigned roots)
{
	for (unsigned i = 0; i < worker_count; i++)
		explore_spawn(work, &workers[i]);
	explore_spawn(inject_roots, &roots);
	explore.invariant = check_searchers;
	if (explore_join())
		check_end();
	explore.invariant = NULL;
	finish();
}

/* Roots that make leaves. */
static void trees(unsigned count)
{
	unsigned roots = 3, each = 3;

	prepare(count);
	item_count = roots + roots * each;
	for (unsigned i = 0; i < roots; i++) {
		items[i].first_child = &items[roots + i * each];
		items[i].children = each;
	}
	run_all(roots);
}

static void two_workers_do_all(void)
{
	trees(2);
}

static void three_workers_do_all(void)
{
	trees(3);
}

/* What makes work and is busy until that has been done: others must come for it, all that are needed. */
static void chain(unsigned count)
{
	prepare(count);
	item_count = count;
	for (unsigned i = 0; i + 1 < count; i++)
		items[i] = (struct item){.first_child = &items[i + 1],
					 .children = 1,
					 .first_awaited = &items[i + 1],
					 .awaited = 1};
	run_all(1);
}

static void two_workers_share(void)
{
	chain(2);
}

static void three_workers_share(void)
{
	chain(3);
}

/* Made at once, when the first of two notifications wakes somebody who then is busy until the second is done.
 */
static void a_burst_wakes_all(void)
{
	prepare(3);
	item_count = 3;
	items[0] = (struct item){
		.first_child = &items[1], .children = 2, .first_awaited = &items[1], .awaited = 2};
	items[1] = (struct item){.first_awaited = &items[2], .awaited = 1};
	run_all(1);
}

static const struct explore_case cases[] = {
	{"two_workers_do_all", two_workers_do_all, 800}, {"three_workers_do_all", three_workers_do_all, 1000},
	{"two_workers_share", two_workers_share, 300},   {"three_workers_share", three_workers_share, 500},
	{"a_burst_wakes_all", a_burst_wakes_all, 600},
};

#include "support/explore_suite.h"
