/* SPDX-License-Identifier: MIT */
/* Going on with the program on another runtime, as long as there is nothing but its main task. */
#ifndef RT_LUA_RUNTIME_SWITCH_H
#define RT_LUA_RUNTIME_SWITCH_H

#include "lua/lua_task.h"

/*
 * Has the calling task, which must be main, wait until it runs on that runtime: to be returned by a
 * lua_CFunction. Raises where more than main depends on the one that runs. The function gives what
 * lua_task_suspend() does; the reason is why the other one could not be started.
 */
int runtime_switch_await(lua_State *L, struct vm *vm, const struct rt_runtime_ops *ops);

/* Whether that is why run() has come to an end. */
static inline bool runtime_switch_due(const struct vm *vm)
{
	return vm->next_runtime;
}

/* Closes the one, opens the other and wakes main there. Not in a task; nothing runs. */
void runtime_switch(struct vm *vm, struct rt_task *main);

#endif
