/* SPDX-License-Identifier: MIT */
/* offload() and recall(): blocking work is done elsewhere, and told once, on a thread of the runtime. */
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

/* ---- Taken back ---- */

static void count_done_locked(struct rt_job *job)
{
	rt_runtime_lock(runtime);
	count_done(job);
	rt_runtime_unlock(runtime);
}

/* Recalled or not, each is done() exactly if it was worked. */
static int recall_most(void *arg)
{
	int recalled = 0;

	(void)arg;
	runtime = rt_runtime_current();
	ops = runtime->ops;
	for (int i = 0; i < ERRANDS; i++) {
		errands[i].job = (struct rt_job){.work = linger_and_count, .done = count_done_locked};
		ck_assert_int_eq(ops->offload(runtime, &errands[i].job), 0);
	}
	for (int i = ERRANDS - 1; i > 0; i--) {
		rt_runtime_lock(runtime);
		if (atomic_load(&errands[i].done) == 0 && ops->recall(runtime, &errands[i].job)) {
			recalled++;
			atomic_store(&errands[i].done, -1);
		}
		rt_runtime_unlock(runtime);
	}
	await_count(&count, ERRANDS - recalled);
	for (int i = 0; i < ERRANDS; i++)
		ck_assert_int_eq(atomic_load(&errands[i].worked), atomic_load(&errands[i].done) > 0);
	return 0;
}

IN_EVERY(what_is_taken_back_is_not_worked)
{
	if (setting.ops->recall)
		ck_assert_int_eq(run_in(setting, recall_most, "recall_most"), 0);
}

/* ---- rt_blocking() ---- */

enum { CALLERS = 40, CALLS = 20 };

static atomic_int begun;

static int add_one(void *arg)
{
	ck_assert_ptr_null(rt_runtime_current());
	atomic_fetch_add(&begun, 1);
	return ++*(int *)arg;
}

static int call_often(void *arg)
{
	int value = 0;

	(void)arg;
	for (int i = 0; i < CALLS; i++)
		ck_assert_int_eq(rt_blocking(add_one, &value, rt_in(PATIENCE)), i + 1);
	return 0;
}

ON_EVERY(many_tasks_block)
{
	struct rt_task *tasks[CALLERS];

	for (int i = 0; i < CALLERS; i++)
		tasks[i] = start(call_often, NULL);
	for (int i = 0; i < CALLERS; i++)
		ck_assert_int_eq(finish(tasks[i]), 0);
	ck_assert_int_eq(atomic_load(&begun), CALLERS * CALLS);
}

/* The calls that have begun give their result, the others -ECANCELED; what is on the stack is safe. */
static int call_until_cancelled(void *arg)
{
	int value = 0, calls = 0, result;

	(void)arg;
	while ((result = rt_blocking(add_one, &value, RT_FOREVER)) > 0)
		ck_assert_int_eq(result, ++calls);
	ck_assert_int_eq(result, -ECANCELED);
	ck_assert_int_eq(value, calls);
	return calls;
}

ON_EVERY(blocking_tasks_are_cancelled)
{
	struct rt_task *tasks[CALLERS];
	int calls = 0;

	for (int i = 0; i < CALLERS; i++)
		tasks[i] = start(call_until_cancelled, NULL);
	for (int i = 0; i < CALLERS; i++) {
		ck_assert_int_eq(rt_sleep(RT_US(100)), 0);
		rt_cancel(tasks[i]);
	}
	for (int i = 0; i < CALLERS; i++)
		calls += finish(tasks[i]);
	ck_assert_int_eq(atomic_load(&begun), calls);
}

void add_offload(Suite *suite)
{
	TCase *tcase = new_case(suite, "offload");

	ADD(tcase, blocking_work_is_done_elsewhere);
	ADD(tcase, a_job_is_worth_waiting_for);
	ADD(tcase, jobs_outlive_the_program);
	ADD(tcase, what_is_taken_back_is_not_worked);
	ADD(tcase, many_tasks_block);
	ADD(tcase, blocking_tasks_are_cancelled);
}
