/* SPDX-License-Identifier: MIT */
/* rt.core: writing to TCP connections; waits as lib_conn_read.c does. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/libs.h"
#include "lua/lua_conn.h"

#include <errno.h>
#include <sys/uio.h>

enum { PARTS_MAX = 64 };

/* The arguments from 2 on, less skip bytes; returns how many parts. *size: bytes in all arguments. */
static size_t gather(lua_State *L, size_t skip, struct iovec *parts, size_t *size)
{
	size_t count = 0;

	*size = 0;
	for (int i = 2, top = lua_gettop(L); i <= top; i++) {
		size_t length;
		const char *data = vm_check_string(L, i, &length);

		*size += length;
		if (skip >= length) {
			skip -= length;
			continue;
		}
		if (count < PARTS_MAX)
			parts[count++] = (struct iovec){(char *)data + skip, length - skip};
		skip = 0;
	}
	return count;
}

static int write_from(lua_State *L, struct lua_conn *conn, size_t offset)
{
	struct iovec parts[PARTS_MAX];
	ssize_t sent = conn->tcp.watch.fd < 0 ? -EBADF : 0;
	size_t size, count = gather(L, offset, parts, &size);

	while (sent >= 0 && offset < size) {
		sent = tcp_try_writev(&conn->tcp, parts, count);
		if (sent > 0)
			offset += (size_t)sent;
		if (sent > 0 && offset < size)
			count = gather(L, offset, parts, &size);
	}
	if (sent == -EAGAIN) {
		lua_conn_extra(L, conn)->written = offset;
		conn_extra(conn)->writing = true;
		return lua_conn_wait(L, conn, RT_WRITE);
	}
	lua_conn_end_write(conn);
	if (sent < 0)
		return lua_conn_failure(L, conn, "write", (int)sent);
	lua_pushboolean(L, 1);
	return 1;
}

/* write(conn, ...) -> true | nil, message, code; having waited: go on with write_more(conn, ...) */
static int conn_write(lua_State *L)
{
	struct lua_conn *conn = lua_conn_check(L);

	if (conn_extra(conn) && conn_extra(conn)->writing)
		return lua_conn_failure(L, conn, "write", -EBUSY);
	return write_from(L, conn, 0);
}

static int conn_write_more(lua_State *L)
{
	struct lua_conn *conn = lua_conn_check(L);

	return write_from(L, conn, conn_extra(conn) ? conn_extra(conn)->written : 0);
}

/* write_rest(conn, written, ...) -> as write_more(), where the first bytes have been written by others */
static int conn_write_rest(lua_State *L)
{
	struct lua_conn *conn = lua_conn_check(L);
	lua_Integer written = luaL_checkinteger(L, 2);

	lua_remove(L, 2);
	return write_from(L, conn, (size_t)written);
}

static const luaL_Reg functions[] = {
	{"conn_write", conn_write},
	{"conn_write_more", conn_write_more},
	{"conn_write_rest", conn_write_rest},
	{NULL, NULL},
};

void lib_conn_write_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
}
