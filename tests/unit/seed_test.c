/* SPDX-License-Identifier: MIT */
/* Seeded schedules: repeatable, different from each other, and able to switch at every wait. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/queue.h"
#include "support/pair.h"
#include "support/suite.h"
#include "task/self.h"

#include <string.h>

static void run_seeded(uint64_t seed, rt_task_fn *fn, void *arg)
{
	struct rt_runtime_options options = {.clock = RT_CLOCK_VIRTUAL, .seed = seed};

	ck_assert_int_eq(rt_run(&rt_native, &options, fn, arg, "main"), 0);
}

/* ---- Traces ---- */

enum { TASKS = 5, STEPS = 5, SEEDS = 20, ENOUGH = 15 };

struct trace {
	char text[TASKS * STEPS + 1];
	int length;
};

struct writer {
	struct trace *trace;
	char letter;
};

static int write_letters(void *arg)
{
	const struct writer *writer = arg;

	for (int i = 0; i < STEPS; i++) {
		writer->trace->text[writer->trace->length++] = writer->letter;
		rt_yield();
	}
	return 0;
}

static int spawn_writers(void *arg)
{
	struct writer writers[TASKS];
	struct rt_task *tasks[TASKS];

	for (int i = 0; i < TASKS; i++) {
		writers[i] = (struct writer){arg, (char)('a' + i)};
		tasks[i] = spawn_task(write_letters, &writers[i]);
	}
	for (int i = 0; i < TASKS; i++)
		join_task(tasks[i]);
	return 0;
}

static struct trace trace_of(uint64_t seed)
{
	struct trace trace = {0};

	run_seeded(seed, spawn_writers, &trace);
	ck_assert_int_eq(trace.length, TASKS * STEPS);
	return trace;
}

START_TEST(without_a_seed_the_oldest_runs_first)
{
	ck_assert_str_eq(trace_of(0).text, "abcdeabcdeabcdeabcdeabcde");
}
END_TEST

START_TEST(a_seed_gives_one_schedule)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct trace first = trace_of(seed);

		/* Whatever has run in between. */
		trace_of(seed % 3);
		self_choose(2);
		ck_assert_str_eq(trace_of(seed).text, first.text);
	}
	ck_assert_str_eq(trace_of(UINT64_MAX).text, trace_of(UINT64_MAX).text);
}
END_TEST

START_TEST(seeds_give_different_schedules)
{
	struct trace traces[SEEDS];
	int different = 0;

	for (int i = 0; i < SEEDS; i++) {
		bool seen = false;

		traces[i] = trace_of((uint64_t)i + 1);
		for (int j = 0; j < i; j++)
			seen |= strcmp(traces[i].text, traces[j].text) == 0;
		different += !seen;
	}
	ck_assert_int_ge(different, ENOUGH);
}
END_TEST

static int sleep_and_write(void *arg)
{
	const struct writer *writer = arg;

	rt_sleep(RT_S(1));
	writer->trace->text[writer->trace->length++] = writer->letter;
	return 0;
}

static int spawn_sleepers(void *arg)
{
	struct writer writers[TASKS];
	struct rt_task *tasks[TASKS];

	for (int i = 0; i < TASKS; i++) {
		writers[i] = (struct writer){arg, (char)('a' + i)};
		tasks[i] = spawn_task(sleep_and_write, &writers[i]);
	}
	for (int i = 0; i < TASKS; i++)
		join_task(tasks[i]);
	return 0;
}

START_TEST(equal_deadlines_have_no_order)
{
	struct trace first = {0};
	bool differ = false;

	run_seeded(1, spawn_sleepers, &first);
	for (uint64_t seed = 2; seed <= SEEDS; seed++) {
		struct trace trace = {0};

		run_seeded(seed, spawn_sleepers, &trace);
		ck_assert_int_eq(trace.length, TASKS);
		differ |= strcmp(trace.text, first.text) != 0;
	}
	ck_assert(differ);
}
END_TEST

/* ---- Lost updates ---- */

/* Two tasks add one to a balance, with an operation that need not wait between reading and writing. */
struct account {
	int balance;
	int (*pause)(struct account *account);
	struct rt_chan *chan; /* with room */
	struct rt_mutex *mutex; /* nobody's */
};

static int pause_in_send(struct account *account)
{
	return rt_chan_send(account->chan, &(char){1}, RT_FOREVER);
}

static int pause_in_lock(struct account *account)
{
	int err = rt_mutex_lock(account->mutex, RT_FOREVER);

	return err < 0 ? err : rt_mutex_unlock(account->mutex);
}

static int deposit(void *arg)
{
	struct account *account = arg;
	int balance = account->balance;

	ck_assert_int_eq(account->pause(account), 0);
	account->balance = balance + 1;
	return 0;
}

static int deposit_twice(void *arg)
{
	struct account *account = arg;

	account->balance = 0;
	ck_assert_int_eq(rt_chan_create(&account->chan, 1, 2), 0);
	ck_assert_int_eq(rt_mutex_create(&account->mutex), 0);
	struct rt_task *first = spawn_task(deposit, account), *second = spawn_task(deposit, account);

	join_task(first);
	join_task(second);
	rt_chan_destroy(account->chan);
	rt_mutex_destroy(account->mutex);
	return 0;
}

static bool loses_update(struct account *account, uint64_t seed)
{
	run_seeded(seed, deposit_twice, account);
	return account->balance == 1;
}

static void expect_found(int (*pause)(struct account *account))
{
	struct account account = {.pause = pause};
	uint64_t seed = 1;

	ck_assert(!loses_update(&account, 0));
	while (seed <= 1000 && !loses_update(&account, seed))
		seed++;
	ck_assert_uint_le(seed, 1000);
	for (int i = 0; i < 10; i++)
		ck_assert(loses_update(&account, seed));
}

START_TEST(a_send_that_need_not_wait_may_switch)
{
	expect_found(pause_in_send);
}
END_TEST

START_TEST(a_lock_that_need_not_wait_may_switch)
{
	expect_found(pause_in_lock);
}
END_TEST

static int set(void *arg)
{
	*(bool *)arg = true;
	return 0;
}

/* Tells whether another task could run while one that had ended was joined. */
static int join_the_ended(void *arg)
{
	bool *switched = arg, ended = false;
	struct rt_task *task = spawn_task(set, &ended), *other;

	while (!ended)
		rt_yield();
	other = spawn_task(set, switched);
	join_task(task);
	bool at_join = *switched;

	join_task(other);
	*switched = at_join;
	return 0;
}

START_TEST(a_join_that_need_not_wait_may_switch)
{
	int count = 0;

	for (uint64_t seed = 0; seed <= 1000; seed++) {
		bool switched = false;

		run_seeded(seed, join_the_ended, &switched);
		ck_assert(seed > 0 || !switched);
		count += switched;
	}
	ck_assert_int_gt(count, 0);
	ck_assert_int_lt(count, 1000);
}
END_TEST

/* ---- Drawing ---- */

enum { MANY = 3 * QUEUE_DRAW_MAX };

START_TEST(each_is_drawn_once)
{
	struct rt_runnable runnables[MANY];
	bool drawn[MANY] = {false};
	struct queue queue = {.seeded = true};
	int pushed = 0, count = 0;

	self_get()->random = 9;
	/* The queue grows, shrinks and runs empty on the way. */
	while (count < MANY) {
		for (unsigned more = self_choose(6); more > 0 && pushed < MANY; more--)
			queue_push(&queue, &runnables[pushed++]);
		for (unsigned fewer = self_choose(6); fewer > 0; fewer--) {
			struct rt_runnable *next = queue_next(&queue);

			ck_assert(!next == (count == pushed));
			if (!next)
				break;
			ck_assert(!drawn[next - runnables]);
			drawn[next - runnables] = true;
			count++;
		}
	}
	ck_assert_ptr_null(queue_next(&queue));
}
END_TEST

START_TEST(only_so_many_are_drawn_from)
{
	struct rt_runnable runnables[MANY];
	struct queue queue = {.seeded = true};

	for (int i = 0; i < MANY; i++)
		queue_push(&queue, &runnables[i]);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_lt(queue_next(&queue) - runnables, QUEUE_DRAW_MAX + i);
}
END_TEST

enum { WRITERS = 4 * QUEUE_DRAW_MAX };

static int add_one(void *arg)
{
	for (int i = 0; i < 3; i++)
		rt_yield();
	++*(int *)arg;
	return 0;
}

static int spawn_many(void *arg)
{
	struct rt_task *tasks[WRITERS];

	for (int i = 0; i < WRITERS; i++)
		tasks[i] = spawn_task(add_one, arg);
	for (int i = 0; i < WRITERS; i++)
		join_task(tasks[i]);
	return 0;
}

START_TEST(nobody_is_forgotten)
{
	for (uint64_t seed = 1; seed <= 5; seed++) {
		int count = 0;

		run_seeded(seed, spawn_many, &count);
		ck_assert_int_eq(count, WRITERS);
	}
}
END_TEST

/* ---- Connections ---- */

static int send_bytes(void *arg)
{
	for (int i = 0; i < 100; i++)
		send_text(arg, "x", 1);
	return 0;
}

static int exchange(void *arg)
{
	struct rt_tcp *ends[2];
	char text[100];

	(void)arg;
	open_pair(ends);
	struct rt_task *sender = spawn_task(send_bytes, ends[1]);

	ck_assert_int_eq(rt_tcp_read_exactly(ends[0], text, sizeof text, NULL, rt_in(RT_S(1))), sizeof text);
	join_task(sender);
	close_pair(ends);
	return 0;
}

START_TEST(connections_work_with_small_budgets)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		run_seeded(seed, exchange, NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seed");
	TCase *tcase = tcase_create("seed");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, without_a_seed_the_oldest_runs_first);
	tcase_add_test(tcase, a_seed_gives_one_schedule);
	tcase_add_test(tcase, seeds_give_different_schedules);
	tcase_add_test(tcase, equal_deadlines_have_no_order);
	tcase_add_test(tcase, a_send_that_need_not_wait_may_switch);
	tcase_add_test(tcase, a_lock_that_need_not_wait_may_switch);
	tcase_add_test(tcase, a_join_that_need_not_wait_may_switch);
	tcase_add_test(tcase, each_is_drawn_once);
	tcase_add_test(tcase, only_so_many_are_drawn_from);
	tcase_add_test(tcase, nobody_is_forgotten);
	tcase_add_test(tcase, connections_work_with_small_budgets);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
