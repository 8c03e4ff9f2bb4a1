/* SPDX-License-Identifier: MIT */
/* Programs that hold under every schedule; see fault_programs.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "unit/fault_programs.h"

#include "task/task.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* Not an assertion of Check's: the process ends here, whichever task it is in. */
static void expect(bool holds, const char *what, int line)
{
	if (holds)
		return;
	fprintf(stderr, "%s:%d: expected %s\n", __FILE__, line, what);
	_exit(PROGRAM_FAILED);
}

#define EXPECT(condition) expect((condition), #condition, __LINE__)

/* ---- What the programs are made of ---- */

static const rt_time moment = RT_MS(10); /* at which several things happen, in an order that chance decides */

static rt_time start; /* of the program */

static struct rt_task *spawn(rt_task_fn *fn, void *arg)
{
	struct rt_task *task = rt_spawn(fn, arg);

	EXPECT(task);
	return task;
}

static int join(struct rt_task *task)
{
	int result;

	EXPECT(rt_join(task, &result, RT_FOREVER) == 0);
	return result;
}

/* What still refers to a wait that is over meets another one. */
static void go_on(void)
{
	rt_time until = rt_in(RT_MS(1 + self_choose(20)));

	for (unsigned turns = self_choose(4); turns > 0; turns--)
		rt_yield();
	EXPECT(rt_sleep_until(until) == -ECANCELED || rt_now() >= until);
}

static rt_time maybe_moment(void)
{
	return self_choose(2) ? start + moment : RT_FOREVER;
}

/* ---- State word: waking tasks that run, are scheduled, or wait ---- */

static int take_turns(void *arg)
{
	for (int i = 0; i < 5; i++) {
		EXPECT(rt_yield() == 0);
		++*(int *)arg;
	}
	return 7;
}

static int turns(void *arg)
{
	struct rt_task *tasks[4];
	int count = 0;

	(void)arg;
	for (int i = 0; i < 4; i++)
		tasks[i] = spawn(take_turns, &count);
	for (int i = 0; i < 4; i++)
		EXPECT(join(tasks[i]) == 7);
	EXPECT(count == 20);
	return 0;
}

static struct rt_semaphore *semaphore;
static int held, most_held;

/* At one moment a permit is there, the deadline passes, and somebody cancels. */
static int acquire_in_time(void *arg)
{
	int err = rt_semaphore_acquire(semaphore, *(rt_time *)arg);

	EXPECT(err == 0 || err == -ETIMEDOUT || err == -ECANCELED);
	if (err == 0)
		held++;
	go_on();
	return err;
}

static int release_at_moment(void *arg)
{
	(void)arg;
	rt_sleep_until(start + moment);
	EXPECT(rt_semaphore_release(semaphore) == 0);
	return 0;
}

static int cancel_at_moment(void *arg)
{
	rt_sleep_until(start + moment);
	rt_cancel(arg);
	return 0;
}

enum { MEETING = 3 };

static int collisions(void *arg)
{
	struct rt_task *tasks[MEETING], *releasers[MEETING], *canceller;
	rt_time deadline = start + moment;
	int got = 0;

	(void)arg;
	held = 0;
	EXPECT(rt_semaphore_create(&semaphore, MEETING) == 0);
	for (int i = 0; i < MEETING; i++)
		EXPECT(rt_semaphore_try_acquire(semaphore) == 0);
	for (int i = 0; i < MEETING; i++) {
		tasks[i] = spawn(acquire_in_time, &deadline);
		releasers[i] = spawn(release_at_moment, NULL);
	}
	canceller = spawn(cancel_at_moment, tasks[1]);
	for (int i = 0; i < MEETING; i++) {
		got += join(tasks[i]) == 0;
		join(releasers[i]);
	}
	join(canceller);
	EXPECT(got == held);
	EXPECT(rt_semaphore_permits(semaphore) == (size_t)(MEETING - got));
	rt_semaphore_destroy(semaphore);
	return 0;
}

/* ---- Run queue ---- */

static int branch(void *arg)
{
	int depth = *(int *)arg - 1;
	struct rt_task *left, *right;

	if (depth < 0)
		return 1;
	left = spawn(branch, &depth);
	if (self_choose(2))
		rt_yield();
	right = spawn(branch, &depth);
	return 1 + join(right) + join(left);
}

static int crowd(void *arg)
{
	int depth = 4;

	(void)arg;
	EXPECT(branch(&depth) == 31);
	return 0;
}

/* ---- Wait queue ---- */

static int leave_or_get(void *arg)
{
	rt_time deadline = maybe_moment();
	int err = rt_semaphore_acquire(semaphore, deadline);

	(void)arg;
	EXPECT(err == 0 || (err == -ETIMEDOUT && deadline != RT_FOREVER));
	go_on();
	return err;
}

enum { QUEUED = 5 };

/* Some leave the queue, from any place; each of the others gets a permit. */
static int queues(void *arg)
{
	struct rt_task *tasks[QUEUED];
	int got = 0;

	(void)arg;
	EXPECT(rt_semaphore_create(&semaphore, QUEUED) == 0);
	for (int i = 0; i < QUEUED; i++)
		EXPECT(rt_semaphore_try_acquire(semaphore) == 0);
	for (int i = 0; i < QUEUED; i++)
		tasks[i] = spawn(leave_or_get, NULL);
	rt_sleep_until(start + 2 * moment);
	for (int i = 0; i < QUEUED; i++)
		EXPECT(rt_semaphore_release(semaphore) == 0);
	for (int i = 0; i < QUEUED; i++)
		got += join(tasks[i]) == 0;
	EXPECT(rt_semaphore_permits(semaphore) == (size_t)(QUEUED - got));
	rt_semaphore_destroy(semaphore);
	return 0;
}

static struct rt_chan *chans[2];

static int send_to(void *arg)
{
	int value = 1;

	return rt_chan_send(arg, &value, RT_FOREVER);
}

static int select_one(void *arg)
{
	int values[2] = {0, 0};
	struct rt_select_case cases[] = {RT_CASE_RECV(chans[0], &values[0]),
					 RT_CASE_RECV(chans[1], &values[1])};
	int chosen = rt_select(cases, 2, RT_FOREVER);

	(void)arg;
	EXPECT(chosen == 0 || chosen == 1);
	EXPECT(cases[chosen].result == 0 && values[chosen] == 1 && values[1 - chosen] == 0);
	go_on();
	return chosen;
}

/* Two values come at once, on two channels, for two selects over both. */
static int selects(void *arg)
{
	struct rt_task *tasks[4];
	int sum = 0;

	(void)arg;
	for (int i = 0; i < 2; i++)
		EXPECT(rt_chan_create(&chans[i], sizeof(int), 0) == 0);
	for (int i = 0; i < 2; i++) {
		tasks[i] = spawn(select_one, NULL);
		tasks[2 + i] = spawn(send_to, chans[i]);
	}
	for (int i = 0; i < 4; i++)
		sum += join(tasks[i]);
	EXPECT(sum == 1);
	for (int i = 0; i < 2; i++)
		rt_chan_destroy(chans[i]);
	return 0;
}

/* ---- Timers ---- */

static int sleep_exactly(void *arg)
{
	rt_time deadline = start + RT_MS(1) + (rt_time)self_choose(1000);

	(void)arg;
	rt_yield();
	EXPECT(rt_sleep_until(deadline) == 0);
	EXPECT(rt_now() == deadline);
	return 0;
}

static struct rt_event *first, *second;

/* The deadline is of no interest any more once the first event has happened. */
static int be_quicker(void *arg)
{
	(void)arg;
	EXPECT(rt_event_wait(first, start + RT_MS(2)) == 0);
	EXPECT(rt_event_wait(second, RT_FOREVER) == 0);
	EXPECT(rt_now() >= start + RT_MS(4));
	return 0;
}

enum { TIMERS = 6 };

static int timers(void *arg)
{
	struct rt_task *tasks[TIMERS];

	(void)arg;
	EXPECT(rt_event_create(&first) == 0 && rt_event_create(&second) == 0);
	for (int i = 0; i < TIMERS; i++)
		tasks[i] = spawn(i < 2 ? be_quicker : sleep_exactly, NULL);
	rt_sleep(RT_MS(1));
	rt_event_set(first);
	rt_sleep(RT_MS(3));
	rt_event_set(second);
	for (int i = 0; i < TIMERS; i++)
		join(tasks[i]);
	rt_event_destroy(first);
	rt_event_destroy(second);
	return 0;
}

/* ---- Channels ---- */

static int sent, received;

static int send_some(void *arg)
{
	for (int i = 1; i <= 4; i++) {
		int err = rt_chan_send(arg, &i, i % 2 ? RT_FOREVER : maybe_moment());

		EXPECT(err == 0 || err == -ETIMEDOUT || err == -ECANCELED);
		sent += err == 0 ? i : 0;
		if (err == -ECANCELED)
			break;
	}
	return 0;
}

static int receive_all(void *arg)
{
	int value, err;

	while ((err = rt_chan_recv(arg, &value, RT_FOREVER)) == 0)
		received += value;
	EXPECT(err == -EPIPE || err == -ECANCELED);
	return 0;
}

/* What is sent is received, though a sender and a receiver are cancelled at some time. */
static void exchange(struct rt_chan *chan)
{
	struct rt_task *senders[3], *receivers[2];

	for (int i = 0; i < 3; i++)
		senders[i] = spawn(send_some, chan);
	for (int i = 0; i < 2; i++)
		receivers[i] = spawn(receive_all, chan);
	for (unsigned turns = self_choose(8); turns > 0; turns--)
		rt_yield();
	rt_cancel(senders[0]);
	rt_cancel(receivers[0]);
	for (int i = 0; i < 3; i++)
		join(senders[i]);
	rt_chan_close(chan);
	for (int i = 0; i < 2; i++)
		join(receivers[i]);
}

static int channels(void *arg)
{
	struct rt_chan *chan;

	(void)arg;
	sent = received = 0;
	EXPECT(rt_chan_create(&chan, sizeof(int), self_choose(3)) == 0);
	exchange(chan);
	for (int value; rt_chan_try_recv(chan, &value) == 0;)
		received += value;
	EXPECT(sent == received);
	rt_chan_destroy(chan);
	return 0;
}

/* The one element that is received makes room for the sender who waits. */
static int room(void *arg)
{
	struct rt_chan *chan;
	int value = 1;

	(void)arg;
	EXPECT(rt_chan_create(&chan, sizeof(int), 1) == 0);
	EXPECT(rt_chan_send(chan, &value, RT_FOREVER) == 0);
	struct rt_task *sender = spawn(send_to, chan);

	for (unsigned turns = self_choose(4); turns > 0; turns--)
		rt_yield();
	EXPECT(rt_chan_recv(chan, &value, RT_FOREVER) == 0);
	EXPECT(join(sender) == 0);
	rt_chan_destroy(chan);
	return 0;
}

/* ---- Semaphores ---- */

enum { PERMITS = 2, HOLDERS = 5 };

static int hold(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++) {
		int err = rt_semaphore_acquire(semaphore, maybe_moment());

		EXPECT(err == 0 || err == -ETIMEDOUT || err == -ECANCELED);
		if (err < 0)
			break;
		if (++held > most_held)
			most_held = held;
		rt_sleep(RT_MS(self_choose(6)));
		held--;
		EXPECT(rt_semaphore_release(semaphore) == 0);
	}
	return 0;
}

static int semaphores(void *arg)
{
	struct rt_task *tasks[HOLDERS];

	(void)arg;
	held = most_held = 0;
	EXPECT(rt_semaphore_create(&semaphore, PERMITS) == 0);
	for (int i = 0; i < HOLDERS; i++)
		tasks[i] = spawn(hold, NULL);
	for (unsigned naps = self_choose(8); naps > 0; naps--)
		rt_sleep(RT_MS(2));
	rt_cancel(tasks[0]);
	for (int i = 0; i < HOLDERS; i++)
		join(tasks[i]);
	EXPECT(most_held <= PERMITS);
	EXPECT(rt_semaphore_permits(semaphore) == PERMITS);
	rt_semaphore_destroy(semaphore);
	return 0;
}

/* ---- Events ---- */

static int wait_for_event(void *arg)
{
	EXPECT(rt_event_wait(arg, RT_FOREVER) == 0);
	return 0;
}

static int events(void *arg)
{
	struct rt_event *event;
	struct rt_task *tasks[4];

	(void)arg;
	EXPECT(rt_event_create(&event) == 0);
	for (int i = 0; i < 4; i++)
		tasks[i] = spawn(wait_for_event, event);
	for (unsigned turns = self_choose(8); turns > 0; turns--)
		rt_yield();
	rt_event_set(event);
	for (int i = 0; i < 4; i++)
		join(tasks[i]);
	rt_event_destroy(event);
	return 0;
}

/* ---- Joins: some give up at the moment at which the task ends ---- */

static int end_at_moment(void *arg)
{
	(void)arg;
	rt_sleep_until(start + moment);
	return 5;
}

/* As rt_join(), but leaves the handle to its owner, so that there may be many. */
static int join_in_time(void *arg)
{
	struct rt_task *self = rt_task_current();
	rt_time deadline = self_choose(3) ? maybe_moment() : start + RT_MS(2);

	EXPECT(task_await(self, arg) == 0);
	int err = task_suspend(self, deadline);

	EXPECT(err == 0 || (err == -ETIMEDOUT && deadline != RT_FOREVER));
	go_on();
	return 0;
}

static int joins(void *arg)
{
	struct rt_task *joiners[4], *target = spawn(end_at_moment, NULL);

	(void)arg;
	for (int i = 0; i < 4; i++)
		joiners[i] = spawn(join_in_time, target);
	for (int i = 0; i < 4; i++)
		EXPECT(join(joiners[i]) == 0);
	EXPECT(join(target) == 5);
	return 0;
}

/* ---- Cancelling: whatever a task waits for, it hears of it ---- */

static struct rt_event *never;

static int wait_somehow(void *arg)
{
	int err;

	(void)arg;
	switch (self_choose(3)) {
	case 0:
		err = rt_sleep_until(RT_FOREVER);
		break;
	case 1:
		err = rt_event_wait(never, RT_FOREVER);
		break;
	default:
		while ((err = rt_yield()) == 0)
			rt_sleep(RT_MS(self_choose(3)));
	}
	EXPECT(err == -ECANCELED);
	EXPECT(rt_yield() == -ECANCELED);
	return 6;
}

static void cancel_tasks(void)
{
	struct rt_task *tasks[3];

	for (int i = 0; i < 3; i++)
		tasks[i] = spawn(wait_somehow, NULL);
	for (int i = 0; i < 3; i++) {
		if (self_choose(2))
			rt_yield();
		rt_cancel(tasks[i]);
	}
	for (int i = 0; i < 3; i++)
		EXPECT(join(tasks[i]) == 6);
}

static void cancel_scope(void)
{
	struct rt_scope scope;

	rt_scope_enter(&scope, maybe_moment());
	for (int i = 0; i < 3; i++)
		EXPECT(rt_scope_spawn(&scope, wait_somehow, NULL));
	if (self_choose(2))
		rt_yield();
	rt_scope_cancel(&scope);
	rt_scope_leave(&scope);
}

static int cancels(void *arg)
{
	(void)arg;
	EXPECT(rt_event_create(&never) == 0);
	cancel_tasks();
	cancel_scope();
	rt_event_destroy(never);
	return 0;
}

/* ---- The programs ---- */

/* Each by its main task, and with the faults that it must find. */
static const struct program {
	const char *name;
	rt_task_fn *fn;
	enum fault faults[3];
} programs[] = {
	{"turns", turns, {FAULT_wake_forgotten, FAULT_wake_hasty}},
	{"collisions", collisions, {FAULT_wake_repeated}},
	{"crowd", crowd, {FAULT_queue_tail, FAULT_queue_skip}},
	{"queues", queues, {FAULT_ring_cut, FAULT_wait_stays}},
	{"selects", selects, {FAULT_select_stays}},
	{"timers", timers, {FAULT_timer_stays, FAULT_timer_early, FAULT_timer_order}},
	{"channels", channels, {FAULT_value_lost}},
	{"room", room, {FAULT_room_kept}},
	{"semaphores", semaphores, {FAULT_permit_lost, FAULT_permit_doubled}},
	{"events", events, {FAULT_event_one}},
	{"joins", joins, {FAULT_join_one, FAULT_join_stays}},
	{"cancels", cancels, {FAULT_cancel_unheard, FAULT_cancel_one}},
};

_Static_assert(sizeof programs / sizeof *programs == PROGRAM_COUNT, "PROGRAM_COUNT");

static int begin(void *program)
{
	start = rt_now();
	return (*(rt_task_fn **)program)(NULL);
}

void program_run(unsigned index, uint64_t seed)
{
	const struct rt_runtime_options options = {.clock = RT_CLOCK_VIRTUAL, .seed = seed};
	rt_task_fn *fn = programs[index].fn;

	EXPECT(rt_run(&rt_native, &options, begin, &fn, "main") == 0);
}

const char *program_name(unsigned index)
{
	return programs[index].name;
}

unsigned program_for(enum fault fault)
{
	for (unsigned i = 0; i < PROGRAM_COUNT; i++) {
		for (unsigned j = 0; j < 3; j++) {
			if (programs[i].faults[j] == fault)
				return i;
		}
	}
	return PROGRAM_COUNT;
}
