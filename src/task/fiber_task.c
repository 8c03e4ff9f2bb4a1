/* SPDX-License-Identifier: MIT */
/* C tasks; see fiber_task.h and rt/task.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "task/fiber_task.h"

#include "platform/backtrace.h"
#include "platform/overflow.h"
#include "task/cancel.h"
#include "task/local.h"
#include "task/scope.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	STACKS_KEPT = 1024,
	NAME_MAX_LENGTH = 32,
};

/*
 * Two cache lines are what running one takes, up to where its stack pointer is saved: of many parked tasks
 * none is in a cache.
 */
struct fiber_task {
	_Alignas(64) struct rt_task task;
	struct capture *capture; /* somebody wants to know what is on this stack */
	struct fiber fiber;
	rt_task_fn *fn;
	void *arg;
	struct rt_task *next, *prev; /* all of the runtime */
	struct stack_pool *pool;
	struct locals *locals;
	struct rt_scope_child child; /* in a scope, which then owns the handle */
	const char *site;
	uint32_t id, parent;
	bool own_pool;
	bool started;
	uint8_t references; /* the task itself until it ends, and its handle */
	char name[NAME_MAX_LENGTH];
};

_Static_assert(offsetof(struct fiber_task, fiber.sp) + sizeof(void *) <= 128, "in two lines");

/* One for each executor that C tasks of the runtime have been placed on, linked from runtime->homes. */
struct fiber_home {
	struct task_home home;
	struct fiber_home *next;
};

/* What is on a fiber's stack: the fiber itself is switched to, looks, and switches back. */
struct capture {
	struct fiber *asker;
	void *frames[BACKTRACE_FRAMES];
	int count;
};

static struct fiber_task *fiber_task(const struct rt_task *task)
{
	return container_of(task, struct fiber_task, task);
}

/* The task's data lies on the stack that is given back here. Locked. */
static void release(struct fiber_task *task)
{
	struct stack stack = task->fiber.stack;
	struct stack_pool *pool = task->pool;

	if (--task->references > 0)
		return;
	bool own_pool = task->own_pool;

	fiber_finish(&task->fiber);
	stack_release(pool, &stack);
	if (own_pool)
		stack_pool_destroy(pool);
}

static void resume(struct rt_task *task)
{
	struct self *self = self_get();
	struct fiber *outer = self->fiber;

	self->fiber = &fiber_task(task)->fiber;
	fiber_switch(outer, self->fiber);
	/* The scheduler's stack is always on the same thread. */
	self->fiber = outer;
}

/* The frames that are returned to first, and what was waited for; task_fetch() has fetched its own data. */
static void fetch(const struct rt_task *task)
{
	enum { LINE = 64 };
	const char *sp = fiber_task(task)->fiber.sp;

	__builtin_prefetch(sp);
	__builtin_prefetch(sp + LINE);
	__builtin_prefetch(sp + 2 * LINE);
	__builtin_prefetch(sp + 3 * LINE);
	__builtin_prefetch(task->wait.source);
}

static int park(struct rt_task *task)
{
	struct fiber_task *self = fiber_task(task);

	fiber_switch(&self->fiber, &self_get()->thread);
	while (self->capture) {
		struct capture *capture = self->capture;

		self->capture = NULL;
		capture->count = backtrace_capture(capture->frames, __builtin_return_address(0));
		fiber_switch(&self->fiber, capture->asker);
	}
	return 0;
}

/* Room that walking the stack needs. */
static bool has_room(const struct fiber *fiber)
{
	enum { ROOM = 8192 };
	uintptr_t base = (uintptr_t)fiber->stack.base, sp = (uintptr_t)fiber->sp;

	return sp - base >= ROOM;
}

static void ask(struct fiber_task *task, struct capture *capture)
{
	struct self *self = self_get();
	struct fiber *outer = self->fiber;

	/* What the first use takes, that stack may not have. */
	backtrace_prepare();
	capture->asker = outer;
	task->capture = capture;
	self->fiber = &task->fiber;
	fiber_switch(outer, &task->fiber);
	self_get()->fiber = outer;
}

/* Another worker may rest in the middle of a task, which has come to look at all tasks as well. */
static bool has_left(const struct fiber_task *task)
{
	enum task_state state = task_state(&task->task);

	return state == TASK_PARKED || state == TASK_SCHEDULED;
}

static void print_stack(struct rt_task *task, FILE *file, int indent)
{
	struct fiber_task *asked = fiber_task(task);
	struct capture capture = {0};

	if (task == self_get()->task)
		capture.count = backtrace_capture(capture.frames, __builtin_return_address(0));
	else if (asked->started && has_left(asked) && has_room(&asked->fiber))
		ask(asked, &capture);
	backtrace_print(capture.frames, capture.count, file, indent);
}

static void unlink_task(struct rt_runtime *runtime, struct fiber_task *task)
{
	if (task->prev)
		fiber_task(task->prev)->next = task->next;
	else
		runtime->tasks = task->next;
	if (task->next)
		fiber_task(task->next)->prev = task->prev;
}

/* Locked. */
static void discard(struct fiber_task *task)
{
	unlink_task(task->task.home->runtime, task);
	release(task);
}

static void ended(struct rt_task *task)
{
	discard(fiber_task(task));
}

static const char *name_of(const struct rt_task *task)
{
	return fiber_task(task)->name;
}

static const char *site_of(const struct rt_task *task)
{
	return fiber_task(task)->site;
}

static void ids_of(const struct rt_task *task, uint32_t *id, uint32_t *parent)
{
	*id = fiber_task(task)->id;
	*parent = fiber_task(task)->parent;
}

struct rt_task *fiber_task_next(const struct rt_task *task)
{
	return fiber_task(task)->next;
}

static const struct task_ops fiber_task_ops = {
	.resume = resume,
	.fetch = fetch,
	.park = park,
	.ended = ended,
	.ended_locked = true,
	.name = name_of,
	.site = site_of,
	.ids = ids_of,
	.print_stack = print_stack,
};

/* Not by the table: a test may have put one of its own in its place. */
static bool is_fiber_task(const struct rt_task *task)
{
	return task->home->ops->resume == resume;
}

struct locals **fiber_task_locals(struct rt_task *task)
{
	return is_fiber_task(task) ? &fiber_task(task)->locals : NULL;
}

static void inherit(struct fiber_task *task, const struct rt_task *spawner)
{
	struct locals *locals = NULL;

	if (!spawner || !is_fiber_task(spawner)) {
		task->parent = task_id(spawner);
	} else {
		task->parent = fiber_task(spawner)->id;
		locals = fiber_task(spawner)->locals;
	}
	task->locals = locals ? locals_share(locals) : NULL;
}

/* What destructors set in turn is destroyed as well, but outside of the task, where none can be set. */
static void clear_locals(struct fiber_task *task)
{
	locals_clear(&task->locals);
	if (!task->locals)
		return;
	self_get()->task = NULL;
	locals_clear(&task->locals);
	self_get()->task = &task->task;
}

static void entry(void *arg)
{
	struct fiber_task *task = arg;

	task->started = true;
	int result = task->fn(task->arg);

	if (task->locals)
		clear_locals(task);
	task_finish(&task->task, result);
	fiber_switch_last(&task->fiber, &self_get()->thread);
}

/* A stack of an unusual size has a pool of its own: it costs a mapping and is not recycled. */
static int pool_for(struct rt_runtime *runtime, size_t size, struct stack_pool **pool)
{
	struct stack_pool_options options = {.size = size, .unmap = true};

	if (size && size != runtime->stack_size)
		return stack_pool_create(pool, &options);
	*pool = runtime->stacks;
	if (*pool)
		return 0;
	options.size = runtime->stack_size;
	options.keep = STACKS_KEPT;
	options.unmap = false;
	int err = stack_pool_create(pool, &options);

	runtime->stacks = err < 0 ? NULL : *pool;
	return err;
}

/* Locked. */
static int acquire_stack(struct rt_runtime *runtime, size_t size, struct stack_pool **pool,
			 struct stack *stack)
{
	int err = pool_for(runtime, size, pool);

	if (err < 0)
		return err;
	err = stack_acquire(*pool, stack);
	if (err < 0 && *pool != runtime->stacks)
		stack_pool_destroy(*pool);
	return err;
}

/* Locked. */
static void link_task(struct rt_runtime *runtime, struct fiber_task *task)
{
	task->id = task_next_id(runtime);
	task->prev = NULL;
	task->next = runtime->tasks;
	if (runtime->tasks)
		fiber_task(runtime->tasks)->prev = &task->task;
	runtime->tasks = &task->task;
}

/* Locked. */
static const struct task_home *home_on(struct rt_runtime *runtime, struct rt_executor *executor)
{
	struct fiber_home *home = runtime->homes;

	while (home && home->home.executor != executor)
		home = home->next;
	if (home)
		return &home->home;
	home = malloc(sizeof *home);
	if (!home)
		return NULL;
	*home = (struct fiber_home){{executor, &fiber_task_ops, runtime, NULL}, runtime->homes};
	runtime->homes = home;
	return &home->home;
}

/* Locked; the task is not in the runtime's list yet. */
static struct fiber_task *create(struct rt_runtime *runtime, struct rt_executor *executor, size_t stack_size)
{
	const struct task_home *home = home_on(runtime, executor);
	struct stack_pool *pool;
	struct stack stack;
	int err = home ? acquire_stack(runtime, stack_size, &pool, &stack) : -ENOMEM;

	if (err < 0) {
		errno = -err;
		return NULL;
	}
	struct fiber_task *task = fiber_top(&stack, sizeof *task);

	task_init(&task->task, home);
	fiber_init(&task->fiber, &stack, sizeof *task, entry, task);
	task->pool = pool;
	task->own_pool = pool != runtime->stacks;
	return task;
}

static void set_name(struct fiber_task *task, const char *name)
{
	size_t length = strnlen(name, NAME_MAX_LENGTH - 1);

	memcpy(task->name, name, length);
	task->name[length] = '\0';
}

static void fill_in(struct fiber_task *task, rt_task_fn *fn, void *arg, const struct rt_task_options *options)
{
	task->fn = fn;
	task->arg = arg;
	inherit(task, self_get()->task);
	task->child.ended = NULL;
	task->started = false;
	task->capture = NULL;
	task->site = options && options->site ? options->site : "?";
	task->references = 2;
	set_name(task, options && options->name ? options->name : "task");
}

/* A task that is still to be launched, and admitted if nobody else has to agree. */
static struct fiber_task *prepare(rt_task_fn *fn, void *arg, const struct rt_task_options *options,
				  bool admit)
{
	struct rt_runtime *runtime = self_get()->runtime;

	if (!fn || !runtime) {
		errno = fn ? EPERM : EINVAL;
		return NULL;
	}
	/* This may start a thread, from which on there is something to lock. */
	struct rt_executor *executor = runtime_place(runtime, false);

	rt_runtime_lock(runtime);
	struct fiber_task *task = create(runtime, executor, options ? options->stack_size : 0);

	if (task) {
		fill_in(task, fn, arg, options);
		link_task(runtime, task);
		if (admit)
			task_admit(&task->task);
	}
	rt_runtime_unlock(runtime);
	return task;
}

struct rt_task *rt_spawn_with(rt_task_fn *fn, void *arg, const struct rt_task_options *options)
{
	struct fiber_task *task = prepare(fn, arg, options, true);

	if (!task)
		return NULL;
	task_launch(&task->task);
	return &task->task;
}

struct rt_task *rt_spawn_named(rt_task_fn *fn, void *arg, const char *name, const char *site)
{
	return rt_spawn_with(fn, arg, &(struct rt_task_options){.name = name, .site = site});
}

/* ---- In scopes ---- */

static int child_ended(struct rt_scope_child *child)
{
	struct fiber_task *task = container_of(child, struct fiber_task, child);
	int result = task->task.result;

	release(task);
	return result;
}

/* Its scope has been closed meanwhile, by another thread. */
static void never_started(struct fiber_task *task)
{
	struct rt_runtime *runtime = task->task.home->runtime;

	locals_clear(&task->locals);
	task->references = 1;
	rt_runtime_lock(runtime);
	discard(task);
	rt_runtime_unlock(runtime);
}

/* Whether the program owns it: not that of a scope's task, nor what rt_task_current() gives in Lua's. */
static bool is_handle(const struct rt_task *task)
{
	return is_fiber_task(task) && !fiber_task(task)->child.ended;
}

struct rt_task *rt_scope_spawn_with(struct rt_scope *scope, rt_task_fn *fn, void *arg,
				    const struct rt_task_options *options)
{
	if (!scope_is_open(scope)) {
		errno = EINVAL;
		return NULL;
	}
	struct fiber_task *task = prepare(fn, arg, options, false);

	if (!task)
		return NULL;
	task->child.ended = child_ended;
	if (!scope_adopt(scope, &task->task, &task->child)) {
		never_started(task);
		errno = EINVAL;
		return NULL;
	}
	task_start(&task->task);
	return &task->task;
}

struct rt_task *rt_scope_spawn_named(struct rt_scope *scope, rt_task_fn *fn, void *arg, const char *name,
				     const char *site)
{
	return rt_scope_spawn_with(scope, fn, arg, &(struct rt_task_options){.name = name, .site = site});
}

/* ---- Handles ---- */

static void drop(struct fiber_task *task)
{
	struct rt_runtime *runtime = task->task.home->runtime;

	rt_runtime_lock(runtime);
	release(task);
	rt_runtime_unlock(runtime);
}

int rt_join(struct rt_task *target, int *result, rt_time deadline)
{
	struct rt_task *task = self_get()->task;

	if (!target || !is_handle(target))
		return -EINVAL;
	if (!task)
		return -EPERM;
	int err = task_join(task, target, deadline);

	if (err < 0)
		return err;
	if (result)
		*result = target->result;
	drop(fiber_task(target));
	return 0;
}

void rt_detach(struct rt_task *task)
{
	if (task && is_handle(task))
		drop(fiber_task(task));
}

void fiber_tasks_cancel(struct rt_runtime *runtime)
{
	rt_runtime_lock(runtime);
	for (struct rt_task *task = runtime->tasks; task; task = fiber_task(task)->next)
		task_cancel(task);
	rt_runtime_unlock(runtime);
}

void fiber_tasks_abandon(struct rt_runtime *runtime)
{
	for (struct rt_task *task = runtime->tasks; task; task = fiber_task(task)->next)
		wait_end(task);
	for (struct rt_task *task = runtime->tasks; task; task = fiber_task(task)->next)
		task_forget_joiners(task);
}

void fiber_tasks_finish(struct rt_task *tasks, void *stacks, void *homes)
{
	for (struct rt_task *next; tasks; tasks = next) {
		struct fiber_task *task = fiber_task(tasks);

		next = task->next;
		locals_clear(&task->locals);
		task->references = 1;
		if (!task->task.wait.pinned)
			release(task);
		else if (task->own_pool)
			stack_pool_destroy(task->pool);
	}
	stack_pool_destroy(stacks);
	for (struct fiber_home *home = homes, *next; home; home = next) {
		next = home->next;
		free(home);
	}
}

bool task_report_overflow(const void *address)
{
	struct self *self = self_get();
	const struct rt_task *task = self->task;

	if (!task || !self->fiber || !stack_guard_hit(&self->fiber->stack, address))
		return false;
	overflow_print("stack overflow in task ");
	overflow_print(rt_task_name(task));
	overflow_print(" (spawned at ");
	overflow_print(rt_task_site(task));
	overflow_print(")\n");
	if (task->home->ops->report)
		task->home->ops->report(task);
	return true;
}
