/* SPDX-License-Identifier: MIT */
/* Strands: one at a time, in order, and fair to the parent's others. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/strand.h"
#include "support/suite.h"

#include "base/list.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A parent that runs what is scheduled when the test says so. */
struct parent {
	struct rt_executor executor;
	struct queue queue;
	int scheduled;
};

struct probe {
	struct rt_runnable runnable;
	struct strand *strand; /* where it schedules more */
	struct probe *more; /* what it schedules */
	int order; /* 0: has not run */
};

enum { MANY = 5 * STRAND_BATCH };
static struct parent parent;
static int ran, running;
static struct probe probes[MANY], other;

static void schedule_on_parent(struct rt_executor *executor, struct rt_runnable *runnable)
{
	struct parent *self = container_of(executor, struct parent, executor);

	self->scheduled++;
	queue_push(&self->queue, runnable);
}

static bool turn(void)
{
	struct rt_runnable *next = queue_pop(&parent.queue);

	if (next)
		next->run(next);
	return next;
}

static void run(struct rt_runnable *runnable)
{
	struct probe *probe = container_of(runnable, struct probe, runnable);

	if (running++ != 0)
		ck_abort_msg("two at a time");
	probe->order = ++ran;
	if (probe->more)
		probe->strand->executor.schedule(&probe->strand->executor, &probe->more->runnable);
	running--;
}

static void schedule(struct strand *strand, struct probe *probe)
{
	probe->runnable.run = run;
	strand->executor.schedule(&strand->executor, &probe->runnable);
}

static struct strand *start(void)
{
	static struct strand strand;

	parent = (struct parent){.executor.schedule = schedule_on_parent};
	strand_init(&strand, &parent.executor);
	return &strand;
}

START_TEST(nothing_runs_right_away)
{
	struct strand *strand = start();

	schedule(strand, &probes[0]);
	ck_assert_int_eq(ran, 0);
	ck_assert(turn());
	ck_assert_int_eq(ran, 1);
	ck_assert(!turn());
}
END_TEST

START_TEST(a_retired_one_runs_nothing)
{
	struct strand *idle = malloc(sizeof *idle), *busy[3];
	void *retired = NULL;

	parent = (struct parent){.executor.schedule = schedule_on_parent};
	strand_init(idle, &parent.executor);
	strand_retire(idle, &retired);
	ck_assert_ptr_null(retired);
	for (int i = 0; i < 3; i++) {
		busy[i] = malloc(sizeof *busy[i]);
		strand_init(busy[i], &parent.executor);
		schedule(busy[i], &probes[i]);
		strand_retire(busy[i], &retired);
	}
	ck_assert_ptr_eq(retired, busy[2]);
	ck_assert(turn() && turn());
	ck_assert_int_eq(ran, 0);
	ck_assert_ptr_eq(retired, busy[2]);
	strands_free(retired);
	strand_retire(NULL, &retired);
}
END_TEST

START_TEST(it_is_scheduled_once_and_runs_in_order)
{
	struct strand *strand = start();

	for (int i = 0; i < STRAND_BATCH; i++)
		schedule(strand, &probes[i]);
	ck_assert_int_eq(parent.scheduled, 1);
	ck_assert(turn());
	for (int i = 0; i < STRAND_BATCH; i++)
		ck_assert_int_eq(probes[i].order, i + 1);
	ck_assert(!turn());
	schedule(strand, &probes[0]);
	ck_assert_int_eq(parent.scheduled, 2);
	ck_assert(turn());
	ck_assert_int_eq(ran, STRAND_BATCH + 1);
}
END_TEST

START_TEST(the_others_of_the_parent_get_their_turn)
{
	struct strand *strand = start();

	for (int i = 0; i < MANY; i++)
		schedule(strand, &probes[i]);
	other.runnable.run = run;
	schedule_on_parent(&parent.executor, &other.runnable);
	while (turn())
		;
	ck_assert_int_eq(ran, MANY + 1);
	ck_assert_int_eq(other.order, STRAND_BATCH + 1);
	ck_assert_int_eq(probes[MANY - 1].order, MANY + 1);
}
END_TEST

START_TEST(one_that_schedules_itself_does_not_starve_the_others)
{
	struct strand *strand = start();

	probes[0].strand = strand;
	probes[0].more = &probes[0];
	schedule(strand, &probes[0]);
	other.runnable.run = run;
	schedule_on_parent(&parent.executor, &other.runnable);
	ck_assert(turn());
	ck_assert_int_eq(ran, STRAND_BATCH);
	ck_assert(turn());
	ck_assert_int_eq(other.order, STRAND_BATCH + 1);
	ck_assert(turn());
	ck_assert_int_eq(ran, 2 * STRAND_BATCH + 1);
}
END_TEST

static void run_all_there_is(struct rt_runnable *runnable)
{
	const struct probe *probe = container_of(runnable, struct probe, runnable);

	run(runnable);
	for (struct rt_runnable *next; (next = strand_next(probe->strand));)
		next->run(next);
}

START_TEST(one_that_takes_the_next_ones_does_not_starve_the_others)
{
	struct strand *strand = start();

	for (int i = 0; i < MANY; i++)
		schedule(strand, &probes[i]);
	probes[0].strand = strand;
	probes[0].runnable.run = run_all_there_is;
	other.runnable.run = run;
	schedule_on_parent(&parent.executor, &other.runnable);
	ck_assert(turn());
	ck_assert_int_eq(ran, STRAND_BATCH);
	ck_assert_ptr_null(strand_next(strand));
	while (turn())
		;
	ck_assert_int_eq(other.order, STRAND_BATCH + 1);
	for (int i = STRAND_BATCH; i < MANY; i++)
		ck_assert_int_eq(probes[i].order, i + 2);
}
END_TEST

static void put_the_next_one_back(struct rt_runnable *runnable)
{
	struct strand *strand = container_of(runnable, struct probe, runnable)->strand;
	struct rt_runnable *next = strand_next(strand);

	run(runnable);
	if (next)
		strand_put_back(strand, next);
}

START_TEST(what_is_put_back_is_the_next_one)
{
	struct strand *strand = start();

	for (int i = 0; i < MANY; i++) {
		schedule(strand, &probes[i]);
		probes[i].strand = strand;
		probes[i].runnable.run = put_the_next_one_back;
	}
	ck_assert(turn());
	ck_assert_int_eq(ran, STRAND_BATCH);
	while (turn())
		;
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(probes[i].order, i + 1);
}
END_TEST

/* ---- Held ---- */

static void hold_from_within(struct rt_runnable *runnable)
{
	run(runnable);
	ck_assert(!strand_hold(container_of(runnable, struct probe, runnable)->strand));
}

static struct strand *start_shared(struct rt_runtime *runtime)
{
	struct strand *strand = start();

	runtime->shared = true;
	strand->runtime = runtime;
	return strand;
}

START_TEST(what_is_held_gets_its_turn_afterwards)
{
	struct rt_runtime runtime = {0};
	struct strand *strand = start_shared(&runtime);

	schedule(strand, &probes[0]);
	ck_assert(strand_hold(strand));
	schedule(strand, &probes[1]);
	while (turn())
		;
	ck_assert_int_eq(ran, 0);
	schedule(strand, &probes[2]);
	ck_assert(!turn());
	strand_release(strand);
	while (turn())
		;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(probes[i].order, i + 1);
	ck_assert(strand_hold(strand));
	strand_release(strand);
	ck_assert(!turn());
}
END_TEST

START_TEST(who_has_its_turn_need_not_hold_it)
{
	struct rt_runtime runtime = {0};
	struct strand *strand = start_shared(&runtime);

	for (int i = 0; i < 2; i++)
		schedule(strand, &probes[i]);
	probes[0].strand = strand;
	probes[0].runnable.run = hold_from_within;
	while (turn())
		;
	ck_assert_int_eq(ran, 2);
	runtime.shared = false;
	ck_assert(!strand_hold(strand));
}
END_TEST

static pthread_t holder;
static atomic_bool held;

static void *hold_and_release(void *arg)
{
	struct strand *strand = arg;

	ck_assert(strand_hold(strand));
	ck_assert_ptr_null(strand->running);
	atomic_store(&held, true);
	strand_release(strand);
	return NULL;
}

/* Another thread waits for it, and gets it before the next one. */
static void be_held(struct rt_runnable *runnable)
{
	struct strand *strand = container_of(runnable, struct probe, runnable)->strand;

	run(runnable);
	ck_assert_int_eq(pthread_create(&holder, NULL, hold_and_release, strand), 0);
	for (bool waits = false; !waits;) {
		pthread_mutex_lock(&strand->lock);
		waits = strand->held;
		pthread_mutex_unlock(&strand->lock);
	}
	ck_assert(!atomic_load(&held));
	ck_assert_ptr_null(strand_next(strand));
}

START_TEST(what_runs_is_waited_for)
{
	struct rt_runtime runtime = {0};
	struct strand *strand = start_shared(&runtime);

	for (int i = 0; i < 2; i++)
		schedule(strand, &probes[i]);
	probes[0].strand = strand;
	probes[0].runnable.run = be_held;
	ck_assert(turn());
	ck_assert_int_eq(ran, 1);
	pthread_join(holder, NULL);
	ck_assert(atomic_load(&held));
	ck_assert(turn());
	ck_assert_int_eq(ran, 2);
}
END_TEST

START_TEST(where_chance_decides_nobody_takes_the_next_one)
{
	struct strand *strand = start();

	strand->queue.seeded = true;
	for (int i = 0; i < 2; i++) {
		schedule(strand, &probes[i]);
		probes[i].strand = strand;
		probes[i].runnable.run = run_all_there_is;
	}
	ck_assert(turn());
	ck_assert_int_eq(ran, 1);
	ck_assert(turn());
	ck_assert_int_eq(ran, 2);
}
END_TEST

START_TEST(two_strands_alternate)
{
	static struct strand one, two;

	start();
	strand_init(&one, &parent.executor);
	strand_init(&two, &parent.executor);
	probes[0].strand = &one;
	probes[0].more = &probes[0];
	probes[1].strand = &two;
	probes[1].more = &probes[1];
	schedule(&one, &probes[0]);
	schedule(&two, &probes[1]);
	for (int i = 1; i <= 10; i++) {
		ck_assert(turn());
		ck_assert_int_eq(probes[(i + 1) % 2].order, i * STRAND_BATCH);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("strand");
	TCase *tcase = tcase_create("strand");

	tcase_add_test(tcase, nothing_runs_right_away);
	tcase_add_test(tcase, a_retired_one_runs_nothing);
	tcase_add_test(tcase, it_is_scheduled_once_and_runs_in_order);
	tcase_add_test(tcase, the_others_of_the_parent_get_their_turn);
	tcase_add_test(tcase, one_that_schedules_itself_does_not_starve_the_others);
	tcase_add_test(tcase, one_that_takes_the_next_ones_does_not_starve_the_others);
	tcase_add_test(tcase, what_is_put_back_is_the_next_one);
	tcase_add_test(tcase, where_chance_decides_nobody_takes_the_next_one);
	tcase_add_test(tcase, what_is_held_gets_its_turn_afterwards);
	tcase_add_test(tcase, who_has_its_turn_need_not_hold_it);
	tcase_add_test(tcase, what_runs_is_waited_for);
	tcase_add_test(tcase, two_strands_alternate);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
