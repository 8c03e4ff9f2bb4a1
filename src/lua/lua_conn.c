/* SPDX-License-Identifier: MIT */
/* Connection objects; see lua_conn.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/lua_conn.h"

#include <errno.h>
#include <stdlib.h>

struct lua_conn *lua_conn_push(lua_State *L, struct vm *vm)
{
	struct lua_conn *conn = vm_new(L, vm, OBJECT_CONN, sizeof *conn);

	conn->tcp.watch.fd = -1;
	return conn;
}

struct lua_conn *lua_conn_check(lua_State *L)
{
	return vm_check(L, vm_upvalue(L), 1, OBJECT_CONN);
}

struct conn_extra *lua_conn_extra(lua_State *L, struct lua_conn *conn)
{
	if (!conn_extra(conn)) {
		conn->tcp.u.extra = calloc(1, sizeof(struct conn_extra));
		if (!conn_extra(conn))
			vm_error(L, "not enough memory");
		conn_extra(conn)->timeout = RT_FOREVER;
	}
	return conn_extra(conn);
}

int lua_conn_failure(lua_State *L, struct lua_conn *conn, const char *what, int err)
{
	char text[RT_ADDR_TEXT_MAX];
	struct rt_addr peer;
	const char *subject = NULL;

	if (err != -EBADF && rt_tcp_peer_addr(&conn->tcp, &peer) == 0)
		subject = rt_addr_text(&peer, text);
	return vm_push_failure(L, what, subject, err);
}

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

int lua_conn_wait(lua_State *L, struct lua_conn *conn, int direction)
{
	struct conn_extra *extra = conn_extra(conn);
	rt_time deadline = RT_FOREVER;

	if (extra)
		deadline = deadline_of(extra,
				       direction == RT_READ ? &extra->read_deadline : &extra->write_deadline);
	return lua_watch_wait(L, vm_upvalue(L), &conn->tcp.watch, direction, deadline);
}

void lua_conn_end_read(struct lua_conn *conn)
{
	if (conn_extra(conn))
		conn_extra(conn)->read_deadline = RT_NOW;
}

void lua_conn_end_write(struct lua_conn *conn)
{
	if (!conn_extra(conn))
		return;
	conn_extra(conn)->write_deadline = RT_NOW;
	conn_extra(conn)->writing = false;
}
