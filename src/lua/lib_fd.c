/* SPDX-License-Identifier: MIT */
/* rt.core: waiting for any descriptor. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/libs.h"
#include "lua/lua_task.h"
#include "net/wait_fd.h"

#include <limits.h>
#include <string.h>

static const char watch_metatable[] = "rt.watch";

/* In a userdata: the wait may outlast every C frame. */
static int end_watch(lua_State *L)
{
	struct rt_watch *watch = luaL_checkudata(L, 1, watch_metatable);

	if (watch->fd >= 0)
		watch_finish(watch);
	watch->fd = -1;
	return 0;
}

static struct rt_watch *new_watch(lua_State *L)
{
	struct rt_watch *watch = lua_newuserdata(L, sizeof *watch);

	watch_init(watch, -1);
	if (luaL_newmetatable(L, watch_metatable)) {
		lua_pushcfunction(L, end_watch);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return watch;
}

static int fd_watch(lua_State *L)
{
	new_watch(L);
	return 1;
}

/* fd_wait(fd, direction, seconds, watch) -> nothing, or the reason */
static int fd_wait(lua_State *L)
{
	double fd = vm_check_number(L, 1);
	const char *direction = vm_check_string(L, 2, NULL);
	rt_time deadline = lua_isnoneornil(L, 3) ? RT_FOREVER : vm_in(vm_check_duration(L, 3));
	struct rt_watch *watch = luaL_checkudata(L, 4, watch_metatable);
	struct lua_task *task = lua_task_running(L, vm_upvalue(L), "wait_fd");

	if (!(fd >= INT_MIN && fd <= INT_MAX) || fd != (double)(int)fd)
		return vm_arg_error(L, 1, "not a descriptor");
	if (strcmp(direction, "r") != 0 && strcmp(direction, "w") != 0)
		return vm_arg_error(L, 2, "\"r\" or \"w\" expected");
	int err = fd_await(watch, (int)fd, *direction == 'r' ? RT_READ : RT_WRITE, &task->task);

	if (err < 0) {
		lua_pushnil(L);
		lua_pushinteger(L, err);
		return 2;
	}
	return lua_task_suspend(L, task, deadline);
}

/* fd_was_misled(fd, direction): as that function; they have been checked by fd_wait(). */
static int fd_misled(lua_State *L)
{
	int direction = *lua_tostring(L, 2) == 'r' ? RT_READ : RT_WRITE;

	lua_pushboolean(L, fd_was_misled((int)lua_tointeger(L, 1), direction));
	return 1;
}

static const luaL_Reg functions[] = {
	{"fd_watch", fd_watch},       {"fd_wait", fd_wait}, {"fd_end", end_watch},
	{"fd_was_misled", fd_misled}, {NULL, NULL},
};

void lib_fd_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
}
