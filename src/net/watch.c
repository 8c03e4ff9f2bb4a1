/* SPDX-License-Identifier: MIT */
/* Waiting for readiness; see watch.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "net/watch.h"

#include <errno.h>

void watch_init(struct rt_watch *watch, int fd)
{
	watch->fd = fd;
	watch->ready = RT_READ | RT_WRITE;
	watch->reader = watch->writer = NULL;
}

/* Without other threads this is a load and a store. */
static inline bool replace(struct rt_watch *watch, uint32_t *from, uint32_t to)
{
	if (self_is_shared())
		return __atomic_compare_exchange_n(&watch->ready, from, to, false, __ATOMIC_ACQ_REL,
						   __ATOMIC_ACQUIRE);
	watch->ready = to;
	return true;
}

void watch_change_shared(struct rt_watch *watch, uint32_t seen, uint32_t set, uint32_t clear)
{
	uint32_t now = watch_look(watch);

	while (now / RT_EVENT == seen / RT_EVENT && !replace(watch, &now, (now | set) & ~clear))
		;
}

static void set_and_clear(struct rt_watch *watch, uint32_t set, uint32_t clear)
{
	uint32_t now = watch_look(watch);

	while (!replace(watch, &now, (now | set) & ~clear))
		;
}

void watch_set(struct rt_watch *watch, uint32_t bits)
{
	set_and_clear(watch, bits, 0);
}

/* Locked; but whoever only wants to know whether somebody waits reads it without (watch_has_reader()). */
static inline void set_slot(struct rt_waiter **slot, struct rt_waiter *waiter)
{
	__atomic_store_n(slot, waiter, __ATOMIC_RELAXED);
}

static void wake(struct rt_waiter **slot, int result)
{
	struct rt_waiter *waiter = *slot;

	set_slot(slot, NULL);
	if (waiter)
		waiter->wake(waiter, result);
}

static inline void tell(struct rt_watch *watch, unsigned events)
{
	if (events & RT_READ)
		wake(&watch->reader, 0);
	if (events & RT_WRITE)
		wake(&watch->writer, 0);
}

static inline uint32_t with_news(uint32_t ready, unsigned events)
{
	return ((ready | events) & ~(events & RT_READ ? RT_DRAINED : 0u)) + RT_EVENT;
}

static __attribute__((noinline)) void tell_locked(struct rt_runtime *runtime, struct rt_watch *watch,
						  unsigned events)
{
	rt_runtime_lock(runtime);
	uint32_t now = watch_look(watch);

	while (!replace(watch, &now, with_news(now, events)))
		;
	tell(watch, events);
	rt_runtime_unlock(runtime);
}

void rt_watch_ready(struct rt_watch *watch, unsigned events)
{
	struct self *self = self_get();

	if (self_shares(self)) {
		tell_locked(self->runtime, watch, events);
		return;
	}
	watch->ready = with_news(watch->ready, events);
	tell(watch, events);
}

/* ---- Waiting ---- */

static void woken(struct rt_waiter *waiter, int result)
{
	self_get()->runtime->watching--;
	wait_wake(waiter, result);
}

void watch_finish(struct rt_watch *watch)
{
	struct rt_runtime *runtime = self_lock();
	bool registered = watch_look(watch) & RT_REGISTERED;

	set_and_clear(watch, RT_FINISHED, RT_REGISTERED);
	self_unlock(runtime);
	/* Not locked: it may wait for a thread that is just telling of an event. */
	if (registered && runtime)
		runtime->ops->unwatch(runtime, watch);
	self_lock();
	wake(&watch->reader, -EBADF);
	wake(&watch->writer, -EBADF);
	self_unlock(runtime);
}

static void stop_reading(struct task_wait *wait)
{
	struct rt_watch *watch = wait->source;

	self_get()->runtime->watching--;
	set_slot(&watch->reader, NULL);
}

static void stop_writing(struct task_wait *wait)
{
	struct rt_watch *watch = wait->source;

	self_get()->runtime->watching--;
	set_slot(&watch->writer, NULL);
}

static void describe(const struct task_wait *wait, char *text, size_t size)
{
	const struct rt_watch *watch = wait->source;

	snprintf(text, size, "descriptor %d", watch->fd);
}

static const struct wait_kind reading = {"readable", stop_reading, describe};
static const struct wait_kind writing = {"writable", stop_writing, describe};

static int ensure_registered(struct rt_runtime *runtime, struct rt_watch *watch)
{
	if (watch_look(watch) & RT_REGISTERED)
		return 0;
	int err = runtime->ops->watch(runtime, watch);

	if (err == 0)
		watch_set(watch, RT_REGISTERED);
	return err;
}

static inline struct rt_waiter **slot_of(struct rt_watch *watch, int direction)
{
	return direction == RT_READ ? &watch->reader : &watch->writer;
}

/* Locked. */
static inline void publish(struct rt_runtime *runtime, struct rt_watch *watch, int direction,
			   struct rt_task *task)
{
	wait_prepare(task, direction == RT_READ ? &reading : &writing, watch);
	task->wait.waiter.wake = woken;
	set_slot(slot_of(watch, direction), &task->wait.waiter);
	runtime->watching++;
}

/* Locked. */
static int await(struct rt_runtime *runtime, struct rt_watch *watch, int direction, struct rt_task *task)
{
	uint32_t ready = watch_look(watch);

	if (*slot_of(watch, direction))
		return -EBUSY;
	if (ready & RT_FINISHED)
		return -EBADF;
	if (ready & (uint32_t)direction) {
		task_publish_turn(task);
		return 0;
	}
	int err = ensure_registered(runtime, watch);

	if (err == 0)
		publish(runtime, watch, direction, task);
	return err;
}

/*
 * Whether all that await() looks at is as usual, in a runtime of one thread: so there is nothing to lock for
 * publish() and what follows.
 */
static inline bool is_usual(const struct rt_runtime *runtime, struct rt_watch *watch, int direction)
{
	uint32_t bits = RT_REGISTERED | RT_FINISHED | (uint32_t)direction;

	return !runtime->shared && !*slot_of(watch, direction) && (watch->ready & bits) == RT_REGISTERED;
}

static __attribute__((noinline)) int await_locked(struct rt_watch *watch, int direction, struct rt_task *task)
{
	struct rt_runtime *runtime = task->home->runtime;

	rt_runtime_lock(runtime);
	int err = await(runtime, watch, direction, task);

	rt_runtime_unlock(runtime);
	return err;
}

int watch_await(struct rt_watch *watch, int direction, struct rt_task *task)
{
	struct rt_runtime *runtime = task->home->runtime;

	if (!is_usual(runtime, watch, direction))
		return await_locked(watch, direction, task);
	publish(runtime, watch, direction, task);
	return 0;
}

static __attribute__((noinline)) int wait_locked(struct rt_watch *watch, int direction, struct rt_task *task,
						 rt_time deadline)
{
	struct rt_runtime *runtime = task->home->runtime;

	rt_runtime_lock(runtime);
	int err = await(runtime, watch, direction, task);

	if (err == 0)
		return task_suspend_unlock(task, deadline);
	rt_runtime_unlock(runtime);
	return err;
}

int watch_wait(struct rt_watch *watch, int direction, rt_time deadline)
{
	struct rt_task *task = self_get()->task;

	if (!task)
		return -EPERM;
	struct rt_runtime *runtime = task->home->runtime;

	if (!is_usual(runtime, watch, direction))
		return wait_locked(watch, direction, task, deadline);
	publish(runtime, watch, direction, task);
	return task_suspend_unlock(task, deadline);
}
