/* SPDX-License-Identifier: MIT */
/* What rt.main() can be told about the runtime that it starts. */
#ifndef RT_LUA_MAIN_OPTIONS_H
#define RT_LUA_MAIN_OPTIONS_H

#include "lua/vm.h"

struct main_options {
	const struct rt_runtime_ops *ops;
	struct rt_runtime_options runtime;
};

/*
 * Reads the name of a runtime, or {runtime = name, clock = "real" or "virtual", seed = number, watchdog =
 * seconds, workers = number}; raises for values that are none.
 */
void main_options_check(lua_State *L, int index, struct main_options *options);

/* Pushes the message that there is no runtime of that name. */
void main_options_push_unknown(lua_State *L, const char *name);

#endif
