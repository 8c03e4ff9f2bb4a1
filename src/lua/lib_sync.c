/* SPDX-License-Identifier: MIT */
/* rt.core: mutexes, semaphores, events, wait groups. lua/rt/sync.lua has their methods that wait. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/libs.h"
#include "lua/lua_wait.h"

#include "sync/event.h"
#include "sync/mutex.h"
#include "sync/semaphore.h"
#include "sync/wait_group.h"

#include <errno.h>
#include <limits.h>

/* What a userdata holds of each: a pointer, NULL until it has been made. */
static void **new_box(lua_State *L, enum object_kind kind)
{
	return vm_new(L, vm_upvalue(L), kind, sizeof(void *));
}

static void *check(lua_State *L, enum object_kind kind)
{
	return *(void **)vm_check(L, vm_upvalue(L), 1, kind);
}

static int push_made(lua_State *L, int err)
{
	return err < 0 ? vm_error(L, "not enough memory") : 1;
}

/* An integer, or raises. */
static double check_integer(lua_State *L, int index, double least, double most, const char *expected)
{
	double number = vm_check_number(L, index);

	if (!(number >= least && number <= most) || number != (double)(long long)number)
		vm_arg_error(L, index, expected);
	return number;
}

/* true | nil, message, code; misuse raises. */
static int push_result(lua_State *L, const char *what, int result)
{
	if (result == -EDEADLK)
		return vm_error(L, "%s: the task holds the mutex already", what);
	if (result == -EPERM)
		return vm_error(L, "%s: must be called from a task", what);
	if (result < 0)
		return lua_wait_push_failure(L, what, result);
	lua_pushboolean(L, 1);
	return 1;
}

/* Ends a begin function: -> handle | nil, true | nil, nil, message, code */
static int begin(lua_State *L, struct lua_wait *wait, rt_time timeout)
{
	const char *what = wait->cases->kind->wait.what;
	int result;

	wait->count = 1;
	wait->payloads->codec = NULL;
	if (!lua_wait_try(L, wait, timeout, &result))
		return 1;
	lua_wait_release(vm_upvalue(L), wait);
	lua_pushnil(L);
	return 1 + push_result(L, what, result);
}

static struct lua_wait *acquire(lua_State *L)
{
	return lua_wait_acquire(L, vm_upvalue(L), 1, 0);
}

/* sync_end(object, handle, [nil, reason]) -> true | nil, message, code */
static int sync_end(lua_State *L)
{
	int result;
	struct lua_wait *wait = lua_wait_ended(L, &result);
	const char *what = wait->cases->kind->wait.what;

	lua_wait_release(vm_upvalue(L), wait);
	return push_result(L, what, result);
}

/* ---- Mutexes ---- */

static int mutex_new(lua_State *L)
{
	struct rt_mutex **mutex = (struct rt_mutex **)new_box(L, OBJECT_MUTEX);

	return push_made(L, rt_mutex_create(mutex));
}

static int mutex_collect(lua_State *L)
{
	rt_mutex_destroy(check(L, OBJECT_MUTEX));
	vm_forget(L);
	return 0;
}

/* lock_begin(mutex[, timeout]) */
static int lock_begin(lua_State *L)
{
	struct rt_mutex *mutex = check(L, OBJECT_MUTEX);
	rt_time timeout = lua_wait_check(L, vm_upvalue(L), "lock", 2);
	struct lua_wait *wait = acquire(L);

	mutex_lock_case(wait->cases, mutex);
	return begin(L, wait, timeout);
}

static int mutex_try_lock(lua_State *L)
{
	return push_result(L, "try_lock", rt_mutex_try_lock(check(L, OBJECT_MUTEX)));
}

static int mutex_unlock(lua_State *L)
{
	if (rt_mutex_unlock(check(L, OBJECT_MUTEX)) < 0)
		return vm_error(L, "unlock: the task does not hold the mutex");
	return 0;
}

static int mutex_text(lua_State *L)
{
	const struct rt_mutex *mutex = check(L, OBJECT_MUTEX);

	lua_pushstring(L, mutex->holder ? "mutex (locked)" : "mutex (free)");
	return 1;
}

/* ---- Semaphores ---- */

static int semaphore_new(lua_State *L)
{
	double permits = check_integer(L, 1, 1, 2147483648.0, "permits: an integer from 1 to 2^31 expected");
	struct rt_semaphore **semaphore = (struct rt_semaphore **)new_box(L, OBJECT_SEMAPHORE);

	return push_made(L, rt_semaphore_create(semaphore, (size_t)permits));
}

static int semaphore_collect(lua_State *L)
{
	rt_semaphore_destroy(check(L, OBJECT_SEMAPHORE));
	vm_forget(L);
	return 0;
}

/* acquire_begin(semaphore[, timeout]) */
static int acquire_begin(lua_State *L)
{
	struct rt_semaphore *semaphore = check(L, OBJECT_SEMAPHORE);
	rt_time timeout = lua_wait_check(L, vm_upvalue(L), "acquire", 2);
	struct lua_wait *wait = acquire(L);

	semaphore_acquire_case(wait->cases, semaphore);
	return begin(L, wait, timeout);
}

static int semaphore_try_acquire(lua_State *L)
{
	return push_result(L, "try_acquire", rt_semaphore_try_acquire(check(L, OBJECT_SEMAPHORE)));
}

static int semaphore_release(lua_State *L)
{
	if (rt_semaphore_release(check(L, OBJECT_SEMAPHORE)) < 0)
		return vm_error(L, "release: no permit is acquired");
	return 0;
}

static int semaphore_permits(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)rt_semaphore_permits(check(L, OBJECT_SEMAPHORE)));
	return 1;
}

static int semaphore_text(lua_State *L)
{
	const struct rt_semaphore *semaphore = check(L, OBJECT_SEMAPHORE);

	lua_pushfstring(L, "semaphore (%f of %f free)", (lua_Number)semaphore->permits,
			(lua_Number)semaphore->most);
	return 1;
}

/* ---- Events ---- */

static int event_new(lua_State *L)
{
	struct rt_event **event = (struct rt_event **)new_box(L, OBJECT_EVENT);

	return push_made(L, rt_event_create(event));
}

static int event_collect(lua_State *L)
{
	rt_event_destroy(check(L, OBJECT_EVENT));
	vm_forget(L);
	return 0;
}

/* event_begin(event[, timeout]) */
static int event_begin(lua_State *L)
{
	struct rt_event *event = check(L, OBJECT_EVENT);
	rt_time timeout = lua_wait_check(L, vm_upvalue(L), "wait", 2);
	struct lua_wait *wait = acquire(L);

	event_wait_case(wait->cases, event);
	return begin(L, wait, timeout);
}

static int event_set(lua_State *L)
{
	rt_event_set(check(L, OBJECT_EVENT));
	return 0;
}

static int event_clear(lua_State *L)
{
	rt_event_clear(check(L, OBJECT_EVENT));
	return 0;
}

static int event_is_set(lua_State *L)
{
	lua_pushboolean(L, rt_event_is_set(check(L, OBJECT_EVENT)));
	return 1;
}

static int event_text(lua_State *L)
{
	lua_pushstring(L, rt_event_is_set(check(L, OBJECT_EVENT)) ? "event (set)" : "event (clear)");
	return 1;
}

/* ---- Wait groups ---- */

static int wait_group_new(lua_State *L)
{
	struct rt_wait_group **group = (struct rt_wait_group **)new_box(L, OBJECT_WAIT_GROUP);

	return push_made(L, rt_wait_group_create(group));
}

static int wait_group_collect(lua_State *L)
{
	rt_wait_group_destroy(check(L, OBJECT_WAIT_GROUP));
	vm_forget(L);
	return 0;
}

/* wait_group_begin(group[, timeout]) */
static int wait_group_begin(lua_State *L)
{
	struct rt_wait_group *group = check(L, OBJECT_WAIT_GROUP);
	rt_time timeout = lua_wait_check(L, vm_upvalue(L), "wait", 2);
	struct lua_wait *wait = acquire(L);

	wait_group_wait_case(wait->cases, group);
	return begin(L, wait, timeout);
}

static int change_count(lua_State *L, const char *function, int count)
{
	int err = rt_wait_group_add(check(L, OBJECT_WAIT_GROUP), count);

	if (err < 0)
		return vm_error(L, "%s: the count would %s", function,
				err == -EINVAL ? "be negative" : "overflow");
	return 0;
}

/* add([count]): 1 by default, may be negative */
static int wait_group_add(lua_State *L)
{
	check(L, OBJECT_WAIT_GROUP);
	double count = lua_isnoneornil(L, 2) ? 1 : check_integer(L, 2, INT_MIN, INT_MAX, "integer expected");

	return change_count(L, "add", (int)count);
}

static int wait_group_done(lua_State *L)
{
	return change_count(L, "done", -1);
}

static int wait_group_text(lua_State *L)
{
	const struct rt_wait_group *group = check(L, OBJECT_WAIT_GROUP);

	lua_pushfstring(L, "wait group (%d)", group->count);
	return 1;
}

/* ---- Tables ---- */

static const luaL_Reg functions[] = {
	{"mutex", mutex_new},         {"semaphore", semaphore_new},
	{"event", event_new},         {"wait_group", wait_group_new},
	{"lock_begin", lock_begin},   {"acquire_begin", acquire_begin},
	{"event_begin", event_begin}, {"wait_group_begin", wait_group_begin},
	{"sync_end", sync_end},       {NULL, NULL},
};

void lib_sync_open(lua_State *L, struct vm *vm)
{
	static const struct {
		enum object_kind kind;
		const char *title;
		luaL_Reg metamethods[3], methods[4];
	} classes[] = {
		{OBJECT_MUTEX,
		 "Mutex",
		 {{"__gc", mutex_collect}, {"__tostring", mutex_text}},
		 {{"try_lock", mutex_try_lock}, {"unlock", mutex_unlock}}},
		{OBJECT_SEMAPHORE,
		 "Semaphore",
		 {{"__gc", semaphore_collect}, {"__tostring", semaphore_text}},
		 {{"try_acquire", semaphore_try_acquire},
		  {"release", semaphore_release},
		  {"permits", semaphore_permits}}},
		{OBJECT_EVENT,
		 "Event",
		 {{"__gc", event_collect}, {"__tostring", event_text}},
		 {{"set", event_set}, {"clear", event_clear}, {"is_set", event_is_set}}},
		{OBJECT_WAIT_GROUP,
		 "WaitGroup",
		 {{"__gc", wait_group_collect}, {"__tostring", wait_group_text}},
		 {{"add", wait_group_add}, {"done", wait_group_done}}},
	};

	vm_register(L, vm, functions);
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		vm_set_class(L, vm, classes[i].kind, classes[i].title, classes[i].metamethods,
			     classes[i].methods);
}
