/* SPDX-License-Identifier: MIT */
/* Task states and ends; see task.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/fault.h"
#include "task/scope.h"

#include <errno.h>
#include <inttypes.h>

/* ---- States ---- */

/* A task moves on from a state that others may change at the same time. */
static bool move(struct rt_task *task, enum task_state from, enum task_state to)
{
	uint8_t expected = (uint8_t)from;

	if (__builtin_expect(!task->home->runtime->shared, 1)) {
		if (task->state != from)
			return false;
		task->state = (uint8_t)to;
		return true;
	}
	return __atomic_compare_exchange_n(&task->state, &expected, (uint8_t)to, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

/* From a state that nobody else changes. */
static void set_state(struct rt_task *task, enum task_state state)
{
	__atomic_store_n(&task->state, (uint8_t)state, __ATOMIC_RELEASE);
}

static void schedule(struct rt_task *task)
{
	struct rt_executor *executor = task->home->executor;

	executor->schedule(executor, &task->runnable);
}

static void end(struct rt_task *task)
{
	struct rt_runtime *runtime = task->home->runtime;

	rt_runtime_lock(runtime);
	task->ended = true;
	task_dismiss(task);
	if (task->frame)
		frames_abandon(task);
	while (task->joiners) {
		struct rt_waiter *waiter = task->joiners;

		ring_remove(&task->joiners, waiter);
		waiter->wake(waiter, 0);
		if (FAULT(join_one))
			task_forget_joiners(task);
	}
	const struct task_ops *ops = task->home->ops;

	if (ops->ended_locked)
		ops->ended(task);
	rt_runtime_unlock(runtime);
	if (!ops->ended_locked)
		ops->ended(task);
}

static inline void enter(struct self *self, struct rt_task *task)
{
	set_state(task, TASK_RUNNING);
	self->task = task;
	self_refill(self);
	self_turn(self);
}

/* Off its stack, of a task that has run. Once it is parked it may be running again, elsewhere. */
static inline void leave(struct rt_task *task)
{
	if (move(task, TASK_RUNNING, TASK_PARKED))
		return;
	if (task->state == TASK_DONE) {
		end(task);
		return;
	}
	set_state(task, TASK_SCHEDULED);
	schedule(task);
}

static void run(struct rt_runnable *runnable)
{
	struct rt_task *task = container_of(runnable, struct rt_task, runnable);
	struct self *self = self_get();
	struct rt_task *outer = self->task;

	enter(self, task);
	task->home->ops->resume(task);
	/* The last of those that have followed it; NULL if that has been left as well. */
	task = self->task;
	if (task)
		self_turn(self);
	self->task = outer;
	if (task)
		leave(task);
}

void task_leave(struct rt_task *task)
{
	struct self *self = self_get();

	self_turn(self);
	self->task = NULL;
	leave(task);
}

struct rt_task *task_of(const struct rt_runnable *runnable)
{
	return runnable->run == run ? container_of(runnable, struct rt_task, runnable) : NULL;
}

void task_follow(struct rt_task *task)
{
	enter(self_get(), task);
}

void task_fetch(const struct rt_runnable *runnable)
{
	const struct rt_task *task = container_of(runnable, struct rt_task, runnable);

	enum { LINE = 64 };
	const char *next = (const char *)runnable->next;

	if (next) {
		__builtin_prefetch(next, 1);
		__builtin_prefetch(next + LINE, 1);
	}
	if (runnable->run == run && task->home->ops->fetch)
		task->home->ops->fetch(task);
}

void task_init(struct rt_task *task, const struct task_home *home)
{
	*task = (struct rt_task){
		.runnable.run = run,
		.home = home,
		/* Before task_start() others may cancel it: then nobody but that schedules it. */
		.state = TASK_SCHEDULED,
	};
}

bool task_family_ends(const struct rt_runtime *runtime, const struct task_family *family)
{
	for (const struct task_drain *drain = runtime->drains; drain; drain = drain->next) {
		if (!drain->family || drain->family == family)
			return true;
	}
	return false;
}

void task_admit(struct rt_task *task)
{
	const struct task_home *home = task->home;

	home->runtime->task_count++;
	if (home->family)
		home->family->count++;
	/* The end has come: all others have been cancelled. */
	if (home->runtime->drains && task_family_ends(home->runtime, home->family))
		task->cancelled = task->interrupted = true;
}

static void look_for_ends(const struct rt_runtime *runtime)
{
	for (struct task_drain *drain = runtime->drains; drain; drain = drain->next) {
		if (task_count(runtime, drain->family) == 0)
			__atomic_store_n(&drain->over, true, __ATOMIC_RELEASE);
	}
}

void task_dismiss(struct rt_task *task)
{
	const struct task_home *home = task->home;

	home->runtime->task_count--;
	if (home->family)
		home->family->count--;
	if (home->runtime->drains)
		look_for_ends(home->runtime);
}

void task_launch(struct rt_task *task)
{
	set_state(task, TASK_SCHEDULED);
	schedule(task);
}

void task_start(struct rt_task *task)
{
	struct rt_runtime *runtime = task->home->runtime;

	rt_runtime_lock(runtime);
	task_admit(task);
	rt_runtime_unlock(runtime);
	task_launch(task);
}

void task_finish(struct rt_task *task, int result)
{
	task->result = result;
	set_state(task, TASK_DONE);
}

void task_wake(struct rt_task *task)
{
	enum task_state state;

	if ((FAULT(wake_repeated) && task->state == TASK_SCHEDULED) ||
	    (FAULT(wake_hasty) && move(task, TASK_RUNNING, TASK_SCHEDULED)))
		schedule(task);
	/* Only from running to parked does it move by itself meanwhile: at most twice around. */
	while ((state = task_state(task)) == TASK_PARKED || state == TASK_RUNNING) {
		if (state == TASK_RUNNING &&
		    (FAULT(wake_forgotten) || move(task, TASK_RUNNING, TASK_NOTIFIED)))
			return;
		if (state == TASK_PARKED && move(task, TASK_PARKED, TASK_SCHEDULED)) {
			schedule(task);
			return;
		}
	}
}

uint32_t task_id(const struct rt_task *task)
{
	uint32_t id = 0, parent;

	if (task)
		task->home->ops->ids(task, &id, &parent);
	return id;
}

uint32_t task_current_id(void)
{
	return task_id(self_get()->task);
}

const char *rt_task_name(const struct rt_task *task)
{
	return task ? task->home->ops->name(task) : "none";
}

const char *rt_task_site(const struct rt_task *task)
{
	return task ? task->home->ops->site(task) : "?";
}

void task_forget_joiners(struct rt_task *task)
{
	struct rt_runtime *runtime = self_lock();

	while (task->joiners)
		ring_remove(&task->joiners, task->joiners);
	self_unlock(runtime);
}

static void stop_joining(struct task_wait *wait)
{
	struct rt_task *target = wait->source;

	if (wait->waiter.next && !FAULT(join_stays))
		ring_remove(&target->joiners, &wait->waiter);
}

static void describe_join(const struct task_wait *wait, char *text, size_t size)
{
	const struct rt_task *target = wait->source;
	uint32_t id, parent;

	target->home->ops->ids(target, &id, &parent);
	snprintf(text, size, "task %" PRIu32 ", spawned at %s", id, rt_task_site(target));
}

static const struct wait_kind join = {"join", stop_joining, describe_join};

/* Whether target cannot end before task: it is the same, or owns a scope around it. */
static bool outlasts(const struct rt_task *target, const struct rt_task *task)
{
	if (target == task)
		return true;
	for (struct rt_frame *frame = task->frame; frame; frame = frame_around(frame)) {
		if (frame->task == target)
			return true;
	}
	return false;
}

/* Whether target outlasts task, or joins one that does, and so on. No chain of joins is ever closed. */
static bool joins(const struct rt_task *target, const struct rt_task *task)
{
	while (!outlasts(target, task)) {
		if (target->wait.kind != &join || wait_over(target))
			return false;
		target = target->wait.source;
	}
	return true;
}

static inline int await(struct rt_task *task, struct rt_task *target)
{
	if (joins(target, task))
		return -EDEADLK;
	wait_prepare(task, &join, target);
	if (task_has_ended(target))
		task->wait.result = 0;
	else
		ring_push(&target->joiners, &task->wait.waiter);
	return 0;
}

int task_await(struct rt_task *task, struct rt_task *target)
{
	struct rt_runtime *runtime = task->home->runtime;

	rt_runtime_lock(runtime);
	int err = await(task, target);

	rt_runtime_unlock(runtime);
	return err;
}

int task_join(struct rt_task *task, struct rt_task *target, rt_time deadline)
{
	struct rt_runtime *runtime = task->home->runtime;

	rt_runtime_lock(runtime);
	int err = await(task, target);

	if (err == 0)
		return task_suspend_unlock(task, deadline);
	rt_runtime_unlock(runtime);
	return err;
}
