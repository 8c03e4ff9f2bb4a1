/* SPDX-License-Identifier: MIT */
/* rt.core: TCP connections: connecting, closing, options. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/conn_quick.h"
#include "lua/libs.h"
#include "lua/lua_addr.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

/* wait_connected(conn) -> nothing, or nil and a reason */
static int conn_wait_connected(lua_State *L)
{
	return lua_conn_wait(L, lua_conn_check(L), RT_WRITE);
}

/* stopped(conn, what, reason) -> nil, message, code: ends the operation, unless it is another task's */
static int conn_stopped(lua_State *L)
{
	struct lua_conn *conn = lua_conn_check(L);
	const char *what = luaL_checkstring(L, 2);
	int err = (int)luaL_checkinteger(L, 3);

	if (err != -EBUSY)
		(*what == 'r' ? lua_conn_end_read : lua_conn_end_write)(conn);
	if (err == -ETIMEDOUT)
		return vm_push_failure(L, NULL, NULL, err);
	return lua_conn_failure(L, conn, what, err);
}

/* ---- Connecting, closing, options ---- */

/* connect_begin(addr) -> conn[, true: wait until it is writable] | nil, message, code */
static int conn_connect_begin(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);
	struct rt_addr *addr = lua_addr_check(L, vm, 1);
	struct lua_conn *conn = lua_conn_push(L, vm);
	char text[RT_ADDR_TEXT_MAX];
	int err = tcp_begin_connect(&conn->tcp, addr);

	if (err < 0 && err != -EINPROGRESS)
		return vm_push_failure(L, "connect", rt_addr_text(addr, text), err);
	lua_pushboolean(L, err == -EINPROGRESS);
	return 2;
}

/* connect_end(conn, addr) -> conn | false: wait again | nil, message, code */
static int conn_connect_end(lua_State *L)
{
	struct lua_conn *conn = lua_conn_check(L);
	struct rt_addr *addr = lua_addr_check(L, vm_upvalue(L), 2);
	char text[RT_ADDR_TEXT_MAX];
	int err = tcp_connected(&conn->tcp);

	if (err == -EINPROGRESS) {
		lua_pushboolean(L, false);
		return 1;
	}
	lua_conn_end_write(conn);
	if (err < 0)
		return vm_push_failure(L, "connect", rt_addr_text(addr, text), err);
	lua_settop(L, 1);
	return 1;
}

static int conn_close(lua_State *L)
{
	struct lua_conn *conn = lua_conn_check(L);

	tcp_finish(&conn->tcp);
	if (conn_extra(conn))
		input_finish(&conn_extra(conn)->input);
	free(conn_extra(conn));
	conn->tcp.u.extra = NULL;
	return 0;
}

static int conn_collect(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);

	conn_close(L);
	vm->tested_conn = NULL;
	return 0;
}

static int push_done(lua_State *L, struct lua_conn *conn, const char *what, int err)
{
	if (err < 0)
		return lua_conn_failure(L, conn, what, err);
	lua_pushboolean(L, 1);
	return 1;
}

static int conn_shutdown(lua_State *L)
{
	static const char *const names[] = {"read", "write", "both", NULL};
	static const int hows[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};
	struct lua_conn *conn = lua_conn_check(L);

	return push_done(L, conn, "shutdown",
			 rt_tcp_shutdown(&conn->tcp, hows[luaL_checkoption(L, 2, "both", names)]));
}

static int conn_local_addr(lua_State *L)
{
	struct rt_addr addr;
	int err = rt_tcp_local_addr(&lua_conn_check(L)->tcp, &addr);

	return lua_addr_push_result(L, vm_upvalue(L), "local_addr", err, &addr);
}

static int conn_peer_addr(lua_State *L)
{
	struct rt_addr addr;
	int err = rt_tcp_peer_addr(&lua_conn_check(L)->tcp, &addr);

	return lua_addr_push_result(L, vm_upvalue(L), "peer_addr", err, &addr);
}

static int conn_set_nodelay(lua_State *L)
{
	struct lua_conn *conn = lua_conn_check(L);

	luaL_checkany(L, 2);
	return push_done(L, conn, "set_nodelay", rt_tcp_set_nodelay(&conn->tcp, lua_toboolean(L, 2)));
}

/* set_keepalive(true | false | seconds) */
static int conn_set_keepalive(lua_State *L)
{
	enum { IDLE = 60 };
	struct lua_conn *conn = lua_conn_check(L);
	unsigned idle = lua_toboolean(L, 2) ? IDLE : 0;

	luaL_checkany(L, 2);
	if (lua_type(L, 2) == LUA_TNUMBER) {
		double seconds = lua_tonumber(L, 2);

		if (!(seconds >= 0 && seconds <= 32767))
			vm_arg_error(L, 2, "seconds out of range");
		idle = seconds > 0 && seconds < 1 ? 1 : (unsigned)seconds;
	}
	return push_done(L, conn, "set_keepalive", rt_tcp_set_keepalive(&conn->tcp, idle));
}

/* set_timeout([seconds]): of each operation; nil: none */
static int conn_set_timeout(lua_State *L)
{
	struct lua_conn *conn = lua_conn_check(L);
	rt_time timeout = lua_isnoneornil(L, 2) ? RT_FOREVER : vm_check_duration(L, 2);

	if (conn->tcp.watch.fd < 0)
		return vm_push_failure(L, "set_timeout", NULL, -EBADF);
	if (timeout != RT_FOREVER || conn_extra(conn))
		lua_conn_extra(L, conn)->timeout = timeout;
	lua_pushboolean(L, 1);
	return 1;
}

static int conn_fd(lua_State *L)
{
	struct lua_conn *conn = lua_conn_check(L);

	if (conn->tcp.watch.fd < 0)
		return vm_push_failure(L, "fd", NULL, -EBADF);
	lua_pushinteger(L, conn->tcp.watch.fd);
	return 1;
}

static const luaL_Reg functions[] = {
	{"conn_wait_connected", conn_wait_connected},
	{"conn_stopped", conn_stopped},
	{"conn_connect_begin", conn_connect_begin},
	{"conn_connect_end", conn_connect_end},
	{NULL, NULL},
};

/* Methods that never wait. */
static const luaL_Reg methods[] = {
	{"close", conn_close},
	{"shutdown", conn_shutdown},
	{"local_addr", conn_local_addr},
	{"peer_addr", conn_peer_addr},
	{"set_nodelay", conn_set_nodelay},
	{"set_keepalive", conn_set_keepalive},
	{"set_timeout", conn_set_timeout},
	{"fd", conn_fd},
	{"__gc", conn_collect},
	{NULL, NULL},
};

/* For the FFI: addresses of functions and of the buffer that they read into. */
static void add_quick(lua_State *L, struct vm *vm)
{
	lua_pushlightuserdata(L, (void *)conn_quick_read);
	lua_setfield(L, -2, "conn_quick_read");
	lua_pushlightuserdata(L, (void *)conn_quick_write);
	lua_setfield(L, -2, "conn_quick_write");
	lua_pushlightuserdata(L, vm->buffer);
	lua_setfield(L, -2, "buffer");
	lua_pushinteger(L, VM_BUFFER);
	lua_setfield(L, -2, "BUFFER");
	lua_pushinteger(L, -EAGAIN);
	lua_setfield(L, -2, "AGAIN");
	lua_pushinteger(L, CONN_SLOW);
	lua_setfield(L, -2, "CONN_SLOW");
}

void lib_conn_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
	add_quick(L, vm);
	lua_rawgeti(L, LUA_REGISTRYINDEX, vm->metatable_refs[OBJECT_CONN]);
	vm_register(L, vm, methods);
	lua_setfield(L, -2, "Conn");
}
