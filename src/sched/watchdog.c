/* SPDX-License-Identifier: MIT */
/* The watchdog; see watchdog.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/watchdog.h"

#include "platform/backtrace.h"
#include "task/task.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* How many times within the limit the thread looks: a report is late by one look at most. */
enum { LOOKS = 8 };

/* But not more often than that. */
#define SHORTEST_LOOK RT_US(100)

enum { SECONDS_LENGTH = 24 };

/* A thread, in its own memory: the handler may run at any moment of its life. */
struct watched {
	struct watchdog *watchdog; /* NULL: it is none */
	struct watched *next;
	const struct self *self;
	pthread_t thread;
	/* The watchdog's: the turn that it has seen, since when, and the last that it has reported. */
	uint64_t seen, reported;
	rt_time since;
	/* For the handler: the turn that it is to report, 0 for none, and the limit as text. */
	_Atomic uint64_t accused;
	char seconds[SECONDS_LENGTH];
};

struct watchdog {
	struct watched *threads;
	pthread_t thread;
	rt_time limit;
	char seconds[SECONDS_LENGTH];
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool closed; /* under the lock */
};

/* This thread's, for the handler, in which initial-exec allocates nothing. */
static __thread struct watched own __attribute__((tls_model("initial-exec")));

/* Of who is watched by whom: a thread may end after its watchdog. */
static pthread_mutex_t watching = PTHREAD_MUTEX_INITIALIZER;

static void write_backtrace(const void *caller)
{
	void *frames[BACKTRACE_FRAMES];

	backtrace_write(frames, backtrace_capture(frames, caller), STDERR_FILENO);
}

/* By one call, as other threads report as well, which is as safe in a handler as write() is. */
static void write_line(const struct rt_task *task)
{
	const char *texts[] = {
		"watchdog: task ",          rt_task_name(task), " (spawned at ", rt_task_site(task),
		") has not given way for ", own.seconds,        " s\n",
	};
	enum { TEXTS = sizeof texts / sizeof *texts };
	struct iovec parts[TEXTS];

	for (int i = 0; i < TEXTS; i++)
		parts[i] = (struct iovec){(char *)texts[i], strlen(texts[i])};
	while (writev(STDERR_FILENO, parts, TEXTS) < 0 && errno == EINTR)
		;
}

/* On the worker, in the middle of the task; if it has ended meanwhile, there is nothing to say. */
static void report(int signal)
{
	int saved = errno;
	struct self *self = self_get();
	const struct rt_task *task = self->task;

	(void)signal;
	if (task && self->turns == atomic_load(&own.accused)) {
		write_line(task);
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
	watched->reported = turn;
}

/* Turns are odd while a task runs. True: it is accused now. */
static bool look_at(struct watched *watched, rt_time limit)
{
	uint64_t turn = __atomic_load_n(&watched->self->turns, __ATOMIC_RELAXED);

	if (turn != watched->seen) {
		watched->seen = turn;
		watched->since = now();
	} else if (turn % 2 == 1 && turn != watched->reported && now() - watched->since >= limit) {
		accuse(watched, turn);
		return true;
	}
	return false;
}

static void *watch(void *arg)
{
	struct watchdog *watchdog = arg;
	rt_time interval = watchdog->limit / LOOKS;

	while (pause_for(watchdog, interval < SHORTEST_LOOK ? SHORTEST_LOOK : interval)) {
		pthread_mutex_lock(&watching);
		struct watched *watched = watchdog->threads;

		/* One at a time: two reports at once would be mixed. */
		while (watched && !look_at(watched, watchdog->limit))
			watched = watched->next;
		pthread_mutex_unlock(&watching);
	}
	return NULL;
}

/* ---- Threads ---- */

void watchdog_enter(struct watchdog *watchdog)
{
	if (!watchdog || own.watchdog)
		return;
	pthread_mutex_lock(&watching);
	own.watchdog = watchdog;
	own.self = self_get();
	own.thread = pthread_self();
	own.seen = own.reported = 0;
	memcpy(own.seconds, watchdog->seconds, sizeof own.seconds);
	own.next = watchdog->threads;
	watchdog->threads = &own;
	pthread_mutex_unlock(&watching);
}

/* With the lock of who is watched. */
static void part(struct watched *watched)
{
	struct watched **link = &watched->watchdog->threads;

	while (*link != watched)
		link = &(*link)->next;
	*link = watched->next;
	watched->watchdog = NULL;
	atomic_store(&watched->accused, 0);
}

void watchdog_leave(void)
{
	pthread_mutex_lock(&watching);
	if (own.watchdog)
		part(&own);
	pthread_mutex_unlock(&watching);
}

static void part_from_all(struct watchdog *watchdog)
{
	pthread_mutex_lock(&watching);
	while (watchdog->threads)
		part(watchdog->threads);
	pthread_mutex_unlock(&watching);
}

/* ---- Life ---- */

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
		part_from_all(created);
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
	part_from_all(watchdog);
	free_watchdog(watchdog);
}
