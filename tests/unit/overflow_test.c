/* SPDX-License-Identifier: MIT */
/* A stack overflow is reported and kills; every other fault is somebody else's. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "platform/fiber.h"
#include "platform/overflow.h"
#include "platform/sanitizer.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#if HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define VALGRIND_DISABLE_ERROR_REPORTING ((void)0)
#endif

#if defined(SANITIZER_ADDRESS) || defined(SANITIZER_THREAD)
/* The handler under test is ours, not the sanitizer's. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
	return "handle_segv=0:handle_sigbus=0";
}

const char *__tsan_default_options(void)
{
	return "handle_segv=0:handle_sigbus=0";
}
#endif

#define REPORT "stack overflow in task 'deep'\n"

static struct stack stack;
static struct fiber thread, fiber;
static volatile bool forever = true;
static char *page; /* never accessible, and no guard of ours */

static bool report(const void *address)
{
	if (!stack_guard_hit(&stack, address))
		return false;
	overflow_print(REPORT);
	return true;
}

static bool report_anything(const void *address)
{
	(void)address;
	overflow_print(REPORT);
	return true;
}

/* What a child that ran body said on fd 2, and how it ended. */
static int observe(void (*body)(void), char *said, size_t size)
{
	ssize_t got, length = 0;
	int pipe_ends[2], status;
	pid_t child;

	ck_assert_int_eq(pipe(pipe_ends), 0);
	child = fork();
	if (child == 0) {
		VALGRIND_DISABLE_ERROR_REPORTING; /* each body faults on purpose */
		dup2(pipe_ends[1], STDERR_FILENO);
		body();
		_exit(0);
	}
	close(pipe_ends[1]);
	while ((got = read(pipe_ends[0], said + length, size - 1 - (size_t)length)) > 0)
		length += got;
	said[length] = 0;
	close(pipe_ends[0]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return status;
}

static void expect_signal(void (*body)(void), int number, const char *text)
{
	char said[256];
	int status = observe(body, said, sizeof said);

	ck_assert_msg(WIFSIGNALED(status), "exited with %d: %s", WEXITSTATUS(status), said);
	ck_assert_int_eq(WTERMSIG(status), number);
	ck_assert_str_eq(said, text);
}

static void expect_exit(void (*body)(void), int code, const char *text)
{
	char said[256];
	int status = observe(body, said, sizeof said);

	ck_assert_msg(WIFEXITED(status), "died of %d: %s", WTERMSIG(status), said);
	ck_assert_int_eq(WEXITSTATUS(status), code);
	ck_assert_str_eq(said, text);
}

static __attribute__((noinline)) int recurse(int depth)
{
	volatile char frame[256];

	frame[depth & 0xff] = 1;
	return forever ? recurse(depth + 1) + frame[3] : 0;
}

static void overflow(void *arg)
{
	(void)arg;
	recurse(0);
}

static void overflow_on(enum stack_guard guard)
{
	struct stack_pool_options options = {.size = 64 << 10, .guard = guard};
	struct stack_pool *pool;

	if (stack_pool_create(&pool, &options) == -ENOTSUP) {
		overflow_print(REPORT);
		raise(SIGSEGV);
	}
	if (overflow_guard_thread(report) || stack_acquire(pool, &stack))
		_exit(1);
	fiber_init_thread(&thread);
	fiber_init(&fiber, &stack, 0, overflow, NULL);
	fiber_switch(&thread, &fiber);
}

static void overflow_madvise(void)
{
	overflow_on(STACK_GUARD_MADVISE);
}

static void overflow_mprotect(void)
{
	overflow_on(STACK_GUARD_MPROTECT);
}

START_TEST(overflow_is_reported)
{
	expect_signal(overflow_madvise, SIGSEGV, REPORT);
	expect_signal(overflow_mprotect, SIGSEGV, REPORT);
}
END_TEST

static void *overflow_thread(void *arg)
{
	overflow_on(STACK_GUARD_PROBE);
	return arg;
}

static void overflow_elsewhere(void)
{
	pthread_t other;

	if (overflow_guard_thread(report) || pthread_create(&other, NULL, overflow_thread, NULL))
		_exit(1);
	pthread_join(other, NULL);
}

START_TEST(overflow_on_another_thread)
{
	expect_signal(overflow_elsewhere, SIGSEGV, REPORT);
}
END_TEST

static void fault(void)
{
	page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*(volatile char *)page = 1;
}

static void fault_alone(void)
{
	overflow_guard_thread(report);
	fault();
}

START_TEST(another_fault_dies_silently)
{
	expect_signal(fault_alone, SIGSEGV, "");
}
END_TEST

static void exit_by_address(int number, siginfo_t *info, void *context)
{
	(void)context;
	_exit(number == SIGSEGV && info->si_addr == page ? 42 : 1);
}

static void fault_with_siginfo(void)
{
	struct sigaction action = {.sa_sigaction = exit_by_address, .sa_flags = SA_SIGINFO};

	sigaction(SIGSEGV, &action, NULL);
	overflow_guard_thread(report);
	fault();
}

static void exit_by_signal(int number)
{
	_exit(number);
}

static void fault_with_handler(void)
{
	signal(SIGSEGV, exit_by_signal);
	overflow_guard_thread(report);
	overflow_guard_thread(report); /* again: must not chain to itself */
	fault();
}

static void fault_ignored(void)
{
	signal(SIGSEGV, SIG_IGN);
	overflow_guard_thread(report);
	fault();
}

START_TEST(another_fault_goes_to_the_previous_handler)
{
	expect_exit(fault_with_siginfo, 42, "");
	expect_exit(fault_with_handler, SIGSEGV, "");
	expect_signal(fault_ignored, SIGSEGV, "");
}
END_TEST

static void bus_error(void)
{
	FILE *file = tmpfile();
	char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);

	*(volatile char *)memory = 1;
}

static void bus_alone(void)
{
	overflow_guard_thread(report);
	bus_error();
}

static void bus_with_handler(void)
{
	signal(SIGBUS, exit_by_signal);
	overflow_guard_thread(report);
	bus_error();
}

START_TEST(a_bus_error_is_told_from_a_fault)
{
	expect_signal(bus_alone, SIGBUS, "");
	expect_exit(bus_with_handler, SIGBUS, "");
}
END_TEST

static void sent(void)
{
	overflow_guard_thread(report_anything);
	kill(getpid(), SIGSEGV);
}

static void sent_ignored(void)
{
	signal(SIGSEGV, SIG_IGN);
	overflow_guard_thread(report_anything);
	kill(getpid(), SIGSEGV);
}

START_TEST(a_signal_that_was_sent_is_no_overflow)
{
	expect_signal(sent, SIGSEGV, "");
	expect_exit(sent_ignored, 0, "");
}
END_TEST

START_TEST(unguard_restores_the_alternate_stack)
{
	char mine[64 << 10];
	stack_t own = {.ss_sp = mine, .ss_size = sizeof mine}, before, now;

	sigaltstack(NULL, &before);
	ck_assert_int_eq(sigaltstack(&own, NULL), 0);
	overflow_unguard_thread();
	ck_assert_int_eq(overflow_guard_thread(report), 0);
	ck_assert_int_eq(overflow_guard_thread(report), 0);
	ck_assert_int_eq(sigaltstack(NULL, &now), 0);
	ck_assert_ptr_ne(now.ss_sp, mine);
	overflow_unguard_thread();
	overflow_unguard_thread();
	ck_assert_int_eq(sigaltstack(NULL, &now), 0);
	ck_assert_ptr_eq(now.ss_sp, mine);
	sigaltstack(&before, NULL);
}
END_TEST

static void print(void)
{
	overflow_print("");
	overflow_print("one ");
	overflow_print("two");
}

START_TEST(print_writes_to_stderr)
{
	expect_exit(print, 0, "one two");
}
END_TEST

static void add_deaths(TCase *tc)
{
	tcase_add_test(tc, overflow_is_reported);
	tcase_add_test(tc, overflow_on_another_thread);
	tcase_add_test(tc, another_fault_dies_silently);
	tcase_add_test(tc, another_fault_goes_to_the_previous_handler);
	tcase_add_test(tc, a_bus_error_is_told_from_a_fault);
	tcase_add_test(tc, a_signal_that_was_sent_is_no_overflow);
}

int main(void)
{
	Suite *suite = suite_create("overflow");
	TCase *tc = tcase_create("overflow");
	SRunner *runner = srunner_create(suite);
	int failed;

	/* A sanitizer's handlers would turn these deaths into exits. */
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	tcase_set_timeout(tc, 60);
	/* An emulator has a word to say about every fatal signal. */
	if (!getenv("RT_EMULATOR"))
		add_deaths(tc);
	tcase_add_test(tc, unguard_restores_the_alternate_stack);
	tcase_add_test(tc, print_writes_to_stderr);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
