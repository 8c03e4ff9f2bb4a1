/* SPDX-License-Identifier: MIT */
/* Async main; see main_task.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/main_task.h"

#include "base/error.h"
#include "lua/failure.h"
#include "lua/job_pool.h"
#include "lua/lua_task_report.h"
#include "lua/main_guard.h"
#include "lua/runtime_switch.h"
#include "runtime/lifecycle.h"
#include "runtime/signals.h"
#include "task/fiber_task.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* Sets a flag when a task ends, being one of its joiners. */
struct flag {
	struct rt_waiter waiter;
	struct lua_task *task;
	bool set;
};

static void set_flag(struct rt_waiter *waiter, int result)
{
	struct flag *flag = container_of(waiter, struct flag, waiter);
	struct vm *vm = lua_task_vm(flag->task);

	(void)result;
	if (vm->guard && vm->runtime->shared)
		main_guard_start(vm->guard, flag->task, LIFECYCLE_GRACE);
	__atomic_store_n(&flag->set, true, __ATOMIC_RELEASE);
}

static void report_deadlock(const struct vm *vm)
{
	fflush(stdout);
	fprintf(stderr, "%s: deadlock: every task waits for something that nothing can bring about\n",
		vm->name);
	rt_task_dump(stderr);
}

/* The error and its traceback, which the results of the task hold. */
static int push_failure(lua_State *L, int handle)
{
	lua_getfenv(L, handle);
	lua_rawgeti(L, -1, 1);
	lua_rawgeti(L, -2, 2);
	failure_seen(L, -3);
	lua_remove(L, -3);
	return -1;
}

static int push_results(lua_State *L, struct lua_task *task, int handle)
{
	lua_getfenv(L, handle);
	int table = lua_gettop(L);

	for (int i = 1; i <= task->values; i++)
		lua_rawgeti(L, table, i);
	lua_remove(L, table);
	return task->values;
}

static int run_once(struct vm *vm, struct lua_task *task, const bool *done, bool *interrupted)
{
	if (interrupted)
		signals_open(vm->runtime, &task->task);
	int err = vm->runtime->ops->run(vm->runtime, done);

	vm_claim(vm);
	vm_release(vm);
	if (!*done && err == -EDEADLK)
		report_deadlock(vm);
	if (interrupted) {
		*interrupted = signals_interrupted(vm->runtime) || *interrupted;
		signals_close(vm->runtime);
	}
	return err;
}

/* On one runtime after the other, as the program wants it. */
static int run(struct vm *vm, struct lua_task *task, bool *done, bool *interrupted)
{
	vm->main = task;
	vm->main_done = done;
	int err = run_once(vm, task, done, interrupted);

	while (runtime_switch_due(vm)) {
		runtime_switch(vm, &task->task);
		err = run_once(vm, task, done, interrupted);
	}
	vm->main = NULL;
	vm->main_done = NULL;
	return err;
}

int main_task_run(lua_State *L, struct vm *vm, int nargs, bool *interrupted)
{
	struct flag done = {.waiter.wake = set_flag};

	vm->given_up = 0;
	struct lua_task *task = lua_task_spawn(L, vm, nargs, 0);
	int handle = lua_gettop(L);

	done.task = task;
	lua_task_set_title(L, task, "main");
	/* With nothing else running on this thread, and not started for others to see before run(). */
	ring_push(&task->task.joiners, &done.waiter);
	int err = run(vm, task, &done.set, interrupted);

	if (!done.set) {
		ring_remove(&task->task.joiners, &done.waiter);
		lua_settop(L, handle - 1);
		return err;
	}
	int count = task->outcome == OUTCOME_NONE     ? 0
		    : task->outcome == OUTCOME_VALUES ? push_results(L, task, handle)
						      : push_failure(L, handle);

	lua_remove(L, handle);
	return count;
}

struct left {
	const struct vm *vm;
	size_t count;
};

/* Tasks of another engine are none of ours. */
static void print_left(struct rt_task *task, const struct rt_task_info *info, void *arg)
{
	struct left *left = arg;
	const struct vm *vm = left->vm;

	if (task->home->family && task->home->family != vm->family)
		return;
	left->count++;
	fprintf(stderr, "%s: main has left a task behind: task %" PRIu32 " %s%s(spawned at %s)\n", vm->name,
		info->id, info->name, info->name[0] ? " " : "", info->site);
}

size_t main_task_report_left(const struct vm *vm)
{
	struct left left = {.vm = vm};

	fflush(stdout);
	task_list(print_left, &left);
	return left.count;
}

/* What ends with the VM. C tasks are nobody's: they end with the last of those that use the runtime. */
static const struct task_family *ending(const struct vm *vm)
{
	return vm->runtime->users == 1 ? NULL : vm->family;
}

static void cancel_all(struct vm *vm, const struct task_family *family)
{
	vm_cancel(vm);
	job_pool_cancel(vm->pool);
	if (!family)
		fiber_tasks_cancel(vm->runtime);
}

static void report_abandoned(struct vm *vm)
{
	fflush(stdout);
	for (int i = 0; i < vm->slot_count; i++) {
		struct lua_task *task = slot_task(&vm->slots[i]);

		if (task)
			lua_task_report_abandoned(task);
	}
	job_pool_report_left(vm->pool);
}

void main_task_end(struct vm *vm)
{
	const struct task_family *family = ending(vm);

	/* rtlua_close() after rtlua_run(): those that are left have had their time. */
	if (vm->given_up > 0 && runtime_task_count(vm->runtime, family) == vm->given_up)
		return;
	cancel_all(vm, family);
	main_guard_extend(vm->guard, LIFECYCLE_GRACE + RT_S(1));
	runtime_drain(vm->runtime, family, LIFECYCLE_GRACE);
	vm_claim(vm);
	main_guard_extend(vm->guard, RT_FOREVER);
	vm->given_up = runtime_task_count(vm->runtime, family);
	if (vm->given_up > 0)
		report_abandoned(vm);
	vm_release(vm);
}
