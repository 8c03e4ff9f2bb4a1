/* SPDX-License-Identifier: MIT */
/*
 * Do the exploring tests find faults? Small programs over each part of the scheduler hold under every
 * schedule; then each fault of base/fault.h is planted, and the program named for it must fail under one
 * of the first schedules, be it by an expectation, a deadlock, a crash or by never ending.
 *
 *	state word    wake_forgotten wake_repeated wake_hasty
 *	run queue     queue_tail queue_skip
 *	wait queue    ring_cut wait_stays select_stays
 *	timers        timer_stays timer_early timer_order
 *	channels      room_kept value_lost
 *	semaphores    permit_lost permit_doubled
 *	events        event_one
 *	join          join_one join_stays
 *	cancel        cancel_unheard cancel_one
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/suite.h"
#include "unit/fault_programs.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum fault fault_planted;

/* Schedules for each program. */
enum { SCHEDULES = 300 };

/* Seconds for a schedule, which a fault may make endless. */
enum { LIMIT = 2 };

static uint64_t *seed_now; /* of the process that explores, shared with its parent */

static void explore(unsigned program)
{
	bool slow = SANITIZED || RUNNING_ON_VALGRIND || getenv("RT_EMULATOR");

	/* Check's handler would kill the test as well. */
	signal(SIGALRM, SIG_DFL);
	for (uint64_t seed = 1; seed <= SCHEDULES; seed++) {
		*seed_now = seed;
		/* Each has its own time: all of them together may be slow, but that is no fault. */
		if (fault_planted != FAULT_none)
			alarm(slow ? 10 * LIMIT : LIMIT);
		program_run(program, seed);
	}
	_exit(0);
}

/* Crashes are expected: nobody wants to see them. */
static void be_quiet(void)
{
	const struct rlimit no_core = {0, 0};

	setrlimit(RLIMIT_CORE, &no_core);
	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
}

/* Gives how the process has ended, 0 if all schedules hold. */
static int explore_apart(unsigned program, enum fault fault)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		fault_planted = fault;
		if (fault != FAULT_none)
			be_quiet();
		explore(program);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

START_TEST(a_program_holds_under_all_schedules)
{
	int status = explore_apart((unsigned)_i, FAULT_none);

	ck_assert_msg(status == 0, "%s: schedule %d: status %#x", program_name((unsigned)_i), (int)*seed_now,
		      status);
}
END_TEST

static const char *verdict(int status, char *text, size_t size)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		snprintf(text, size, "does not end");
	else if (WIFSIGNALED(status))
		snprintf(text, size, "killed by signal %d", WTERMSIG(status));
	else
		snprintf(text, size, "exit code %d", WEXITSTATUS(status));
	return text;
}

static const char *const faults[] = {"none",
#define FAULT_TEXT(name, text) #name ": " text,
				     FAULTS(FAULT_TEXT)
#undef FAULT_TEXT
};

START_TEST(a_planted_fault_is_found)
{
	unsigned program = program_for((enum fault)_i);
	char text[40];

	ck_assert_msg(program < PROGRAM_COUNT, "%s: no program is to find it", faults[_i]);
	int status = explore_apart(program, (enum fault)_i);

	ck_assert_msg(status != 0, "%s: %s does not find it", faults[_i], program_name(program));
	printf("%s: found by %s with the seed %d: %s\n", faults[_i], program_name(program), (int)*seed_now,
	       verdict(status, text, sizeof text));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fault");
	TCase *tcase = tcase_create("fault");

	seed_now = mmap(NULL, sizeof *seed_now, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (seed_now == MAP_FAILED)
		return EXIT_FAILURE;
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, a_program_holds_under_all_schedules, 0, PROGRAM_COUNT);
	tcase_add_loop_test(tcase, a_planted_fault_is_found, FAULT_none + 1, FAULT_COUNT);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
