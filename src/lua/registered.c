/* SPDX-License-Identifier: MIT */
/* Registered C functions; see registered.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/registered.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct registration {
	const char *name;
	lua_CFunction fn;
	int err;
};

/* (registration), protected */
static int add_function(lua_State *L)
{
	struct registration *registration = lua_touserdata(L, 1);
	const char *dot = strrchr(registration->name, '.');

	luaL_findtable(L, LUA_REGISTRYINDEX, "_LOADED", 1);
	lua_pushlstring(L, registration->name, (size_t)(dot - registration->name));
	lua_pushvalue(L, -1);
	lua_rawget(L, -3);
	if (!lua_istable(L, -1)) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -2);
		lua_rawset(L, -5);
	}
	lua_getfield(L, -1, dot + 1);
	if (!lua_isnil(L, -1)) {
		registration->err = -EEXIST;
		return 0;
	}
	lua_pop(L, 1);
	lua_pushcfunction(L, registration->fn);
	lua_setfield(L, -2, dot + 1);
	return 0;
}

/* Other threads may be reading the list. */
static void link_in(struct vm *vm, struct registered *added)
{
	if (vm->runtime)
		rt_runtime_lock(vm->runtime);
	added->next = vm->registered;
	vm->registered = added;
	if (vm->runtime)
		rt_runtime_unlock(vm->runtime);
}

int registered_add(lua_State *L, struct vm *vm, const char *name, lua_CFunction fn)
{
	struct registration registration = {name, fn, 0};
	const char *dot = name ? strrchr(name, '.') : NULL;

	if (!fn || !dot || dot == name || !dot[1])
		return -EINVAL;
	struct registered *added = malloc(sizeof *added + strlen(name) + 1);

	if (!added) {
		lua_pushliteral(L, "not enough memory");
		return -ENOMEM;
	}
	int status = lua_cpcall(L, add_function, &registration);

	if (status != 0 || registration.err < 0) {
		free(added);
		return status != 0 ? -ENOMEM : registration.err;
	}
	added->fn = fn;
	strcpy(added->name, name);
	link_in(vm, added);
	return 0;
}

void registered_copy(lua_State *L, const struct vm *vm)
{
	rt_runtime_lock(vm->runtime);
	const struct registered *each = vm->registered;

	rt_runtime_unlock(vm->runtime);
	for (; each; each = each->next) {
		struct registration registration = {each->name, each->fn, 0};

		lua_pushcfunction(L, add_function);
		lua_pushlightuserdata(L, &registration);
		lua_call(L, 1, 0);
	}
}

void registered_free(struct vm *vm)
{
	struct registered *each;

	while ((each = vm->registered)) {
		vm->registered = each->next;
		free(each);
	}
}
