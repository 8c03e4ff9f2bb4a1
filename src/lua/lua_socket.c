/* SPDX-License-Identifier: MIT */
/* Handing sockets over; see lua_socket.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/lua_socket.h"

#include "lua/lua_conn.h"
#include "lua/lua_listener.h"
#include "lua/lua_udp.h"

#include <stdlib.h>
#include <unistd.h>

/* All three kinds of objects begin with their socket, and that with its watch. */
static struct rt_watch *watch_of(const void *object)
{
	_Static_assert(offsetof(struct lua_conn, tcp.watch) == 0, "the watch comes first");
	_Static_assert(offsetof(struct lua_listener, listener.watch) == 0, "the watch comes first");
	_Static_assert(offsetof(struct lua_udp, udp.watch) == 0, "the watch comes first");
	return (struct rt_watch *)object;
}

static bool is_waited_on(const struct rt_watch *watch)
{
	struct rt_runtime *runtime = self_lock();
	bool waited = watch->reader || watch->writer;

	self_unlock(runtime);
	return waited;
}

static bool is_writing(const void *object, enum object_kind kind)
{
	const struct conn_extra *extra = kind == OBJECT_CONN ? conn_extra(object) : NULL;

	return extra && extra->writing;
}

const char *lua_socket_obstacle(const void *object, enum object_kind kind)
{
	const struct rt_watch *watch = watch_of(object);

	if (watch->fd < 0)
		return "a closed %s";
	return is_waited_on(watch) || is_writing(object, kind) ? "a %s that a task is waiting on" : NULL;
}

static void take_rest(void *object, struct lua_socket *socket)
{
	struct lua_listener *listener = object;
	struct lua_conn *conn = object;

	switch (socket->kind) {
	case OBJECT_CONN:
		socket->extra = conn_extra(conn);
		conn->tcp.u.extra = NULL;
		break;
	case OBJECT_LISTENER:
		socket->accepted = listener->accepted;
		socket->peer = listener->peer;
		listener->accepted = 0;
		break;
	default:
		socket->timeout = ((struct lua_udp *)object)->timeout;
	}
}

void lua_socket_take(void *object, enum object_kind kind, struct lua_socket *socket)
{
	struct rt_watch *watch = watch_of(object);

	*socket = (struct lua_socket){.kind = kind, .fd = watch->fd};
	watch_finish(watch);
	watch->fd = -1;
	take_rest(object, socket);
}

static void fill_conn(struct lua_conn *conn, struct lua_socket *socket)
{
	tcp_init(&conn->tcp, socket->fd);
	conn->tcp.u.extra = socket->extra;
}

static void fill_listener(struct lua_listener *listener, struct lua_socket *socket)
{
	watch_init(&listener->listener.watch, socket->fd);
	listener->accepted = socket->accepted;
	listener->peer = socket->peer;
}

static void fill_udp(struct lua_udp *udp, struct lua_socket *socket)
{
	watch_init(&udp->udp.watch, socket->fd);
	udp->timeout = socket->timeout;
}

void lua_socket_put_back(void *object, struct lua_socket *socket)
{
	switch (socket->kind) {
	case OBJECT_CONN:
		fill_conn(object, socket);
		break;
	case OBJECT_LISTENER:
		fill_listener(object, socket);
		break;
	default:
		fill_udp(object, socket);
	}
	socket->fd = -1;
}

void lua_socket_push(lua_State *L, struct vm *vm, struct lua_socket *socket)
{
	switch (socket->kind) {
	case OBJECT_CONN:
		fill_conn(lua_conn_push(L, vm), socket);
		break;
	case OBJECT_LISTENER:
		fill_listener(vm_new(L, vm, OBJECT_LISTENER, sizeof(struct lua_listener)), socket);
		break;
	default:
		fill_udp(vm_new(L, vm, OBJECT_UDP, sizeof(struct lua_udp)), socket);
	}
	socket->fd = -1;
}

void lua_socket_close(struct lua_socket *socket)
{
	if (socket->fd < 0)
		return;
	close(socket->fd);
	if (socket->accepted > 0)
		close(socket->accepted - 1);
	if (socket->extra)
		input_finish(&socket->extra->input);
	free(socket->extra);
	socket->fd = -1;
}
