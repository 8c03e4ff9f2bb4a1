/* SPDX-License-Identifier: MIT */
/* Listener objects. */
#ifndef RT_LUA_LISTENER_H
#define RT_LUA_LISTENER_H

#include "net/tcp.h"

struct lua_listener {
	struct rt_tcp_listener listener;
	int accepted; /* a descriptor for which there was no memory, plus one; 0: none */
	struct rt_addr peer; /* its peer */
};

#endif
