/* SPDX-License-Identifier: MIT */
/* rt.core: channels; see lua_chan.h. lua/rt/sync.lua has their methods that wait. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/lua_chan.h"

#include "lua/libs.h"
#include "lua/lua_wait.h"
#include "lua/transfer.h"

#include <errno.h>

static struct lua_chan *check(lua_State *L)
{
	return vm_check(L, vm_upvalue(L), 1, OBJECT_CHANNEL);
}

/* ---- Making ---- */

static void push(lua_State *L, struct vm *vm, struct rt_chan *chan, const struct rtlua_codec *codec)
{
	struct lua_chan *object = vm_new(L, vm, OBJECT_CHANNEL, sizeof *object);

	object->chan = chan;
	object->codec = codec;
}

/* channel([capacity]) */
static int chan_new(lua_State *L)
{
	const double most = 2147483648.0;
	struct vm *vm = vm_upvalue(L);
	double capacity = lua_isnoneornil(L, 1) ? 0 : vm_check_number(L, 1);

	if (!(capacity >= 0 && capacity <= most) || capacity != (double)(size_t)capacity)
		return vm_arg_error(L, 1, "capacity: an integer from 0 to 2^31 expected");
	push(L, vm, NULL, NULL);
	lua_newtable(L);
	lua_setfenv(L, -2);
	struct lua_chan *object = lua_touserdata(L, -1);

	if (rt_chan_create(&object->chan, sizeof(lua_element), (size_t)capacity) < 0)
		return vm_error(L, "not enough memory");
	rt_chan_set_drop(object->chan, lua_element_drop, NULL);
	return 1;
}

int rtlua_push_chan(lua_State *L, struct rt_chan *chan, const struct rtlua_codec *codec)
{
	if (!chan || !codec || chan->element_size != codec->size)
		return -EINVAL;
	push(L, vm_of(L), chan, codec);
	return 0;
}

static int chan_collect(lua_State *L)
{
	struct lua_chan *chan = check(L);

	if (chan->shared)
		shared_chan_release(chan->shared);
	else if (!chan->codec)
		rt_chan_destroy(chan->chan);
	vm_forget(L);
	return 0;
}

/* ---- Sending ---- */

int lua_chan_push_send_failure(lua_State *L, int err)
{
	if (err != -EPIPE)
		return lua_wait_push_failure(L, "send", err);
	lua_pushnil(L);
	lua_pushliteral(L, "closed");
	lua_pushliteral(L, "EPIPE");
	return 3;
}

static int refuse_value(lua_State *L, const struct lua_chan *chan, int err)
{
	if (err == -EINVAL)
		return vm_type_error(L, 2, chan->codec->expects);
	if (err == -ENOTSUP)
		return vm_raise(L, "send");
	return vm_error(L, "not enough memory");
}

/* A wait to send the value at index 2. */
static struct lua_wait *acquire_send(lua_State *L, struct lua_chan *chan)
{
	if (lua_isnoneornil(L, 2))
		vm_type_error(L, 2, "value");
	struct vm *vm = vm_upvalue(L);
	struct lua_wait *wait = lua_wait_acquire(L, vm, 1, chan->chan->element_size);

	*wait->payloads = lua_chan_payload(chan, true);
	int err = lua_chan_put(L, 1, 2, lua_wait_element(wait, 0), wait->payloads);

	if (err < 0) {
		lua_wait_release(vm, wait);
		refuse_value(L, chan, err);
	}
	chan_send_case(wait->cases, chan->chan, lua_wait_element(wait, 0));
	wait->count = 1;
	return wait;
}

static int end_send(lua_State *L, struct lua_wait *wait, int result)
{
	if (result < 0)
		lua_chan_forget(L, 1, lua_wait_element(wait, 0), wait->payloads);
	transfer_settle(L, &wait->payloads->origins);
	lua_wait_release(vm_upvalue(L), wait);
	if (result < 0)
		return lua_chan_push_send_failure(L, result);
	lua_pushboolean(L, 1);
	return 1;
}

/* send_begin(chan, value[, timeout]) -> handle | nil, true | nil, nil, message, code */
static int send_begin(lua_State *L)
{
	struct lua_chan *chan = check(L);
	rt_time timeout = lua_wait_check(L, vm_upvalue(L), "send", 3);
	struct lua_wait *wait = acquire_send(L, chan);
	int result;

	if (!lua_wait_try(L, wait, timeout, &result))
		return 1;
	lua_pushnil(L);
	return 1 + end_send(L, wait, result);
}

/* send_end(chan, handle, [nil, reason]) -> true | nil, message, code */
static int send_end(lua_State *L)
{
	int result;
	struct lua_wait *wait = lua_wait_ended(L, &result);

	return end_send(L, wait, result);
}

/* ---- Receiving ---- */

int lua_chan_push_recv_failure(lua_State *L, int err)
{
	if (err != -EPIPE)
		return lua_wait_push_failure(L, "recv", err);
	lua_pushnil(L);
	lua_pushliteral(L, "closed");
	lua_pushliteral(L, "EOF");
	return 3;
}

static int end_recv(lua_State *L, struct lua_wait *wait, int result)
{
	int err = result == 0 ? lua_chan_get(L, 1, lua_wait_element(wait, 0), wait->payloads) : 0;

	lua_wait_release(vm_upvalue(L), wait);
	if (err < 0)
		return lua_error(L);
	return result == 0 ? 1 : lua_chan_push_recv_failure(L, result);
}

static struct lua_wait *acquire_recv(lua_State *L, struct lua_chan *chan)
{
	struct lua_wait *wait = lua_wait_acquire(L, vm_upvalue(L), 1, chan->chan->element_size);

	chan_recv_case(wait->cases, chan->chan, lua_wait_element(wait, 0));
	*wait->payloads = lua_chan_payload(chan, false);
	wait->count = 1;
	return wait;
}

/* recv_begin(chan[, timeout]) -> handle | nil, value | nil, nil, message, code */
static int recv_begin(lua_State *L)
{
	struct lua_chan *chan = check(L);
	rt_time timeout = lua_wait_check(L, vm_upvalue(L), "recv", 2);
	struct lua_wait *wait = acquire_recv(L, chan);
	int result;

	if (!lua_wait_try(L, wait, timeout, &result))
		return 1;
	lua_pushnil(L);
	return 1 + end_recv(L, wait, result);
}

/* recv_end(chan, handle, [nil, reason]) -> value | nil, message, code */
static int recv_end(lua_State *L)
{
	int result;
	struct lua_wait *wait = lua_wait_ended(L, &result);

	return end_recv(L, wait, result);
}

/* ---- Methods that never wait ---- */

/* try_send(value) -> true | nil, message, code */
static int chan_try_send(lua_State *L)
{
	struct lua_chan *chan = check(L);
	struct lua_wait *wait = acquire_send(L, chan);

	wait->wait.result = rt_chan_try_send(chan->chan, lua_wait_element(wait, 0));
	return end_send(L, wait, wait->wait.result);
}

/* try_recv() -> value | nil, message, code */
static int chan_try_recv(lua_State *L)
{
	struct lua_chan *chan = check(L);
	struct lua_wait *wait = acquire_recv(L, chan);

	wait->wait.result = rt_chan_try_recv(chan->chan, lua_wait_element(wait, 0));
	return end_recv(L, wait, wait->wait.result);
}

/* close() -> true | nil, "closed", "EALREADY" */
static int chan_close(lua_State *L)
{
	if (rt_chan_close(check(L)->chan) == 0) {
		lua_pushboolean(L, 1);
		return 1;
	}
	lua_pushnil(L);
	lua_pushliteral(L, "closed");
	lua_pushliteral(L, "EALREADY");
	return 3;
}

/* count() -> how many values it holds */
static int chan_count(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)rt_chan_count(check(L)->chan));
	return 1;
}

/* capacity() -> how many it can hold */
static int chan_capacity(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)rt_chan_capacity(check(L)->chan));
	return 1;
}

static int chan_text(lua_State *L)
{
	const struct rt_chan *chan = check(L)->chan;

	lua_pushfstring(L, "channel (%f of %f%s)", (lua_Number)chan->count, (lua_Number)chan->capacity,
			chan->closed ? ", closed" : "");
	return 1;
}

static const luaL_Reg functions[] = {
	{"channel", chan_new},      {"send_begin", send_begin}, {"send_end", send_end},
	{"recv_begin", recv_begin}, {"recv_end", recv_end},     {NULL, NULL},
};

static const luaL_Reg methods[] = {
	{"try_send", chan_try_send}, {"try_recv", chan_try_recv}, {"close", chan_close},
	{"count", chan_count},       {"capacity", chan_capacity}, {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
	{"__gc", chan_collect},
	{"__tostring", chan_text},
	{NULL, NULL},
};

void lib_chan_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
	vm_set_class(L, vm, OBJECT_CHANNEL, "Channel", metamethods, methods);
}
