/* SPDX-License-Identifier: MIT */
/* rt.core: addresses and name resolution. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/libs.h"
#include "lua/lua_addr.h"
#include "lua/lua_task.h"
#include "net/addr.h"
#include "net/resolve.h"
#include "net/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

void lua_addr_push(lua_State *L, struct vm *vm, const struct rt_addr *addr)
{
	*(struct rt_addr *)vm_new(L, vm, OBJECT_ADDR, sizeof *addr) = *addr;
}

struct rt_addr *lua_addr_check(lua_State *L, struct vm *vm, int index)
{
	return vm_check(L, vm, index, OBJECT_ADDR);
}

int lua_addr_push_result(lua_State *L, struct vm *vm, const char *what, int err, const struct rt_addr *addr)
{
	if (err < 0)
		return vm_push_failure(L, what, NULL, err);
	lua_addr_push(L, vm, addr);
	return 1;
}

static int text(lua_State *L)
{
	char buf[RT_ADDR_TEXT_MAX];

	lua_pushstring(L, rt_addr_text(lua_addr_check(L, vm_upvalue(L), 1), buf));
	return 1;
}

static int host(lua_State *L)
{
	const struct rt_addr *addr = lua_addr_check(L, vm_upvalue(L), 1);
	char buf[INET6_ADDRSTRLEN];
	bool v4 = addr->u.any.sa_family == AF_INET;
	const void *bytes = v4 ? (const void *)&addr->u.v4.sin_addr : &addr->u.v6.sin6_addr;

	lua_pushstring(L, inet_ntop(addr->u.any.sa_family, bytes, buf, sizeof buf));
	return 1;
}

static int port(lua_State *L)
{
	lua_pushinteger(L, rt_addr_port(lua_addr_check(L, vm_upvalue(L), 1)));
	return 1;
}

static int equal(lua_State *L)
{
	const struct rt_addr *a = vm_test(L, vm_upvalue(L), 1, OBJECT_ADDR);
	const struct rt_addr *b = vm_test(L, vm_upvalue(L), 2, OBJECT_ADDR);

	lua_pushboolean(L, a && b && rt_addr_equal(a, b));
	return 1;
}

static int is_addr(lua_State *L)
{
	lua_pushboolean(L, vm_test(L, vm_upvalue(L), 1, OBJECT_ADDR) != NULL);
	return 1;
}

/* ---- Resolution ---- */

static const char resolution_metatable[] = "rt.resolution";

static int free_resolution(lua_State *L)
{
	struct resolution **box = luaL_checkudata(L, 1, resolution_metatable);

	if (*box)
		resolve_end(*box, -ECANCELED, NULL, 0);
	*box = NULL;
	return 0;
}

static struct resolution **new_box(lua_State *L)
{
	struct resolution **box = lua_newuserdata(L, sizeof *box);

	*box = NULL;
	if (luaL_newmetatable(L, resolution_metatable)) {
		lua_pushcfunction(L, free_resolution);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return box;
}

static int push_addrs(lua_State *L, struct vm *vm, const struct rt_addr *addrs, int count)
{
	lua_createtable(L, count, 0);
	for (int i = 0; i < count; i++) {
		lua_addr_push(L, vm, &addrs[i]);
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

/* resolve_begin(text) -> {address} | resolution | nil, message, code */
static int resolve_start(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);
	size_t length;
	const char *name = vm_check_string(L, 1, &length);
	struct rt_addr addr;

	lua_task_running(L, vm, "resolve");
	if (strlen(name) != length)
		return vm_push_failure(L, "resolve", name, -EINVAL);
	struct resolution **box = new_box(L);
	int result = resolve_begin(name, &addr, 1, box);

	if (result < 0)
		return vm_push_failure(L, "resolve", name, result);
	return result > 0 ? push_addrs(L, vm, &addr, 1) : 1;
}

/* resolve_wait(resolution) -> nothing, or the reason */
static int resolve_wait(lua_State *L)
{
	struct resolution **box = luaL_checkudata(L, 1, resolution_metatable);
	struct lua_task *task = lua_task_running(L, vm_upvalue(L), "resolve");

	resolve_await(*box, &task->task);
	return lua_task_suspend(L, task, RT_FOREVER);
}

/* resolve_end(resolution, text[, reason]) -> {address, ...} | nil, message, code */
static int resolve_finish(lua_State *L)
{
	struct resolution **box = luaL_checkudata(L, 1, resolution_metatable);
	struct rt_addr addrs[SOCKET_ADDRS_MAX];
	int waited = (int)luaL_optinteger(L, 3, 0);
	int result = resolve_end(*box, waited, addrs, SOCKET_ADDRS_MAX);

	*box = NULL;
	if (result == -ENOENT) {
		lua_pushnil(L);
		lua_pushfstring(L, "resolve %s: name does not resolve", luaL_checkstring(L, 2));
		lua_pushliteral(L, "ENOENT");
		return 3;
	}
	if (result < 0)
		return vm_push_failure(L, "resolve", luaL_checkstring(L, 2), result);
	return push_addrs(L, vm_upvalue(L), addrs, result);
}

static const luaL_Reg functions[] = {
	{"addr_text", text},
	{"addr_host", host},
	{"addr_port", port},
	{"addr_equal", equal},
	{"is_addr", is_addr},
	{"resolve_begin", resolve_start},
	{"resolve_wait", resolve_wait},
	{"resolve_end", resolve_finish},
	{NULL, NULL},
};

void lib_addr_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
	lua_rawgeti(L, LUA_REGISTRYINDEX, vm->metatable_refs[OBJECT_ADDR]);
	lua_setfield(L, -2, "Addr");
}
