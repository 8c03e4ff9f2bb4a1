/* SPDX-License-Identifier: MIT */
/* Arguments of the C half and what it gives back: checks, errors, failures; see vm.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/vm.h"

#include "base/error.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Chunks of the library are named "=rt/tcp.lua". */
static bool is_ours(const lua_Debug *ar)
{
	return strncmp(ar->source, "=rt", 3) == 0;
}

/*
 * The level of the function that called into the library, through its C half at
 * level 0 and perhaps its Lua half. *called is the library's function it called.
 */
static int find_caller(lua_State *L, lua_Debug *called)
{
	lua_Debug ar;
	int level = 0;

	memset(called, 0, sizeof *called);
	while (lua_getstack(L, level, &ar)) {
		lua_getinfo(L, "Sn", &ar);
		if (level > 0 && !is_ours(&ar))
			break;
		*called = ar;
		level++;
	}
	return level;
}

int vm_arg_error(lua_State *L, int index, const char *message)
{
	lua_Debug called;
	int level = find_caller(L, &called);

	luaL_where(L, level);
	if (called.namewhat && strcmp(called.namewhat, "method") == 0)
		index--;
	if (index == 0)
		lua_pushfstring(L, "calling '%s' on bad self (%s)", called.name ? called.name : "?", message);
	else
		lua_pushfstring(L, "bad argument #%d to '%s' (%s)", index, called.name ? called.name : "?",
				message);
	lua_concat(L, 2);
	return lua_error(L);
}

int vm_type_error(lua_State *L, int index, const char *expected)
{
	const char *got = lua_isnone(L, index) ? "no value" : luaL_typename(L, index);

	return vm_arg_error(L, index, lua_pushfstring(L, "%s expected, got %s", expected, got));
}

const char *vm_check_string(lua_State *L, int index, size_t *size)
{
	const char *string = lua_tolstring(L, index, size);

	if (!string)
		vm_type_error(L, index, "string");
	return string;
}

double vm_check_number(lua_State *L, int index)
{
	if (!lua_isnumber(L, index))
		vm_type_error(L, index, "number");
	return lua_tonumber(L, index);
}

int vm_error(lua_State *L, const char *format, ...)
{
	char message[256];
	lua_Debug called;
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	luaL_where(L, find_caller(L, &called));
	lua_pushstring(L, message);
	lua_concat(L, 2);
	return lua_error(L);
}

int vm_raise(lua_State *L, const char *what)
{
	lua_Debug called;

	luaL_where(L, find_caller(L, &called));
	lua_pushstring(L, what);
	lua_pushliteral(L, ": ");
	lua_pushvalue(L, -4);
	lua_concat(L, 4);
	return lua_error(L);
}

static rt_time to_time(lua_State *L, int index, double seconds)
{
	if (isnan(seconds))
		vm_arg_error(L, index, "number expected, got NaN");
	double ns = ceil(seconds * 1e9);

	if (ns >= (double)RT_FOREVER)
		return RT_FOREVER;
	return ns <= (double)INT64_MIN ? INT64_MIN : (rt_time)ns;
}

rt_time vm_check_duration(lua_State *L, int index)
{
	return to_time(L, index, vm_check_number(L, index));
}

/* A point in the past that is not RT_NOW: whoever waits for it still gives way, and hears the news. */
static rt_time give_way_at(rt_time deadline)
{
	return deadline <= RT_NOW ? 1 : deadline;
}

rt_time vm_check_deadline(lua_State *L, int index)
{
	return give_way_at(to_time(L, index, vm_check_number(L, index)));
}

rt_time vm_in(rt_time duration)
{
	return give_way_at(rt_in(duration));
}

int vm_push_failure(lua_State *L, const char *what, const char *subject, int err)
{
	lua_pushnil(L);
	if (err == -EBADF)
		lua_pushliteral(L, "closed");
	else if (err == -ETIMEDOUT && !what)
		lua_pushliteral(L, "timeout");
	else
		lua_pushfstring(L, subject ? "%s %s: %s" : "%s%s: %s", what, subject ? subject : "",
				error_text(err));
	lua_pushstring(L, error_name(err));
	return 3;
}
