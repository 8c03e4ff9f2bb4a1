/* SPDX-License-Identifier: MIT */
/* The engine for C programs; see rtlua.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <rtlua.h>

#include "base/error.h"
#include "lua/cancelled.h"
#include "lua/failure.h"
#include "lua/job_pool.h"
#include "lua/lua_task.h"
#include "lua/main_guard.h"
#include "lua/main_task.h"
#include "lua/registered.h"
#include "lua/state.h"
#include "runtime/lifecycle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rtlua {
	struct state state;
	struct rt_runtime *runtime;
	bool guest; /* in a host's loop */
	bool signals, strict;
	char *error;
};

static int make_runtime(struct rtlua *lua, const struct rtlua_options *options,
			const struct rt_runtime_options *with)
{
	lua->guest = options->event_base;
	lua->signals = options->signals;
	lua->strict = options->strict;
	lua->runtime = rt_runtime_current();
	if (lua->runtime) {
		runtime_join(lua->runtime);
		return 0;
	}
	return runtime_open(options->runtime, with, &lua->runtime);
}

int rtlua_open(struct rtlua **lua, const struct rtlua_options *options)
{
	static const struct rtlua_options defaults = RTLUA_OPTIONS_INIT;
	struct rtlua *created = calloc(1, sizeof *created);

	*lua = NULL;
	if (!created)
		return -ENOMEM;
	options = options ? options : &defaults;
	const struct rt_runtime_options with = {
		.event_base = options->event_base,
		.workers = options->workers,
		.watchdog = options->watchdog,
	};
	int err = make_runtime(created, options, &with);

	if (err == 0)
		err = state_open(&created->state, options->name ? options->name : "rtlua", 0);
	else
		created->runtime = NULL;
	if (err == 0)
		err = vm_start(created->state.vm, created->runtime);
	if (err == 0) {
		created->state.vm->job_memory = options->job_memory;
		created->state.vm->opened_with = with;
		created->state.vm->guard = options->exits ? main_guard_create() : NULL;
	}
	if (err < 0) {
		rtlua_close(created);
		return err;
	}
	*lua = created;
	return 0;
}

/* In a task, the others are at work. */
static void stop(struct vm *vm)
{
	struct rt_runtime *runtime = vm->runtime;

	vm_claim(vm);
	vm_stop(vm);
	if (runtime->ops->pause)
		runtime->ops->resume(runtime);
	main_guard_destroy(vm->guard);
	vm->guard = NULL;
}

void rtlua_close(struct rtlua *lua)
{
	if (!lua)
		return;
	if (lua->state.vm && lua->state.vm->runtime) {
		if (!rt_task_current())
			main_task_end(lua->state.vm);
		stop(lua->state.vm);
	}
	state_close(&lua->state);
	if (lua->runtime)
		runtime_close(lua->runtime);
	free(lua->error);
	free(lua);
}

lua_State *rtlua_state(struct rtlua *lua)
{
	return lua->state.L;
}

const char *rtlua_error(struct rtlua *lua)
{
	return lua->error ? lua->error : "no error";
}

unsigned rtlua_failures(struct rtlua *lua)
{
	return lua->state.vm->failed;
}

/* Takes the message on top of the stack. */
static int fail(struct rtlua *lua, int err)
{
	const char *text = lua_tostring(lua->state.L, -1);

	free(lua->error);
	lua->error = strdup(text ? text : "unknown error");
	lua_pop(lua->state.L, 1);
	return err;
}

int rtlua_raise(lua_State *L, int err)
{
	if (err != -ECANCELED)
		return luaL_error(L, "%s", error_text(err));
	cancelled_push(L);
	return lua_error(L);
}

/* Of what strand_hold() gave: tasks of the engine may run on other threads while the host is here. */
static void release(struct rtlua *lua, bool held)
{
	if (held)
		strand_release(lua->state.vm->strand);
}

int rtlua_register(struct rtlua *lua, const char *name, lua_CFunction fn)
{
	bool held = strand_hold(lua->state.vm->strand);
	int err = registered_add(lua->state.L, lua->state.vm, name, fn);

	if (err == -ENOMEM)
		fail(lua, err);
	release(lua, held);
	return err;
}

static int spawn(lua_State *L)
{
	struct vm *vm = vm_of(L);

	lua_task_spawn(L, vm, lua_gettop(L) - 1, 0);
	return 0;
}

int rtlua_spawn(struct rtlua *lua, int nargs)
{
	lua_pushcfunction(lua->state.L, spawn);
	lua_insert(lua->state.L, -nargs - 2);
	return lua_pcall(lua->state.L, nargs + 1, 0, 0) == 0 ? 0 : fail(lua, -ENOMEM);
}

/* What luaL_load*() has given. */
static int spawn_loaded(struct rtlua *lua, int status)
{
	switch (status) {
	case 0:
		return rtlua_spawn(lua, 0);
	case LUA_ERRFILE:
		return fail(lua, -ENOENT);
	default:
		return fail(lua, -EINVAL);
	}
}

int rtlua_spawn_string(struct rtlua *lua, const char *code, const char *name)
{
	bool held = strand_hold(lua->state.vm->strand);
	int status = luaL_loadbuffer(lua->state.L, code, strlen(code), name ? name : code);
	int err = spawn_loaded(lua, status);

	release(lua, held);
	return err;
}

int rtlua_spawn_file(struct rtlua *lua, const char *path)
{
	bool held = strand_hold(lua->state.vm->strand);
	int err = spawn_loaded(lua, luaL_loadfile(lua->state.L, path));

	release(lua, held);
	return err;
}

static void report_error(struct rtlua *lua)
{
	lua_State *L = lua->state.L;
	const char *traceback = lua_tostring(L, -1);

	lua_pushvalue(L, -2);
	failure_print(lua->state.vm, L, traceback);
}

int rtlua_run(struct rtlua *lua, int nargs)
{
	enum { INTERRUPTED = 130 }; /* as shells tell SIGINT */
	lua_State *L = lua->state.L;
	int base = lua_gettop(L) - nargs - 1;
	bool interrupted = false;

	if (lua->guest || rt_task_current()) {
		lua_settop(L, base);
		return -EBUSY;
	}
	int result = main_task_run(L, lua->state.vm, nargs, lua->signals ? &interrupted : NULL);

	lua->runtime = lua->state.vm->runtime; /* it may be another one now */
	interrupted = interrupted && result == -1 && cancelled_is(L, -2);
	if (result == -1 && !interrupted)
		report_error(lua);
	size_t left = lua->strict ? main_task_report_left(lua->state.vm) : 0;

	main_task_end(lua->state.vm);
	failures_report(lua->state.vm);
	unsigned failed = lua->state.vm->failed + job_pool_report_failures(lua->state.vm->pool);

	lua_settop(L, base);
	if (interrupted)
		return INTERRUPTED;
	return result < 0 || failed > 0 || left > 0;
}
