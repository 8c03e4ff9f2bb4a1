/* SPDX-License-Identifier: MIT */
/* The crew: who rests, and where. Worker 0 is the test's thread. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/crew.h"
#include "support/suite.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { WORKERS = 2 };

static struct rt_runtime runtime;
static struct crew *crew;
static atomic_bool in_task; /* what worker 1 does: whatever a task does that lists all tasks */
static atomic_int listed;
static atomic_bool begun;

static void work(void *arg, unsigned number)
{
	(void)arg;
	ck_assert_uint_eq(number, 1);
	atomic_store(&begun, true);
	do {
		while (!crew_must_rest(crew))
			sched_yield();
		if (atomic_load(&in_task)) {
			ck_assert_int_eq(crew_pause(crew, true, RT_S(30)), 0);
			atomic_fetch_add(&listed, 1);
			crew_resume(crew);
		}
	} while (crew_rest(crew));
}

static void alert(void *arg, unsigned number)
{
	(void)arg, (void)number;
}

static void create(void)
{
	struct crew_options options = {.runtime = &runtime, .workers = WORKERS, .work = work, .alert = alert};

	ck_assert_int_eq(crew_create(&crew, &options), 0);
	crew_open(crew);
	ck_assert_int_eq(crew_start(crew, 1), 0);
	while (!atomic_load(&begun))
		sched_yield();
}

static void destroy(void)
{
	crew_close(crew, RT_S(30));
	crew_destroy(crew);
}

START_TEST(whoever_rests_between_tasks_is_in_none)
{
	create();
	ck_assert_int_eq(crew_pause(crew, true, RT_S(30)), 0);
	ck_assert(!crew_rests_in_task(crew));
	crew_resume(crew);
	destroy();
}
END_TEST

/* That task goes on, and so nothing can be concluded from the rest of all. */
START_TEST(whoever_wants_all_to_rest_rests_in_its_task)
{
	atomic_store(&in_task, true);
	create();
	ck_assert_int_eq(crew_pause(crew, true, RT_S(30)), 0);
	ck_assert(crew_rests_in_task(crew));
	ck_assert_int_eq(atomic_load(&listed), 0);
	atomic_store(&in_task, false);
	crew_resume(crew);
	while (atomic_load(&listed) == 0)
		crew_rest(crew);
	ck_assert(!crew_rests_in_task(crew));
	destroy();
}
END_TEST

START_TEST(whoever_does_not_rest_in_time_is_busy)
{
	create();
	crew_enter(crew); /* one more, which never rests */
	ck_assert_int_eq(crew_pause(crew, true, RT_MS(1)), -EBUSY);
	crew_resume(crew);
	crew_leave(crew);
	destroy();
}
END_TEST

/* As a finalizer that lists all tasks, of a VM that is being closed. */
START_TEST(whoever_has_all_rest_may_do_so_once_more)
{
	create();
	ck_assert_int_eq(crew_pause(crew, true, RT_S(30)), 0);
	ck_assert_int_eq(crew_pause(crew, true, RT_S(30)), 0);
	crew_resume(crew);
	ck_assert(crew_must_rest(crew));
	crew_resume(crew);
	ck_assert(!crew_must_rest(crew));
	destroy();
}
END_TEST

static void *resume(void *arg)
{
	(void)arg;
	crew_resume(crew);
	return NULL;
}

START_TEST(whoever_does_not_have_all_rest_ends_nothing)
{
	pthread_t other;

	create();
	ck_assert_int_eq(crew_pause(crew, true, RT_S(30)), 0);
	ck_assert_int_eq(pthread_create(&other, NULL, resume, NULL), 0);
	pthread_join(other, NULL);
	ck_assert(crew_must_rest(crew));
	crew_resume(crew);
	destroy();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crew");
	TCase *tcase = tcase_create("rest");

	tcase_add_test(tcase, whoever_rests_between_tasks_is_in_none);
	tcase_add_test(tcase, whoever_wants_all_to_rest_rests_in_its_task);
	tcase_add_test(tcase, whoever_does_not_rest_in_time_is_busy);
	tcase_add_test(tcase, whoever_has_all_rest_may_do_so_once_more);
	tcase_add_test(tcase, whoever_does_not_have_all_rest_ends_nothing);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
