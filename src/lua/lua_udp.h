/* SPDX-License-Identifier: MIT */
/* UDP socket objects. */
#ifndef RT_LUA_UDP_H
#define RT_LUA_UDP_H

#include "net/udp.h"

struct lua_udp {
	struct rt_udp udp;
	rt_time timeout; /* of one operation */
};

#endif
