/* SPDX-License-Identifier: MIT */
/*
 * Async tests with Check (https://libcheck.github.io/check): the body of RT_TEST runs
 * as the first task of a runtime. Link with pkg-config --cflags --libs rtcore check.
 *
 *	RT_TEST(sleep_reaches_its_deadline)
 *	{
 *		rt_time deadline = rt_in(RT_MS(5));
 *
 *		ck_assert_int_eq(rt_sleep_until(deadline), 0);
 *		ck_assert(rt_now() >= deadline);
 *	}
 *	...
 *	tcase_add_rt_test(tcase, sleep_reaches_its_deadline);
 *
 * Assertions of Check hold in every task of the test, in fork and in no-fork mode: a
 * failed one ends the test, whichever task it is in, and the others are freed without
 * running. This takes including this header in every file that asserts in a task, as it
 * redirects the function behind the assertions: Check's own would jump from the task's
 * stack to the thread's.
 *
 * A test fails, too, if tasks are left when its body returns, which are named, and
 * on a deadlock.
 *
 * The environment changes how all tests run:
 *
 *	RT_EXPLORE=N    N times, with the seeds S, S + 1, ...; a failure names its seed
 *	RT_SEED=S       with that seed; without RT_EXPLORE once
 *	RT_WORKERS=N    with so many workers
 *	RT_CLOCK=virtual or RT_CLOCK=real
 *	RT_RUNTIME=NAME on that runtime, except those that have been added for another one
 */
#ifndef RT_TEST_H
#define RT_TEST_H

#include <check.h>
#include <rt.h>
#include <rt/bench.h>
#include <rt/test_run.h>
#include <stdarg.h>
#include <stdio.h>

RT_BEGIN_DECLS

#define RT_TEST(name)                                                                                        \
	static void name##_body(void);                                                                       \
	static struct rt_test name##_rt_test = {#name, name##_body, __FILE__, __LINE__, 0, {{0}}};           \
	START_TEST(name)                                                                                     \
	{                                                                                                    \
		rt_test_check_(&name##_rt_test, _i);                                                         \
	}                                                                                                    \
	END_TEST                                                                                             \
	static void name##_body(void)

/*
 * Adds a test: on rt_native, on another runtime, or with options, a struct rt_test_options *
 * that may be NULL and is copied. Check tells several ways to add the same test apart by
 * the number behind its name. Does not suspend.
 */
#define tcase_add_rt_test(tcase, name) tcase_add_rt_test_with(tcase, name, NULL)
#define tcase_add_rt_test_on(tcase, name, ops)                                                               \
	tcase_add_rt_test_with(tcase, name, (&(const struct rt_test_options){.runtime = &(ops)}))
/* Variadic because of the commas in a compound literal. */
#define tcase_add_rt_test_with(tcase, name, ...)                                                             \
	do {                                                                                                 \
		int variant_ = rt_test_add(&name##_rt_test, __VA_ARGS__);                                    \
		tcase_add_loop_test((tcase), name, variant_, variant_ + 1);                                  \
	} while (0)

static inline void rt_test_check_(const struct rt_test *test, int variant)
{
	struct rt_test_failure failure;

	/* Here, on the thread's own stack, Check may jump. */
	if (!rt_test_run(test, variant, &failure))
		_ck_assert_failed(failure.file, failure.line, failure.text, NULL);
}

/* In the place of _ck_assert_failed(): msg is a format, or NULL for expr alone. */
__attribute__((noreturn, format(printf, 4, 5))) static inline void
rt_test_assert_failed_(const char *file, int line, const char *expr, const char *msg, ...)
{
	char text[RT_TEST_TEXT_MAX];
	va_list args;

	va_start(args, msg);
	if (msg)
		vsnprintf(text, sizeof text, msg, args);
	else
		snprintf(text, sizeof text, "%s", expr);
	va_end(args);
	rt_test_fail(file, line, text);
	_ck_assert_failed(file, line, text, NULL);
}
#define _ck_assert_failed rt_test_assert_failed_

RT_END_DECLS
#endif
