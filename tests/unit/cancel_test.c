/* SPDX-License-Identifier: MIT */
/* Cancellation: where it finds a task, what it gives way to, and who waits on whom. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/suite.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static struct rt_task *spawn(rt_task_fn *fn, void *arg)
{
	struct rt_task *task = rt_spawn(fn, arg);

	ck_assert_ptr_nonnull(task);
	return task;
}

static int join(struct rt_task *task)
{
	int result = 12345;

	ck_assert_int_eq(rt_join(task, &result, RT_FOREVER), 0);
	return result;
}

/* ---- Each kind of wait, as a task that is nothing but it ---- */

static struct rt_tcp_listener *listener;
static struct rt_udp *udp;
static struct rt_tcp *conn;
static int pipe_ends[2];

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
	struct rt_task *other = spawn(sleeps, NULL);
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
	struct rt_tcp *tcp = (struct rt_tcp *)arg;
	int err = rt_tcp_accept(listener, &tcp, NULL, RT_FOREVER);

	ck_assert_ptr_null(tcp);
	return err;
}

static int reads(void *arg)
{
	char buf[8];

	(void)arg;
	return (int)rt_tcp_read(conn, buf, sizeof buf, RT_FOREVER);
}

static int writes(void *arg)
{
	static char block[16 << 20];
	size_t done = sizeof block;
	ssize_t result = rt_tcp_write(conn, block, sizeof block, &done, RT_FOREVER);

	(void)arg;
	ck_assert_uint_lt(done, sizeof block);
	return (int)result;
}

static int receives(void *arg)
{
	char buf[8];

	(void)arg;
	return (int)rt_udp_recv(udp, buf, sizeof buf, RT_FOREVER);
}

static int waits_fd(void *arg)
{
	(void)arg;
	return rt_wait_fd(pipe_ends[0], RT_READ, RT_FOREVER);
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

static rt_task_fn *const waits[] = {sleeps, sleeps_for_ever, joins,    ticks,  accepts,    reads,
				    writes, receives,        waits_fd, yields, sleeps_zero};
enum { WAITS = sizeof waits / sizeof *waits };

/* The peer of conn stays in the listener's queue: nobody reads. */
static void open_sources(void)
{
	char text[RT_ADDR_TEXT_MAX];
	struct rt_addr addr;

	ck_assert_int_eq(pipe(pipe_ends), 0);
	ck_assert_int_eq(rt_udp_bind(&udp, "127.0.0.1:0"), 0);
	ck_assert_int_eq(rt_tcp_listen(&listener, "127.0.0.1:0", NULL), 0);
	ck_assert_int_eq(rt_tcp_listener_local_addr(listener, &addr), 0);
	ck_assert_int_eq(rt_tcp_connect(&conn, rt_addr_text(&addr, text), RT_FOREVER), 0);
}

/* Takes the peer of conn, so that accepting waits. */
static struct rt_tcp *take_peer(void)
{
	struct rt_tcp *peer;

	ck_assert_int_eq(rt_tcp_accept(listener, &peer, NULL, RT_FOREVER), 0);
	return peer;
}

static void close_sources(struct rt_tcp *peer)
{
	rt_tcp_destroy(peer);
	rt_tcp_destroy(conn);
	rt_tcp_listener_destroy(listener);
	rt_udp_destroy(udp);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

static int which;

static int cancel_while_waiting(void *arg)
{
	(void)arg;
	open_sources();
	struct rt_tcp *peer = take_peer();
	struct rt_task *task = spawn(waits[which], NULL);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	ck_assert(!rt_task_cancelled(task));
	rt_cancel(task);
	rt_cancel(task);
	ck_assert(rt_task_cancelled(task));
	ck_assert_int_eq(join(task), -ECANCELED);
	close_sources(peer);
	return 0;
}

/* The loop's index: a wait. */
START_TEST(every_wait_is_cancelled)
{
	which = _i;
	ck_assert_int_eq(rt_run(&rt_native, NULL, cancel_while_waiting, NULL, NULL), 0);
}
END_TEST

static int turns;

static int count_turns(void *arg)
{
	(void)arg;
	while (rt_yield() == 0)
		turns++;
	return 0;
}

/* A stubborn task waits on and on; each wait must fail and let the others run. */
static int be_stubborn(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++) {
		int before = turns;

		ck_assert_int_eq(waits[which](NULL), -ECANCELED);
		ck_assert_int_gt(turns, before);
	}
	return 77;
}

static int cancel_before_first_run(void *arg)
{
	(void)arg;
	open_sources();
	struct rt_tcp *peer = take_peer();
	struct rt_task *other = spawn(count_turns, NULL);
	struct rt_task *task = spawn(be_stubborn, NULL);

	rt_cancel(task);
	ck_assert_int_eq(join(task), 77);
	rt_cancel(other);
	join(other);
	close_sources(peer);
	return 0;
}

START_TEST(every_wait_of_a_cancelled_task_fails_and_gives_way)
{
	which = _i;
	ck_assert_int_eq(rt_run(&rt_native, NULL, cancel_before_first_run, NULL, NULL), 0);
}
END_TEST

/* ---- Before, after, oneself ---- */

static int note_run(void *arg)
{
	*(bool *)arg = true;
	return rt_task_cancelled(rt_task_current()) ? 5 : 6;
}

IN_TASK(a_task_cancelled_before_it_ran_still_runs)
{
	bool ran = false;
	struct rt_task *task = spawn(note_run, &ran);

	rt_cancel(task);
	ck_assert_int_eq(join(task), 5);
	ck_assert(ran);
}

IN_TASK(cancelling_a_finished_task_does_nothing)
{
	bool ran = false;
	struct rt_task *task = spawn(note_run, &ran);

	rt_yield();
	ck_assert(ran);
	rt_cancel(task);
	ck_assert(!rt_task_cancelled(task));
	ck_assert_int_eq(join(task), 6);
}

static int cancel_self(void *arg)
{
	(void)arg;
	rt_cancel(rt_task_current());
	return rt_sleep(RT_S(1000));
}

IN_TASK(a_task_cancels_itself)
{
	ck_assert_int_eq(join(spawn(cancel_self, NULL)), -ECANCELED);
}

static int join_arg(void *arg)
{
	return rt_join(arg, NULL, RT_FOREVER);
}

IN_TASK(a_cancelled_join_keeps_the_handle)
{
	struct rt_task *target = spawn(sleeps, NULL);
	struct rt_task *joiner = spawn(join_arg, target);

	rt_yield();
	rt_cancel(joiner);
	ck_assert_int_eq(join(joiner), -ECANCELED);
	ck_assert(!rt_task_cancelled(target));
	rt_cancel(target);
	ck_assert_int_eq(join(target), -ECANCELED);
}

/* ---- What has happened beats cancellation and deadline ---- */

static int at_once(void *arg)
{
	return *(int *)arg;
}

static int join_twice(void *arg)
{
	int result = 0;

	ck_assert_int_eq(rt_join(arg, &result, RT_FOREVER), 0);
	ck_assert(rt_task_cancelled(rt_task_current()));
	return result;
}

IN_TASK(a_result_beats_cancellation)
{
	int value = 31;
	struct rt_task *target = spawn(at_once, &value);
	struct rt_task *joiner = spawn(join_twice, target);

	/* Runs target, then joiner finds it finished; or target wakes joiner, and then comes the
	 * cancellation. */
	rt_cancel(joiner);
	ck_assert_int_eq(join(joiner), 31);
}

static struct rt_task *victim;

static int end_and_cancel(void *arg)
{
	(void)arg;
	rt_yield();
	rt_cancel(victim);
	return 32;
}

IN_TASK(a_wake_up_under_way_is_not_lost)
{
	struct rt_task *target = spawn(end_and_cancel, NULL);

	/* Cancelled in the same turn in which the target ends. */
	victim = spawn(join_twice, target);
	ck_assert_int_eq(join(victim), 32);
}

static int pipe_reader(void *arg)
{
	char buf[8];

	(void)arg;
	return (int)rt_tcp_read(conn, buf, sizeof buf, RT_FOREVER);
}

IN_TASK(data_that_arrived_beats_cancellation)
{
	struct rt_task *task;

	open_sources();
	struct rt_tcp *peer = take_peer();

	ck_assert_int_eq(rt_tcp_write(peer, "four", 4, NULL, RT_FOREVER), 4);
	task = spawn(pipe_reader, NULL);
	rt_cancel(task);
	ck_assert_int_eq(join(task), 4);
	close_sources(peer);
}

IN_TASK(data_that_arrived_beats_a_passed_deadline)
{
	char buf[8];

	open_sources();
	struct rt_tcp *peer = take_peer();

	ck_assert_int_eq(rt_tcp_write(peer, "four", 4, NULL, RT_NOW), 4);
	ck_assert_int_eq(rt_tcp_read(conn, buf, sizeof buf, RT_NOW), 4);
	ck_assert_int_eq(rt_tcp_read(conn, buf, sizeof buf, RT_NOW), -ETIMEDOUT);
	close_sources(peer);
}

/* Both are due in the same turn: the counter is readable and the deadline has passed. */
static int wait_past_deadline(void *arg)
{
	int fd = *(int *)arg;

	return rt_wait_fd(fd, RT_READ, rt_in(RT_MS(1)));
}

IN_TASK(readiness_beats_a_deadline_of_the_same_turn)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct rt_task *task = spawn(wait_past_deadline, &fd);
	uint64_t one = 1;

	rt_yield();
	ck_assert_int_eq(write(fd, &one, sizeof one), sizeof one);
	for (rt_time until = rt_in(RT_MS(3)); rt_now() < until;)
		;
	ck_assert_int_eq(join(task), 0);
	close(fd);
}

int main(void)
{
	Suite *suite = suite_create("cancel");
	TCase *tcase = tcase_create("cancel");

	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, every_wait_is_cancelled, 0, WAITS);
	tcase_add_loop_test(tcase, every_wait_of_a_cancelled_task_fails_and_gives_way, 0, WAITS);
	tcase_add_test(tcase, a_task_cancelled_before_it_ran_still_runs);
	tcase_add_test(tcase, cancelling_a_finished_task_does_nothing);
	tcase_add_test(tcase, a_task_cancels_itself);
	tcase_add_test(tcase, a_cancelled_join_keeps_the_handle);
	tcase_add_test(tcase, a_result_beats_cancellation);
	tcase_add_test(tcase, a_wake_up_under_way_is_not_lost);
	tcase_add_test(tcase, data_that_arrived_beats_cancellation);
	tcase_add_test(tcase, data_that_arrived_beats_a_passed_deadline);
	tcase_add_test(tcase, readiness_beats_a_deadline_of_the_same_turn);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
