/* SPDX-License-Identifier: MIT */
/* rt.core: time. Seconds, as floats. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/libs.h"
#include "lua/lua_task.h"
#include "task/frame.h"
#include "time/advance.h"

#include <errno.h>
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

/* advance(seconds) -> nothing, or nil and the reason why it ended early */
static int advance(lua_State *L)
{
	struct lua_task *task = lua_task_running(L, vm_upvalue(L), "advance");
	rt_time duration = vm_check_duration(L, 1);
	int err = advance_await(&task->task, duration);

	if (err == -EBUSY)
		return vm_error(L, "another task is moving the clock already");
	if (err < 0 && (duration < 0 || rt_in(duration) == RT_FOREVER))
		return vm_arg_error(L, 1, "no duration that time can be moved on by");
	if (err < 0)
		return vm_error(L, "the runtime's clock is not virtual");
	return lua_task_suspend(L, task, RT_FOREVER);
}

static const char timeout_metatable[] = "rt.timeout";

/* The coroutine that was in it is gone. */
static int timeout_collect(lua_State *L)
{
	struct rt_timeout *timeout = lua_touserdata(L, 1);

	frame_drop(&timeout->frame);
	return 0;
}

static struct rt_timeout *timeout_new(lua_State *L)
{
	struct rt_timeout *timeout = lua_newuserdata(L, sizeof *timeout);

	*timeout = (struct rt_timeout){0};
	if (luaL_newmetatable(L, timeout_metatable)) {
		lua_pushcfunction(L, timeout_collect);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return timeout;
}

/* timeout_enter(seconds[, timeout]) -> timeout: the one given, which must have been left, or a new one */
static int timeout_enter(lua_State *L)
{
	rt_time duration = vm_check_duration(L, 1);

	lua_task_running(L, vm_upvalue(L), "timeout");
	lua_settop(L, 2);
	struct rt_timeout *timeout =
		lua_isnil(L, 2) ? timeout_new(L) : luaL_checkudata(L, 2, timeout_metatable);

	rt_timeout_enter(timeout, vm_in(duration));
	return 1;
}

/* timeout_leave(timeout) -> whether a wait was ended by it */
static int timeout_leave(lua_State *L)
{
	lua_pushboolean(L, rt_timeout_leave(luaL_checkudata(L, 1, timeout_metatable)) != 0);
	return 1;
}

static const luaL_Reg functions[] = {
	{"now", now},
	{"sleep", sleep},
	{"sleep_until", sleep_until},
	{"advance", advance},
	{"timeout_enter", timeout_enter},
	{"timeout_leave", timeout_leave},
	{NULL, NULL},
};

void lib_time_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
}
