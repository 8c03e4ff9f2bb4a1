/* SPDX-License-Identifier: MIT */
/* The modules for a lua_State that is not ours: what a stock luajit finds through package.cpath. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <rtlua.h>

#include "lua/embed.h"

void rtlua_preload(lua_State *L, const char *name)
{
	if (!vm_of(L))
		embed_open(L, vm_create(L, name));
}

/* The modules are in package.preload from then on; what is asked for comes from there. */
static int open_module(lua_State *L, const char *name)
{
	rtlua_preload(L, "luajit");
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "preload");
	lua_getfield(L, -1, name);
	lua_pushstring(L, name);
	lua_call(L, 1, 1);
	return 1;
}

int luaopen_rt(lua_State *L)
{
	return open_module(L, "rt");
}

int luaopen_rt_task(lua_State *L)
{
	return open_module(L, "rt.task");
}

int luaopen_rt_time(lua_State *L)
{
	return open_module(L, "rt.time");
}

int luaopen_rt_sync(lua_State *L)
{
	return open_module(L, "rt.sync");
}

int luaopen_rt_net(lua_State *L)
{
	return open_module(L, "rt.net");
}
