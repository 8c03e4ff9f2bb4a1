/* SPDX-License-Identifier: MIT */
/* rt.cancelled: the error value of a cancelled wait. */
#ifndef RT_LUA_CANCELLED_H
#define RT_LUA_CANCELLED_H

#include <lua.h>
#include <stdbool.h>

/* Makes the value; once per lua_State. */
void cancelled_open(lua_State *L);

void cancelled_push(lua_State *L);
bool cancelled_is(lua_State *L, int index);

#endif
