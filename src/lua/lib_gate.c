/* SPDX-License-Identifier: MIT */
/* rt.core: gates. Tasks wait at a gate until it is opened, once and for all. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/libs.h"
#include "lua/lua_task.h"

struct gate {
	struct rt_waiter *waiting; /* a ring */
	bool open;
};

static const char gate_metatable[] = "rt.gate";

static void stop_waiting(struct task_wait *wait)
{
	struct gate *gate = wait->source;

	ring_remove(&gate->waiting, &wait->waiter);
}

static int gate_new(lua_State *L)
{
	struct gate *gate = lua_newuserdata(L, sizeof *gate);

	*gate = (struct gate){0};
	luaL_newmetatable(L, gate_metatable);
	lua_setmetatable(L, -2);
	return 1;
}

/* gate_wait(gate) -> nothing, or the reason */
static int gate_wait(lua_State *L)
{
	static const struct wait_kind loading = {.what = "require", .detach = stop_waiting};
	struct gate *gate = luaL_checkudata(L, 1, gate_metatable);
	struct lua_task *task = lua_task_running(L, vm_upvalue(L), "require");

	struct rt_runtime *runtime = self_lock();

	wait_prepare(&task->task, &loading, gate);
	if (gate->open)
		task->task.wait.result = 0;
	else
		ring_push(&gate->waiting, &task->task.wait.waiter);
	self_unlock(runtime);
	return lua_task_suspend(L, task, RT_FOREVER);
}

static int gate_open(lua_State *L)
{
	struct gate *gate = luaL_checkudata(L, 1, gate_metatable);

	struct rt_runtime *runtime = self_lock();

	gate->open = true;
	while (gate->waiting) {
		struct rt_waiter *first = gate->waiting;

		ring_remove(&gate->waiting, first);
		first->wake(first, 0);
	}
	self_unlock(runtime);
	return 0;
}

static const luaL_Reg functions[] = {
	{"gate", gate_new},
	{"gate_wait", gate_wait},
	{"gate_open", gate_open},
	{NULL, NULL},
};

void lib_gate_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
}
