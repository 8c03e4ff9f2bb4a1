/* SPDX-License-Identifier: MIT */
/*
 * rtlua bench: an engine for each runtime, in which rt.bench (lua/rt/bench.lua) runs the
 * benchmarks. What it measures goes to the session that benchmarks in C have too,
 * through the functions of a table that is made here.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <rtlua.h>

#include "base/error.h"
#include "bench/session.h"
#include "lua/bench_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { USAGE = 2, INTERRUPTED = 130 };

struct command {
	struct bench_settings settings;
	struct session *session;
	const char *runtime; /* of the engine that runs now */
	char *const *paths;
};

static struct command *command_of(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

/* ---- The table's functions ---- */

/* clock() -> nanoseconds, never virtual */
static int read_clock(lua_State *L)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	lua_pushnumber(L, (double)time.tv_sec * 1e9 + (double)time.tv_nsec);
	return 1;
}

/* select(name) -> whether the benchmark is to be run */
static int select_name(lua_State *L)
{
	struct command *command = command_of(L);
	const char *name = luaL_checkstring(L, 1);
	bool selected = bench_settings_select(&command->settings, name);

	if (selected)
		session_expect(command->session, name);
	lua_pushboolean(L, selected);
	return 1;
}

static int collect_measure(lua_State *L)
{
	measure_finish(lua_touserdata(L, 1));
	return 0;
}

static const char measure_metatable[] = "rt.measure";

/* measure([seconds, samples]) -> what is to be passed to next(), add() and result() */
static int new_measure(lua_State *L)
{
	const struct bench_settings *settings = &command_of(L)->settings;
	double seconds = luaL_optnumber(L, 1, settings->seconds);
	unsigned samples = (unsigned)luaL_optinteger(L, 2, (lua_Integer)settings->samples);
	struct measure *measure = lua_newuserdata(L, sizeof *measure);

	if (measure_init(measure, seconds, samples) < 0)
		return luaL_error(L, "not enough memory");
	if (luaL_newmetatable(L, measure_metatable)) {
		lua_pushcfunction(L, collect_measure);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return 1;
}

/* next(measure) -> n, whether allocations are to be counted | nothing at the end */
static int next_run(lua_State *L)
{
	struct measure *measure = luaL_checkudata(L, 1, measure_metatable);
	struct rt_bench bench;

	if (!measure_next(measure, &bench))
		return 0;
	lua_pushnumber(L, (double)bench.n);
	lua_pushboolean(L, measure->phase == MEASURE_COUNTING);
	return 2;
}

/* add(measure, n, nanoseconds, bytes, allocated bytes) */
static int add_run(lua_State *L)
{
	struct measure *measure = luaL_checkudata(L, 1, measure_metatable);
	struct rt_bench bench = {
		.n = (uint64_t)luaL_checknumber(L, 2),
		.elapsed = (rt_time)luaL_checknumber(L, 3),
		.bytes = (uint64_t)luaL_checknumber(L, 4),
	};
	double allocated = luaL_checknumber(L, 5);

	bench.allocated = allocated > 0 ? (uint64_t)allocated : 0;
	measure_add(measure, &bench, true);
	/* LuaJIT does not tell how many there were. */
	measure->calls = -1;
	return 0;
}

/* result(name, measure) */
static int add_result(lua_State *L)
{
	struct command *command = command_of(L);
	struct measure *measure = luaL_checkudata(L, 2, measure_metatable);

	session_result(command->session, luaL_checkstring(L, 1), command->runtime, measure);
	return 0;
}

/* failure(name, message) */
static int add_failure(lua_State *L)
{
	struct command *command = command_of(L);

	session_failure(command->session, luaL_checkstring(L, 1), command->runtime, luaL_checkstring(L, 2));
	return 0;
}

static const luaL_Reg functions[] = {
	{"clock", read_clock}, {"select", select_name}, {"measure", new_measure}, {"next", next_run},
	{"add", add_run},      {"result", add_result},  {"failure", add_failure}, {NULL, NULL},
};

/* ---- The command ---- */

/* Before anything is reported: whether all paths can be read. */
static void ignore_file(const char *path, void *arg)
{
	(void)path;
	(void)arg;
}

static void push_file(const char *path, void *arg)
{
	lua_State *L = arg;

	lua_pushstring(L, path);
	lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
}

/* Pushes what rtlua_run() is to call, and its arguments: the table above and the files. */
static int push_call(lua_State *L)
{
	struct command *command = lua_touserdata(L, 1);

	lua_getglobal(L, "require");
	lua_pushliteral(L, "rt.bench");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "run");
	lua_newtable(L);
	for (const luaL_Reg *function = functions; function->name; function++) {
		lua_pushlightuserdata(L, command);
		lua_pushcclosure(L, function->func, 1);
		lua_setfield(L, -2, function->name);
	}
	lua_newtable(L);
	bench_files_visit(command->paths, push_file, L);
	return 3;
}

/* Returns an exit code. */
static int run_engine(struct command *command, struct rtlua *lua)
{
	lua_State *L = rtlua_state(lua);

	lua_pushcfunction(L, push_call);
	lua_pushlightuserdata(L, command);
	if (lua_pcall(L, 1, LUA_MULTRET, 0) != 0) {
		fprintf(stderr, "bench: %s\n", lua_tostring(L, -1));
		return EXIT_FAILURE;
	}
	return rtlua_run(lua, 2);
}

static int run_on(struct command *command, const struct rt_runtime_ops *ops)
{
	struct rtlua_options options = RTLUA_OPTIONS_INIT;
	struct rtlua *lua;

	options.runtime = ops;
	options.name = "bench";
	options.signals = true;
	int err = rtlua_open(&lua, &options);

	if (err < 0) {
		fprintf(stderr, "bench: cannot start the runtime '%s': %s\n", ops->name, error_text(err));
		return EXIT_FAILURE;
	}
	command->runtime = ops->name;
	int code = run_engine(command, lua);

	rtlua_close(lua);
	return code;
}

static int run_all(struct command *command)
{
	int code = EXIT_SUCCESS;

	for (unsigned i = 0; i < command->settings.runtime_count; i++) {
		int result = run_on(command, command->settings.runtimes[i]);

		if (result == INTERRUPTED)
			return result;
		code = result ? result : code;
	}
	return code;
}

int rtlua_bench(int argc, char **argv)
{
	static char *here[] = {(char *)".", NULL};
	struct command command = {0};
	int operand = bench_settings_parse(&command.settings, argc, argv,
					   "rtlua bench [options] [files and folders]");

	if (operand < 0)
		return USAGE;
	if (command.settings.help)
		return EXIT_SUCCESS;
	command.paths = operand < argc ? argv + operand : here;
	if (bench_files_visit(command.paths, ignore_file, NULL) < 0)
		return USAGE;
	if (session_open(&command.session, &command.settings) < 0)
		return USAGE;
	int code = run_all(&command), reported = session_close(command.session);

	return code ? code : reported;
}
