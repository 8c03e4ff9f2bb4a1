/* SPDX-License-Identifier: MIT */
/* rt.core: select over channels, tasks and events; see lua/rt/select.lua. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/libs.h"
#include "lua/lua_chan.h"
#include "lua/lua_wait.h"
#include "lua/transfer.h"

#include "sync/event.h"
#include "sync/select.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/*
 * What a select works with is a table of its own, since the program's may change while
 * it waits: the object of case i at i, the value to send at count + i. On the stack:
 */
enum { CASES = 1, OBJECTS = 2 };

static int bad_case(lua_State *L, int index, const char *expected)
{
	return vm_error(L, "bad case #%d to 'select' (%s expected, got %s)", index, expected,
			luaL_typename(L, -1));
}

/* ---- Reading the program's table ---- */

static bool is_object(lua_State *L, struct vm *vm)
{
	return vm_test(L, vm, -1, OBJECT_CHANNEL) || vm_test(L, vm, -1, OBJECT_TASK) ||
	       vm_test(L, vm, -1, OBJECT_EVENT);
}

/* A case {channel, value}, on top of the stack. */
static void note_send(lua_State *L, struct vm *vm, int index, int count)
{
	lua_rawgeti(L, -1, 1);
	if (!vm_test(L, vm, -1, OBJECT_CHANNEL))
		bad_case(L, index, "channel, {channel, value}, task or event");
	lua_rawseti(L, OBJECTS, index);
	lua_rawgeti(L, -1, 2);
	if (lua_isnil(L, -1))
		bad_case(L, index, "value to send");
	lua_rawseti(L, OBJECTS, count + index);
	lua_pop(L, 1);
}

static void note_case(lua_State *L, struct vm *vm, int index, int count)
{
	lua_rawgeti(L, CASES, index);
	if (is_object(L, vm))
		lua_rawseti(L, OBJECTS, index);
	else if (lua_istable(L, -1))
		note_send(L, vm, index, count);
	else
		bad_case(L, index, "channel, task or event");
}

static bool is_index(lua_State *L, int count)
{
	double key = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;

	return key >= 1 && key <= count && key == (double)(int)key;
}

static bool is_timeout(lua_State *L)
{
	return lua_type(L, -2) == LUA_TSTRING && strcmp(lua_tostring(L, -2), "timeout") == 0;
}

/* Anything else is a case after a hole, or misspelt. */
static void check_keys(lua_State *L, int count)
{
	lua_pushnil(L);
	while (lua_next(L, CASES)) {
		if (!is_index(L, count) && !is_timeout(L)) {
			if (lua_type(L, -2) != LUA_TSTRING) {
				lua_pushnil(L);
				bad_case(L, count + 1, "channel, task or event");
			}
			vm_error(L, "bad option '%s' to 'select'", lua_tostring(L, -2));
		}
		lua_pop(L, 1);
	}
}

static rt_time check_timeout(lua_State *L)
{
	lua_pushliteral(L, "timeout");
	lua_rawget(L, CASES);
	if (!lua_isnil(L, -1) && (!lua_isnumber(L, -1) || lua_tonumber(L, -1) != lua_tonumber(L, -1)))
		vm_error(L, "bad timeout to 'select' (number expected, got %s)",
			 lua_isnumber(L, -1) ? "NaN" : luaL_typename(L, -1));
	rt_time timeout = lua_isnil(L, -1) ? RT_FOREVER : vm_check_duration(L, -1);

	lua_pop(L, 1);
	return timeout;
}

/* ---- Filling in the cases ---- */

static size_t largest_element(lua_State *L, struct vm *vm, int count)
{
	size_t largest = 0;

	for (int i = 1; i <= count; i++) {
		lua_rawgeti(L, OBJECTS, i);
		const struct lua_chan *chan = vm_test(L, vm, -1, OBJECT_CHANNEL);

		if (chan && chan->chan->element_size > largest)
			largest = chan->chan->element_size;
		lua_pop(L, 1);
	}
	return largest;
}

/* The channel and the value are on top of the stack. */
static int fill_chan(lua_State *L, struct lua_wait *wait, struct lua_chan *chan)
{
	struct sync_case *sync_case = &wait->cases[wait->count];
	void *element = lua_wait_element(wait, wait->count);
	struct lua_payload *payload = &wait->payloads[wait->count];
	bool sends = !lua_isnil(L, -1);
	int top = lua_gettop(L);

	*payload = lua_chan_payload(chan, sends);
	if (!sends)
		return chan_recv_case(sync_case, chan->chan, element);
	int err = lua_chan_put(L, top - 1, top, element, payload);

	return err < 0 ? err : chan_send_case(sync_case, chan->chan, element);
}

static int fill_case(lua_State *L, struct vm *vm, struct lua_wait *wait)
{
	struct sync_case *sync_case = &wait->cases[wait->count];
	void *object = lua_touserdata(L, -2);

	wait->payloads[wait->count] = (struct lua_payload){NULL, false, LUA_NOREF};
	if (vm_test(L, vm, -2, OBJECT_CHANNEL))
		return fill_chan(L, wait, object);
	if (vm_test(L, vm, -2, OBJECT_EVENT))
		return event_wait_case(sync_case, *(struct rt_event **)object);
	struct lua_task *target = object;

	return task_end_case(sync_case, &target->task, &lua_task_current()->task);
}

/* Those that have not been sent are Lua's again. */
static void forget_unsent(lua_State *L, int objects, struct lua_wait *wait)
{
	for (unsigned i = 0; i < wait->count; i++) {
		bool happened = wait->wait.result == 0 && wait->wait.chosen == i;
		struct lua_payload *payload = &wait->payloads[i];

		if (payload->sends && !happened) {
			lua_rawgeti(L, objects, (int)i + 1);
			lua_chan_forget(L, lua_gettop(L), lua_wait_element(wait, i), payload);
			lua_pop(L, 1);
		}
		transfer_settle(L, &payload->origins);
	}
}

/* The case's object and value are on top of the stack. */
static void refuse_case(lua_State *L, struct vm *vm, struct lua_wait *wait, int err)
{
	int index = (int)wait->count + 1;

	forget_unsent(L, OBJECTS, wait);
	lua_wait_release(vm, wait);
	if (err == -EDEADLK)
		vm_error(L, "bad case #%d to 'select' (a task cannot wait for its own end)", index);
	if (err == -ENOTSUP)
		vm_raise(L, "select");
	if (err != -EINVAL)
		vm_error(L, "not enough memory");
	bad_case(L, index, ((struct lua_chan *)lua_touserdata(L, -2))->codec->expects);
}

static void fill(lua_State *L, struct vm *vm, struct lua_wait *wait, int count)
{
	for (int i = 1; i <= count; i++) {
		lua_rawgeti(L, OBJECTS, i);
		lua_rawgeti(L, OBJECTS, count + i);
		int err = fill_case(L, vm, wait);

		if (err < 0)
			refuse_case(L, vm, wait, err);
		wait->count++;
		lua_pop(L, 2);
	}
}

/* Whether the value of that case was meant for a channel that a later case's value has shared. */
static bool is_outdated(lua_State *L, struct vm *vm, struct lua_wait *wait, int index)
{
	const struct lua_chan *chan = vm_test(L, vm, -2, OBJECT_CHANNEL);

	return chan && chan->shared && wait->payloads[index].sends &&
	       !element_message(*(lua_element *)lua_wait_element(wait, (unsigned)index));
}

static bool refill(lua_State *L, struct vm *vm, struct lua_wait *wait, int count)
{
	bool found = false;

	for (int i = 0; i < count; i++) {
		lua_rawgeti(L, OBJECTS, i + 1);
		lua_rawgeti(L, OBJECTS, count + i + 1);
		if (is_outdated(L, vm, wait, i)) {
			void *element = lua_wait_element(wait, (unsigned)i);
			int top = lua_gettop(L);

			struct lua_payload *payload = &wait->payloads[i];

			lua_chan_forget(L, top - 1, element, payload);
			found = true;
			int err = lua_chan_put(L, top - 1, top, element, payload);

			if (err < 0)
				refuse_case(L, vm, wait, err);
		}
		lua_pop(L, 2);
	}
	return found;
}

/* select_begin(cases) -> handle, objects */
static int select_begin(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);

	if (!lua_istable(L, CASES))
		return vm_type_error(L, CASES, "table");
	size_t length = lua_objlen(L, CASES);
	int count = length < INT_MAX / 2 ? (int)length : 0;
	rt_time timeout = check_timeout(L);

	check_keys(L, count);
	if (count == 0 && timeout == RT_FOREVER)
		return vm_error(L, "bad argument #1 to 'select' (no cases and no timeout)");
	lua_settop(L, CASES);
	lua_createtable(L, count, 0);
	for (int i = 1; i <= count; i++)
		note_case(L, vm, i, count);
	lua_task_running(L, vm, "select");
	struct lua_wait *wait = lua_wait_acquire(L, vm, (unsigned)count, largest_element(L, vm, count));

	fill(L, vm, wait, count);
	while (refill(L, vm, wait, count))
		;
	if (timeout != RT_FOREVER)
		wait->deadline = vm_in(timeout);
	lua_pushlightuserdata(L, wait);
	lua_insert(L, OBJECTS);
	return 2;
}

/* ---- Results ---- */

/* The channel is on top of the stack. */
static int push_chan_result(lua_State *L, struct lua_wait *wait, int result)
{
	struct lua_payload *payload = &wait->payloads[wait->wait.chosen];
	int chan = lua_gettop(L);

	lua_pushboolean(L, 0);
	lua_pushinteger(L, (lua_Integer)wait->wait.chosen + 1);
	if (result < 0)
		return 2 +
		       (payload->sends ? lua_chan_push_send_failure : lua_chan_push_recv_failure)(L, result);
	if (payload->sends) {
		lua_pushboolean(L, 1);
		return 3;
	}
	int err = lua_chan_get(L, chan, lua_wait_element(wait, wait->wait.chosen), payload);

	return err < 0 ? err : 3;
}

static int push_chosen(lua_State *L, struct vm *vm, struct lua_wait *wait, int result)
{
	int index = (int)wait->wait.chosen + 1;

	lua_rawgeti(L, 1, index);
	if (vm_test(L, vm, -1, OBJECT_CHANNEL))
		return push_chan_result(L, wait, result);
	if (vm_test(L, vm, -1, OBJECT_TASK)) {
		lua_pushinteger(L, index);
		return 2;
	}
	lua_pushboolean(L, 0);
	lua_pushinteger(L, index);
	lua_pushboolean(L, 1);
	return 3;
}

/*
 * select_end(objects, handle, [nil, reason]) -> task, index if a task has ended, whose results
 * are for the Lua half to give; or else false, index or nil, values...
 */
static int select_end(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);
	int result, pushed;
	struct lua_wait *wait = lua_wait_ended(L, &result);
	bool happened = wait->wait.result != WAIT_PENDING;

	forget_unsent(L, 1, wait);
	if (happened)
		pushed = push_chosen(L, vm, wait, result);
	lua_wait_release(vm, wait);
	if (happened)
		return pushed < 0 ? lua_error(L) : pushed;
	lua_pushboolean(L, 0);
	return 1 + lua_wait_push_failure(L, "select", result);
}

static const luaL_Reg functions[] = {
	{"select_begin", select_begin},
	{"select_end", select_end},
	{NULL, NULL},
};

void lib_select_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
}
