/* SPDX-License-Identifier: MIT */
/* The Lua modules of the library, compiled and linked in, and rt.core, their C half. */
#ifndef RT_LUA_EMBED_H
#define RT_LUA_EMBED_H

#include "lua/vm.h"

struct embedded_module {
	const char *name; /* "rt.net" */
	const unsigned char *code; /* bytecode */
	size_t size;
};

/* Generated; ended by a NULL name. */
extern const struct embedded_module embedded_modules[];

/* Puts all of them into package.preload. RT_LUA_DIR in the environment: loads the files there instead. */
void embed_open(lua_State *L, struct vm *vm);

#endif
