/* SPDX-License-Identifier: MIT */
/* The crew; see crew.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/crew.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct member {
	struct crew *crew;
	pthread_t thread;
	bool started; /* under the lock */
};

struct crew {
	struct crew_options options;
	pthread_mutex_t lock;
	pthread_cond_t change;
	atomic_bool must_rest;
	bool closed; /* under the lock, as is the rest */
	bool quit;
	unsigned working;
	unsigned claiming; /* of those that are at work: they rest until it is their turn */
	pthread_t claimer; /* who has all rest, */
	unsigned claims; /* and how often, one inside of the other; 0: nobody has */
	struct member members[];
};

bool crew_must_rest(const struct crew *crew)
{
	return atomic_load_explicit(&crew->must_rest, memory_order_relaxed);
}

/* Called and left with the lock held. */
static bool begin_work(struct crew *crew)
{
	while (atomic_load(&crew->must_rest) && !crew->quit)
		pthread_cond_wait(&crew->change, &crew->lock);
	crew->working++;
	return !crew->quit;
}

static void end_work(struct crew *crew)
{
	crew->working--;
	pthread_cond_broadcast(&crew->change);
}

void crew_enter(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	begin_work(crew);
	pthread_mutex_unlock(&crew->lock);
}

void crew_leave(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	end_work(crew);
	pthread_mutex_unlock(&crew->lock);
}

bool crew_rest(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	end_work(crew);
	bool goes_on = begin_work(crew);

	pthread_mutex_unlock(&crew->lock);
	return goes_on;
}

/* ---- Threads ---- */

static void *thread_main(void *arg)
{
	struct member *member = arg;
	struct crew *crew = member->crew;
	const struct crew_options *options = &crew->options;

	rt_worker_enter(options->runtime);
	/* It has been at work from the moment it was started: only now can it rest. */
	if (crew_rest(crew))
		options->work(options->arg, (unsigned)(member - crew->members));
	rt_worker_leave(options->runtime);
	crew_leave(crew);
	return NULL;
}

/* Signals are not blocked: a task may raise() one, on whichever thread it is. */
static int start_thread(struct member *member)
{
	return pthread_create(&member->thread, NULL, thread_main, member) == 0 ? 0 : -EAGAIN;
}

int crew_start(struct crew *crew, unsigned worker)
{
	struct member *member = &crew->members[worker];
	int err = 0;

	pthread_mutex_lock(&crew->lock);
	if (!member->started) {
		err = start_thread(member);
		member->started = err == 0;
		crew->working += err == 0;
	}
	pthread_mutex_unlock(&crew->lock);
	return err;
}

/* ---- Rest ---- */

static struct timespec monotonic_in(rt_time duration)
{
	struct timespec when;

	clock_gettime(CLOCK_MONOTONIC, &when);
	rt_time until = RT_S(when.tv_sec) + when.tv_nsec + duration;

	return (struct timespec){.tv_sec = (time_t)(until / RT_S(1)), .tv_nsec = (long)(until % RT_S(1))};
}

/* The lock must not be held: whoever is alerted may need it. */
static void alert_all(struct crew *crew)
{
	for (unsigned i = 0; i < crew->options.workers; i++) {
		pthread_mutex_lock(&crew->lock);
		bool there = i == 0 || crew->members[i].started;

		pthread_mutex_unlock(&crew->lock);
		if (there)
			crew->options.alert(crew->options.arg, i);
	}
}

static bool is_claimed_here(const struct crew *crew)
{
	return crew->claims > 0 && pthread_equal(crew->claimer, pthread_self());
}

/*
 * Only one at a time can have the others rest; who wants to as well, rests first. But not when it is
 * closed, as that may be for good: false. Called and left with the lock held.
 */
static bool claim(struct crew *crew, bool at_work)
{
	if (is_claimed_here(crew) && !crew->closed) {
		crew->claims++;
		return true;
	}
	if (at_work) {
		crew->claiming++;
		end_work(crew);
	}
	while (atomic_load(&crew->must_rest) && !crew->closed)
		pthread_cond_wait(&crew->change, &crew->lock);
	if (at_work) {
		crew->claiming--;
		crew->working++;
	}
	if (crew->closed)
		return false;
	atomic_store(&crew->must_rest, true);
	crew->claimer = pthread_self();
	crew->claims = 1;
	return true;
}

static int await_rest(struct crew *crew, bool at_work, rt_time limit)
{
	struct timespec until = monotonic_in(limit);
	unsigned own = at_work ? 1 : 0;
	int err = 0;

	pthread_mutex_lock(&crew->lock);
	while (crew->working > own && err == 0)
		err = pthread_cond_timedwait(&crew->change, &crew->lock, &until);
	bool busy = crew->working > own;

	pthread_mutex_unlock(&crew->lock);
	return busy ? -EBUSY : 0;
}

/* Called with the lock held. */
static void let_go(struct crew *crew)
{
	crew->claims = 0;
	atomic_store(&crew->must_rest, false);
	pthread_cond_broadcast(&crew->change);
}

int crew_pause(struct crew *crew, bool at_work, rt_time limit)
{
	pthread_mutex_lock(&crew->lock);
	bool claimed = claim(crew, at_work);

	pthread_mutex_unlock(&crew->lock);
	if (claimed)
		alert_all(crew);
	else if (at_work)
		return -EBUSY;
	return await_rest(crew, at_work, limit);
}

bool crew_rests_in_task(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	bool rests = crew->claiming > 0;

	pthread_mutex_unlock(&crew->lock);
	return rests;
}

void crew_resume(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	if (!crew->closed && is_claimed_here(crew) && --crew->claims == 0)
		let_go(crew);
	pthread_mutex_unlock(&crew->lock);
}

void crew_open(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	if (crew->closed) {
		crew->closed = false;
		let_go(crew);
	}
	begin_work(crew);
	pthread_mutex_unlock(&crew->lock);
}

void crew_close(struct crew *crew, rt_time limit)
{
	pthread_mutex_lock(&crew->lock);
	end_work(crew);
	claim(crew, false);
	crew->closed = true;
	/* Who wants to claim it as well goes on, to the end of its task. */
	pthread_cond_broadcast(&crew->change);
	pthread_mutex_unlock(&crew->lock);
	alert_all(crew);
	await_rest(crew, false, limit);
}

/* ---- Life ---- */

int crew_create(struct crew **crew, const struct crew_options *options)
{
	struct crew *created = calloc(1, sizeof *created + options->workers * sizeof *created->members);
	pthread_condattr_t clock;

	if (!created)
		return -ENOMEM;
	created->options = *options;
	created->closed = true;
	atomic_store(&created->must_rest, true);
	for (unsigned i = 0; i < options->workers; i++)
		created->members[i].crew = created;
	pthread_mutex_init(&created->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&created->change, &clock);
	pthread_condattr_destroy(&clock);
	*crew = created;
	return 0;
}

void crew_destroy(struct crew *crew)
{
	if (!crew)
		return;
	pthread_mutex_lock(&crew->lock);
	crew->quit = true;
	pthread_cond_broadcast(&crew->change);
	pthread_mutex_unlock(&crew->lock);
	for (unsigned i = 1; i < crew->options.workers; i++) {
		if (crew->members[i].started)
			pthread_join(crew->members[i].thread, NULL);
	}
	pthread_cond_destroy(&crew->change);
	pthread_mutex_destroy(&crew->lock);
	free(crew);
}
