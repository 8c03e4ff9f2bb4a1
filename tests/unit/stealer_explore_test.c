/* SPDX-License-Identifier: MIT */
/*
 * The workers of stealing as they are, under explored schedules, with a reactor, threads and a clock of this
 * file: whatever a busy worker leaves to others, in its queue, its slot or in the reactor, is done though it
 * is busy until then, as long as somebody sleeps.
 *
 * That a worker believes in somebody who looks, though there is nobody right now, is not among the faults:
 * who falls asleep while others are awake looks, at the latest one period later.
 *
 * FAULT sentinel_stays: a sentinel that has stopped looking still counts as one
 * - atomic_store(&self->sentinel, false);
 * + ;
 *
 * FAULT sentinel_drives: a sentinel goes into the reactor and still counts as one
 * - return sleep_in_reactor(worker);
 * + atomic_store(&self->sentinel, true);
 * + int err = sleep_in_reactor(worker);
 * + atomic_store(&self->sentinel, false);
 * + return err;
 *
 * FAULT no_look_after_quiet: a sentinel sleeps for long though somebody has woken up and relied on it
 * - end == QUIET && all_sleep(self)
 * + end == QUIET
 *
 * FAULT sentinel_overlooks: the sentinel does not look at the queues
 * - parker_park(&worker->parker, clock_real() + PERIOD) || stealing_has_anything(self)
 * + parker_park(&worker->parker, clock_real() + PERIOD)
 *
 * FAULT no_take_over: the sentinel leaves the reactor alone
 * - clock_real() - polled >= UNWATCHED && pthread_mutex_trylock(&self->driver) == 0
 * + false
 *
 * FAULT driver_sleeps_long: a driver that counts as one that looks sleeps without a period
 * - period ? clock_real() + PERIOD : RT_FOREVER
 * + RT_FOREVER
 *
 * FAULT driver_overlooks: a driver that looks does not look at the queues
 * - !period || stealing_has_anything(self)
 * + !period
 *
 * FAULT driver_stays: the driver keeps its lock
 * - pthread_mutex_unlock(&worker->owner->driver);
 * + ;
 *
 * FAULT wakes_no_others: who comes out of the reactor with work tells nobody
 * - wake_others(worker);
 * + ;
 *
 * FAULT one_is_not_enough: who comes out of the reactor with one thing to run tells nobody
 * - count > 1 || (count == 1 && !atomic_load(&self->sentinel))
 * + count > 1
 *
 * FAULT look_is_silent: a busy worker finds work in the reactor and tells nobody
 * - if (steal_queue_count(&worker->queue) > 0)
 * - stealing_notify(self);
 * + ;
 *
 * FAULT no_last_look: who falls asleep does not look at the queues again
 * - idle_park(self->idle, worker->number, worker->searching) && stealing_has_anything(self)
 * + idle_park(self->idle, worker->number, worker->searching) && false
 *
 * FAULT slot_is_not_seen: the looks at the queues leave out the slots
 * - steal_queue_count(&worker->queue) > 0 || !lifo_slot_empty(&worker->slot)
 * + steal_queue_count(&worker->queue) > 0
 *
 * FAULT slot_is_not_stolen: what is in a slot is its worker's alone
 * - stolen ? stolen : lifo_slot_take(&victim->slot)
 * + stolen
 *
 * FAULT finder_is_silent: the last that searched finds work and tells nobody
 * - if (idle_stop_searching(worker->owner->idle))
 * - stealing_notify(worker->owner);
 * + idle_stop_searching(worker->owner->idle);
 *
 * FAULT forgets_searching: a worker that was notified does not know that it is searching
 * - worker->searching = !idle_unpark_self(self->idle, worker->number);
 * + idle_unpark_self(self->idle, worker->number);
 *
 * FAULT nobody_instead: a worker that cannot be started is not replaced
 * - return !idle_stop_searching(self->idle);
 * + idle_stop_searching(self->idle);
 * + return true;
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#define STEAL_QUEUE_SIZE 4
#define SENTINEL_LOOKS 2
#include "support/explore_atomic.h"

#include "unit/stealer_explore_test.inc"

#include "base/list.h"

enum { MAX_WORKERS = 3, MAX_ITEMS = 8 };

/* What there is to do: schedules others, posts others as events, and is busy until some have been done. */
struct item {
	struct rt_runnable runnable;
	struct item *children, *events, *awaited;
	unsigned child_count, event_count, awaited_count;
	unsigned done;
};

static struct stealing self;
static struct stealer workers[MAX_WORKERS];
static struct item items[MAX_ITEMS];
static unsigned item_count, items_done;
static bool started[MAX_WORKERS], cannot_start[MAX_WORKERS];
static bool closing;

/* ---- What stands in for the rest of the runtime ---- */

static struct {
	struct item *posted[MAX_ITEMS];
	unsigned count;
	bool interrupted, polled;
} events;

static rt_time now;

rt_time clock_real(void)
{
	now += RT_US(100) * (rt_time)explore_random(10);
	return now;
}

/* Worker i is fiber i. */
static struct stealer *own_worker(void)
{
	ptrdiff_t index = explore.running - explore.fibers;

	return index < (ptrdiff_t)self.count ? &workers[index] : NULL;
}

static int poll_events(bool wait, bool timed)
{
	explore_step();
	explore_check(!events.polled);
	events.polled = true;
	while (wait && events.count == 0 && !events.interrupted && explore_wait(&events, timed))
		;
	events.polled = events.interrupted = false;
	while (events.count > 0)
		stealer_push(own_worker(), &events.posted[--events.count]->runnable);
	return 0;
}

int reactor_poll(struct reactor *reactor, bool wait)
{
	(void)reactor;
	return poll_events(wait, false);
}

int reactor_poll_until(struct reactor *reactor, rt_time until)
{
	(void)reactor;
	(void)until;
	return poll_events(true, true);
}

static void interrupt(void *arg)
{
	(void)arg;
	explore_step();
	events.interrupted = true;
	explore_wake(&events);
}

static void post(struct item *item)
{
	explore_step();
	events.posted[events.count++] = item;
	explore_wake(&events);
}

/* Something may always happen. */
bool reactor_has_timers(const struct reactor *reactor)
{
	(void)reactor;
	return true;
}

size_t pool_pending(const struct pool *pool)
{
	(void)pool;
	return 0;
}

int crew_start(struct crew *crew, unsigned worker)
{
	(void)crew;
	explore_step();
	if (cannot_start[worker])
		return -EAGAIN;
	started[worker] = true;
	explore_wake(&started[worker]);
	return 0;
}

int crew_pause(struct crew *crew, bool at_work, rt_time limit)
{
	(void)crew;
	(void)at_work;
	(void)limit;
	return -EBUSY;
}

bool crew_rests_in_task(struct crew *crew)
{
	(void)crew;
	return false;
}

void crew_resume(struct crew *crew)
{
	(void)crew;
}

/* ---- Work ---- */

static void close_all(void)
{
	closing = true;
	for (unsigned i = 0; i < self.count; i++) {
		parker_unpark(&workers[i].parker);
		explore_wake(&started[i]);
	}
}

static void schedule(struct item *item)
{
	struct stealer *worker = own_worker();

	if (worker) {
		stealer_push(worker, &item->runnable);
	} else {
		inject_push(&self.inject, &item->runnable);
		stealing_notify(&self);
	}
}

static void run_item(struct rt_runnable *runnable)
{
	struct item *item = container_of(runnable, struct item, runnable);

	for (unsigned i = 0; i < item->child_count; i++)
		schedule(&item->children[i]);
	for (unsigned i = 0; i < item->event_count; i++)
		post(&item->events[i]);
	for (unsigned i = 0; i < item->awaited_count; i++)
		while (!item->awaited[i].done)
			explore_wait(&item->awaited[i], false);
	explore_check(item->done++ == 0);
	explore_wake(item);
	if (++items_done == item_count)
		close_all();
}

static void work(void *arg)
{
	struct stealer *worker = arg;

	while (worker->number > 0 && !started[worker->number] && !closing)
		explore_wait(&started[worker->number], false);
	worker->searching = worker->number > 0;
	while (!closing)
		stealer_step(worker);
}

/* ---- Scenarios ---- */

static void make_worker(unsigned number)
{
	struct stealer *worker = &workers[number];

	memset(worker, 0, sizeof *worker);
	worker->owner = &self;
	worker->number = number;
	worker->random = number + 1;
	/* Some look into the reactor soon. */
	worker->tick = explore_random(2) ? 55 + explore_random(6) : 0;
	steal_queue_init(&worker->queue);
	parker_init(&worker->parker, interrupt, NULL);
	started[number] = cannot_start[number] = false;
}

static void prepare(unsigned count, unsigned all_items)
{
	memset(&self, 0, sizeof self);
	memset(&events, 0, sizeof events);
	memset(items, 0, sizeof items);
	self.count = count;
	self.workers = workers;
	self.crew = (struct crew *)&started;
	ck_assert_int_eq(idle_create(&self.idle, count), 0);
	inject_init(&self.inject);
	for (unsigned i = 0; i < count; i++)
		make_worker(i);
	for (unsigned i = count; i-- > 1;)
		idle_park(self.idle, i, false);
	for (unsigned i = 0; i < all_items; i++)
		items[i].runnable.run = run_item;
	item_count = all_items;
	items_done = 0;
	now = 0;
	closing = false;
}

/* From outside, with pauses in which all may fall asleep. */
static void hand_in(void *arg)
{
	unsigned roots = *(unsigned *)arg;

	for (unsigned i = 0; i < roots; i++) {
		for (unsigned pauses = explore_random(4); pauses > 0; pauses--)
			explore_wait(&started, true);
		if (explore_random(2))
			schedule(&items[i]);
		else
			post(&items[i]);
	}
}

static void check_searchers(void)
{
	explore_check(searching_of(self.idle->state) <= (self.count + 1) / 2);
}

static void run_all(unsigned roots)
{
	for (unsigned i = 0; i < self.count; i++)
		explore_spawn(work, &workers[i]);
	explore_spawn(hand_in, &roots);
	explore.invariant = check_searchers;
	if (explore_join())
		for (unsigned i = 0; i < item_count; i++)
			explore_check(items[i].done == 1);
	explore.invariant = NULL;
	for (unsigned i = 0; i < self.count; i++)
		parker_finish(&workers[i].parker);
	inject_destroy(&self.inject);
	idle_destroy(self.idle);
}

/* Each makes the next one ready, mostly in its slot, or as an event, and is busy until that is done. */
static void chain(unsigned workers_there, unsigned length)
{
	prepare(workers_there, length);
	for (unsigned i = 0; i + 1 < length; i++) {
		struct item *next = &items[i + 1];

		items[i].awaited = next;
		items[i].awaited_count = 1;
		if (explore_random(2))
			items[i].children = next, items[i].child_count = 1;
		else
			items[i].events = next, items[i].event_count = 1;
	}
	run_all(1);
}

static void two_workers_share(void)
{
	chain(2, 2);
}

static void three_workers_share(void)
{
	chain(3, 3);
}

/* The same again, when the first time is over and some have fallen asleep. */
static void twice(unsigned workers_there)
{
	prepare(workers_there, 4);
	for (unsigned i = 0; i < 2; i++) {
		items[i].awaited = &items[2 + i];
		items[i].awaited_count = 1;
		if (explore_random(2))
			items[i].children = &items[2 + i], items[i].child_count = 1;
		else
			items[i].events = &items[2 + i], items[i].event_count = 1;
	}
	/* Never both at once: there may be no third worker. */
	if (workers_there == 2) {
		items[2].children = &items[1];
		items[2].child_count = 1;
		run_all(1);
	} else {
		run_all(2);
	}
}

static void two_workers_again(void)
{
	twice(2);
}

static void three_workers_again(void)
{
	twice(3);
}

/* Several come out of the reactor at once, and the one that runs first is busy until the other is done. */
static void a_burst_of_events(void)
{
	prepare(3, 3);
	items[0].events = items[0].awaited = &items[1];
	items[0].event_count = items[0].awaited_count = 2;
	items[1 + explore_random(2)].awaited = &items[1];
	if (items[1].awaited)
		items[1].awaited = &items[2];
	items[1].awaited_count = items[1].awaited != NULL;
	items[2].awaited_count = items[2].awaited != NULL;
	run_all(1);
}

/* One of them has no thread. */
static void one_cannot_start(void)
{
	prepare(3, 4);
	cannot_start[1 + explore_random(2)] = true;
	items[0].children = &items[1];
	items[0].child_count = 3;
	items[0].awaited = &items[1];
	items[0].awaited_count = 3;
	run_all(1);
}

static const struct explore_case cases[] = {
	{"two_workers_share", two_workers_share, 400}, {"three_workers_share", three_workers_share, 600},
	{"two_workers_again", two_workers_again, 600}, {"three_workers_again", three_workers_again, 900},
	{"a_burst_of_events", a_burst_of_events, 600}, {"one_cannot_start", one_cannot_start, 500},
};

#include "support/explore_suite.h"
