/* SPDX-License-Identifier: MIT */
/*
 * Fibers: a stack and a saved context, and the switch between them.
 *
 * The switch saves what the ABI has a callee save, without the floating-point
 * control words, which are the thread's. It tells ASan, TSan and valgrind. After
 * a switch the thread may be another: read thread-locals and errno only through
 * what the compiler cannot look into (self_get(), error_last()).
 */
#ifndef RT_FIBER_H
#define RT_FIBER_H

#include "platform/context.h"
#include "platform/sanitizer.h"
#include "platform/stack.h"

RT_PRIVATE_BEGIN

struct fiber {
	void *sp; /* saved stack pointer; with ucontext, the saved context */
	struct stack stack; /* empty for a thread's own stack */
	void *asan_fake_stack;
	void *tsan_fiber;
	unsigned valgrind_id;
};

/* Represents the calling thread's own stack. */
void fiber_init_thread(struct fiber *fiber);

/*
 * Prepares a fiber on a stack: the first switch to it calls entry(arg), which
 * must never return but switch away for good (fiber_switch_last). reserve bytes at
 * the top of the stack are left alone, for the caller's data; fiber_top()
 * gives their address (aligned to 64, a cache line).
 */
void fiber_init(struct fiber *fiber, const struct stack *stack, size_t reserve, void (*entry)(void *arg),
		void *arg);

/* The lowest address of the reserve bytes at the top of stack, aligned to 64. */
void *fiber_top(const struct stack *stack, size_t reserve);

/*
 * Leaves from, which must be the running fiber, and runs to. Returns when someone switches back. In line
 * where no sanitizer has to know: each return on a stack that was switched to is mispredicted.
 */
#if defined(SANITIZER_ADDRESS) || defined(SANITIZER_THREAD)
void fiber_switch(struct fiber *from, struct fiber *to);
#else
static inline void fiber_switch(struct fiber *from, struct fiber *to)
{
	context_switch(&from->sp, to->sp);
}
#endif

/* The same from a fiber that will never be resumed (lets ASan free its fake stack). Does not return. */
_Noreturn void fiber_switch_last(struct fiber *from, struct fiber *to);

/* Ends a fiber that is not running: releases what the annotations hold. The stack is the caller's again. */
void fiber_finish(struct fiber *fiber);

RT_PRIVATE_END

#endif
