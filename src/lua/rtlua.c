/* SPDX-License-Identifier: MIT */
/* The engine for C programs; see rtlua.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <rtlua.h>

#include "base/error.h"
#include "lua/cancelled.h"
#include "lua/embed.h"
#include "lua/failure.h"
#include "lua/lua_task.h"
#include "lua/main_task.h"
#include "platform/heap.h"
#include "platform/sanitizer.h"
#include "runtime/lifecycle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

struct rtlua {
	lua_State *L;
	struct heap *heap; /* NULL: LuaJIT's own */
	struct vm *vm;
	struct rt_runtime *runtime;
	bool guest; /* in a host's loop */
	bool signals, strict;
	char *error;
};

static int set_up(lua_State *L)
{
	struct rtlua *lua = lua_touserdata(L, 1);
	const char *name = lua_touserdata(L, 2);

	luaL_openlibs(L);
	lua->vm = vm_create(L, name);
	embed_open(L, lua->vm);
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
static lua_State *new_state(struct rtlua *lua)
{
#ifdef SANITIZER_ADDRESS
	return luaL_newstate();
#endif
	lua->heap = RUNNING_ON_VALGRIND ? NULL : heap_create();
	lua_State *L = lua->heap ? lua_newstate(heap_allocate, lua->heap) : NULL;

	if (L) {
		lua_atpanic(L, panic);
		return L;
	}
	heap_destroy(lua->heap);
	lua->heap = NULL;
	return luaL_newstate();
}

static int make_state(struct rtlua *lua, const char *name)
{
	lua->L = new_state(lua);
	if (!lua->L)
		return -ENOMEM;
	lua_pushcfunction(lua->L, set_up);
	lua_pushlightuserdata(lua->L, lua);
	lua_pushlightuserdata(lua->L, (void *)name);
	if (lua_pcall(lua->L, 2, 0, 0) == 0)
		return 0;
	fprintf(stderr, "%s: %s\n", name, lua_tostring(lua->L, -1));
	return -ENOMEM;
}

static int make_runtime(struct rtlua *lua, const struct rtlua_options *options)
{
	struct rt_runtime_options runtime = {
		.event_base = options->event_base,
		.workers = options->workers,
		.watchdog = options->watchdog,
	};

	lua->guest = options->event_base;
	lua->signals = options->signals;
	lua->strict = options->strict;
	lua->runtime = rt_runtime_current();
	if (lua->runtime) {
		runtime_join(lua->runtime);
		return 0;
	}
	return runtime_open(options->runtime, &runtime, &lua->runtime);
}

int rtlua_open(struct rtlua **lua, const struct rtlua_options *options)
{
	static const struct rtlua_options defaults = RTLUA_OPTIONS_INIT;
	struct rtlua *created = calloc(1, sizeof *created);

	*lua = NULL;
	if (!created)
		return -ENOMEM;
	options = options ? options : &defaults;
	int err = make_runtime(created, options);

	if (err == 0)
		err = make_state(created, options->name ? options->name : "rtlua");
	else
		created->runtime = NULL;
	if (err == 0)
		err = vm_start(created->vm, created->runtime);
	if (err < 0) {
		rtlua_close(created);
		return err;
	}
	*lua = created;
	return 0;
}

void rtlua_close(struct rtlua *lua)
{
	if (!lua)
		return;
	if (lua->vm && lua->vm->runtime && !rt_task_current())
		main_task_end(lua->vm);
	if (lua->vm)
		vm_stop(lua->vm);
	if (lua->L)
		lua_close(lua->L);
	heap_destroy(lua->heap);
	if (lua->runtime)
		runtime_close(lua->runtime);
	free(lua->error);
	free(lua);
}

lua_State *rtlua_state(struct rtlua *lua)
{
	return lua->L;
}

const char *rtlua_error(struct rtlua *lua)
{
	return lua->error ? lua->error : "no error";
}

unsigned rtlua_failures(struct rtlua *lua)
{
	return lua->vm->failed;
}

/* Takes the message on top of the stack. */
static int fail(struct rtlua *lua, int err)
{
	const char *text = lua_tostring(lua->L, -1);

	free(lua->error);
	lua->error = strdup(text ? text : "unknown error");
	lua_pop(lua->L, 1);
	return err;
}

int rtlua_raise(lua_State *L, int err)
{
	if (err != -ECANCELED)
		return luaL_error(L, "%s", error_text(err));
	cancelled_push(L);
	return lua_error(L);
}

struct registration {
	const char *name;
	lua_CFunction fn;
	int err;
};

static int add_function(lua_State *L)
{
	struct registration *registration = lua_touserdata(L, 1);
	const char *dot = strrchr(registration->name, '.');

	luaL_findtable(L, LUA_REGISTRYINDEX, "_LOADED", 1);
	lua_pushlstring(L, registration->name, (size_t)(dot - registration->name));
	lua_pushvalue(L, -1);
	lua_rawget(L, -3);
	if (!lua_istable(L, -1)) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -2);
		lua_rawset(L, -5);
	}
	lua_getfield(L, -1, dot + 1);
	if (!lua_isnil(L, -1)) {
		registration->err = -EEXIST;
		return 0;
	}
	lua_pop(L, 1);
	lua_pushcfunction(L, registration->fn);
	lua_setfield(L, -2, dot + 1);
	return 0;
}

int rtlua_register(struct rtlua *lua, const char *name, lua_CFunction fn)
{
	struct registration registration = {name, fn, 0};
	const char *dot = name ? strrchr(name, '.') : NULL;

	if (!fn || !dot || dot == name || !dot[1])
		return -EINVAL;
	lua_pushcfunction(lua->L, add_function);
	lua_pushlightuserdata(lua->L, &registration);
	if (lua_pcall(lua->L, 1, 0, 0) != 0)
		return fail(lua, -ENOMEM);
	return registration.err;
}

static int spawn(lua_State *L)
{
	struct vm *vm = vm_of(L);

	lua_task_spawn(L, vm, lua_gettop(L) - 1, 0);
	return 0;
}

int rtlua_spawn(struct rtlua *lua, int nargs)
{
	lua_pushcfunction(lua->L, spawn);
	lua_insert(lua->L, -nargs - 2);
	return lua_pcall(lua->L, nargs + 1, 0, 0) == 0 ? 0 : fail(lua, -ENOMEM);
}

int rtlua_spawn_string(struct rtlua *lua, const char *code, const char *name)
{
	if (luaL_loadbuffer(lua->L, code, strlen(code), name ? name : code) != 0)
		return fail(lua, -EINVAL);
	return rtlua_spawn(lua, 0);
}

int rtlua_spawn_file(struct rtlua *lua, const char *path)
{
	switch (luaL_loadfile(lua->L, path)) {
	case 0:
		return rtlua_spawn(lua, 0);
	case LUA_ERRFILE:
		return fail(lua, -ENOENT);
	default:
		return fail(lua, -EINVAL);
	}
}

static void report_error(struct rtlua *lua)
{
	lua_State *L = lua->L;
	const char *traceback = lua_tostring(L, -1);

	lua_pushvalue(L, -2);
	failure_print(lua->vm, L, traceback);
}

int rtlua_run(struct rtlua *lua, int nargs)
{
	enum { INTERRUPTED = 130 }; /* as shells tell SIGINT */
	lua_State *L = lua->L;
	int base = lua_gettop(L) - nargs - 1;
	bool interrupted = false;

	if (lua->guest || rt_task_current()) {
		lua_settop(L, base);
		return -EBUSY;
	}
	int result = main_task_run(L, lua->vm, nargs, lua->signals ? &interrupted : NULL);

	interrupted = interrupted && result == -1 && cancelled_is(L, -2);
	if (result == -1 && !interrupted)
		report_error(lua);
	size_t left = lua->strict ? main_task_report_left(lua->vm) : 0;

	main_task_end(lua->vm);
	failures_report(lua->vm);
	lua_settop(L, base);
	if (interrupted)
		return INTERRUPTED;
	return result < 0 || lua->vm->failed > 0 || left > 0;
}
