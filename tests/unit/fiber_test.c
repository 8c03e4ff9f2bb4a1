/* SPDX-License-Identifier: MIT */
/* Fibers keep their registers and their stacks, nest, unwind, and move between threads. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "platform/fiber.h"
#include "platform/sanitizer.h"

#include <check.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>
#if HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* gcc's TSan ends at 8,128 fibers; valgrind's stack list is linear. */
#if defined(SANITIZER_THREAD) && !defined(__clang__)
#define MANY 2000
#else
#define MANY (RUNNING_ON_VALGRIND ? 1000 : 10000)
#endif

#ifdef SANITIZER_ADDRESS
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_stack_use_after_return=1";
}
#endif

/* A fiber with its stack, whom it returns to, and what the test wants to know. */
struct routine {
	struct fiber fiber;
	struct fiber *back;
	void (*body)(struct routine *self);
	int value;
	bool ended;
};

static struct stack_pool *pool;
static struct fiber thread;

static void setup_size(size_t size)
{
	struct stack_pool_options options = {.size = size, .keep = 16};

	ck_assert_int_eq(stack_pool_create(&pool, &options), 0);
	fiber_init_thread(&thread);
}

static void setup(void)
{
	setup_size(256 * KIB); /* instrumented frames are large */
}

static void teardown(void)
{
	struct stack_stats stats;

	fiber_finish(&thread);
	stack_pool_stats(pool, &stats);
	ck_assert_uint_eq(stats.in_use, 0);
	stack_pool_destroy(pool);
}

static void run(void *arg)
{
	struct routine *self = arg;

	self->body(self);
	self->ended = true;
	fiber_switch_last(&self->fiber, self->back);
}

static void start(struct routine *routine, void (*body)(struct routine *self))
{
	struct stack stack;

	*routine = (struct routine){.back = &thread, .body = body};
	ck_assert_int_eq(stack_acquire(pool, &stack), 0);
	fiber_init(&routine->fiber, &stack, 0, run, routine);
}

static void resume(struct routine *routine)
{
	fiber_switch(routine->back, &routine->fiber);
}

static void pause_here(struct routine *routine)
{
	fiber_switch(&routine->fiber, routine->back);
}

static void finish(struct routine *routine)
{
	struct stack stack = routine->fiber.stack;

	fiber_finish(&routine->fiber);
	stack_release(pool, &stack);
}

static void count_to_three(struct routine *self)
{
	for (self->value = 1; self->value < 3; self->value++)
		pause_here(self);
}

START_TEST(switches_there_and_back)
{
	struct routine routine;
	int i;

	start(&routine, count_to_three);
	ck_assert_int_eq(routine.value, 0);
	for (i = 1; i <= 3; i++) {
		ck_assert(!routine.ended);
		resume(&routine);
		ck_assert_int_eq(routine.value, i);
	}
	ck_assert(routine.ended);
	finish(&routine);
}
END_TEST

static void look_at_alignment(struct routine *self)
{
	_Alignas(16) volatile char here[16];
	char text[32];

	self->value = (int)((uintptr_t)here % 16);
	/* A variadic call with doubles spills vector registers, aligned. */
	snprintf(text, sizeof text, "%.3f %.1Lf", 1.5, 2.5L);
	ck_assert_str_eq(text, "1.500 2.5");
}

START_TEST(stack_is_aligned)
{
	struct routine routine;

	start(&routine, look_at_alignment);
	routine.value = -1;
	resume(&routine);
	ck_assert_int_eq(routine.value, 0);
	finish(&routine);
}
END_TEST

START_TEST(reserve_is_left_alone)
{
	struct routine routine = {.back = &thread, .body = count_to_three};
	struct stack stack;
	unsigned char *top;
	size_t reserve, i;

	for (reserve = 0; reserve < 100; reserve += 7) {
		ck_assert_int_eq(stack_acquire(pool, &stack), 0);
		top = fiber_top(&stack, reserve);
		ck_assert_uint_eq((uintptr_t)top % 16, 0);
		ck_assert((char *)top + reserve <= stack.base + stack.size);
		memset(top, 0x5a, reserve);
		routine.ended = false;
		fiber_init(&routine.fiber, &stack, reserve, run, &routine);
		while (!routine.ended)
			resume(&routine);
		for (i = 0; i < reserve; i++)
			ck_assert_uint_eq(top[i], 0x5a);
		finish(&routine);
	}
}
END_TEST

/* Fills every register that a callee saves (but the frame pointer), switches, and looks. */
#if defined(__x86_64__)
#define REGISTERS(X) X(rbx) X(r12) X(r13) X(r14) X(r15)
#elif defined(__aarch64__)
#define REGISTERS(X) X(x19) X(x20) X(x21) X(x22) X(x23) X(x24) X(x25) X(x26) X(x27) X(x28)
#else
#define REGISTERS(X)
#endif
#if defined(__aarch64__)
#define VECTORS(X) X(d8) X(d9) X(d10) X(d11) X(d12) X(d13) X(d14) X(d15)
#else
#define VECTORS(X)
#endif

#define SET(name) register long name __asm__(#name) = (seed = seed * 31 + 7);
#define SET_VECTOR(name) register double name __asm__(#name) = (double)(seed = seed * 31 + 7);
#define HOLD(name) __asm__ volatile("" : "+r"(name));
#define HOLD_VECTOR(name) __asm__ volatile("" : "+w"(name));
#define MATCH(name) right &= name == (seed = seed * 31 + 7);
#define MATCH_VECTOR(name) right &= name == (double)(seed = seed * 31 + 7);

static bool keep_registers(long first, struct fiber *from, struct fiber *to)
{
	long seed = first & 0xff;
	bool right = true;
	REGISTERS(SET)
	VECTORS(SET_VECTOR)

	REGISTERS(HOLD)
	VECTORS(HOLD_VECTOR)
	fiber_switch(from, to);
	REGISTERS(HOLD)
	VECTORS(HOLD_VECTOR)
	seed = first & 0xff;
	REGISTERS(MATCH)
	VECTORS(MATCH_VECTOR)
	return right;
}

static void hold_registers(struct routine *self)
{
	for (self->value = 0; self->value < 100; self->value++)
		ck_assert(keep_registers(1000 + self->value, &self->fiber, self->back));
}

START_TEST(registers_are_kept)
{
	struct routine routine;

	start(&routine, hold_registers);
	resume(&routine);
	while (!routine.ended)
		ck_assert(keep_registers(routine.value, &thread, &routine.fiber));
	finish(&routine);
}
END_TEST

/* Enough doubles and integers alive at once that some live in registers and some in memory. */
static void juggle(struct routine *self)
{
	double a = self->value, b = a * 1.5, c = b * 1.5, d = c * 1.5, e = d * 1.5, f = e * 1.5;
	long g = self->value, h = g * 3, i = h * 3, j = i * 3, k = j * 3, l = k * 3, m = l * 3;
	int n;

	for (n = 0; n < 50; n++) {
		pause_here(self);
		a += 1, b += a, c += b, d += c, e += d, f += e;
		g += 1, h += g, i += h, j += i, k += j, l += k, m += l;
		pause_here(self);
	}
	self->value = (int)((long)(a + b + c + d + e + f) % 100000 + (g + h + i + j + k + l + m) % 100000);
}

START_TEST(floats_and_integers_are_kept)
{
	struct routine alone, routines[4];
	int n, ended = 0;

	start(&alone, juggle);
	alone.value = 3;
	while (!alone.ended)
		resume(&alone);
	for (n = 0; n < 4; n++) {
		start(&routines[n], juggle);
		routines[n].value = 3;
	}
	while (ended < 4)
		for (n = 0, ended = 0; n < 4; ended += routines[n++].ended)
			if (!routines[n].ended)
				resume(&routines[n]);
	for (n = 0; n < 4; n++) {
		ck_assert_int_eq(routines[n].value, alone.value);
		finish(&routines[n]);
	}
	finish(&alone);
}
END_TEST

static __attribute__((noinline)) int descend(struct routine *self, int depth)
{
	volatile char frame[KIB];
	int below;

	memset((char *)(uintptr_t)frame, depth & 0x7f, sizeof frame);
	if (depth == 0)
		pause_here(self);
	below = depth ? descend(self, depth - 1) : 0;
	return below + (frame[17] == (depth & 0x7f));
}

static void recurse(struct routine *self)
{
	self->value = descend(self, self->value);
}

START_TEST(deep_recursion)
{
	int depth = RUNNING_ON_VALGRIND ? 1000 : 16000;
	struct routine routine;

	stack_pool_destroy(pool);
	setup_size(64 * MIB);
	start(&routine, recurse);
	routine.value = depth;
	resume(&routine);
	resume(&routine);
	ck_assert(routine.ended);
	ck_assert_int_eq(routine.value, depth + 1);
	finish(&routine);
}
END_TEST

static void nest(struct routine *self)
{
	struct routine inner;

	if (self->value == 0)
		return;
	start(&inner, nest);
	inner.back = &self->fiber;
	inner.value = self->value - 1;
	pause_here(self);
	resume(&inner);
	while (!inner.ended)
		resume(&inner);
	self->value += inner.value;
	finish(&inner);
}

START_TEST(fibers_nest)
{
	struct routine routine;

	start(&routine, nest);
	routine.value = 100;
	while (!routine.ended)
		resume(&routine);
	ck_assert_int_eq(routine.value, 5050);
	finish(&routine);
}
END_TEST

static _Unwind_Reason_Code count(struct _Unwind_Context *context, void *arg)
{
	(void)context;
	return ++*(int *)arg < 1000 ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

static void unwind(struct routine *self)
{
	int frames = 0;

	ck_assert_int_eq(_Unwind_Backtrace(count, &frames), _URC_END_OF_STACK);
	ck_assert_int_gt(frames, 1);
	self->value = frames;
}

START_TEST(unwinding_ends_at_the_first_frame)
{
	struct routine routine;

	start(&routine, unwind);
	resume(&routine);
	ck_assert(routine.ended);
	/* unwind, run and what starts a fiber; never the frames of the test. */
	ck_assert_int_ge(routine.value, 2);
	ck_assert_int_le(routine.value, 6);
	finish(&routine);
}
END_TEST

static void trace(struct routine *self)
{
	void *frames[64];

	self->value = backtrace(frames, 64);
}

START_TEST(backtrace_ends)
{
	struct routine routine;

	start(&routine, trace);
	resume(&routine);
	ck_assert_int_ge(routine.value, 2);
	ck_assert_int_le(routine.value, 7);
	finish(&routine);
}
END_TEST

/* As a C++ exception or a Lua error that nobody catches. libgcc's result is garbage on AArch64: not looked
 * at. */
static void throw(struct routine * self)
{
	struct _Unwind_Exception exception = {0};

	_Unwind_RaiseException(&exception);
	self->value = 1;
}

START_TEST(an_uncaught_exception_comes_back)
{
	struct routine routine;

	start(&routine, throw);
	resume(&routine);
	ck_assert_int_eq(routine.value, 1);
	finish(&routine);
}
END_TEST

static void tick(struct routine *self)
{
	int i;

	for (i = 0; i < 10; i++, self->value++)
		pause_here(self);
}

START_TEST(ten_thousand)
{
	int many = MANY, i, round;
	struct routine *routines = calloc((size_t)many, sizeof *routines);

	for (i = 0; i < many; i++)
		start(&routines[i], tick);
	for (round = 0; round <= 10; round++)
		for (i = 0; i < many; i++)
			resume(&routines[i]);
	for (i = 0; i < many; i++) {
		ck_assert(routines[i].ended);
		ck_assert_int_eq(routines[i].value, 10);
		finish(&routines[i]);
	}
	free(routines);
}
END_TEST

static __attribute__((noinline)) void end_inside(struct routine *self, int depth)
{
	volatile char frame[64];

	memset((char *)(uintptr_t)frame, depth, sizeof frame);
	if (depth > 0)
		end_inside(self, depth - 1);
	if (depth == 0)
		fiber_switch_last(&self->fiber, self->back);
	ck_assert_int_eq(frame[3], depth);
}

static void end_deep(struct routine *self)
{
	end_inside(self, 50);
}

START_TEST(a_dead_stack_is_clean)
{
	struct routine routine;
	struct stack stack;
	int i;

	for (i = 0; i < 100; i++) {
		start(&routine, end_deep);
		resume(&routine);
		finish(&routine);
		ck_assert_int_eq(stack_acquire(pool, &stack), 0);
		memset(stack.base, 0, stack.size);
		stack_release(pool, &stack);
	}
}
END_TEST

/* Under ASan its frames leave their red zones on the stack. */
START_TEST(a_fiber_can_be_abandoned)
{
	struct routine routine;
	struct stack stack;
	int i;

	for (i = 0; i < 100; i++) {
		start(&routine, recurse);
		routine.value = i % 20;
		if (i % 3)
			resume(&routine);
		finish(&routine);
		ck_assert_ptr_null(routine.fiber.stack.base);
		ck_assert_int_eq(stack_acquire(pool, &stack), 0);
		memset(stack.base, 0, stack.size);
		stack_release(pool, &stack);
	}
}
END_TEST

static void *resume_elsewhere(void *arg)
{
	struct routine *routine = arg;
	struct fiber here;

	fiber_init_thread(&here);
	routine->back = &here;
	resume(routine);
	routine->back = NULL;
	fiber_finish(&here);
	return NULL;
}

START_TEST(a_fiber_moves_between_threads)
{
	struct routine routine;
	pthread_t other;
	int i;

	start(&routine, tick);
	for (i = 0; i <= 10; i++) {
		ck_assert_int_eq(routine.value, i ? i - 1 : 0);
		if (i % 2 == 0) {
			routine.back = &thread;
			resume(&routine);
			continue;
		}
		ck_assert_int_eq(pthread_create(&other, NULL, resume_elsewhere, &routine), 0);
		pthread_join(other, NULL);
	}
	ck_assert(routine.ended);
	finish(&routine);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, switches_there_and_back);
	tcase_add_test(tc, stack_is_aligned);
	tcase_add_test(tc, reserve_is_left_alone);
	tcase_add_test(tc, registers_are_kept);
	tcase_add_test(tc, floats_and_integers_are_kept);
	tcase_add_test(tc, deep_recursion);
	tcase_add_test(tc, fibers_nest);
	tcase_add_test(tc, unwinding_ends_at_the_first_frame);
	tcase_add_test(tc, backtrace_ends);
	tcase_add_test(tc, an_uncaught_exception_comes_back);
	tcase_add_test(tc, ten_thousand);
	tcase_add_test(tc, a_dead_stack_is_clean);
	tcase_add_test(tc, a_fiber_can_be_abandoned);
	tcase_add_test(tc, a_fiber_moves_between_threads);
}

int main(void)
{
	Suite *suite = suite_create("fiber");
	TCase *tc = tcase_create("fiber");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	add_tests(tc);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
