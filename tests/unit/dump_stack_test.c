/* SPDX-License-Identifier: MIT */
/* Dumps of tasks: the tree with its stacks, and that looking at them changes nothing. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/named_waits.h"
#include "support/suite.h"
#include "task/task.h"

#include <alloca.h>
#include <errno.h>

/* ---- Stacks ---- */

static char *dump_text(void)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	rt_task_dump(file);
	fclose(file);
	return text;
}

static void expect_dump(const char *pattern)
{
	char *text = dump_text();

	expect_match(text, pattern);
	free(text);
}

/* No stack follows on what is said of the last task. */
static bool dump_ends_with(const char *end)
{
	char *text = dump_text();
	size_t length = strlen(text), end_length = strlen(end);
	bool result = length > end_length && strcmp(text + length - end_length, end) == 0;

	free(text);
	return result;
}

/* Exported, for their names: the program is linked with -Wl,-E. */
__attribute__((visibility("default"), noinline)) int rests(void *arg);
__attribute__((visibility("default"), noinline)) int looks_around(void *arg);

int rests(void *arg)
{
	int err = rt_sleep(RT_S(1000));

	if (arg)
		*(int *)arg = err;
	return err;
}

int looks_around(void *arg)
{
	*(char **)arg = dump_text();
	return *(char **)arg == NULL;
}

IN_TASK(a_tree_with_stacks)
{
	struct rt_task *task = spawn_named(rests, NULL, "rests");
	char *text;

	settle();
	join_task(spawn_named(looks_around, &text, "looks"));
	expect_match(text, "^task 1 'a_tree_with_stacks' waits for: join \\(task 3, spawned at .*\\)$");
	expect_match(text, "^  task 2 'rests' \\(spawned at [^ ]*listing\\.h:[0-9]+\\) waits for: sleep "
			   "\\(.* s left\\)$");
	expect_match(text, "^  task 3 'looks' \\(spawned at [^ ]*listing\\.h:[0-9]+\\) is running$");
	expect_match(text, "^    [^ ]+\\(rests\\+0x");
	expect_match(text, "^    [^ ]+\\(looks_around\\+0x");
	/* The library's own functions that only look are not worth a line. */
	expect_match(text, "s left\\)\n    [^ ]+\\(rt_sleep");
	free(text);
	stop(task);
}

IN_TASK(a_task_that_has_not_started_has_no_stack)
{
	struct rt_task *task = spawn_named(sleeps, NULL, "new");

	expect_dump("^  task 2 'new' .* is runnable$");
	ck_assert(dump_ends_with("is runnable\n"));
	stop(task);
}

static int rests_deep_down(void *arg)
{
	size_t room = *(size_t *)arg;
	volatile char *top = __builtin_frame_address(0);
	volatile char *block = alloca(room);

	block[0] = block[room - 1] = 1;
	int err = rt_sleep(RT_S(1000));

	return top > block ? err : 0;
}

static struct rt_task *spawn_small(rt_task_fn *fn, void *arg, const char *name)
{
	struct rt_task *task =
		rt_spawn_with(fn, arg, &(struct rt_task_options){.name = name, .stack_size = 16 << 10});

	ck_assert_ptr_nonnull(task);
	return task;
}

/* Whose stack is nearly full is told without it, and still works. */
IN_TASK(a_stack_that_is_nearly_full)
{
	/* Of 12 KiB; ucontext takes 2 for itself. */
	size_t room = SANITIZED ? 4 << 10 : 8 << 10;
	struct rt_task *full = spawn_small(rests_deep_down, &room, "full");

	settle();
	ck_assert(dump_ends_with("s left)\n") || SANITIZED);
	rt_cancel(full);
	ck_assert_int_eq(join_task(full), -ECANCELED);
}

IN_TASK(a_small_stack)
{
	struct rt_task *small = spawn_small(rests, NULL, "small");

	settle();
	if (SANITIZED)
		free(dump_text());
	else
		expect_dump("\\(rests\\+0x");
	rt_cancel(small);
	ck_assert_int_eq(join_task(small), -ECANCELED);
}

/* ---- What looking must not do ---- */

enum { LOOKERS = 4 };

static struct rt_task *watched[2 * WAITS];

/* Its state, its wait and its deadline. */
static void copy_tasks(struct rt_task *copies)
{
	for (int i = 0; i < 2 * WAITS; i++)
		copies[i] = *watched[i];
}

static int look_often(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++) {
		free(dump_text());
		rt_yield();
	}
	return 0;
}

static void let_all_look(void)
{
	struct rt_task *lookers[LOOKERS];

	for (int i = 0; i < LOOKERS; i++)
		lookers[i] = spawn_named(look_often, NULL, "looks");
	for (int i = 0; i < LOOKERS; i++)
		join_task(lookers[i]);
}

IN_TASK(looking_changes_nothing)
{
	static struct rt_task before[2 * WAITS], after[2 * WAITS];

	open_sources();
	for (int i = 0; i < 2 * WAITS; i++)
		watched[i] = spawn_named(i % 2 ? wait_until : wait_for_ever, (void *)&waits[i / 2], "waits");
	settle();
	copy_tasks(before);
	let_all_look();
	copy_tasks(after);
	ck_assert_mem_eq(before, after, sizeof before);
	/* Each can still be woken by what it waits for, or ends. */
	rt_event_set(sources.event);
	ck_assert_int_eq(join_task(watched[2 * 7]), 0);
	ck_assert_int_eq(join_task(watched[2 * 7 + 1]), 0);
	for (int i = 0; i < 2 * WAITS; i++) {
		if (i / 2 != 7)
			stop(watched[i]);
	}
	close_sources();
}

static int hold_values(void *arg)
{
	struct rt_chan *chan = arg;
	int sum = 0, values[64], value;

	for (int i = 0; i < 64; i++)
		values[i] = i;
	while (rt_chan_recv(chan, &value, RT_FOREVER) == 0)
		sum += values[value];
	return sum;
}

/* Locals on a stack that is visited, which ASan may keep elsewhere, are still there afterwards. */
IN_TASK(looking_in_between_spoils_no_stack)
{
	struct rt_chan *chan;

	ck_assert_int_eq(rt_chan_create(&chan, sizeof(int), 0), 0);
	struct rt_task *task = spawn_named(hold_values, chan, "holds");

	for (int i = 0; i < 64; i++) {
		free(dump_text());
		ck_assert_int_eq(rt_chan_send(chan, &i, RT_FOREVER), 0);
	}
	rt_chan_close(chan);
	ck_assert_int_eq(join_task(task), 63 * 64 / 2);
	rt_chan_destroy(chan);
}

START_TEST(without_a_runtime)
{
	ck_assert(dump_ends_with("no runtime is running on this thread, or no memory\n"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dump_stack");
	TCase *tcase = tcase_create("dump_stack");

	tcase_add_test(tcase, a_tree_with_stacks);
	tcase_add_test(tcase, a_task_that_has_not_started_has_no_stack);
	tcase_add_test(tcase, a_stack_that_is_nearly_full);
	tcase_add_test(tcase, a_small_stack);
	tcase_add_test(tcase, looking_changes_nothing);
	tcase_add_test(tcase, looking_in_between_spoils_no_stack);
	tcase_add_test(tcase, without_a_runtime);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
