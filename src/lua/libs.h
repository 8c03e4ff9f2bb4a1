/* SPDX-License-Identifier: MIT */
/* The parts of rt.core, the C half of the Lua modules: each adds its functions to the table on top. */
#ifndef RT_LUA_LIBS_H
#define RT_LUA_LIBS_H

#include "lua/vm.h"

void lib_task_open(lua_State *L, struct vm *vm);
void lib_scope_open(lua_State *L, struct vm *vm);
void lib_local_open(lua_State *L, struct vm *vm);
void lib_time_open(lua_State *L, struct vm *vm);
void lib_addr_open(lua_State *L, struct vm *vm);
void lib_conn_open(lua_State *L, struct vm *vm);
void lib_conn_read_open(lua_State *L, struct vm *vm);
void lib_conn_write_open(lua_State *L, struct vm *vm);
void lib_listener_open(lua_State *L, struct vm *vm);
void lib_udp_open(lua_State *L, struct vm *vm);
void lib_fd_open(lua_State *L, struct vm *vm);
void lib_wait_open(lua_State *L, struct vm *vm);
void lib_chan_open(lua_State *L, struct vm *vm);
void lib_sync_open(lua_State *L, struct vm *vm);
void lib_select_open(lua_State *L, struct vm *vm);
void lib_file_open(lua_State *L, struct vm *vm);
void lib_gate_open(lua_State *L, struct vm *vm);
void lib_job_open(lua_State *L, struct vm *vm);
void lib_report_open(lua_State *L, struct vm *vm);
void lib_runtime_open(lua_State *L, struct vm *vm);
void lib_worker_open(lua_State *L, struct vm *vm);

#endif
