/* SPDX-License-Identifier: MIT */
/* Stacks are guarded, reused in order, and give their memory back. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* process_vm_readv */
#endif
#include "platform/sanitizer.h"
#include "platform/stack.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#if HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_DISABLE_ERROR_REPORTING ((void)0)
#endif

#if defined(SANITIZER_ADDRESS) || defined(SANITIZER_THREAD)
#define SANITIZED 1
/* The tests look at the signal that a guard raises, so no sanitizer may catch it. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
	return "handle_segv=0:handle_sigbus=0:detect_stack_use_after_return=1";
}

const char *__tsan_default_options(void)
{
	return "handle_segv=0:handle_sigbus=0";
}
#else
#define SANITIZED 0
#endif

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define MANY 100000

static const enum stack_guard guards[] = {STACK_GUARD_MADVISE, STACK_GUARD_MPROTECT};

/* NULL where the kernel lacks that guard. */
static struct stack_pool *open_pool(struct stack_pool_options options)
{
	struct stack_pool *pool = NULL;
	int error = stack_pool_create(&pool, &options);

	if (error == -ENOTSUP && options.guard == STACK_GUARD_MADVISE)
		return NULL;
	ck_assert_int_eq(error, 0);
	return pool;
}

static struct stack acquire(struct stack_pool *pool)
{
	struct stack stack;

	ck_assert_int_eq(stack_acquire(pool, &stack), 0);
	return stack;
}

static struct stack_stats stats(const struct stack_pool *pool)
{
	struct stack_stats result;

	stack_pool_stats(pool, &result);
	return result;
}

/* Whether the kernel can read the byte: dies of nothing, unlike a load. */
static bool readable(const char *address)
{
	char byte;
	struct iovec here = {&byte, 1}, there = {(void *)(uintptr_t)address, 1};

	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1;
}

static size_t resident(const char *base, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = size / page, count = 0, i;
	unsigned char *map = calloc(pages, 1);

	ck_assert_int_eq(mincore((void *)(uintptr_t)base, size, map), 0);
	for (i = 0; i < pages; i++)
		count += map[i] & 1;
	free(map);
	return count;
}

static size_t resident_of_process(void)
{
	unsigned long size = 0, pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%lu %lu", &size, &pages), 2);
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

START_TEST(size_is_checked_and_rounded)
{
	struct stack_pool_options options = {.size = 16 * KIB - 1};
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct stack_pool *pool;
	struct stack stack;

	ck_assert_int_eq(stack_pool_create(&pool, &options), -EINVAL);
	options.size = SIZE_MAX;
	ck_assert_int_eq(stack_pool_create(&pool, &options), -EINVAL);
	options.size = 256 * KIB + 1;
	pool = open_pool(options);
	stack = acquire(pool);
	ck_assert_uint_eq(stack.size, 256 * KIB);
	ck_assert_uint_eq((uintptr_t)stack.base % page, 0);
	memset(stack.base, 0xa5, stack.size);
	stack_release(pool, &stack);
	ck_assert_ptr_null(stack.base);
	stack_pool_destroy(pool);
	stack_pool_destroy(NULL);
}
END_TEST

START_TEST(guard_kills)
{
	struct stack_pool *pool =
		open_pool((struct stack_pool_options){.size = 64 * KIB, .guard = guards[_i]});
	struct stack stack;

	if (!pool)
		raise(SIGSEGV);
	stack = acquire(pool);
	stack.base[0] = 1;
	VALGRIND_DISABLE_ERROR_REPORTING;
	((volatile char *)stack.base)[-1] = 1;
}
END_TEST

START_TEST(guard_survives_release)
{
	struct stack_pool *pool =
		open_pool((struct stack_pool_options){.size = 64 * KIB, .guard = guards[_i]});
	struct stack stack;
	char *base;

	if (!pool)
		return;
	stack = acquire(pool);
	base = stack.base;
	memset(base, 1, stack.size);
	stack_release(pool, &stack);
	ck_assert(!readable(base - 1));
	stack = acquire(pool);
	ck_assert_ptr_eq(stack.base, base);
	ck_assert_int_eq(base[0], 0);
	ck_assert(!readable(base - 1));
	ck_assert(!readable(base - sysconf(_SC_PAGESIZE)));
	stack_release(pool, &stack);
	stack_pool_destroy(pool);
}
END_TEST

START_TEST(guard_survives_fork)
{
	struct stack_pool *pool =
		open_pool((struct stack_pool_options){.size = 64 * KIB, .guard = guards[_i]});
	struct stack stack;
	int status;
	pid_t child;

	if (!pool)
		return;
	stack = acquire(pool);
	child = fork();
	if (child == 0)
		_exit(readable(stack.base - 1));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	stack_release(pool, &stack);
	stack_pool_destroy(pool);
}
END_TEST

START_TEST(probe_settles_on_a_guard)
{
	struct stack_pool *pool = open_pool((struct stack_pool_options){.size = 64 * KIB});
	struct stack_pool *advised =
		open_pool((struct stack_pool_options){.size = 64 * KIB, .guard = STACK_GUARD_MADVISE});

	ck_assert_int_eq(stats(pool).guard, advised ? STACK_GUARD_MADVISE : STACK_GUARD_MPROTECT);
	stack_pool_destroy(advised);
	stack_pool_destroy(pool);
}
END_TEST

START_TEST(guard_hit_tells_the_page)
{
	struct stack_pool *pool = open_pool((struct stack_pool_options){.size = 64 * KIB});
	struct stack stack = acquire(pool), none = {0};
	long page = sysconf(_SC_PAGESIZE);

	ck_assert(stack_guard_hit(&stack, stack.base - 1));
	ck_assert(stack_guard_hit(&stack, stack.base - page));
	ck_assert(!stack_guard_hit(&stack, stack.base - page - 1));
	ck_assert(!stack_guard_hit(&stack, stack.base));
	ck_assert(!stack_guard_hit(&stack, NULL));
	ck_assert(!stack_guard_hit(&none, NULL));
	ck_assert(!stack_guard_hit(&none, &none));
	ck_assert(!stack_guard_hit(&none, (void *)UINTPTR_MAX));
	stack_release(pool, &stack);
	stack_pool_destroy(pool);
}
END_TEST

START_TEST(hundred_thousand)
{
	struct stack_pool *pool =
		open_pool((struct stack_pool_options){.size = 64 * KIB, .guard = STACK_GUARD_MADVISE});
	struct stack *stacks = calloc(MANY, sizeof *stacks);
	size_t i;

	if (!pool) {
		free(stacks);
		return;
	}
	for (i = 0; i < MANY; i++) {
		stacks[i] = acquire(pool);
		stacks[i].base[stacks[i].size - 1] = 1;
	}
	ck_assert_uint_eq(stats(pool).in_use, MANY);
	for (i = 0; i < MANY; i++)
		ck_assert(!readable(stacks[i].base - 1));
	for (i = 0; i < MANY; i++) {
		ck_assert_int_eq(stacks[i].base[stacks[i].size - 1], 1);
		stack_release(pool, &stacks[i]);
	}
	ck_assert_uint_eq(stats(pool).idle, MANY);
	stack_pool_destroy(pool);
	free(stacks);
}
END_TEST

/* vm.max_map_count: two mappings per stack. */
START_TEST(mprotect_ends_with_an_error)
{
	struct stack_pool *pool =
		open_pool((struct stack_pool_options){.size = 16 * KIB, .guard = STACK_GUARD_MPROTECT});
	struct stack *stacks = calloc(MANY, sizeof *stacks);
	int error = 0;
	size_t n, i;

	for (n = 0; n < MANY && !error; n += !error)
		error = stack_acquire(pool, &stacks[n]);
	ck_assert(n == MANY || error == -ENOMEM);
	ck_assert_uint_eq(stats(pool).in_use, n);
	for (i = 0; i < n; i++)
		ck_assert(!readable(stacks[i].base - 1));
	if (n < MANY)
		ck_assert_int_eq(stack_acquire(pool, &stacks[n]), -ENOMEM);
	stack_release(pool, &stacks[0]);
	stacks[0] = acquire(pool);
	ck_assert(!readable(stacks[0].base - 1));
	for (i = 0; i < n; i++)
		stack_release(pool, &stacks[i]);
	stack_pool_destroy(pool);
	free(stacks);
}
END_TEST

START_TEST(no_address_space_is_an_error)
{
	struct stack_pool *pool = open_pool((struct stack_pool_options){.size = 64 * MIB, .unmap = _i});
	struct rlimit limit = {512 * MIB, 512 * MIB};
	struct stack stack;
	int i, error = 0;

	ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
	for (i = 0; i < 8 && !error; i++)
		error = stack_acquire(pool, &stack);
	ck_assert_int_eq(error, -ENOMEM);
}
END_TEST

START_TEST(newest_first)
{
	struct stack_pool *pool = open_pool((struct stack_pool_options){.size = 64 * KIB, .keep = 2});
	struct stack stacks[4];
	char *bases[4];
	int i;

	for (i = 0; i < 4; i++)
		stacks[i] = acquire(pool);
	for (i = 0; i < 4; i++) {
		bases[i] = stacks[i].base;
		stack_release(pool, &stacks[i]);
	}
	ck_assert_uint_eq(stats(pool).idle, 4);
	ck_assert_uint_eq(stats(pool).in_use, 0);
	for (i = 3; i >= 0; i--)
		ck_assert_ptr_eq((stacks[i] = acquire(pool)).base, bases[i]);
	ck_assert_uint_eq(stats(pool).in_use, 4);
	for (i = 0; i < 4; i++)
		stack_release(pool, &stacks[i]);
	stack_pool_destroy(pool);
}
END_TEST

START_TEST(pages_above_keep_are_given_back)
{
	struct stack_pool *pool = open_pool((struct stack_pool_options){.size = 64 * KIB, .keep = 1});
	struct stack first = acquire(pool), second = acquire(pool);
	char *bases[] = {first.base, second.base};
	size_t size = first.size;

	memset(first.base, 1, size);
	memset(second.base, 1, size);
	ck_assert_uint_eq(resident(bases[0], size), size / (size_t)sysconf(_SC_PAGESIZE));
	stack_release(pool, &first);
	ck_assert_uint_eq(resident(bases[0], size), size / (size_t)sysconf(_SC_PAGESIZE));
	stack_release(pool, &second);
	ck_assert_uint_eq(resident(bases[0], size), 0);
	ck_assert_uint_eq(resident(bases[1], size), size / (size_t)sysconf(_SC_PAGESIZE));
	second = acquire(pool);
	first = acquire(pool);
	ck_assert_int_eq(second.base[size - 1], 1);
	ck_assert_int_eq(first.base[size - 1], 0);
	stack_release(pool, &first);
	stack_release(pool, &second);
	stack_pool_destroy(pool);
}
END_TEST

START_TEST(unmap_gives_addresses_back)
{
	struct stack_pool *pool = open_pool(
		(struct stack_pool_options){.size = 64 * MIB, .keep = 1, .unmap = true, .guard = guards[_i]});
	struct stack first, second;
	char *base;

	if (!pool)
		return;
	first = acquire(pool);
	second = acquire(pool);
	base = second.base;
	ck_assert_uint_eq(stats(pool).mapped, 128 * MIB);
	stack_release(pool, &first);
	stack_release(pool, &second);
	ck_assert_uint_eq(stats(pool).mapped, 64 * MIB);
	ck_assert_uint_eq(stats(pool).idle, 1);
	ck_assert(!readable(base));
	stack_pool_destroy(pool);
}
END_TEST

/* Neither a huge page per stack nor 64 MiB per carrier. */
START_TEST(a_touched_stack_costs_a_page)
{
	struct stack_pool *pool =
		open_pool((struct stack_pool_options){.size = _i ? 64 * MIB : 64 * KIB, .unmap = _i});
	size_t before, i, page = (size_t)sysconf(_SC_PAGESIZE);
	struct stack stacks[1000];

	before = resident_of_process();
	for (i = 0; i < 1000; i++) {
		stacks[i] = acquire(pool);
		stacks[i].base[stacks[i].size - 1] = 1;
	}
	ck_assert_uint_lt(resident_of_process() - before, 1000 * page + 4 * MIB);
	for (i = 0; i < 1000; i++)
		ck_assert_uint_eq(resident(stacks[i].base + stacks[i].size - 16 * page, 16 * page), 1);
	for (i = 0; i < 1000; i++)
		stack_release(pool, &stacks[i]);
	stack_pool_destroy(pool);
}
END_TEST

START_TEST(destroy_unmaps)
{
	struct stack_pool *pool =
		open_pool((struct stack_pool_options){.size = 64 * KIB, .keep = 2, .unmap = _i});
	struct stack first = acquire(pool), second = acquire(pool);
	char *bases[] = {first.base, second.base};

	first.base[0] = second.base[0] = 1;
	stack_release(pool, &first);
	stack_release(pool, &second);
	ck_assert(readable(bases[0]));
	stack_pool_destroy(pool);
	ck_assert(!readable(bases[0]));
	ck_assert(!readable(bases[1]));
}
END_TEST

static void add_limits(TCase *tc)
{
	/* Sanitizers and valgrind need the mappings and the addresses for themselves, emulators have their
	 * own. */
	if (SANITIZED || RUNNING_ON_VALGRIND || getenv("RT_EMULATOR"))
		return;
	tcase_add_test(tc, mprotect_ends_with_an_error);
	tcase_add_loop_test(tc, no_address_space_is_an_error, 0, 2);
}

static void add_memory(TCase *tc)
{
	tcase_add_test(tc, newest_first);
	tcase_add_test(tc, pages_above_keep_are_given_back);
	tcase_add_loop_test(tc, unmap_gives_addresses_back, 0, 2);
	if (getenv("RT_EMULATOR"))
		return;
	if (!SANITIZED && !RUNNING_ON_VALGRIND)
		tcase_add_loop_test(tc, a_touched_stack_costs_a_page, 0, 2);
	tcase_add_loop_test(tc, destroy_unmaps, 0, 2);
}

int main(void)
{
	Suite *suite = suite_create("stack");
	TCase *tc = tcase_create("stack");
	SRunner *runner = srunner_create(suite);
	int failed;

	/* A sanitizer's handlers would turn these deaths into exits. */
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, size_is_checked_and_rounded);
	tcase_add_loop_test_raise_signal(tc, guard_kills, SIGSEGV, 0, 2);
	tcase_add_loop_test(tc, guard_survives_release, 0, 2);
	tcase_add_loop_test(tc, guard_survives_fork, 0, 2);
	tcase_add_test(tc, probe_settles_on_a_guard);
	tcase_add_test(tc, guard_hit_tells_the_page);
	tcase_add_test(tc, hundred_thousand);
	add_limits(tc);
	add_memory(tc);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
