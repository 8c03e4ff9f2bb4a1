/* SPDX-License-Identifier: MIT */
/* The embedded Lua modules; see embed.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/embed.h"

#include "lua/libs.h"

#include <stdlib.h>
#include <string.h>

/* rt.net -> DIR/rt/net.lua */
static int load_from_folder(lua_State *L, const char *folder, const char *name)
{
	const char *path = luaL_gsub(L, name, ".", "/");

	path = lua_pushfstring(L, "%s/%s.lua", folder, path);
	int status = luaL_loadfile(L, path);

	lua_remove(L, -2);
	lua_remove(L, -2);
	return status;
}

/* In package.preload: the module's own arguments are those of its chunk. */
static int load(lua_State *L)
{
	const struct embedded_module *module = lua_touserdata(L, lua_upvalueindex(1));
	const char *folder = getenv("RT_LUA_DIR");
	int status = folder ? load_from_folder(L, folder, module->name)
			    : luaL_loadbuffer(L, (const char *)module->code, module->size, module->name);

	if (status != 0)
		return lua_error(L);
	lua_pushvalue(L, 1);
	lua_call(L, 1, 1);
	return 1;
}

static int load_core(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);

	lua_newtable(L);
	lib_task_open(L, vm);
	lib_scope_open(L, vm);
	lib_local_open(L, vm);
	lib_time_open(L, vm);
	lib_addr_open(L, vm);
	lib_conn_open(L, vm);
	lib_conn_read_open(L, vm);
	lib_conn_write_open(L, vm);
	lib_listener_open(L, vm);
	lib_udp_open(L, vm);
	lib_fd_open(L, vm);
	lib_wait_open(L, vm);
	lib_chan_open(L, vm);
	lib_sync_open(L, vm);
	lib_select_open(L, vm);
	lib_file_open(L, vm);
	lib_gate_open(L, vm);
	lib_job_open(L, vm);
	lib_report_open(L, vm);
	lib_runtime_open(L, vm);
	lib_worker_open(L, vm);
	return 1;
}

void embed_open(lua_State *L, struct vm *vm)
{
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "preload");
	for (const struct embedded_module *module = embedded_modules; module->name; module++) {
		lua_pushlightuserdata(L, (void *)module);
		lua_pushcclosure(L, load, 1);
		lua_setfield(L, -2, module->name);
	}
	lua_pushlightuserdata(L, vm);
	lua_pushcclosure(L, load_core, 1);
	lua_setfield(L, -2, "rt.core");
	lua_pop(L, 2);
}
