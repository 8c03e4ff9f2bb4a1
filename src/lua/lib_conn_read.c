/* SPDX-License-Identifier: MIT */
/*
 * rt.core: reading from TCP connections. Where there is nothing to be had right now the functions
 * wait, and then give nothing, or nil and a reason: lua/rt/tcp.lua tries again.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/libs.h"
#include "lua/lua_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int push_eof(lua_State *L)
{
	lua_pushnil(L);
	lua_pushliteral(L, "closed");
	lua_pushliteral(L, "EOF");
	return 3;
}

static int give(lua_State *L, struct lua_conn *conn, size_t size, size_t strip)
{
	struct input *input = &conn_extra(conn)->input;

	lua_pushlstring(L, input_data(input), size - strip);
	input_consume(input, size);
	lua_conn_end_read(conn);
	return 1;
}

/* A try that gave no bytes: waits for some, or gives the reason why there are none. */
static int stop_read(lua_State *L, struct lua_conn *conn, ssize_t result)
{
	if (result == -EAGAIN)
		return lua_conn_wait(L, conn, RT_READ);
	lua_conn_end_read(conn);
	if (result == 0)
		return push_eof(L);
	return lua_conn_failure(L, conn, "read", (int)result);
}

static size_t buffered(const struct lua_conn *conn)
{
	return conn_extra(conn) ? input_size(&conn_extra(conn)->input) : 0;
}

static size_t check_size(lua_State *L, int index, size_t otherwise)
{
	if (lua_isnoneornil(L, index))
		return otherwise;
	double size = vm_check_number(L, index);

	if (!(size >= 0 && size <= 9e15))
		vm_arg_error(L, index, "size out of range");
	return (size_t)size;
}

/* Why nothing may be read: 0, or the handle is closed, or another task waits for data. */
static int refuse_read(const struct lua_conn *conn)
{
	if (conn->tcp.watch.fd < 0)
		return -EBADF;
	return watch_has_reader(&conn->tcp.watch) ? -EBUSY : 0;
}

static int refused(lua_State *L, struct lua_conn *conn)
{
	return lua_conn_failure(L, conn, "read", refuse_read(conn));
}

/* read(conn[, max]) -> data | nil, message, code */
static int conn_read(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);
	struct lua_conn *conn = vm_check(L, vm, 1, OBJECT_CONN);
	size_t max = check_size(L, 2, VM_BUFFER);

	if (!(max > 0))
		vm_arg_error(L, 2, "size out of range");
	if (refuse_read(conn) < 0)
		return refused(L, conn);
	size_t have = buffered(conn);

	if (have > 0)
		return give(L, conn, have < max ? have : max, 0);
	ssize_t got = tcp_try_read(&conn->tcp, vm->buffer, max < VM_BUFFER ? max : VM_BUFFER);

	if (got <= 0)
		return stop_read(L, conn, got);
	lua_conn_end_read(conn);
	lua_pushlstring(L, vm->buffer, (size_t)got);
	return 1;
}

/* Reads more into the buffer: > 0, or as tcp_try_read(). */
static ssize_t fill(struct lua_conn *conn, size_t want)
{
	struct input *input = &conn_extra(conn)->input;
	size_t room;
	char *space = input_reserve(input, want, &room);

	if (!space)
		return -ENOMEM;
	ssize_t got = tcp_try_read(&conn->tcp, space, room);

	if (got > 0)
		input_commit(input, (size_t)got);
	return got;
}

/* read_exactly(conn, size) */
static int conn_read_exactly(lua_State *L)
{
	struct lua_conn *conn = lua_conn_check(L);
	size_t size = check_size(L, 2, 0);

	vm_check_number(L, 2);
	if (refuse_read(conn) < 0)
		return refused(L, conn);
	lua_conn_extra(L, conn);
	while (buffered(conn) < size) {
		ssize_t got = fill(conn, size - buffered(conn));

		if (got <= 0)
			return stop_read(L, conn, got);
	}
	return give(L, conn, size, 0);
}

static int too_long(lua_State *L, struct lua_conn *conn)
{
	lua_conn_end_read(conn);
	return lua_conn_failure(L, conn, "read", -EMSGSIZE);
}

/* read_until(conn, delimiter[, max]) -> data with the delimiter */
static int conn_read_until(lua_State *L)
{
	struct lua_conn *conn = lua_conn_check(L);
	size_t length;
	const char *delimiter = vm_check_string(L, 2, &length);
	size_t max = check_size(L, 3, SIZE_MAX);

	if (!(length > 0))
		vm_arg_error(L, 2, "empty delimiter");
	if (refuse_read(conn) < 0)
		return refused(L, conn);
	struct input *input = &lua_conn_extra(L, conn)->input;

	for (;;) {
		size_t end = input_find(input, delimiter, length);

		if (end > max || (end == 0 && input_size(input) >= max))
			return too_long(L, conn);
		if (end > 0)
			return give(L, conn, end, 0);
		ssize_t got = fill(conn, 1);

		if (got <= 0)
			return stop_read(L, conn, got);
	}
}

static size_t line_ending(const char *line, size_t size)
{
	if (size == 0 || line[size - 1] != '\n')
		return 0;
	return size > 1 && line[size - 2] == '\r' ? 2 : 1;
}

/* read_line(conn) -> the line without its end; the last one may have none */
static int conn_read_line(lua_State *L)
{
	struct lua_conn *conn = lua_conn_check(L);

	if (refuse_read(conn) < 0)
		return refused(L, conn);
	struct input *input = &lua_conn_extra(L, conn)->input;

	for (;;) {
		size_t end = input_find(input, "\n", 1);

		if (end > 0)
			return give(L, conn, end, line_ending(input_data(input), end));
		ssize_t got = fill(conn, 1);

		if (got == 0 && input_size(input) > 0)
			return give(L, conn, input_size(input), 0);
		if (got <= 0)
			return stop_read(L, conn, got);
	}
}

/* read_all(conn[, max]) -> everything up to the end of the stream, which may be "" */
static int conn_read_all(lua_State *L)
{
	struct lua_conn *conn = lua_conn_check(L);
	size_t max = check_size(L, 2, SIZE_MAX);

	if (refuse_read(conn) < 0)
		return refused(L, conn);
	lua_conn_extra(L, conn);
	for (;;) {
		if (buffered(conn) > max)
			return too_long(L, conn);
		ssize_t got = fill(conn, 1);

		if (got == 0)
			return give(L, conn, buffered(conn), 0);
		if (got < 0)
			return stop_read(L, conn, got);
	}
}

/* wait_readable(conn) -> nothing, or nil and a reason. For our own Lua half, which knows that it is one. */
static int conn_wait_readable(lua_State *L)
{
	return lua_conn_wait(L, lua_touserdata(L, 1), RT_READ);
}

static const luaL_Reg functions[] = {
	{"conn_read", conn_read},
	{"conn_read_exactly", conn_read_exactly},
	{"conn_read_until", conn_read_until},
	{"conn_read_line", conn_read_line},
	{"conn_read_all", conn_read_all},
	{"conn_wait_readable", conn_wait_readable},
	{NULL, NULL},
};

void lib_conn_read_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
}
