/* SPDX-License-Identifier: MIT */
/*
 * The parts of a scheduler that steals work, on real threads, until so many steals have been counted: each
 * runnable runs once and then is queued again. With many of them all queues overflow; with few, workers go
 * to sleep though they have work, which others must come for: a lost wake-up would hang.
 *
 * STEALS=N: how many; 10,000,000 is what TSan should have seen.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/idle.h"
#include "sched/lifo_slot.h"
#include "sched/parker.h"
#include "sched/steal_queue.h"
#include "support/suite.h"

#include "base/list.h"
#include "base/random.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

enum { WORKERS = 4, FEW = 3, SOME = 24, MANY = 4096, STEALS = 500000, SANITIZED_SHARE = 5 };

/* Plain members: the queues must order what workers do with them. */
struct item {
	struct rt_runnable runnable;
	unsigned long runs;
	bool queued;
};

struct worker {
	unsigned index;
	pthread_t thread;
	struct steal_queue queue;
	struct lifo_slot slot;
	struct parker parker;
	uint64_t random;
	bool searching;
	unsigned long runs, steals, parks;
	unsigned since_steal; /* runs */
};

static struct worker workers[WORKERS];
static struct item items[MANY];
static unsigned item_count;
/*
 * Workers go to sleep after each runnable. Otherwise they never sleep, and wake nobody: the counts of who
 * sleeps are changed with acquire and release, which would hide from TSan what the queues do not order
 * themselves.
 */
static bool lazy;
static struct inject inject;
static struct idle *idle;
static _Atomic unsigned long steals;
static unsigned long wanted;
static _Atomic bool closing;

static unsigned long steals_wanted(void)
{
	const char *text = getenv("STEALS");

	return text ? strtoul(text, NULL, 0) : (unsigned long)scaled(STEALS, SANITIZED_SHARE);
}

static void wake_one(void)
{
	int index = lazy ? idle_notify(idle) : -1;

	if (index >= 0)
		parker_unpark(&workers[index].parker);
}

static void close_all(void)
{
	atomic_store(&closing, true);
	for (unsigned i = 0; i < WORKERS; i++)
		parker_unpark(&workers[i].parker);
}

/* ---- One step of a worker ---- */

static void count_steal(struct worker *worker)
{
	worker->steals++;
	worker->since_steal = 0;
	if (atomic_fetch_add_explicit(&steals, 1, memory_order_relaxed) + 1 == wanted)
		close_all();
}

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

	if (!found)
		found = lifo_slot_take(&victim->slot);
	if (found)
		count_steal(worker);
	return found;
}

static struct rt_runnable *search(struct worker *worker)
{
	unsigned first = random_below(&worker->random, WORKERS);

	if (lazy && !worker->searching && !(worker->searching = idle_start_searching(idle)))
		return NULL;
	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker *victim = &workers[(first + i) % WORKERS];
		struct rt_runnable *found = victim == worker ? NULL : rob(worker, victim);

		if (found)
			return found;
	}
	return inject_pop(&inject);
}

static bool is_work_left(void)
{
	for (unsigned i = 0; i < WORKERS; i++)
		if (steal_queue_count(&workers[i].queue) > 0 || !lifo_slot_empty(&workers[i].slot))
			return true;
	return inject_count(&inject) > 0;
}

static void park(struct worker *worker)
{
	bool must_look = idle_park(idle, worker->index, worker->searching);

	worker->searching = false;
	worker->parks++;
	if (must_look && is_work_left())
		wake_one();
	if (!atomic_load(&closing))
		parker_park(&worker->parker, RT_FOREVER);
	worker->searching = !idle_unpark_self(idle, worker->index);
}

static void stop_searching(struct worker *worker)
{
	if (!worker->searching)
		return;
	worker->searching = false;
	if (idle_stop_searching(idle))
		wake_one();
}

/* ---- Work ---- */

static void queue_own(struct worker *worker, struct rt_runnable *runnable)
{
	if (random_below(&worker->random, 8) == 0)
		runnable = lifo_slot_swap(&worker->slot, runnable);
	if (runnable)
		steal_queue_push(&worker->queue, runnable, &inject);
	wake_one();
}

static void run(struct worker *worker, struct rt_runnable *runnable)
{
	struct item *item = container_of(runnable, struct item, runnable);

	if (!item->queued)
		ck_abort_msg("item %td ran twice", item - items);
	item->queued = false;
	item->runs++;
	worker->runs++;
	/* It has got everything, and the others have no processor to come for it. */
	if (++worker->since_steal % (2 * SOME) == 0)
		sched_yield();
	/* Back into a queue: its owner's, or, now and then, the one that is for all. */
	item->queued = true;
	if (random_below(&worker->random, 64) > 0) {
		queue_own(worker, runnable);
	} else {
		inject_push(&inject, runnable);
		wake_one();
	}
}

static struct worker *any_other(struct worker *worker)
{
	return &workers[(worker->index + 1 + random_below(&worker->random, WORKERS - 1)) % WORKERS];
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	while (!atomic_load_explicit(&closing, memory_order_relaxed)) {
		struct rt_runnable *found = NULL;

		/* So that there is much to steal, not only when there is nothing to do. */
		if (random_below(&worker->random, 2) == 0)
			found = rob(worker, any_other(worker));
		if (!found)
			found = take_own(worker);
		if (!found)
			found = search(worker);
		if (found) {
			stop_searching(worker);
			run(worker, found);
		}
		if (lazy)
			park(worker);
	}
	stop_searching(worker);
	return NULL;
}

/* ---- The tests ---- */

static void prepare(unsigned count)
{
	item_count = count;
	atomic_store(&steals, 0);
	atomic_store(&closing, false);
	ck_assert_int_eq(idle_create(&idle, WORKERS), 0);
	inject_init(&inject);
	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker *worker = &workers[i];

		*worker = (struct worker){.index = i, .random = i};
		steal_queue_init(&worker->queue);
		parker_init(&worker->parker, NULL, NULL);
	}
	for (unsigned i = 0; i < count; i++) {
		items[i] = (struct item){.queued = true};
		inject_push(&inject, &items[i].runnable);
	}
}

static void run_threads(void)
{
	for (unsigned i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	for (unsigned i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
}

/* What is left in the queues are all items, each once. */
static void drain(struct worker *worker)
{
	struct rt_runnable *runnable;

	while ((runnable = take_own(worker))) {
		struct item *item = container_of(runnable, struct item, runnable);

		if (!item->queued)
			ck_abort_msg("item %td is in two queues", item - items);
		item->queued = false;
	}
}

static void check_items(void)
{
	unsigned long by_items = 0, by_workers = 0;

	for (unsigned i = 0; i < item_count; i++) {
		if (items[i].queued)
			ck_abort_msg("item %u is lost", i);
		by_items += items[i].runs;
	}
	for (unsigned i = 0; i < WORKERS; i++)
		by_workers += workers[i].runs;
	ck_assert_uint_eq(by_items, by_workers);
}

static void report(void)
{
	unsigned long runs = 0, stolen = 0, parks = 0;

	for (unsigned i = 0; i < WORKERS; i++) {
		runs += workers[i].runs;
		stolen += workers[i].steals;
		parks += workers[i].parks;
	}
	printf("%u runnables, %d workers: %lu runs, %lu steals, %lu times asleep\n", item_count, WORKERS,
	       runs, stolen, parks);
	fflush(stdout);
}

static void steal_with(unsigned count)
{
	prepare(count);
	run_threads();
	for (unsigned i = 0; i < WORKERS; i++) {
		drain(&workers[i]);
		parker_finish(&workers[i].parker);
	}
	check_items();
	report();
	ck_assert_uint_eq(idle_parked(idle), 0);
	inject_destroy(&inject);
	idle_destroy(idle);
}

/* Few enough that the thieves' own queues have room: most that others have is stolen. */
START_TEST(many_steals)
{
	wanted = steals_wanted();
	steal_with(SOME);
}
END_TEST

/* Most steals fail here, as the thieves' queues are full. */
START_TEST(overflows)
{
	wanted = steals_wanted() / 1000;
	steal_with(MANY);
}
END_TEST

START_TEST(sleepers)
{
	wanted = steals_wanted() / 500;
	lazy = true;
	steal_with(FEW);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("steal_stress");
	TCase *tcase = tcase_create("steal_stress");

	tcase_set_timeout(tcase, 300);
	tcase_add_test(tcase, many_steals);
	tcase_add_test(tcase, overflows);
	tcase_add_test(tcase, sleepers);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
