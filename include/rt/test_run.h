/* SPDX-License-Identifier: MIT */
/* What is behind RT_TEST of rt/test.h, without Check: for other test libraries. */
#ifndef RT_TEST_RUN_H
#define RT_TEST_RUN_H

#include <rt/runtime.h>

RT_BEGIN_DECLS

struct rt_test_options {
	const struct rt_runtime_ops *runtime; /* NULL: rt_native */
	unsigned workers; /* 0: what suits the runtime */
	enum rt_clock clock;
	uint64_t seed; /* of the order in which ready tasks run; 0: first come, first served */
	unsigned explore; /* how many seeds to try, from seed or 1 on; 0: just seed */
};

enum { RT_TEST_VARIANTS = 16, RT_TEST_TEXT_MAX = 1024 };

/* A test and the ways in which it has been added; made by RT_TEST. */
struct rt_test {
	const char *name;
	void (*body)(void);
	const char *file;
	int line;
	int variant_count;
	struct rt_test_options variants[RT_TEST_VARIANTS];
};

/* What has made a test fail. */
struct rt_test_failure {
	const char *file;
	int line;
	char text[RT_TEST_TEXT_MAX];
};

/*
 * Adds a way to run the test and returns its number. More than
 * RT_TEST_VARIANTS end the process. Does not suspend.
 */
RT_API int rt_test_add(struct rt_test *test, const struct rt_test_options *options);

/*
 * Runs the test, not in a task.
 * Returns whether it has passed; if not, *failure says why. Does not suspend.
 */
RT_API bool rt_test_run(const struct rt_test *test, int variant, struct rt_test_failure *failure);

/*
 * Behind the assertions: in a task of a test, makes the test fail and does not return.
 * Anywhere else it returns at once. text is copied. Suspends.
 */
RT_API void rt_test_fail(const char *file, int line, const char *text);

RT_END_DECLS
#endif
