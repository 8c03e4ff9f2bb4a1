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

/* Only that: an idle connection's memory counts. */
struct lua_conn {
	struct rt_tcp tcp;
};

/* NULL: no buffer, no timeout. */
static inline struct conn_extra *conn_extra(const struct lua_conn *conn)
{
	return conn->tcp.u.extra;
}

/* Pushes a closed connection, to be opened by the caller. */
struct lua_conn *lua_conn_push(lua_State *L, struct vm *vm);

/* The first argument of a function; raises if it is no connection. */
struct lua_conn *lua_conn_check(lua_State *L);

/* conn->extra, made now if there is none. May raise for lack of memory. */
struct conn_extra *lua_conn_extra(lua_State *L, struct lua_conn *conn);

/* As vm_push_failure(), with the peer's address. */
int lua_conn_failure(lua_State *L, struct lua_conn *conn, const char *what, int err);

/* lua_watch_wait() for the operation under way in that direction, with its deadline. */
int lua_conn_wait(lua_State *L, struct lua_conn *conn, int direction);

/* The operation has ended. */
void lua_conn_end_read(struct lua_conn *conn);
void lua_conn_end_write(struct lua_conn *conn);

/*
 * What a wait for readiness comes to for a lua_CFunction: publishes the running
 * task on the watch and suspends it. Gives nothing, or the reason as a number.
 */
int lua_watch_wait(lua_State *L, struct vm *vm, struct rt_watch *watch, int direction, rt_time deadline);

#endif
