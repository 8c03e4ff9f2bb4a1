/* SPDX-License-Identifier: MIT */
/*
 * The four benchmarks of the Rust crate runtime, and what the same costs without a runtime
 * (_plain); runtime_bench.lua has them in Lua. An operation is all of the tasks. Run by
 * ./dev bench runtime.
 */
#include <rt.h>
#include <rt/bench.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { TASKS = 300, TURNS = 300, MANY = 25000 };

static void expect(bool condition, const char *what)
{
	if (condition)
		return;
	perror(what);
	exit(EXIT_FAILURE);
}

static void spawn_all(struct rt_task **tasks, int count, rt_task_fn *fn)
{
	for (int i = 0; i < count; i++) {
		tasks[i] = rt_spawn(fn, (void *)(intptr_t)i);
		expect(tasks[i], "spawn");
	}
}

static void join_all(struct rt_task **tasks, int count)
{
	for (int i = 0; i < count; i++)
		rt_join(tasks[i], NULL, RT_FOREVER);
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

/* Called through it, so that the compiler keeps the call. */
static rt_task_fn *volatile call_nothing = nothing;

/* ---- smoke: a task that does nothing ---- */

RT_BENCH(smoke, bench)
{
	for (uint64_t i = 0; i < bench->n; i++)
		rt_join(rt_spawn(nothing, NULL), NULL, RT_FOREVER);
}

RT_BENCH(smoke_plain, bench)
{
	for (uint64_t i = 0; i < bench->n; i++)
		call_nothing(NULL);
}

/* ---- notify_self: 300 tasks, each of which wakes itself 300 times ---- */

static int yield_often(void *arg)
{
	(void)arg;
	for (int i = 0; i < TURNS; i++)
		rt_yield();
	return 0;
}

RT_BENCH(notify_self, bench)
{
	struct rt_task *tasks[TASKS];

	for (uint64_t i = 0; i < bench->n; i++) {
		spawn_all(tasks, TASKS, yield_often);
		join_all(tasks, TASKS);
	}
}

RT_BENCH(notify_self_plain, bench)
{
	for (uint64_t i = 0; i < bench->n; i++) {
		for (int turn = 0; turn < TASKS * TURNS; turn++)
			call_nothing(NULL);
	}
}

/* ---- spawn_many: 25,000 tasks that do nothing, all there at once ---- */

RT_BENCH(spawn_many, bench)
{
	static struct rt_task *tasks[MANY];

	for (uint64_t i = 0; i < bench->n; i++) {
		spawn_all(tasks, MANY, nothing);
		join_all(tasks, MANY);
	}
}

/* A closure on the heap is what a task is without a runtime. */
RT_BENCH(spawn_many_plain, bench)
{
	struct closure {
		rt_task_fn *fn;
		void *arg;
	};
	static struct closure *closures[MANY];

	for (uint64_t i = 0; i < bench->n; i++) {
		for (int k = 0; k < MANY; k++) {
			closures[k] = malloc(sizeof *closures[k]);
			*closures[k] = (struct closure){call_nothing, NULL};
		}
		for (int k = 0; k < MANY; k++) {
			closures[k]->fn(closures[k]->arg);
			free(closures[k]);
		}
	}
}

/* ---- poll_reactor: 300 descriptors that become ready 300 times, all of them at once ---- */

static struct {
	int fds[TASKS];
	atomic_int left; /* in this round; tasks may be on several threads */
} events;

static void open_events(void)
{
	for (int i = 0; i < TASKS; i++) {
		events.fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		expect(events.fds[i] >= 0, "eventfd");
	}
}

static void close_events(void)
{
	for (int i = 0; i < TASKS; i++)
		close(events.fds[i]);
}

static void begin_round(void)
{
	atomic_store(&events.left, TASKS);
	for (int i = 0; i < TASKS; i++)
		expect(eventfd_write(events.fds[i], 1) == 0, "eventfd_write");
}

static int await_often(void *arg)
{
	int fd = events.fds[(intptr_t)arg];
	eventfd_t value;

	for (int i = 0; i < TURNS; i++) {
		expect(rt_wait_fd(fd, RT_READ, RT_FOREVER) >= 0 && eventfd_read(fd, &value) == 0, "wait");
		if (atomic_fetch_sub(&events.left, 1) == 1 && i + 1 < TURNS)
			begin_round();
	}
	return 0;
}

RT_BENCH(poll_reactor, bench)
{
	struct rt_task *tasks[TASKS];

	rt_bench_stop(bench);
	open_events();
	rt_bench_start(bench);
	for (uint64_t i = 0; i < bench->n; i++) {
		spawn_all(tasks, TASKS, await_often);
		rt_yield();
		begin_round();
		join_all(tasks, TASKS);
	}
	rt_bench_stop(bench);
	close_events();
}

static void poll_round(int epoll)
{
	struct epoll_event ready[TASKS];
	eventfd_t value;

	begin_round();
	while (events.left > 0) {
		int count = epoll_wait(epoll, ready, TASKS, -1);

		for (int i = 0; i < count; i++)
			expect(eventfd_read(ready[i].data.fd, &value) == 0, "eventfd_read");
		events.left -= count;
	}
}

RT_BENCH(poll_reactor_plain, bench)
{
	rt_bench_stop(bench);
	open_events();
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	for (int i = 0; i < TASKS; i++) {
		struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = events.fds[i]};

		expect(epoll_ctl(epoll, EPOLL_CTL_ADD, events.fds[i], &event) == 0, "epoll_ctl");
	}
	rt_bench_start(bench);
	for (uint64_t i = 0; i < bench->n * TURNS; i++)
		poll_round(epoll);
	rt_bench_stop(bench);
	close(epoll);
	close_events();
}

RT_BENCH_MAIN
