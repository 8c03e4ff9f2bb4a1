/* SPDX-License-Identifier: MIT */
/* rt.core: runtimes, and rt.main() for a lua_State that is not ours. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/failure.h"
#include "lua/libs.h"
#include "lua/main_options.h"
#include "lua/main_task.h"
#include "lua/runtime_switch.h"
#include "runtime/lifecycle.h"

#include "base/error.h"

#include <errno.h>

#include <rt/version.h>

/* runtime() -> the name of the one that runs, or nothing */
static int runtime_name(lua_State *L)
{
	struct rt_runtime *runtime = rt_runtime_current();

	if (!runtime)
		return 0;
	lua_pushstring(L, runtime->ops->name);
	return 1;
}

/* check_runtime(name) -> nothing, or a message if there is none of that name */
static int check_runtime(lua_State *L)
{
	const char *name = vm_check_string(L, 1, NULL);

	if (rt_runtime_find(name))
		return 0;
	main_options_push_unknown(L, name);
	return 1;
}

/* switch_runtime(name) -> nothing, when the program runs on that one; or nil and the reason */
static int switch_runtime(lua_State *L)
{
	return runtime_switch_await(L, vm_upvalue(L), rt_runtime_find(vm_check_string(L, 1, NULL)));
}

/* runtimes() -> the names of all that there are */
static int runtimes(lua_State *L)
{
	lua_newtable(L);
	for (unsigned i = 0; rt_runtime_name(i); i++) {
		lua_pushstring(L, rt_runtime_name(i));
		lua_rawseti(L, -2, (int)i + 1);
	}
	return 1;
}

static int start(struct vm *vm, const struct main_options *options, struct rt_runtime **runtime)
{
	int err = runtime_open(options->ops, &options->runtime, runtime);

	if (err < 0)
		return err;
	vm->opened_with = options->runtime;
	err = vm_start(vm, *runtime);
	if (err < 0)
		runtime_close(*runtime);
	return err;
}

static void end(struct vm *vm)
{
	struct rt_runtime *runtime = vm->runtime;

	main_task_end(vm);
	vm_claim(vm);
	vm_stop(vm);
	if (runtime->ops->pause)
		runtime->ops->resume(runtime);
	runtime_close(runtime);
}

/* main(name or options, fn, ...) -> true, its results | false, its error, traceback */
static int run_main(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);
	struct main_options options;
	struct rt_runtime *runtime;

	main_options_check(L, 1, &options);
	if (rt_runtime_current())
		return vm_error(L, "a runtime is already running on this thread");
	int err = start(vm, &options, &runtime);

	if (err < 0)
		return vm_error(L, "cannot start the runtime: %s", error_text(err));
	vm->failed = 0;
	int count = main_task_run(L, vm, lua_gettop(L) - 2, NULL);

	end(vm);
	lua_pushboolean(L, count >= 0);
	lua_insert(L, 2);
	if (count < -1)
		lua_pushstring(L, count == -EDEADLK ? "deadlock" : error_text(count));
	return lua_gettop(L) - 1;
}

/* failed() -> how many failures nobody took notice of in the last main */
static int failed(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);

	lua_pushinteger(L, vm->failed);
	return 1;
}

static const luaL_Reg functions[] = {
	{"runtime", runtime_name},
	{"check_runtime", check_runtime},
	{"runtimes", runtimes},
	{"switch_runtime", switch_runtime},
	{"main", run_main},
	{"failed", failed},
	{NULL, NULL},
};

void lib_runtime_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
	lua_pushinteger(L, RT_WORKERS_MAX);
	lua_setfield(L, -2, "workers_max");
	lua_pushstring(L, rt_version());
	lua_setfield(L, -2, "version");
}
