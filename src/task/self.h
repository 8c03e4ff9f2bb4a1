/* SPDX-License-Identifier: MIT */
/* What the calling thread is doing right now. */
#ifndef RT_SELF_H
#define RT_SELF_H

#include "platform/fiber.h"

#include <rt/runtime.h>

RT_PRIVATE_BEGIN

enum { TASK_BUDGET = 128 };

struct self {
	struct rt_runtime *runtime; /* bound to this thread, or NULL */
	struct rt_task *task; /* running; NULL: on the scheduler's stack, or between two on a carrier */
	void *worker; /* that of its runtime which this thread is */
	struct fiber *fiber; /* whose stack this is */
	struct fiber thread; /* the thread's own stack, where the scheduler runs */
	/* Goes up when a task starts and stops to run: odd meanwhile. The watchdog's thread reads it. */
	uint64_t turns;
	unsigned budget; /* operations that the task may do before it has to give way */
	bool seeded; /* chance decides on the schedule, too */
	uint64_t random; /* the state of chance */
};

extern __thread struct self self_of_thread; /* for self_get() alone */

/*
 * Never keep the pointer across a suspension: the thread may be another. Compilers compute a thread-local's
 * address once per function, across a switch; so they may not know what this does.
 */
#if defined(__x86_64__) && defined(__LP64__)
static inline struct self *self_get(void)
{
	struct self *self;

	/* initial-exec: no call into the dynamic linker, also in a loaded module. */
	__asm__ volatile("movq rt__self_of_thread@gottpoff(%%rip), %0\n\taddq %%fs:0, %0"
			 : "=r"(self)
			 :
			 : "cc");
	return self;
}
#else
struct self *self_get(void);
#endif

/* A number below count: the one place where chance comes in. */
unsigned self_choose(unsigned count);

/* A task starts or stops to run. One writer: no atomic increment. */
static inline void self_turn(struct self *self)
{
	__atomic_store_n(&self->turns, self->turns + 1, __ATOMIC_RELAXED);
}

/* Counts an operation that did not wait; true when the task should give way now. */
static inline bool self_spend(struct self *self)
{
	return self->budget == 0 || --self->budget == 0;
}

/* A task starts to run. Seeded: small budgets are frequent, so that any operation may be the last one. */
static inline void self_refill(struct self *self)
{
	enum { DOUBLINGS = 8 }; /* up to TASK_BUDGET */

	self->budget = TASK_BUDGET;
	if (__builtin_expect(self->seeded, 0))
		self->budget = 1 + self_choose(1u << self_choose(DOUBLINGS));
}

/* Whether other threads run this thread's runtime as well. self_is_shared() looks up self itself. */
static inline bool self_shares(const struct self *self)
{
	const struct rt_runtime *runtime = self->runtime;

	return runtime && __builtin_expect(runtime->shared, 0);
}

static inline bool self_is_shared(void)
{
	return self_shares(self_get());
}

/* Locks the runtime of this thread, if there is one, and returns it. For self_unlock(). */
static inline struct rt_runtime *self_lock(void)
{
	struct rt_runtime *runtime = self_get()->runtime;

	if (runtime)
		rt_runtime_lock(runtime);
	return runtime;
}

static inline void self_unlock(struct rt_runtime *runtime)
{
	if (runtime)
		rt_runtime_unlock(runtime);
}

/* Where something new runs; see struct rt_runtime_ops. */
static inline struct rt_executor *runtime_place(struct rt_runtime *runtime, bool spread)
{
	return runtime->ops->place ? runtime->ops->place(runtime, spread) : &runtime->executor;
}

/* Whether a job that had been offloaded was taken back; see struct rt_runtime_ops. Locked. */
static inline bool runtime_recall(struct rt_runtime *runtime, struct rt_job *job)
{
	return runtime->ops->recall && runtime->ops->recall(runtime, job);
}

RT_PRIVATE_END

#endif
