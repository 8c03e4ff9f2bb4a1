/* SPDX-License-Identifier: MIT */
/* Check tests whose body runs as the main task of a native runtime: IN_TASK(name) { ... }. */
#ifndef RT_TESTS_IN_TASK_H
#define RT_TESTS_IN_TASK_H

#include <check.h>
#include <rt.h>

#define IN_TASK(name)                                                                                        \
	static void name##_body(void);                                                                       \
	static int name##_task(void *arg)                                                                    \
	{                                                                                                    \
		(void)arg;                                                                                   \
		name##_body();                                                                               \
		return 0;                                                                                    \
	}                                                                                                    \
	START_TEST(name)                                                                                     \
	{                                                                                                    \
		ck_assert_int_eq(rt_run(&rt_native, NULL, name##_task, NULL, #name), 0);                     \
	}                                                                                                    \
	END_TEST                                                                                             \
	static void name##_body(void)

#endif
