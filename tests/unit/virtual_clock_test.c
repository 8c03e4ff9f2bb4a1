/* SPDX-License-Identifier: MIT */
/* The virtual clock: when it stands still, how far it goes, and what it waits for really. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "platform/clock.h"
#include "runtime/lifecycle.h"
#include "support/in_task.h"
#include "support/pair.h"
#include "support/suite.h"
#include "task/task.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

static const struct rt_runtime_options virtual = {.clock = RT_CLOCK_VIRTUAL, .workers = 1};

/* A test whose body is the main task of a runtime with a virtual clock. */
#define IN_VIRTUAL_TIME(name) IN_TASK_WITH(name, &virtual)

/* ---- Order and exactness ---- */

enum { SLEEPERS = 1000 };
static rt_time deadlines[SLEEPERS], last_woken;
static int woken;

static int sleep_until_mine(void *arg)
{
	rt_time deadline = *(rt_time *)arg;

	ck_assert_int_eq(rt_sleep_until(deadline), 0);
	ck_assert_int_eq(rt_now(), deadline);
	ck_assert_int_ge(deadline, last_woken);
	last_woken = deadline;
	woken++;
	return 0;
}

IN_VIRTUAL_TIME(a_day_passes_in_order)
{
	struct rt_task *tasks[SLEEPERS];
	rt_time start = rt_now(), day = RT_S(24 * 60 * 60);

	for (int i = 0; i < SLEEPERS; i++) {
		deadlines[i] = start + day / SLEEPERS * (i * 7919 % SLEEPERS + 1) + i;
		tasks[i] = spawn_task(sleep_until_mine, &deadlines[i]);
	}
	for (int i = 0; i < SLEEPERS; i++)
		join_task(tasks[i]);
	ck_assert_int_eq(woken, SLEEPERS);
	ck_assert_int_eq(rt_now(), last_woken);
	ck_assert_int_ge(rt_now(), start + day);
}

static int order[SLEEPERS], ordered;

static int note_order(void *arg)
{
	rt_sleep_until(deadlines[0]);
	order[ordered++] = (int)((rt_time *)arg - deadlines);
	return 0;
}

IN_VIRTUAL_TIME(equal_deadlines_fire_in_the_order_of_arming)
{
	struct rt_task *tasks[SLEEPERS];

	deadlines[0] = rt_in(RT_S(5));
	for (int i = 0; i < SLEEPERS; i++)
		tasks[i] = spawn_task(note_order, &deadlines[i]);
	for (int i = 0; i < SLEEPERS; i++)
		join_task(tasks[i]);
	for (int i = 0; i < SLEEPERS; i++)
		ck_assert_int_eq(order[i], i);
}

IN_VIRTUAL_TIME(time_stands_still_while_a_task_can_run)
{
	deadlines[0] = rt_now() + 1;
	struct rt_task *sleeper = spawn_task(sleep_until_mine, &deadlines[0]);

	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(rt_yield(), 0);
	ck_assert_int_eq(rt_now(), deadlines[0] - 1);
	ck_assert_int_eq(woken, 0);
	join_task(sleeper);
}

START_TEST(the_clock_starts_at_the_real_time_and_leaves_none_behind)
{
	rt_time before = clock_real(), inside;
	struct rt_runtime *runtime;

	ck_assert_int_eq(runtime_open(&rt_native, &virtual, &runtime), 0);
	inside = rt_now();
	ck_assert_int_ge(inside, before);
	ck_assert_int_le(inside, clock_real());
	while (clock_real() == inside)
		;
	ck_assert_int_eq(rt_now(), inside);
	runtime_close(runtime);
	before = clock_real();
	ck_assert_int_ge(rt_now(), before);
	ck_assert_int_le(rt_now(), clock_real());
}
END_TEST

IN_VIRTUAL_TIME(intervals_tick_exactly)
{
	struct rt_interval interval;
	rt_time start = rt_now();

	ck_assert_int_eq(rt_interval_init(&interval, RT_S(3600) + 1), 0);
	for (int tick = 1; tick <= 100; tick++) {
		ck_assert_int_eq(rt_interval_wait(&interval), 0);
		ck_assert_int_eq(rt_now(), start + tick * (RT_S(3600) + 1));
	}
}

IN_VIRTUAL_TIME(timeouts_nest)
{
	struct rt_timeout outer, inner;
	rt_time start = rt_now();

	rt_timeout_enter(&outer, start + RT_S(10));
	rt_timeout_enter(&inner, start + RT_S(3));
	ck_assert_int_eq(rt_sleep(RT_S(60)), -ECANCELED);
	ck_assert_int_eq(rt_now(), start + RT_S(3));
	ck_assert_int_eq(rt_timeout_leave(&inner), -ETIMEDOUT);
	ck_assert_int_eq(rt_sleep(RT_S(60)), -ECANCELED);
	ck_assert_int_eq(rt_now(), start + RT_S(10));
	ck_assert_int_eq(rt_timeout_leave(&outer), -ETIMEDOUT);
}

/* ---- What takes real time ---- */

static int answer_late(void *arg)
{
	struct rt_tcp *tcp = arg;

	rt_sleep(RT_S(5));
	send_text(tcp, "late", 4);
	return 0;
}

IN_VIRTUAL_TIME(deadlines_of_connections_are_virtual)
{
	struct rt_tcp *ends[2];
	char text[4];
	rt_time start = rt_now();

	open_pair(ends);
	struct rt_task *peer = spawn_task(answer_late, ends[1]);

	ck_assert_int_eq(rt_tcp_read(ends[0], text, sizeof text, start + RT_S(1)), -ETIMEDOUT);
	ck_assert_int_eq(rt_now(), start + RT_S(1));
	ck_assert_int_eq(rt_tcp_read(ends[0], text, sizeof text, start + RT_S(10)), 4);
	ck_assert_int_eq(rt_now(), start + RT_S(5));
	join_task(peer);
	close_pair(ends);
}

enum { ROUNDS = 200 };

static int echo(void *arg)
{
	char byte;

	for (int i = 0; i < ROUNDS; i++) {
		ck_assert_int_eq(rt_tcp_read(arg, &byte, 1, RT_FOREVER), 1);
		send_text(arg, &byte, 1);
	}
	return 0;
}

IN_VIRTUAL_TIME(what_is_on_its_way_beats_the_next_deadline)
{
	struct rt_tcp *ends[2];
	char byte = 'x';
	rt_time start = rt_now();

	open_pair(ends);
	struct rt_task *peer = spawn_task(echo, ends[1]);

	for (int i = 0; i < ROUNDS; i++) {
		send_text(ends[0], &byte, 1);
		ck_assert_int_eq(rt_tcp_read(ends[0], &byte, 1, start + 1), 1);
	}
	join_task(peer);
	ck_assert_int_eq(rt_now(), start);
	close_pair(ends);
}

IN_VIRTUAL_TIME(descriptors_get_a_real_millisecond)
{
	rt_time start = rt_now(), before = clock_real();
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
	ck_assert_int_eq(rt_wait_fd(fds[0], RT_READ, start + 1), -ETIMEDOUT);
	ck_assert_int_eq(rt_now(), start + 1);
	ck_assert_int_ge(clock_real() - before, RT_MS(1));
	close(fds[0]);
	close(fds[1]);
}

static void pause_really(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

static void *write_late(void *arg)
{
	pause_really();
	ck_assert_int_eq(write(*(int *)arg, "x", 1), 1);
	return NULL;
}

IN_VIRTUAL_TIME(a_descriptor_alone_is_waited_for)
{
	rt_time start = rt_now();
	pthread_t thread;
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, write_late, &fds[1]), 0);
	ck_assert_int_eq(rt_wait_fd(fds[0], RT_READ, RT_FOREVER), 0);
	ck_assert_int_eq(rt_now(), start);
	pthread_join(thread, NULL);
	close(fds[0]);
	close(fds[1]);
}

static rt_time done_at;

static void work(struct rt_job *job)
{
	(void)job;
	pause_really();
}

static void done(struct rt_job *job)
{
	(void)job;
	done_at = rt_now();
}

IN_VIRTUAL_TIME(blocking_work_is_waited_for)
{
	struct rt_runtime *runtime = rt_runtime_current();
	struct rt_job job = {.work = work, .done = done};
	rt_time start = rt_now();

	ck_assert_int_eq(runtime->ops->offload(runtime, &job), 0);
	ck_assert_int_eq(rt_sleep(1), 0);
	ck_assert_int_eq(done_at, start);
	ck_assert_int_eq(rt_now(), start + 1);
}

/* ---- Nothing can happen ---- */

static int receive_nothing(void *arg)
{
	struct rt_chan *chan;
	char element;

	(void)arg;
	ck_assert_int_eq(rt_chan_create(&chan, 1, 0), 0);
	ck_assert_int_eq(rt_chan_recv(chan, &element, RT_FOREVER), -ECANCELED);
	rt_chan_destroy(chan);
	return 0;
}

START_TEST(a_deadlock_is_noticed)
{
	ck_assert_int_eq(rt_run(&rt_native, &virtual, receive_nothing, NULL, "main"), -EDEADLK);
}
END_TEST

START_TEST(a_loop_of_the_host_s_has_none)
{
	struct rt_runtime_options options = virtual;
	struct rt_runtime *runtime;

	options.event_base = (struct event_base *)&options; /* not looked at */
	ck_assert_int_eq(runtime_open(&rt_native, &options, &runtime), -ENOTSUP);
}
END_TEST

/* ---- By hand ---- */

static int tick(void *arg)
{
	struct rt_interval interval;

	rt_interval_init(&interval, RT_S(1));
	while (rt_interval_wait(&interval) == 0)
		++*(int *)arg;
	return 0;
}

/* Due at the very end, and then busy for a while. */
static int finish_at_the_end(void *arg)
{
	rt_sleep(RT_S(5));
	for (int i = 0; i < 10; i++)
		rt_yield();
	*(bool *)arg = true;
	return 0;
}

IN_VIRTUAL_TIME(by_hand_all_that_becomes_due_has_run)
{
	rt_time start = rt_now();
	int ticks = 0;
	bool finished = false;
	struct rt_task *ticker = spawn_task(tick, &ticks), *last = spawn_task(finish_at_the_end, &finished);

	rt_yield();
	ck_assert_int_eq(rt_clock_advance(RT_MS(2500)), 0);
	ck_assert_int_eq(ticks, 2);
	ck_assert_int_eq(rt_now(), start + RT_MS(2500));
	ck_assert_int_eq(rt_clock_advance(RT_MS(2500)), 0);
	ck_assert_int_eq(ticks, 5);
	ck_assert(finished);
	ck_assert_int_eq(rt_clock_advance(0), 0);
	ck_assert_int_eq(rt_now(), start + RT_S(5));
	rt_cancel(ticker);
	join_task(ticker);
	join_task(last);
}

static int spin(void *arg)
{
	while (!*(bool *)arg)
		rt_yield();
	return 0;
}

IN_VIRTUAL_TIME(by_hand_time_goes_on_while_a_task_is_busy)
{
	bool stop = false;
	rt_time start = rt_now();
	int ticks = 0;
	struct rt_task *spinner = spawn_task(spin, &stop), *ticker = spawn_task(tick, &ticks);

	rt_yield();
	ck_assert_int_eq(rt_clock_advance(RT_S(3)), 0);
	ck_assert_int_eq(rt_now(), start + RT_S(3));
	ck_assert_int_eq(ticks, 3);
	stop = true;
	rt_cancel(ticker);
	join_task(spinner);
	join_task(ticker);
}

static int advance_a_second(void *arg)
{
	(void)arg;
	return rt_clock_advance(RT_S(1));
}

IN_VIRTUAL_TIME(by_hand_is_for_one_task_at_a_time)
{
	struct rt_task *first = spawn_task(advance_a_second, NULL),
		       *second = spawn_task(advance_a_second, NULL);
	rt_time start = rt_now();

	ck_assert_int_eq(join_task(first), 0);
	ck_assert_int_eq(join_task(second), -EBUSY);
	ck_assert_int_eq(rt_now(), start + RT_S(1));
}

IN_VIRTUAL_TIME(by_hand_ends_with_its_task)
{
	struct rt_timeout timeout;
	rt_time start = rt_now();

	rt_timeout_enter(&timeout, start + RT_S(1));
	ck_assert_int_eq(rt_clock_advance(RT_S(9)), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&timeout), -ETIMEDOUT);
	ck_assert_int_eq(rt_now(), start + RT_S(1));
	ck_assert_int_eq(rt_clock_advance(RT_S(1)), 0);
	ck_assert_int_eq(rt_now(), start + RT_S(2));
}

IN_VIRTUAL_TIME(by_hand_only_forwards)
{
	rt_time start = rt_now();

	ck_assert_int_eq(rt_clock_advance(-1), -EINVAL);
	ck_assert_int_eq(rt_clock_advance(RT_FOREVER), -EINVAL);
	ck_assert_int_eq(rt_now(), start);
}

static int advance_real_time(void *arg)
{
	(void)arg;
	ck_assert_int_eq(rt_clock_advance(1), -EINVAL);
	return 0;
}

START_TEST(real_time_is_not_moved)
{
	ck_assert_int_eq(rt_clock_advance(1), -EPERM);
	ck_assert_int_eq(rt_run(&rt_native, NULL, advance_real_time, NULL, "main"), 0);
}
END_TEST

/* ---- The end ---- */

static int sleep_shielded(void *arg)
{
	struct rt_shield shield;

	rt_shield_enter(&shield);
	int err = rt_sleep(*(rt_time *)arg);

	rt_shield_leave(&shield);
	return err;
}

static int spin_forever(void *arg)
{
	bool stop = false;

	(void)arg;
	return spin(&stop);
}

/* How many tasks are left after the grace. */
static size_t drain_one(rt_task_fn *fn, rt_time *duration, rt_time grace)
{
	struct rt_runtime *runtime;

	ck_assert_int_eq(runtime_open(&rt_native, &virtual, &runtime), 0);
	rt_detach(spawn_task(fn, duration));
	runtime_drain(runtime, NULL, grace);
	size_t left = runtime->task_count;

	runtime_close(runtime);
	return left;
}

START_TEST(grace_is_virtual)
{
	rt_time before = clock_real();

	ck_assert_uint_eq(drain_one(sleep_shielded, &(rt_time){RT_S(3600)}, RT_S(3601)), 0);
	ck_assert_uint_eq(drain_one(sleep_shielded, &(rt_time){RT_S(3600)}, RT_S(3599)), 1);
	ck_assert_int_lt(clock_real() - before, RT_S(3599));
}
END_TEST

START_TEST(grace_ends_really_where_time_stands_still)
{
	ck_assert_uint_eq(drain_one(spin_forever, NULL, RT_MS(20)), 1);
}
END_TEST

static atomic_bool released, finished;

static void work_until_released(struct rt_job *job)
{
	(void)job;
	while (!atomic_load(&released))
		pause_really();
}

static void finish(struct rt_job *job)
{
	(void)job;
	atomic_store(&finished, true);
}

static int wait_for_work(void *arg)
{
	static struct rt_job job = {.work = work_until_released, .done = finish};
	struct rt_runtime *runtime = rt_runtime_current();

	ck_assert_int_eq(runtime->ops->offload(runtime, &job), 0);
	return sleep_shielded(arg);
}

START_TEST(grace_ends_really_where_work_does_not)
{
	rt_time before = clock_real();

	ck_assert_uint_eq(drain_one(wait_for_work, &(rt_time){RT_S(1)}, RT_MS(1)), 1);
	ck_assert_int_ge(clock_real() - before, RT_MS(1));
	/* Its thread outlives the runtime, and still uses the job. */
	atomic_store(&released, true);
	while (!atomic_load(&finished))
		pause_really();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtual_clock");
	TCase *tcase = tcase_create("virtual_clock");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_day_passes_in_order);
	tcase_add_test(tcase, equal_deadlines_fire_in_the_order_of_arming);
	tcase_add_test(tcase, time_stands_still_while_a_task_can_run);
	tcase_add_test(tcase, the_clock_starts_at_the_real_time_and_leaves_none_behind);
	tcase_add_test(tcase, intervals_tick_exactly);
	tcase_add_test(tcase, timeouts_nest);
	tcase_add_test(tcase, deadlines_of_connections_are_virtual);
	tcase_add_test(tcase, what_is_on_its_way_beats_the_next_deadline);
	tcase_add_test(tcase, descriptors_get_a_real_millisecond);
	tcase_add_test(tcase, a_descriptor_alone_is_waited_for);
	tcase_add_test(tcase, blocking_work_is_waited_for);
	tcase_add_test(tcase, a_deadlock_is_noticed);
	tcase_add_test(tcase, a_loop_of_the_host_s_has_none);
	tcase_add_test(tcase, by_hand_all_that_becomes_due_has_run);
	tcase_add_test(tcase, by_hand_time_goes_on_while_a_task_is_busy);
	tcase_add_test(tcase, by_hand_is_for_one_task_at_a_time);
	tcase_add_test(tcase, by_hand_ends_with_its_task);
	tcase_add_test(tcase, by_hand_only_forwards);
	tcase_add_test(tcase, real_time_is_not_moved);
	tcase_add_test(tcase, grace_is_virtual);
	tcase_add_test(tcase, grace_ends_really_where_time_stands_still);
	tcase_add_test(tcase, grace_ends_really_where_work_does_not);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
