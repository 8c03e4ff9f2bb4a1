/* SPDX-License-Identifier: MIT */
/* rt.so: nothing of its own; luaopen_rt is found in librtlua, which it depends on. */
#include <rtlua.h>

RT_API extern lua_CFunction const rt_module_functions[];
lua_CFunction const rt_module_functions[] = {luaopen_rt, luaopen_rt_task, luaopen_rt_time, luaopen_rt_sync,
					     luaopen_rt_net};
