/* SPDX-License-Identifier: MIT */
/* RT_TEST: verdicts of passing and failing bodies, in both modes of Check, told by a child process. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/child.h"
#include "support/suite.h"

#include <errno.h>
#include <string.h>

/* As in a file that includes <check.h> alone. */
static void fail_directly(void)
{
	ck_abort_msg("directly");
}

#include <rt/test.h>

/* ---- What is run in the child ---- */

static int assert_in_vain(void *arg)
{
	(void)arg;
	rt_yield();
	ck_assert_msg(false, "fails at line %d", __LINE__);
	return 0;
}

static int sleep_long(void *arg)
{
	(void)arg;
	return rt_sleep(RT_S(1000));
}

RT_TEST(passes)
{
	ck_assert_ptr_nonnull(rt_task_current());
	ck_assert_str_eq(rt_task_name(rt_task_current()), "passes");
	ck_assert_int_eq(rt_sleep(1), 0);
}

RT_TEST(fails_in_the_body)
{
	rt_yield();
	ck_assert_int_eq(1, 2);
}

RT_TEST(fails_in_another_task)
{
	rt_join(rt_spawn(assert_in_vain, NULL), NULL, RT_FOREVER);
	ck_abort_msg("went on");
}

RT_TEST(fails_when_cancelled)
{
	rt_cancel(rt_task_current());
	ck_abort_msg("cancelled");
}

RT_TEST(fails_directly)
{
	fail_directly();
}

RT_TEST(leaves_a_task)
{
	rt_detach(rt_spawn(sleep_long, NULL));
	rt_yield();
}

RT_TEST(leaves_a_failing_task)
{
	rt_detach(rt_spawn(assert_in_vain, NULL));
}

RT_TEST(fails_and_leaves_a_failing_task)
{
	rt_detach(rt_spawn(assert_in_vain, NULL));
	ck_abort_msg("first");
}

static int join_other(void *arg)
{
	return rt_join(*(struct rt_task **)arg, NULL, RT_FOREVER);
}

static struct rt_chan *chan;

static int receive(void *arg)
{
	(void)arg;
	return rt_chan_recv(chan, &(int){0}, RT_FOREVER);
}

RT_TEST(deadlocks)
{
	struct rt_task *task;

	ck_assert_int_eq(rt_chan_create(&chan, sizeof(int), 0), 0);
	task = rt_spawn(receive, NULL);
	rt_join(rt_spawn(join_other, &task), NULL, RT_FOREVER);
}

static int last_spawned;

static int note(void *arg)
{
	last_spawned = *(int *)arg;
	return 0;
}

/* First come, first served ends with the second one. */
RT_TEST(expects_an_order)
{
	int numbers[] = {1, 2};
	struct rt_task *tasks[2];

	for (int i = 0; i < 2; i++)
		tasks[i] = rt_spawn(note, &numbers[i]);
	for (int i = 0; i < 2; i++)
		rt_join(tasks[i], NULL, RT_FOREVER);
	ck_assert_int_eq(last_spawned, 2);
}

RT_TEST(sleeps_for_a_day)
{
	rt_time before = rt_now();

	ck_assert_int_eq(rt_sleep(RT_S(86400)), 0);
	ck_assert_int_eq(rt_now() - before, RT_S(86400));
}

static int runs;

RT_TEST(counts_its_runs)
{
	runs++;
}

static const struct rt_runtime_ops *ran_on;

RT_TEST(tells_its_runtime)
{
	ran_on = rt_runtime_current()->ops;
}

/* ---- Running it there, with Check's report on stderr ---- */

static void (*add_tests)(TCase *tcase);
static enum fork_status mode;

static int run_child(void)
{
	TCase *tcase = tcase_create("child");
	Suite *suite = suite_create("child");
	SRunner *runner = srunner_create(suite);

	dup2(STDERR_FILENO, STDOUT_FILENO);
	/* A second worker could run what is to be left behind. */
	setenv("RT_WORKERS", "1", 1);
	add_tests(tcase);
	suite_add_tcase(suite, tcase);
	srunner_set_fork_status(runner, mode);
	srunner_run_all(runner, CK_VERBOSE);
	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	fflush(stdout);
	return failed;
}

/* What tells its own line must be reported as being there. */
static void check_line(const char *said)
{
	const char *told = strstr(said, "fails at line ");
	char place[64];

	if (!told)
		return;
	snprintf(place, sizeof place, "rt_test_test.c:%d:F:", atoi(told + strlen("fails at line ")));
	ck_assert_msg(strstr(said, place), "no %s in: %s", place, said);
}

enum { FORKING, NOT_FORKING, MODES };
static const enum fork_status modes[MODES] = {[FORKING] = CK_FORK, [NOT_FORKING] = CK_NOFORK};

/* Runs the tests in the mode of that index; that many must fail and the report contain the texts. */
static void expect(int mode_index, void (*tests)(TCase *tcase), int failed, const char *const *texts)
{
	char said[4096];

	add_tests = tests;
	mode = modes[mode_index];
	int status = observe(run_child, said, sizeof said);

	ck_assert_msg(WIFEXITED(status), "died of signal %d: %s", WTERMSIG(status), said);
	ck_assert_msg(WEXITSTATUS(status) == failed, "%d tests failed: %s", WEXITSTATUS(status), said);
	for (; *texts; texts++)
		ck_assert_msg(strstr(said, *texts), "no '%s' in: %s", *texts, said);
	check_line(said);
}

#define EXPECT(mode_index, tests, failed, ...)                                                               \
	expect(mode_index, tests, failed, (const char *const[]){__VA_ARGS__, NULL})

static void add_passing(TCase *tcase)
{
	tcase_add_rt_test(tcase, passes);
	tcase_add_rt_test_on(tcase, passes, rt_native);
	tcase_add_rt_test_with(tcase, passes,
			       &(struct rt_test_options){.clock = RT_CLOCK_VIRTUAL, .explore = 3});
}

START_TEST(a_body_that_returns_passes)
{
	EXPECT(_i, add_passing, 0, "100%", ":P:child:passes:0: Passed", ":P:child:passes:1: Passed",
	       ":P:child:passes:2: Passed");
}
END_TEST

/* Those behind a failed one must be none the worse. */
static void add_failing(TCase *tcase)
{
	tcase_add_rt_test(tcase, fails_in_the_body);
	tcase_add_rt_test(tcase, fails_in_another_task);
	tcase_add_rt_test(tcase, fails_when_cancelled);
	tcase_add_rt_test(tcase, fails_and_leaves_a_failing_task);
	tcase_add_rt_test(tcase, passes);
}

START_TEST(a_failed_assertion_is_reported_where_it_stands)
{
	EXPECT(_i, add_failing, 4, "F:child:fails_in_the_body:0: Assertion '1 == 2' failed: 1 == 1, 2 == 2",
	       "F:child:fails_in_another_task:0: fails at line ", "F:child:fails_when_cancelled:0: cancelled",
	       "F:child:fails_and_leaves_a_failing_task:0: first", ":P:child:passes:0: Passed");
}
END_TEST

static void add_direct(TCase *tcase)
{
	tcase_add_rt_test(tcase, fails_directly);
	tcase_add_rt_test(tcase, passes);
}

/* Check's own way out, which is harmless in a child. */
START_TEST(an_assertion_that_is_not_redirected)
{
	EXPECT(FORKING, add_direct, 1, "F:child:fails_directly:0: directly", ":P:child:passes:0: Passed");
}
END_TEST

static void add_leaving(TCase *tcase)
{
	tcase_add_rt_test(tcase, leaves_a_task);
	tcase_add_rt_test(tcase, leaves_a_failing_task);
	tcase_add_rt_test(tcase, passes);
}

START_TEST(tasks_left_behind_are_named)
{
	EXPECT(_i, add_leaving, 2, "leaves_a_task:0: left 1 task behind; 'sleep_long' (spawned at ",
	       ") waits for: sleep",
	       "leaves_a_failing_task:0: left 1 task behind; 'assert_in_vain' (spawned at ", ") is runnable",
	       ":P:child:passes:0: Passed");
}
END_TEST

static void add_deadlock(TCase *tcase)
{
	tcase_add_rt_test(tcase, deadlocks);
	tcase_add_rt_test(tcase, passes);
}

START_TEST(a_deadlock_fails_and_names_the_tasks)
{
	EXPECT(_i, add_deadlock, 1, "deadlocks:0: deadlock: ", "; 'deadlocks' ", "; 'receive' (spawned at ",
	       "; 'join_other' ", ":P:child:passes:0: Passed");
}
END_TEST

/* ---- Options ---- */

START_TEST(a_test_runs_on_its_runtime)
{
	static struct rt_runtime_ops other;
	struct rt_test_failure failure;

	other = rt_native;
	other.name = "other";
	unsetenv("RT_RUNTIME");
	int plain = rt_test_add(&tells_its_runtime_rt_test, NULL);
	int on_other = rt_test_add(&tells_its_runtime_rt_test, &(struct rt_test_options){.runtime = &other});

	ck_assert(rt_test_run(&tells_its_runtime_rt_test, plain, &failure));
	ck_assert_ptr_eq(ran_on, &rt_native);
	ck_assert(rt_test_run(&tells_its_runtime_rt_test, on_other, &failure));
	ck_assert_ptr_eq(ran_on, &other);
}
END_TEST

START_TEST(the_environment_names_the_runtime_of_tests_that_do_not)
{
	static struct rt_runtime_ops other;
	struct rt_test_failure failure;

	other = rt_native;
	other.name = "other";
	ck_assert_int_eq(rt_runtime_register(&other), 0);
	setenv("RT_RUNTIME", "other", 1);
	int plain = rt_test_add(&tells_its_runtime_rt_test, NULL);
	int on_native =
		rt_test_add(&tells_its_runtime_rt_test, &(struct rt_test_options){.runtime = &rt_native});

	ck_assert(rt_test_run(&tells_its_runtime_rt_test, plain, &failure));
	ck_assert_ptr_eq(ran_on, &other);
	ck_assert(rt_test_run(&tells_its_runtime_rt_test, on_native, &failure));
	ck_assert_ptr_eq(ran_on, &rt_native);
}
END_TEST

/* ---- Seeds and clocks ---- */

static bool passes_with(struct rt_test *test, const struct rt_test_options *options,
			struct rt_test_failure *failure)
{
	return rt_test_run(test, rt_test_add(test, options), failure);
}

START_TEST(explore_runs_once_for_each_seed)
{
	struct rt_test_failure failure;

	ck_assert(passes_with(&counts_its_runs_rt_test, NULL, &failure));
	ck_assert_int_eq(runs, 1);
	ck_assert(passes_with(&counts_its_runs_rt_test, &(struct rt_test_options){.explore = 7}, &failure));
	ck_assert_int_eq(runs, 8);
	setenv("RT_EXPLORE", "20", 1);
	ck_assert(passes_with(&counts_its_runs_rt_test, NULL, &failure));
	ck_assert_int_eq(runs, 28);
	unsetenv("RT_EXPLORE");
	setenv("RT_SEED", "5", 1);
	ck_assert(passes_with(&counts_its_runs_rt_test, &(struct rt_test_options){.explore = 7}, &failure));
	ck_assert_int_eq(runs, 29);
	(void)counts_its_runs;
}
END_TEST

/* The seed that explore names makes the test fail by itself, those before it do not. */
START_TEST(a_failure_names_its_seed)
{
	struct rt_test_failure failure;

	ck_assert(passes_with(&expects_an_order_rt_test, &(struct rt_test_options){.workers = 1}, &failure));
	ck_assert(!passes_with(&expects_an_order_rt_test, &(struct rt_test_options){.explore = 1000},
			       &failure));
	const char *named = strstr(failure.text, " (with RT_SEED=");

	ck_assert_ptr_nonnull(named);
	uint64_t seed = strtoull(named + strlen(" (with RT_SEED="), NULL, 10);

	ck_assert_uint_ge(seed, 1);
	ck_assert(!passes_with(&expects_an_order_rt_test, &(struct rt_test_options){.seed = seed}, &failure));
	for (uint64_t i = 1; i < seed; i++)
		ck_assert(passes_with(&expects_an_order_rt_test, &(struct rt_test_options){.seed = i},
				      &failure));
	char text[32];

	snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
	setenv("RT_SEED", text, 1);
	ck_assert(!passes_with(&expects_an_order_rt_test, NULL, &failure));
	ck_assert_ptr_nonnull(strstr(failure.text, named));
	(void)expects_an_order;
}
END_TEST

START_TEST(the_clock_is_virtual_on_request)
{
	struct rt_test_failure failure;

	ck_assert(passes_with(&sleeps_for_a_day_rt_test, &(struct rt_test_options){.clock = RT_CLOCK_VIRTUAL},
			      &failure));
	setenv("RT_CLOCK", "virtual", 1);
	ck_assert(passes_with(&sleeps_for_a_day_rt_test, NULL, &failure));
	(void)sleeps_for_a_day;
}
END_TEST

static const struct {
	const char *name, *value, *message;
} wrong[] = {
	{"RT_SEED", "many", "RT_SEED=many is not a number"},
	{"RT_SEED", "-1", "RT_SEED=-1 is not a number"},
	{"RT_EXPLORE", "10x", "RT_EXPLORE=10x is not a number"},
	{"RT_EXPLORE", "99999999999999999999", "RT_EXPLORE=99999999999999999999 is not a number"},
	{"RT_CLOCK", "slow", "RT_CLOCK=slow is neither virtual nor real"},
	{"RT_RUNTIME", "nope", "RT_RUNTIME=nope is no runtime; there is: "},
};

START_TEST(a_wrong_environment_fails_the_test)
{
	struct rt_test_failure failure;

	setenv(wrong[_i].name, wrong[_i].value, 1);
	ck_assert(!passes_with(&counts_its_runs_rt_test, NULL, &failure));
	ck_assert_msg(strncmp(failure.text, wrong[_i].message, strlen(wrong[_i].message)) == 0, "%s",
		      failure.text);
	ck_assert_int_eq(runs, 0);
}
END_TEST

/* ---- Misuse ---- */

static int run_test_inside(void *arg)
{
	return rt_test_run(&passes_rt_test, rt_test_add(&passes_rt_test, NULL), arg);
}

START_TEST(a_runtime_that_is_running_is_told)
{
	struct rt_test_failure failure;

	ck_assert_int_eq(rt_run(NULL, NULL, run_test_inside, &failure, NULL), 0);
	ck_assert_ptr_nonnull(strstr(failure.text, "a runtime is running on this thread already"));
	ck_assert_ptr_nonnull(strstr(failure.file, "rt_test_test.c"));
}
END_TEST

START_TEST(outside_of_a_test_fail_returns)
{
	rt_test_fail("nowhere.c", 1, "nothing");
	(void)tells_its_runtime; /* it is only run by hand */
}
END_TEST

int main(void)
{
	TCase *verdicts = tcase_create("verdicts"), *options = tcase_create("options");
	Suite *suite = suite_create("rt_test");

	tcase_add_loop_test(verdicts, a_body_that_returns_passes, 0, MODES);
	tcase_add_loop_test(verdicts, a_failed_assertion_is_reported_where_it_stands, 0, MODES);
	tcase_add_test(verdicts, an_assertion_that_is_not_redirected);
	tcase_add_loop_test(verdicts, tasks_left_behind_are_named, 0, MODES);
	tcase_add_loop_test(verdicts, a_deadlock_fails_and_names_the_tasks, 0, MODES);
	suite_add_tcase(suite, verdicts);
	tcase_add_test(options, a_test_runs_on_its_runtime);
	tcase_add_test(options, the_environment_names_the_runtime_of_tests_that_do_not);
	tcase_add_test(options, explore_runs_once_for_each_seed);
	tcase_add_test(options, a_failure_names_its_seed);
	tcase_add_test(options, the_clock_is_virtual_on_request);
	tcase_add_loop_test(options, a_wrong_environment_fails_the_test, 0, sizeof wrong / sizeof *wrong);
	tcase_add_test(options, a_runtime_that_is_running_is_told);
	tcase_add_test(options, outside_of_a_test_fail_returns);
	suite_add_tcase(suite, options);
	return run_suite(suite);
}
