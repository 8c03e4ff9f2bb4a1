/* SPDX-License-Identifier: MIT */
/* The watchdog: whom it reports, when, and how often. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "platform/clock.h"
#include "sched/watchdog.h"
#include "support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <rt.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* What has come on fd 2, which is a pipe in these tests. */
static int reports;
static char said[32768];
static size_t length;

static void redirect(void)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	close(ends[1]);
	reports = ends[0];
	length = 0;
}

/* How the reports of anybody begin, and those of the tasks of a function. */
#define ANYBODY "watchdog: task "
#define REPORT_OF(function) ANYBODY function " (spawned at "

static int occurrences(const char *what)
{
	int count = 0;

	for (const char *at = said; (at = strstr(at, what)); at++)
		count++;
	return count;
}

/* What is on the pipe is added. */
static void read_reports(void)
{
	ssize_t got;

	while ((got = read(reports, said + length, sizeof said - 1 - length)) > 0)
		length += (size_t)got;
	said[length] = '\0';
}

/* How many reports there are so far. */
static int count_reports(void)
{
	read_reports();
	return occurrences(ANYBODY);
}

/* Does not give way. */
static void spin_until(int count)
{
	for (rt_time end = rt_in(RT_S(30)); count_reports() < count; poll(NULL, 0, 1))
		ck_assert_msg(rt_now() < end, "%d reports, not %d: %s", count_reports(), count, said);
}

static void spin_for(rt_time duration)
{
	for (rt_time end = rt_in(duration); rt_now() < end; poll(NULL, 0, 1))
		;
}

static int run(rt_task_fn *fn, void *arg, rt_time limit)
{
	return rt_run(&rt_native, &(struct rt_runtime_options){.watchdog = limit}, fn, arg, "first");
}

/* ---- Reports ---- */

static int stay(void *arg)
{
	spin_until(*(int *)arg);
	return 0;
}

/*
 * Whoever else is reported meanwhile: the first task is rightly, if the machine stalls in its turn. Exported,
 * as its name is to be in the backtrace, and stays to the end of its turn.
 */
__attribute__((visibility("default"), noinline)) int named_once(void *arg);

int named_once(void *arg)
{
	(void)arg;
	for (rt_time end = rt_in(RT_S(30)); occurrences(REPORT_OF("named_once")) == 0; read_reports())
		ck_assert_msg(rt_now() < end, "not reported: %s", said);
	return 0;
}

static int spawn_named_once(void *arg)
{
	return rt_join(rt_spawn(named_once, arg), NULL, RT_FOREVER);
}

static int spawn_one_that_stays(void *arg)
{
	return rt_join(rt_spawn(stay, arg), NULL, RT_FOREVER);
}

START_TEST(who_stays_is_named_while_it_runs)
{
	redirect();
	ck_assert_int_eq(run(spawn_named_once, NULL, RT_MS(20)), 0);
	read_reports();
	ck_assert_int_eq(occurrences(REPORT_OF("named_once")), 1);
	ck_assert_ptr_nonnull(strstr(said, "watchdog_test.c:"));
	ck_assert_ptr_nonnull(strstr(said, ") has not given way for 0.02 s\n"));
	ck_assert_ptr_nonnull(strstr(said, "named_once+"));
}
END_TEST

static int stay_again(void *arg)
{
	for (int i = 1; i <= 3; i++) {
		spin_until(i);
		spin_for(*(rt_time *)arg);
		ck_assert_int_eq(count_reports(), i);
		ck_assert_int_eq(rt_yield(), 0);
	}
	return 0;
}

START_TEST(each_stay_is_reported_once)
{
	rt_time much_longer = RT_MS(50);

	redirect();
	/* It has counted them; its last turn is one more stay, if the machine stalls in it. */
	ck_assert_int_eq(run(stay_again, &much_longer, RT_MS(5)), 0);
}
END_TEST

/* From before the task's turn: a report that takes less than the limit is too early for certain. */
static int note_when(void *arg)
{
	rt_time start = *(rt_time *)arg;

	spin_until(1);
	*(rt_time *)arg = rt_now() - start;
	return 0;
}

START_TEST(nobody_is_reported_before_the_limit)
{
	rt_time taken = rt_now();

	redirect();
	ck_assert_int_eq(run(note_when, &taken, RT_MS(200)), 0);
	ck_assert_int_ge(taken, RT_MS(200));
}
END_TEST

/* The longest time in between: on a machine that stalls, the watchdog is right to report it. */
struct pauses {
	rt_time last, longest;
};

static void note_pause(struct pauses *pauses)
{
	rt_time now = rt_now(), pause = now - pauses->last;

	pauses->longest = pause > pauses->longest ? pause : pauses->longest;
	pauses->last = now;
}

static int keep_giving_way(void *arg)
{
	struct pauses *pauses = arg;

	for (rt_time end = rt_in(RT_MS(700)); pauses->last < end; note_pause(pauses))
		ck_assert_int_eq(rt_yield(), 0);
	/* The sleep itself is none. */
	pauses->last += RT_MS(700);
	return rt_sleep(RT_MS(700));
}

START_TEST(who_gives_way_or_waits_is_not_reported)
{
	struct pauses pauses = {.last = rt_now()};

	redirect();
	ck_assert_int_eq(run(keep_giving_way, &pauses, RT_MS(500)), 0);
	/* The first and the last turn count, too. */
	note_pause(&pauses);
	if (pauses.longest < RT_MS(400))
		ck_assert_int_eq(count_reports(), 0);
}
END_TEST

static rt_time stand_still(void)
{
	return RT_S(1000000000);
}

static int stay_while_time_stands(void *arg)
{
	clock_replace(stand_still);
	for (int i = 0; i < 30000 && count_reports() < 1; i++)
		poll(NULL, 0, 1);
	clock_replace(NULL);
	return count_reports() == 1 ? 0 : *(int *)arg;
}

START_TEST(the_clock_of_tests_does_not_stop_it)
{
	int failure = 1;

	redirect();
	ck_assert_int_eq(run(stay_while_time_stands, &failure, RT_MS(10)), 0);
}
END_TEST

/* ---- Limits ---- */

static int give_back(void *arg)
{
	return *(int *)arg;
}

START_TEST(extreme_limits)
{
	rt_time limits[] = {1, 7, RT_S(1000000000), RT_FOREVER};
	int value = 5;

	redirect();
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(run(give_back, &value, limits[i]), 5);
	value = count_reports() + 1;
	/* However short, the thread has to see the task twice. */
	ck_assert_int_eq(run(spawn_one_that_stays, &value, 1), 0);
	ck_assert_int_ge(count_reports(), value);
}
END_TEST

static int has_no_handler(void *arg)
{
	struct sigaction action;

	ck_assert_int_eq(sigaction(SIGURG, NULL, &action), 0);
	return action.sa_handler == SIG_DFL ? *(int *)arg : -1;
}

START_TEST(no_limit_no_watchdog)
{
	int value = 6;

	ck_assert_int_eq(run(has_no_handler, &value, 0), 6);
	watchdog_destroy(NULL);
}
END_TEST

/* Each look comes at another moment of the life of a task, and of the watchdog. */
START_TEST(start_and_stop_many_times)
{
	int value = 3;

	redirect();
	for (int i = 0; i < scaled(500, 5); i++)
		ck_assert_int_eq(run(give_back, &value, RT_US(i % 3 + 1)), 3);
}
END_TEST

/* ---- Threads ---- */

static atomic_bool both_reported;

/* Both stay at the same time, in turns of the same number, and neither's report is lost. */
static int stay_with_another(void *arg)
{
	(void)arg;
	for (rt_time end = rt_in(RT_S(30)); !atomic_load(&both_reported); poll(NULL, 0, 1))
		ck_assert_msg(rt_now() < end, "a report was lost");
	return 0;
}

static void *run_with_limit(void *arg)
{
	ck_assert_int_eq(run(stay_with_another, NULL, *(rt_time *)arg), 0);
	return NULL;
}

START_TEST(two_runtimes_on_two_threads)
{
	rt_time limits[] = {RT_MS(20), RT_MS(21)};
	pthread_t threads[2];

	redirect();
	for (int round = 0; round < 5; round++) {
		atomic_store(&both_reported, false);
		for (int i = 0; i < 2; i++)
			ck_assert_int_eq(pthread_create(&threads[i], NULL, run_with_limit, &limits[i]), 0);
		spin_until(2 * round + 2);
		atomic_store(&both_reported, true);
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
	}
	/* The rest of the last one. */
	read_reports();
	ck_assert_int_eq(occurrences(" for 0.02 s\n"), 5);
	ck_assert_int_eq(occurrences(" for 0.021 s\n"), 5);
}
END_TEST

/* Of one runtime: whoever has started them, and whatever it does itself. */
static int stay_on_two_workers(void *arg)
{
	struct rt_task *other = rt_spawn(stay_with_another, arg);
	struct rt_task *another = rt_spawn(stay_with_another, arg);

	rt_join(other, NULL, RT_FOREVER);
	return rt_join(another, NULL, RT_FOREVER);
}

/* Whatever else is reported: the first task is, if the machine stalls in its turn. */
static void *see_both(void *arg)
{
	rt_time end = rt_in(RT_S(30));

	(void)arg;
	for (read_reports(); occurrences(REPORT_OF("stay_with_another")) < 2; read_reports()) {
		ck_assert_msg(rt_now() < end, "not both: %s", said);
		poll(NULL, 0, 1);
	}
	atomic_store(&both_reported, true);
	return NULL;
}

static void watch_workers(const struct rt_runtime_ops *ops)
{
	struct rt_runtime_options options = {.watchdog = RT_MS(20), .workers = 3};
	pthread_t seer;

	atomic_store(&both_reported, false);
	ck_assert_int_eq(pthread_create(&seer, NULL, see_both, NULL), 0);
	ck_assert_int_eq(rt_run(ops, &options, stay_on_two_workers, NULL, "first"), 0);
	pthread_join(seer, NULL);
	read_reports();
	ck_assert_int_eq(occurrences(REPORT_OF("stay_with_another")), 2);
}

START_TEST(all_workers_are_watched)
{
	redirect();
	watch_workers(&rt_native);
	redirect();
	watch_workers(&rt_stealing);
}
END_TEST

/* A signal from elsewhere accuses nobody. */
static int raise_urgent(void *arg)
{
	errno = ENOTTY;
	raise(SIGURG);
	ck_assert_int_eq(errno, ENOTTY);
	return *(int *)arg;
}

START_TEST(a_signal_that_is_not_its_own_is_nothing)
{
	struct watchdog *watchdog;
	int value = 4;

	redirect();
	/* On a thread that has never run a task. */
	ck_assert_int_eq(watchdog_create(&watchdog, RT_S(100)), 0);
	raise(SIGURG);
	watchdog_destroy(watchdog);
	ck_assert_int_eq(run(raise_urgent, &value, RT_S(100)), 4);
	/* Without a runtime. Valgrind would take the alternate stack, disabled and unmapped as it is. */
	if (!RUNNING_ON_VALGRIND)
		raise(SIGURG);
	ck_assert_int_eq(count_reports(), 0);
}
END_TEST

static struct sigaction reporter;
static volatile sig_atomic_t reported;

static void report_and_note(int signal)
{
	reporter.sa_handler(signal);
	reported = true;
}

/* Nobody can read the report, whose writing fails. */
static int stay_unheard(void *arg)
{
	struct sigaction action;

	ck_assert_int_eq(sigaction(SIGURG, NULL, &reporter), 0);
	action = reporter;
	action.sa_handler = report_and_note;
	reported = false;
	ck_assert_int_eq(sigaction(SIGURG, &action, NULL), 0);
	close(STDERR_FILENO);
	errno = ENOTTY;
	for (rt_time end = rt_in(RT_S(30)); !reported && rt_now() < end;)
		;
	return reported && errno == ENOTTY ? *(int *)arg : -1;
}

START_TEST(a_report_leaves_errno_alone)
{
	int value = 8;

	redirect();
	ck_assert_int_eq(run(stay_unheard, &value, RT_MS(5)), 8);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("watchdog");
	TCase *tcase = tcase_create("watchdog");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, who_stays_is_named_while_it_runs);
	tcase_add_test(tcase, each_stay_is_reported_once);
	tcase_add_test(tcase, nobody_is_reported_before_the_limit);
	tcase_add_test(tcase, who_gives_way_or_waits_is_not_reported);
	tcase_add_test(tcase, the_clock_of_tests_does_not_stop_it);
	tcase_add_test(tcase, extreme_limits);
	tcase_add_test(tcase, no_limit_no_watchdog);
	tcase_add_test(tcase, start_and_stop_many_times);
	tcase_add_test(tcase, two_runtimes_on_two_threads);
	tcase_add_test(tcase, all_workers_are_watched);
	tcase_add_test(tcase, a_report_leaves_errno_alone);
	tcase_add_test(tcase, a_signal_that_is_not_its_own_is_nothing);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
