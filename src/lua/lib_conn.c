/* SPDX-License-Identifier: MIT */
/*
 * rt.core: TCP connections. Where there is nothing to be had right now the functions
 * wait, and then give nothing, or nil and a reason: lua/rt/tcp.lua tries again.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/conn_quick.h"
#include "lua/libs.h"
#include "lua/lua_addr.h"

#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PARTS_MAX = 64 };

struct lua_conn *lua_conn_push(lua_State *L, struct vm *vm)
{
	struct lua_conn *conn = vm_new(L, vm, OBJECT_CONN, sizeof *conn);

	conn->tcp.watch.fd = -1;
	return conn;
}

static struct lua_conn *check(lua_State *L)
{
	return vm_check(L, vm_upvalue(L), 1, OBJECT_CONN);
}

static struct conn_extra *need_extra(lua_State *L, struct lua_conn *conn)
{
	if (!conn->extra) {
		conn->extra = calloc(1, sizeof *conn->extra);
		if (!conn->extra)
			vm_error(L, "not enough memory");
		conn->extra->timeout = RT_FOREVER;
	}
	return conn->extra;
}

static int push_failure(lua_State *L, struct lua_conn *conn, const char *what, int err)
{
	char text[RT_ADDR_TEXT_MAX];
	struct rt_addr peer;
	const char *subject = NULL;

	if (err != -EBADF && rt_tcp_peer_addr(&conn->tcp, &peer) == 0)
		subject = rt_addr_text(&peer, text);
	return vm_push_failure(L, what, subject, err);
}

static int push_eof(lua_State *L)
{
	lua_pushnil(L);
	lua_pushliteral(L, "closed");
	lua_pushliteral(L, "EOF");
	return 3;
}

/* ---- Waiting ---- */

int lua_watch_wait(lua_State *L, struct vm *vm, struct rt_watch *watch, int direction, rt_time deadline)
{
	struct lua_task *task = lua_task_running(L, vm, direction == RT_READ ? "read" : "write");
	int err = watch->fd < 0 ? -EBADF : watch_await(watch, direction, &task->task);

	if (err == 0)
		return lua_task_suspend(L, task, deadline);
	lua_pushnil(L);
	lua_pushinteger(L, err);
	return 2;
}

/* One deadline for all the waits of an operation. */
static rt_time deadline_of(struct conn_extra *extra, rt_time *deadline)
{
	if (extra->timeout == RT_FOREVER)
		return RT_FOREVER;
	if (*deadline == RT_NOW)
		*deadline = vm_in(extra->timeout);
	return *deadline;
}

static int wait_readable(lua_State *L, struct lua_conn *conn)
{
	rt_time deadline = conn->extra ? deadline_of(conn->extra, &conn->extra->read_deadline) : RT_FOREVER;

	return lua_watch_wait(L, vm_upvalue(L), &conn->tcp.watch, RT_READ, deadline);
}

static int wait_writable(lua_State *L, struct lua_conn *conn)
{
	rt_time deadline = conn->extra ? deadline_of(conn->extra, &conn->extra->write_deadline) : RT_FOREVER;

	return lua_watch_wait(L, vm_upvalue(L), &conn->tcp.watch, RT_WRITE, deadline);
}

/* ---- Reading ---- */

static void end_read(struct lua_conn *conn)
{
	if (conn->extra)
		conn->extra->read_deadline = RT_NOW;
}

static int give(lua_State *L, struct lua_conn *conn, size_t size, size_t strip)
{
	struct input *input = &conn->extra->input;

	lua_pushlstring(L, input_data(input), size - strip);
	input_consume(input, size);
	end_read(conn);
	return 1;
}

/* A try that gave no bytes: waits for some, or gives the reason why there are none. */
static int stop_read(lua_State *L, struct lua_conn *conn, ssize_t result)
{
	if (result == -EAGAIN)
		return wait_readable(L, conn);
	end_read(conn);
	if (result == 0)
		return push_eof(L);
	return push_failure(L, conn, "read", (int)result);
}

static size_t buffered(const struct lua_conn *conn)
{
	return conn->extra ? input_size(&conn->extra->input) : 0;
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
	return conn->tcp.watch.reader ? -EBUSY : 0;
}

static int refused(lua_State *L, struct lua_conn *conn)
{
	return push_failure(L, conn, "read", refuse_read(conn));
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
	end_read(conn);
	lua_pushlstring(L, vm->buffer, (size_t)got);
	return 1;
}

/* Reads more into the buffer: > 0, or as tcp_try_read(). */
static ssize_t fill(struct lua_conn *conn, size_t want)
{
	struct input *input = &conn->extra->input;
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
	struct lua_conn *conn = check(L);
	size_t size = check_size(L, 2, 0);

	vm_check_number(L, 2);
	if (refuse_read(conn) < 0)
		return refused(L, conn);
	need_extra(L, conn);
	while (buffered(conn) < size) {
		ssize_t got = fill(conn, size - buffered(conn));

		if (got <= 0)
			return stop_read(L, conn, got);
	}
	return give(L, conn, size, 0);
}

static int too_long(lua_State *L, struct lua_conn *conn)
{
	end_read(conn);
	return push_failure(L, conn, "read", -EMSGSIZE);
}

/* read_until(conn, delimiter[, max]) -> data with the delimiter */
static int conn_read_until(lua_State *L)
{
	struct lua_conn *conn = check(L);
	size_t length;
	const char *delimiter = vm_check_string(L, 2, &length);
	size_t max = check_size(L, 3, SIZE_MAX);

	if (!(length > 0))
		vm_arg_error(L, 2, "empty delimiter");
	if (refuse_read(conn) < 0)
		return refused(L, conn);
	struct input *input = &need_extra(L, conn)->input;

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
	struct lua_conn *conn = check(L);

	if (refuse_read(conn) < 0)
		return refused(L, conn);
	struct input *input = &need_extra(L, conn)->input;

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
	struct lua_conn *conn = check(L);
	size_t max = check_size(L, 2, SIZE_MAX);

	if (refuse_read(conn) < 0)
		return refused(L, conn);
	need_extra(L, conn);
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

/* ---- Writing ---- */

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

static void end_write(struct lua_conn *conn)
{
	if (!conn->extra)
		return;
	conn->extra->write_deadline = RT_NOW;
	conn->extra->writing = false;
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
		need_extra(L, conn)->written = offset;
		conn->extra->writing = true;
		return wait_writable(L, conn);
	}
	end_write(conn);
	if (sent < 0)
		return push_failure(L, conn, "write", (int)sent);
	lua_pushboolean(L, 1);
	return 1;
}

/* write(conn, ...) -> true | nil, message, code; having waited: go on with write_more(conn, ...) */
static int conn_write(lua_State *L)
{
	struct lua_conn *conn = check(L);

	if (conn->extra && conn->extra->writing)
		return push_failure(L, conn, "write", -EBUSY);
	return write_from(L, conn, 0);
}

static int conn_write_more(lua_State *L)
{
	struct lua_conn *conn = check(L);

	return write_from(L, conn, conn->extra ? conn->extra->written : 0);
}

/* write_rest(conn, written, ...) -> as write_more(), where the first bytes have been written by others */
static int conn_write_rest(lua_State *L)
{
	struct lua_conn *conn = check(L);
	lua_Integer written = luaL_checkinteger(L, 2);

	lua_remove(L, 2);
	return write_from(L, conn, (size_t)written);
}

/* wait_readable(conn) -> nothing, or nil and a reason. For our own Lua half, which knows that it is one. */
static int conn_wait_readable(lua_State *L)
{
	return wait_readable(L, lua_touserdata(L, 1));
}

/* wait_connected(conn) -> nothing, or nil and a reason */
static int conn_wait_connected(lua_State *L)
{
	return wait_writable(L, check(L));
}

/* stopped(conn, what, reason) -> nil, message, code: ends the operation, unless it is another task's */
static int conn_stopped(lua_State *L)
{
	struct lua_conn *conn = check(L);
	const char *what = luaL_checkstring(L, 2);
	int err = (int)luaL_checkinteger(L, 3);

	if (err != -EBUSY)
		(*what == 'r' ? end_read : end_write)(conn);
	if (err == -ETIMEDOUT)
		return vm_push_failure(L, NULL, NULL, err);
	return push_failure(L, conn, what, err);
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

/* connect_end(conn, addr) -> conn | nil, message, code */
static int conn_connect_end(lua_State *L)
{
	struct lua_conn *conn = check(L);
	struct rt_addr *addr = lua_addr_check(L, vm_upvalue(L), 2);
	char text[RT_ADDR_TEXT_MAX];
	int err = tcp_connected(&conn->tcp);

	end_write(conn);
	if (err < 0)
		return vm_push_failure(L, "connect", rt_addr_text(addr, text), err);
	lua_settop(L, 1);
	return 1;
}

static int conn_close(lua_State *L)
{
	struct lua_conn *conn = check(L);

	tcp_finish(&conn->tcp);
	if (conn->extra)
		input_finish(&conn->extra->input);
	free(conn->extra);
	conn->extra = NULL;
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
		return push_failure(L, conn, what, err);
	lua_pushboolean(L, 1);
	return 1;
}

static int conn_shutdown(lua_State *L)
{
	static const char *const names[] = {"read", "write", "both", NULL};
	static const int hows[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};
	struct lua_conn *conn = check(L);

	return push_done(L, conn, "shutdown", rt_tcp_shutdown(&conn->tcp, hows[luaL_checkoption(L, 2, "both", names)]));
}

static int conn_local_addr(lua_State *L)
{
	struct rt_addr addr;
	int err = rt_tcp_local_addr(&check(L)->tcp, &addr);

	return lua_addr_push_result(L, vm_upvalue(L), "local_addr", err, &addr);
}

static int conn_peer_addr(lua_State *L)
{
	struct rt_addr addr;
	int err = rt_tcp_peer_addr(&check(L)->tcp, &addr);

	return lua_addr_push_result(L, vm_upvalue(L), "peer_addr", err, &addr);
}

static int conn_set_nodelay(lua_State *L)
{
	struct lua_conn *conn = check(L);

	luaL_checkany(L, 2);
	return push_done(L, conn, "set_nodelay", rt_tcp_set_nodelay(&conn->tcp, lua_toboolean(L, 2)));
}

/* set_keepalive(true | false | seconds) */
static int conn_set_keepalive(lua_State *L)
{
	enum { IDLE = 60 };
	struct lua_conn *conn = check(L);
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
	struct lua_conn *conn = check(L);
	rt_time timeout = lua_isnoneornil(L, 2) ? RT_FOREVER : vm_check_duration(L, 2);

	if (conn->tcp.watch.fd < 0)
		return vm_push_failure(L, "set_timeout", NULL, -EBADF);
	if (timeout != RT_FOREVER || conn->extra)
		need_extra(L, conn)->timeout = timeout;
	lua_pushboolean(L, 1);
	return 1;
}

static int conn_fd(lua_State *L)
{
	struct lua_conn *conn = check(L);

	if (conn->tcp.watch.fd < 0)
		return vm_push_failure(L, "fd", NULL, -EBADF);
	lua_pushinteger(L, conn->tcp.watch.fd);
	return 1;
}

static const luaL_Reg functions[] = {
	{"conn_read", conn_read},
	{"conn_read_exactly", conn_read_exactly},
	{"conn_read_until", conn_read_until},
	{"conn_read_line", conn_read_line},
	{"conn_read_all", conn_read_all},
	{"conn_write", conn_write},
	{"conn_write_more", conn_write_more},
	{"conn_write_rest", conn_write_rest},
	{"conn_wait_readable", conn_wait_readable},
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
