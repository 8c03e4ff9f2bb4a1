/* SPDX-License-Identifier: MIT */
/* Carriers: fibers with large stacks that run Lua coroutines. */
#ifndef RT_LUA_CARRIER_H
#define RT_LUA_CARRIER_H

#include "lua/lua_task.h"

enum { CARRIERS_KEPT = 4 };
/*
 * LuaJIT does not bound its use of the C stack: recursion through gsub, with 8 KiB for each
 * level, takes some 70 MiB until the Lua stack is full. Reserved, committed as it is
 * touched. No multiple of 2 MiB, which Linux would align: each guard shares a page of page
 * tables with the top of the stack below it.
 */
#define CARRIER_STACK (((size_t)96 << 20) - ((size_t)64 << 10))

/* More than one C function takes at once: gsub has a buffer of two pages, which would step over one. */
#define CARRIER_GUARD ((size_t)64 << 10)

struct carrier {
	struct fiber fiber;
	struct vm *vm;
	struct lua_task *task; /* NULL: idle */
	lua_State *state; /* the coroutine that waits on it; NULL: none does, or nobody knows */
	struct carrier *next; /* idle */
};

/*
 * Runs work(task) on a carrier, or goes on where carrier_park() left. work() gives the carrier back
 * (task->carrier), and the task that is to go on on it, which has none; NULL: none is.
 * On the scheduler's stack. Returns 0, or -ENOMEM when there is no carrier to be had.
 */
int carrier_run(struct lua_task *task, struct lua_task *(*work)(struct lua_task *task));

/* Leaves the stack of the running task's carrier, which stays the task's. */
void carrier_park(struct lua_task *task);

/* The coroutine that was running when the task parked its carrier, or NULL. */
lua_State *carrier_state(const struct lua_task *task);

/* Gives the stack of a task that will never be resumed back, unless it is pinned. */
void carrier_abandon(struct lua_task *task);

/* Frees idle carriers, keeping so many. */
void carriers_trim(struct vm *vm, size_t keep);

#endif
