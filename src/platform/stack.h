/* SPDX-License-Identifier: MIT */
/*
 * Stacks for fibers: guarded, carved from large mappings, recycled.
 *
 * A pool hands out stacks of one size. The lowest page or pages of each are a guard, by
 * MADV_GUARD_INSTALL (Linux 6.13) or else mprotect(). Free stacks are kept for
 * reuse up to a limit, with their memory; above it their pages go back to the
 * system. A pool belongs to one thread.
 */
#ifndef RT_STACK_H
#define RT_STACK_H

#include <stdbool.h>
#include <stddef.h>

RT_PRIVATE_BEGIN

struct stack {
	char *base; /* lowest usable byte, above the guard: the beginning of a page */
	size_t size; /* usable bytes; the top is base + size, 16-byte aligned */
	size_t guard; /* bytes below base that fault */
};

struct stack_pool;

enum stack_guard { STACK_GUARD_PROBE, STACK_GUARD_MADVISE, STACK_GUARD_MPROTECT };

struct stack_pool_options {
	size_t size; /* bytes of a stack with its guard, rounded up to pages; at least 16 KiB */
	size_t guard_size; /* bytes of it that are the guard, rounded up to pages: more than any frame; 0: a
			      page */
	size_t keep; /* free stacks that keep their touched memory */
	bool unmap; /* give address space back too when a whole mapping is free */
	enum stack_guard guard; /* for tests: which guard to use */
};

/* Returns 0 or -errno (-EINVAL size, -ENOMEM, -ENOTSUP guard). */
int stack_pool_create(struct stack_pool **pool, const struct stack_pool_options *options);

/* Unmaps everything. What has stacks in use stays mapped for ever, and they usable. NULL is fine. */
void stack_pool_destroy(struct stack_pool *pool);

/* Returns 0 or -ENOMEM; also when no further guard can be made: never an unguarded stack. */
int stack_acquire(struct stack_pool *pool, struct stack *stack);
void stack_release(struct stack_pool *pool, struct stack *stack);

/* Whether address lies in the guard of stack. Async-signal-safe. */
bool stack_guard_hit(const struct stack *stack, const void *address);

/* For tests and reports. */
struct stack_stats {
	size_t in_use;
	size_t idle; /* free, ready for reuse */
	size_t mapped; /* bytes of address space */
	enum stack_guard guard;
};
void stack_pool_stats(const struct stack_pool *pool, struct stack_stats *stats);

RT_PRIVATE_END

#endif
