/* SPDX-License-Identifier: MIT */
/* Address objects: userdata that hold a struct rt_addr. */
#ifndef RT_LUA_ADDR_H
#define RT_LUA_ADDR_H

#include "lua/vm.h"

#include <rt/net.h>

void lua_addr_push(lua_State *L, struct vm *vm, const struct rt_addr *addr);

/* Raises if it is none. */
struct rt_addr *lua_addr_check(lua_State *L, struct vm *vm, int index);

/* The address, or what did not work. Returns how many values were pushed. */
int lua_addr_push_result(lua_State *L, struct vm *vm, const char *what, int err, const struct rt_addr *addr);

#endif
