/* SPDX-License-Identifier: MIT */
/* schedule(): once each, never right away, from any thread, in order, and nobody starves. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "conformance.h"

#include "base/list.h"

#include <semaphore.h>
#include <string.h>
#include <unistd.h>

enum { PROBES = 500, THREADS = 4 };

struct probe {
	struct rt_runnable runnable;
	atomic_int runs;
	int order; /* from 1 on */
};

static struct probe probes[THREADS][PROBES];
static atomic_int count;

/* Whether this thread is inside of schedule(). */
static __thread bool scheduling;

__attribute__((noinline)) static void set_scheduling(bool now)
{
	scheduling = now;
	__asm__ volatile("");
}

static void schedule(struct rt_runnable *runnable, void (*run)(struct rt_runnable *runnable))
{
	runnable->run = run;
	set_scheduling(true);
	runtime->executor.schedule(&runtime->executor, runnable);
	set_scheduling(false);
}

static void run_probe(struct rt_runnable *runnable)
{
	struct probe *probe = container_of(runnable, struct probe, runnable);

	ck_assert(!scheduling);
	ck_assert_ptr_null(rt_task_current());
	ck_assert_ptr_eq(rt_runtime_current(), runtime);
	ck_assert_int_eq(atomic_fetch_add(&probe->runs, 1), 0);
	probe->order = atomic_fetch_add(&count, 1) + 1;
}

ON_EVERY(runs_each_once_never_right_away)
{
	for (int i = 0; i < PROBES; i++)
		schedule(&probes[0][i].runnable, run_probe);
	if (is_ordered())
		ck_assert_int_eq(atomic_load(&count), 0);
	await_count(&count, PROBES);
	for (int i = 0; i < PROBES; i++) {
		ck_assert_int_eq(atomic_load(&probes[0][i].runs), 1);
		if (is_ordered())
			ck_assert_int_eq(probes[0][i].order, i + 1);
	}
}

static void *schedule_all(void *arg)
{
	struct probe *mine = arg;

	for (int i = 0; i < PROBES; i++)
		schedule(&mine[i].runnable, run_probe);
	return NULL;
}

ON_EVERY(any_thread_schedules)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, schedule_all, probes[i]), 0);
	await_count(&count, THREADS * PROBES);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS * PROBES; i++)
		ck_assert_int_eq(atomic_load(&probes[i / PROBES][i % PROBES].runs), 1);
	/* What one thread has scheduled keeps its order. */
	for (int i = 1; is_ordered() && i < PROBES; i++)
		ck_assert_int_gt(probes[0][i].order, probes[0][i - 1].order);
}

/* A runnable that schedules itself, while it runs. */
enum { ROUNDS = 1000 };
static atomic_int rounds;

static void run_again(struct rt_runnable *runnable)
{
	ck_assert(!scheduling);
	if (atomic_fetch_add(&rounds, 1) + 1 < ROUNDS)
		schedule(runnable, run_again);
}

ON_EVERY(a_runnable_may_schedule_itself)
{
	struct rt_runnable runnable;

	schedule(&runnable, run_again);
	await_count(&rounds, ROUNDS);
}

/* ---- Another thread wakes a loop that sleeps, or is about to ---- */

static struct rt_event *woken;
static sem_t may_wake;

static void set_event(struct rt_runnable *runnable)
{
	(void)runnable;
	rt_event_set(woken);
}

static void *wake_each(void *arg)
{
	static struct rt_runnable runnables[ROUNDS];

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		sem_wait(&may_wake);
		schedule(&runnables[i], set_event);
	}
	return NULL;
}

ON_EVERY(another_thread_wakes_a_sleeping_loop)
{
	pthread_t thread;

	sem_init(&may_wake, 0, 0);
	ck_assert_int_eq(rt_event_create(&woken), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, wake_each, NULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		sem_post(&may_wake);
		ck_assert_int_eq(rt_event_wait(woken, rt_in(PATIENCE)), 0);
		rt_event_clear(woken);
	}
	pthread_join(thread, NULL);
	rt_event_destroy(woken);
}

/* What another thread schedules may end the program, before schedule() has returned there. */
static struct rt_runnable last;

static void *wake_last(void *arg)
{
	(void)arg;
	sem_wait(&may_wake);
	schedule(&last, set_event);
	return NULL;
}

static int end_when_woken(void *arg)
{
	(void)arg;
	runtime = rt_runtime_current();
	ck_assert_int_eq(rt_event_create(&woken), 0);
	sem_post(&may_wake);
	int err = rt_event_wait(woken, rt_in(PATIENCE));

	rt_event_destroy(woken);
	return err;
}

IN_EVERY(what_is_scheduled_may_end_the_runtime)
{
	pthread_t thread;

	sem_init(&may_wake, 0, 0);
	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(pthread_create(&thread, NULL, wake_last, NULL), 0);
		ck_assert_int_eq(run_in(setting, end_when_woken, "end_when_woken"), 0);
		pthread_join(thread, NULL);
	}
}

/* ---- Tasks that never wait ---- */

enum { BUSY = 32 };
static atomic_bool over;
static atomic_int turns[BUSY];
static atomic_int uneven;

static int be_busy(void *arg)
{
	atomic_int *mine = arg;

	while (!atomic_load(&over) && rt_yield() == 0)
		atomic_fetch_add(mine, 1);
	return 0;
}

static int wait_for_byte(void *arg)
{
	int *pipe = arg;
	char byte;

	ck_assert_int_eq(rt_wait_fd(pipe[0], RT_READ, rt_in(PATIENCE)), 0);
	ck_assert_int_eq(read(pipe[0], &byte, 1), 1);
	return 0;
}

static void *write_byte(void *arg)
{
	int *pipe = arg;

	ck_assert_int_eq(write(pipe[1], "x", 1), 1);
	return NULL;
}

ON_EVERY(busy_tasks_starve_nobody)
{
	struct rt_task *busy[BUSY], *reader;
	pthread_t thread;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	for (int i = 0; i < BUSY; i++)
		busy[i] = start(be_busy, &turns[i]);
	ck_assert_int_eq(rt_yield(), 0);
	/* A timer, a descriptor, and another thread. */
	rt_time begin = rt_now();

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	reader = start(wait_for_byte, ends);
	ck_assert_int_eq(rt_yield(), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, write_byte, ends), 0);
	ck_assert_int_eq(finish(reader), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, schedule_all, probes[0]), 0);
	await_count(&count, PROBES);
	pthread_join(thread, NULL);
	ck_assert_int_lt(rt_now() - begin, PATIENCE);
	/* Nor does one of them starve another. */
	for (int i = 0; i < BUSY; i++) {
		while (atomic_load(&turns[i]) == 0 && rt_now() - begin < PATIENCE)
			ck_assert_int_eq(rt_yield(), 0);
		ck_assert_int_gt(atomic_load(&turns[i]), 0);
	}
	atomic_store(&over, true);
	for (int i = 0; i < BUSY; i++)
		ck_assert_int_eq(finish(busy[i]), 0);
	close(ends[0]);
	close(ends[1]);
}

/* One worker: first come, first served, so that nobody is ahead by more than a turn. */
static int take_turns(void *arg)
{
	atomic_int *mine = arg;

	for (int i = 0; i < 100; i++) {
		int now = atomic_fetch_add(mine, 1) + 1;

		for (int other = 0; other < BUSY; other++) {
			int theirs = atomic_load(&turns[other]);

			if (theirs < now - 1 || theirs > now)
				atomic_fetch_add(&uneven, 1);
		}
		ck_assert_int_eq(rt_yield(), 0);
	}
	return 0;
}

ON_EVERY(yielding_tasks_take_turns)
{
	struct rt_task *tasks[BUSY];

	for (int i = 0; i < BUSY; i++)
		tasks[i] = start(take_turns, &turns[i]);
	for (int i = 0; i < BUSY; i++)
		ck_assert_int_eq(finish(tasks[i]), 0);
	if (is_ordered())
		ck_assert_int_eq(atomic_load(&uneven), 0);
}

void add_schedule(Suite *suite)
{
	TCase *tcase = new_case(suite, "schedule");

	ADD(tcase, runs_each_once_never_right_away);
	ADD(tcase, any_thread_schedules);
	ADD(tcase, a_runnable_may_schedule_itself);
	ADD(tcase, another_thread_wakes_a_sleeping_loop);
	ADD(tcase, what_is_scheduled_may_end_the_runtime);
	ADD(tcase, busy_tasks_starve_nobody);
	ADD(tcase, yielding_tasks_take_turns);
}
