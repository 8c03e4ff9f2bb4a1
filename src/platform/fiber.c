/* SPDX-License-Identifier: MIT */
/* Fibers: contexts, and what sanitizers and valgrind must be told about them. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "platform/fiber.h"
#include "platform/context.h"
#include "platform/sanitizer.h"

#include <stdint.h>
#if HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#endif

/*
 * Inlined always: TSan counts the entry and the exit of each function per fiber,
 * so no function may begin on one fiber and end on another.
 */
#define ANNOTATION static inline __attribute__((always_inline)) void

#ifdef SANITIZER_ADDRESS
/* Where a thread's own stack lies: struct fiber leaves it empty, ASan must know. */
static __thread struct stack own;

static __attribute__((noinline)) struct stack *thread_stack(void)
{
	__asm__ volatile(""); /* keeps the compiler from merging the calls before and after a switch */
	return &own;
}

/* Asks ASan for the bounds of the running stack, by pretending to leave it. */
__attribute__((no_sanitize("address"))) static void measure(struct stack *stack)
{
	void *fake;
	const void *bottom;

	__sanitizer_start_switch_fiber(&fake, stack, sizeof *stack);
	__sanitizer_finish_switch_fiber(fake, &bottom, &stack->size);
	stack->base = (char *)bottom;
	__sanitizer_start_switch_fiber(&fake, bottom, stack->size);
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
}

/* Frees the fake stack of a fiber that was abandoned, by pretending to be it and to end. */
__attribute__((no_sanitize("address"))) static void drop(void *dead)
{
	void *mine;
	const void *bottom;
	size_t size;

	__sanitizer_start_switch_fiber(&mine, &own, sizeof own);
	__sanitizer_finish_switch_fiber(dead, &bottom, &size);
	__sanitizer_start_switch_fiber(NULL, bottom, size);
	__sanitizer_finish_switch_fiber(mine, NULL, NULL);
}

struct launch {
	void (*entry)(void *arg);
	void *arg;
};

static void start(void *arg)
{
	struct launch *launch = arg;

	__sanitizer_finish_switch_fiber(NULL, NULL, NULL);
	launch->entry(launch->arg);
}
#endif

ANNOTATION leave(void **fake_stack, struct fiber *to)
{
#ifdef SANITIZER_ADDRESS
	const struct stack *stack = to->stack.base ? &to->stack : thread_stack();

	__sanitizer_start_switch_fiber(fake_stack, stack->base, stack->size);
#endif
#ifdef SANITIZER_THREAD
	__tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
	(void)fake_stack;
	(void)to;
}

ANNOTATION arrive(struct fiber *fiber)
{
#ifdef SANITIZER_ADDRESS
	void *fake = fiber->asan_fake_stack;

	fiber->asan_fake_stack = NULL;
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
	(void)fiber;
}

void fiber_init_thread(struct fiber *fiber)
{
	*fiber = (struct fiber){0};
#ifdef SANITIZER_ADDRESS
	measure(thread_stack());
#endif
#ifdef SANITIZER_THREAD
	fiber->tsan_fiber = __tsan_get_current_fiber();
#endif
}

void *fiber_top(const struct stack *stack, size_t reserve)
{
	return stack->base + ((stack->size - reserve) & ~(size_t)63);
}

void fiber_init(struct fiber *fiber, const struct stack *stack, size_t reserve, void (*entry)(void *arg),
		void *arg)
{
	char *top = fiber_top(stack, reserve);

	*fiber = (struct fiber){.stack = *stack};
#ifdef SANITIZER_ADDRESS
	struct launch *launch = (struct launch *)(top -= sizeof *launch);

	*launch = (struct launch){entry, arg};
	entry = start;
	arg = launch;
#endif
#ifdef SANITIZER_THREAD
	fiber->tsan_fiber = __tsan_create_fiber(0);
#endif
#if HAVE_VALGRIND_VALGRIND_H
	fiber->valgrind_id = VALGRIND_STACK_REGISTER(stack->base, stack->base + stack->size);
#endif
	fiber->sp = context_make(stack->base, top, entry, arg);
}

#if defined(SANITIZER_ADDRESS) || defined(SANITIZER_THREAD)
void fiber_switch(struct fiber *from, struct fiber *to)
{
	leave(&from->asan_fake_stack, to);
	context_switch(&from->sp, to->sp);
	arrive(from);
}
#endif

void fiber_switch_last(struct fiber *from, struct fiber *to)
{
	leave(NULL, to);
	context_switch(&from->sp, to->sp);
	__builtin_trap();
}

void fiber_finish(struct fiber *fiber)
{
	if (!fiber->stack.base)
		return;
#ifdef SANITIZER_ADDRESS
	if (fiber->asan_fake_stack)
		drop(fiber->asan_fake_stack);
#endif
#ifdef SANITIZER_THREAD
	__tsan_destroy_fiber(fiber->tsan_fiber);
#endif
#if HAVE_VALGRIND_VALGRIND_H
	VALGRIND_STACK_DEREGISTER(fiber->valgrind_id);
#endif
	*fiber = (struct fiber){0};
}
