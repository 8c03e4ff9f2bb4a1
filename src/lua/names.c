/* SPDX-License-Identifier: MIT */
/* Names of values that every VM has; see names.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/names.h"

#include <stdint.h>
#include <string.h>

/*
 * ---- The index: names by value ----
 *
 * It keeps what is in it, so that no other module comes to lie where one was.
 */

static bool is_nameable(lua_State *L, int index)
{
	return lua_isfunction(L, index) || lua_type(L, index) == LUA_TUSERDATA;
}

static bool is_globals(const char *module)
{
	return strcmp(module, "_G") == 0;
}

static bool is_lua_function(lua_State *L, int index)
{
	return lua_isfunction(L, index) && !lua_iscfunction(L, index);
}

/* Adds the fields of the module on top of the stack, whose name is below it. index: of the table. */
static void add_fields(lua_State *L, int index)
{
	const char *module = lua_tostring(L, -2);
	size_t size = strlen(module);

	lua_pushnil(L);
	while (lua_next(L, -2)) {
		if (lua_type(L, -2) == LUA_TSTRING && is_nameable(L, -1) &&
		    !(is_globals(module) && is_lua_function(L, -1))) {
			lua_pushlstring(L, module, size + 1);
			lua_pushvalue(L, -3);
			lua_concat(L, 2);
			lua_rawset(L, index);
		} else {
			lua_pop(L, 1);
		}
	}
}

static void add_module(lua_State *L, int index)
{
	if (lua_istable(L, -1))
		add_fields(L, index);
	if (!lua_istable(L, -1) && !is_nameable(L, -1))
		return;
	lua_pushvalue(L, -1);
	lua_pushvalue(L, -3);
	lua_rawset(L, index);
}

static void build(lua_State *L, struct vm *vm, int loaded)
{
	lua_newtable(L);
	int index = lua_gettop(L);

	lua_pushnil(L);
	while (lua_next(L, loaded)) {
		if (lua_type(L, -2) == LUA_TSTRING)
			add_module(L, index);
		lua_pop(L, 1);
	}
	lua_rawseti(L, LUA_REGISTRYINDEX, vm->transfer.names);
}

static void push_loaded(lua_State *L)
{
	lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
}

/* What tells apart which modules there are, from where they lie. */
static uintptr_t fingerprint(lua_State *L, int loaded)
{
	uintptr_t sum = 0;

	lua_pushnil(L);
	while (lua_next(L, loaded)) {
		sum += (uintptr_t)lua_topointer(L, -1) * 31 + (uintptr_t)lua_topointer(L, -2) + 1;
		lua_pop(L, 1);
	}
	return sum;
}

void names_refresh(lua_State *L, struct vm *vm)
{
	push_loaded(L);
	int loaded = lua_gettop(L);
	uintptr_t modules = fingerprint(L, loaded);

	if (modules != vm->transfer.modules)
		build(L, vm, loaded);
	vm->transfer.modules = modules;
	lua_pop(L, 1);
}

/* ---- Names ---- */

/* Pushes what the name means here, or nil. */
static void look_up(lua_State *L, const char *name, size_t size)
{
	size_t module = strlen(name);

	push_loaded(L);
	lua_pushlstring(L, name, module);
	lua_rawget(L, -2);
	lua_remove(L, -2);
	if (module == size)
		return;
	if (!lua_istable(L, -1)) {
		lua_pop(L, 1);
		lua_pushnil(L);
		return;
	}
	lua_pushlstring(L, name + module + 1, size - module - 1);
	lua_rawget(L, -2);
	lua_remove(L, -2);
}

bool names_find(lua_State *L, struct vm *vm, int index)
{
	size_t size;

	lua_rawgeti(L, LUA_REGISTRYINDEX, vm->transfer.names);
	lua_pushvalue(L, index);
	lua_rawget(L, -2);
	lua_remove(L, -2);
	const char *name = lua_tolstring(L, -1, &size);

	if (name) {
		look_up(L, name, size);
		bool holds = lua_rawequal(L, -1, index);

		lua_pop(L, 1);
		if (holds)
			return true;
	}
	lua_pop(L, 1);
	return false;
}

void names_resolve(lua_State *L, const char *name, size_t size)
{
	look_up(L, name, size);
	if (!lua_isnil(L, -1))
		return;
	lua_pop(L, 1);
	lua_getglobal(L, "require");
	lua_pushstring(L, name);
	lua_call(L, 1, 1);
	if (strlen(name) == size)
		return;
	lua_pop(L, 1);
	look_up(L, name, size);
	if (lua_isnil(L, -1))
		luaL_error(L, "module '%s' has no field '%s' in this VM", name, name + strlen(name) + 1);
}

void names_open(lua_State *L, struct vm *vm)
{
	lua_newtable(L);
	vm->transfer.names = luaL_ref(L, LUA_REGISTRYINDEX);
	vm->transfer.modules = 0;
}
