/* SPDX-License-Identifier: MIT */
/*
 * Channel objects: a channel of Lua values, or a host's channel and its codec.
 *
 * Lua values lie in the environment table of their channel's userdata, and an element is an
 * index there. So a channel that is dropped takes them along, even if they refer to it. Once the channel
 * is shared with another VM, elements are messages. Both are told apart by the element itself:
 * see shared_chan.h.
 */
#ifndef RT_LUA_CHAN_H
#define RT_LUA_CHAN_H

#include "lua/lua_wait.h"
#include "lua/shared_chan.h"
#include "lua/vm.h"

#include <rtlua.h>

struct lua_chan {
	struct rt_chan *chan;
	const struct rtlua_codec *codec; /* NULL: of Lua values, which it owns */
	struct shared_chan *shared; /* NULL: this VM alone has it, or a host */
};

/* All take the indices of the channel's userdata and, if any, of the value in L. */

/* What a wait with an element of that channel must know. Does not suspend. */
struct lua_payload lua_chan_payload(const struct lua_chan *chan, bool sends);

/*
 * Makes an element of a value. 0, what the codec's pull() gave, -ENOMEM, or, with a text pushed, -ENOTSUP:
 * it cannot go to another VM. Does not suspend.
 */
int lua_chan_put(lua_State *L, int index, int value, void *element, struct lua_payload *payload);

/*
 * Pushes the value of a received element, which the payload does not own any more: 0; or an error: -1.
 * Suspends if the element is a message that makes this VM load a module.
 */
int lua_chan_get(lua_State *L, int index, void *element, struct lua_payload *payload);

/* Forgets an element that has not been sent, unless it is a codec's; sockets come back. Does not suspend. */
void lua_chan_forget(lua_State *L, int index, void *element, struct lua_payload *payload);

/* The object at index is this VM's for the shared channel; it is none. Does not suspend. */
void lua_chan_register(lua_State *L, struct vm *vm, int index, struct shared_chan *shared);
void lua_chan_unregister(lua_State *L, struct vm *vm, struct shared_chan *shared);

/* Pushes this VM's object for it, which takes over a reference. May raise a lack of memory. */
void lua_chan_push_shared(lua_State *L, struct vm *vm, struct shared_chan *shared);

/* Pushes nil, message, code; returns 3. Raises rt.cancelled. */
int lua_chan_push_send_failure(lua_State *L, int err);
int lua_chan_push_recv_failure(lua_State *L, int err);

/* Part of transfer_open(). */
void lua_chan_open(lua_State *L, struct vm *vm);

#endif
