/* SPDX-License-Identifier: MIT */
/* The conformance suite: what rt/runtime.h demands, asked of every runtime that is registered. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "conformance.h"

#include "support/suite.h"

#include <stdio.h>

static const unsigned worker_counts[] = {1, 2, 8};
enum { COUNTS = sizeof worker_counts / sizeof *worker_counts };

struct rt_runtime *runtime;
const struct rt_runtime_ops *ops;

/* RT_RUNTIME, or all that there are. */
static const char *name_at(int index)
{
	const char *only = getenv("RT_RUNTIME");

	if (!only)
		return rt_runtime_name((unsigned)index);
	return index == 0 ? only : NULL;
}

int setting_count(void)
{
	int count = 0;

	while (name_at(count))
		count++;
	return count * COUNTS;
}

struct setting setting_at(int index)
{
	const char *name = name_at(index / COUNTS);

	return (struct setting){rt_runtime_find(name), worker_counts[index % COUNTS]};
}

int run_in(struct setting setting, rt_task_fn *fn, const char *name)
{
	struct rt_runtime_options options = {.workers = setting.workers};
	int result = rt_run(setting.ops, &options, fn, NULL, name);

	if (result != 0)
		fprintf(stderr, "%s on %s, %u workers: %d\n", name, setting.ops->name, setting.workers,
			result);
	return result;
}

bool is_ordered(void)
{
	return runtime->workers == 1;
}

void await_count(atomic_int *count, int wanted)
{
	for (rt_time end = rt_in(PATIENCE); atomic_load(count) < wanted && rt_now() < end;)
		ck_assert_int_eq(rt_sleep(RT_US(100)), 0);
	ck_assert_int_eq(atomic_load(count), wanted);
}

struct rt_task *start(rt_task_fn *fn, void *arg)
{
	struct rt_task *task = rt_spawn_with(fn, arg, &(const struct rt_task_options){.site = RT_SITE});

	ck_assert_ptr_nonnull(task);
	return task;
}

int finish(struct rt_task *task)
{
	int result;

	ck_assert_int_eq(rt_join(task, &result, rt_in(PATIENCE)), 0);
	return result;
}

/* What the index in Check's message of a failure means. False: there is no such runtime. */
static bool print_settings(void)
{
	for (int i = 0; i < setting_count(); i++) {
		struct setting setting = setting_at(i);

		if (!setting.ops) {
			fprintf(stderr, "RT_RUNTIME: no runtime is called %s\n", getenv("RT_RUNTIME"));
			return false;
		}
		printf("%d: %s with %u workers\n", i, setting.ops->name, setting.workers);
	}
	fflush(stdout);
	return true;
}

TCase *new_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("conformance");

	if (!print_settings())
		return EXIT_FAILURE;
	add_schedule(suite);
	add_timer(suite);
	add_watch(suite);
	add_offload(suite);
	add_run(suite);
	add_task(suite);
	add_sync(suite);
	add_net(suite);
	return run_suite(suite);
}
