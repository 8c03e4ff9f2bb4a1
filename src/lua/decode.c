/* SPDX-License-Identifier: MIT */
/* A message into values; see transfer.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/cancelled.h"
#include "lua/lua_addr.h"
#include "lua/lua_chan.h"
#include "lua/names.h"
#include "lua/transfer.h"

#include <string.h>

struct decoder {
	struct vm *vm;
	struct message *message;
	const unsigned char *at;
	int objects; /* index of the table of those that there are, or of nil */
	uint32_t object_count;
	int pushed;
};

static uint64_t get_count(struct decoder *d)
{
	uint64_t count = 0;
	unsigned char byte;
	int shift = 0;

	do {
		byte = *d->at++;
		count |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return count;
}

static void get_bytes(struct decoder *d, void *to, size_t size)
{
	memcpy(to, d->at, size);
	d->at += size;
}

static struct message_part *get_part(struct decoder *d)
{
	return &d->message->parts[get_count(d)];
}

static double get_number(struct decoder *d)
{
	double number;

	get_bytes(d, &number, sizeof number);
	return number;
}

static void *get_pointer(struct decoder *d)
{
	void *pointer;

	get_bytes(d, &pointer, sizeof pointer);
	return pointer;
}

static void push_string(lua_State *L, struct decoder *d)
{
	size_t size = get_count(d);

	lua_pushlstring(L, (const char *)d->at, size);
	d->at += size;
}

static void push_named(lua_State *L, struct decoder *d)
{
	size_t size = get_count(d);

	/* Followed by a zero, as what comes from Lua is. */
	lua_pushlstring(L, (const char *)d->at, size);
	d->at += size;
	names_resolve(L, lua_tostring(L, -1), size);
	lua_remove(L, -2);
}

static void push_c_function(lua_State *L, struct decoder *d)
{
	lua_CFunction function;

	get_bytes(d, &function, sizeof function);
	lua_pushcfunction(L, function);
}

static void push_addr(lua_State *L, struct decoder *d)
{
	struct rt_addr addr;

	get_bytes(d, &addr, sizeof addr);
	lua_addr_push(L, d->vm, &addr);
}

static void push_integer(lua_State *L, struct decoder *d, bool is_signed)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, d->vm->transfer.integers);
	lua_pushboolean(L, is_signed);
	lua_call(L, 1, 1);
	get_bytes(d, (void *)lua_topointer(L, -1), sizeof(int64_t));
}

/* ---- Objects ---- */

static void push_object(lua_State *L, struct decoder *d)
{
	lua_rawgeti(L, d->objects, (int)get_count(d));
}

/* Numbers the new one on top of the stack. */
static void add_object(lua_State *L, struct decoder *d)
{
	if (d->object_count == 0) {
		lua_newtable(L);
		lua_replace(L, d->objects);
	}
	lua_pushvalue(L, -1);
	lua_rawseti(L, d->objects, (int)++d->object_count);
}

static void push_function(lua_State *L, struct decoder *d)
{
	struct message_part *part = get_part(d);

	get_count(d);
	code_push(L, d->vm, part->u.code);
}

static void push_chan(lua_State *L, struct decoder *d)
{
	struct message_part *part = get_part(d);

	lua_chan_push_shared(L, d->vm, part->u.chan);
	part->kind = PART_NONE;
}

static void push_socket(lua_State *L, struct decoder *d)
{
	struct message_part *part = get_part(d);

	lua_socket_push(L, d->vm, &part->u.socket);
	part->kind = PART_NONE;
}

static void push_new(lua_State *L, struct decoder *d, enum transfer_tag tag)
{
	switch (tag) {
	case TAG_TABLE:
		lua_createtable(L, (int)get_count(d), 0);
		break;
	case TAG_FUNCTION:
		push_function(L, d);
		break;
	case TAG_CHAN:
		push_chan(L, d);
		break;
	default:
		push_socket(L, d);
	}
	add_object(L, d);
}

/* ---- Values ---- */

static void push_value(lua_State *L, struct decoder *d, enum transfer_tag tag)
{
	switch (tag) {
	case TAG_NIL:
		lua_pushnil(L);
		break;
	case TAG_FALSE:
	case TAG_TRUE:
		lua_pushboolean(L, tag == TAG_TRUE);
		break;
	case TAG_NUMBER:
		lua_pushnumber(L, get_number(d));
		break;
	case TAG_STRING:
		push_string(L, d);
		break;
	case TAG_POINTER:
		lua_pushlightuserdata(L, get_pointer(d));
		break;
	case TAG_INT64:
	case TAG_UINT64:
		push_integer(L, d, tag == TAG_INT64);
		break;
	case TAG_CANCELLED:
		cancelled_push(L);
		break;
	case TAG_ADDR:
		push_addr(L, d);
		break;
	case TAG_NAME:
		push_named(L, d);
		break;
	case TAG_CFUNCTION:
		push_c_function(L, d);
		break;
	case TAG_OBJECT:
		push_object(L, d);
		break;
	default:
		push_new(L, d, tag);
	}
}

static void push_next(lua_State *L, struct decoder *d)
{
	push_value(L, d, (enum transfer_tag) * d->at++);
}

/* ---- Contents ---- */

static void fill_table(lua_State *L, struct decoder *d, int table)
{
	size_t size = get_count(d);

	for (size_t i = 1; i <= size; i++) {
		push_next(L, d);
		lua_rawseti(L, table, (int)i);
	}
	while (*d->at != TAG_END) {
		push_next(L, d);
		push_next(L, d);
		lua_rawset(L, table);
	}
	d->at++;
}

static void join_upvalue(lua_State *L, struct decoder *d, int function, int upvalue)
{
	lua_rawgeti(L, d->objects, (int)get_count(d));
	lua_upvaluejoin(L, function, upvalue, lua_gettop(L), (int)get_count(d));
	lua_pop(L, 1);
}

static void fill_upvalues(lua_State *L, struct decoder *d, int function)
{
	for (int i = 1; lua_getupvalue(L, function, i); i++) {
		lua_pop(L, 1);
		if (*d->at == TAG_UPVALUE) {
			d->at++;
			join_upvalue(L, d, function, i);
		} else {
			push_next(L, d);
			lua_setupvalue(L, function, i);
		}
	}
}

static void fill_object(lua_State *L, struct decoder *d, uint32_t number)
{
	lua_rawgeti(L, d->objects, (int)number);
	int index = lua_gettop(L);

	luaL_checkstack(L, 16, "not enough memory");
	if (lua_istable(L, index))
		fill_table(L, d, index);
	else if (lua_isfunction(L, index))
		fill_upvalues(L, d, index);
	lua_pop(L, 1);
}

/* ---- The whole ---- */

/* (decoder) -> the values */
static int decode(lua_State *L)
{
	struct decoder *d = lua_touserdata(L, 1);
	int count = (int)get_count(d);

	luaL_checkstack(L, count + 16, "too many values");
	lua_pushnil(L);
	d->objects = 2;
	for (int i = 0; i < count; i++)
		push_next(L, d);
	for (uint32_t i = 1; i <= d->object_count; i++)
		fill_object(L, d, i);
	return d->pushed = count;
}

int transfer_decode(lua_State *L, struct vm *vm, struct message *message)
{
	struct decoder d = {.vm = vm, .message = message, .at = message->data};

	luaL_checkstack(L, 8, "not enough memory");
	lua_rawgeti(L, LUA_REGISTRYINDEX, vm->transfer.decode);
	lua_pushlightuserdata(L, &d);
	return lua_pcall(L, 1, LUA_MULTRET, 0) == 0 ? d.pushed : -1;
}

void decode_open(lua_State *L, struct vm *vm)
{
	lua_pushcfunction(L, decode);
	vm->transfer.decode = luaL_ref(L, LUA_REGISTRYINDEX);
}
