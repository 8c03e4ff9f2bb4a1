/* SPDX-License-Identifier: MIT */
/* Select: exactly one case happens, the others lose nothing, and chance is fair. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/suite.h"
#include "support/waiters.h"
#include "sync/chan.h"
#include "sync/event.h"

static struct rt_chan *open_chan(size_t capacity)
{
	struct rt_chan *chan;

	ck_assert_int_eq(rt_chan_create(&chan, sizeof(int), capacity), 0);
	return chan;
}

static void open_chans(struct rt_chan **chans, int count, size_t capacity)
{
	for (int i = 0; i < count; i++)
		chans[i] = open_chan(capacity);
}

/* Nobody may still wait for them. */
static void close_chans(struct rt_chan **chans, int count)
{
	for (int i = 0; i < count; i++) {
		ck_assert_ptr_null(chans[i]->senders);
		ck_assert_ptr_null(chans[i]->receivers);
		rt_chan_destroy(chans[i]);
	}
}

static void put(struct rt_chan *chan, int value)
{
	ck_assert_int_eq(rt_chan_send(chan, &value, RT_FOREVER), 0);
}

static int take(struct rt_chan *chan)
{
	int value = -1;

	ck_assert_int_eq(rt_chan_recv(chan, &value, RT_FOREVER), 0);
	return value;
}

/* ---- At once ---- */

IN_TASK(the_case_that_is_ready_is_chosen)
{
	struct rt_chan *chans[3];
	int in[3] = {-1, -1, -1}, out = 5;

	open_chans(chans, 3, 1);
	for (int i = 0; i < 3; i++) {
		struct rt_select_case cases[] = {
			RT_CASE_RECV(chans[0], &in[0]),
			RT_CASE_RECV(chans[1], &in[1]),
			RT_CASE_RECV(chans[2], &in[2]),
		};

		ck_assert_int_eq(rt_select(cases, 3, RT_NOW), -ETIMEDOUT);
		put(chans[i], 10 + i);
		ck_assert_int_eq(rt_select(cases, 3, RT_FOREVER), i);
		ck_assert_int_eq(cases[i].result, 0);
		ck_assert_int_eq(in[i], 10 + i);
		ck_assert_int_eq(rt_select(cases, 3, RT_NOW), -ETIMEDOUT);
	}
	put(chans[0], 1);
	struct rt_select_case send[] = {RT_CASE_SEND(chans[0], &out), RT_CASE_SEND(chans[1], &out)};

	ck_assert_int_eq(rt_select(send, 2, RT_FOREVER), 1);
	ck_assert_int_eq(take(chans[0]), 1);
	ck_assert_int_eq(take(chans[1]), 5);
	close_chans(chans, 3);
}

IN_TASK(a_closed_channel_is_ready)
{
	struct rt_chan *chans[2];
	int value;

	open_chans(chans, 2, 0);
	rt_chan_close(chans[1]);
	struct rt_select_case cases[] = {RT_CASE_RECV(chans[0], &value), RT_CASE_RECV(chans[1], &value)};
	struct rt_select_case send[] = {RT_CASE_SEND(chans[1], &value), RT_CASE_SEND(chans[0], &value)};

	ck_assert_int_eq(rt_select(cases, 2, RT_FOREVER), 1);
	ck_assert_int_eq(cases[1].result, -EPIPE);
	ck_assert_int_eq(rt_select(send, 2, RT_FOREVER), 0);
	ck_assert_int_eq(send[0].result, -EPIPE);
	close_chans(chans, 2);
}

/* Among those that are ready, wherever they stand: each comes about as often. */
IN_TASK(chance_is_fair)
{
	enum { CASES = 10, ROUNDS = 9000 };
	static const int ready[] = {0, 1, 7};
	struct rt_chan *chans[CASES];
	struct rt_select_case cases[CASES];
	int chosen[CASES] = {0}, value = 0;

	open_chans(chans, CASES, 1);
	for (int i = 0; i < 3; i++)
		put(chans[ready[i]], i);
	for (int i = 0; i < CASES; i++)
		cases[i] = (struct rt_select_case)RT_CASE_RECV(chans[i], &value);
	/* The same numbers in every run. */
	self_get()->random = 1;
	for (int i = 0; i < ROUNDS; i++) {
		int index = rt_select(cases, CASES, RT_FOREVER);

		ck_assert_int_ge(index, 0);
		chosen[index]++;
		put(chans[index], value);
	}
	for (int i = 0; i < 3; i++) {
		ck_assert_int_gt(chosen[ready[i]], ROUNDS / 3 - ROUNDS / 30);
		ck_assert_int_lt(chosen[ready[i]], ROUNDS / 3 + ROUNDS / 30);
	}
	close_chans(chans, CASES);
}

/* ---- Waiting ---- */

struct selecting {
	struct rt_select_case *cases;
	unsigned count;
	rt_time deadline;
	struct rt_task *task;
};

static int select_them(void *arg)
{
	struct selecting *self = arg;

	return rt_select(self->cases, self->count, self->deadline);
}

static void start_select(struct selecting *self, struct rt_select_case *cases, unsigned count,
			 rt_time deadline)
{
	*self = (struct selecting){cases, count, deadline, NULL};
	self->task = spawn_task(select_them, self);
}

IN_TASK(exactly_one_case_happens)
{
	struct rt_chan *chans[2];
	struct rt_event *event;
	struct selecting selecting;
	int in = -1, out = 6;

	open_chans(chans, 2, 0);
	ck_assert_int_eq(rt_event_create(&event), 0);
	struct rt_select_case cases[] = {
		RT_CASE_RECV(chans[0], &in),
		RT_CASE_SEND(chans[1], &out),
		RT_CASE_EVENT(event),
	};

	for (int i = 0; i < 3; i++) {
		start_select(&selecting, cases, 3, RT_FOREVER);
		await_queue(&event->waiters, 1);
		ck_assert_uint_eq(queue_length(chans[0]->receivers), 1);
		ck_assert_uint_eq(queue_length(chans[1]->senders), 1);
		if (i == 0)
			put(chans[0], 33);
		else if (i == 1)
			ck_assert_int_eq(take(chans[1]), 6);
		else
			ck_assert_int_eq(rt_event_set(event), 0);
		/* It has not run yet, and none of the others can happen any more. */
		ck_assert_int_eq(rt_chan_try_send(chans[0], &out), -EAGAIN);
		ck_assert_int_eq(rt_chan_try_recv(chans[1], &out), -EAGAIN);
		ck_assert_ptr_null(event->waiters);
		ck_assert_int_eq(join_task(selecting.task), i);
		ck_assert_int_eq(cases[i].result, 0);
	}
	ck_assert_int_eq(in, 33);
	rt_event_destroy(event);
	close_chans(chans, 2);
}

static int end_with(void *arg)
{
	rt_event_wait(arg, RT_FOREVER);
	return 55;
}

IN_TASK(a_task_that_ends)
{
	struct rt_event *event;
	struct rt_chan *chan = open_chan(0);
	struct selecting selecting;
	int value, result;

	ck_assert_int_eq(rt_event_create(&event), 0);
	struct rt_task *task = spawn_task(end_with, event);
	/* Twice the same: either may win, but only one does. */
	struct rt_select_case cases[] = {RT_CASE_RECV(chan, &value), RT_CASE_TASK(task), RT_CASE_TASK(task)};

	start_select(&selecting, cases, 3, RT_FOREVER);
	await_queue(&chan->receivers, 1);
	ck_assert_int_eq(rt_select(cases, 3, RT_NOW), -ETIMEDOUT);
	ck_assert_int_eq(rt_event_set(event), 0);
	ck_assert_int_gt(join_task(selecting.task), 0);
	ck_assert_int_gt(rt_select(cases, 3, RT_NOW), 0);
	ck_assert_int_eq(rt_join(task, &result, RT_NOW), 0);
	ck_assert_int_eq(result, 55);
	rt_event_destroy(event);
	close_chans(&chan, 1);
}

enum { VALUES = 1000 };

struct sending {
	struct rt_chan *chan;
	struct rt_task *task;
};

static int send_values(void *arg)
{
	struct sending *self = arg;

	for (int i = 0; i < VALUES; i++) {
		put(self->chan, i);
		if (i % 3 == 0)
			rt_yield();
	}
	return 0;
}

static bool taken[3][VALUES];
static int taken_count;

static int take_values(void *arg)
{
	struct rt_chan **chans = arg;
	int in[3] = {-1, -1, -1}, last[3] = {-1, -1, -1};
	struct rt_select_case cases[] = {
		RT_CASE_RECV(chans[0], &in[0]),
		RT_CASE_RECV(chans[1], &in[1]),
		RT_CASE_RECV(chans[2], &in[2]),
	};

	while (taken_count < 3 * VALUES) {
		int index = rt_select(cases, 3, rt_in(RT_MS(1)));

		if (index == -ETIMEDOUT)
			continue;
		ck_assert_int_gt(in[index], last[index]);
		ck_assert(!taken[index][in[index]]);
		taken[index][in[index]] = true;
		taken_count++;
		last[index] = in[index];
		in[index] = -1;
		ck_assert_int_eq(in[0] + in[1] + in[2], -3);
	}
	return 0;
}

/* Two that select take from three that send: of each, everything comes once. */
IN_TASK(losers_lose_nothing)
{
	struct rt_chan *chans[3];
	struct sending sending[3];
	struct rt_task *takers[2];

	open_chans(chans, 3, 0);
	for (int i = 0; i < 3; i++) {
		sending[i].chan = chans[i];
		sending[i].task = spawn_task(send_values, &sending[i]);
	}
	for (int i = 0; i < 2; i++)
		takers[i] = spawn_task(take_values, chans);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(join_task(sending[i].task), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(join_task(takers[i]), 0);
	ck_assert_int_eq(taken_count, 3 * VALUES);
	close_chans(chans, 3);
}

/* ---- Leaving ---- */

IN_TASK(leaving_takes_all_cases_out)
{
	struct rt_chan *chans[3];
	struct selecting selecting;
	int in = -1, out = 1;

	open_chans(chans, 3, 0);
	struct rt_select_case cases[] = {
		RT_CASE_RECV(chans[0], &in),
		RT_CASE_SEND(chans[1], &out),
		RT_CASE_TASK(rt_task_current()),
		RT_CASE_RECV(chans[2], &in),
	};

	start_select(&selecting, cases, 4, RT_FOREVER);
	await_queue(&chans[2]->receivers, 1);
	rt_cancel(selecting.task);
	ck_assert_int_eq(join_task(selecting.task), -ECANCELED);
	start_select(&selecting, cases, 4, rt_in(RT_MS(1)));
	ck_assert_int_eq(join_task(selecting.task), -ETIMEDOUT);
	ck_assert_ptr_null(rt_task_current()->joiners);
	ck_assert_int_eq(rt_chan_try_send(chans[0], &out), -EAGAIN);
	ck_assert_int_eq(rt_chan_try_recv(chans[1], &in), -EAGAIN);
	ck_assert_int_eq(in, -1);
	close_chans(chans, 3);
}

IN_TASK(what_has_happened_beats_leaving)
{
	struct rt_chan *chans[2];
	struct selecting selecting;
	int in = -1;

	open_chans(chans, 2, 0);
	struct rt_select_case cases[] = {RT_CASE_RECV(chans[0], &in), RT_CASE_RECV(chans[1], &in)};

	start_select(&selecting, cases, 2, RT_FOREVER);
	await_queue(&chans[1]->receivers, 1);
	put(chans[1], 8);
	rt_cancel(selecting.task);
	ck_assert_int_eq(join_task(selecting.task), 1);
	ck_assert_int_eq(in, 8);
	close_chans(chans, 2);
}

/* The memory of the cases' sources is gone before the task runs. */
IN_TASK(destroying_what_is_waited_for)
{
	struct rt_chan *chans[2];
	struct rt_event *event;
	struct selecting selecting;
	int in;

	open_chans(chans, 2, 0);
	ck_assert_int_eq(rt_event_create(&event), 0);
	struct rt_select_case cases[] = {
		RT_CASE_RECV(chans[0], &in),
		RT_CASE_RECV(chans[1], &in),
		RT_CASE_EVENT(event),
	};

	start_select(&selecting, cases, 3, RT_FOREVER);
	await_queue(&event->waiters, 1);
	rt_chan_destroy(chans[1]);
	rt_chan_destroy(chans[0]);
	rt_event_destroy(event);
	ck_assert_int_eq(join_task(selecting.task), 1);
	ck_assert_int_eq(cases[1].result, -EPIPE);
}

/* ---- One channel in several cases ---- */

IN_TASK(a_select_does_not_meet_itself)
{
	struct rt_chan *chan = open_chan(0);
	int in = -1, out = 3, other_in = -1, other_out = 4;
	struct rt_select_case cases[] = {RT_CASE_SEND(chan, &out), RT_CASE_RECV(chan, &in)};
	struct rt_select_case other[] = {RT_CASE_SEND(chan, &other_out), RT_CASE_RECV(chan, &other_in)};
	struct selecting selecting;

	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(rt_select(cases, 2, RT_NOW), -ETIMEDOUT);
		start_select(&selecting, cases, 2, RT_FOREVER);
		await_queue(&chan->senders, 1);
		ck_assert_uint_eq(queue_length(chan->receivers), 1);
		in = other_in = -1;
		/* Two such meet, one way or the other. */
		int mine = rt_select(other, 2, RT_FOREVER), its = join_task(selecting.task);

		ck_assert_int_eq(mine, 1 - its);
		ck_assert_int_eq(other_in, mine == 1 ? 3 : -1);
		ck_assert_int_eq(in, its == 1 ? 4 : -1);
	}
	close_chans(&chan, 1);
}

IN_TASK(the_same_case_twice_happens_once)
{
	struct rt_chan *chan = open_chan(0);
	int in[2] = {-1, -1};
	struct rt_select_case cases[] = {RT_CASE_RECV(chan, &in[0]), RT_CASE_RECV(chan, &in[1])};
	struct selecting selecting;

	start_select(&selecting, cases, 2, RT_FOREVER);
	await_queue(&chan->receivers, 2);
	put(chan, 5);
	ck_assert_int_eq(rt_chan_try_send(chan, &(int){6}), -EAGAIN);
	int index = join_task(selecting.task);

	ck_assert_int_eq(in[index], 5);
	ck_assert_int_eq(in[1 - index], -1);
	close_chans(&chan, 1);
}

/* ---- Many, none, wrong ones ---- */

IN_TASK(more_cases_than_find_room_on_the_stack)
{
	enum { CASES = 1000 };
	static struct rt_chan *chans[CASES];
	static struct rt_select_case cases[CASES];
	struct selecting selecting;
	int in = -1;

	open_chans(chans, CASES, 0);
	for (int i = 0; i < CASES; i++)
		cases[i] = (struct rt_select_case)RT_CASE_RECV(chans[i], &in);
	for (int i = 0; i < CASES; i += 333) {
		start_select(&selecting, cases, CASES, RT_FOREVER);
		await_queue(&chans[CASES - 1]->receivers, 1);
		put(chans[i], i);
		ck_assert_int_eq(join_task(selecting.task), i);
		ck_assert_int_eq(in, i);
	}
	close_chans(chans, CASES);
}

IN_TASK(no_cases_at_all)
{
	rt_time deadline = rt_in(RT_MS(2));

	ck_assert_int_eq(rt_select(NULL, 0, RT_FOREVER), -EINVAL);
	ck_assert_int_eq(rt_select(NULL, 0, RT_NOW), -ETIMEDOUT);
	ck_assert_int_eq(rt_select(NULL, 0, deadline), -ETIMEDOUT);
	ck_assert_int_ge(rt_now(), deadline);
}

/* The others must not have been tried. */
IN_TASK(wrong_cases)
{
	struct rt_chan *chan = open_chan(1);
	int value = 1;
	struct rt_select_case wrong[] = {
		RT_CASE_SEND(NULL, &value),
		RT_CASE_RECV(NULL, &value),
		RT_CASE_TASK(NULL),
		RT_CASE_EVENT(NULL),
		RT_CASE_SEND(chan, NULL),
		RT_CASE_RECV(chan, NULL),
		{.what = 77},
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct rt_select_case cases[] = {RT_CASE_SEND(chan, &value), wrong[i]};

		ck_assert_int_eq(rt_select(cases, 2, RT_FOREVER), -EINVAL);
	}
	struct rt_select_case self[] = {RT_CASE_SEND(chan, &value), RT_CASE_TASK(rt_task_current())};

	ck_assert_int_eq(rt_select(self, 2, RT_FOREVER), -EDEADLK);
	ck_assert_int_eq(rt_select(NULL, 1, RT_FOREVER), -EINVAL);
	ck_assert_uint_eq(rt_chan_count(chan), 0);
	rt_chan_destroy(chan);
}

START_TEST(outside_of_a_task)
{
	struct rt_chan *chan = open_chan(1);
	int value = 1;
	struct rt_select_case cases[] = {RT_CASE_SEND(chan, &value)};

	ck_assert_int_eq(rt_select(cases, 1, RT_NOW), -EPERM);
	ck_assert_uint_eq(rt_chan_count(chan), 0);
	rt_chan_destroy(chan);
}
END_TEST

static int select_what_is_ready(void *arg)
{
	struct rt_event *event = arg;
	struct rt_select_case cases[] = {RT_CASE_EVENT(event), RT_CASE_EVENT(event)};

	return rt_select(cases, 2, RT_FOREVER) < 0;
}

IN_TASK(whoever_need_not_wait_gives_way)
{
	struct rt_event *event;

	ck_assert_int_eq(rt_event_create(&event), 0);
	rt_event_set(event);
	check_giving_way(select_what_is_ready, event);
	rt_event_destroy(event);
}

int main(void)
{
	Suite *suite = suite_create("select");
	TCase *tcase = tcase_create("select");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, the_case_that_is_ready_is_chosen);
	tcase_add_test(tcase, a_closed_channel_is_ready);
	tcase_add_test(tcase, chance_is_fair);
	tcase_add_test(tcase, exactly_one_case_happens);
	tcase_add_test(tcase, a_task_that_ends);
	tcase_add_test(tcase, losers_lose_nothing);
	tcase_add_test(tcase, leaving_takes_all_cases_out);
	tcase_add_test(tcase, what_has_happened_beats_leaving);
	tcase_add_test(tcase, destroying_what_is_waited_for);
	tcase_add_test(tcase, a_select_does_not_meet_itself);
	tcase_add_test(tcase, the_same_case_twice_happens_once);
	tcase_add_test(tcase, more_cases_than_find_room_on_the_stack);
	tcase_add_test(tcase, no_cases_at_all);
	tcase_add_test(tcase, wrong_cases);
	tcase_add_test(tcase, outside_of_a_task);
	tcase_add_test(tcase, whoever_need_not_wait_gives_way);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
