/* SPDX-License-Identifier: MIT */
/* rt.core: time. Seconds, as floats. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/libs.h"
#include "lua/lua_task.h"

#include <math.h>

static int push_seconds(lua_State *L, rt_time time)
{
	lua_pushnumber(L, time == RT_FOREVER ? HUGE_VAL : (double)time / 1e9);
	return 1;
}

static int now(lua_State *L)
{
	return push_seconds(L, rt_now());
}

static int sleep_till(lua_State *L, rt_time deadline, const char *function)
{
	struct lua_task *task = lua_task_running(L, vm_upvalue(L), function);

	if (deadline <= RT_NOW)
		task_await_turn(&task->task);
	else
		task_await_deadline(&task->task);
	return lua_task_suspend(L, task, deadline <= RT_NOW ? RT_FOREVER : deadline);
}

/* sleep(seconds), sleep_until(time) -> the reason why it ended: usually that time is over */
static int sleep(lua_State *L)
{
	rt_time duration = vm_check_duration(L, 1);

	return sleep_till(L, duration <= 0 ? RT_NOW : vm_in(duration), "sleep");
}

static int sleep_until(lua_State *L)
{
	return sleep_till(L, vm_check_deadline(L, 1), "sleep_until");
}

/* timeout_enter(seconds) -> the deadlines outside and inside */
static int timeout_enter(lua_State *L)
{
	struct rt_timeout timeout;
	rt_time duration = vm_check_duration(L, 1);

	lua_task_running(L, vm_upvalue(L), "timeout");
	rt_timeout_enter(&timeout, vm_in(duration));
	push_seconds(L, timeout.outer);
	push_seconds(L, timeout.deadline);
	return 2;
}

/* timeout_leave(outer, deadline) -> whether a wait was ended by it */
static int timeout_leave(lua_State *L)
{
	struct rt_timeout timeout = {
		.outer = vm_check_deadline(L, 1),
		.deadline = vm_check_deadline(L, 2),
	};

	lua_pushboolean(L, rt_timeout_leave(&timeout) != 0);
	return 1;
}

static const luaL_Reg functions[] = {
	{"now", now},
	{"sleep", sleep},
	{"sleep_until", sleep_until},
	{"timeout_enter", timeout_enter},
	{"timeout_leave", timeout_leave},
	{NULL, NULL},
};

void lib_time_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
}
