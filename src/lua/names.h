/* SPDX-License-Identifier: MIT */
/*
 * What goes between VMs by its name: the modules in package.loaded, and the functions and userdata that
 * are their fields. A name is "module" or "module\0field". Of _G, where programs put their own
 * functions, only those that are not written in Lua.
 */
#ifndef RT_LUA_NAMES_H
#define RT_LUA_NAMES_H

#include "lua/vm.h"

/* Looks whether there are new modules: once for each message, before the first names_find(). */
void names_refresh(lua_State *L, struct vm *vm);

/* Pushes the name of the value at index, or pushes nothing and returns false. */
bool names_find(lua_State *L, struct vm *vm, int index);

/* Pushes what has that name here, having required the module. Raises if there is none. May suspend. */
void names_resolve(lua_State *L, const char *name, size_t size);

/* Part of transfer_open(). */
void names_open(lua_State *L, struct vm *vm);

#endif
