/* SPDX-License-Identifier: MIT */
/* Lua tasks: their life from spawn to end; see lua_task.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/lua_task.h"

#include "base/error.h"
#include "lua/cancelled.h"
#include "lua/carrier.h"
#include "lua/failure.h"
#include "lua/lua_scope.h"
#include "lua/lua_task_report.h"
#include "lua/probe.h"
#include "lua/site.h"
#include "platform/overflow.h"
#include "task/frame.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Coroutines kept for reuse. */
enum { SLOTS_KEPT = 256 };

/* What the bits of lua_task.slot can tell apart. */
enum { SLOTS_MAX = (1 << 23) - 1 };

static lua_State *coroutine(const struct lua_task *task)
{
	return lua_task_vm(task)->slots[task->slot].L;
}

/* ---- Slots: the coroutines of a VM ---- */

static int grow_slots(struct vm *vm)
{
	int capacity = vm->slot_capacity + vm->slot_capacity / 4 + 16;
	struct slot *slots = realloc(vm->slots, (size_t)capacity * sizeof *slots);

	if (!slots)
		return -ENOMEM;
	vm->slots = slots;
	vm->slot_capacity = capacity;
	return 0;
}

static int new_slot(lua_State *L, struct vm *vm)
{
	if (vm->slot_count == SLOTS_MAX)
		vm_error(L, "too many tasks");
	if (vm->slot_count == vm->slot_capacity && grow_slots(vm) < 0)
		vm_error(L, "not enough memory");
	vm->slots[vm->slot_count] = (struct slot){.u.next_idle = -1};
	return vm->slot_count++;
}

static int acquire_slot(lua_State *L, struct vm *vm)
{
	int index = vm->idle_slot;

	if (index < 0)
		index = vm->idle_slot = new_slot(L, vm);
	struct slot *slot = &vm->slots[index];

	if (slot->L) {
		/* As a new coroutine would: setfenv(0, ...) may have changed it. */
		lua_pushvalue(L, LUA_GLOBALSINDEX);
		lua_xmove(L, slot->L, 1);
		lua_replace(slot->L, LUA_GLOBALSINDEX);
	} else {
		lua_State *thread = lua_newthread(L);

		lua_xmove(L, vm->anchors, 1);
		lua_rawseti(vm->anchors, VM_THREADS, index + 1);
		vm->slots[index].L = thread;
	}
	vm->idle_slot = (int)(vm->slots[index].u.next_idle >> 1);
	return index;
}

/* Writes only where something is: a new key may take memory, which may raise. */
static void drop_locals(lua_State *anchors, int index)
{
	lua_rawgeti(anchors, VM_LOCALS, index + 1);
	bool has = !lua_isnil(anchors, -1);

	lua_pop(anchors, 1);
	if (!has)
		return;
	lua_pushnil(anchors);
	lua_rawseti(anchors, VM_LOCALS, index + 1);
}

/* A coroutine that failed, or was abandoned in the middle, cannot be used again. */
static void release_slot(struct vm *vm, int index, bool reusable)
{
	struct slot *slot = &vm->slots[index];

	lua_pushnil(vm->anchors);
	lua_rawseti(vm->anchors, VM_TASKS, index + 1);
	if (vm->has_locals)
		drop_locals(vm->anchors, index);
	if (!reusable || index >= SLOTS_KEPT) {
		slot->L = NULL;
		lua_pushnil(vm->anchors);
		lua_rawseti(vm->anchors, VM_THREADS, index + 1);
	}
	slot->u.next_idle = (intptr_t)vm->idle_slot * 2 + 1;
	vm->idle_slot = index;
}

/* ---- Timers for waits that leave no stack behind ---- */

static struct wait_timer *acquire_timer(struct vm *vm)
{
	struct wait_timer *timer = vm->idle_timers;

	if (!timer)
		return malloc(sizeof *timer);
	vm->idle_timers = (struct wait_timer *)timer->task;
	return timer;
}

static void release_timer(struct vm *vm, struct wait_timer *timer)
{
	if (!timer)
		return;
	timer->task = (struct rt_task *)vm->idle_timers;
	vm->idle_timers = timer;
}

void lua_task_free_timers(struct vm *vm)
{
	while (vm->idle_timers)
		free(acquire_timer(vm));
}

/* wait_end() of a task that waits with its carrier given back. */
static int end_yielded(struct lua_task *task)
{
	struct wait_timer *timer = task->task.wait.timer;
	int result = wait_end(&task->task);

	release_timer(lua_task_vm(task), timer);
	return result;
}

/* ---- Running ---- */

static void note_values(lua_State *M, struct lua_task *task)
{
	lua_State *L = coroutine(task);

	lua_createtable(M, task->values, 0);
	lua_insert(M, 1);
	if (!lua_checkstack(M, task->values))
		luaL_error(M, "too many results");
	lua_xmove(L, M, task->values);
	for (int i = task->values; i > 0; i--)
		lua_rawseti(M, 1, i);
	task->outcome = OUTCOME_VALUES;
}

/* Of an error that comes from a job, the one that there was in the job VM. */
static void push_traceback(lua_State *M, struct lua_task *task)
{
	struct vm *vm = lua_task_vm(task);

	if (!vm->job_traceback) {
		lua_task_traceback(M, task);
		return;
	}
	lua_pushfstring(M, "%s\n\t(in another VM)", vm->job_traceback);
	free(vm->job_traceback);
	vm->job_traceback = NULL;
}

static void note_error(lua_State *M, struct lua_task *task)
{
	lua_State *L = coroutine(task);
	bool cancelled = cancelled_is(L, -1);

	lua_pushvalue(L, -1);
	lua_xmove(L, M, 1);
	push_traceback(M, task);
	failure_locate(M);
	task->outcome = cancelled ? OUTCOME_CANCELLED : OUTCOME_ERROR;
	if (!cancelled) {
		failure_note(M, task);
		return;
	}
	lua_createtable(M, 2, 0);
	lua_insert(M, 1);
	lua_rawseti(M, 1, 2);
	lua_rawseti(M, 1, 1);
}

/* Stores what the task ended with in a table that lives as long as its handle. */
static int note_outcome(lua_State *M)
{
	struct lua_task *task = lua_touserdata(M, 1);

	lua_settop(M, 0);
	if (task->outcome == OUTCOME_VALUES)
		note_values(M, task);
	else
		note_error(M, task);
	lua_settop(M, 1);
	lua_task_push(M, task);
	lua_insert(M, 1);
	lua_setfenv(M, 1);
	return 0;
}

/* coroutine.yield() outside of a coroutine of the user's: what luajit says there. */
static void fail_yield(struct lua_task *task)
{
	lua_pushliteral(coroutine(task), "attempt to yield from outside a coroutine");
}

static void finish(struct lua_task *task, int status)
{
	task->values = (uint16_t)(status == 0 ? lua_gettop(coroutine(task)) : 0);
	if (status == LUA_YIELD)
		fail_yield(task);
	if (status != 0 || task->values > 0) {
		task->outcome = status == 0 ? OUTCOME_VALUES : OUTCOME_ERROR;
		if (vm_protect(lua_task_vm(task), note_outcome, task) != 0)
			task->outcome = OUTCOME_ERROR;
	}
	lua_scope_note_end(task);
	task_finish(&task->task, status == 0 ? 0 : -ECANCELED);
}

static int push_result(lua_State *L, int result)
{
	if (result == 0)
		return 0;
	lua_pushnil(L);
	lua_pushinteger(L, result);
	return 2;
}

/* Whether it can go on on a carrier that is given back: it has none, and does not park again at once. */
static bool fits_carrier(const struct vm *vm, struct rt_task *task)
{
	return task && task->home == &vm->home && !lua_task_of(task)->carrier &&
	       !(lua_task_of(task)->yielded && wait_still(task));
}

/*
 * Having left the task, which may be the next one, or gone if it has ended: the one that goes on at once on
 * the carrier. That saves a switch to the scheduler, and one back.
 */
static struct lua_task *follow(struct lua_task *task)
{
	struct vm *vm = lua_task_vm(task);

	task->carrier = NULL;
	task_leave(&task->task);
	struct rt_runnable *runnable = strand_next(vm->strand);
	struct rt_task *next = runnable ? task_of(runnable) : NULL;

	if (fits_carrier(vm, next)) {
		task_follow(next);
		return lua_task_of(next);
	}
	if (runnable)
		strand_put_back(vm->strand, runnable);
	return NULL;
}

/* On a carrier, which is given back. */
static struct lua_task *work(struct lua_task *task)
{
	lua_State *L = coroutine(task);
	int nargs = task->values;

	if (task->started)
		nargs = push_result(L, end_yielded(task));
	task->started = true;
	task->yielded = false;
	int status = lua_resume(L, nargs);

	if (status != LUA_YIELD || !task->yielded)
		finish(task, status);
	return follow(task);
}

/* Rather an error in this task than none. */
static void fail_for_memory(struct lua_task *task)
{
	lua_State *L = coroutine(task);

	lua_settop(L, 0);
	lua_pushliteral(L, "not enough memory for a stack");
	if (task->yielded)
		end_yielded(task);
	finish(task, LUA_ERRMEM);
}

static void resume(struct rt_task *task)
{
	struct lua_task *self = lua_task_of(task);

	/* Woken for something that is no longer true: parks again. */
	if (self->yielded && wait_still(task))
		return;
	if (carrier_run(self, work) < 0)
		fail_for_memory(self);
}

/* Once: who ignores the error may well try again at once. */
static int refuse(struct lua_task *task, const char *where)
{
	struct vm *vm = lua_task_vm(task);

	if (!vm->refused) {
		fflush(stdout);
		fprintf(stderr,
			"%s: the task spawned at %s has called a function that waits %s: it fails with "
			"ENOTSUP\n",
			vm->name, lua_task_site(task), where);
	}
	vm->refused = true;
	return -ENOTSUP;
}

static int park(struct rt_task *task)
{
	struct lua_task *self = lua_task_of(task);
	struct vm *vm = lua_task_vm(self);

	if (probe_in_ffi_call(vm->running, vm->anchors, VM_CALL))
		return refuse(self, "through the FFI, whose code cannot be suspended");
	if (probe_in_finalizer(vm->hook_mask))
		return refuse(self, "in a finalizer or the handler of a VM event");
	carrier_park(self);
	return 0;
}

static void ended(struct rt_task *task)
{
	struct lua_task *self = lua_task_of(task);
	int slot = self->slot;
	bool reusable = self->outcome <= OUTCOME_VALUES;

	if (reusable)
		lua_settop(coroutine(self), 0);
	self->slot = -1;
	/* From here on the task may be collected. */
	release_slot(lua_task_vm(self), slot, reusable);
}

const struct task_ops lua_task_ops = {
	.resume = resume,
	.park = park,
	.ended = ended,
	.name = lua_task_name,
	.site = lua_task_site_of,
	.title = lua_task_title,
	.ids = lua_task_ids,
	.print_stack = lua_task_print_stack,
	.report = lua_task_report,
	.overtime = lua_task_overtime,
};

/* ---- For the rest of the binding ---- */

/* A set of local values is never changed, so that the new task can have its parent's. */
static void inherit_locals(struct vm *vm, int slot)
{
	const struct lua_task *parent = lua_task_current();

	if (!parent || lua_task_vm(parent) != vm)
		return;
	lua_rawgeti(vm->anchors, VM_LOCALS, parent->slot + 1);
	lua_rawseti(vm->anchors, VM_LOCALS, slot + 1);
}

struct lua_task *lua_task_create(lua_State *L, struct vm *vm, int nargs, int level)
{
	if (!vm->runtime)
		vm_error(L, "no runtime is running on this thread");
	uint16_t site = site_at(vm->sites, L, level);
	struct lua_task *task = vm_new(L, vm, OBJECT_TASK, sizeof *task);
	int slot = acquire_slot(L, vm);
	lua_State *thread = vm->slots[slot].L;

	lua_pushvalue(L, -1);
	lua_xmove(L, vm->anchors, 1);
	lua_rawseti(vm->anchors, VM_TASKS, slot + 1);
	if (vm->has_locals)
		inherit_locals(vm, slot);
	lua_insert(L, -nargs - 2);
	if (!lua_checkstack(thread, nargs + 1)) {
		release_slot(vm, slot, true);
		vm_error(L, "too many arguments");
	}
	lua_xmove(L, thread, nargs + 1);
	task_init(&task->task, &vm->home);
	task->slot = slot;
	task->site = site;
	rt_runtime_lock(vm->runtime);
	task->id = task_next_id(vm->runtime);
	rt_runtime_unlock(vm->runtime);
	task->parent = task_current_id();
	task->values = (uint16_t)nargs;
	vm->slots[slot].u.task = task;
	return task;
}

struct lua_task *lua_task_spawn(lua_State *L, struct vm *vm, int nargs, int level)
{
	struct lua_task *task = lua_task_create(L, vm, nargs, level);

	task_start(&task->task);
	return task;
}

struct lua_task *lua_task_current(void)
{
	struct rt_task *task = self_get()->task;

	return task && task->home->ops == &lua_task_ops ? lua_task_of(task) : NULL;
}

struct lua_task *lua_task_running(lua_State *L, struct vm *vm, const char *function)
{
	struct lua_task *task = lua_task_current();

	if (!task || lua_task_vm(task) != vm)
		vm_error(L, "%s: must be called from a task: no runtime is running on this thread", function);
	if (probe_in_finalizer(vm->hook_mask))
		vm_error(L, "%s: a finalizer or the handler of a VM event cannot wait", function);
	return task;
}

/* Gives the carrier back: the function that called us returns when work() has resumed the coroutine. */
static int suspend_yielding(lua_State *L, struct lua_task *task, rt_time deadline)
{
	struct rt_task *self = &task->task;
	struct wait_timer *timer = NULL;

	if (wait_needs_timer(self, deadline) && !(timer = acquire_timer(lua_task_vm(task))))
		deadline = RT_NOW;
	if (!wait_begin(self, deadline, timer)) {
		release_timer(lua_task_vm(task), timer);
		return push_result(L, wait_end(self));
	}
	if (!self->wait.timer)
		release_timer(lua_task_vm(task), timer);
	task->yielded = true;
	return lua_yield(L, 0);
}

int lua_task_suspend(lua_State *L, struct lua_task *task, rt_time deadline)
{
	if (L == coroutine(task) && lua_isyieldable(L))
		return suspend_yielding(L, task, deadline);
	return push_result(L, task_suspend(&task->task, deadline));
}

void lua_task_push(lua_State *L, const struct lua_task *task)
{
	lua_State *anchors = lua_task_vm(task)->anchors;

	lua_rawgeti(anchors, VM_TASKS, task->slot + 1);
	lua_xmove(anchors, L, 1);
}

struct rt_task *lua_task_next(struct task_group *group, struct rt_task *task)
{
	struct vm *vm = container_of(group, struct vm, group);

	for (int i = task ? lua_task_of(task)->slot + 1 : 0; i < vm->slot_count; i++) {
		struct lua_task *next = slot_task(&vm->slots[i]);

		if (next)
			return &next->task;
	}
	return NULL;
}

void lua_task_abandon(struct lua_task *task)
{
	struct rt_task *self = &task->task;

	/* A waiter that is still published somewhere must not be woken any more. */
	if (task->yielded)
		end_yielded(task);
	else if (task->started && task_state(self) != TASK_RUNNING)
		wait_end(self);
	task_forget_joiners(self);
	struct rt_runtime *runtime = self_lock();

	frames_abandon(self);
	self->state = TASK_DONE;
	self->ended = true;
	task_dismiss(self);
	self_unlock(runtime);
	carrier_abandon(task);
	task->outcome = OUTCOME_CANCELLED;
	int slot = task->slot;

	task->slot = -1;
	release_slot(lua_task_vm(task), slot, false);
}
