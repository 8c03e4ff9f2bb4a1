/* SPDX-License-Identifier: MIT */
/* The clock goes forward, saturates, and can be replaced. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "platform/clock.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>

static rt_time fake;

static rt_time fake_now(void)
{
	return fake;
}

static void unreplace(void)
{
	clock_replace(NULL);
}

START_TEST(now_is_the_monotonic_clock)
{
	struct timespec time;
	rt_time before = rt_now(), between, after;

	clock_gettime(CLOCK_MONOTONIC, &time);
	between = RT_S(time.tv_sec) + time.tv_nsec;
	after = rt_now();
	ck_assert_int_gt(before, 0);
	ck_assert_int_le(before, between);
	ck_assert_int_le(between, after);
}
END_TEST

START_TEST(now_never_goes_back)
{
	rt_time last = rt_now(), now;
	int i;

	for (i = 0; i < 100000; i++, last = now) {
		now = rt_now();
		ck_assert_int_ge(now, last);
	}
}
END_TEST

START_TEST(in_adds_to_now)
{
	rt_time before = rt_now(), deadline = rt_in(RT_MS(5)), after = rt_now();

	ck_assert_int_ge(deadline, before + RT_MS(5));
	ck_assert_int_le(deadline, after + RT_MS(5));
}
END_TEST

START_TEST(in_of_nothing_has_passed)
{
	static const rt_time durations[] = {0, -1, -RT_S(1), INT64_MIN + 1, INT64_MIN};
	size_t i;

	for (i = 0; i < sizeof durations / sizeof *durations; i++) {
		ck_assert_int_le(rt_in(durations[i]), rt_now());
		ck_assert_int_ge(rt_in(durations[i]), RT_NOW);
	}
}
END_TEST

START_TEST(in_saturates)
{
	ck_assert_int_eq(rt_in(RT_FOREVER), RT_FOREVER);
	ck_assert_int_eq(rt_in(RT_FOREVER - 1), RT_FOREVER);
	fake = 1000;
	clock_replace(fake_now);
	ck_assert_int_eq(rt_in(RT_FOREVER - 1000), RT_FOREVER);
	ck_assert_int_eq(rt_in(RT_FOREVER - 1001), RT_FOREVER - 1);
	ck_assert_int_eq(rt_in(RT_FOREVER - 999), RT_FOREVER);
}
END_TEST

START_TEST(replace_is_seen_and_undone)
{
	rt_time before = rt_now();

	fake = 7;
	clock_replace(fake_now);
	ck_assert_int_eq(rt_now(), 7);
	fake = RT_S(9);
	ck_assert_int_eq(rt_now(), RT_S(9));
	ck_assert_int_eq(rt_in(RT_MS(1)), RT_S(9) + RT_MS(1));
	clock_replace(NULL);
	ck_assert_int_ge(rt_now(), before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clock");
	TCase *tc = tcase_create("clock");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, NULL, unreplace);
	tcase_add_test(tc, now_is_the_monotonic_clock);
	tcase_add_test(tc, now_never_goes_back);
	tcase_add_test(tc, in_adds_to_now);
	tcase_add_test(tc, in_of_nothing_has_passed);
	tcase_add_test(tc, in_saturates);
	tcase_add_test(tc, replace_is_seen_and_undone);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
