/* SPDX-License-Identifier: MIT */
/* The watchdog; see watchdog.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/watchdog.h"

#include "platform/backtrace.h"
#include "platform/overflow.h"
#include "task/task.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* How many times within the limit the thread looks: a report is late by one look at most. */
enum { LOOKS = 8 };

/* But not more often than that. */
#define SHORTEST_LOOK RT_US(100)

/* A thread that is watched. */
struct watched {
	struct watchdog *watchdog;
	struct watched *next; /* under the watchdog's lock */
	const struct self *self;
	pthread_t thread;
	_Atomic uint64_t accused; /* the turn that the handler is to report */
	/* The watchdog's own: */
	uint64_t seen, reported;
	rt_time since;
};

struct watchdog {
	pthread_t thread;
	rt_time limit;
	char seconds[24]; /* the limit, as text for the signal handler */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool closed; /* under the lock, as is the next */
	struct watched *watched;
};

/* This thread's, for the handler, in which initial-exec allocates nothing. */
static __thread struct watched *volatile own __attribute__((tls_model("initial-exec")));

static void write_backtrace(const void *caller)
{
	void *frames[BACKTRACE_FRAMES];

	backtrace_write(frames, backtrace_capture(frames, caller), STDERR_FILENO);
}

/* On the worker, in the middle of the task; if it has ended meanwhile, there is nothing to say. */
static void report(int signal)
{
	int saved = errno;
	struct self *self = self_get();
	const struct rt_task *task = self->task;

	(void)signal;
	if (own && task && self->turns == atomic_load(&own->accused)) {
		overflow_print("watchdog: task ");
		overflow_print(rt_task_name(task));
		overflow_print(" (spawned at ");
		overflow_print(rt_task_site(task));
		overflow_print(") has not given way for ");
		overflow_print(own->watchdog->seconds);
		overflow_print(" s\n");
		if (task->home->ops->overtime)
			task->home->ops->overtime(task);
		else
			write_backtrace(__builtin_return_address(0));
	}
	errno = saved;
}

/* Not rt_now(), which may be told to stand still. */
static rt_time now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return RT_S(time.tv_sec) + time.tv_nsec;
}

/* False: time to end. */
static bool pause_for(struct watchdog *watchdog, rt_time duration)
{
	rt_time until = now() + duration;
	struct timespec when = {.tv_sec = (time_t)(until / RT_S(1)), .tv_nsec = (long)(until % RT_S(1))};

	pthread_mutex_lock(&watchdog->lock);
	while (!watchdog->closed && pthread_cond_timedwait(&watchdog->wake, &watchdog->lock, &when) == 0)
		;
	bool closed = watchdog->closed;

	pthread_mutex_unlock(&watchdog->lock);
	return !closed;
}

static void accuse(struct watched *watched, uint64_t turn)
{
	atomic_store(&watched->accused, turn);
	pthread_kill(watched->thread, SIGURG);
}

/* Turns are odd while a task runs. */
static void look(struct watched *watched, rt_time limit)
{
	uint64_t turn = __atomic_load_n(&watched->self->turns, __ATOMIC_RELAXED);

	if (turn != watched->seen) {
		watched->seen = turn;
		watched->since = now();
	} else if (turn % 2 == 1 && turn != watched->reported && now() - watched->since >= limit) {
		accuse(watched, turn);
		watched->reported = turn;
	}
}

static void *watch(void *arg)
{
	struct watchdog *watchdog = arg;
	rt_time interval = watchdog->limit / LOOKS;

	while (pause_for(watchdog, interval < SHORTEST_LOOK ? SHORTEST_LOOK : interval)) {
		pthread_mutex_lock(&watchdog->lock);
		for (struct watched *watched = watchdog->watched; watched; watched = watched->next)
			look(watched, watchdog->limit);
		pthread_mutex_unlock(&watchdog->lock);
	}
	return NULL;
}

void watchdog_enter(struct watchdog *watchdog)
{
	struct watched *watched = watchdog ? calloc(1, sizeof *watched) : NULL;

	if (!watched)
		return;
	watched->watchdog = watchdog;
	watched->self = self_get();
	watched->thread = pthread_self();
	pthread_mutex_lock(&watchdog->lock);
	watched->next = watchdog->watched;
	watchdog->watched = watched;
	pthread_mutex_unlock(&watchdog->lock);
	own = watched;
}

void watchdog_leave(struct watchdog *watchdog)
{
	struct watched *watched = own;

	if (!watched || watched->watchdog != watchdog)
		return;
	own = NULL;
	pthread_mutex_lock(&watchdog->lock);
	struct watched **link = &watchdog->watched;

	while (*link != watched)
		link = &(*link)->next;
	*link = watched->next;
	pthread_mutex_unlock(&watchdog->lock);
	free(watched);
}

static void install(void)
{
	struct sigaction action = {.sa_handler = report, .sa_flags = SA_RESTART | SA_ONSTACK};

	sigemptyset(&action.sa_mask);
	sigaction(SIGURG, &action, NULL);
	/* The first use loads libraries, which a handler must not. */
	backtrace_prepare();
}

/* All signals are the program's. */
static int start_thread(struct watchdog *watchdog)
{
	sigset_t all, previous;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &previous);
	int err = pthread_create(&watchdog->thread, NULL, watch, watchdog);

	pthread_sigmask(SIG_SETMASK, &previous, NULL);
	return -err;
}

static void free_watchdog(struct watchdog *watchdog)
{
	pthread_cond_destroy(&watchdog->wake);
	pthread_mutex_destroy(&watchdog->lock);
	free(watchdog);
}

int watchdog_create(struct watchdog **watchdog, rt_time limit)
{
	struct watchdog *created = calloc(1, sizeof *created);
	pthread_condattr_t clock;

	if (!created)
		return -ENOMEM;
	created->limit = limit;
	snprintf(created->seconds, sizeof created->seconds, "%g", (double)limit / 1e9);
	pthread_mutex_init(&created->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&created->wake, &clock);
	pthread_condattr_destroy(&clock);
	install();
	watchdog_enter(created);
	int err = start_thread(created);

	if (err < 0) {
		watchdog_leave(created);
		free_watchdog(created);
		return err;
	}
	*watchdog = created;
	return 0;
}

void watchdog_destroy(struct watchdog *watchdog)
{
	if (!watchdog)
		return;
	pthread_mutex_lock(&watchdog->lock);
	watchdog->closed = true;
	pthread_cond_signal(&watchdog->wake);
	pthread_mutex_unlock(&watchdog->lock);
	pthread_join(watchdog->thread, NULL);
	watchdog_leave(watchdog);
	free_watchdog(watchdog);
}
