/* SPDX-License-Identifier: MIT */
/* Compiled functions between VMs; see code.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/code.h"

#include "lua/transfer.h"

#include <stdlib.h>
#include <string.h>

/* Factories that a VM keeps; when there are more it starts anew. */
enum { FACTORIES_KEPT = 1024 };

void code_unref(struct code *code)
{
	if (__atomic_sub_fetch(&code->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(code);
}

static struct code *ref(struct code *code)
{
	__atomic_add_fetch(&code->refs, 1, __ATOMIC_RELAXED);
	return code;
}

/* ---- Dumping ---- */

struct dump {
	char *data;
	size_t size, capacity;
};

static int write(lua_State *L, const void *data, size_t size, void *arg)
{
	struct dump *dump = arg;

	(void)L;
	if (dump->capacity - dump->size < size) {
		size_t capacity = (dump->capacity + size) * 2;
		char *larger = realloc(dump->data, capacity);

		if (!larger)
			return 1;
		dump->data = larger;
		dump->capacity = capacity;
	}
	memcpy(dump->data + dump->size, data, size);
	dump->size += size;
	return 0;
}

/* "local u1,u2=... return function() return u1,u2 end" */
static int load_template(lua_State *L, int upvalues)
{
	luaL_Buffer buffer;
	int top = lua_gettop(L);

	lua_pushliteral(L, "");
	for (int i = 1; i <= upvalues; i++) {
		lua_pushfstring(L, i == 1 ? "%su%d" : "%s,u%d", lua_tostring(L, -1), i);
		lua_replace(L, top + 1);
	}
	luaL_buffinit(L, &buffer);
	if (upvalues > 0) {
		lua_pushfstring(L, "local %s=... ", lua_tostring(L, top + 1));
		luaL_addvalue(&buffer);
	}
	lua_pushfstring(L, "return function() return %s end", lua_tostring(L, top + 1));
	luaL_addvalue(&buffer);
	luaL_pushresult(&buffer);
	return luaL_loadstring(L, lua_tostring(L, -1));
}

static int count_upvalues(lua_State *L, int index)
{
	int count = 0;

	while (lua_getupvalue(L, index, count + 1)) {
		lua_pop(L, 1);
		count++;
	}
	return count;
}

static struct code *plain(const struct dump *dump)
{
	struct code *code = malloc(sizeof *code + dump->size);

	if (!code)
		return NULL;
	*code = (struct code){.size = dump->size};
	memcpy(code->bytes, dump->data, dump->size);
	return code;
}

static struct code *compile(lua_State *L, int index)
{
	static unsigned long serial; /* atomic */
	struct dump dump = {0}, template = {0};
	struct code *code = NULL;
	int top = lua_gettop(L);
	bool found = load_template(L, count_upvalues(L, index)) == 0 && lua_dump(L, write, &template) == 0;

	lua_settop(L, top);
	lua_pushvalue(L, index);
	if (lua_dump(L, write, &dump) == 0) {
		if (found)
			code = code_factory(dump.data, dump.size, template.data, template.size);
		if (!code)
			code = plain(&dump);
	}
	lua_settop(L, top);
	free(dump.data);
	free(template.data);
	if (code) {
		code->refs = 1;
		code->serial = (double)__atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED);
	}
	return code;
}

/* ---- The sender's cache: by closure and by what closures have in common, both weak ---- */

/* Pushes what all closures of the function at index have in common, or the closure. */
static void push_prototype(lua_State *L, struct vm *vm, int index)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, vm->transfer.funcinfo);
	if (lua_isfunction(L, -1)) {
		lua_pushvalue(L, index);
		lua_call(L, 1, 1);
		lua_getfield(L, -1, "proto");
		lua_remove(L, -2);
	}
	if (!lua_isnil(L, -1))
		return;
	lua_pop(L, 1);
	lua_pushvalue(L, index);
}

/* The code that the cache on top of the stack has for the key below it, or NULL. */
static struct code *look_up(lua_State *L)
{
	lua_pushvalue(L, -2);
	lua_rawget(L, -2);
	struct code **box = lua_touserdata(L, -1);

	lua_pop(L, 1);
	return box ? *box : NULL;
}

static int collect(lua_State *L)
{
	struct code **box = lua_touserdata(L, 1);

	if (*box)
		code_unref(*box);
	*box = NULL;
	return 0;
}

/* Pushes a box for a code. */
static struct code **push_box(lua_State *L)
{
	struct code **box = lua_newuserdata(L, sizeof *box);

	*box = NULL;
	if (luaL_newmetatable(L, "rt.code")) {
		lua_pushcfunction(L, collect);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return box;
}

struct code *code_of(lua_State *L, struct vm *vm, int index)
{
	int top = lua_gettop(L);
	struct code *code;

	push_prototype(L, vm, index);
	lua_rawgeti(L, LUA_REGISTRYINDEX, vm->transfer.codes);
	code = look_up(L);
	if (!code) {
		struct code **box = push_box(L);

		code = *box = compile(L, index);
		if (code) {
			lua_pushvalue(L, top + 1);
			lua_insert(L, -2);
			lua_rawset(L, top + 2);
		}
	}
	lua_settop(L, top);
	return code ? ref(code) : NULL;
}

/* ---- The receiver's cache ---- */

static void load(lua_State *L, const struct code *code)
{
	if (luaL_loadbuffer(L, code->bytes, code->size, "=?") != 0)
		lua_error(L);
}

static void keep(lua_State *L, struct vm *vm, double serial)
{
	if (++vm->transfer.factory_count > FACTORIES_KEPT) {
		lua_newtable(L);
		lua_rawseti(L, LUA_REGISTRYINDEX, vm->transfer.factories);
		vm->transfer.factory_count = 1;
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, vm->transfer.factories);
	lua_pushnumber(L, serial);
	lua_pushvalue(L, -3);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

void code_push(lua_State *L, struct vm *vm, const struct code *code)
{
	if (!code->factory) {
		load(L, code);
		return;
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, vm->transfer.factories);
	lua_pushnumber(L, code->serial);
	lua_rawget(L, -2);
	lua_remove(L, -2);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		load(L, code);
		keep(L, vm, code->serial);
	}
	lua_call(L, 0, 1);
}

/* ---- Setting up ---- */

static int new_weak_table(lua_State *L)
{
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "k");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	return luaL_ref(L, LUA_REGISTRYINDEX);
}

/* jit.util, which tells closures of one function from others, is built in but need not be loaded. */
static void find_funcinfo(lua_State *L, struct vm *vm)
{
	lua_getglobal(L, "require");
	lua_pushliteral(L, "jit.util");
	if (lua_pcall(L, 1, 1, 0) == 0 && lua_istable(L, -1))
		lua_getfield(L, -1, "funcinfo");
	else
		lua_pushnil(L);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_pushboolean(L, 0);
	}
	vm->transfer.funcinfo = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_pop(L, 1);
}

void code_open(lua_State *L, struct vm *vm)
{
	vm->transfer.codes = new_weak_table(L);
	lua_newtable(L);
	vm->transfer.factories = luaL_ref(L, LUA_REGISTRYINDEX);
	find_funcinfo(L, vm);
}
