/* SPDX-License-Identifier: MIT */
/* The thread pool; see pool.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

struct jobs {
	struct rt_job *head, **tail;
};

struct member {
	struct pool *pool;
	pthread_t thread;
	bool used; /* under the lock, both */
	bool busy; /* with a job */
};

/* Outlives its owner as long as a thread is at work. */
struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct jobs queued, worked; /* under the lock, as is the rest up to here: */
	size_t backlog; /* queued jobs */
	unsigned threads, idle; /* while it is destroyed the owner counts as a thread */
	bool closed;
	/* Owner thread only. */
	size_t pending;
	/* Constant. */
	unsigned max_threads;
	void (*notify)(void *arg);
	void *arg;
	struct member members[]; /* max_threads */
};

static void push(struct jobs *jobs, struct rt_job *job)
{
	job->next = NULL;
	*jobs->tail = job;
	jobs->tail = &job->next;
}

static struct rt_job *pop(struct jobs *jobs)
{
	struct rt_job *job = jobs->head;

	if (job && !(jobs->head = job->next))
		jobs->tail = &jobs->head;
	return job;
}

static struct rt_job *take_all(struct jobs *jobs)
{
	struct rt_job *first = jobs->head;

	jobs->head = NULL;
	jobs->tail = &jobs->head;
	return first;
}

static void free_pool(struct pool *pool)
{
	pthread_cond_destroy(&pool->work);
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
	/* Under the lock, so that the owner cannot be gone. */
	if (first)
		pool->notify(pool->arg);
}

/* False when it has been idle for long, or the pool is closed. */
static bool await_work(struct pool *pool)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += POOL_IDLE_SECONDS;
	pool->idle++;
	while (!pool->queued.head && !pool->closed && err == 0)
		err = pthread_cond_timedwait(&pool->work, &pool->lock, &until);
	pool->idle--;
	return pool->queued.head;
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
			pool->backlog--;
			member->busy = true;
			work(pool, job);
			member->busy = false;
		}
	} while (!pool->closed && await_work(pool));
	/* Otherwise pool_destroy() has seen to it. */
	if (!pool->closed)
		pthread_detach(pthread_self());
	member->used = false;
	leave(pool);
	return NULL;
}

/* Signals are for the program's own threads. */
static int start_thread(struct pool *pool)
{
	struct member *member = pool->members;
	sigset_t all, before;

	while (member->used)
		member++;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	member->pool = pool;
	int err = pthread_create(&member->thread, NULL, thread_main, member);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return -err;
	member->used = true;
	pool->threads++;
	return 0;
}

int pool_create(struct pool **pool, unsigned max_threads, void (*notify)(void *arg), void *arg)
{
	struct pool *created = calloc(1, sizeof *created + max_threads * sizeof *created->members);
	pthread_condattr_t attr;

	if (!created)
		return -ENOMEM;
	pthread_mutex_init(&created->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&created->work, &attr);
	pthread_condattr_destroy(&attr);
	take_all(&created->queued);
	take_all(&created->worked);
	created->max_threads = max_threads;
	created->notify = notify;
	created->arg = arg;
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

	for (unsigned i = 0; i < pool->max_threads; i++) {
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
	pthread_t ending[pool->max_threads + 1];

	pthread_mutex_lock(&pool->lock);
	pool->closed = true;
	struct rt_job *worked = take_all(&pool->worked);
	struct rt_job *queued = take_all(&pool->queued);
	unsigned count = part_from_threads(pool, ending);

	pool->threads++;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	finish_all(worked);
	finish_all(queued);
	while (count > 0)
		pthread_join(ending[--count], NULL);
	pthread_mutex_lock(&pool->lock);
	leave(pool);
}

int pool_submit(struct pool *pool, struct rt_job *job)
{
	int err = 0;

	pthread_mutex_lock(&pool->lock);
	/* An idle thread may not have seen yet that a job is waiting for it. */
	if (pool->idle <= pool->backlog && pool->threads < pool->max_threads)
		err = start_thread(pool);
	if (pool->threads == 0) {
		pthread_mutex_unlock(&pool->lock);
		return err;
	}
	push(&pool->queued, job);
	pool->backlog++;
	pthread_cond_signal(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	pool->pending++;
	return 0;
}

void pool_collect(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	struct rt_job *job = take_all(&pool->worked);

	pthread_mutex_unlock(&pool->lock);
	for (struct rt_job *next; job; job = next) {
		next = job->next;
		pool->pending--;
		job->done(job);
	}
}

size_t pool_pending(const struct pool *pool)
{
	return pool->pending;
}
