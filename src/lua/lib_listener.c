/* SPDX-License-Identifier: MIT */
/* rt.core: TCP listeners. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/libs.h"
#include "lua/lua_addr.h"
#include "lua/lua_conn.h"
#include "lua/lua_listener.h"

#include <errno.h>
#include <unistd.h>

static struct lua_listener *check(lua_State *L)
{
	return vm_check(L, vm_upvalue(L), 1, OBJECT_LISTENER);
}

static int backlog_option(lua_State *L, int index)
{
	lua_getfield(L, index, "backlog");
	if (!lua_isnil(L, -1) && !lua_isnumber(L, -1))
		vm_arg_error(L, index, "option 'backlog': number expected");
	double backlog = lua_tonumber(L, -1);

	if (!(backlog >= 0 && backlog <= 1e9))
		vm_arg_error(L, index, "option 'backlog' out of range");
	lua_pop(L, 1);
	return (int)backlog;
}

/* listen(addr[, {backlog=, reuseport=}]) -> listener | nil, message, code */
static int listen_on(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);
	struct rt_addr *addr = lua_addr_check(L, vm, 1);
	struct rt_tcp_listen_options options = {0};
	char text[RT_ADDR_TEXT_MAX];

	if (!lua_isnoneornil(L, 2)) {
		if (!lua_istable(L, 2))
			return vm_type_error(L, 2, "table");
		options.backlog = backlog_option(L, 2);
		lua_getfield(L, 2, "reuseport");
		options.reuseport = lua_toboolean(L, -1);
	}
	struct lua_listener *listener = vm_new(L, vm, OBJECT_LISTENER, sizeof *listener);
	int err = listener_init(&listener->listener, addr, &options);

	return err < 0 ? vm_push_failure(L, "listen", rt_addr_text(addr, text), err) : 1;
}

/* If there is no memory for the objects this raises, and the next accept gives the connection. */
static int push_accepted(lua_State *L, struct vm *vm, struct lua_listener *listener, int fd)
{
	listener->accepted = fd + 1;
	struct lua_conn *conn = lua_conn_push(L, vm);

	lua_addr_push(L, vm, &listener->peer);
	tcp_init(&conn->tcp, fd);
	listener->accepted = 0;
	return 2;
}

/*
 * accept(listener) -> conn, peer | nil, message, code; false: out of descriptors. Where
 * there is nobody it waits, and then gives nothing, or nil and a reason.
 */
static int accept_one(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);
	struct lua_listener *listener = check(L);
	int fd = listener->accepted - 1;

	if (fd < 0)
		fd = listener_try_accept(&listener->listener, &listener->peer);
	if (fd >= 0)
		return push_accepted(L, vm, listener, fd);
	if (fd == -EAGAIN)
		return lua_watch_wait(L, vm, &listener->listener.watch, RT_READ, RT_FOREVER);
	if (!listener_exhausted(fd))
		return vm_push_failure(L, "accept", NULL, fd);
	lua_pushboolean(L, 0);
	return 1;
}

static int listener_close(lua_State *L)
{
	struct lua_listener *listener = check(L);

	listener_finish(&listener->listener);
	if (listener->accepted > 0)
		close(listener->accepted - 1);
	listener->accepted = 0;
	return 0;
}

static int local_addr(lua_State *L)
{
	struct rt_addr addr;
	int err = rt_tcp_listener_local_addr(&check(L)->listener, &addr);

	return lua_addr_push_result(L, vm_upvalue(L), "local_addr", err, &addr);
}

static int listener_fd(lua_State *L)
{
	int fd = rt_tcp_listener_fd(&check(L)->listener);

	if (fd < 0)
		return vm_push_failure(L, "fd", NULL, -EBADF);
	lua_pushinteger(L, fd);
	return 1;
}

static const luaL_Reg functions[] = {
	{"listen", listen_on},
	{"accept", accept_one},
	{NULL, NULL},
};

/* Methods that never wait. */
static const luaL_Reg methods[] = {
	{"close", listener_close},
	{"local_addr", local_addr},
	{"fd", listener_fd},
	{"__gc", listener_close},
	{NULL, NULL},
};

void lib_listener_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
	lua_pushnumber(L, (double)LISTENER_BACKOFF / 1e9);
	lua_setfield(L, -2, "ACCEPT_BACKOFF");
	lua_rawgeti(L, LUA_REGISTRYINDEX, vm->metatable_refs[OBJECT_LISTENER]);
	vm_register(L, vm, methods);
	lua_setfield(L, -2, "Listener");
}
