/* SPDX-License-Identifier: MIT */
/* The VM: its making and ending, and what its C functions share; see vm.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/vm.h"

#include "lua/cancelled.h"
#include "lua/carrier.h"
#include "lua/failure.h"
#include "lua/job_pool.h"
#include "lua/lua_wait.h"
#include "lua/lua_scope.h"
#include "lua/probe.h"
#include "lua/registered.h"
#include "lua/site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char vm_key;

struct vm *vm_of(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)&vm_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	struct vm *vm = lua_touserdata(L, -1);

	lua_pop(L, 1);
	return vm;
}

static void make_metatables(lua_State *L, struct vm *vm)
{
	for (int kind = 0; kind < OBJECT_KINDS; kind++) {
		lua_newtable(L);
		vm->metatables[kind] = lua_topointer(L, -1);
		vm->metatable_refs[kind] = luaL_ref(L, LUA_REGISTRYINDEX);
	}
}

/* Part of lua_close() where nobody has called vm_destroy(): under a stock luajit. */
static int collect(lua_State *L)
{
	struct vm **vm = lua_touserdata(L, 1);

	vm_destroy(*vm);
	*vm = NULL;
	return 0;
}

static void guard_with_finalizer(lua_State *L, struct vm *vm)
{
	struct vm **guard = lua_newuserdata(L, sizeof(struct vm *));

	*guard = vm;
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, collect);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	luaL_ref(L, LUA_REGISTRYINDEX);
}

static struct vm *allocate(lua_State *L, const char *name)
{
	struct vm *vm = calloc(1, sizeof *vm);

	if (vm)
		vm->buffer = malloc(VM_BUFFER);
	if (!vm || !vm->buffer) {
		free(vm);
		luaL_error(L, "not enough memory");
	}
	vm->name = name;
	vm->idle_slot = -1;
	return vm;
}

static void push_weak_table(lua_State *L)
{
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "k");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
}

struct vm *vm_create(lua_State *L, const char *name)
{
	struct vm *vm = allocate(L, name);

	guard_with_finalizer(L, vm);
	vm->L = lua_newthread(L);
	luaL_ref(L, LUA_REGISTRYINDEX);
	vm->anchors = lua_newthread(L);
	luaL_ref(L, LUA_REGISTRYINDEX);
	lua_newtable(vm->anchors);
	lua_newtable(vm->anchors);
	lua_pushliteral(vm->anchors, "__call");
	push_weak_table(vm->anchors);
	lua_newtable(vm->anchors);
	vm->sites = site_table_create(L);
	vm->running = probe_running(L);
	vm->hook_mask = probe_hook_mask(L);
	make_metatables(L, vm);
	cancelled_open(L);
	failure_open(L);
	lua_pushlightuserdata(L, (void *)&vm_key);
	lua_pushlightuserdata(L, vm);
	lua_rawset(L, LUA_REGISTRYINDEX);
	return vm;
}

void vm_start_on(struct vm *vm, struct rt_runtime *runtime, struct strand *strand)
{
	vm->runtime = runtime;
	vm->strand = strand;
	vm->home = (struct task_home){&vm->strand->executor, &lua_task_ops, runtime, vm->family};
	vm->group.next_task = lua_task_next;
	task_groups_add(runtime, &vm->group);
}

int vm_start(struct vm *vm, struct rt_runtime *runtime)
{
	struct strand *strand = malloc(sizeof *strand);

	if (!vm->family)
		vm->family = calloc(1, sizeof *vm->family);
	if (!strand || !vm->family) {
		free(strand);
		return -ENOMEM;
	}
	strand_init(strand, &runtime->executor);
	vm_start_on(vm, runtime, strand);
	return 0;
}

void vm_claim(struct vm *vm)
{
	struct rt_runtime *runtime = vm->runtime;

	if (!runtime->ops->pause)
		return;
	runtime->ops->pause(runtime, RT_MS(100));
	while (strand_is_running(vm->strand)) {
		runtime->ops->resume(runtime);
		runtime->ops->pause(runtime, RT_MS(100));
	}
}

void vm_release(struct vm *vm)
{
	if (vm->runtime->ops->pause)
		vm->runtime->ops->resume(vm->runtime);
}

void vm_cancel(struct vm *vm)
{
	for (int i = 0; i < vm->slot_count; i++) {
		struct lua_task *task = slot_task(&vm->slots[i]);

		if (task)
			rt_cancel(&task->task);
	}
}

static void abandon_tasks(struct vm *vm)
{
	for (int i = 0; i < vm->slot_count; i++) {
		struct lua_task *task = slot_task(&vm->slots[i]);

		if (task)
			lua_task_abandon(task);
	}
}

void vm_stop(struct vm *vm)
{
	if (!vm->runtime)
		return;
	abandon_tasks(vm);
	if (!vm->job_vm)
		job_pool_destroy(vm);
	lua_task_free_timers(vm);
	task_groups_remove(vm->runtime, &vm->group);
	lua_wait_free_all(vm);
	lua_scope_free_children(vm);
	failures_report(vm);
	carriers_trim(vm, 0);
	stack_pool_destroy(vm->stacks);
	vm->stacks = NULL;
	if (!vm->job_vm) {
		strand_retire(vm->strand, &vm->runtime->strands);
		free(vm->family);
	}
	vm->family = NULL;
	vm->strand = NULL;
	vm->runtime = NULL;
}

static bool is_running(const struct vm *vm)
{
	const struct lua_task *task = lua_task_current();

	return task && lua_task_vm(task) == vm;
}

void vm_destroy(struct vm *vm)
{
	if (!vm)
		return;
	/* os.exit(code, true) in a task, which still needs its stack: the end of the process frees the rest.
	 */
	if (is_running(vm)) {
		failures_report(vm);
		return;
	}
	vm_stop(vm);
	lua_wait_free_all(vm);
	site_table_destroy(vm->sites);
	registered_free(vm);
	free(vm->job_traceback);
	free(vm->family); /* of a start that has failed */
	free(vm->slots);
	free(vm->buffer);
	free(vm);
}

void vm_register(lua_State *L, struct vm *vm, const luaL_Reg *functions)
{
	for (; functions->name; functions++) {
		lua_pushlightuserdata(L, vm);
		lua_pushcclosure(L, functions->func, 1);
		lua_setfield(L, -2, functions->name);
	}
}

int vm_protect(struct vm *vm, lua_CFunction fn, void *arg)
{
	lua_State *L = vm->L;

	/* Even what this takes to call is memory that there may be none of. */
	int status = lua_cpcall(L, fn, arg);

	if (status != 0) {
		failure_print(vm, L, NULL);
		lua_pop(L, 1);
	}
	return status;
}

void *vm_test(lua_State *L, struct vm *vm, int index, enum object_kind kind)
{
	void *object = lua_touserdata(L, index);

	/* Connections are used several times in a row. Their finalizer clears this. */
	if (object && object == vm->tested_conn && kind == OBJECT_CONN)
		return object;
	if (!object || !lua_getmetatable(L, index))
		return NULL;
	bool matches = lua_topointer(L, -1) == vm->metatables[kind];

	lua_pop(L, 1);
	if (!matches)
		return NULL;
	if (kind == OBJECT_CONN)
		vm->tested_conn = object;
	return object;
}

static const char *const kind_names[] = {
	[OBJECT_TASK] = "task",         [OBJECT_CONN] = "connection",
	[OBJECT_LISTENER] = "listener", [OBJECT_UDP] = "UDP socket",
	[OBJECT_ADDR] = "address",      [OBJECT_CHANNEL] = "channel",
	[OBJECT_MUTEX] = "mutex",       [OBJECT_SEMAPHORE] = "semaphore",
	[OBJECT_EVENT] = "event",       [OBJECT_WAIT_GROUP] = "wait group",
};

const char *vm_kind_name(enum object_kind kind)
{
	return kind_names[kind];
}

void *vm_check(lua_State *L, struct vm *vm, int index, enum object_kind kind)
{
	void *object = vm_test(L, vm, index, kind);

	if (!object)
		vm_type_error(L, index, kind_names[kind]);
	return object;
}

void *vm_new(lua_State *L, struct vm *vm, enum object_kind kind, size_t size)
{
	void *object = lua_newuserdata(L, size);

	memset(object, 0, size);
	lua_rawgeti(L, LUA_REGISTRYINDEX, vm->metatable_refs[kind]);
	lua_setmetatable(L, -2);
	return object;
}

void vm_set_class(lua_State *L, struct vm *vm, enum object_kind kind, const char *title,
		  const luaL_Reg *metamethods, const luaL_Reg *methods)
{
	lua_newtable(L);
	vm_register(L, vm, methods);
	lua_rawgeti(L, LUA_REGISTRYINDEX, vm->metatable_refs[kind]);
	vm_register(L, vm, metamethods);
	lua_pushvalue(L, -2);
	lua_setfield(L, -2, "__index");
	lua_pushstring(L, kind_names[kind]);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 1);
	lua_setfield(L, -2, title);
}

void vm_forget(lua_State *L)
{
	lua_pushnil(L);
	lua_setmetatable(L, 1);
}
