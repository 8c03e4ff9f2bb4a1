/* SPDX-License-Identifier: MIT */
/* What an engine tells of its tasks, among which are some in C: through its public header alone. */
#include "support/run_suite.h"

#include <rtlua.h>

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *text;

static void dump(void)
{
	size_t size;
	FILE *file = open_memstream(&text, &size);

	free(text);
	rt_task_dump(file);
	fclose(file);
}

static int sleep_in_c(void *arg)
{
	(void)arg;
	return rt_sleep(RT_S(1000));
}

static int dump_in_c(void *arg)
{
	(void)arg;
	dump();
	return 0;
}

static struct rt_task *sleeper;

/* app.sleeper(): starts a C task, which outlives the call; app.stop() ends it. */
static int app_sleeper(lua_State *L)
{
	(void)L;
	sleeper = rt_spawn(sleep_in_c, NULL);
	ck_assert_ptr_nonnull(sleeper);
	return 0;
}

static int app_stop(lua_State *L)
{
	(void)L;
	rt_cancel(sleeper);
	ck_assert_int_eq(rt_join(sleeper, NULL, RT_FOREVER), 0);
	return 0;
}

/* app.dump_in_c(), app.dump(): in a C task, in the calling one. */
static int app_dump_in_c(lua_State *L)
{
	(void)L;
	ck_assert_int_eq(rt_join(rt_spawn(dump_in_c, NULL), NULL, RT_FOREVER), 0);
	return 0;
}

static int app_dump(lua_State *L)
{
	(void)L;
	dump();
	return 0;
}

static struct rtlua *open_engine(const struct rtlua_options *options)
{
	struct rtlua *lua;

	ck_assert_int_eq(rtlua_open(&lua, options), 0);
	ck_assert_int_eq(rtlua_register(lua, "app.sleeper", app_sleeper), 0);
	ck_assert_int_eq(rtlua_register(lua, "app.stop", app_stop), 0);
	ck_assert_int_eq(rtlua_register(lua, "app.dump", app_dump), 0);
	ck_assert_int_eq(rtlua_register(lua, "app.dump_in_c", app_dump_in_c), 0);
	return lua;
}

static int run(struct rtlua *lua, const char *code)
{
	ck_assert_int_eq(luaL_loadbuffer(rtlua_state(lua), code, strlen(code), "=main"), 0);
	return rtlua_run(lua, 0);
}

/* Each has to come after the one before. */
static void expect_in_order(const char *const *parts, int count)
{
	const char *at = text;

	for (int i = 0; i < count; i++) {
		const char *found = strstr(at, parts[i]);

		ck_assert_msg(found, "'%s' is not where it should be in:\n%s", parts[i], text);
		at = found + strlen(parts[i]);
	}
}

#define EXPECT_IN_ORDER(...)                                                                                 \
	expect_in_order((const char *const[]){__VA_ARGS__},                                                  \
			sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static const char mixed[] = "local rt, app = require 'rt', require 'app'\n"
			    "local task = rt.spawn(function() app.sleeper() rt.sleep(1000) end)\n"
			    "task.name = 'spawner'\n"
			    "for _ = 1, 100 do rt.yield() end\n";

static void run_mixed(const char *last_line)
{
	struct rtlua *lua = open_engine(NULL);
	char code[512];

	snprintf(code, sizeof code, "%s%s app.stop()", mixed, last_line);
	ck_assert_int_eq(run(lua, code), 0);
	rtlua_close(lua);
}

START_TEST(a_lua_task_sees_c_tasks)
{
	run_mixed("app.dump()");
	EXPECT_IN_ORDER("task 1 'main' is running\n  stack traceback:\n",
			"main:5:", "\n  task 2 'spawner' (spawned at main:2) waits for: sleep (",
			"\n    stack traceback:\n", "main:2:", "\n    task 3 'sleep_in_c' (spawned at ",
			") waits for: sleep (");
	free(text);
}
END_TEST

START_TEST(a_c_task_sees_lua_tasks)
{
	run_mixed("app.dump_in_c()");
	EXPECT_IN_ORDER("task 1 'main' waits for: join (task 4, spawned at ",
			"\n  task 2 'spawner' (spawned at main:2) waits for: sleep (",
			"main:2:", "\n    task 3 'sleep_in_c' (", "\n  task 4 'dump_in_c' (spawned at ",
			") is running\n");
	free(text);
}
END_TEST

static void count(const struct rt_task_info *info, void *arg)
{
	(void)info;
	++*(int *)arg;
}

START_TEST(every_engine_of_the_thread_is_in_the_list)
{
	struct rtlua *first = open_engine(NULL), *second = open_engine(NULL);
	int seen = 0;

	ck_assert_int_eq(rtlua_spawn_string(first, "require('rt').sleep(1000)", "=first"), 0);
	ck_assert_int_eq(rtlua_spawn_string(second, "require('rt').sleep(1000)", "=second"), 0);
	ck_assert_int_eq(rt_task_list(count, &seen), 2);
	ck_assert_int_eq(seen, 2);
	rtlua_close(first);
	ck_assert_int_eq(rt_task_list(count, &seen), 1);
	rtlua_close(second);
}
END_TEST

/* ---- Options ---- */

static const char left[] = "local rt = require 'rt' rt.spawn(rt.sleep, 1000)";

START_TEST(strict_is_an_option)
{
	struct rtlua_options options = RTLUA_OPTIONS_INIT;
	struct rtlua *lua = open_engine(&options);

	ck_assert_int_eq(run(lua, left), 0);
	rtlua_close(lua);
	options.strict = true;
	lua = open_engine(&options);
	ck_assert_int_eq(run(lua, "return"), 0);
	ck_assert_int_eq(run(lua, left), 1);
	rtlua_close(lua);
}
END_TEST

static const char interrupt[] = "require('ffi').cdef 'int raise(int)'\n"
				"require('ffi').C.raise(2)\n"
				"require('rt').sleep(1000)";

START_TEST(signals_are_answered_while_main_runs)
{
	struct rtlua_options options = RTLUA_OPTIONS_INIT;
	struct sigaction before, after;

	sigaction(SIGINT, NULL, &before);
	options.signals = true;
	struct rtlua *lua = open_engine(&options);

	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(run(lua, interrupt), 130);
	ck_assert_int_eq(run(lua, "return"), 0);
	sigaction(SIGINT, NULL, &after);
	ck_assert(after.sa_handler == before.sa_handler && before.sa_handler != SIG_IGN);
	rtlua_close(lua);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("report");
	TCase *tcase = tcase_create("report");

	tcase_add_test(tcase, a_lua_task_sees_c_tasks);
	tcase_add_test(tcase, a_c_task_sees_lua_tasks);
	tcase_add_test(tcase, every_engine_of_the_thread_is_in_the_list);
	tcase_add_test(tcase, strict_is_an_option);
	tcase_add_test(tcase, signals_are_answered_while_main_runs);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
