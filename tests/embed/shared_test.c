/* SPDX-License-Identifier: MIT */
/* Engines whose runtime has several threads: what the host does between runs, and closing in the middle. */
#include "support/run_suite.h"

#include <rtlua.h>

#include <check.h>

static const struct rt_runtime_ops *const runtimes[] = {&rt_native, &rt_stealing};
enum { RUNTIMES = 2, WORKERS = 4 };

static struct rtlua *open_engine(const struct rt_runtime_ops *runtime)
{
	struct rtlua_options options = RTLUA_OPTIONS_INIT;
	struct rtlua *lua;

	options.runtime = runtime;
	options.workers = WORKERS;
	ck_assert_int_eq(rtlua_open(&lua, &options), 0);
	return lua;
}

static void spawn(struct rtlua *lua, const char *code)
{
	ck_assert_int_eq(rtlua_spawn_string(lua, code, "=test"), 0);
}

static int run(struct rtlua *lua, const char *code)
{
	ck_assert_int_eq(luaL_loadstring(rtlua_state(lua), code), 0);
	return rtlua_run(lua, 0);
}

START_TEST(the_host_works_between_runs)
{
	struct rtlua *lua = open_engine(runtimes[_i]);
	lua_State *L = rtlua_state(lua);

	for (int i = 1; i <= 50; i++) {
		spawn(lua, "for _ = 1, 10 do require('rt').yield() end spawned = (spawned or 0) + 1");
		ck_assert_int_eq(run(lua,
				     "local rt, jobs = require 'rt', {}"
				     " for i = 1, 4 do jobs[i] = rt.parallel(function(x) rt.yield() return x "
				     "end, i) end"
				     " for i = 1, 4 do sum = (sum or 0) + jobs[i]:await() rt.sleep(0) end"
				     " while spawned ~= sum / 10 do rt.yield() end"),
				 0);
		lua_gc(L, LUA_GCCOLLECT, 0);
		lua_getglobal(L, "sum");
		ck_assert_int_eq(lua_tointeger(L, -1), 10 * i);
		lua_pop(L, 1);
	}
	rtlua_close(lua);
}
END_TEST

START_TEST(closed_with_jobs_that_wait)
{
	struct rtlua *lua = open_engine(runtimes[_i]);

	spawn(lua, "local rt = require 'rt'"
		   " for _ = 1, 10 do rt.parallel(function() require('rt').sleep(60) end) end rt.sleep(60)");
	ck_assert_int_eq(run(lua, "require('rt').sleep(0.01)"), 0);
	rtlua_close(lua);
}
END_TEST

/* The thread stays; the process can go on without it. */
START_TEST(closed_with_a_job_that_never_gives_way)
{
	struct rtlua *lua = open_engine(&rt_native);

	ck_assert_int_eq(run(lua,
			     "local rt = require 'rt' local ch = rt.sync.channel(1)"
			     " rt.parallel(function(ch) ch:send(1) while true do end end, ch) ch:recv()"),
			 0);
	rtlua_close(lua);
	lua = open_engine(runtimes[_i]);
	ck_assert_int_eq(run(lua, "require('rt').sleep(0)"), 0);
	rtlua_close(lua);
}
END_TEST

static int close_while_it_runs(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++) {
		struct rtlua *lua = open_engine(NULL);

		spawn(lua, "local rt = require 'rt' while true do rt.yield() end");
		spawn(lua, "local rt = require 'rt' while true do rt.parallel(function() end):await() end");
		ck_assert_int_eq(rt_sleep(RT_MS(2)), 0);
		rtlua_close(lua);
	}
	return 0;
}

START_TEST(closed_in_a_c_task_while_its_tasks_run)
{
	struct rt_runtime_options options = {.workers = WORKERS};

	ck_assert_int_eq(rt_run(runtimes[_i], &options, close_while_it_runs, NULL, "test"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("shared");
	TCase *tc = tcase_create("shared");

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, the_host_works_between_runs, 0, RUNTIMES);
	tcase_add_loop_test(tc, closed_with_jobs_that_wait, 0, RUNTIMES);
	tcase_add_loop_test(tc, closed_with_a_job_that_never_gives_way, 0, RUNTIMES);
	tcase_add_loop_test(tc, closed_in_a_c_task_while_its_tasks_run, 0, RUNTIMES);
	return run_suite(suite);
}
