/* SPDX-License-Identifier: MIT */
/* Where a value that cannot be sent was found, in words; see encoder.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/encoder.h"

/* Of a path through tables so many steps are shown, the last ones. */
enum { STEPS = 8 };

/* Puts "[key]" in front of the text on top of the stack. key: an absolute index. */
static void add_step(lua_State *L, int key)
{
	switch (lua_type(L, key)) {
	case LUA_TSTRING:
		lua_pushfstring(L, "['%s']", lua_tostring(L, key));
		break;
	case LUA_TNUMBER:
		lua_pushfstring(L, "[%f]", lua_tonumber(L, key));
		break;
	default:
		lua_pushfstring(L, "[a %s]", luaL_typename(L, key));
	}
	lua_insert(L, -2);
	lua_concat(L, 2);
}

/* The same for the place in table where value is. All are absolute indices. */
static void add_place(lua_State *L, int table, int value)
{
	int text = lua_gettop(L);

	lua_pushnil(L);
	while (lua_next(L, table)) {
		bool is_key = lua_rawequal(L, -2, value);

		if (is_key || lua_rawequal(L, -1, value)) {
			lua_pop(L, 1);
			lua_pushvalue(L, text);
			if (is_key) {
				lua_pushliteral(L, "[a key]");
				lua_insert(L, -2);
				lua_concat(L, 2);
			} else {
				add_step(L, text + 1);
			}
			lua_replace(L, text);
			lua_settop(L, text);
			return;
		}
		lua_pop(L, 1);
	}
}

/* The name of the upvalue of function that is value, or of the current one. */
static const char *upvalue_name(lua_State *L, int function, int value)
{
	const char *name;

	for (int i = 1; (name = lua_getupvalue(L, function, i)); i++) {
		bool found = lua_rawequal(L, -1, value);

		lua_pop(L, 1);
		if (found)
			return name;
	}
	return "?";
}

/* Turns the path on top of the stack into "upvalue 'name'path of the function at x.lua:12". */
static void finish_with_function(lua_State *L, int function, int value)
{
	lua_Debug ar;

	lua_pushvalue(L, function);
	lua_getinfo(L, ">S", &ar);
	lua_pushfstring(L, "upvalue '%s'%s of the function at %s:%d", upvalue_name(L, function, value),
			lua_tostring(L, -1), ar.short_src, ar.linedefined);
	lua_remove(L, -2);
}

/* Which of the values sent that is, if it is no longer the current one. */
static int value_number(lua_State *L, const struct encoder *e, int value)
{
	for (int i = 1; e->object > 0 && i <= e->count; i++) {
		if (lua_rawequal(L, e->values + i - 1, value))
			return i;
	}
	return e->value;
}

static void finish_with_value(lua_State *L, const struct encoder *e, int value)
{
	if (e->chan)
		lua_pushliteral(L, "a value in the channel");
	else
		lua_pushfstring(L, e->root, value_number(L, e, value));
	lua_insert(L, -2);
	lua_concat(L, 2);
}

/* Pushes where the value at index is, which was found in the contents of the current object. */
static void push_place(lua_State *L, const struct encoder *e, int index)
{
	uint32_t object = e->object;
	int value = lua_gettop(L) + 1;

	lua_pushvalue(L, index);
	lua_pushliteral(L, "");
	for (int steps = 0; object > 0; steps++, object = e->parents[object]) {
		lua_rawgeti(L, e->seen, (int)object);
		lua_insert(L, -2);
		if (lua_isfunction(L, value + 1)) {
			finish_with_function(L, value + 1, value);
			lua_remove(L, value + 1);
			lua_remove(L, value);
			return;
		}
		if (steps < STEPS)
			add_place(L, value + 1, value);
		lua_remove(L, value);
	}
	finish_with_value(L, e, value);
	lua_remove(L, value);
}

int encoder_refuse(lua_State *L, struct encoder *e, int index, const char *what)
{
	lua_checkstack(L, 16);
	lua_pushstring(L, what);
	push_place(L, e, index);
	lua_insert(L, -2);
	lua_pushliteral(L, ": ");
	lua_insert(L, -2);
	lua_pushliteral(L, " cannot be sent");
	lua_concat(L, 4);
	return lua_error(L);
}
