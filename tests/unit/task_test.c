/* SPDX-License-Identifier: MIT */
/* Tasks: spawn, join, detach, yield, names, stacks. Cancellation is in cancel_test.c. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static char trace[256];
static size_t traced;

static void note(char what)
{
	ck_assert_uint_lt(traced, sizeof trace - 1);
	trace[traced++] = what;
}

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

static int give_back(void *arg)
{
	return *(int *)arg;
}

/* ---- Spawn and join ---- */

IN_TASK(join_gives_the_result)
{
	int values[] = {0, 42, -ENOENT, -ECANCELED, -ETIMEDOUT, INT32_MIN};

	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		ck_assert_int_eq(join(spawn(give_back, &values[i])), values[i]);
	ck_assert_int_eq(rt_join(spawn(give_back, &values[1]), NULL, RT_FOREVER), 0);
}

IN_TASK(join_of_a_finished_task_needs_no_wait)
{
	int value = 7, result = 0;
	struct rt_task *task = spawn(give_back, &value);

	ck_assert_int_eq(rt_yield(), 0);
	ck_assert_int_eq(rt_join(task, &result, RT_NOW), 0);
	ck_assert_int_eq(result, 7);
}

static int letters(void *arg)
{
	for (char letter = *(char *)arg; letter <= 'z'; letter = (char)(letter + 3)) {
		note(letter);
		ck_assert_int_eq(rt_yield(), 0);
	}
	return 0;
}

IN_TASK(tasks_take_turns_in_order)
{
	char first[] = "rst";
	struct rt_task *tasks[3];

	for (int i = 0; i < 3; i++)
		tasks[i] = spawn(letters, &first[i]);
	note('!');
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(join(tasks[i]), 0);
	ck_assert_str_eq(trace, "!rstuvwxyz");
}

static int join_other(void *arg)
{
	return join(arg) + 1;
}

IN_TASK(a_chain_of_joins)
{
	int value = 0;
	struct rt_task *last = spawn(give_back, &value);

	for (int i = 0; i < 1000; i++)
		last = spawn(join_other, last);
	ck_assert_int_eq(join(last), 1000);
}

IN_TASK(a_join_that_times_out_keeps_the_handle)
{
	char letter = 'z';
	struct rt_task *task = spawn(letters, &letter);
	int result = 99;

	ck_assert_int_eq(rt_join(task, &result, RT_NOW), -ETIMEDOUT);
	ck_assert_str_eq(trace, "");
	ck_assert_int_eq(result, 99);
	ck_assert_int_eq(rt_join(task, &result, -1), -ETIMEDOUT);
	ck_assert_int_eq(rt_join(task, &result, RT_FOREVER), 0);
	ck_assert_int_eq(result, 0);
}

static int sleep_long(void *arg)
{
	(void)arg;
	return rt_sleep(RT_S(1000));
}

IN_TASK(a_join_ends_at_its_deadline)
{
	struct rt_task *task = spawn(sleep_long, NULL);
	rt_time deadline = rt_in(RT_MS(5));

	ck_assert_int_eq(rt_join(task, NULL, deadline), -ETIMEDOUT);
	ck_assert_int_ge(rt_now(), deadline);
	rt_cancel(task);
	ck_assert_int_eq(join(task), -ECANCELED);
}

IN_TASK(wrong_joins)
{
	ck_assert_int_eq(rt_join(NULL, NULL, RT_FOREVER), -EINVAL);
	ck_assert_int_eq(rt_join(rt_task_current(), NULL, RT_FOREVER), -EDEADLK);
	errno = 0;
	ck_assert_ptr_null(rt_spawn(NULL, NULL));
	ck_assert_int_eq(errno, EINVAL);
}

/* ---- Joins in a circle ---- */

enum { RING = 5 };

static struct rt_task *ring[RING];

static int join_next(void *arg)
{
	return rt_join(ring[(struct rt_task **)arg - ring + 1], NULL, RT_FOREVER);
}

static int join_first(void *arg)
{
	rt_time deadline = *(rt_time *)arg;
	ck_assert_int_eq(rt_join(ring[0], NULL, deadline), -EDEADLK);
	/* Nothing has been published. */
	return rt_sleep(RT_US(1));
}

IN_TASK(joining_in_a_circle_is_an_error_of_the_last_one)
{
	rt_time deadlines[] = {RT_FOREVER, rt_in(RT_S(1000)), RT_NOW};

	for (size_t i = 0; i < sizeof deadlines / sizeof *deadlines; i++) {
		for (int j = 0; j < RING - 1; j++)
			ring[j] = spawn(join_next, &ring[j]);
		ring[RING - 1] = spawn(join_first, &deadlines[i]);
		ck_assert_int_eq(join(ring[0]), 0);
	}
}

static int join_and_tell(void *arg)
{
	int result = 0;

	ck_assert_int_eq(rt_join(arg, &result, RT_FOREVER), 0);
	return result;
}

static int try_to_join(void *arg)
{
	rt_yield();
	return rt_join(*(struct rt_task **)arg, NULL, RT_FOREVER);
}

IN_TASK(a_circle_is_seen_by_who_closes_it)
{
	struct rt_task *joiner, *target = spawn(try_to_join, &joiner);

	joiner = spawn(join_and_tell, target);
	ck_assert_int_eq(join(joiner), -EDEADLK);
}

static int be_cancelled_joining(void *arg)
{
	return rt_join(arg, NULL, RT_FOREVER) == -ECANCELED ? 8 : 9;
}

static int join_the_cancelled(void *arg)
{
	struct rt_task *joiner = *(struct rt_task **)arg;
	int result = 0;

	rt_yield();
	rt_cancel(joiner);
	ck_assert_int_eq(rt_join(joiner, &result, RT_FOREVER), 0);
	return result;
}

IN_TASK(a_join_that_is_about_to_end_closes_no_circle)
{
	struct rt_task *joiner, *target = spawn(join_the_cancelled, &joiner);

	joiner = spawn(be_cancelled_joining, target);
	ck_assert_int_eq(join(target), 8);
}

/* ---- Detach ---- */

static int count_up(void *arg)
{
	int *count = arg;

	rt_yield();
	return ++*count;
}

IN_TASK(a_detached_task_goes_on)
{
	int count = 0;

	rt_detach(NULL);
	rt_detach(spawn(count_up, &count));
	for (int i = 0; i < 3; i++)
		rt_yield();
	ck_assert_int_eq(count, 1);
}

IN_TASK(a_finished_task_is_detached)
{
	int count = 0;
	struct rt_task *task = spawn(count_up, &count);

	for (int i = 0; i < 3; i++)
		rt_yield();
	ck_assert_int_eq(count, 1);
	rt_detach(task);
}

static int detach_self(void *arg)
{
	rt_detach(rt_task_current());
	return count_up(arg);
}

IN_TASK(a_task_detaches_itself)
{
	int count = 0;

	spawn(detach_self, &count);
	for (int i = 0; i < 3; i++)
		rt_yield();
	ck_assert_int_eq(count, 1);
}

/* ---- Names ---- */

static int check_name(void *arg)
{
	ck_assert_str_eq(rt_task_name(rt_task_current()), arg);
	return 0;
}

IN_TASK(tasks_have_names_and_sites)
{
	char name[] = "copied";
	char site[64];

	snprintf(site, sizeof site, "%s:%d", __FILE__, __LINE__ + 1);
	struct rt_task *task = rt_spawn(check_name, "check_name");

	ck_assert_str_eq(rt_task_name(task), "check_name");
	ck_assert_str_eq(rt_task_site(task), site);
	join(task);
	task = rt_spawn_with(check_name, "copied", &(struct rt_task_options){.name = name, .site = "x.c:1"});
	memset(name, 'x', strlen(name));
	ck_assert_str_eq(rt_task_site(task), "x.c:1");
	join(task);
	task = rt_spawn_named(check_name, "named", "named", "y.c:2");
	ck_assert_str_eq(rt_task_site(task), "y.c:2");
	join(task);
}

IN_TASK(names_have_defaults_and_limits)
{
	const char *long_name = "a name that is much longer than a task has room for";
	struct rt_task *task = rt_spawn_with(check_name, "task", NULL);

	ck_assert_str_eq(rt_task_site(task), "?");
	join(task);
	task = rt_spawn_named(sleep_long, NULL, long_name, NULL);
	ck_assert_uint_gt(strlen(rt_task_name(task)), 20);
	ck_assert_mem_eq(rt_task_name(task), long_name, strlen(rt_task_name(task)));
	rt_cancel(task);
	join(task);
	ck_assert_str_eq(rt_task_name(NULL), "none");
	ck_assert_str_eq(rt_task_site(NULL), "?");
	ck_assert_str_eq(rt_task_name(rt_task_current()), "names_have_defaults_and_limits");
}

static int check_current(void *arg)
{
	struct rt_task **task = arg;

	ck_assert_ptr_eq(rt_task_current(), *task);
	rt_yield();
	ck_assert_ptr_eq(rt_task_current(), *task);
	return 0;
}

IN_TASK(the_current_task)
{
	struct rt_task *self = rt_task_current(), *task;

	ck_assert_ptr_nonnull(self);
	task = spawn(check_current, &task);
	ck_assert_ptr_ne(task, self);
	join(task);
	ck_assert_ptr_eq(rt_task_current(), self);
}

/* ---- Stacks ---- */

static int fill_stack(void *arg)
{
	size_t size = *(size_t *)arg;
	volatile char block[size];

	for (size_t i = 0; i < size; i += 512)
		block[i] = (char)i;
	rt_yield();
	for (size_t i = 0; i < size; i += 512)
		ck_assert_int_eq(block[i], (char)i);
	return 0;
}

IN_TASK(stacks_have_the_size_asked_for)
{
	static const size_t sizes[] = {0, 16 << 10, 64 << 10, 100001, 1 << 20, 16 << 20};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t used = (sizes[i] ? sizes[i] : 64 << 10) - (10 << 10);
		struct rt_task_options options = {.name = "fill", .stack_size = sizes[i]};
		struct rt_task *one = rt_spawn_with(fill_stack, &used, &options);
		struct rt_task *two = rt_spawn_with(fill_stack, &used, &options);

		ck_assert_int_eq(join(one), 0);
		rt_detach(two);
		rt_yield();
	}
}

IN_TASK(stacks_that_cannot_be)
{
	static const size_t sizes[] = {1, 4096, SIZE_MAX / 4, PTRDIFF_MAX, SIZE_MAX};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		errno = 0;
		ck_assert_ptr_null(rt_spawn_with(
			sleep_long, NULL, &(struct rt_task_options){.name = "x", .stack_size = sizes[i]}));
		ck_assert_int_ne(errno, 0);
	}
}

static int spawn_generation(void *arg)
{
	int *left = arg;

	if (--*left > 0)
		rt_detach(spawn(spawn_generation, left));
	return 0;
}

IN_TASK(stacks_are_recycled)
{
	int left = scaled(300000, 100);

	rt_detach(spawn(spawn_generation, &left));
	while (left > 0)
		ck_assert_int_eq(rt_yield(), 0);
}

/* ---- Outside ---- */

START_TEST(without_a_runtime)
{
	errno = 0;
	ck_assert_ptr_null(rt_spawn(sleep_long, NULL));
	ck_assert_int_eq(errno, EPERM);
	ck_assert_ptr_null(rt_runtime_current());
	ck_assert_ptr_null(rt_task_current());
	ck_assert_int_eq(rt_yield(), -EPERM);
	ck_assert_int_eq(rt_sleep(0), -EPERM);
	ck_assert_int_eq(rt_sleep(1), -EPERM);
	ck_assert_int_eq(rt_sleep_until(RT_FOREVER), -EPERM);
	ck_assert_int_eq(rt_join(NULL, NULL, RT_FOREVER), -EINVAL);
	ck_assert(!rt_task_cancelled(NULL));
	rt_cancel(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("task");
	TCase *tcase = tcase_create("task");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, join_gives_the_result);
	tcase_add_test(tcase, join_of_a_finished_task_needs_no_wait);
	tcase_add_test(tcase, tasks_take_turns_in_order);
	tcase_add_test(tcase, a_chain_of_joins);
	tcase_add_test(tcase, a_join_that_times_out_keeps_the_handle);
	tcase_add_test(tcase, a_join_ends_at_its_deadline);
	tcase_add_test(tcase, wrong_joins);
	tcase_add_test(tcase, joining_in_a_circle_is_an_error_of_the_last_one);
	tcase_add_test(tcase, a_circle_is_seen_by_who_closes_it);
	tcase_add_test(tcase, a_join_that_is_about_to_end_closes_no_circle);
	tcase_add_test(tcase, a_detached_task_goes_on);
	tcase_add_test(tcase, a_finished_task_is_detached);
	tcase_add_test(tcase, a_task_detaches_itself);
	tcase_add_test(tcase, tasks_have_names_and_sites);
	tcase_add_test(tcase, names_have_defaults_and_limits);
	tcase_add_test(tcase, the_current_task);
	tcase_add_test(tcase, stacks_have_the_size_asked_for);
	tcase_add_test(tcase, stacks_that_cannot_be);
	tcase_add_test(tcase, stacks_are_recycled);
	tcase_add_test(tcase, without_a_runtime);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
