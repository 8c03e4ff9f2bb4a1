/* SPDX-License-Identifier: MIT */
/* offload(): blocking work is done elsewhere, and told once, on a thread of the runtime. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "conformance.h"

#include "base/list.h"

#include <errno.h>
#include <time.h>

enum { ERRANDS = 100 };

struct errand {
	struct rt_job job;
	atomic_int worked, done;
	pthread_t worker;
};

static struct errand errands[ERRANDS];
static atomic_int count;

static void work(struct rt_job *job)
{
	struct errand *errand = container_of(job, struct errand, job);

	ck_assert_ptr_null(rt_runtime_current());
	errand->worker = pthread_self();
	ck_assert_int_eq(atomic_fetch_add(&errand->worked, 1), 0);
}

static void done(struct rt_job *job)
{
	struct errand *errand = container_of(job, struct errand, job);

	ck_assert_ptr_eq(rt_runtime_current(), runtime);
	ck_assert_ptr_null(rt_task_current());
	ck_assert(!pthread_equal(errand->worker, pthread_self()));
	ck_assert_int_eq(atomic_load(&errand->worked), 1);
	ck_assert_int_eq(atomic_fetch_add(&errand->done, 1), 0);
	/* Unlocked: it may take the lock. */
	rt_runtime_lock(runtime);
	rt_runtime_unlock(runtime);
	atomic_fetch_add(&count, 1);
}

ON_EVERY(blocking_work_is_done_elsewhere)
{
	for (int i = 0; i < ERRANDS; i++) {
		errands[i].job = (struct rt_job){.work = work, .done = done};
		ck_assert_int_eq(ops->offload(runtime, &errands[i].job), 0);
	}
	if (is_ordered())
		ck_assert_int_eq(atomic_load(&count), 0);
	await_count(&count, ERRANDS);
}

/* A job under way is something to wait for: no deadlock. */
static struct rt_event *event;

static void linger(struct rt_job *job)
{
	(void)job;
	nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

static void set_event(struct rt_job *job)
{
	(void)job;
	rt_event_set(event);
}

ON_EVERY(a_job_is_worth_waiting_for)
{
	struct rt_job job = {.work = linger, .done = set_event};

	ck_assert_int_eq(rt_event_create(&event), 0);
	ck_assert_int_eq(ops->offload(runtime, &job), 0);
	ck_assert_int_eq(rt_event_wait(event, RT_FOREVER), 0);
	rt_event_destroy(event);
}

/* The program ends while jobs are queued and under way: each is still told once, if only later. */
static void linger_and_count(struct rt_job *job)
{
	linger(job);
	atomic_fetch_add(&container_of(job, struct errand, job)->worked, 1);
}

static void count_done(struct rt_job *job)
{
	struct errand *errand = container_of(job, struct errand, job);

	ck_assert_int_eq(atomic_fetch_add(&errand->done, 1), 0);
	atomic_fetch_add(&count, 1);
}

static int leave_jobs(void *arg)
{
	(void)arg;
	runtime = rt_runtime_current();
	for (int i = 0; i < ERRANDS; i++) {
		errands[i].job = (struct rt_job){.work = linger_and_count, .done = count_done};
		ck_assert_int_eq(runtime->ops->offload(runtime, &errands[i].job), 0);
	}
	return 0;
}

IN_EVERY(jobs_outlive_the_program)
{
	ck_assert_int_eq(run_in(setting, leave_jobs, "leave_jobs"), 0);
	for (rt_time end = rt_in(PATIENCE); atomic_load(&count) < ERRANDS && rt_now() < end;)
		linger(NULL);
	ck_assert_int_eq(atomic_load(&count), ERRANDS);
	for (int i = 0; i < ERRANDS; i++)
		ck_assert_int_le(atomic_load(&errands[i].worked), 1);
}

void add_offload(Suite *suite)
{
	TCase *tcase = new_case(suite, "offload");

	ADD(tcase, blocking_work_is_done_elsewhere);
	ADD(tcase, a_job_is_worth_waiting_for);
	ADD(tcase, jobs_outlive_the_program);
}
