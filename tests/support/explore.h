/* SPDX-License-Identifier: MIT */
/*
 * Explores the schedules of code for several threads, on one thread: its threads are fibers, and before and
 *after each atomic operation (tests/support/explore_atomic.h) chance decides which of them goes on. A
 *schedule is a function of its seed. Orders that only a weakly ordered machine has are not among them: TSan
 *is for these.
 *
 *	static void scenario(void)        prepares, explore_spawn()s, explore_join()s, checks
 *	explore_runs(scenario, first, count)    gives the first seed that fails, or 0
 *
 * Half of the seeds choose at each step, with a probability that depends on the seed. The others give each
 *fiber a priority and lower the running one's at a few steps: S. Burckhardt et al., "A randomized scheduler
 *with probabilistic guarantees of finding bugs" (2010). When all fibers that are left wait for something, the
 *run fails: a wake-up has been lost. The first failure of a run ends it.
 */
#ifndef RT_TESTS_EXPLORE_H
#define RT_TESTS_EXPLORE_H

#include "base/random.h"
#include "platform/fiber.h"
#include "support/suite.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { EXPLORE_MAX_FIBERS = 8, EXPLORE_MAX_LOCKS = 16, EXPLORE_MAX_CHANGES = 4, EXPLORE_MAX_STEPS = 50000 };

enum explore_state { EXPLORE_ENDED, EXPLORE_READY, EXPLORE_WAITING, EXPLORE_SLEEPING };

struct explore_fiber {
	struct fiber fiber;
	bool started; /* it has a stack */
	enum explore_state state;
	const void *awaited; /* EXPLORE_WAITING; EXPLORE_SLEEPING: the same, or until chance says that time is
				up */
	bool timed_out;
	int priority;
	void (*entry)(void *arg);
	void *arg;
};

struct explore_lock {
	const void *address;
	bool held;
};

struct explore_case {
	const char *name;
	void (*run)(void);
	unsigned steps; /* about how many a run has */
};

/* One exploration at a time. */
static struct {
	struct fiber thread;
	struct stack_pool *stacks;
	struct explore_fiber fibers[EXPLORE_MAX_FIBERS];
	unsigned count;
	struct explore_fiber *running; /* NULL: the scenario itself */
	struct explore_lock locks[EXPLORE_MAX_LOCKS];
	uint64_t random;
	unsigned steps, expected_steps; /* of this run, of the one before */
	unsigned stay; /* at random: one step in so many switches; 0: by priority */
	unsigned changes[EXPLORE_MAX_CHANGES]; /* by priority: the steps that lower it */
	int lowest;
	void (*invariant)(void); /* called at every step; NULL: none */
	bool failed;
	char failure[200];
} explore;

/* ---- Failing ---- */

static inline void explore_note(const char *what, int line)
{
	if (explore.failed)
		return;
	explore.failed = true;
	snprintf(explore.failure, sizeof explore.failure, "%s (line %d, step %u)", what, line, explore.steps);
}

/* Ends the run, if called by a fiber; the scenario itself goes on. */
static inline void explore_fail(const char *what, int line)
{
	struct explore_fiber *running = explore.running;

	explore_note(what, line);
	explore.running = NULL;
	if (running)
		fiber_switch_last(&running->fiber, &explore.thread);
}

#define explore_check(condition) ((condition) ? (void)0 : explore_fail(#condition, __LINE__))

/* ---- Choosing ---- */

static inline bool explore_can_run(const struct explore_fiber *fiber)
{
	return fiber->state == EXPLORE_READY || fiber->state == EXPLORE_SLEEPING;
}

static inline unsigned explore_random(unsigned count)
{
	return random_below(&explore.random, count);
}

static inline struct explore_fiber *explore_choose_any(void)
{
	struct explore_fiber *chosen = NULL;
	unsigned seen = 0;

	for (unsigned i = 0; i < explore.count; i++)
		if (explore_can_run(&explore.fibers[i]) && explore_random(++seen) == 0)
			chosen = &explore.fibers[i];
	return chosen;
}

static inline struct explore_fiber *explore_choose_first(void)
{
	struct explore_fiber *chosen = NULL;

	for (unsigned i = 0; i < explore.count; i++) {
		struct explore_fiber *fiber = &explore.fibers[i];

		if (explore_can_run(fiber) && (!chosen || fiber->priority > chosen->priority))
			chosen = fiber;
	}
	return chosen;
}

/* Who goes on: NULL when nobody can. */
static inline struct explore_fiber *explore_choose(void)
{
	struct explore_fiber *running = explore.running;

	if (explore.stay == 0)
		return explore_choose_first();
	if (running && running->state == EXPLORE_READY && explore_random(explore.stay) != 0)
		return running;
	return explore_choose_any();
}

static inline void explore_lower(void)
{
	for (unsigned i = 0; i < EXPLORE_MAX_CHANGES; i++)
		if (explore.changes[i] == explore.steps && explore.running)
			explore.running->priority = explore.lowest--;
}

/* To fiber, from where the caller runs; returns when that is chosen again. */
static inline void explore_switch(struct explore_fiber *fiber)
{
	struct fiber *from = explore.running ? &explore.running->fiber : &explore.thread;

	if (fiber == explore.running)
		return;
	explore.running = fiber;
	if (fiber && fiber->state == EXPLORE_SLEEPING) {
		fiber->timed_out = true;
		fiber->state = EXPLORE_READY;
	}
	fiber_switch(from, fiber ? &fiber->fiber : &explore.thread);
}

/* ---- For the code that is explored ---- */

/* A place where another fiber may go on. */
static inline void explore_step(void)
{
	if (!explore.running)
		return;
	if (++explore.steps > EXPLORE_MAX_STEPS)
		explore_fail("no end", __LINE__);
	if (explore.invariant)
		explore.invariant();
	explore_lower();
	explore_switch(explore_choose());
}

/* Lets others go on until explore_wake(address). With timed, or until chance says so: then it returns false.
 */
static inline bool explore_wait(const void *address, bool timed)
{
	struct explore_fiber *running = explore.running, *next;

	if (!running) {
		explore_fail("the scenario itself would wait", __LINE__);
		return false;
	}
	/* Time passes for all: whoever sleeps is behind those that can run. */
	if (timed)
		running->priority = explore.lowest--;
	running->state = timed ? EXPLORE_SLEEPING : EXPLORE_WAITING;
	running->awaited = address;
	running->timed_out = false;
	next = explore_choose();
	if (next == running) {
		running->state = EXPLORE_READY;
		return false;
	}
	if (!next)
		explore_fail("all wait: a wake-up is lost", __LINE__);
	explore_switch(next);
	return !running->timed_out;
}

static inline void explore_wake(const void *address)
{
	for (unsigned i = 0; i < explore.count; i++) {
		struct explore_fiber *fiber = &explore.fibers[i];

		if (explore_can_run(fiber) && fiber->state != EXPLORE_SLEEPING)
			continue;
		if (fiber->state != EXPLORE_ENDED && fiber->awaited == address)
			fiber->state = EXPLORE_READY;
	}
}

/* ---- Locks ---- */

static inline struct explore_lock *explore_lock_of(const void *address)
{
	struct explore_lock *lock = explore.locks;

	while (lock->address && lock->address != address)
		if (++lock == explore.locks + EXPLORE_MAX_LOCKS)
			ck_abort_msg("too many locks");
	lock->address = address;
	return lock;
}

static inline int explore_mutex_lock(const void *mutex)
{
	struct explore_lock *lock = explore_lock_of(mutex);

	explore_step();
	while (lock->held)
		explore_wait(mutex, false);
	lock->held = true;
	explore_step();
	return 0;
}

static inline int explore_mutex_trylock(const void *mutex)
{
	struct explore_lock *lock = explore_lock_of(mutex);

	explore_step();
	bool held = lock->held;

	lock->held = true;
	explore_step();
	return held ? EBUSY : 0;
}

static inline void explore_let_go(const void *mutex)
{
	explore_lock_of(mutex)->held = false;
	explore_wake(mutex);
}

static inline int explore_mutex_unlock(const void *mutex)
{
	explore_step();
	explore_let_go(mutex);
	explore_step();
	return 0;
}

/* Now and then it wakes for no reason, as a real one may. */
static inline int explore_cond_wait(const void *cond, const void *mutex, bool timed)
{
	bool woken = true;

	explore_step();
	explore_let_go(mutex);
	if (explore_random(8) > 0)
		woken = explore_wait(cond, timed);
	explore_mutex_lock(mutex);
	return woken ? 0 : ETIMEDOUT;
}

static inline int explore_cond_signal(const void *cond)
{
	explore_step();
	explore_wake(cond);
	explore_step();
	return 0;
}

/* ---- Scenarios ---- */

static inline void explore_body(void *arg)
{
	struct explore_fiber *self = arg;

	for (;;) {
		self->entry(self->arg);
		self->state = EXPLORE_ENDED;
		struct explore_fiber *next = explore_choose();

		/* Whoever can run goes on; if nobody can, all have ended or the rest waits in vain. */
		if (!next)
			for (unsigned i = 0; i < explore.count; i++)
				if (explore.fibers[i].state != EXPLORE_ENDED)
					explore_note("all that are left wait: a wake-up is lost", __LINE__);
		explore_switch(next);
	}
}

static inline void explore_start(struct explore_fiber *fiber)
{
	struct stack stack;

	if (fiber->started)
		return;
	ck_assert_int_eq(stack_acquire(explore.stacks, &stack), 0);
	fiber_init(&fiber->fiber, &stack, 0, explore_body, fiber);
	fiber->started = true;
}

/* Adds a fiber to the run. Called by the scenario. */
static inline void explore_spawn(void (*entry)(void *arg), void *arg)
{
	struct explore_fiber *fiber = &explore.fibers[explore.count++];

	ck_assert_uint_le(explore.count, EXPLORE_MAX_FIBERS);
	explore_start(fiber);
	fiber->state = EXPLORE_READY;
	fiber->entry = entry;
	fiber->arg = arg;
}

static inline void explore_drop(struct explore_fiber *fiber)
{
	struct stack stack = fiber->fiber.stack;

	if (!fiber->started)
		return;
	fiber_finish(&fiber->fiber);
	stack_release(explore.stacks, &stack);
	fiber->started = false;
}

/* Runs the fibers until all have ended. False if the run has failed. */
static inline bool explore_join(void)
{
	for (unsigned i = 0; i < explore.count; i++)
		explore.fibers[i].priority = EXPLORE_MAX_CHANGES + 1 + (int)explore_random(1000);
	explore_switch(explore_choose());
	for (unsigned i = 0; i < explore.count; i++)
		if (explore.fibers[i].state != EXPLORE_ENDED)
			explore_drop(&explore.fibers[i]);
	explore.count = 0;
	return !explore.failed;
}

/* One run. Returns whether it failed. */
static inline bool explore_run(void (*scenario)(void), uint64_t seed)
{
	static const unsigned stays[] = {1, 2, 3, 5, 10, 30};
	unsigned depth;

	explore.random = seed;
	explore.failed = false;
	explore.failure[0] = '\0';
	explore.steps = 0;
	explore.lowest = EXPLORE_MAX_CHANGES;
	explore.invariant = NULL;
	memset(explore.locks, 0, sizeof explore.locks);
	memset(explore.changes, 0, sizeof explore.changes);
	explore.stay = explore_random(2) ? stays[explore_random(sizeof stays / sizeof *stays)] : 0;
	depth = 1 + explore_random(EXPLORE_MAX_CHANGES);
	for (unsigned i = 0; i < depth; i++)
		explore.changes[i] = 1 + explore_random(explore.expected_steps);
	scenario();
	return explore.failed;
}

/*
 * Runs the scenario with seeds from first on. Returns the first that fails, or 0. expected_steps is
 * about how many steps a run has.
 */
static inline uint64_t explore_runs(void (*scenario)(void), unsigned expected_steps, uint64_t first,
				    unsigned count)
{
	explore.expected_steps = expected_steps;
	for (uint64_t seed = first; seed < first + count; seed++)
		if (explore_run(scenario, seed))
			return seed;
	return 0;
}

static inline void explore_open(void)
{
	struct stack_pool_options options = {.size = 64 << 10, .keep = EXPLORE_MAX_FIBERS};

	ck_assert_int_eq(stack_pool_create(&explore.stacks, &options), 0);
	fiber_init_thread(&explore.thread);
}

static inline void explore_close(void)
{
	for (unsigned i = 0; i < EXPLORE_MAX_FIBERS; i++)
		explore_drop(&explore.fibers[i]);
	stack_pool_destroy(explore.stacks);
}

#endif
