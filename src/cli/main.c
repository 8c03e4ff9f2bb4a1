/* SPDX-License-Identifier: MIT */
/* rtlua, the command: written against the public headers alone. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "options.h"
#include "test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const program = "rtlua";

static void print_version(void)
{
	printf("rtlua %s on %s\n", rt_version(), LUAJIT_VERSION);
}

static void complain(const char *message)
{
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", program, message ? message : "unknown error");
}

/* arg, as luajit has it: the script, if any, at 0, its arguments from 1 on, what precedes it below. */
static void set_arg(lua_State *L, int argc, char **argv, int script)
{
	lua_createtable(L, argc - script, script);
	for (int i = 0; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i - script);
	}
	lua_setglobal(L, "arg");
}

/* Pushes the chunk that a step stands for. Returns 0 or a LUA_ERR status. */
static int load_step(lua_State *L, const struct step *step)
{
	/* How luajit reads -j and -O: jit.on, jit.off, jit.flush, or the start() of a jit.* module. */
	static const char jit_command[] =
		"local text = ...\n"
		"local name, options = text:match('^([^=]*)=?(.*)$')\n"
		"local command = jit[name]\n"
		"if type(command) == 'function' then return command() end\n"
		"local list = {}\n"
		"for option in options:gmatch('[^,]+') do list[#list + 1] = option end\n"
		"require('jit.' .. name).start(unpack(list))\n";
	static const char jit_optimize[] =
		"local list = {}\n"
		"for option in (...):gmatch('[^,]+') do list[#list + 1] = option end\n"
		"if #list == 0 then list[1] = '3' end\n"
		"require('jit.opt').start(unpack(list))\n";

	switch (step->kind) {
	case 'e':
		return luaL_loadbuffer(L, step->text, strlen(step->text), "=(command line)");
	case 'l':
		lua_getglobal(L, "require");
		return 0;
	case 'j':
		return luaL_loadbuffer(L, jit_command, sizeof jit_command - 1, "=(-j)");
	default:
		return luaL_loadbuffer(L, jit_optimize, sizeof jit_optimize - 1, "=(-O)");
	}
}

/* Runs a loaded chunk with its arguments on top of the stack, unless it did not load. */
static int run(struct rtlua *lua, int load_status, int nargs)
{
	if (load_status != 0) {
		complain(lua_tostring(rtlua_state(lua), -1));
		return EXIT_FAILURE;
	}
	return rtlua_run(lua, nargs);
}

static int run_steps(struct rtlua *lua, const struct options *options)
{
	lua_State *L = rtlua_state(lua);
	int code = 0;

	for (int i = 0; i < options->step_count && code == 0; i++) {
		int status = load_step(L, &options->steps[i]);

		if (status == 0)
			lua_pushstring(L, options->steps[i].text);
		code = run(lua, status, 1);
	}
	return code;
}

static int run_script(struct rtlua *lua, int argc, char **argv, int script)
{
	lua_State *L = rtlua_state(lua);
	bool from_stdin = strcmp(argv[script], "-") == 0;
	int status = luaL_loadfile(L, from_stdin ? NULL : argv[script]);

	for (int i = script + 1; status == 0 && i < argc; i++) {
		luaL_checkstack(L, 1, "too many arguments");
		lua_pushstring(L, argv[i]);
	}
	return run(lua, status, argc - script - 1);
}

static int run_program(const struct options *options, int argc, char **argv)
{
	struct rtlua_options engine = RTLUA_OPTIONS_INIT;
	/* Static: after os.exit() in a task, leak checkers do not know of this stack. */
	static struct rtlua *lua;

	engine.runtime = options->runtime;
	engine.workers = options->workers;
	engine.name = program;
	engine.watchdog = options->watchdog;
	engine.strict = options->strict;
	engine.signals = true;
	engine.exits = true;
	int err = rtlua_open(&lua, &engine);

	if (err < 0) {
		complain(strerror(-err));
		return EXIT_FAILURE;
	}
	set_arg(rtlua_state(lua), argc, argv, options->script);
	int code = run_steps(lua, options);

	if (code == 0 && options->script < argc)
		code = run_script(lua, argc, argv, options->script);
	rtlua_close(lua);
	return code;
}

static void ignore(int signal)
{
	(void)signal;
}

int main(int argc, char **argv)
{
	static struct options options; /* as lua above */
	char *standard_input[] = {argv[0], (char *)"-", NULL};
	int code = EXIT_FAILURE;

	/* A handler, not SIG_IGN: programs that are executed start with the default again. */
	signal(SIGPIPE, ignore);
	if (argc > 1 && strcmp(argv[1], "bench") == 0)
		return rtlua_bench(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "test") == 0)
		return test_command(argc - 2, argv + 2);
	if (options_parse(&options, argc, argv) < 0) {
		options_finish(&options);
		return EXIT_FAILURE;
	}
	bool nothing_to_run = options.script >= argc && options.step_count == 0;

	if (options.help)
		options_print_help(program);
	else if (options.version)
		print_version();
	if (options.help || (options.version && nothing_to_run)) {
		code = EXIT_SUCCESS;
	} else if (nothing_to_run && isatty(STDIN_FILENO)) {
		options_print_help(program);
	} else if (nothing_to_run) {
		options.script = 1;
		code = run_program(&options, 2, standard_input);
	} else {
		code = run_program(&options, argc, argv);
	}
	options_finish(&options);
	return code;
}
