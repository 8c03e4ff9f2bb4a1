/* SPDX-License-Identifier: MIT */
/* rt.core: what a task holds of its local values, which are the Lua half's. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/libs.h"
#include "lua/lua_task.h"

static struct lua_task *running(struct vm *vm)
{
	struct lua_task *task = lua_task_current();

	return task && lua_task_vm(task) == vm ? task : NULL;
}

/* locals() -> what set_locals() has set in the running task or in the one that spawned it, or nil */
static int locals(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);
	struct lua_task *task = running(vm);

	if (!task || !vm->has_locals)
		return 0;
	lua_rawgeti(vm->anchors, VM_LOCALS, task->slot + 1);
	lua_xmove(vm->anchors, L, 1);
	return 1;
}

/* set_locals(bindings): of the running task. They are shared with tasks it spawns, and must not change. */
static int set_locals(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);
	struct lua_task *task = running(vm);

	if (!task)
		return vm_error(L, "only a task has local values");
	vm->has_locals = true;
	lua_settop(L, 1);
	lua_xmove(L, vm->anchors, 1);
	lua_rawseti(vm->anchors, VM_LOCALS, task->slot + 1);
	return 0;
}

static const luaL_Reg functions[] = {
	{"locals", locals},
	{"set_locals", set_locals},
	{NULL, NULL},
};

void lib_local_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
}
