/* SPDX-License-Identifier: MIT */
/* rt.core: UDP sockets. Functions that try give false when they would have to wait. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/libs.h"
#include "lua/lua_addr.h"
#include "lua/lua_conn.h"
#include "lua/lua_udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>

static struct lua_udp *check(lua_State *L)
{
	return vm_check(L, vm_upvalue(L), 1, OBJECT_UDP);
}

static int push_again(lua_State *L)
{
	lua_pushboolean(L, 0);
	return 1;
}

static int push_done(lua_State *L, const char *what, int err)
{
	if (err < 0)
		return vm_push_failure(L, what, NULL, err);
	lua_pushboolean(L, 1);
	return 1;
}

/* udp_bind(addr) -> udp | nil, message, code */
static int bind_to(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);
	struct rt_addr *addr = lua_addr_check(L, vm, 1);
	struct lua_udp *udp = vm_new(L, vm, OBJECT_UDP, sizeof *udp);
	char text[RT_ADDR_TEXT_MAX];
	int err = udp_init(&udp->udp, addr);

	udp->timeout = RT_FOREVER;
	return err < 0 ? vm_push_failure(L, "bind", rt_addr_text(addr, text), err) : 1;
}

static size_t check_max(lua_State *L, int index)
{
	if (lua_isnoneornil(L, index))
		return VM_BUFFER;
	double max = vm_check_number(L, index);

	if (!(max >= 0))
		vm_arg_error(L, index, "size out of range");
	return max < VM_BUFFER ? (size_t)max : VM_BUFFER;
}

/* udp_recv(udp[, max]) -> data, peer[, the whole size if it was cut] | false | nil, message, code */
static int recv_one(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);
	struct lua_udp *udp = check(L);
	size_t max = check_max(L, 2);
	struct rt_addr peer;
	ssize_t got = udp_try_recv(&udp->udp, vm->buffer, max, &peer);

	if (got == -EAGAIN)
		return push_again(L);
	if (got < 0)
		return vm_push_failure(L, "recv", NULL, (int)got);
	bool cut = (size_t)got > max;

	lua_pushlstring(L, vm->buffer, cut ? max : (size_t)got);
	lua_addr_push(L, vm, &peer);
	if (!cut)
		return 2;
	lua_pushinteger(L, got);
	return 3;
}

/* udp_send(udp, data[, addr]) -> size | false | nil, message, code */
static int send_one(lua_State *L)
{
	struct lua_udp *udp = check(L);
	size_t size;
	const char *data = vm_check_string(L, 2, &size);
	struct rt_addr *addr = lua_isnoneornil(L, 3) ? NULL : lua_addr_check(L, vm_upvalue(L), 3);
	char text[RT_ADDR_TEXT_MAX];
	ssize_t sent = udp_try_send(&udp->udp, data, size, addr);

	if (sent == -EAGAIN)
		return push_again(L);
	if (sent < 0)
		return vm_push_failure(L, "send", addr ? rt_addr_text(addr, text) : NULL, (int)sent);
	lua_pushinteger(L, sent);
	return 1;
}

static int udp_wait(lua_State *L, int direction)
{
	struct lua_udp *udp = check(L);
	rt_time deadline = udp->timeout == RT_FOREVER ? RT_FOREVER : vm_in(udp->timeout);

	return lua_watch_wait(L, vm_upvalue(L), &udp->udp.watch, direction, deadline);
}

static int wait_readable(lua_State *L)
{
	return udp_wait(L, RT_READ);
}

static int wait_writable(lua_State *L)
{
	return udp_wait(L, RT_WRITE);
}

/* udp_connect(udp, addr) -> true | nil, message, code */
static int connect_to(lua_State *L)
{
	struct lua_udp *udp = check(L);
	struct rt_addr *addr = lua_addr_check(L, vm_upvalue(L), 2);
	char text[RT_ADDR_TEXT_MAX];
	int err = udp_connect(&udp->udp, addr);

	if (err < 0)
		return vm_push_failure(L, "connect", rt_addr_text(addr, text), err);
	return push_done(L, "connect", 0);
}

/* ---- Options ---- */

static const char *const option_names[] = {
	[RT_UDP_BROADCAST] = "broadcast",
	[RT_UDP_TTL] = "ttl",
	[RT_UDP_MULTICAST_LOOP_V4] = "multicast_loop_v4",
	[RT_UDP_MULTICAST_TTL_V4] = "multicast_ttl_v4",
	[RT_UDP_MULTICAST_LOOP_V6] = "multicast_loop_v6",
	NULL,
};

static bool is_flag(enum rt_udp_option option)
{
	return option != RT_UDP_TTL && option != RT_UDP_MULTICAST_TTL_V4;
}

/* The option is the function's second upvalue. */
static enum rt_udp_option option_upvalue(lua_State *L)
{
	return (enum rt_udp_option)lua_tointeger(L, lua_upvalueindex(2));
}

static int get_option(lua_State *L)
{
	enum rt_udp_option option = option_upvalue(L);
	int value = rt_udp_get(&check(L)->udp, option);

	if (value < 0)
		return vm_push_failure(L, option_names[option], NULL, value);
	if (is_flag(option))
		lua_pushboolean(L, value);
	else
		lua_pushinteger(L, value);
	return 1;
}

static int set_option(lua_State *L)
{
	enum rt_udp_option option = option_upvalue(L);
	struct lua_udp *udp = check(L);
	double value;

	if (!is_flag(option))
		value = vm_check_number(L, 2);
	else if (lua_isboolean(L, 2))
		value = lua_toboolean(L, 2);
	else
		return vm_type_error(L, 2, "boolean");
	if (!(value >= 0 && value <= 255))
		return vm_arg_error(L, 2, "value out of range");
	return push_done(L, option_names[option], rt_udp_set(&udp->udp, option, (int)value));
}

static void register_option(lua_State *L, struct vm *vm, enum rt_udp_option option)
{
	lua_pushlightuserdata(L, vm);
	lua_pushinteger(L, option);
	lua_pushcclosure(L, get_option, 2);
	lua_setfield(L, -2, option_names[option]);
	lua_pushfstring(L, "set_%s", option_names[option]);
	lua_pushlightuserdata(L, vm);
	lua_pushinteger(L, option);
	lua_pushcclosure(L, set_option, 2);
	lua_rawset(L, -3);
}

/* ---- Multicast ---- */

static struct in_addr check_v4(lua_State *L, int index, bool optional)
{
	struct in_addr addr = {.s_addr = htonl(INADDR_ANY)};

	if (optional && lua_isnoneornil(L, index))
		return addr;
	if (inet_pton(AF_INET, vm_check_string(L, index, NULL), &addr) != 1)
		vm_arg_error(L, index, "IPv4 address expected");
	return addr;
}

static struct in6_addr check_v6(lua_State *L, int index)
{
	struct in6_addr addr;

	if (inet_pton(AF_INET6, vm_check_string(L, index, NULL), &addr) != 1)
		vm_arg_error(L, index, "IPv6 address expected");
	return addr;
}

/* An interface by its index or its name; 0: the system chooses. */
static unsigned check_interface(lua_State *L, int index)
{
	if (lua_isnoneornil(L, index))
		return 0;
	if (lua_type(L, index) == LUA_TNUMBER) {
		double number = lua_tonumber(L, index);

		if (!(number >= 0 && number <= INT_MAX))
			vm_arg_error(L, index, "no such interface");
		return (unsigned)number;
	}
	unsigned interface = if_nametoindex(vm_check_string(L, index, NULL));

	if (interface == 0)
		vm_arg_error(L, index, "no such interface");
	return interface;
}

static int join_v4(lua_State *L)
{
	struct lua_udp *udp = check(L);

	return push_done(L, "join_multicast_v4",
			 rt_udp_join_multicast_v4(&udp->udp, check_v4(L, 2, false), check_v4(L, 3, true)));
}

static int leave_v4(lua_State *L)
{
	struct lua_udp *udp = check(L);

	return push_done(L, "leave_multicast_v4",
			 rt_udp_leave_multicast_v4(&udp->udp, check_v4(L, 2, false), check_v4(L, 3, true)));
}

static int join_v6(lua_State *L)
{
	struct lua_udp *udp = check(L);
	struct in6_addr group = check_v6(L, 2);

	return push_done(L, "join_multicast_v6",
			 rt_udp_join_multicast_v6(&udp->udp, &group, check_interface(L, 3)));
}

static int leave_v6(lua_State *L)
{
	struct lua_udp *udp = check(L);
	struct in6_addr group = check_v6(L, 2);

	return push_done(L, "leave_multicast_v6",
			 rt_udp_leave_multicast_v6(&udp->udp, &group, check_interface(L, 3)));
}

/* ---- The rest ---- */

static int udp_close(lua_State *L)
{
	udp_finish(&check(L)->udp);
	return 0;
}

static int local_addr(lua_State *L)
{
	struct rt_addr addr;
	int err = rt_udp_local_addr(&check(L)->udp, &addr);

	return lua_addr_push_result(L, vm_upvalue(L), "local_addr", err, &addr);
}

static int peer_addr(lua_State *L)
{
	struct rt_addr addr;
	int err = rt_udp_peer_addr(&check(L)->udp, &addr);

	return lua_addr_push_result(L, vm_upvalue(L), "peer_addr", err, &addr);
}

static int udp_fd(lua_State *L)
{
	int fd = rt_udp_fd(&check(L)->udp);

	if (fd < 0)
		return vm_push_failure(L, "fd", NULL, -EBADF);
	lua_pushinteger(L, fd);
	return 1;
}

static int set_timeout(lua_State *L)
{
	struct lua_udp *udp = check(L);

	udp->timeout = lua_isnoneornil(L, 2) ? RT_FOREVER : vm_check_duration(L, 2);
	return push_done(L, "set_timeout", rt_udp_fd(&udp->udp) < 0 ? -EBADF : 0);
}

static const luaL_Reg functions[] = {
	{"udp_bind", bind_to},
	{"udp_recv", recv_one},
	{"udp_send", send_one},
	{"udp_connect", connect_to},
	{"udp_wait_readable", wait_readable},
	{"udp_wait_writable", wait_writable},
	{NULL, NULL},
};

/* Methods that never wait. */
static const luaL_Reg methods[] = {
	{"join_multicast_v4", join_v4},
	{"leave_multicast_v4", leave_v4},
	{"join_multicast_v6", join_v6},
	{"leave_multicast_v6", leave_v6},
	{"local_addr", local_addr},
	{"peer_addr", peer_addr},
	{"set_timeout", set_timeout},
	{"fd", udp_fd},
	{"close", udp_close},
	{"__gc", udp_close},
	{NULL, NULL},
};

void lib_udp_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
	lua_rawgeti(L, LUA_REGISTRYINDEX, vm->metatable_refs[OBJECT_UDP]);
	vm_register(L, vm, methods);
	for (int option = 0; option_names[option]; option++)
		register_option(L, vm, (enum rt_udp_option)option);
	lua_setfield(L, -2, "Udp");
}
