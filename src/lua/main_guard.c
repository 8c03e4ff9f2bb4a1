/* SPDX-License-Identifier: MIT */
/* The guard of an async main; see main_guard.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/main_guard.h"

#include "lua/failure.h"
#include "lua/job_pool.h"
#include "lua/lua_task.h"
#include "platform/clock.h"
#include "runtime/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct main_guard {
	pthread_t thread;
	bool started; /* by the strand, and by the thread that runs main once that has ended */
	struct vm *vm;
	int code;
	char *failure; /* of main; malloc'ed, or NULL */
	pthread_mutex_t lock;
	pthread_cond_t change;
	rt_time until; /* under the lock; 0: end */
};

struct main_guard *main_guard_create(void)
{
	struct main_guard *guard = calloc(1, sizeof *guard);
	pthread_condattr_t clock;

	if (!guard)
		return NULL;
	pthread_mutex_init(&guard->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&guard->change, &clock);
	pthread_condattr_destroy(&clock);
	return guard;
}

static void set_until(struct main_guard *guard, rt_time until)
{
	pthread_mutex_lock(&guard->lock);
	guard->until = until;
	pthread_cond_signal(&guard->change);
	pthread_mutex_unlock(&guard->lock);
}

static rt_time real_in(rt_time limit)
{
	return limit == RT_FOREVER ? RT_FOREVER : clock_real() + limit;
}

/* False: it is to end. True: the time is over. */
static bool is_late(struct main_guard *guard)
{
	pthread_mutex_lock(&guard->lock);
	while (guard->until > 0 && (guard->until == RT_FOREVER || guard->until > clock_real())) {
		rt_time until = guard->until;
		struct timespec when = {.tv_sec = (time_t)(until / RT_S(1)),
					.tv_nsec = (long)(until % RT_S(1))};

		if (until == RT_FOREVER)
			pthread_cond_wait(&guard->change, &guard->lock);
		else
			pthread_cond_timedwait(&guard->change, &guard->lock, &when);
	}
	bool late = guard->until > 0;

	pthread_mutex_unlock(&guard->lock);
	return late;
}

static void *watch(void *arg)
{
	struct main_guard *guard = arg;

	if (!is_late(guard))
		return NULL;
	fflush(stdout);
	if (guard->failure)
		fprintf(stderr, "%s: %s\n", guard->vm->name, guard->failure);
	job_pool_report_running(guard->vm->pool);
	fprintf(stderr, "%s: main has ended, its thread is kept by a task that does not give way\n",
		guard->vm->name);
	exit(guard->code);
}

/* All signals are the program's. */
static bool start_thread(struct main_guard *guard)
{
	sigset_t all, previous;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &previous);
	bool started = pthread_create(&guard->thread, NULL, watch, guard) == 0;

	pthread_sigmask(SIG_SETMASK, &previous, NULL);
	return started;
}

static int exit_code(const struct lua_task *main)
{
	enum { INTERRUPTED = 130 };
	const struct vm *vm = lua_task_vm(main);

	if (main->outcome == OUTCOME_CANCELLED && signals_interrupted(vm->runtime))
		return INTERRUPTED;
	return main->outcome > OUTCOME_VALUES || vm->failed > 0;
}

void main_guard_start(struct main_guard *guard, const struct lua_task *main, rt_time limit)
{
	const char *failure = main->outcome == OUTCOME_ERROR ? failure_latest(lua_task_vm(main)) : NULL;

	guard->vm = lua_task_vm(main);
	guard->code = exit_code(main);
	free(guard->failure);
	guard->failure = failure ? strdup(failure) : NULL;
	set_until(guard, real_in(limit));
	if (!guard->started)
		guard->started = start_thread(guard);
}

void main_guard_extend(struct main_guard *guard, rt_time limit)
{
	if (guard && guard->started)
		set_until(guard, real_in(limit));
}

void main_guard_destroy(struct main_guard *guard)
{
	if (!guard)
		return;
	set_until(guard, 0);
	if (guard->started)
		pthread_join(guard->thread, NULL);
	pthread_cond_destroy(&guard->change);
	pthread_mutex_destroy(&guard->lock);
	free(guard->failure);
	free(guard);
}
