/* SPDX-License-Identifier: MIT */
/* Making and closing a lua_State; see state.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/state.h"

#include "lua/embed.h"
#include "platform/heap.h"
#include "platform/sanitizer.h"

#include <errno.h>
#include <lualib.h>
#include <stdio.h>
#if HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

static int set_up(lua_State *L)
{
	struct state *state = lua_touserdata(L, 1);

	luaL_openlibs(L);
	state->vm = vm_create(L, state->name);
	embed_open(L, state->vm);
	/* The library's require(), which two tasks may be in at once, takes the place of the stock one. */
	lua_getglobal(L, "require");
	lua_pushliteral(L, "rt");
	lua_call(L, 1, 0);
	return 0;
}

static int panic(lua_State *L)
{
	fprintf(stderr, "PANIC: unprotected error in call to Lua API (%s)\n", lua_tostring(L, -1));
	return 0;
}

/*
 * A LuaJIT with 32-bit references takes no allocator but its own. That one is also what the tools
 * that watch memory have learnt to live with.
 */
static lua_State *new_state(struct state *state)
{
#ifdef SANITIZER_ADDRESS
	return luaL_newstate();
#endif
	state->heap = RUNNING_ON_VALGRIND ? NULL : heap_create();
	lua_State *L = state->heap ? lua_newstate(heap_allocate, state->heap) : NULL;

	if (L) {
		lua_atpanic(L, panic);
		return L;
	}
	heap_destroy(state->heap);
	state->heap = NULL;
	return luaL_newstate();
}

static void *allocate(void *arg, void *object, size_t old_size, size_t new_size)
{
	struct budget *budget = arg;

	if (new_size > old_size && new_size - old_size > budget->limit - budget->used)
		return NULL;
	void *moved = budget->allocate(budget->arg, object, old_size, new_size);

	if (moved || new_size == 0)
		budget->used += new_size - old_size;
	return moved;
}

static void restrict_memory(struct state *state, size_t limit)
{
	struct budget *budget = &state->budget;

	if (limit == 0)
		return;
	budget->allocate = lua_getallocf(state->L, &budget->arg);
	budget->used = (size_t)lua_gc(state->L, LUA_GCCOUNT, 0) * 1024;
	budget->limit = limit > budget->used ? limit : budget->used;
	lua_setallocf(state->L, allocate, budget);
}

int state_open(struct state *state, const char *name, size_t limit)
{
	*state = (struct state){.name = name};
	state->L = new_state(state);
	if (!state->L)
		return -ENOMEM;
	restrict_memory(state, limit);
	if (lua_cpcall(state->L, set_up, state) == 0)
		return 0;
	if (limit == 0)
		fprintf(stderr, "%s: %s\n", name, lua_tostring(state->L, -1));
	return -ENOMEM;
}

void state_close(struct state *state)
{
	if (!state->L)
		return;
	/* LuaJIT knows its own allocator by its address. */
	if (state->budget.allocate)
		lua_setallocf(state->L, state->budget.allocate, state->budget.arg);
	lua_close(state->L);
	heap_destroy(state->heap);
	*state = (struct state){0};
}
