/* SPDX-License-Identifier: MIT */
/* Check tests whose body runs as the main task of a runtime: IN_TASK(name) { ... }. */
#ifndef RT_TESTS_IN_TASK_H
#define RT_TESTS_IN_TASK_H

#include "support/test_runtime.h"

/* One worker: the tests expect orders, and share plain variables. */
#define IN_TASK(name) IN_TASK_WITH(name, (&(const struct rt_runtime_options){.workers = 1}))

/* The runtime gets these options, a struct rt_runtime_options * or NULL. */
#define IN_TASK_WITH(name, options)                                                                          \
	static void name##_body(void);                                                                       \
	static int name##_task(void *arg)                                                                    \
	{                                                                                                    \
		(void)arg;                                                                                   \
		name##_body();                                                                               \
		return 0;                                                                                    \
	}                                                                                                    \
	START_TEST(name)                                                                                     \
	{                                                                                                    \
		ck_assert_int_eq(rt_run(test_runtime(), (options), name##_task, NULL, #name), 0);            \
	}                                                                                                    \
	END_TEST                                                                                             \
	static void name##_body(void)

#endif
