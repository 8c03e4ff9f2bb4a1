/* SPDX-License-Identifier: MIT */
/* Channels: order, room, closing, leaving, what is handed over. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/suite.h"
#include "support/waiters.h"
#include "sync/chan.h"

enum { MANY = 10000 };

static struct rt_chan *open_chan(size_t capacity)
{
	struct rt_chan *chan;

	ck_assert_int_eq(rt_chan_create(&chan, sizeof(int), capacity), 0);
	ck_assert_uint_eq(rt_chan_capacity(chan), capacity);
	/* Fit for elements of every type. */
	ck_assert_uint_eq((uintptr_t)chan->elements % _Alignof(max_align_t), 0);
	ck_assert_uint_eq(rt_chan_count(chan), 0);
	return chan;
}

static void send_one(struct rt_chan *chan, int value)
{
	ck_assert_int_eq(rt_chan_send(chan, &value, RT_FOREVER), 0);
}

static int recv_one(struct rt_chan *chan)
{
	int value = -1;

	ck_assert_int_eq(rt_chan_recv(chan, &value, RT_FOREVER), 0);
	return value;
}

/* ---- Order ---- */

static int send_a_hundred(void *arg)
{
	for (int i = 0; i < 100; i++)
		send_one(arg, i);
	return rt_chan_close(arg);
}

static int pass_a_hundred(void *arg)
{
	struct rt_chan *chan = open_chan(*(size_t *)arg);
	struct rt_task *sender = spawn_task(send_a_hundred, chan);
	int value;

	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(recv_one(chan), i);
		if (i % 7 == 0)
			rt_yield();
	}
	ck_assert_int_eq(rt_chan_recv(chan, &value, RT_FOREVER), -EPIPE);
	ck_assert_int_eq(join_task(sender), 0);
	rt_chan_destroy(chan);
	return 0;
}

/* The loop's index: the capacity. */
START_TEST(elements_come_in_order)
{
	size_t capacity = (size_t)_i;

	ck_assert_int_eq(rt_run(&rt_native, NULL, pass_a_hundred, &capacity, NULL), 0);
}
END_TEST

struct numbered {
	struct rt_chan *chan;
	int value;
	struct rt_task *task;
};

static struct numbered numbered[MANY];

static void spawn_numbered(rt_task_fn *fn, struct rt_chan *chan, int count)
{
	for (int i = 0; i < count; i++) {
		numbered[i] = (struct numbered){chan, i, NULL};
		numbered[i].task = spawn_task(fn, &numbered[i]);
	}
}

static int send_number(void *arg)
{
	struct numbered *self = arg;

	return rt_chan_send(self->chan, &self->value, RT_FOREVER);
}

IN_TASK(many_senders_are_served_in_order)
{
	struct rt_chan *chan = open_chan(0);
	int count = scaled(MANY, 10);

	spawn_numbered(send_number, chan, count);
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(recv_one(chan), i);
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(join_task(numbered[i].task), 0);
	rt_chan_destroy(chan);
}

static int recv_number(void *arg)
{
	struct numbered *self = arg;

	ck_assert_int_eq(recv_one(self->chan), self->value);
	return 0;
}

IN_TASK(many_receivers_are_served_in_order)
{
	struct rt_chan *chan = open_chan(0);
	int count = scaled(MANY, 10);

	spawn_numbered(recv_number, chan, count);
	for (int i = 0; i < count; i++)
		send_one(chan, i);
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(join_task(numbered[i].task), 0);
	rt_chan_destroy(chan);
}

/* The room that a receiver makes belongs to who waits for it, not to who comes by. */
IN_TASK(nobody_overtakes_a_waiting_sender)
{
	struct rt_chan *chan = open_chan(1);
	int value = 7;

	send_one(chan, 5);
	spawn_numbered(send_number, chan, 1);
	await_queue(&chan->senders, 1);
	ck_assert_int_eq(recv_one(chan), 5);
	ck_assert_int_eq(rt_chan_try_send(chan, &value), -EAGAIN);
	ck_assert_int_eq(recv_one(chan), 0);
	ck_assert_int_eq(join_task(numbered[0].task), 0);
	rt_chan_destroy(chan);
}

/* ---- Room ---- */

IN_TASK(a_buffer_takes_as_many_as_it_can_hold)
{
	struct rt_chan *chan = open_chan(3);
	int value = 9;

	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 3; i++) {
			ck_assert_int_eq(rt_chan_try_send(chan, &(int){10 * round + i}), 0);
			ck_assert_uint_eq(rt_chan_count(chan), (size_t)i + 1);
		}
		ck_assert_int_eq(rt_chan_try_send(chan, &value), -EAGAIN);
		ck_assert_int_eq(rt_chan_send(chan, &value, RT_NOW), -ETIMEDOUT);
		for (int i = 0; i < 3; i++)
			ck_assert_int_eq(recv_one(chan), 10 * round + i);
		ck_assert_int_eq(rt_chan_try_recv(chan, &value), -EAGAIN);
		ck_assert_int_eq(rt_chan_recv(chan, &value, RT_NOW), -ETIMEDOUT);
		/* Start the next round in the middle of the circle. */
		send_one(chan, 1);
		ck_assert_int_eq(recv_one(chan), 1);
	}
	ck_assert_int_eq(value, 9);
	rt_chan_destroy(chan);
}

IN_TASK(a_try_at_a_rendezvous_needs_a_partner)
{
	struct rt_chan *chan = open_chan(0);
	int value = 1;

	ck_assert_int_eq(rt_chan_try_send(chan, &value), -EAGAIN);
	ck_assert_int_eq(rt_chan_try_recv(chan, &value), -EAGAIN);
	spawn_numbered(recv_number, chan, 1);
	await_queue(&chan->receivers, 1);
	ck_assert_int_eq(rt_chan_try_send(chan, &(int){0}), 0);
	ck_assert_int_eq(rt_chan_try_send(chan, &value), -EAGAIN);
	join_task(numbered[0].task);
	rt_chan_destroy(chan);
}

static int recv_signals(void *arg)
{
	int count = 0;

	while (rt_chan_recv(arg, NULL, RT_FOREVER) == 0)
		count++;
	return count;
}

/* The loop's index: the capacity. */
static int pass_signals(void *arg)
{
	struct rt_chan *chan;

	ck_assert_int_eq(rt_chan_create(&chan, 0, *(size_t *)arg), 0);
	struct rt_task *receiver = spawn_task(recv_signals, chan);

	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(rt_chan_send(chan, NULL, RT_FOREVER), 0);
	ck_assert_int_eq(rt_chan_close(chan), 0);
	ck_assert_int_eq(join_task(receiver), 10);
	rt_chan_destroy(chan);
	return 0;
}

START_TEST(signals_carry_nothing)
{
	size_t capacity = (size_t)_i;

	ck_assert_int_eq(rt_run(&rt_native, NULL, pass_signals, &capacity, NULL), 0);
}
END_TEST

/* ---- The end ---- */

IN_TASK(a_closed_channel_is_drained)
{
	struct rt_chan *chan = open_chan(2);
	int value = 3;

	send_one(chan, 1);
	send_one(chan, 2);
	ck_assert_int_eq(rt_chan_close(chan), 0);
	ck_assert_int_eq(rt_chan_close(chan), -EALREADY);
	ck_assert_int_eq(rt_chan_send(chan, &value, RT_FOREVER), -EPIPE);
	ck_assert_int_eq(rt_chan_try_send(chan, &value), -EPIPE);
	ck_assert_int_eq(recv_one(chan), 1);
	ck_assert_int_eq(rt_chan_try_recv(chan, &value), 0);
	ck_assert_int_eq(value, 2);
	ck_assert_int_eq(rt_chan_recv(chan, &value, RT_FOREVER), -EPIPE);
	ck_assert_int_eq(rt_chan_try_recv(chan, &value), -EPIPE);
	rt_chan_destroy(chan);
}

IN_TASK(closing_wakes_senders_and_keeps_what_was_sent)
{
	struct rt_chan *chan = open_chan(1);
	int value;

	send_one(chan, 77);
	spawn_numbered(send_number, chan, 3);
	await_queue(&chan->senders, 3);
	ck_assert_int_eq(rt_chan_close(chan), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(join_task(numbered[i].task), -EPIPE);
	ck_assert_int_eq(recv_one(chan), 77);
	ck_assert_int_eq(rt_chan_recv(chan, &value, RT_FOREVER), -EPIPE);
	rt_chan_destroy(chan);
}

static int wait_send(void *source, rt_time deadline)
{
	return rt_chan_send(source, &(int){42}, deadline);
}

static int wait_recv(void *source, rt_time deadline)
{
	int value = 0;
	int err = rt_chan_recv(source, &value, deadline);

	ck_assert_int_eq(value, err == 0 ? 42 : 0);
	return err;
}

IN_TASK(closing_wakes_receivers)
{
	struct rt_chan *chan = open_chan(1);
	struct waiting waiting[3];

	for (int i = 0; i < 3; i++)
		start_wait(&waiting[i], wait_recv, chan, RT_FOREVER);
	await_queue(&chan->receivers, 3);
	ck_assert_int_eq(rt_chan_close(chan), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(join_task(waiting[i].task), -EPIPE);
	rt_chan_destroy(chan);
}

static void destroy(void *source)
{
	rt_chan_destroy(source);
}

IN_TASK(destroying_wakes_both_sides)
{
	struct rt_chan *chan = open_chan(0);

	check_destroying(wait_recv, chan, &chan->receivers, destroy);
	chan = open_chan(1);
	send_one(chan, 1);
	check_destroying(wait_send, chan, &chan->senders, destroy);
}

static void note_drop(void *element, void *arg)
{
	int *dropped = arg;

	*dropped = *dropped * 10 + *(int *)element;
}

IN_TASK(what_is_left_is_dropped)
{
	struct rt_chan *chan = open_chan(3);
	int dropped = 0;

	rt_chan_set_drop(chan, note_drop, &dropped);
	for (int i = 1; i <= 3; i++)
		send_one(chan, i);
	ck_assert_int_eq(recv_one(chan), 1);
	send_one(chan, 4);
	ck_assert_int_eq(rt_chan_close(chan), 0);
	ck_assert_int_eq(dropped, 0);
	rt_chan_destroy(chan);
	ck_assert_int_eq(dropped, 234);
}

/* ---- Leaving ---- */

static void take_one(void *source)
{
	ck_assert_int_eq(recv_one(source), 42);
}

static void give_one(void *source)
{
	send_one(source, 42);
}

static int leave_sending(void *arg)
{
	struct rt_chan *chan = open_chan(1);

	send_one(chan, 42);
	check_leaving(*(int *)arg, wait_send, chan, &chan->senders, take_one);
	/* What the leaver would have sent is not there. */
	ck_assert_uint_eq(rt_chan_count(chan), 1);
	rt_chan_destroy(chan);
	return 0;
}

START_TEST(a_sender_leaves)
{
	ck_assert_int_eq(rt_run(&rt_native, NULL, leave_sending, &_i, NULL), 0);
}
END_TEST

static int leave_receiving(void *arg)
{
	struct rt_chan *chan = open_chan(0);

	check_leaving(*(int *)arg, wait_recv, chan, &chan->receivers, give_one);
	rt_chan_destroy(chan);
	return 0;
}

START_TEST(a_receiver_leaves)
{
	ck_assert_int_eq(rt_run(&rt_native, NULL, leave_receiving, &_i, NULL), 0);
}
END_TEST

IN_TASK(what_was_handed_over_beats_leaving)
{
	struct rt_chan *chan = open_chan(0);

	check_served_beats_leaving(wait_recv, chan, &chan->receivers, give_one);
	check_served_beats_leaving(wait_send, chan, &chan->senders, take_one);
	rt_chan_destroy(chan);
}

/* ---- Giving way ---- */

static int send_and_recv(void *chan)
{
	send_one(chan, 1);
	return recv_one(chan) - 1;
}

IN_TASK(whoever_need_not_wait_gives_way)
{
	struct rt_chan *chan = open_chan(1);

	check_giving_way(send_and_recv, chan);
	rt_chan_close(chan);
	rt_chan_destroy(chan);
}

static int send_until_it_fails(void *arg)
{
	int sent = 0, err;

	while ((err = rt_chan_send(arg, &sent, RT_FOREVER)) == 0)
		sent++;
	ck_assert_int_eq(err, -ECANCELED);
	return sent;
}

/* The cancellation comes while the sender gives way, after an element was sent. */
IN_TASK(giving_way_loses_nothing)
{
	struct rt_chan *chan = open_chan(1000);
	struct rt_task *sender = spawn_task(send_until_it_fails, chan);

	ck_assert_int_eq(rt_yield(), 0);
	ck_assert_uint_gt(rt_chan_count(chan), 0);
	ck_assert_uint_lt(rt_chan_count(chan), 1000);
	rt_cancel(sender);
	ck_assert_int_eq(join_task(sender), 1000);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(recv_one(chan), i);
	rt_chan_destroy(chan);
}

/* ---- Misuse ---- */

static int wait_for_ever(void *arg)
{
	return rt_chan_recv(arg, &(int){0}, RT_FOREVER);
}

START_TEST(a_deadlock_is_noticed)
{
	struct rt_chan *chan = open_chan(0);

	ck_assert_int_eq(rt_run(&rt_native, NULL, wait_for_ever, chan, NULL), -EDEADLK);
	ck_assert_ptr_null(chan->receivers);
	rt_chan_destroy(chan);
}
END_TEST

START_TEST(outside_of_a_task)
{
	struct rt_chan *chan = open_chan(1);
	int value = 5;

	ck_assert_int_eq(rt_chan_send(chan, &value, RT_NOW), -EPERM);
	ck_assert_int_eq(rt_chan_recv(chan, &value, RT_NOW), -EPERM);
	ck_assert_int_eq(rt_chan_try_send(chan, &value), 0);
	value = 0;
	ck_assert_int_eq(rt_chan_try_recv(chan, &value), 0);
	ck_assert_int_eq(value, 5);
	rt_chan_destroy(chan);
}
END_TEST

IN_TASK(wrong_arguments)
{
	struct rt_chan *chan;

	ck_assert_int_eq(rt_chan_create(NULL, 1, 1), -EINVAL);
	ck_assert_int_eq(rt_chan_create(&chan, SIZE_MAX, 2), -ENOMEM);
	ck_assert_ptr_null(chan);
	ck_assert_int_eq(rt_chan_create(&chan, SIZE_MAX, 1), -ENOMEM);
	ck_assert_int_eq(rt_chan_send(NULL, "", RT_FOREVER), -EINVAL);
	ck_assert_int_eq(rt_chan_recv(NULL, &chan, RT_FOREVER), -EINVAL);
	ck_assert_int_eq(rt_chan_try_send(NULL, ""), -EINVAL);
	ck_assert_int_eq(rt_chan_try_recv(NULL, &chan), -EINVAL);
	ck_assert_int_eq(rt_chan_close(NULL), -EINVAL);
	ck_assert_uint_eq(rt_chan_count(NULL), 0);
	ck_assert_uint_eq(rt_chan_capacity(NULL), 0);
	rt_chan_set_drop(NULL, note_drop, NULL);
	rt_chan_destroy(NULL);
	chan = open_chan(1);
	ck_assert_int_eq(rt_chan_send(chan, NULL, RT_FOREVER), -EINVAL);
	ck_assert_int_eq(rt_chan_recv(chan, NULL, RT_FOREVER), -EINVAL);
	ck_assert_int_eq(rt_chan_try_send(chan, NULL), -EINVAL);
	ck_assert_int_eq(rt_chan_try_recv(chan, NULL), -EINVAL);
	rt_chan_destroy(chan);
}

int main(void)
{
	Suite *suite = suite_create("chan");
	TCase *tcase = tcase_create("chan");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, elements_come_in_order, 0, 5);
	tcase_add_test(tcase, many_senders_are_served_in_order);
	tcase_add_test(tcase, many_receivers_are_served_in_order);
	tcase_add_test(tcase, nobody_overtakes_a_waiting_sender);
	tcase_add_test(tcase, a_buffer_takes_as_many_as_it_can_hold);
	tcase_add_test(tcase, a_try_at_a_rendezvous_needs_a_partner);
	tcase_add_loop_test(tcase, signals_carry_nothing, 0, 3);
	tcase_add_test(tcase, a_closed_channel_is_drained);
	tcase_add_test(tcase, closing_wakes_senders_and_keeps_what_was_sent);
	tcase_add_test(tcase, closing_wakes_receivers);
	tcase_add_test(tcase, destroying_wakes_both_sides);
	tcase_add_test(tcase, what_is_left_is_dropped);
	tcase_add_loop_test(tcase, a_sender_leaves, 0, WAYS_TO_LEAVE);
	tcase_add_loop_test(tcase, a_receiver_leaves, 0, WAYS_TO_LEAVE);
	tcase_add_test(tcase, what_was_handed_over_beats_leaving);
	tcase_add_test(tcase, whoever_need_not_wait_gives_way);
	tcase_add_test(tcase, giving_way_loses_nothing);
	tcase_add_test(tcase, a_deadlock_is_noticed);
	tcase_add_test(tcase, outside_of_a_task);
	tcase_add_test(tcase, wrong_arguments);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
