/* SPDX-License-Identifier: MIT */
/* rt.cancelled; see cancelled.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/cancelled.h"

static const char cancelled_key;

static int to_string(lua_State *L)
{
	lua_pushliteral(L, "cancelled");
	return 1;
}

void cancelled_open(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)&cancelled_key);
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, to_string);
	lua_setfield(L, -2, "__tostring");
	lua_setmetatable(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
}

void cancelled_push(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)&cancelled_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
}

bool cancelled_is(lua_State *L, int index)
{
	const void *value = lua_topointer(L, index);

	if (!value)
		return false;
	cancelled_push(L);
	bool same = lua_topointer(L, -1) == value;

	lua_pop(L, 1);
	return same;
}
