/* SPDX-License-Identifier: MIT */
/* Every function that waits, as a task that does nothing else and would wait for ever. */
#ifndef RT_TESTS_WAITS_H
#define RT_TESTS_WAITS_H

#include "sched/pool.h"
#include "support/pair.h"

#include <errno.h>
#include <semaphore.h>
#include <time.h>
#include <unistd.h>

static struct {
	struct rt_tcp_listener *listener;
	struct rt_tcp *ends[2]; /* nobody uses the second one */
	struct rt_udp *udp;
	int pipe[2];
	struct rt_tcp_listener *full;
	struct rt_addr full_addr;
	struct rt_tcp *queued[16];
	int queued_count;
	struct rt_job jobs[POOL_MAX_THREADS];
	sem_t may_end;
} sources;

static int sleeps(void *arg)
{
	(void)arg;
	return rt_sleep(RT_S(1000));
}

static int sleeps_for_ever(void *arg)
{
	(void)arg;
	return rt_sleep(RT_FOREVER);
}

static int joins(void *arg)
{
	struct rt_task *other = spawn_task(sleeps, NULL);
	int err = rt_join(other, NULL, RT_FOREVER);

	(void)arg;
	rt_cancel(other);
	rt_detach(other);
	return err;
}

static int ticks(void *arg)
{
	struct rt_interval interval;

	(void)arg;
	ck_assert_int_eq(rt_interval_init(&interval, RT_S(1000)), 0);
	return rt_interval_wait(&interval);
}

static int accepts(void *arg)
{
	struct rt_tcp *tcp = arg;
	int err = rt_tcp_accept(sources.listener, &tcp, NULL, RT_FOREVER);

	ck_assert_ptr_null(tcp);
	return err;
}

static int connects(void *arg)
{
	struct rt_tcp *tcp = arg;
	int err = rt_tcp_connect_addr(&tcp, &sources.full_addr, RT_FOREVER);

	ck_assert_ptr_null(tcp);
	return err;
}

static int reads(void *arg)
{
	char buf[8];

	(void)arg;
	return (int)rt_tcp_read(sources.ends[0], buf, sizeof buf, RT_FOREVER);
}

static int writes(void *arg)
{
	static char block[16 << 20];
	size_t done = sizeof block;
	ssize_t result = rt_tcp_write(sources.ends[0], block, sizeof block, &done, RT_FOREVER);

	(void)arg;
	ck_assert_uint_lt(done, sizeof block);
	return (int)result;
}

static int receives(void *arg)
{
	char buf[8];

	(void)arg;
	return (int)rt_udp_recv(sources.udp, buf, sizeof buf, RT_FOREVER);
}

static int waits_fd(void *arg)
{
	(void)arg;
	return rt_wait_fd(sources.pipe[0], RT_READ, RT_FOREVER);
}

static int resolves(void *arg)
{
	struct rt_addr addr;

	(void)arg;
	return rt_resolve("localhost:1", &addr, 1, RT_FOREVER);
}

static int never_begins(void *arg)
{
	(void)arg;
	ck_abort_msg("blocking work has begun although every thread is busy");
	return 0;
}

static int blocks(void *arg)
{
	return rt_blocking(never_begins, arg, RT_FOREVER);
}

static int yields(void *arg)
{
	int err = 0;

	(void)arg;
	while (err == 0)
		err = rt_yield();
	return err;
}

static int sleeps_zero(void *arg)
{
	int err = 0;

	(void)arg;
	while (err == 0)
		err = rt_sleep(0);
	return err;
}

static rt_task_fn *const waits[] = {sleeps,   sleeps_for_ever, joins,  ticks,      accepts,
				    connects, reads,           writes, receives,   waits_fd,
				    resolves, blocks,          yields, sleeps_zero};
enum { WAITS = sizeof waits / sizeof *waits };

/* A listener whose queue is full takes no more. */
static void fill_listener(void)
{
	struct rt_tcp_listen_options options = {.backlog = 1};
	int *count = &sources.queued_count, err = 0;

	ck_assert_int_eq(rt_tcp_listen(&sources.full, "127.0.0.1:0", &options), 0);
	sources.full_addr = addr_of(sources.full);
	for (*count = 0; err == 0; *count += err == 0) {
		ck_assert_int_lt(*count, 16);
		err = rt_tcp_connect_addr(&sources.queued[*count], &sources.full_addr, rt_in(RT_MS(50)));
	}
	ck_assert_int_eq(err, -ETIMEDOUT);
}

static void block(struct rt_job *job)
{
	struct timespec until;

	(void)job;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 30;
	sem_timedwait(&sources.may_end, &until);
}

static void unblocked(struct rt_job *job)
{
	(void)job;
}

/* Every thread of the pool is busy, so that no name is resolved. */
static void block_pool(void)
{
	struct rt_runtime *runtime = rt_runtime_current();

	sem_init(&sources.may_end, 0, 0);
	for (int i = 0; i < POOL_MAX_THREADS; i++) {
		sources.jobs[i] = (struct rt_job){.work = block, .done = unblocked};
		ck_assert_int_eq(runtime->ops->offload(runtime, &sources.jobs[i]), 0);
	}
}

static void open_sources(void)
{
	ck_assert_int_eq(pipe(sources.pipe), 0);
	ck_assert_int_eq(rt_udp_bind(&sources.udp, "127.0.0.1:0"), 0);
	sources.listener = listen_on("127.0.0.1:0");
	join_ends(sources.listener, sources.ends);
	fill_listener();
	block_pool();
}

static void close_sources(void)
{
	for (int i = 0; i < POOL_MAX_THREADS; i++)
		sem_post(&sources.may_end);
	for (int i = 0; i < sources.queued_count; i++)
		rt_tcp_destroy(sources.queued[i]);
	rt_tcp_listener_destroy(sources.full);
	close_pair(sources.ends);
	rt_tcp_listener_destroy(sources.listener);
	rt_udp_destroy(sources.udp);
	close(sources.pipe[0]);
	close(sources.pipe[1]);
}

#endif
