/* SPDX-License-Identifier: MIT */
/* Carriers; see carrier.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/carrier.h"

#include "lua/probe.h"

#include <errno.h>

/* What the carrier's loop is to do with its task; set by carrier_run() on the same thread. */
struct loop {
	struct carrier carrier;
	struct lua_task *(*work)(struct lua_task *task);
};

static void run_loop(void *arg)
{
	struct loop *loop = arg;
	struct carrier *carrier = &loop->carrier;

	for (;;) {
		carrier->task = loop->work(carrier->task);
		if (carrier->task) {
			carrier->task->carrier = carrier;
			continue;
		}
		fiber_switch(&carrier->fiber, &self_get()->thread);
	}
}

static struct carrier *create(struct vm *vm)
{
	struct stack_pool_options options = {
		.size = CARRIER_STACK, .guard_size = CARRIER_GUARD, .unmap = true};
	struct stack stack;

	if (!vm->stacks && stack_pool_create(&vm->stacks, &options) < 0)
		return NULL;
	if (stack_acquire(vm->stacks, &stack) < 0)
		return NULL;
	struct loop *loop = fiber_top(&stack, sizeof *loop);

	loop->carrier = (struct carrier){.vm = vm};
	fiber_init(&loop->carrier.fiber, &stack, sizeof *loop, run_loop, loop);
	vm->carrier_count++;
	return &loop->carrier;
}

static void destroy(struct carrier *carrier)
{
	struct vm *vm = carrier->vm;
	struct stack stack = carrier->fiber.stack;

	fiber_finish(&carrier->fiber);
	stack_release(vm->stacks, &stack);
	vm->carrier_count--;
}

static struct carrier *acquire(struct vm *vm)
{
	struct carrier *carrier = vm->idle_carriers;

	if (!carrier)
		return create(vm);
	vm->idle_carriers = carrier->next;
	vm->idle_carrier_count--;
	return carrier;
}

static void release(struct carrier *carrier)
{
	struct vm *vm = carrier->vm;

	if (vm->idle_carrier_count >= CARRIERS_KEPT) {
		destroy(carrier);
		return;
	}
	carrier->next = vm->idle_carriers;
	vm->idle_carriers = carrier;
	vm->idle_carrier_count++;
}

int carrier_run(struct lua_task *task, struct lua_task *(*work)(struct lua_task *task))
{
	struct carrier *carrier = task->carrier;
	struct self *self = self_get();
	struct fiber *outer = self->fiber;

	if (!carrier) {
		carrier = acquire(lua_task_vm(task));
		if (!carrier)
			return -ENOMEM;
		carrier->task = task;
		task->carrier = carrier;
		container_of(carrier, struct loop, carrier)->work = work;
	}
	self->fiber = &carrier->fiber;
	fiber_switch(outer, &carrier->fiber);
	self_get()->fiber = outer;
	if (!carrier->task)
		release(carrier);
	return 0;
}

void carrier_park(struct lua_task *task)
{
	struct vm *vm = lua_task_vm(task);
	void **running = vm->running;
	lua_State *L = probe_state(running);
	uint8_t hook = probe_leave_hook(vm->hook_mask);

	task->carrier->state = L;
	fiber_switch(&task->carrier->fiber, &self_get()->thread);
	task->carrier->state = NULL;
	probe_enter_hook(vm->hook_mask, hook);
	if (running)
		*running = L;
}

lua_State *carrier_state(const struct lua_task *task)
{
	return task->carrier ? task->carrier->state : NULL;
}

void carrier_abandon(struct lua_task *task)
{
	if (task->carrier && !task->task.wait.pinned)
		destroy(task->carrier);
	task->carrier = NULL;
}

void carriers_trim(struct vm *vm, size_t keep)
{
	while (vm->idle_carrier_count > keep)
		destroy(acquire(vm));
}
