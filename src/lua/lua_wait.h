/* SPDX-License-Identifier: MIT */
/*
 * The storage of waits of src/sync by Lua tasks: a task that waits with its carrier given
 * back has no C stack to keep the cases on.
 *
 * A wait goes in three steps, each a call from the Lua half, so that whatever runs in
 * between (a debug hook, say, that waits itself) finds nothing half done:
 *
 *	 begin: fills in the cases, tries; done, or else gives the storage as a handle
 *	 sync_wait: publishes the wait and suspends
 *	 end: turns the result into values, releases the storage
 */
#ifndef RT_LUA_WAIT_H
#define RT_LUA_WAIT_H

#include "lua/lua_task.h"
#include "sync/sync_wait.h"

#include <rtlua.h>

/* What lua_wait_release() must know of a case. */
struct lua_payload {
	const struct rtlua_codec *codec; /* of the element; NULL: none that owns something */
	bool sends;
	int origins; /* see transfer.h; LUA_NOREF: none */
};

struct lua_wait {
	struct lua_wait *next;
	struct lua_wait **link; /* what points here, while it is in use */
	rt_time deadline;
	unsigned count; /* of cases, all filled in */
	unsigned capacity;
	size_t stride; /* from element to element */
	struct sync_wait wait;
	struct sync_case *cases;
	struct lua_payload *payloads;
	_Alignas(max_align_t) unsigned char elements[];
};

/*
 * The start of a begin function: the timeout at that index in seconds, nil is RT_FOREVER. Raises
 * when it is none, and, naming function, outside of a task that can wait. Does not suspend.
 */
rt_time lua_wait_check(lua_State *L, struct vm *vm, const char *function, int timeout);

/*
 * Storage for capacity cases with an element each, none filled in, without a deadline. Raises
 * without memory. Does not suspend.
 */
struct lua_wait *lua_wait_acquire(lua_State *L, struct vm *vm, unsigned capacity, size_t element_size);

/* Gives it back, and drops what the elements own: unsent, or received and not taken. Does not suspend. */
void lua_wait_release(struct vm *vm, struct lua_wait *wait);

/* Frees all, those of abandoned tasks too. Part of stopping and of freeing the VM. Does not suspend. */
void lua_wait_free_all(struct vm *vm);

/* Where the element of a case is. Does not suspend. */
static inline void *lua_wait_element(struct lua_wait *wait, unsigned index)
{
	return wait->elements + index * wait->stride;
}

/*
 * For a wait of one case: the end of a begin function. Tries, unless the task has used up
 * its budget: true, and the result, or false: pushes the handle. Does not suspend.
 */
bool lua_wait_try(lua_State *L, struct lua_wait *wait, rt_time timeout, int *result);

/* The handle at index 2, and the result, given what sync_wait() gave from index 3 on. Does not suspend. */
struct lua_wait *lua_wait_ended(lua_State *L, int *result);

/*
 * Pushes nil, message, code for what has not happened; returns 3. Raises rt.cancelled for
 * -ECANCELED. what: "send". Does not suspend.
 */
int lua_wait_push_failure(lua_State *L, const char *what, int err);

#endif
