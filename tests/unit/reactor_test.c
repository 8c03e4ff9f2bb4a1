/* SPDX-License-Identifier: MIT */
/* The reactor, alone and as a guest in a host's loop. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/list.h"
#include "reactor/reactor.h"
#include "support/in_task.h"
#include "support/suite.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static int turns;
static struct reactor *reactor;

static void count_turn(void *arg)
{
	ck_assert_ptr_eq(arg, &turns);
	turns++;
}

static struct reactor *create(struct event_base *base)
{
	struct reactor_options options = {.event_base = base, .turn = count_turn, .arg = &turns};

	ck_assert_int_eq(reactor_create(&reactor, &options), 0);
	return reactor;
}

struct probe {
	struct rt_waiter waiter;
	int woken, result;
};

static void note(struct rt_waiter *waiter, int result)
{
	struct probe *probe = container_of(waiter, struct probe, waiter);

	probe->woken++;
	probe->result = result;
}

static struct rt_watch watch_of(int fd)
{
	return (struct rt_watch){.fd = fd};
}

/* ---- Readiness ---- */

START_TEST(readiness_comes_once_per_edge)
{
	struct rt_watch watch = watch_of(eventfd(0, EFD_NONBLOCK));
	struct probe reader = {.waiter.wake = note};
	uint64_t one = 1;

	create(NULL);
	ck_assert_int_eq(reactor_watch(reactor, &watch), 0);
	reactor_poll(reactor, false);
	ck_assert_int_eq(watch.ready & (RT_READ | RT_WRITE), RT_WRITE);
	watch.reader = &reader.waiter;
	reactor_poll(reactor, false);
	ck_assert_int_eq(reader.woken, 0);
	ck_assert_int_eq(write(watch.fd, &one, sizeof one), sizeof one);
	reactor_poll(reactor, true);
	ck_assert_int_eq(reader.woken, 1);
	ck_assert_int_eq(reader.result, 0);
	ck_assert_ptr_null(watch.reader);
	ck_assert_int_eq(watch.ready & RT_READ, RT_READ);
	/* Still readable: no edge, no event. */
	watch.ready = 0;
	reactor_poll(reactor, false);
	ck_assert_int_eq(watch.ready, 0);
	ck_assert_int_eq(write(watch.fd, &one, sizeof one), sizeof one);
	reactor_poll(reactor, true);
	ck_assert_int_eq(watch.ready & RT_READ, RT_READ);
	ck_assert_int_eq(reader.woken, 1);
	reactor_unwatch(reactor, &watch);
	ck_assert_int_eq(write(watch.fd, &one, sizeof one), sizeof one);
	watch.ready = 0;
	reactor_poll(reactor, false);
	ck_assert_int_eq(watch.ready, 0);
	close(watch.fd);
	reactor_destroy(reactor);
}
END_TEST

START_TEST(the_end_of_a_stream_is_told)
{
	struct probe reader = {.waiter.wake = note}, writer = {.waiter.wake = note};
	int ends[2];

	create(NULL);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	struct rt_watch watch = watch_of(ends[0]);

	ck_assert_int_eq(reactor_watch(reactor, &watch), 0);
	reactor_poll(reactor, false);
	watch.reader = &reader.waiter;
	watch.ready |= RT_DRAINED;
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_eq(shutdown(ends[1], SHUT_WR), 0);
	reactor_poll(reactor, true);
	ck_assert_int_eq(reader.woken, 1);
	ck_assert_int_eq(watch.ready & (RT_READ | RT_CLOSED), RT_READ | RT_CLOSED);
	ck_assert(!(watch.ready & RT_DRAINED));
	watch.reader = &reader.waiter;
	watch.writer = &writer.waiter;
	close(ends[1]);
	reactor_poll(reactor, true);
	ck_assert_int_eq(reader.woken, 2);
	ck_assert_int_eq(writer.woken, 1);
	reactor_unwatch(reactor, &watch);
	close(ends[0]);
	reactor_destroy(reactor);
}
END_TEST

static void say_nothing(int severity, const char *message)
{
	(void)severity, (void)message;
}

START_TEST(what_cannot_be_watched)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct rt_watch watch = watch_of(fd);

	event_set_log_callback(say_nothing);
	create(NULL);
	close(fd);
	ck_assert_int_eq(reactor_watch(reactor, &watch), -EBADF);
	reactor_destroy(reactor);
}
END_TEST

/* Watches may outlive the reactor. */
START_TEST(destroying_forgets_the_watches)
{
	struct rt_watch watches[3];

	create(NULL);
	for (int i = 0; i < 3; i++) {
		watches[i] = watch_of(eventfd(0, EFD_NONBLOCK));
		ck_assert_int_eq(reactor_watch(reactor, &watches[i]), 0);
		watches[i].ready |= RT_REGISTERED;
	}
	reactor_destroy(reactor);
	for (int i = 0; i < 3; i++) {
		ck_assert(!(watches[i].ready & RT_REGISTERED));
		close(watches[i].fd);
	}
	reactor_destroy(NULL);
}
END_TEST

/* ---- Timers ---- */

struct alarm {
	struct rt_timer timer;
	rt_time fired;
};

static void ring(struct rt_waiter *waiter, int result)
{
	struct alarm *alarm = container_of(waiter, struct alarm, timer.waiter);

	ck_assert_int_eq(result, -ETIMEDOUT);
	ck_assert_int_eq(alarm->fired, 0);
	alarm->fired = rt_now();
	ck_assert_int_ge(alarm->fired, alarm->timer.deadline);
}

static void arm(struct alarm *alarm, rt_time deadline)
{
	*alarm = (struct alarm){.timer = {.waiter.wake = ring, .deadline = deadline}};
	reactor_arm(reactor, &alarm->timer);
}

START_TEST(timers_wake_the_poll)
{
	struct alarm early, late, passed, never, disarmed;
	rt_time start = rt_now();

	create(NULL);
	ck_assert(!reactor_has_timers(reactor));
	arm(&late, start + RT_MS(4));
	arm(&disarmed, start + RT_MS(1));
	arm(&early, start + RT_MS(2));
	arm(&passed, -1);
	arm(&never, RT_FOREVER);
	reactor_disarm(reactor, &disarmed.timer);
	ck_assert(reactor_has_timers(reactor));
	reactor_poll(reactor, true);
	ck_assert_int_ne(passed.fired, 0);
	while (!late.fired)
		ck_assert_int_eq(reactor_poll(reactor, true), 0);
	ck_assert_int_ne(early.fired, 0);
	ck_assert_int_le(early.fired, late.fired);
	ck_assert_int_eq(disarmed.fired, 0);
	ck_assert_int_eq(never.fired, 0);
	ck_assert(reactor_has_timers(reactor));
	reactor_disarm(reactor, &never.timer);
	reactor_disarm(reactor, &never.timer);
	ck_assert(!reactor_has_timers(reactor));
	reactor_destroy(reactor);
}
END_TEST

/* False: the first was due before it could be disarmed. */
static bool disarm_first_of_two(rt_time wait)
{
	struct alarm first, second;

	create(NULL);
	arm(&first, rt_in(wait));
	arm(&second, first.timer.deadline + RT_MS(10));
	reactor_wake(reactor);
	reactor_poll(reactor, true);
	bool in_time = !first.fired;

	reactor_disarm(reactor, &first.timer);
	while (!second.fired)
		ck_assert_int_eq(reactor_poll(reactor, true), 0);
	ck_assert_int_eq(!first.fired, in_time);
	reactor_destroy(reactor);
	return in_time;
}

/* The alarm is set once for the first; when that is disarmed it rings for nothing, and later for the second.
 */
START_TEST(a_disarmed_alarm_does_not_lose_the_next)
{
	for (rt_time wait = RT_MS(50); !disarm_first_of_two(wait); wait *= 2)
		;
}
END_TEST

/* ---- Other threads ---- */

static void *wake_reactor(void *arg)
{
	reactor_wake(arg);
	return NULL;
}

START_TEST(another_thread_wakes_the_poll)
{
	pthread_t thread;

	create(NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, wake_reactor, reactor), 0);
	while (turns == 0)
		ck_assert_int_eq(reactor_poll(reactor, true), 0);
	pthread_join(thread, NULL);
	/* Many make one turn, or as many. */
	for (int i = 0; i < 1000; i++)
		reactor_wake(reactor);
	reactor_poll(reactor, true);
	ck_assert_int_ge(turns, 2);
	reactor_destroy(reactor);
}
END_TEST

/* ---- In a host's loop ---- */

static void count_and_release(void *arg)
{
	count_turn(arg);
	if (turns == 3)
		reactor_hold(reactor, false);
	else
		reactor_kick(reactor, turns % 2);
}

START_TEST(a_host_runs_as_long_as_it_is_held)
{
	struct event_base *base = event_base_new();
	struct reactor_options options = {.event_base = base, .turn = count_and_release, .arg = &turns};

	ck_assert_int_eq(reactor_create(&reactor, &options), 0);
	ck_assert_int_eq(event_base_dispatch(base), 1);
	ck_assert_int_eq(turns, 0);
	reactor_hold(reactor, true);
	reactor_hold(reactor, true);
	reactor_kick(reactor, false);
	reactor_kick(reactor, false);
	ck_assert_int_eq(event_base_dispatch(base), 1);
	ck_assert_int_eq(turns, 3);
	reactor_destroy(reactor);
	event_base_free(base);
}
END_TEST

static struct alarm from_turn;

static void arm_in_turn(void *arg)
{
	count_turn(arg);
	if (turns == 1)
		arm(&from_turn, rt_in(RT_MS(1)));
	else if (from_turn.fired)
		reactor_hold(reactor, false);
}

/* What a turn arms is waited for, whatever the turn came from. */
START_TEST(a_host_wakes_up_for_a_timer_of_a_turn)
{
	struct event_base *base = event_base_new();
	struct reactor_options options = {.event_base = base, .turn = arm_in_turn, .arg = &turns};

	ck_assert_int_eq(reactor_create(&reactor, &options), 0);
	reactor_hold(reactor, true);
	if (_i == 0)
		reactor_wake(reactor);
	else
		reactor_kick(reactor, _i - 1);
	ck_assert_int_eq(event_base_dispatch(base), 1);
	ck_assert_int_ne(from_turn.fired, 0);
	reactor_destroy(reactor);
	event_base_free(base);
}
END_TEST

static int ticks;

static int sleep_and_talk(void *arg)
{
	struct rt_addr addr;
	int fd = eventfd(0, EFD_NONBLOCK);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	ck_assert_int_eq(rt_wait_fd(fd, RT_READ, rt_in(RT_MS(1))), -ETIMEDOUT);
	ck_assert_int_eq(rt_wait_fd(fd, RT_WRITE, rt_in(RT_MS(1))), 0);
	ck_assert_int_ge(rt_resolve("localhost:1", &addr, 1, RT_FOREVER), 1);
	close(fd);
	/* The host's clock is a coarse one. */
	for (rt_time end = rt_in(RT_S(20)); ticks == 0 && rt_now() < end;)
		ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	return *(int *)arg;
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
	ticks++;
}

START_TEST(a_runtime_in_a_hosts_loop)
{
	struct event_base *base = event_base_new();
	struct rt_runtime_options options = {.event_base = base};
	int value = 8;
	struct event *timer = event_new(base, -1, EV_PERSIST, tick, NULL);

	event_add(timer, &(struct timeval){0, 100});
	ck_assert_int_eq(rt_run(&rt_native, &options, sleep_and_talk, &value, NULL), 8);
	ck_assert_int_gt(ticks, 0);
	event_free(timer);
	event_base_free(base);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reactor");
	TCase *tcase = tcase_create("reactor");

	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, readiness_comes_once_per_edge);
	tcase_add_test(tcase, the_end_of_a_stream_is_told);
	tcase_add_test(tcase, what_cannot_be_watched);
	tcase_add_test(tcase, destroying_forgets_the_watches);
	tcase_add_test(tcase, timers_wake_the_poll);
	tcase_add_test(tcase, a_disarmed_alarm_does_not_lose_the_next);
	tcase_add_test(tcase, another_thread_wakes_the_poll);
	tcase_add_test(tcase, a_host_runs_as_long_as_it_is_held);
	tcase_add_loop_test(tcase, a_host_wakes_up_for_a_timer_of_a_turn, 0, 3);
	tcase_add_test(tcase, a_runtime_in_a_hosts_loop);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
