/* SPDX-License-Identifier: MIT */
/* Failures nobody has noticed; see failure.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How soon after a failure its handle is looked for. */
#define LOOK_AFTER RT_MS(50)

/* A userdata in the table of results: collected no later than the task's handle. */
struct failure {
	struct vm *vm; /* NULL: seen or reported */
	struct failure *next, *prev;
	char *text;
};

static const char metatable_key;

static void unlink_failure(struct failure *failure)
{
	if (failure->prev)
		failure->prev->next = failure->next;
	else
		failure->vm->failures = failure->next;
	if (failure->next)
		failure->next->prev = failure->prev;
	failure->vm = NULL;
	free(failure->text);
	failure->text = NULL;
}

static void report(struct failure *failure)
{
	failure->vm->failed++;
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", failure->vm->name, failure->text ? failure->text : "a task failed");
	unlink_failure(failure);
}

static int collect(lua_State *L)
{
	struct failure *failure = lua_touserdata(L, 1);

	if (failure->vm)
		report(failure);
	return 0;
}

static int collect_garbage(lua_State *L)
{
	lua_gc(L, LUA_GCCOLLECT, 0);
	return 0;
}

static void look(struct rt_runnable *runnable)
{
	struct vm *vm = container_of(runnable, struct vm, look);

	rt_runtime_lock(vm->runtime);
	vm->looking = false;
	rt_runtime_unlock(vm->runtime);
	if (vm->failures)
		vm_protect(vm, collect_garbage, NULL);
}

static void look_soon(struct rt_waiter *waiter, int result)
{
	struct vm *vm = container_of(waiter, struct vm, failure_timer.waiter);

	(void)result;
	if (vm->looking)
		return;
	vm->looking = true;
	vm->look.run = look;
	vm->strand->executor.schedule(&vm->strand->executor, &vm->look);
}

static void arm_timer(struct vm *vm)
{
	struct rt_runtime *runtime = vm->runtime;

	if (!runtime)
		return;
	rt_runtime_lock(runtime);
	if (!vm->failure_timer.slot) {
		vm->failure_timer.deadline = rt_in(LOOK_AFTER);
		vm->failure_timer.waiter.wake = look_soon;
		runtime->ops->arm(runtime, &vm->failure_timer);
	}
	rt_runtime_unlock(runtime);
}

static int call_tostring(lua_State *L)
{
	return luaL_callmeta(L, 1, "__tostring");
}

/* In no task: a __tostring that waited would leave the VM's own coroutine in the middle of this. */
static bool push_tostring(lua_State *L, int index)
{
	struct rt_task *task = self_get()->task;

	lua_pushcfunction(L, call_tostring);
	lua_pushvalue(L, index);
	self_get()->task = NULL;
	int status = lua_pcall(L, 1, 1, 0);

	self_get()->task = task;
	return status == 0 && lua_isstring(L, -1);
}

static const char *text_of(lua_State *L, int index)
{
	if (lua_isstring(L, index) || push_tostring(L, index))
		return lua_tostring(L, lua_isstring(L, index) ? index : -1);
	lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, index));
	return lua_tostring(L, -1);
}

static char *describe(lua_State *L, const struct lua_task *task, int error, int traceback)
{
	int top = lua_gettop(L);
	const char *text = text_of(L, error);

	lua_pushfstring(L, "task spawned at %s failed: %s\n%s", lua_task_site(task), text,
			lua_tostring(L, traceback));
	char *copy = strdup(lua_tostring(L, -1));

	lua_settop(L, top);
	return copy;
}

void failure_locate(lua_State *L)
{
	static const char head[] = "stack traceback:\n\t";
	const char *traceback = lua_tostring(L, -1); /* begins with head */
	const char *message = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
	const char *source = traceback + strlen(head), *end = strstr(source, ": in ");

	if (!end || strncmp(source, "[C]", 3) == 0 || strncmp(message, source, (size_t)(end - source)) != 0)
		return;
	const char *line = message + (end - source);
	size_t length = 1 + strspn(line + (*line == ':'), "0123456789");

	if (*line != ':' || length == 1 || line[length] != ':')
		return;
	lua_pushlstring(L, traceback, (size_t)(end - traceback));
	lua_pushlstring(L, line, length);
	lua_pushstring(L, end);
	lua_concat(L, 3);
	lua_replace(L, -2);
}

void failure_note(lua_State *L, struct lua_task *task)
{
	struct vm *vm = lua_task_vm(task);
	int error = lua_gettop(L) - 1;

	lua_createtable(L, 3, 0);
	lua_insert(L, error);
	struct failure *failure = lua_newuserdata(L, sizeof *failure);

	memset(failure, 0, sizeof *failure);
	lua_pushlightuserdata(L, (void *)&metatable_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	lua_setmetatable(L, -2);
	lua_rawseti(L, error, 3);
	failure->text = describe(L, task, error + 1, error + 2);
	failure->vm = vm;
	failure->next = vm->failures;
	if (vm->failures)
		vm->failures->prev = failure;
	vm->failures = failure;
	lua_rawseti(L, error, 2);
	lua_rawseti(L, error, 1);
	arm_timer(vm);
}

void failure_seen(lua_State *L, int outcome)
{
	lua_rawgeti(L, outcome, 3);
	struct failure *failure = lua_touserdata(L, -1);

	if (failure && failure->vm)
		unlink_failure(failure);
	lua_pop(L, 1);
}

const char *failure_latest(const struct vm *vm)
{
	return vm->failures ? vm->failures->text : NULL;
}

void failures_report(struct vm *vm)
{
	while (vm->failures) {
		struct failure *last = vm->failures;

		while (last->next)
			last = last->next;
		report(last);
	}
	if (!vm->runtime)
		return;
	rt_runtime_lock(vm->runtime);
	vm->runtime->ops->disarm(vm->runtime, &vm->failure_timer);
	rt_runtime_unlock(vm->runtime);
}

void failure_print(struct vm *vm, lua_State *L, const char *traceback)
{
	int top = lua_gettop(L);
	const char *text = text_of(L, top);

	fflush(stdout);
	fprintf(stderr, "%s: %s\n", vm->name, text);
	if (traceback)
		fprintf(stderr, "%s\n", traceback);
	lua_settop(L, top);
}

void failure_open(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)&metatable_key);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, collect);
	lua_setfield(L, -2, "__gc");
	lua_rawset(L, LUA_REGISTRYINDEX);
}
