/* SPDX-License-Identifier: MIT */
/* The thread pool; see pool.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct jobs {
	struct rt_job *head, **tail; /* a job's link: what points to it, NULL once it has begun */
};

/* Under the lock of the pool. */
struct member {
	struct pool *pool;
	pthread_t thread;
	pthread_cond_t call;
	struct member *next_idle;
	bool used;
	bool busy; /* with a job */
	bool idle; /* among the pool's idle ones, until it is called */
};

/* Outlives its owner as long as a thread is at work. */
struct pool {
	pthread_mutex_t lock;
	struct jobs queued, worked; /* under the lock, as is the rest up to here: */
	struct member *idle; /* the one since the shortest time first */
	unsigned threads; /* while it is destroyed the owner counts as one */
	bool closed;
	atomic_size_t pending;
	/* Constant. */
	struct pool_options options;
	struct member members[]; /* max_threads */
};

/* ---- Lists of jobs ---- */

static void push(struct jobs *jobs, struct rt_job *job)
{
	job->next = NULL;
	job->link = jobs->tail;
	*jobs->tail = job;
	jobs->tail = &job->next;
}

static void take(struct jobs *jobs, struct rt_job *job)
{
	*job->link = job->next;
	if (job->next)
		job->next->link = job->link;
	else
		jobs->tail = job->link;
	job->link = NULL;
}

static struct rt_job *pop(struct jobs *jobs)
{
	struct rt_job *job = jobs->head;

	if (job)
		take(jobs, job);
	return job;
}

static struct rt_job *take_all(struct jobs *jobs)
{
	struct rt_job *first = jobs->head;

	for (struct rt_job *job = first; job; job = job->next)
		job->link = NULL;
	jobs->head = NULL;
	jobs->tail = &jobs->head;
	return first;
}

/* ---- Idle threads ---- */

static void call(struct pool *pool)
{
	struct member *member = pool->idle;

	pool->idle = member->next_idle;
	member->idle = false;
	pthread_cond_signal(&member->call);
}

static void stop_idling(struct pool *pool, struct member *member)
{
	struct member **link = &pool->idle;

	while (*link != member)
		link = &(*link)->next_idle;
	*link = member->next_idle;
	member->idle = false;
}

static struct timespec monotonic_in(rt_time duration)
{
	struct timespec when;

	clock_gettime(CLOCK_MONOTONIC, &when);
	rt_time until = RT_S(when.tv_sec) + when.tv_nsec + duration;

	return (struct timespec){.tv_sec = (time_t)(until / RT_S(1)), .tv_nsec = (long)(until % RT_S(1))};
}

/* False when nobody has called for long. */
static bool await_call(struct pool *pool, struct member *member)
{
	struct timespec until = monotonic_in(pool->options.idle);
	int err = 0;

	member->idle = true;
	member->next_idle = pool->idle;
	pool->idle = member;
	while (member->idle && err == 0)
		err = pthread_cond_timedwait(&member->call, &pool->lock, &until);
	if (!member->idle)
		return true;
	stop_idling(pool, member);
	return false;
}

/* ---- Threads ---- */

static void free_pool(struct pool *pool)
{
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

/* Called and left with the lock held. */
static void work(struct pool *pool, struct rt_job *job)
{
	pthread_mutex_unlock(&pool->lock);
	job->work(job);
	pthread_mutex_lock(&pool->lock);
	if (pool->closed) {
		pthread_mutex_unlock(&pool->lock);
		job->done(job);
		pthread_mutex_lock(&pool->lock);
		return;
	}
	bool first = !pool->worked.head;

	push(&pool->worked, job);
	job->link = NULL; /* begun */
	/* Under the lock, so that the owner cannot be gone. */
	if (first)
		pool->options.notify(pool->options.arg);
}

/* Called with the lock held, which it releases: the last one frees the pool. */
static void leave(struct pool *pool)
{
	bool last = --pool->threads == 0 && pool->closed;

	pthread_mutex_unlock(&pool->lock);
	if (last)
		free_pool(pool);
}

static void *thread_main(void *arg)
{
	struct member *member = arg;
	struct pool *pool = member->pool;

	pthread_mutex_lock(&pool->lock);
	do {
		struct rt_job *job;

		while ((job = pop(&pool->queued))) {
			member->busy = true;
			work(pool, job);
			member->busy = false;
		}
	} while (!pool->closed && await_call(pool, member));
	/* Otherwise pool_destroy() has seen to it. */
	if (!pool->closed)
		pthread_detach(pthread_self());
	pthread_cond_destroy(&member->call);
	member->used = false;
	leave(pool);
	return NULL;
}

static int start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	return pthread_create(thread, NULL, run, arg);
}

static void prepare(struct pool *pool, struct member *member)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&member->call, &attr);
	pthread_condattr_destroy(&attr);
	member->pool = pool;
}

/* Signals are for the program's own threads. */
static void start_thread(struct pool *pool)
{
	struct member *member = pool->members;
	sigset_t all, before;

	while (member->used)
		member++;
	prepare(pool, member);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = pool->options.start(&member->thread, thread_main, member);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err) {
		pthread_cond_destroy(&member->call);
		return;
	}
	member->used = true;
	pool->threads++;
}

/* ---- Life ---- */

int pool_create(struct pool **pool, const struct pool_options *options)
{
	unsigned max = options->max_threads ? options->max_threads : POOL_MAX_THREADS;
	struct pool *created = calloc(1, sizeof *created + max * sizeof *created->members);

	if (!created)
		return -ENOMEM;
	pthread_mutex_init(&created->lock, NULL);
	take_all(&created->queued);
	take_all(&created->worked);
	created->options = *options;
	created->options.max_threads = max;
	if (!options->idle)
		created->options.idle = POOL_IDLE;
	if (!options->start)
		created->options.start = start;
	*pool = created;
	return 0;
}

static void finish_all(struct rt_job *job)
{
	while (job) {
		struct rt_job *next = job->next;

		job->done(job);
		job = next;
	}
}

/* Threads without a job end at once and are waited for; the others are left to themselves. */
static unsigned part_from_threads(struct pool *pool, pthread_t *ending)
{
	unsigned count = 0;

	for (unsigned i = 0; i < pool->options.max_threads; i++) {
		struct member *member = &pool->members[i];

		if (member->used && member->busy)
			pthread_detach(member->thread);
		else if (member->used)
			ending[count++] = member->thread;
	}
	return count;
}

void pool_destroy(struct pool *pool)
{
	if (!pool)
		return;
	pthread_t ending[pool->options.max_threads + 1];

	pthread_mutex_lock(&pool->lock);
	pool->closed = true;
	struct rt_job *worked = take_all(&pool->worked);
	struct rt_job *queued = take_all(&pool->queued);
	unsigned count = part_from_threads(pool, ending);

	pool->threads++;
	while (pool->idle)
		call(pool);
	pthread_mutex_unlock(&pool->lock);
	finish_all(worked);
	finish_all(queued);
	while (count > 0)
		pthread_join(ending[--count], NULL);
	pthread_mutex_lock(&pool->lock);
	leave(pool);
}

/* ---- Jobs ---- */

int pool_submit(struct pool *pool, struct rt_job *job)
{
	pthread_mutex_lock(&pool->lock);
	if (pool->idle)
		call(pool);
	else if (pool->threads < pool->options.max_threads)
		start_thread(pool);
	bool taken = pool->threads > 0;

	if (taken) {
		push(&pool->queued, job);
		atomic_fetch_add(&pool->pending, 1);
	}
	pthread_mutex_unlock(&pool->lock);
	return taken ? 0 : -EAGAIN;
}

bool pool_cancel(struct pool *pool, struct rt_job *job)
{
	pthread_mutex_lock(&pool->lock);
	bool queued = job->link;

	if (queued) {
		take(&pool->queued, job);
		atomic_fetch_sub(&pool->pending, 1);
	}
	pthread_mutex_unlock(&pool->lock);
	return queued;
}

void pool_collect(struct pool *pool)
{
	if (pool_pending(pool) == 0)
		return;
	pthread_mutex_lock(&pool->lock);
	struct rt_job *job = take_all(&pool->worked);

	pthread_mutex_unlock(&pool->lock);
	for (struct rt_job *next; job; job = next) {
		next = job->next;
		job->done(job);
		/* Only now: what is done may be all that there was to wait for. */
		atomic_fetch_sub(&pool->pending, 1);
	}
}

size_t pool_pending(const struct pool *pool)
{
	return atomic_load(&pool->pending);
}

unsigned pool_threads(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	unsigned threads = pool->threads;

	pthread_mutex_unlock(&pool->lock);
	return threads;
}
