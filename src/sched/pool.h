/* SPDX-License-Identifier: MIT */
/*
 * The thread pool for blocking work.
 *
 * Threads start when there is work and none is idle, up to a limit, and end
 * after POOL_IDLE_SECONDS without work. Jobs start in order. A thread that cannot
 * be started is done without as long as there is another.
 */
#ifndef RT_POOL_H
#define RT_POOL_H

#include <rt/runtime.h>

enum { POOL_IDLE_SECONDS = 10, POOL_MAX_THREADS = 16 };

struct pool;

/* notify(arg) is called from pool threads when completed jobs wait for pool_collect(). */
int pool_create(struct pool **pool, unsigned max_threads, void (*notify)(void *arg), void *arg);

/*
 * Jobs that have not begun are done() right here, not worked; threads without a job
 * are waited for. A job that is under way goes on; its done() is then called on its
 * pool thread.
 */
void pool_destroy(struct pool *pool);

/* Queues a job. Returns 0, or -EAGAIN when not even one thread could be started. Owner thread only. */
int pool_submit(struct pool *pool, struct rt_job *job);

/* Calls done() of the jobs that have been worked. Owner thread only. */
void pool_collect(struct pool *pool);

/* Jobs submitted and not collected. Owner thread only. */
size_t pool_pending(const struct pool *pool);

#endif
