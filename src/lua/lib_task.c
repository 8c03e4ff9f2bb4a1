/* SPDX-License-Identifier: MIT */
/* rt.core: tasks. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/error.h"
#include "lua/cancelled.h"
#include "lua/failure.h"
#include "lua/libs.h"
#include "lua/lua_task.h"

#include <errno.h>

/* spawn(fn, ...) -> task */
static int spawn(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);

	if (!lua_isfunction(L, 1))
		return vm_type_error(L, 1, "function");
	lua_task_spawn(L, vm, lua_gettop(L) - 1, 1);
	return 1;
}

/* wait_task(task[, seconds]) -> nothing, or the reason */
static int wait_task(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);
	struct lua_task *target = vm_check(L, vm, 1, OBJECT_TASK);
	rt_time deadline = lua_isnoneornil(L, 2) ? RT_FOREVER : vm_in(vm_check_duration(L, 2));
	struct lua_task *task = lua_task_running(L, vm, "join");

	if (task_await(&task->task, &target->task) < 0)
		return vm_error(L, task == target ? "a task cannot join itself"
						  : "a task cannot join one that waits for it");
	return lua_task_suspend(L, task, deadline);
}

static int push_values(lua_State *L, struct lua_task *task)
{
	int first = lua_gettop(L);

	if (!lua_checkstack(L, task->values))
		return vm_error(L, "too many results");
	for (int i = 1; i <= task->values; i++)
		lua_rawgeti(L, first, i);
	return task->values;
}

/* "message\nstack traceback of the task spawned at ...": only for strings, other errors stay what they are.
 */
static void push_error_with_traceback(lua_State *L, struct lua_task *task)
{
	lua_rawgeti(L, -1, 1);
	if (!lua_isstring(L, -1))
		return;
	lua_rawgeti(L, -2, 2);
	if (!lua_isstring(L, -1)) {
		lua_pop(L, 1);
		return;
	}
	lua_pushfstring(L, "%s\ntask spawned at %s, %s", lua_tostring(L, -2), lua_task_site(task),
			lua_tostring(L, -1));
}

static struct lua_task *check_ended(lua_State *L)
{
	struct lua_task *task = vm_check(L, vm_upvalue(L), 1, OBJECT_TASK);

	if (task_state(&task->task) != TASK_DONE)
		vm_error(L, "the task has not ended");
	return task;
}

/* results(task) -> its values; raises its error, which is then seen. */
static int results(lua_State *L)
{
	struct lua_task *task = check_ended(L);

	if (task->outcome == OUTCOME_NONE)
		return 0;
	lua_getfenv(L, 1);
	if (task->outcome == OUTCOME_VALUES)
		return push_values(L, task);
	failure_seen(L, -1);
	if (task->outcome == OUTCOME_CANCELLED)
		cancelled_push(L);
	else
		push_error_with_traceback(L, task);
	return lua_error(L);
}

/* outcome(task) -> true, values... or false, error */
static int outcome(lua_State *L)
{
	struct lua_task *task = check_ended(L);

	lua_pushboolean(L, task->outcome <= OUTCOME_VALUES);
	if (task->outcome == OUTCOME_NONE)
		return 1;
	lua_getfenv(L, 1);
	if (task->outcome == OUTCOME_VALUES) {
		int count = push_values(L, task);

		lua_remove(L, -count - 1);
		return 1 + count;
	}
	failure_seen(L, -1);
	if (task->outcome == OUTCOME_CANCELLED)
		cancelled_push(L);
	else
		lua_rawgeti(L, -1, 1);
	lua_remove(L, -2);
	return 2;
}

/* cancel(task) -> true, or a failure if it has ended */
static int cancel(lua_State *L)
{
	struct lua_task *task = vm_check(L, vm_upvalue(L), 1, OBJECT_TASK);

	if (task_state(&task->task) == TASK_DONE) {
		lua_pushnil(L);
		lua_pushliteral(L, "the task has ended");
		lua_pushstring(L, error_name(-ESRCH));
		return 3;
	}
	rt_cancel(&task->task);
	lua_pushboolean(L, true);
	return 1;
}

static int status(lua_State *L)
{
	static const char *const names[] = {
		[TASK_SCHEDULED] = "runnable",
		[TASK_RUNNING] = "running",
		[TASK_NOTIFIED] = "running",
		[TASK_PARKED] = "waiting",
	};
	static const char *const ends[] = {
		[OUTCOME_NONE] = "done",
		[OUTCOME_VALUES] = "done",
		[OUTCOME_ERROR] = "failed",
		[OUTCOME_CANCELLED] = "cancelled",
	};
	struct lua_task *task = vm_check(L, vm_upvalue(L), 1, OBJECT_TASK);
	enum task_state state = task_state(&task->task);

	lua_pushstring(L, state == TASK_DONE ? ends[task->outcome] : names[state]);
	return 1;
}

/* site(task) -> "file:line" */
static int site(lua_State *L)
{
	struct lua_task *task = vm_check(L, vm_upvalue(L), 1, OBJECT_TASK);

	lua_pushstring(L, lua_task_site(task));
	return 1;
}

static int current(lua_State *L)
{
	struct lua_task *task = lua_task_current();

	if (!task || lua_task_vm(task) != vm_upvalue(L))
		return 0;
	lua_task_push(L, task);
	return 1;
}

/* yield() -> nothing, or the reason */
static int yield(lua_State *L)
{
	struct lua_task *task = lua_task_running(L, vm_upvalue(L), "yield");

	task_await_turn(&task->task);
	return lua_task_suspend(L, task, RT_FOREVER);
}

/* carriers() -> existing, idle: for tests */
static int carriers(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);

	lua_pushinteger(L, (lua_Integer)vm->carrier_count);
	lua_pushinteger(L, (lua_Integer)vm->idle_carrier_count);
	return 2;
}

/* failure(code, what, subject) -> nil, message, name: of a wait, so that ETIMEDOUT is its deadline */
static int failure(lua_State *L)
{
	int err = (int)luaL_checkinteger(L, 1);
	const char *what = err == -ETIMEDOUT ? NULL : luaL_optstring(L, 2, NULL);

	return vm_push_failure(L, what, luaL_optstring(L, 3, NULL), err);
}

static const luaL_Reg functions[] = {
	{"spawn", spawn},   {"wait_task", wait_task}, {"results", results}, {"outcome", outcome},
	{"cancel", cancel}, {"status", status},       {"site", site},       {"current", current},
	{"yield", yield},   {"carriers", carriers},   {"failure", failure}, {NULL, NULL},
};

void lib_task_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
	lua_pushinteger(L, -ECANCELED);
	lua_setfield(L, -2, "CANCELLED");
	cancelled_push(L);
	lua_setfield(L, -2, "cancelled");
	lua_rawgeti(L, LUA_REGISTRYINDEX, vm->metatable_refs[OBJECT_TASK]);
	lua_setfield(L, -2, "Task");
}
