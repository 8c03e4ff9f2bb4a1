/* SPDX-License-Identifier: MIT */
/* The runtime on which the tests run: the one that RT_RUNTIME names in the environment, or native. */
#ifndef RT_TESTS_TEST_RUNTIME_H
#define RT_TESTS_TEST_RUNTIME_H

#include <check.h>
#include <rt.h>
#include <stdlib.h>

static inline const struct rt_runtime_ops *test_runtime(void)
{
	const char *name = getenv("RT_RUNTIME");
	const struct rt_runtime_ops *ops = name && *name ? rt_runtime_find(name) : &rt_native;

	if (!ops)
		ck_abort_msg("RT_RUNTIME=%s: there is no such runtime", name);
	return ops;
}

#endif
