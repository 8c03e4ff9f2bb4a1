/* SPDX-License-Identifier: MIT */
/* The options of rt.main(); see main_options.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/main_options.h"

#include <string.h>

/* Every integer up to it is a number of Lua's. */
#define SEED_MAX (UINT64_C(1) << 53)

void main_options_push_unknown(lua_State *L, const char *name)
{
	int top = lua_gettop(L);

	lua_pushfstring(L, "unknown runtime '%s' (there is:", name);
	for (unsigned i = 0; rt_runtime_name(i); i++)
		lua_pushfstring(L, "%s %s", i > 0 ? "," : "", rt_runtime_name(i));
	lua_pushliteral(L, ")");
	lua_concat(L, lua_gettop(L) - top);
}

/* Text for a message: the value itself, or its type. */
static const char *show(lua_State *L)
{
	if (lua_type(L, -1) == LUA_TSTRING)
		return lua_pushfstring(L, "'%s'", lua_tostring(L, -1));
	return lua_isnumber(L, -1) ? lua_tostring(L, -1) : luaL_typename(L, -1);
}

/* The runtime whose name is on top. */
static const struct rt_runtime_ops *check_runtime(lua_State *L)
{
	const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
	const struct rt_runtime_ops *ops = name ? rt_runtime_find(name) : NULL;

	if (!name)
		vm_error(L, "option 'runtime': string expected, got %s", show(L));
	if (!ops) {
		main_options_push_unknown(L, name);
		vm_error(L, "%s", lua_tostring(L, -1));
	}
	return ops;
}

static enum rt_clock check_clock(lua_State *L)
{
	const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";

	if (strcmp(name, "virtual") == 0)
		return RT_CLOCK_VIRTUAL;
	if (strcmp(name, "real") != 0)
		vm_error(L, "option 'clock': \"real\" or \"virtual\" expected, got %s", show(L));
	return RT_CLOCK_REAL;
}

static uint64_t check_seed(lua_State *L)
{
	double number = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
	bool fits = number >= 0 && number <= (double)SEED_MAX;

	if (!fits || (double)(uint64_t)number != number)
		vm_error(L, "option 'seed': integer from 0 to 2^53 expected, got %s", show(L));
	return (uint64_t)number;
}

static rt_time check_watchdog(lua_State *L)
{
	if (lua_type(L, -1) != LUA_TNUMBER || !(lua_tonumber(L, -1) > 0))
		vm_error(L, "option 'watchdog': positive number of seconds expected, got %s", show(L));
	return vm_check_duration(L, -1);
}

static unsigned check_workers(lua_State *L)
{
	double number = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
	bool fits = number >= 1 && number <= RT_WORKERS_MAX;

	if (!fits || (double)(unsigned)number != number)
		vm_error(L, "option 'workers': integer from 1 to %d expected, got %s", RT_WORKERS_MAX,
			 show(L));
	return (unsigned)number;
}

/* Pushes the option if it is there. */
static bool has(lua_State *L, int index, const char *name)
{
	lua_getfield(L, index, name);
	if (!lua_isnil(L, -1))
		return true;
	lua_pop(L, 1);
	return false;
}

static void check_table(lua_State *L, int index, struct main_options *options)
{
	int top = lua_gettop(L);

	if (has(L, index, "runtime"))
		options->ops = check_runtime(L);
	if (has(L, index, "clock"))
		options->runtime.clock = check_clock(L);
	if (has(L, index, "seed"))
		options->runtime.seed = check_seed(L);
	if (has(L, index, "watchdog"))
		options->runtime.watchdog = check_watchdog(L);
	if (has(L, index, "workers"))
		options->runtime.workers = check_workers(L);
	lua_settop(L, top);
}

void main_options_check(lua_State *L, int index, struct main_options *options)
{
	*options = (struct main_options){.ops = &rt_native};
	if (lua_istable(L, index)) {
		check_table(L, index, options);
	} else if (lua_type(L, index) == LUA_TSTRING) {
		lua_pushvalue(L, index);
		options->ops = check_runtime(L);
		lua_pop(L, 1);
	} else {
		vm_type_error(L, index, "name of a runtime or table");
	}
}
