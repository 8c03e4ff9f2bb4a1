/* SPDX-License-Identifier: MIT */
/* rt.core: scopes and shields. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/failure.h"
#include "lua/libs.h"
#include "lua/lua_scope.h"
#include "lua/lua_task.h"
#include "task/scope.h"

#include <errno.h>
#include <stdlib.h>

/* A userdata. Its environment is the array of failures, once there is one. */
struct lua_scope {
	struct rt_scope scope;
	struct rt_shield shield; /* while the owner waits for tasks that it has cancelled */
	bool has_failures;
};

static const char scope_metatable[] = "rt.scope";
static const char shield_metatable[] = "rt.shield";

/* In the registry: scopes by their address, weak, because a dropped scope ends its tasks. */
static const char scopes_key;

static struct lua_scope *lua_scope(struct rt_scope *scope)
{
	return container_of(scope, struct lua_scope, scope);
}

/* ---- Records: a task's membership, outside of the task so that others do not pay for it ---- */

enum { CHUNK_CHILDREN = 32 };

struct child_chunk {
	struct child_chunk *next;
	struct rt_scope_child children[CHUNK_CHILDREN];
};

static void release_child(struct vm *vm, struct rt_scope_child *child)
{
	child->next = vm->idle_children;
	vm->idle_children = child;
}

/* So that taking one cannot fail. */
static void reserve_child(lua_State *L, struct vm *vm)
{
	if (vm->idle_children)
		return;
	struct child_chunk *chunk = malloc(sizeof *chunk);

	if (!chunk)
		vm_error(L, "not enough memory");
	chunk->next = vm->child_chunks;
	vm->child_chunks = chunk;
	for (int i = CHUNK_CHILDREN - 1; i >= 0; i--)
		release_child(vm, &chunk->children[i]);
}

static struct rt_scope_child *take_child(struct vm *vm)
{
	struct rt_scope_child *child = vm->idle_children;

	vm->idle_children = child->next;
	return child;
}

void lua_scope_free_children(struct vm *vm)
{
	while (vm->child_chunks) {
		struct child_chunk *chunk = vm->child_chunks;

		vm->child_chunks = chunk->next;
		free(chunk);
	}
	vm->idle_children = NULL;
}

/* ---- Failures ---- */

static void push_scopes(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)&scopes_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
}

/* Pops the failure on top and adds it to those of the scope at index. */
static void add_failure(lua_State *L, int index)
{
	struct lua_scope *scope = lua_touserdata(L, index);

	if (!scope->has_failures) {
		lua_newtable(L);
		lua_setfenv(L, index);
		scope->has_failures = true;
	}
	lua_getfenv(L, index);
	lua_insert(L, -2);
	lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
	lua_pop(L, 1);
}

/* The scope now has the task, and will raise its error: it is not to be reported. */
static int note_failure(lua_State *M)
{
	struct rt_scope_child *child = lua_touserdata(M, 1);
	struct lua_task *task = container_of(child->task, struct lua_task, task);

	push_scopes(M);
	lua_pushlightuserdata(M, lua_scope(child->scope));
	lua_rawget(M, -2);
	if (lua_isnil(M, -1))
		return 0;
	int scope = lua_gettop(M);

	lua_task_push(M, task);
	lua_getfenv(M, -1);
	failure_seen(M, -1);
	lua_pop(M, 1);
	add_failure(M, scope);
	return 0;
}

/* The scope looks at the sign, and whether it is -ECANCELED. */
static int error_of(const struct lua_task *task)
{
	if (task->outcome <= OUTCOME_VALUES)
		return 0;
	return task->outcome == OUTCOME_CANCELLED ? -ECANCELED : -EIO;
}

void lua_scope_note_end(struct lua_task *task)
{
	struct rt_frame *frame = task->task.frame;

	while (frame && frame->outer)
		frame = frame->outer;
	if (!frame || frame->kind != FRAME_CHILD)
		return;
	struct rt_scope_child *child = container_of(frame, struct rt_scope_child, frame);
	int error = error_of(task);

	if (child->scope && error < 0 && !(error == -ECANCELED && rt_task_cancelled(&task->task)))
		vm_protect(lua_task_vm(task), note_failure, child);
}

static int child_ended(struct rt_scope_child *child)
{
	struct lua_task *task = container_of(child->task, struct lua_task, task);

	release_child(lua_task_vm(task), child);
	return error_of(task);
}

/* ---- Scopes ---- */

/* The owner is gone, or the coroutine in which it was. */
static void drop(struct lua_scope *scope)
{
	frame_drop(&scope->shield.frame);
	frame_drop(&scope->scope.frame);
	struct rt_runtime *runtime = self_lock();

	scope_abandon(&scope->scope);
	self_unlock(runtime);
}

static int scope_collect(lua_State *L)
{
	drop(lua_touserdata(L, 1));
	return 0;
}

static struct lua_scope *scope_new(lua_State *L)
{
	struct lua_scope *scope = lua_newuserdata(L, sizeof *scope);

	*scope = (struct lua_scope){0};
	luaL_getmetatable(L, scope_metatable);
	lua_setmetatable(L, -2);
	push_scopes(L);
	lua_pushlightuserdata(L, scope);
	lua_pushvalue(L, -3);
	lua_rawset(L, -3);
	lua_pop(L, 1);
	return scope;
}

static struct lua_scope *check_scope(lua_State *L)
{
	struct lua_scope *scope = lua_touserdata(L, 1);

	if (scope && lua_getmetatable(L, 1)) {
		luaL_getmetatable(L, scope_metatable);
		bool matches = lua_rawequal(L, -1, -2);

		lua_pop(L, 2);
		if (matches)
			return scope;
	}
	vm_type_error(L, 1, "scope");
	return NULL;
}

/* scope_enter([timeout], [deadline]) -> scope: seconds, from now and absolute */
static int scope_enter(lua_State *L)
{
	rt_time timeout = lua_isnoneornil(L, 1) ? RT_FOREVER : vm_in(vm_check_duration(L, 1));
	rt_time deadline = lua_isnoneornil(L, 2) ? RT_FOREVER : vm_check_deadline(L, 2);

	lua_task_running(L, vm_upvalue(L), "scope");
	rt_scope_enter(&scope_new(L)->scope, timeout < deadline ? timeout : deadline);
	return 1;
}

/* scope_spawn(scope, fn, ...) -> task */
static int scope_spawn(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);
	struct rt_scope *scope = &check_scope(L)->scope;

	if (!lua_isfunction(L, 2))
		return vm_type_error(L, 2, "function");
	if (!scope_is_open(scope))
		return vm_error(L, "the scope is closed");
	reserve_child(L, vm);
	struct lua_task *task = lua_task_create(L, vm, lua_gettop(L) - 2, 1);
	struct rt_scope_child *child = take_child(vm);

	child->ended = child_ended;
	scope_adopt(scope, &task->task, child);
	task_start(&task->task);
	return 1;
}

/* scope_cancel(scope) */
static int scope_cancel(lua_State *L)
{
	struct rt_scope *scope = &check_scope(L)->scope;

	if (!scope_is_open(scope))
		return vm_error(L, "the scope is closed");
	rt_scope_cancel(scope);
	return 0;
}

/* scope_cancelled(scope) -> whether its waits must end, for any reason */
static int scope_cancelled(lua_State *L)
{
	lua_pushboolean(L, check_scope(L)->scope.frame.cancelled);
	return 1;
}

/* scope_failures(scope) -> {task, ...} in order of time, and what scope_fail() has added; or nil */
static int scope_failures(lua_State *L)
{
	if (!check_scope(L)->has_failures)
		return 0;
	lua_getfenv(L, 1);
	return 1;
}

/* scope_fail(scope, failure): adds to its failures, and cancels it. */
static int scope_fail(lua_State *L)
{
	struct rt_scope *scope = &check_scope(L)->scope;

	lua_settop(L, 2);
	add_failure(L, 1);
	rt_scope_cancel(scope);
	return 0;
}

/* scope_leave(scope): begins to. scope_wait(), scope_shield(), scope_close() follow. */
static int scope_leave(lua_State *L)
{
	struct lua_scope *scope = check_scope(L);

	if (scope_begin_leave(&scope->scope) == 0)
		return 0;
	drop(scope);
	return vm_error(L, "a scope must be left by the task that has opened it, before that ends");
}

/* scope_wait(scope) -> false: it has no tasks; nothing: ask again; or nil and the reason */
static int scope_wait(lua_State *L)
{
	struct lua_task *task = lua_task_running(L, vm_upvalue(L), "scope");

	if (scope_await(&check_scope(L)->scope))
		return lua_task_suspend(L, task, RT_FOREVER);
	lua_pushboolean(L, false);
	return 1;
}

/* scope_shield(scope): cancels its tasks; from now on nothing interrupts waiting for them. */
static int scope_shield(lua_State *L)
{
	struct lua_scope *scope = check_scope(L);

	rt_scope_cancel(&scope->scope);
	rt_shield_enter(&scope->shield);
	return 0;
}

/* scope_close(scope) -> 0 or the reason why it was cancelled from outside */
static int scope_close(lua_State *L)
{
	struct lua_scope *scope = check_scope(L);

	rt_shield_leave(&scope->shield);
	lua_pushinteger(L, scope_end_leave(&scope->scope));
	return 1;
}

/* ---- Shields ---- */

static int shield_collect(lua_State *L)
{
	struct rt_shield *shield = lua_touserdata(L, 1);

	frame_drop(&shield->frame);
	return 0;
}

static struct rt_shield *shield_new(lua_State *L)
{
	struct rt_shield *shield = lua_newuserdata(L, sizeof *shield);

	*shield = (struct rt_shield){0};
	luaL_getmetatable(L, shield_metatable);
	lua_setmetatable(L, -2);
	return shield;
}

/* shield_enter([shield]) -> shield: the one given, which must have been left, or a new one */
static int shield_enter(lua_State *L)
{
	lua_task_running(L, vm_upvalue(L), "shield");
	lua_settop(L, 1);
	rt_shield_enter(lua_isnil(L, 1) ? shield_new(L) : luaL_checkudata(L, 1, shield_metatable));
	return 1;
}

/* shield_leave(shield) */
static int shield_leave(lua_State *L)
{
	rt_shield_leave(luaL_checkudata(L, 1, shield_metatable));
	return 0;
}

static void make_metatable(lua_State *L, const char *name, lua_CFunction collect)
{
	luaL_newmetatable(L, name);
	lua_pushcfunction(L, collect);
	lua_setfield(L, -2, "__gc");
}

static void make_scopes(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)&scopes_key);
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "v");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
}

static const luaL_Reg functions[] = {
	{"scope_enter", scope_enter},
	{"scope_spawn", scope_spawn},
	{"scope_cancel", scope_cancel},
	{"scope_cancelled", scope_cancelled},
	{"scope_failures", scope_failures},
	{"scope_fail", scope_fail},
	{"scope_leave", scope_leave},
	{"scope_wait", scope_wait},
	{"scope_shield", scope_shield},
	{"scope_close", scope_close},
	{"shield_enter", shield_enter},
	{"shield_leave", shield_leave},
	{NULL, NULL},
};

void lib_scope_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
	make_scopes(L);
	make_metatable(L, shield_metatable, shield_collect);
	lua_pop(L, 1);
	make_metatable(L, scope_metatable, scope_collect);
	lua_setfield(L, -2, "Scope");
}
