/* SPDX-License-Identifier: MIT */
/* Waiting for a descriptor's readiness: between the tries of an operation and the runtime's watch. */
#ifndef RT_NET_WATCH_H
#define RT_NET_WATCH_H

#include "base/error.h"
#include "task/task.h"

#include <errno.h>

RT_PRIVATE_BEGIN

/*
 * Keeps the memory of a socket that was destroyed until every operation under way
 * has returned: a task may have been woken, or have given way, and not run yet.
 */
struct hold {
	uint32_t count; /* of operations, and HOLD_DESTROYED */
};

#define HOLD_DESTROYED (1u << 31)

static inline uint32_t hold_add(const struct self *self, struct hold *hold, uint32_t change)
{
	if (self_shares(self))
		return __atomic_add_fetch(&hold->count, change, __ATOMIC_ACQ_REL);
	return hold->count += change;
}

static inline void hold_begin(const struct self *self, struct hold *hold)
{
	hold_add(self, hold, 1);
}

/* True: the socket was destroyed meanwhile and this was the last operation, free it. */
static inline bool hold_end(const struct self *self, struct hold *hold)
{
	return hold_add(self, hold, -1u) == HOLD_DESTROYED;
}

/*
 * Marks it as destroyed, by an operation like the others: to be followed by hold_end(), until which
 * the socket lasts.
 */
static inline void hold_destroy(const struct self *self, struct hold *hold)
{
	hold_add(self, hold, HOLD_DESTROYED + 1);
}

/* What is known of readiness before a try; for watch_change() after it. */
static inline uint32_t watch_look(const struct rt_watch *watch)
{
	return __atomic_load_n(&watch->ready, __ATOMIC_ACQUIRE);
}

/* watch_change() where other threads may tell of events at any moment. */
void watch_change_shared(struct rt_watch *watch, uint32_t seen, uint32_t set, uint32_t clear);

/*
 * After a try: sets bits, and clears others, unless an event has come since that is news of its own. Without
 * other threads none has.
 */
static inline void watch_change(const struct self *self, struct rt_watch *watch, uint32_t seen, uint32_t set,
				uint32_t clear)
{
	if (self_shares(self))
		watch_change_shared(watch, seen, set, clear);
	else
		watch->ready = (seen | set) & ~clear;
}

/* Whether a task waits for data; another thread may just be waking it. */
static inline bool watch_has_reader(const struct rt_watch *watch)
{
	return __atomic_load_n(&watch->reader, __ATOMIC_RELAXED);
}

/* Before a try: 0, or what to give instead. -EAGAIN: not ready as far as is known, or the budget is used up.
 */
static inline int watch_check(struct self *self, const struct rt_watch *watch, uint32_t seen,
			      uint32_t direction)
{
	if (watch->fd < 0)
		return -EBADF;
	return !(seen & direction) || self_spend(self) ? -EAGAIN : 0;
}

/* After a try that has failed, with errno: what to give. EAGAIN ends the readiness that was noted. */
static inline int watch_failed(const struct self *self, struct rt_watch *watch, uint32_t seen,
			       uint32_t direction)
{
	int err = error_last();

	if (err == EAGAIN)
		watch_change(self, watch, seen, 0, direction);
	return -err;
}

/* Sets bits, whatever has come meanwhile. */
void watch_set(struct rt_watch *watch, uint32_t bits);

/* Ready in both directions until a try says otherwise. */
void watch_init(struct rt_watch *watch, int fd);

/* Stops following fd, without closing it, and wakes those that wait with -EBADF. */
void watch_finish(struct rt_watch *watch);

/*
 * Publishes task as the one that waits for direction (RT_READ or RT_WRITE). When
 * the bit is set already, the wait is over after the others have had a turn.
 * Returns 0, -EBUSY, or what registering the descriptor gave.
 */
int watch_await(struct rt_watch *watch, int direction, struct rt_task *task);

/* watch_await() and task_suspend(). Returns 0 when it is worth to try again. Suspends. */
int watch_wait(struct rt_watch *watch, int direction, rt_time deadline);

RT_PRIVATE_END

#endif
