/* SPDX-License-Identifier: MIT */
/*
 * Values into a message; see transfer.h.
 *
 * Objects get numbers as they are found, and their contents are written in that order, after the
 * values: no recursion, however deep a table is, and sharing and circles come by themselves.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/encoder.h"

#include "lua/cancelled.h"
#include "lua/lua_addr.h"
#include "lua/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TYPE_CDATA = 10, UPVALUES_MAX = 256 };

static const char no_memory[] = "not enough memory";

static void must(lua_State *L, bool done)
{
	if (!done)
		luaL_error(L, no_memory);
}

static void put_tag(lua_State *L, struct encoder *e, enum transfer_tag tag)
{
	must(L, message_put_byte(e->message, (unsigned char)tag));
}

static void put_count(lua_State *L, struct encoder *e, uint64_t count)
{
	must(L, message_put_count(e->message, count));
}

static void put_bytes(lua_State *L, struct encoder *e, enum transfer_tag tag, const void *data, size_t size)
{
	put_tag(L, e, tag);
	must(L, message_put(e->message, data, size));
}

static void put_string(lua_State *L, struct encoder *e, enum transfer_tag tag, int index)
{
	size_t size;
	const char *text = lua_tolstring(L, index, &size);

	put_tag(L, e, tag);
	put_count(L, e, size);
	must(L, message_put(e->message, text, size));
}

/* ---- Objects and their numbers ---- */

static bool put_seen(lua_State *L, struct encoder *e, int index)
{
	if (lua_isnil(L, e->seen))
		return false;
	lua_pushvalue(L, index);
	lua_rawget(L, e->seen);
	double number = lua_tonumber(L, -1);

	lua_pop(L, 1);
	if (number == 0)
		return false;
	put_tag(L, e, TAG_OBJECT);
	put_count(L, e, (uint64_t)number);
	return true;
}

static void note_parent(lua_State *L, struct encoder *e)
{
	if (e->object_count >= e->parent_capacity) {
		uint32_t capacity = e->parent_capacity * 2 + 16;
		uint32_t *parents = realloc(e->parents, capacity * sizeof *parents);

		must(L, parents);
		e->parents = parents;
		e->parent_capacity = capacity;
	}
	e->parents[e->object_count] = e->object;
}

static void add_object(lua_State *L, struct encoder *e, int index)
{
	if (e->object_count == 0) {
		lua_newtable(L);
		lua_replace(L, e->seen);
	}
	e->object_count++;
	note_parent(L, e);
	lua_pushvalue(L, index);
	lua_pushinteger(L, (lua_Integer)e->object_count);
	lua_rawset(L, e->seen);
	lua_pushvalue(L, index);
	lua_rawseti(L, e->seen, (int)e->object_count);
}

static bool put_name(lua_State *L, struct encoder *e, int index)
{
	if (!names_find(L, e->vm, index))
		return false;
	put_string(L, e, TAG_NAME, -1);
	lua_pop(L, 1);
	return true;
}

/* ---- Values ---- */

static void put_table(lua_State *L, struct encoder *e, int index)
{
	if (put_seen(L, e, index) || put_name(L, e, index))
		return;
	if (cancelled_is(L, index)) {
		put_tag(L, e, TAG_CANCELLED);
		return;
	}
	if (lua_getmetatable(L, index)) {
		lua_pop(L, 1);
		encoder_refuse(L, e, index, "a table with a metatable");
	}
	put_tag(L, e, TAG_TABLE);
	put_count(L, e, lua_objlen(L, index));
	add_object(L, e, index);
}

static void put_c_function(lua_State *L, struct encoder *e, int index)
{
	lua_CFunction function = lua_tocfunction(L, index);

	if (!function || lua_getupvalue(L, index, 1))
		encoder_refuse(L, e, index, "a C function");
	put_bytes(L, e, TAG_CFUNCTION, &function, sizeof function);
}

static int upvalue_count(lua_State *L, int index)
{
	lua_Debug ar;

	lua_pushvalue(L, index);
	lua_getinfo(L, ">u", &ar);
	return ar.nups;
}

static void put_function(lua_State *L, struct encoder *e, int index)
{
	if (put_seen(L, e, index) || put_name(L, e, index))
		return;
	if (lua_iscfunction(L, index)) {
		put_c_function(L, e, index);
		return;
	}
	int part = message_add_part(e->message);

	must(L, part >= 0);
	struct code *code = code_of(L, e->vm, index);

	must(L, code);
	e->message->parts[part] = (struct message_part){.kind = PART_CODE, .u.code = code};
	put_tag(L, e, TAG_FUNCTION);
	put_count(L, e, (uint64_t)part);
	put_count(L, e, (uint64_t)upvalue_count(L, index));
	add_object(L, e, index);
}

static enum object_kind kind_of(lua_State *L, struct encoder *e, int index)
{
	int kind = 0;

	while (kind < OBJECT_KINDS && !vm_test(L, e->vm, index, kind))
		kind++;
	return kind;
}

static void put_object(lua_State *L, struct encoder *e, int index, enum transfer_tag tag, unsigned part)
{
	put_tag(L, e, tag);
	put_count(L, e, part);
	add_object(L, e, index);
}

static void put_userdata(lua_State *L, struct encoder *e, int index)
{
	enum object_kind kind = kind_of(L, e, index);

	if (put_seen(L, e, index) || put_name(L, e, index))
		return;
	switch (kind) {
	case OBJECT_ADDR:
		put_bytes(L, e, TAG_ADDR, lua_touserdata(L, index), sizeof(struct rt_addr));
		break;
	case OBJECT_CHANNEL:
		put_object(L, e, index, TAG_CHAN, moves_add_chan(L, e, index));
		break;
	case OBJECT_CONN:
	case OBJECT_LISTENER:
	case OBJECT_UDP:
		put_object(L, e, index, TAG_SOCKET, moves_add_socket(L, e, index, kind));
		break;
	default:
		encoder_refuse(L, e, index, kind == OBJECT_KINDS ? "userdata" : vm_kind_name(kind));
	}
}

/* The type of a cdata is only known to the FFI: int64_t and uint64_t go, as numbers do. */
static void put_cdata(lua_State *L, struct encoder *e, int index)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, e->vm->transfer.integers);
	lua_pushvalue(L, index);
	if (lua_isnil(L, -2) || lua_pcall(L, 1, 1, 0) != 0 || !lua_isboolean(L, -1))
		encoder_refuse(L, e, index, "cdata");
	bool is_signed = lua_toboolean(L, -1);

	lua_pop(L, 1);
	put_bytes(L, e, is_signed ? TAG_INT64 : TAG_UINT64, lua_topointer(L, index), sizeof(int64_t));
}

/* index: an absolute one. */
static void put_value(lua_State *L, struct encoder *e, int index)
{
	switch (lua_type(L, index)) {
	case LUA_TNIL:
		put_tag(L, e, TAG_NIL);
		break;
	case LUA_TBOOLEAN:
		put_tag(L, e, lua_toboolean(L, index) ? TAG_TRUE : TAG_FALSE);
		break;
	case LUA_TNUMBER:
		put_bytes(L, e, TAG_NUMBER, &(double){lua_tonumber(L, index)}, sizeof(double));
		break;
	case LUA_TSTRING:
		put_string(L, e, TAG_STRING, index);
		break;
	case LUA_TLIGHTUSERDATA:
		put_bytes(L, e, TAG_POINTER, &(void *){lua_touserdata(L, index)}, sizeof(void *));
		break;
	case LUA_TTABLE:
		put_table(L, e, index);
		break;
	case LUA_TFUNCTION:
		put_function(L, e, index);
		break;
	case LUA_TUSERDATA:
		put_userdata(L, e, index);
		break;
	case TYPE_CDATA:
		put_cdata(L, e, index);
		break;
	default:
		encoder_refuse(L, e, index,
			       lua_type(L, index) == LUA_TTHREAD ? "coroutine" : luaL_typename(L, index));
	}
}

/* ---- Contents of objects ---- */

static bool in_array(lua_State *L, int index, size_t size)
{
	double key = lua_type(L, index) == LUA_TNUMBER ? lua_tonumber(L, index) : 0;

	return key >= 1 && key <= (double)size && key == (double)(size_t)key;
}

static void put_table_contents(lua_State *L, struct encoder *e, int table)
{
	size_t size = lua_objlen(L, table);

	put_count(L, e, size);
	for (size_t i = 1; i <= size; i++) {
		lua_rawgeti(L, table, (int)i);
		put_value(L, e, table + 1);
		lua_pop(L, 1);
	}
	lua_pushnil(L);
	while (lua_next(L, table)) {
		if (!in_array(L, table + 1, size)) {
			put_value(L, e, table + 1);
			put_value(L, e, table + 2);
		}
		lua_pop(L, 1);
	}
	put_tag(L, e, TAG_END);
}

/* Whether it is one of another function too, which has been written. Else it is noted for the others. */
static bool put_known_upvalue(lua_State *L, struct encoder *e, int function)
{
	lua_pushlightuserdata(L, lua_upvalueid(L, function, e->upvalue));
	lua_pushvalue(L, -1);
	lua_rawget(L, e->seen);
	uint64_t known = (uint64_t)lua_tonumber(L, -1);

	lua_pop(L, 1);
	if (known == 0) {
		lua_pushnumber(L, (double)e->object * UPVALUES_MAX + e->upvalue);
		lua_rawset(L, e->seen);
		return false;
	}
	lua_pop(L, 1);
	put_tag(L, e, TAG_UPVALUE);
	put_count(L, e, known / UPVALUES_MAX);
	put_count(L, e, known % UPVALUES_MAX);
	return true;
}

static void put_upvalues(lua_State *L, struct encoder *e, int function)
{
	for (e->upvalue = 1; lua_getupvalue(L, function, e->upvalue); e->upvalue++) {
		if (!put_known_upvalue(L, e, function))
			put_value(L, e, function + 1);
		lua_pop(L, 1);
	}
}

static void put_contents(lua_State *L, struct encoder *e)
{
	lua_rawgeti(L, e->seen, (int)e->object);
	int index = lua_gettop(L);

	luaL_checkstack(L, 16, no_memory);
	if (lua_istable(L, index))
		put_table_contents(L, e, index);
	else if (lua_isfunction(L, index))
		put_upvalues(L, e, index);
	lua_pop(L, 1);
}

static bool needs_names(lua_State *L, int first, int count)
{
	for (int i = first; i < first + count; i++) {
		int type = lua_type(L, i);

		if (type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA)
			return true;
	}
	return false;
}

/* Writes a message of values on the stack into e->message. */
static void put_message(lua_State *L, struct encoder *e, int first, int count)
{
	int top = lua_gettop(L);

	if (needs_names(L, first, count))
		names_refresh(L, e->vm);
	lua_pushnil(L);
	e->seen = top + 1;
	e->object = e->object_count = 0;
	put_count(L, e, (uint64_t)count);
	for (e->value = 1; e->value <= count; e->value++)
		put_value(L, e, first + e->value - 1);
	while (e->object < e->object_count) {
		e->object++;
		put_contents(L, e);
	}
	lua_settop(L, top);
}

/* ---- Channels that become shared, with what is in them ---- */

static struct message *begin_message(lua_State *L, struct encoder *e)
{
	e->message = message_create();
	must(L, e->message);
	return e->message;
}

static void put_element(lua_State *L, struct encoder *e, size_t chan, lua_element element)
{
	struct message *message = begin_message(L, e);
	struct chan_move *move = &e->moves.chans[chan];

	move->messages[move->count++] = message;
	/* Its table is that of the object, which is in the table of channels at index 2. */
	lua_rawgeti(L, 2, (int)chan + 1);
	lua_getfenv(L, -1);
	lua_rawgeti(L, -1, element_index(element));
	e->chan = (int)chan + 1;
	put_message(L, e, lua_gettop(L), 1);
	lua_pop(L, 3);
}

static size_t count_senders(const struct rt_chan *chan)
{
	const struct rt_waiter *first = chan->senders, *waiter = first;
	size_t count = 0;

	if (first)
		do
			count++;
		while ((waiter = waiter->next) != first);
	return count;
}

static void put_elements(lua_State *L, struct encoder *e, size_t index)
{
	struct rt_chan *chan = e->moves.chans[index].object->chan;
	size_t senders = count_senders(chan);
	struct rt_waiter *sender = chan->senders;

	if (chan->count + senders == 0)
		return;
	e->moves.chans[index].messages = calloc(chan->count + senders, sizeof(struct message *));
	must(L, e->moves.chans[index].messages);
	for (size_t i = 0; i < chan->count; i++)
		put_element(L, e, index, *(lua_element *)chan_element(chan, i));
	for (; senders > 0; senders--, sender = sender->next)
		put_element(L, e, index, *(lua_element *)sync_first(sender)->element);
}

/* ---- The whole ---- */

/* (encoder, nil: for a table of channels, values...), protected */
static int encode(lua_State *L)
{
	struct encoder *e = lua_touserdata(L, 1);

	luaL_checkstack(L, 16, no_memory);
	e->first = begin_message(L, e);
	e->values = 3;
	put_message(L, e, e->values, e->count);
	for (size_t i = 0; i < e->moves.chan_count; i++)
		put_elements(L, e, i);
	if (e->loan && e->moves.socket_count > 0) {
		lua_pushvalue(L, 2);
		e->origins = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	if (!e->check)
		moves_commit(L, &e->moves);
	return 0;
}

static struct message *run(lua_State *L, struct encoder *e, int first)
{
	luaL_checkstack(L, e->count + 8, no_memory);
	lua_rawgeti(L, LUA_REGISTRYINDEX, e->vm->transfer.encode);
	lua_pushlightuserdata(L, e);
	lua_pushnil(L);
	for (int i = 0; i < e->count; i++)
		lua_pushvalue(L, first + i);
	int status = lua_pcall(L, e->count + 2, 0, 0);

	free(e->parents);
	if (status == 0 && !e->check)
		return e->first;
	message_destroy(e->first);
	moves_abandon(L, e->vm, &e->moves);
	if (status == 0)
		lua_pushboolean(L, 0);
	return NULL;
}

struct message *transfer_encode(lua_State *L, struct vm *vm, int first, int count, const char *root,
				bool check)
{
	struct encoder e = {.vm = vm, .count = count, .root = root, .check = check};

	return run(L, &e, first);
}

struct message *transfer_encode_loan(lua_State *L, struct vm *vm, int index, const char *root, int *origins)
{
	struct encoder e = {.vm = vm, .count = 1, .root = root, .loan = true, .origins = LUA_NOREF};
	struct message *message = run(L, &e, index);

	*origins = message ? e.origins : LUA_NOREF;
	return message;
}

void transfer_take_back(lua_State *L, struct message *message, int origins)
{
	int number = 0;

	if (origins == LUA_NOREF)
		return;
	lua_rawgeti(L, LUA_REGISTRYINDEX, origins);
	for (unsigned i = 0; i < message->part_count; i++) {
		struct message_part *part = &message->parts[i];

		if (part->kind != PART_SOCKET)
			continue;
		lua_rawgeti(L, -1, --number);
		lua_socket_put_back(lua_touserdata(L, -1), &part->u.socket);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

void transfer_settle(lua_State *L, int *origins)
{
	luaL_unref(L, LUA_REGISTRYINDEX, *origins);
	*origins = LUA_NOREF;
}

/* ---- Setting up ---- */

/* true for int64_t, false for uint64_t, nil for the rest; or a new one of either. */
static const char integers[] =
	"local ok, ffi = pcall(require, 'ffi') if not ok then return nil end "
	"local signed, unsigned = ffi.typeof('int64_t'), ffi.typeof('uint64_t') "
	"return function(value) "
	"if value == true then return signed() elseif value == false then return unsigned() end "
	"if ffi.istype(signed, value) then return true end "
	"if ffi.istype(unsigned, value) then return false end "
	"end";

void transfer_open(lua_State *L, struct vm *vm)
{
	if (vm->transfer.open)
		return;
	code_open(L, vm);
	names_open(L, vm);
	lua_pushcfunction(L, encode);
	vm->transfer.encode = luaL_ref(L, LUA_REGISTRYINDEX);
	decode_open(L, vm);
	lua_chan_open(L, vm);
	if (luaL_loadbuffer(L, integers, sizeof integers - 1, "=rt/integers") != 0)
		lua_error(L);
	lua_call(L, 0, 1);
	vm->transfer.integers = luaL_ref(L, LUA_REGISTRYINDEX);
	vm->transfer.open = true;
}
