/* SPDX-License-Identifier: MIT */
/*
 * Compiled Lua functions on their way between VMs. A VM dumps each of its functions once and another VM
 * loads it once, however often it is sent with other upvalues: what is loaded is a factory, a chunk that
 * makes a new closure of the function, which shares its bytecode and what has been compiled of it.
 */
#ifndef RT_LUA_CODE_H
#define RT_LUA_CODE_H

#include "lua/vm.h"

struct code {
	unsigned refs; /* atomic */
	double serial; /* no other one of the process ever has it */
	bool factory; /* calling the chunk gives the function; else it is the function */
	size_t size;
	char bytes[];
};

/*
 * The code of the Lua function at index, with a reference for the caller; NULL without memory. May raise
 * a lack of memory itself.
 */
struct code *code_of(lua_State *L, struct vm *vm, int index);

/* Pushes a new closure, all of its upvalues new and nil. May raise. */
void code_push(lua_State *L, struct vm *vm, const struct code *code);

/* Any thread. */
void code_unref(struct code *code);

/* Part of transfer_open(). */
void code_open(lua_State *L, struct vm *vm);

/*
 * Rewrites a dumped function into its factory, in memory from malloc(). template is the dump of a chunk
 * whose only function has as many upvalues as the dumped one, its own locals. NULL: no memory, or not
 * the format that this knows.
 */
struct code *code_factory(const char *dump, size_t size, const char *template, size_t template_size);

#endif
