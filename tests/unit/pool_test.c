/* SPDX-License-Identifier: MIT */
/* The thread pool: order, growth, limit, shrinking, refused threads, cancellation, destruction. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/pool.h"
#include "support/suite.h"

#include "base/list.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <time.h>
#include <unistd.h>

struct probe {
	struct rt_job job;
	int worked, done; /* their order, 0: not yet */
	pthread_t worker, finisher;
	sem_t *begun, *may_end; /* NULL: not used */
	sem_t finished;
};

static sem_t notified;
static int work_count, done_count;

static void notify(void *arg)
{
	ck_assert_ptr_eq(arg, &notified);
	sem_post(&notified);
}

/* Bounded: a test that would hang fails. */
static void await(sem_t *semaphore)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 20;
	if (sem_timedwait(semaphore, &until) < 0)
		ck_abort_msg("waited for 20 seconds");
}

static void work(struct rt_job *job)
{
	struct probe *probe = container_of(job, struct probe, job);

	probe->worker = pthread_self();
	probe->worked = __atomic_add_fetch(&work_count, 1, __ATOMIC_SEQ_CST);
	if (probe->begun)
		sem_post(probe->begun);
	if (probe->may_end)
		await(probe->may_end);
}

static void done(struct rt_job *job)
{
	struct probe *probe = container_of(job, struct probe, job);

	probe->finisher = pthread_self();
	probe->done = __atomic_add_fetch(&done_count, 1, __ATOMIC_SEQ_CST);
	sem_post(&probe->finished);
}

static struct pool *create_with(struct pool_options options)
{
	struct pool *pool;

	options.notify = notify;
	options.arg = &notified;
	sem_init(&notified, 0, 0);
	ck_assert_int_eq(pool_create(&pool, &options), 0);
	return pool;
}

static struct pool *create(unsigned threads)
{
	return create_with((struct pool_options){.max_threads = threads});
}

static int try_to_submit(struct pool *pool, struct probe *probe)
{
	probe->job.work = work;
	probe->job.done = done;
	sem_init(&probe->finished, 0, 0);
	return pool_submit(pool, &probe->job);
}

static void submit(struct pool *pool, struct probe *probe)
{
	ck_assert_int_eq(try_to_submit(pool, probe), 0);
}

static void collect_all(struct pool *pool)
{
	while (pool_pending(pool) > 0) {
		await(&notified);
		pool_collect(pool);
	}
}

START_TEST(jobs_are_worked_elsewhere_and_done_here)
{
	struct pool *pool = create(4);
	struct probe probe = {0};

	ck_assert_uint_eq(pool_pending(pool), 0);
	submit(pool, &probe);
	ck_assert_uint_eq(pool_pending(pool), 1);
	collect_all(pool);
	ck_assert_int_eq(probe.worked, 1);
	ck_assert_int_eq(probe.done, 1);
	ck_assert(!pthread_equal(probe.worker, pthread_self()));
	ck_assert(pthread_equal(probe.finisher, pthread_self()));
	pool_collect(pool);
	ck_assert_int_eq(done_count, 1);
	pool_destroy(pool);
}
END_TEST

START_TEST(one_thread_keeps_the_order)
{
	enum { JOBS = 1000 };
	struct pool *pool = create(1);
	struct probe *probes = calloc(JOBS, sizeof *probes);

	for (int i = 0; i < JOBS; i++)
		submit(pool, &probes[i]);
	ck_assert_uint_eq(pool_pending(pool), JOBS);
	collect_all(pool);
	for (int i = 0; i < JOBS; i++)
		if (probes[i].worked != i + 1 || probes[i].done != i + 1)
			ck_abort_msg("job %d was worked as %d, done as %d", i, probes[i].worked,
				     probes[i].done);
	free(probes);
	pool_destroy(pool);
}
END_TEST

/* Jobs that each wait for the last to begin need a thread each. */
START_TEST(it_grows_up_to_its_limit)
{
	enum { LIMIT = 8 };
	struct pool *pool = create(LIMIT);
	struct probe probes[LIMIT + 2] = {0};
	sem_t begun, may_end;

	sem_init(&begun, 0, 0);
	sem_init(&may_end, 0, 0);
	for (int i = 0; i < LIMIT + 2; i++) {
		probes[i].begun = &begun;
		probes[i].may_end = &may_end;
		submit(pool, &probes[i]);
	}
	for (int i = 0; i < LIMIT; i++)
		await(&begun);
	ck_assert_int_eq(__atomic_load_n(&work_count, __ATOMIC_SEQ_CST), LIMIT);
	for (int i = 0; i < LIMIT; i++)
		for (int j = 0; j < i; j++)
			ck_assert(!pthread_equal(probes[i].worker, probes[j].worker));
	for (int i = 0; i < LIMIT + 2; i++)
		sem_post(&may_end);
	collect_all(pool);
	ck_assert_int_eq(work_count, LIMIT + 2);
	pool_destroy(pool);
}
END_TEST

/* The first ends only when the second has begun: the one idle thread is not enough for both. */
START_TEST(an_idle_thread_counts_once)
{
	for (int round = 0; round < 20; round++) {
		struct pool *pool = create(2);
		sem_t second_begun;
		struct probe warm = {0}, first = {.may_end = &second_begun},
			     second = {.begun = &second_begun};

		sem_init(&second_begun, 0, 0);
		submit(pool, &warm);
		collect_all(pool);
		/* For the thread to become idle; if it does not, this round proves nothing. */
		usleep(1000);
		submit(pool, &first);
		submit(pool, &second);
		collect_all(pool);
		pool_destroy(pool);
	}
}
END_TEST

START_TEST(threads_are_reused)
{
	struct pool *pool = create(1);
	struct probe first = {0}, second = {0};

	submit(pool, &first);
	collect_all(pool);
	submit(pool, &second);
	collect_all(pool);
	ck_assert(pthread_equal(first.worker, second.worker));
	pool_destroy(pool);
}
END_TEST

/* ---- Shrinking ---- */

static void await_threads(struct pool *pool, unsigned wanted)
{
	for (int i = 0; pool_threads(pool) != wanted; i++) {
		ck_assert_int_lt(i, 20000);
		usleep(1000);
	}
}

/* Jobs that begin together: so many threads. */
static void occupy(struct pool *pool, int threads)
{
	struct probe probes[threads];
	sem_t begun, may_end;

	sem_init(&begun, 0, 0);
	sem_init(&may_end, 0, 0);
	for (int i = 0; i < threads; i++) {
		probes[i] = (struct probe){.begun = &begun, .may_end = &may_end};
		submit(pool, &probes[i]);
	}
	for (int i = 0; i < threads; i++)
		await(&begun);
	ck_assert_uint_eq(pool_threads(pool), (unsigned)threads);
	for (int i = 0; i < threads; i++)
		sem_post(&may_end);
	collect_all(pool);
}

START_TEST(idle_threads_end_and_start_again)
{
	struct pool *pool = create_with((struct pool_options){.max_threads = 4, .idle = RT_MS(1)});

	ck_assert_uint_eq(pool_threads(pool), 0);
	for (int round = 0; round < 5; round++) {
		occupy(pool, 4);
		await_threads(pool, 0);
	}
	pool_destroy(pool);
}
END_TEST

/* Were it the turn of the one that has waited longest, all of them would have some work now and then. */
START_TEST(too_many_threads_end_although_there_is_work)
{
	struct pool *pool = create_with((struct pool_options){.max_threads = 4, .idle = RT_MS(200)});

	occupy(pool, 4);
	for (rt_time end = rt_in(RT_S(30)); pool_threads(pool) > 1;) {
		struct probe probe = {0};

		ck_assert_int_lt(rt_now(), end);
		submit(pool, &probe);
		collect_all(pool);
		usleep(1000);
	}
	pool_destroy(pool);
}
END_TEST

/* ---- Threads that cannot be started ---- */

static bool refuse;

static int start_or_refuse(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	return refuse ? EAGAIN : pthread_create(thread, NULL, run, arg);
}

START_TEST(without_any_thread_jobs_are_refused)
{
	struct pool *pool = create_with((struct pool_options){.start = start_or_refuse});
	struct probe probe = {0};

	refuse = true;
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(try_to_submit(pool, &probe), -EAGAIN);
	ck_assert_uint_eq(pool_pending(pool), 0);
	ck_assert_uint_eq(pool_threads(pool), 0);
	refuse = false;
	submit(pool, &probe);
	collect_all(pool);
	ck_assert_int_eq(probe.done, 1);
	ck_assert_int_eq(work_count, 1);
	pool_destroy(pool);
}
END_TEST

START_TEST(it_goes_on_with_the_threads_that_it_has)
{
	struct pool *pool = create_with((struct pool_options){.start = start_or_refuse});
	sem_t may_end, begun;
	struct probe first = {.may_end = &may_end}, others[3] = {0}, last = {.begun = &begun};

	sem_init(&may_end, 0, 0);
	sem_init(&begun, 0, 0);
	submit(pool, &first);
	refuse = true;
	for (int i = 0; i < 3; i++)
		submit(pool, &others[i]);
	ck_assert_uint_eq(pool_threads(pool), 1);
	/* The next one is tried again. */
	refuse = false;
	submit(pool, &last);
	await(&begun);
	ck_assert_uint_eq(pool_threads(pool), 2);
	sem_post(&may_end);
	collect_all(pool);
	ck_assert_int_eq(work_count, 5);
	pool_destroy(pool);
}
END_TEST

/* ---- Cancellation ---- */

START_TEST(what_has_not_begun_is_cancelled)
{
	enum { JOBS = 5 };
	struct pool *pool = create(1);
	sem_t begun, may_end;
	struct probe running = {.begun = &begun, .may_end = &may_end}, queued[JOBS] = {0};

	sem_init(&begun, 0, 0);
	sem_init(&may_end, 0, 0);
	submit(pool, &running);
	await(&begun);
	for (int i = 0; i < JOBS; i++)
		submit(pool, &queued[i]);
	/* The last, the first, one in the middle. */
	ck_assert(pool_cancel(pool, &queued[4].job));
	ck_assert(pool_cancel(pool, &queued[0].job));
	ck_assert(pool_cancel(pool, &queued[2].job));
	ck_assert_uint_eq(pool_pending(pool), 3);
	/* At the end again. */
	submit(pool, &queued[0]);
	ck_assert(!pool_cancel(pool, &running.job));
	sem_post(&may_end);
	collect_all(pool);
	ck_assert_int_eq(running.done, 1);
	ck_assert_int_eq(queued[1].worked, 2);
	ck_assert_int_eq(queued[3].worked, 3);
	ck_assert_int_eq(queued[0].worked, 4);
	ck_assert_int_eq(queued[2].worked + queued[4].worked, 0);
	ck_assert_int_eq(done_count, 4);
	pool_destroy(pool);
	ck_assert_int_eq(done_count, 4);
}
END_TEST

START_TEST(what_has_been_worked_is_not_cancelled)
{
	struct pool *pool = create(1);
	struct probe probe = {0};

	submit(pool, &probe);
	await(&notified);
	ck_assert(!pool_cancel(pool, &probe.job));
	ck_assert_uint_eq(pool_pending(pool), 1);
	pool_collect(pool);
	ck_assert_int_eq(probe.done, 1);
	pool_destroy(pool);
}
END_TEST

/* ---- Several threads of one runtime ---- */

enum { USERS = 3, USES = 400 };

struct user {
	struct pool *pool;
	struct probe *probes;
	int cancelled;
	pthread_t thread;
};

static void *use(void *arg)
{
	struct user *user = arg;

	for (int i = 0; i < USES; i++) {
		submit(user->pool, &user->probes[i]);
		if (i % 3 && pool_cancel(user->pool, &user->probes[i].job)) {
			sem_post(&user->probes[i].finished);
			user->cancelled++;
		}
		if (i % 5 == 0)
			pool_collect(user->pool);
	}
	return NULL;
}

START_TEST(several_threads_share_a_pool)
{
	struct pool *pool = create_with((struct pool_options){.max_threads = 3, .idle = RT_US(20)});
	struct user users[USERS];
	int cancelled = 0;

	for (int i = 0; i < USERS; i++) {
		users[i] = (struct user){.pool = pool, .probes = calloc(USES, sizeof *users[i].probes)};
		pthread_create(&users[i].thread, NULL, use, &users[i]);
	}
	for (int i = 0; i < USERS; i++) {
		pthread_join(users[i].thread, NULL);
		cancelled += users[i].cancelled;
	}
	while (pool_pending(pool) > 0) {
		pool_collect(pool);
		usleep(100);
	}
	ck_assert_int_eq(work_count, USERS * USES - cancelled);
	ck_assert_int_eq(done_count, work_count);
	for (int i = 0; i < USERS; i++) {
		for (int j = 0; j < USES; j++)
			await(&users[i].probes[j].finished);
		free(users[i].probes);
	}
	pool_destroy(pool);
}
END_TEST

/* ---- Destruction ---- */

START_TEST(destroying_an_empty_pool)
{
	pool_destroy(NULL);
	pool_destroy(create(3));
}
END_TEST

START_TEST(queued_jobs_are_done_without_work)
{
	struct pool *pool = create(1);
	sem_t begun, may_end;
	struct probe running = {.begun = &begun, .may_end = &may_end}, queued[3] = {0};

	sem_init(&begun, 0, 0);
	sem_init(&may_end, 0, 0);
	submit(pool, &running);
	for (int i = 0; i < 3; i++)
		submit(pool, &queued[i]);
	await(&begun);
	pool_destroy(pool);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(queued[i].worked, 0);
		ck_assert_int_eq(queued[i].done, i + 1);
		ck_assert(pthread_equal(queued[i].finisher, pthread_self()));
	}
	ck_assert_int_eq(running.done, 0);
	/* The one under way ends on its thread, although the pool is gone. */
	sem_post(&may_end);
	await(&running.finished);
	ck_assert_int_eq(running.done, 4);
	ck_assert(!pthread_equal(running.finisher, pthread_self()));
	ck_assert_int_eq(work_count, 1);
}
END_TEST

START_TEST(worked_jobs_are_done_at_the_latest_by_destroy)
{
	struct pool *pool = create(1);
	struct probe probe = {0};

	submit(pool, &probe);
	await(&notified);
	ck_assert_int_eq(probe.done, 0);
	pool_destroy(pool);
	ck_assert_int_eq(probe.done, 1);
}
END_TEST

/* Destroyed at any moment, every job is done exactly once. */
START_TEST(no_job_is_lost)
{
	enum { JOBS = 20 };

	for (int round = 0; round < 200; round++) {
		struct pool *pool = create(3);
		struct probe probes[JOBS] = {0};

		for (int i = 0; i < JOBS; i++)
			submit(pool, &probes[i]);
		for (int i = 0; i < round % 7 && pool_pending(pool) > 0; i++) {
			await(&notified);
			pool_collect(pool);
		}
		pool_destroy(pool);
		for (int i = 0; i < JOBS; i++) {
			await(&probes[i].finished);
			ck_assert_int_eq(sem_trywait(&probes[i].finished), -1);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool");
	TCase *tcase = tcase_create("pool");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, jobs_are_worked_elsewhere_and_done_here);
	tcase_add_test(tcase, one_thread_keeps_the_order);
	tcase_add_test(tcase, it_grows_up_to_its_limit);
	tcase_add_test(tcase, an_idle_thread_counts_once);
	tcase_add_test(tcase, threads_are_reused);
	tcase_add_test(tcase, idle_threads_end_and_start_again);
	tcase_add_test(tcase, too_many_threads_end_although_there_is_work);
	tcase_add_test(tcase, without_any_thread_jobs_are_refused);
	tcase_add_test(tcase, it_goes_on_with_the_threads_that_it_has);
	tcase_add_test(tcase, what_has_not_begun_is_cancelled);
	tcase_add_test(tcase, what_has_been_worked_is_not_cancelled);
	tcase_add_test(tcase, several_threads_share_a_pool);
	tcase_add_test(tcase, destroying_an_empty_pool);
	tcase_add_test(tcase, queued_jobs_are_done_without_work);
	tcase_add_test(tcase, worked_jobs_are_done_at_the_latest_by_destroy);
	tcase_add_test(tcase, no_job_is_lost);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
