/* SPDX-License-Identifier: MIT */
/*
 * Handing sockets over: what a connection, a listener or a UDP socket is while no VM has it. The
 * object that it came from is closed, the one that it becomes is registered anew.
 */
#ifndef RT_LUA_SOCKET_H
#define RT_LUA_SOCKET_H

#include "lua/vm.h"

#include <rt/net.h>

struct conn_extra;

struct lua_socket {
	enum object_kind kind;
	int fd; /* -1: closed */
	struct conn_extra *extra; /* of a connection: what it has read ahead, its timeout; or NULL */
	rt_time timeout; /* of a UDP socket */
	int accepted; /* of a listener: a descriptor that it has accepted already, plus one; or 0 */
	struct rt_addr peer; /* its peer */
};

/* What keeps the object, which is of that kind, from being handed over: "a closed %s", ...; or NULL. */
const char *lua_socket_obstacle(const void *object, enum object_kind kind);

/* Takes the socket out of an object for which there is no obstacle, which is then closed. Not locked. */
void lua_socket_take(void *object, enum object_kind kind, struct lua_socket *socket);

/* Back into the object that it was taken out of. */
void lua_socket_put_back(void *object, struct lua_socket *socket);

/* Pushes a new object with the socket, which is the object's from then on. May raise a lack of memory. */
void lua_socket_push(lua_State *L, struct vm *vm, struct lua_socket *socket);

void lua_socket_close(struct lua_socket *socket);

#endif
