/* SPDX-License-Identifier: MIT */
/* The elements of channels of Lua values, and the objects of shared channels; see lua_chan.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/lua_chan.h"

#include "lua/transfer.h"

#include <errno.h>

/* What an element owns; nobody calls the others. */
static const struct rtlua_codec values = {.size = sizeof(lua_element), .drop = lua_element_drop};

/* An element that is nothing, and owns nothing. */
enum { NOTHING = 1 };

struct lua_payload lua_chan_payload(const struct lua_chan *chan, bool sends)
{
	return (struct lua_payload){chan->codec ? chan->codec : &values, sends, LUA_NOREF};
}

static int put_message(lua_State *L, int value, lua_element *element, struct lua_payload *payload)
{
	struct message *message =
		transfer_encode_loan(L, vm_upvalue(L), value, "the value", &payload->origins);

	*element = message ? (lua_element)message : NOTHING;
	return message ? 0 : -ENOTSUP;
}

int lua_chan_put(lua_State *L, int index, int value, void *element, struct lua_payload *payload)
{
	const struct lua_chan *chan = lua_touserdata(L, index);

	if (chan->codec)
		return chan->codec->pull(L, value, element);
	if (chan->shared)
		return put_message(L, value, element, payload);
	lua_getfenv(L, index);
	lua_pushvalue(L, value);
	*(lua_element *)element = element_of_index(luaL_ref(L, -2));
	lua_pop(L, 1);
	return 0;
}

static int get_message(lua_State *L, struct message *message, struct lua_payload *payload)
{
	/* Until then the message is the wait's: loading a module may take for ever. */
	int count = transfer_decode(L, vm_upvalue(L), message);

	payload->codec = NULL;
	message_destroy(message);
	return count < 0 ? -1 : 0;
}

int lua_chan_get(lua_State *L, int index, void *element, struct lua_payload *payload)
{
	const struct lua_chan *chan = lua_touserdata(L, index);

	if (chan->codec) {
		payload->codec = NULL;
		chan->codec->push(L, element);
		return 0;
	}
	lua_element value = *(lua_element *)element;

	if (element_message(value))
		return get_message(L, element_message(value), payload);
	lua_getfenv(L, index);
	lua_rawgeti(L, -1, element_index(value));
	luaL_unref(L, -2, element_index(value));
	lua_remove(L, -2);
	return 0;
}

void lua_chan_forget(lua_State *L, int index, void *element, struct lua_payload *payload)
{
	const struct lua_chan *chan = lua_touserdata(L, index);

	if (chan->codec)
		return;
	lua_element value = *(lua_element *)element;

	*(lua_element *)element = NOTHING;
	if (element_message(value)) {
		transfer_take_back(L, element_message(value), payload->origins);
		message_destroy(element_message(value));
	} else if (value != NOTHING) {
		lua_getfenv(L, index);
		luaL_unref(L, -1, element_index(value));
		lua_pop(L, 1);
	}
}

/* ---- Objects ---- */

void lua_chan_register(lua_State *L, struct vm *vm, int index, struct shared_chan *shared)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, vm->transfer.chans);
	lua_pushlightuserdata(L, shared);
	lua_pushvalue(L, index);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

/* Without taking memory. */
void lua_chan_unregister(lua_State *L, struct vm *vm, struct shared_chan *shared)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, vm->transfer.chans);
	lua_pushlightuserdata(L, shared);
	lua_rawget(L, -2);
	if (!lua_isnil(L, -1)) {
		lua_pushlightuserdata(L, shared);
		lua_pushnil(L);
		lua_rawset(L, -4);
	}
	lua_pop(L, 2);
}

void lua_chan_push_shared(lua_State *L, struct vm *vm, struct shared_chan *shared)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, vm->transfer.chans);
	lua_pushlightuserdata(L, shared);
	lua_rawget(L, -2);
	lua_remove(L, -2);
	if (!lua_isnil(L, -1)) {
		shared_chan_unref(shared); /* the object has one */
		return;
	}
	lua_pop(L, 1);
	struct lua_chan *object = vm_new(L, vm, OBJECT_CHANNEL, sizeof *object);

	lua_newtable(L);
	lua_setfenv(L, -2);
	lua_chan_register(L, vm, lua_gettop(L), shared);
	object->chan = shared->chan;
	object->shared = shared;
	shared_chan_hold(shared);
}

void lua_chan_open(lua_State *L, struct vm *vm)
{
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "v");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	vm->transfer.chans = luaL_ref(L, LUA_REGISTRYINDEX);
}
