/* SPDX-License-Identifier: MIT */
/* watch() and unwatch(): bits before waking, edges, both directions, the end of a stream. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "conformance.h"

#include "base/list.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Who waits for a direction, as the library does. */
struct side {
	struct rt_waiter waiter;
	struct rt_watch *watch;
	int direction;
	atomic_int woken;
};

static int bits_of(struct rt_watch *watch)
{
	return __atomic_load_n(&watch->ready, __ATOMIC_ACQUIRE) & (RT_READ | RT_WRITE | RT_CLOSED);
}

static void become_ready(struct rt_waiter *waiter, int result)
{
	struct side *side = container_of(waiter, struct side, waiter);

	ck_assert_int_eq(result, 0);
	ck_assert_int_eq(bits_of(side->watch) & side->direction, side->direction);
	ck_assert_ptr_null(side->direction == RT_READ ? side->watch->reader : side->watch->writer);
	atomic_fetch_add(&side->woken, 1);
}

/* What comes after a try that gives EAGAIN. */
static void await_ready(struct side *side, struct rt_watch *watch, int direction)
{
	side->waiter.wake = become_ready;
	side->watch = watch;
	side->direction = direction;
	rt_runtime_lock(runtime);
	*(direction == RT_READ ? &watch->reader : &watch->writer) = &side->waiter;
	rt_runtime_unlock(runtime);
}

static void clear(struct rt_watch *watch, int bits)
{
	__atomic_and_fetch(&watch->ready, ~(uint32_t)bits, __ATOMIC_ACQ_REL);
}

static void await_bits(struct rt_watch *watch, int bits)
{
	for (rt_time end = rt_in(PATIENCE); (bits_of(watch) & bits) != bits && rt_now() < end;)
		ck_assert_int_eq(rt_sleep(RT_US(100)), 0);
	ck_assert_int_eq(bits_of(watch) & bits, bits);
}

static void follow(struct rt_watch *watch, int fd)
{
	*watch = (struct rt_watch){.fd = fd};
	ck_assert_int_eq(ops->watch(runtime, watch), 0);
	__atomic_or_fetch(&watch->ready, RT_REGISTERED, __ATOMIC_ACQ_REL);
}

/* Suspensions, so that the runtime has looked more than once. */
static void pass(void)
{
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(rt_sleep(RT_US(200)), 0);
}

ON_EVERY(readiness_wakes_the_waiter)
{
	struct rt_watch watch;
	struct side reader = {.woken = 0};
	uint64_t one = 1;

	follow(&watch, eventfd(0, EFD_NONBLOCK));
	await_ready(&reader, &watch, RT_READ);
	await_bits(&watch, RT_WRITE);
	pass();
	ck_assert_int_eq(bits_of(&watch), RT_WRITE);
	ck_assert_int_eq(atomic_load(&reader.woken), 0);
	ck_assert_int_eq(write(watch.fd, &one, sizeof one), sizeof one);
	await_count(&reader.woken, 1);
	/* The bit is set and nothing new comes: that is not told again. */
	await_ready(&reader, &watch, RT_READ);
	pass();
	ck_assert_int_eq(atomic_load(&reader.woken), 1);
	ops->unwatch(runtime, &watch);
	close(watch.fd);
}

/* Each time that nothing was left, and something comes. */
ON_EVERY(every_edge_wakes)
{
	struct rt_watch watch;
	struct side reader = {.woken = 0};
	uint64_t value = 1;

	follow(&watch, eventfd(0, EFD_NONBLOCK));
	for (int i = 1; i <= 100; i++) {
		ck_assert_int_eq(read(watch.fd, &value, sizeof value), i == 1 ? -1 : (int)sizeof value);
		ck_assert_int_eq(read(watch.fd, &value, sizeof value), -1);
		clear(&watch, RT_READ);
		await_ready(&reader, &watch, RT_READ);
		value = 1;
		ck_assert_int_eq(write(watch.fd, &value, sizeof value), sizeof value);
		await_count(&reader.woken, i);
	}
	ops->unwatch(runtime, &watch);
	close(watch.fd);
}

static void open_pair(int ends[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
}

static void fill(int fd)
{
	static const char block[4096];

	while (write(fd, block, sizeof block) > 0)
		;
	ck_assert_int_eq(errno, EAGAIN);
}

static void drain(int fd)
{
	static char block[4096];

	while (read(fd, block, sizeof block) > 0)
		;
}

ON_EVERY(both_directions_at_once)
{
	struct rt_watch watch;
	struct side reader = {.woken = 0}, writer = {.woken = 0};
	int ends[2];

	open_pair(ends);
	fill(ends[0]);
	follow(&watch, ends[0]);
	await_ready(&reader, &watch, RT_READ);
	await_ready(&writer, &watch, RT_WRITE);
	pass();
	ck_assert_int_eq(atomic_load(&reader.woken) + atomic_load(&writer.woken), 0);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	await_count(&reader.woken, 1);
	pass();
	ck_assert_int_eq(atomic_load(&writer.woken), 0);
	drain(ends[1]);
	await_count(&writer.woken, 1);
	ops->unwatch(runtime, &watch);
	close(ends[0]);
	close(ends[1]);
}

/* A half-closed stream is readable for ever, a gone peer wakes both: who tries then finds out. */
ON_EVERY(the_end_of_a_stream_wakes)
{
	struct rt_watch watch;
	struct side reader = {.woken = 0}, writer = {.woken = 0};
	int ends[2];

	open_pair(ends);
	fill(ends[0]);
	follow(&watch, ends[0]);
	await_ready(&reader, &watch, RT_READ);
	await_ready(&writer, &watch, RT_WRITE);
	shutdown(ends[1], SHUT_WR);
	await_count(&reader.woken, 1);
	await_bits(&watch, RT_CLOSED);
	ck_assert_int_eq(atomic_load(&writer.woken), 0);
	close(ends[1]);
	await_count(&writer.woken, 1);
	ops->unwatch(runtime, &watch);
	close(ends[0]);
}

/* A pipe has no end of its stream to read, it only hangs up; to its writer that is an error. */
ON_EVERY(a_hang_up_wakes)
{
	struct rt_watch watch;
	struct side reader = {.woken = 0}, writer = {.woken = 0};
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	follow(&watch, ends[0]);
	await_ready(&reader, &watch, RT_READ);
	pass();
	ck_assert_int_eq(atomic_load(&reader.woken), 0);
	close(ends[1]);
	await_count(&reader.woken, 1);
	ops->unwatch(runtime, &watch);
	close(ends[0]);

	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	fill(ends[1]);
	follow(&watch, ends[1]);
	await_ready(&writer, &watch, RT_WRITE);
	pass();
	ck_assert_int_eq(atomic_load(&writer.woken), 0);
	close(ends[0]);
	await_count(&writer.woken, 1);
	ops->unwatch(runtime, &watch);
	close(ends[1]);
}

/* Nobody hears of it any more; a new descriptor may have its number. */
ON_EVERY(unwatched_is_forgotten)
{
	struct rt_watch watch, again;
	struct side reader = {.woken = 0};
	uint64_t one = 1;

	for (int i = 1; i <= 20; i++) {
		struct side nobody = {.woken = 0};
		int fd = eventfd(0, EFD_NONBLOCK);

		follow(&watch, fd);
		await_ready(&nobody, &watch, RT_READ);
		ops->unwatch(runtime, &watch);
		ck_assert_int_eq(write(fd, &one, sizeof one), sizeof one);
		ck_assert_int_eq(rt_sleep(RT_US(200)), 0);
		ck_assert_int_eq(atomic_load(&nobody.woken), 0);
		ck_assert_int_eq(bits_of(&watch) & RT_READ, 0);
		close(fd);
		follow(&again, eventfd(0, EFD_NONBLOCK));
		ck_assert_int_eq(again.fd, fd);
		await_ready(&reader, &again, RT_READ);
		ck_assert_int_eq(write(fd, &one, sizeof one), sizeof one);
		await_count(&reader.woken, i);
		ops->unwatch(runtime, &again);
		close(fd);
	}
}

ON_EVERY(many_watches_come_and_go)
{
	enum { MANY = 200 };
	static struct rt_watch watches[MANY];
	static struct side readers[MANY];
	uint64_t one = 1;

	for (int i = 0; i < MANY; i++) {
		follow(&watches[i], eventfd(0, EFD_NONBLOCK));
		await_ready(&readers[i], &watches[i], RT_READ);
	}
	for (int i = 0; i < MANY; i += 3)
		ops->unwatch(runtime, &watches[i]);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(write(watches[i].fd, &one, sizeof one), sizeof one);
	for (int i = 0; i < MANY; i++) {
		if (i % 3 != 0)
			await_count(&readers[i].woken, 1);
		else
			ck_assert_int_eq(atomic_load(&readers[i].woken), 0);
	}
	for (int i = 0; i < MANY; i++) {
		if (i % 3 != 0)
			ops->unwatch(runtime, &watches[i]);
		close(watches[i].fd);
	}
}

ON_EVERY(what_is_no_descriptor_is_refused)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct rt_watch watch = {.fd = fd};

	close(fd);
	ck_assert_int_eq(ops->watch(runtime, &watch), -EBADF);
}

/* The runtime ends first: finalizers may come later. */
static struct rt_watch left;

static int leave_watched(void *arg)
{
	(void)arg;
	runtime = rt_runtime_current();
	ops = runtime->ops;
	follow(&left, eventfd(0, EFD_NONBLOCK));
	return 0;
}

IN_EVERY(a_watch_outlives_the_runtime)
{
	ck_assert_int_eq(run_in(setting, leave_watched, "leave_watched"), 0);
	ck_assert(!(left.ready & RT_REGISTERED));
	close(left.fd);
}

void add_watch(Suite *suite)
{
	TCase *tcase = new_case(suite, "watch");

	ADD(tcase, readiness_wakes_the_waiter);
	ADD(tcase, every_edge_wakes);
	ADD(tcase, both_directions_at_once);
	ADD(tcase, the_end_of_a_stream_wakes);
	ADD(tcase, a_hang_up_wakes);
	ADD(tcase, unwatched_is_forgotten);
	ADD(tcase, many_watches_come_and_go);
	ADD(tcase, what_is_no_descriptor_is_refused);
	ADD(tcase, a_watch_outlives_the_runtime);
}
