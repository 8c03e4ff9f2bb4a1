/* SPDX-License-Identifier: MIT */
/* The C functions that a host has registered, for its job VMs as well. */
#ifndef RT_LUA_REGISTERED_H
#define RT_LUA_REGISTERED_H

#include "lua/vm.h"

struct registered {
	struct registered *next;
	lua_CFunction fn;
	char name[]; /* "app.fetch" */
};

/* 0, -EINVAL for a name without a module, -EEXIST, or -ENOMEM with the error on top of the stack. */
int registered_add(lua_State *L, struct vm *vm, const char *name, lua_CFunction fn);

/* Registers in L what vm has. Raises. */
void registered_copy(lua_State *L, const struct vm *vm);

void registered_free(struct vm *vm);

#endif
