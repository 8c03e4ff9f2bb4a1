/* SPDX-License-Identifier: MIT */
/* Connection objects: a struct rt_tcp and, once it is needed, an input buffer and timeouts. */
#ifndef RT_LUA_CONN_H
#define RT_LUA_CONN_H

#include "lua/input.h"
#include "lua/lua_task.h"
#include "net/tcp.h"

struct conn_extra {
	struct input input;
	rt_time timeout; /* of one operation */
	rt_time read_deadline, write_deadline; /* of the operation under way; RT_NOW: none */
	size_t written; /* by the write under way */
	bool writing; /* a write waits: others are refused */
};

struct lua_conn {
	struct rt_tcp tcp;
	struct conn_extra *extra; /* NULL: no buffer, no timeout */
};

/* Pushes a closed connection, to be opened by the caller. */
struct lua_conn *lua_conn_push(lua_State *L, struct vm *vm);

/*
 * What a wait for readiness comes to for a lua_CFunction: publishes the running
 * task on the watch and suspends it. Gives nothing, or the reason as a number.
 */
int lua_watch_wait(lua_State *L, struct vm *vm, struct rt_watch *watch, int direction, rt_time deadline);

#endif
