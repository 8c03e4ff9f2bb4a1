/* SPDX-License-Identifier: MIT */
/* A lua_State with its memory, the standard libraries and ours; its VM is started by the caller. */
#ifndef RT_LUA_STATE_H
#define RT_LUA_STATE_H

#include "lua/vm.h"

/* How much memory a state may use: put between it and its allocator. */
struct budget {
	lua_Alloc allocate;
	void *arg;
	size_t used, limit; /* bytes */
};

struct state {
	lua_State *L; /* NULL: closed */
	struct heap *heap; /* NULL: LuaJIT's own */
	struct vm *vm;
	const char *name;
	struct budget budget;
};

/*
 * limit: bytes, 0: none. name is kept as a pointer. 0, or -ENOMEM: what went wrong is printed, unless it
 * has a limit.
 */
int state_open(struct state *state, const char *name, size_t limit);

/* The VM must have been stopped. Harmless if it is closed. */
void state_close(struct state *state);

#endif
