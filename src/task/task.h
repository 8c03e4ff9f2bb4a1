/* SPDX-License-Identifier: MIT */
/*
 * Tasks as the library sees them: state, the one door to suspend through, ends.
 *
 *	 spawn ──► SCHEDULED ──run──► RUNNING ──end──► DONE
 *	               ▲               │    │
 *	               │wake    leaves │    │ wake
 *	               │               ▼    ▼
 *	               └──────────── PARKED  NOTIFIED ──leaves──► SCHEDULED
 *
 * A task is woken on a thread of its runtime only; other threads schedule a
 * runnable that does it. The transition to PARKED happens on the scheduler's stack,
 * after the task has left its own. That of a Lua task may also happen on
 * the carrier that it has given back (task_leave()), and so may its end: whoever is woken by
 * that, and ended(), must neither free carriers nor close the VM, but may schedule what does.
 *
 * Where several threads run the runtime, its lock guards all that has to do with waiting: the
 * wait, joiners, frames, scopes, the cancel flags. Functions below take it themselves, but for
 * those that say "locked", which are called with it. The state moves by compare-and-swap, so
 * that a worker needs no lock to run a task. With one thread neither costs anything.
 */
#ifndef RT_TASK_PRIVATE_H
#define RT_TASK_PRIVATE_H

#include "base/list.h"
#include "task/self.h"

#include <rt/task.h>
#include <stdio.h>

RT_PRIVATE_BEGIN

enum task_state { TASK_SCHEDULED, TASK_RUNNING, TASK_NOTIFIED, TASK_PARKED, TASK_DONE };

/* wait.result until the event has happened; no errno has this value. */
enum { WAIT_PENDING = INT32_MIN };

struct task_wait;

/* What is waited for, and how to stop: takes the waiter out of the source. */
struct wait_kind {
	const char *what; /* "read", "sleep", for reports */
	void (*detach)(struct task_wait *wait);
	/* Writes to text what exactly is waited for; may be NULL. */
	void (*describe)(const struct task_wait *wait, char *text, size_t size);
};

/* Where a deadline is armed: by whoever waits, where it lasts as long as the wait. */
struct wait_timer {
	struct rt_timer timer;
	struct rt_task *task;
};

struct task_wait {
	struct rt_waiter waiter;
	struct wait_timer *timer; /* NULL: no deadline is armed */
	const struct wait_kind *kind;
	void *source;
	int result; /* WAIT_PENDING, then the source's */
	bool expired; /* the timer has fired */
	bool by_frame; /* the deadline is a frame's, not the call's own */
	bool pinned; /* abandoned, but another thread uses what is on the task's stack: it stays mapped */
};

struct task_ops {
	/* Runs the task until it parks or ends, and may run others after it (task_follow()); on the
	 * scheduler's stack. self->task is then the last of them, if that was not left. */
	void (*resume)(struct rt_task *task);
	/* Has the memory that resume() touches first brought into the cache, without waiting. May be NULL. */
	void (*fetch)(const struct rt_task *task);
	/* Leaves the task's stack; returns 0 when it is resumed, or -errno at once if it cannot be left. */
	int (*park)(struct rt_task *task);
	/* The task is DONE and off its stack, joiners are woken. */
	void (*ended)(struct rt_task *task);
	bool ended_locked; /* that is called locked: it does not run code of the program, nor raise */
	const char *(*name)(const struct rt_task *task);
	const char *(*site)(const struct rt_task *task);
	/* The name that the program has given to it, or NULL: then the other one. May be NULL itself. */
	const char *(*title)(const struct rt_task *task);
	/* Its number, unique in the runtime, and that of the task that has spawned it, or 0. */
	void (*ids)(const struct rt_task *task, uint32_t *id, uint32_t *parent);
	/* Prints a line for each active function, indented. */
	void (*print_stack)(struct rt_task *task, FILE *file, int indent);
	/* More for the stack overflow report, or NULL. Async-signal-safe as far as possible. */
	void (*report)(const struct rt_task *task);
	/* In a signal handler, while the task runs: has it print its stack soon; NULL: C frames are all it
	 * has. */
	void (*overtime)(const struct rt_task *task);
};

/* Tasks that end together: those of a VM and of its job VMs. Locked. */
struct task_family {
	size_t count; /* that have not ended */
};

/* What the tasks of one kind in one place have in common: memory counts. */
struct task_home {
	struct rt_executor *executor;
	const struct task_ops *ops;
	struct rt_runtime *runtime;
	struct task_family *family; /* NULL: of none, as C tasks */
};

struct rt_task {
	struct rt_runnable runnable;
	const struct task_home *home;
	struct rt_waiter *joiners; /* a ring */
	struct rt_frame *frame; /* the innermost timeout, scope or shield; see frame.h */
	int result;
	uint8_t state;
	bool ended; /* its joiners have been woken */
	bool cancelled; /* for good */
	bool interrupted; /* waits give -ECANCELED: by cancellation or a frame, and no shield in between */
	struct task_wait wait;
};

/*
 * Somebody waits, outside of tasks, until no task of a family is left, or none at all: over is set then.
 * Until it is taken out of runtime->drains, tasks that come into being there are cancelled from the
 * beginning.
 */
struct task_drain {
	struct task_drain *next;
	const struct task_family *family; /* NULL: all tasks */
	bool over;
};

/* Whether a family, or NULL, is drained, alone or with all others. Locked. */
bool task_family_ends(const struct rt_runtime *runtime, const struct task_family *family);

/* How many tasks have not ended: of a family, or NULL: of the runtime. Locked. */
static inline size_t task_count(const struct rt_runtime *runtime, const struct task_family *family)
{
	return family ? family->count : runtime->task_count;
}

/* Tasks that are not in runtime->tasks: those of a VM. Linked in runtime->task_groups. */
struct task_group {
	struct task_group *next;
	/* The one after task; the first for NULL; NULL at the end. */
	struct rt_task *(*next_task)(struct task_group *group, struct rt_task *task);
};

void task_groups_add(struct rt_runtime *runtime, struct task_group *group);
void task_groups_remove(struct rt_runtime *runtime, struct task_group *group);

/* As rt_task_list(). visit must not change which tasks there are. */
int task_list(void (*visit)(struct rt_task *task, const struct rt_task_info *info, void *arg), void *arg);

/* The number of a task; 0 for NULL. */
uint32_t task_id(const struct rt_task *task);

/* That of the running task; 0: none is. For those that are spawned now. */
uint32_t task_current_id(void);

/* A number for a new task: not 0, and no other of the 2^32 tasks before it has it. Locked. */
static inline uint32_t task_next_id(struct rt_runtime *runtime)
{
	if (++runtime->last_task_id == 0)
		runtime->last_task_id = 1;
	return runtime->last_task_id;
}

/* ---- Life ---- */

/* Sets up a task that is not scheduled yet; home must outlast it. Counted in its runtime until it ends. */
void task_init(struct rt_task *task, const struct task_home *home);

/* Schedules a new task for the first time. */
void task_start(struct rt_task *task);

/* Its two halves. From the first one on it counts in its runtime; locked. The second one not. */
void task_admit(struct rt_task *task);
void task_launch(struct rt_task *task);

/* It does not count any more. Locked. */
void task_dismiss(struct rt_task *task);

/* Before what is scheduled runs: has the memory that it touches first brought into the cache. */
void task_fetch(const struct rt_runnable *runnable);

/*
 * For resume(), where tasks run one after the other on another stack than the scheduler's: leaves one that
 * has run, of which nothing is on that stack any more, and begins with one that has been taken from its
 * executor.
 */
void task_leave(struct rt_task *task);
void task_follow(struct rt_task *task);

/* The task whose turn a runnable is; NULL: it is another kind of thing. */
struct rt_task *task_of(const struct rt_runnable *runnable);

/* To be called by the task itself as its last act, before it leaves its stack for good. */
void task_finish(struct rt_task *task, int result);

/* Makes a parked task runnable; harmless in every other state. Locked. */
void task_wake(struct rt_task *task);

/* For a task that is freed without having ended: takes all joiners out, unwoken. */
void task_forget_joiners(struct rt_task *task);

/* What it is right now; with several threads, a moment ago. */
static inline enum task_state task_state(const struct rt_task *task)
{
	return __atomic_load_n(&task->state, __ATOMIC_ACQUIRE);
}

/* Whether it has ended and everybody who waits for that knows. Locked. */
static inline bool task_has_ended(const struct rt_task *task)
{
	return task->ended;
}

/* ---- Waiting ---- */

/* The usual waiter.wake: stores the result and wakes the task. Locked. */
void wait_wake(struct rt_waiter *waiter, int result);

/* Makes task->wait ready to be published on a source. Locked. */
static inline void wait_prepare(struct rt_task *task, const struct wait_kind *kind, void *source)
{
	task->wait.waiter.wake = wait_wake;
	task->wait.kind = kind;
	task->wait.source = source;
	task->wait.result = WAIT_PENDING;
	task->wait.expired = false;
}

/* The deadline of everything that the task, which is the calling one, awaits. */
static inline rt_time task_deadline(const struct rt_task *task)
{
	return task->frame ? task->frame->effective : RT_FOREVER;
}

/* Whether a wait with that deadline takes a timer. */
static inline bool wait_needs_timer(const struct rt_task *task, rt_time deadline)
{
	return deadline != RT_FOREVER || task_deadline(task) != RT_FOREVER;
}

/*
 * Having published the waiter: arms the deadline on timer, which may be NULL if
 * wait_needs_timer() says so. True: the task must now leave its stack. False:
 * there is nothing to wait for, call wait_end().
 */
bool wait_begin(struct rt_task *task, rt_time deadline, struct wait_timer *timer);

/* Whether the wait has come to an end, in any way. Locked. */
static inline bool wait_over(const struct rt_task *task)
{
	return task->wait.result != WAIT_PENDING || task->wait.expired || task->interrupted;
}

/* Whether the wait has not come to an end yet. */
bool wait_still(struct rt_task *task);

/* The result: the source's if the event has happened, else -ECANCELED or -ETIMEDOUT, and detached. */
int wait_end(struct rt_task *task);

/*
 * Whether nothing but what is waited for ends it, as far as can be seen, and there is nothing to lock: that
 * is the usual wait. Only the calling thread could start a second one, so this holds until the task has
 * parked.
 */
static inline bool wait_is_plain(const struct rt_task *task, rt_time deadline)
{
	return deadline == RT_FOREVER && !task->home->runtime->shared && !task->frame && !task->interrupted &&
	       task->wait.result == WAIT_PENDING;
}

/* The two ways of task_suspend_unlock(). The plain one takes little of the stack, which is in no cache. */
int task_suspend_plain(struct rt_task *task);
int task_suspend_timed(struct rt_task *task, rt_time deadline);

/*
 * wait_begin, park until over, wait_end, for one who has just published the waiter: locked, and unlocked
 * when it returns. Suspends.
 */
static inline int task_suspend_unlock(struct rt_task *task, rt_time deadline)
{
	return wait_is_plain(task, deadline) ? task_suspend_plain(task) : task_suspend_timed(task, deadline);
}

/* The same for one who is not locked. Suspends. */
static inline int task_suspend(struct rt_task *task, rt_time deadline)
{
	rt_runtime_lock(task->home->runtime);
	return task_suspend_unlock(task, deadline);
}

/* Publishes task's waiter on the end of target. 0, or -EDEADLK where target waits for task, or will. */
int task_await(struct rt_task *task, struct rt_task *target);

/* task_await() and task_suspend(). Suspends. */
int task_join(struct rt_task *task, struct rt_task *target, rt_time deadline);

/* Publishes a wait that is over at once but lets the others run first; the other one locked. */
void task_await_turn(struct rt_task *task);
void task_publish_turn(struct rt_task *task);

/* Publishes a wait that only a deadline ends. */
void task_await_deadline(struct rt_task *task);

/* The result of a wait that only a deadline ends: expiry is what it was for. */
int task_slept(int result);

RT_PRIVATE_END

#endif
