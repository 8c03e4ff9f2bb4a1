/* SPDX-License-Identifier: MIT */
/*
 * Check tests whose body is the main task of a runtime with several threads: ON_WORKERS(name) { ... }, added
 * with ADD(), runs on stealing and native, with 2 and 8 workers.
 */
#ifndef RT_TESTS_WORKERS_H
#define RT_TESTS_WORKERS_H

#include "support/suite.h"

#include <errno.h>
#include <rt.h>
#include <stdio.h>

/* How long anything may take that should take no time, on a slow machine. */
#define PATIENCE RT_S(60)

enum { SETTINGS = 4 };

static inline int run_on(int setting, rt_task_fn *fn, void *arg)
{
	struct rt_runtime_options options = {.workers = setting % 2 ? 8 : 2};
	const struct rt_runtime_ops *ops = setting / 2 ? &rt_native : &rt_stealing;
	int result = rt_run(ops, &options, fn, arg, "main");

	if (result < 0)
		fprintf(stderr, "%s with %u workers: %d\n", ops->name, options.workers, result);
	return result;
}

/* A count, times STRESS; a share of it where everything takes many times as long. */
static inline long count_of(int count)
{
	const char *times = getenv("STRESS");
	long all = (times ? atol(times) : 1) * (times ? count : scaled(count, 10));

	return all > 0 ? all : 1;
}

#define ON_WORKERS(name)                                                                                     \
	static void name##_body(void);                                                                       \
	static int name##_task(void *arg)                                                                    \
	{                                                                                                    \
		(void)arg;                                                                                   \
		name##_body();                                                                               \
		return 0;                                                                                    \
	}                                                                                                    \
	START_TEST(name)                                                                                     \
	{                                                                                                    \
		ck_assert_int_eq(run_on(_i, name##_task, NULL), 0);                                          \
	}                                                                                                    \
	END_TEST                                                                                             \
	static void name##_body(void)

#define ADD(tcase, name) tcase_add_loop_test(tcase, name, 0, SETTINGS)

#endif
