/* SPDX-License-Identifier: MIT */
/*
 * The thread pool for blocking work.
 *
 * Jobs begin in the order in which they were submitted, whoever submitted them. A thread starts when
 * there is a job and no thread is idle, up to a limit; one that cannot be started is done without as long as
 * there is another, and tried again with the next job. The thread that has become idle last is the first
 * to get work, so that those which are too many stay idle, and end after a while.
 */
#ifndef RT_POOL_H
#define RT_POOL_H

#include <rt/runtime.h>

RT_PRIVATE_BEGIN

/* What 0 in the options stands for. */
enum { POOL_MAX_THREADS = 64 };
#define POOL_IDLE RT_S(10)

struct pool;

struct pool_options {
	unsigned max_threads;
	rt_time idle; /* nanoseconds without work after which a thread ends */
	/* Called from pool threads when completed jobs wait for pool_collect(). */
	void (*notify)(void *arg);
	void *arg;
	/* For tests: starts a thread, as pthread_create(); NULL: that. */
	int (*start)(pthread_t *thread, void *(*run)(void *arg), void *arg);
};

/* 0 or -ENOMEM. Starts no thread. */
int pool_create(struct pool **pool, const struct pool_options *options);

/*
 * Jobs that have not begun are done() right here, not worked; threads without a job
 * are waited for. A job that is under way goes on; its done() is then called on its
 * pool thread. NULL is fine.
 */
void pool_destroy(struct pool *pool);

/*
 * Queues a job, which is the pool's until it is done() or cancelled. Returns 0, or -EAGAIN when not even one
 * thread could be started. Any thread.
 */
int pool_submit(struct pool *pool, struct rt_job *job);

/*
 * Takes back a job that has been submitted. True if it had not begun: it is neither worked nor done().
 * False if it had, or is done() already. Any thread.
 */
bool pool_cancel(struct pool *pool, struct rt_job *job);

/* Calls done() of the jobs that have been worked. Any thread. */
void pool_collect(struct pool *pool);

/* Jobs submitted, neither cancelled nor done(). Any thread. */
size_t pool_pending(const struct pool *pool);

/* How many threads it has. For tests. Any thread. */
unsigned pool_threads(struct pool *pool);

RT_PRIVATE_END

#endif
