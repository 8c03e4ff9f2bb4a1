/* SPDX-License-Identifier: MIT */
/* The two processes of rtlua test: the command, and a worker for each file; see test.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "test.h"

#include <rtlua.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What rtlua test gives where it cannot work at all. */
enum { EXIT_USAGE = 2 };

static void push_module(lua_State *L, const char *name)
{
	lua_getglobal(L, "require");
	lua_pushstring(L, name);
	lua_call(L, 1, 1);
}

/* worker(L, config): a lua_State in which no runtime runs, because each test gets one of its own. */
static int worker(lua_State *L)
{
	const char *config = lua_touserdata(L, 1);

	luaL_openlibs(L);
	rtlua_preload(L, "rtlua");
	push_module(L, "rt.test.worker");
	lua_pushstring(L, config);
	lua_call(L, 1, 0);
	return 0;
}

static int run_worker(const char *config)
{
	lua_State *L = luaL_newstate();

	if (!L)
		return EXIT_USAGE;
	int status = lua_cpcall(L, worker, (void *)config);

	if (status != 0)
		fprintf(stderr, "rtlua test: %s\n", lua_tostring(L, -1));
	lua_close(L);
	return status == 0 ? EXIT_SUCCESS : EXIT_USAGE;
}

/* The command's own exit code comes from Lua, by os.exit(). */
static int run_command(int argc, char **argv)
{
	struct rtlua_options options = RTLUA_OPTIONS_INIT;
	/* Static: after os.exit() in a task, leak checkers do not know of this stack. */
	static struct rtlua *lua;

	options.name = "rtlua";
	options.signals = true;
	int err = rtlua_open(&lua, &options);

	if (err < 0) {
		fprintf(stderr, "rtlua test: %s\n", strerror(-err));
		return EXIT_USAGE;
	}
	lua_State *L = rtlua_state(lua);

	push_module(L, "rt.test.command");
	luaL_checkstack(L, argc, "too many arguments");
	for (int i = 0; i < argc; i++)
		lua_pushstring(L, argv[i]);
	int code = rtlua_run(lua, argc);

	rtlua_close(lua);
	return code;
}

int test_command(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[0], "--worker") == 0)
		return run_worker(argv[1]);
	return run_command(argc, argv);
}
