/* SPDX-License-Identifier: MIT */
/* The parker on real threads: deadlines, early and late unparks, the driver. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/parker.h"
#include "support/suite.h"

#include <semaphore.h>

enum { ROUNDS = 2000 };

static struct parker parker;
static sem_t driver;
static unsigned long handed; /* plain: the parker orders it */
static sem_t taken;

static void interrupt(void *arg)
{
	sem_post(arg);
}

static void setup(void)
{
	sem_init(&driver, 0, 0);
	sem_init(&taken, 0, 0);
	parker_init(&parker, interrupt, &driver);
}

static void teardown(void)
{
	parker_finish(&parker);
	sem_destroy(&taken);
	sem_destroy(&driver);
}

START_TEST(deadline_ends_the_park)
{
	rt_time deadline = rt_in(RT_MS(5));

	ck_assert(!parker_park(&parker, deadline));
	ck_assert_int_ge(rt_now(), deadline);
	ck_assert(!parker_park(&parker, RT_NOW));
	ck_assert(!parker_park(&parker, -1));
}
END_TEST

START_TEST(early_unparks_count_as_one)
{
	parker_unpark(&parker);
	parker_unpark(&parker);
	ck_assert(parker_park(&parker, RT_FOREVER));
	ck_assert(!parker_park(&parker, RT_NOW));
	parker_unpark(&parker);
	ck_assert(parker_park(&parker, RT_NOW));
}
END_TEST

START_TEST(driver_is_entered_and_interrupted)
{
	parker_unpark(&parker);
	ck_assert(!parker_begin_driver(&parker));
	ck_assert(parker_begin_driver(&parker));
	ck_assert(!parker_end_driver(&parker));
	ck_assert(parker_begin_driver(&parker));
	parker_unpark(&parker);
	ck_assert_int_eq(sem_trywait(&driver), 0);
	parker_unpark(&parker);
	ck_assert_int_ne(sem_trywait(&driver), 0);
	ck_assert(parker_end_driver(&parker));
	ck_assert(!parker_park(&parker, RT_NOW));
}
END_TEST

static void *hand_over(void *arg)
{
	for (unsigned long i = 1; i <= ROUNDS; i++) {
		handed = i;
		parker_unpark(&parker);
		sem_wait(&taken);
	}
	return arg;
}

/* Sleeps here and there in turn; a lost unpark would hang. */
static void sleep_in_turn(unsigned long round)
{
	if (round % 2 == 0) {
		ck_assert(parker_park(&parker, RT_FOREVER));
	} else if (parker_begin_driver(&parker)) {
		sem_wait(&driver);
		ck_assert(parker_end_driver(&parker));
	}
}

START_TEST(what_was_written_before_is_seen)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, hand_over, NULL), 0);
	for (unsigned long i = 1; i <= ROUNDS; i++) {
		sleep_in_turn(i);
		ck_assert_uint_eq(handed, i);
		sem_post(&taken);
	}
	pthread_join(thread, NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("parker");
	TCase *tcase = tcase_create("parker");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, deadline_ends_the_park);
	tcase_add_test(tcase, early_unparks_count_as_one);
	tcase_add_test(tcase, driver_is_entered_and_interrupted);
	tcase_add_test(tcase, what_was_written_before_is_seen);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
