/* SPDX-License-Identifier: MIT */
/*
 * Channel objects: a channel of Lua values, or a host's channel and its codec.
 *
 * Lua values lie in the environment table of their channel's userdata, and an element is an
 * index there, an int. So a channel that is dropped takes them along, even if they refer to it.
 */
#ifndef RT_LUA_CHAN_H
#define RT_LUA_CHAN_H

#include "lua/vm.h"
#include "sync/chan.h"

#include <rtlua.h>

struct lua_chan {
	struct rt_chan *chan;
	const struct rtlua_codec *codec; /* NULL: of Lua values, which it owns */
};

/* All take the indices of the channel's userdata and, if any, of the value in L. Do not suspend. */

/* Makes an element of a value. 0, or what the codec's pull() gave. */
int lua_chan_put(lua_State *L, int index, int value, void *element);

/* Pushes the value of a received element. */
void lua_chan_get(lua_State *L, int index, void *element);

/* Forgets an element that has not been sent, unless it is a codec's. */
void lua_chan_forget(lua_State *L, int index, const void *element);

/* Pushes nil, message, code; returns 3. Raises rt.cancelled. */
int lua_chan_push_send_failure(lua_State *L, int err);
int lua_chan_push_recv_failure(lua_State *L, int err);

#endif
