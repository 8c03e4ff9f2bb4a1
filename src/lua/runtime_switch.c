/* SPDX-License-Identifier: MIT */
/* Changing the runtime under a program; see runtime_switch.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/runtime_switch.h"

#include "base/error.h"
#include "runtime/lifecycle.h"

#include <stdio.h>
#include <stdlib.h>

static void call_off(struct task_wait *wait)
{
	struct vm *vm = wait->source;

	vm->next_runtime = NULL;
}

/* Whether main is all there is: nothing spawned, nothing awaited, nobody else who uses the runtime. */
static bool is_alone(const struct vm *vm, const struct lua_task *task)
{
	const struct rt_runtime *runtime = vm->runtime;

	return task == vm->main && !vm->pool && !vm->opened_with.event_base && runtime->users == 1 &&
	       runtime->task_count == 1 && !vm->failure_timer.slot && !vm->looking;
}

int runtime_switch_await(lua_State *L, struct vm *vm, const struct rt_runtime_ops *ops)
{
	static const struct wait_kind switching = {.what = "runtime", .detach = call_off};
	struct lua_task *task = lua_task_running(L, vm, "runtime");
	struct rt_runtime *runtime = vm->runtime;

	if (!is_alone(vm, task))
		vm_error(L,
			 "the program runs on '%s' already: another runtime must be chosen before anything "
			 "is spawned, or with --runtime=%s",
			 runtime->ops->name, ops->name);
	/* Its timer would be the old one's. */
	if (task_deadline(&task->task) != RT_FOREVER)
		vm_error(L, "runtime: another one cannot be chosen inside of a timeout");
	rt_runtime_lock(runtime);
	wait_prepare(&task->task, &switching, vm);
	vm->next_runtime = ops;
	rt_runtime_unlock(runtime);
	/* For run(): it returns when main has given way. */
	__atomic_store_n(vm->main_done, true, __ATOMIC_RELEASE);
	return lua_task_suspend(L, task, RT_FOREVER);
}

static void leave(struct vm *vm)
{
	struct rt_runtime *runtime = vm->runtime;

	task_groups_remove(runtime, &vm->group);
	strand_retire(vm->strand, &runtime->strands);
	runtime->task_count = 0;
	vm->strand = NULL;
	vm->runtime = NULL;
	runtime_close(runtime);
}

static int enter(struct vm *vm, const struct rt_runtime_ops *ops)
{
	struct rt_runtime *runtime;
	int err = runtime_open(ops, &vm->opened_with, &runtime);

	if (err < 0)
		return err;
	err = vm_start(vm, runtime);
	if (err < 0) {
		runtime_close(runtime);
		return err;
	}
	runtime->task_count = 1;
	runtime->last_task_id = vm->main->id;
	return 0;
}

void runtime_switch(struct vm *vm, struct rt_task *main)
{
	const struct rt_runtime_ops *from = vm->runtime->ops, *to = vm->next_runtime;

	*vm->main_done = false;
	leave(vm);
	int result = enter(vm, to), err = result < 0 ? enter(vm, from) : 0;

	/* There was one a moment ago, and what it took is free. */
	if (err < 0) {
		fprintf(stderr, "%s: neither '%s' nor '%s' can be started: %s\n", vm->name, to->name,
			from->name, error_text(err));
		abort();
	}
	vm->next_runtime = NULL;
	rt_runtime_lock(vm->runtime);
	wait_wake(&main->wait.waiter, result);
	rt_runtime_unlock(vm->runtime);
}
