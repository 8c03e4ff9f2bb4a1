/* SPDX-License-Identifier: MIT */
/* 100,000 C tasks parked at once, a guard below each stack, and what becomes of one that overflows. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* process_vm_readv */
#endif
#include "platform/stack.h"
#include "support/child.h"
#include "support/in_task.h"
#include "support/suite.h"
#include "task/self.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#if SANITIZED
/* The tests look at what the guard does, so no sanitizer may catch it. */
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

enum { TASKS = 100000 };

static char *bases[TASKS];
static struct rt_task *tasks[TASKS];
static size_t parked;

static int park(void *arg)
{
	(void)arg;
	bases[parked++] = self_get()->fiber->stack.base;
	return rt_sleep(RT_FOREVER);
}

/* Whether the kernel can read the byte: dies of nothing, unlike a load. */
static bool readable(const char *address)
{
	char byte;
	struct iovec here = {&byte, 1}, there = {(void *)(uintptr_t)address, 1};

	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1;
}

static int compare(const void *left, const void *right)
{
	const char *a = *(char *const *)left, *b = *(char *const *)right;

	return a < b ? -1 : a > b;
}

static size_t resident(void)
{
	unsigned long size = 0, pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%lu %lu", &size, &pages), 2);
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void check_guards(size_t count)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	qsort(bases, count, sizeof *bases, compare);
	for (size_t i = 0; i < count; i++) {
		if (readable(bases[i] - 1) || readable(bases[i] - page))
			ck_abort_msg("stack %zu of %zu has no guard", i, count);
		if (!readable(bases[i]))
			ck_abort_msg("stack %zu has a guard too many", i);
		if (i > 0 && (size_t)(bases[i] - bases[i - 1]) < (64 << 10))
			ck_abort_msg("stacks %zu and %zu overlap", i - 1, i);
	}
}

IN_TASK(many_are_parked_and_each_is_guarded)
{
	size_t count = (size_t)scaled(TASKS, 100), before = resident();
	struct stack_stats stats;

	for (size_t i = 0; i < count; i++) {
		tasks[i] = rt_spawn(park, NULL);
		if (!tasks[i])
			ck_abort_msg("task %zu: %s", i, strerror(errno));
	}
	while (parked < count)
		ck_assert_int_eq(rt_yield(), 0);
	stack_pool_stats(rt_runtime_current()->stacks, &stats);
	ck_assert_uint_eq(stats.in_use, count + 1);
	printf("%zu C tasks parked: %zu bytes of memory each, guard by %s\n", count,
	       (resident() - before) / count, stats.guard == STACK_GUARD_MADVISE ? "madvise" : "mprotect");
	if (!RUNNING_ON_VALGRIND)
		check_guards(count);
	for (size_t i = 0; i < count; i++)
		rt_cancel(tasks[i]);
	for (size_t i = 0; i < count; i++) {
		int result = 0;

		if (rt_join(tasks[i], &result, RT_FOREVER) < 0 || result != -ECANCELED)
			ck_abort_msg("task %zu gave %d", i, result);
	}
	stack_pool_stats(rt_runtime_current()->stacks, &stats);
	ck_assert_uint_eq(stats.in_use, 1);
}

/* ---- Overflow ---- */

static volatile bool for_ever = true;

static __attribute__((noinline)) int recurse(int depth)
{
	volatile char frame[256];

	frame[depth & 0xff] = 1;
	return for_ever ? recurse(depth + 1) + frame[3] : 0;
}

static int overflow_later(void *arg)
{
	(void)arg;
	rt_yield();
	return recurse(0);
}

static int overflow_among_others(void *arg)
{
	struct rt_task_options options = {.name = "deep", .site = "pit.c:3", .stack_size = *(size_t *)arg};

	for (int i = 0; i < 10; i++)
		rt_detach(rt_spawn(park, NULL));
	rt_detach(rt_spawn_with(overflow_later, NULL, &options));
	return rt_sleep(RT_S(10));
}

static size_t stack_size;

static int overflow(void)
{
	return rt_run(&rt_native, NULL, overflow_among_others, &stack_size, NULL);
}

/* The loop's index: a stack of the usual size, a small and a large one. */
START_TEST(an_overflow_names_the_task_and_kills)
{
	static const size_t sizes[] = {0, 16 << 10, 1 << 20};

	stack_size = sizes[_i];
	expect_signal(overflow, SIGSEGV, "stack overflow in task deep (spawned at pit.c:3)\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("park");
	TCase *tcase = tcase_create("park");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, many_are_parked_and_each_is_guarded);
	tcase_add_loop_test(tcase, an_overflow_names_the_task_and_kills, 0, 3);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
