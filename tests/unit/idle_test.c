/* SPDX-License-Identifier: MIT */
/* Who sleeps and who searches: limits, whom a notification wakes, and who must look again. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/idle.h"
#include "support/suite.h"

#include <errno.h>

static struct idle *idle;

static void create(unsigned workers)
{
	ck_assert_int_eq(idle_create(&idle, workers), 0);
}

static void teardown(void)
{
	idle_destroy(idle);
	idle = NULL;
}

START_TEST(refuses_impossible_counts)
{
	ck_assert_int_eq(idle_create(&idle, 0), -EINVAL);
	ck_assert_int_eq(idle_create(&idle, IDLE_MAX_WORKERS + 1), -EINVAL);
	create(IDLE_MAX_WORKERS);
	ck_assert_uint_eq(idle_parked(idle), 0);
}
END_TEST

START_TEST(half_may_search)
{
	create(5);
	for (int i = 0; i < 3; i++)
		ck_assert(idle_start_searching(idle));
	ck_assert(!idle_start_searching(idle));
	ck_assert(!idle_stop_searching(idle));
	ck_assert(!idle_stop_searching(idle));
	ck_assert(idle_stop_searching(idle));
	ck_assert(idle_start_searching(idle));
}
END_TEST

START_TEST(a_lone_worker_may_search)
{
	create(1);
	ck_assert(idle_start_searching(idle));
	ck_assert(!idle_start_searching(idle));
	ck_assert(idle_park(idle, 0, true));
	ck_assert_int_eq(idle_notify(idle), 0);
}
END_TEST

START_TEST(wakes_the_last_that_parked)
{
	create(3);
	ck_assert_int_eq(idle_notify(idle), -1);
	for (unsigned i = 0; i < 3; i++)
		idle_park(idle, i, false);
	ck_assert_uint_eq(idle_parked(idle), 3);
	ck_assert_int_eq(idle_notify(idle), 2);
	ck_assert_uint_eq(idle_parked(idle), 2);
	/* It searches: it will find what there is. */
	ck_assert_int_eq(idle_notify(idle), -1);
	ck_assert(idle_stop_searching(idle));
	ck_assert_int_eq(idle_notify(idle), 1);
}
END_TEST

START_TEST(looks_again_when_nobody_searches)
{
	create(4);
	ck_assert(idle_park(idle, 0, false));
	ck_assert(idle_start_searching(idle));
	ck_assert(idle_start_searching(idle));
	ck_assert(!idle_park(idle, 1, false));
	ck_assert(!idle_park(idle, 2, true));
	ck_assert(idle_park(idle, 3, true));
}
END_TEST

START_TEST(wakes_by_itself_or_is_notified)
{
	create(3);
	idle_park(idle, 0, false);
	idle_park(idle, 1, false);
	ck_assert(idle_unpark_self(idle, 0));
	ck_assert_uint_eq(idle_parked(idle), 1);
	ck_assert(idle_is_parked(idle, 1));
	ck_assert_int_eq(idle_notify(idle), 1);
	ck_assert(!idle_is_parked(idle, 1));
	ck_assert(!idle_unpark_self(idle, 1));
	ck_assert_uint_eq(idle_parked(idle), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("idle");
	TCase *tcase = tcase_create("idle");

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, refuses_impossible_counts);
	tcase_add_test(tcase, half_may_search);
	tcase_add_test(tcase, a_lone_worker_may_search);
	tcase_add_test(tcase, wakes_the_last_that_parked);
	tcase_add_test(tcase, looks_again_when_nobody_searches);
	tcase_add_test(tcase, wakes_by_itself_or_is_notified);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
