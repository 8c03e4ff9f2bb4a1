/* SPDX-License-Identifier: MIT */
/*
 * The common reads and writes as plain functions for LuaJIT's FFI, which compiled code calls
 * directly: a call of a lua_CFunction leaves the trace. They never wait and never raise. The caller
 * has checked the type of the connection.
 */
#ifndef RT_LUA_CONN_QUICK_H
#define RT_LUA_CONN_QUICK_H

#include "lua/lua_conn.h"

enum {
	/* Not for here: what the lua_CFunction of this operation gives is the answer. */
	CONN_SLOW = -0x10000,
};

/*
 * Reads what is there. Returns how many bytes, 0 at the end of the stream, -EAGAIN: wait first,
 * CONN_SLOW, or -errno.
 */
int conn_quick_read(struct lua_conn *conn, char *buf, int size);

/*
 * Writes as much of data as there is room for. Returns how many bytes, -EAGAIN, CONN_SLOW, or -errno.
 */
int conn_quick_write(struct lua_conn *conn, const char *data, int size);

#endif
