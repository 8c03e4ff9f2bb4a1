/* SPDX-License-Identifier: MIT */
/* Runtimes that get fewer threads than they ask for: they go on with those they have. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif
#include "platform/sanitizer.h"
#include "support/suite.h"

#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <rt.h>
#include <stdatomic.h>

enum { TASKS = 200, WORKERS = 4, SKIPPED = 77 };

/* How many more threads there may be. */
static atomic_int granted;

#ifndef SANITIZER_THREAD /* which has one of its own there */
/* In place of the C library's. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *arg)
{
	static int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (atomic_fetch_sub(&granted, 1) <= 0)
		return EAGAIN;
	if (!create)
		*(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
	return create(thread, attributes, start, arg);
}
#endif

static const struct rt_runtime_ops *const runtimes[] = {&rt_native, &rt_stealing};
static const int grants[] = {0, 1, 2};

enum { VARIANTS = 6 };

static atomic_int ran;

static int count(void *arg)
{
	struct rt_chan *chan = arg;
	int one = 1;

	ck_assert_int_eq(rt_yield(), 0);
	ck_assert_int_eq(rt_sleep(RT_US(10)), 0);
	atomic_fetch_add(&ran, 1);
	return rt_chan_send(chan, &one, RT_FOREVER);
}

static int spawn_many(void *arg)
{
	struct rt_chan *chan;
	int sum = 0, one;

	(void)arg;
	ck_assert_int_eq(rt_chan_create(&chan, sizeof(int), 3), 0);
	for (int i = 0; i < TASKS; i++)
		rt_detach(rt_spawn(count, chan));
	for (int i = 0; i < TASKS; i++) {
		ck_assert_int_eq(rt_chan_recv(chan, &one, RT_FOREVER), 0);
		sum += one;
	}
	rt_chan_destroy(chan);
	return sum;
}

START_TEST(all_tasks_run_on_the_threads_there_are)
{
	struct rt_runtime_options options = {.workers = WORKERS};

	atomic_store(&granted, grants[_i % 3]);
	ck_assert_int_eq(rt_run(runtimes[_i / 3], &options, spawn_many, NULL, "main"), TASKS);
	ck_assert_int_eq(atomic_load(&ran), TASKS);
	/* It has asked for one at least. */
	ck_assert_int_lt(atomic_load(&granted), grants[_i % 3]);
}
END_TEST

static int wait_in_vain(void *arg)
{
	(void)arg;
	for (int i = 0; i < TASKS; i++)
		rt_detach(rt_spawn(count, NULL));
	return rt_sleep_until(RT_FOREVER);
}

/* Those that could not be started count as asleep. */
START_TEST(a_deadlock_is_found_without_them)
{
	struct rt_runtime_options options = {.workers = WORKERS};

	atomic_store(&granted, grants[_i % 3]);
	ck_assert_int_eq(rt_run(runtimes[_i / 3], &options, wait_in_vain, NULL, "main"), -EDEADLK);
}
END_TEST

int main(void)
{
#ifdef SANITIZER_THREAD
	return SKIPPED;
#endif
	Suite *suite = suite_create("refused thread");
	TCase *tcase = tcase_create("refused thread");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, all_tasks_run_on_the_threads_there_are, 0, VARIANTS);
	tcase_add_loop_test(tcase, a_deadlock_is_found_without_them, 0, VARIANTS);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
