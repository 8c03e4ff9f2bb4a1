/* SPDX-License-Identifier: MIT */
/* rt.parallel() in programs that embed the engine. */
#include "support/run_suite.h"

#include <rtlua.h>

#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <stdatomic.h>
#include <string.h>

static atomic_int calls;

static int app_count(lua_State *L)
{
	atomic_fetch_add(&calls, 1);
	rt_sleep(RT_MS(1));
	lua_pushinteger(L, 7);
	return 1;
}

static struct rtlua *open_engine(const struct rtlua_options *options)
{
	struct rtlua *lua;

	ck_assert_int_eq(rtlua_open(&lua, options), 0);
	ck_assert_int_eq(rtlua_register(lua, "app.count", app_count), 0);
	return lua;
}

static int run(struct rtlua *lua, const char *code)
{
	if (luaL_loadbuffer(rtlua_state(lua), code, strlen(code), "=main") != 0)
		ck_abort_msg("%s", lua_tostring(rtlua_state(lua), -1));
	return rtlua_run(lua, 0);
}

static const char counting[] = "local rt, app = require 'rt', require 'app'\n"
			       "local count = app.count\n"
			       "local a = rt.parallel(function() return require('app').count() end)\n"
			       "local b = rt.parallel(function() return app.count() + count() end)\n"
			       "assert(a:await() == 7 and b:await() == 14)\n";

START_TEST(job_vms_have_registered_functions)
{
	struct rtlua *lua = open_engine(NULL);

	calls = 0;
	ck_assert_int_eq(run(lua, counting), 0);
	ck_assert_int_eq(calls, 3);
	rtlua_close(lua);
}
END_TEST

START_TEST(memory_of_job_vms_is_limited)
{
	struct rtlua_options options = RTLUA_OPTIONS_INIT;

	options.job_memory = (size_t)8 << 20;
	struct rtlua *lua = open_engine(&options);

	ck_assert_int_eq(run(lua, "local rt = require 'rt'\n"
				  "local function fill(n)\n"
				  "  local list = {}\n"
				  "  for i = 1, n do list[i] = {i} end\n"
				  "  return #list\n"
				  "end\n"
				  "local ok, err = rt.parallel(fill, 1e7):join()\n"
				  "assert(ok == false and err == 'not enough memory', err)\n"
				  "assert(fill(1e6) == 1e6)\n"
				  "assert(rt.parallel(fill, 1000):await() == 1000)"),
			 0);
	rtlua_close(lua);
}
END_TEST

START_TEST(a_host_runs_the_loop)
{
	struct rtlua_options options = RTLUA_OPTIONS_INIT;

	options.event_base = event_base_new();
	struct rtlua *lua = open_engine(&options);

	calls = 0;
	ck_assert_int_eq(rtlua_spawn_string(lua, counting, "=host"), 0);
	event_base_dispatch(options.event_base);
	ck_assert_int_eq(calls, 3);
	ck_assert_uint_eq(rtlua_failures(lua), 0);
	rtlua_close(lua);
	event_base_free(options.event_base);
}
END_TEST

static int outlive(void *arg)
{
	(void)arg;
	rt_sleep(RT_MS(30));
	atomic_fetch_add(&calls, 1);
	return 0;
}

/* The task is where the job is: on another thread. */
static int app_leave(lua_State *L)
{
	(void)L;
	rt_detach(rt_spawn(outlive, NULL));
	return 0;
}

START_TEST(a_host_s_loop_waits_for_the_last_task_anywhere)
{
	struct rtlua_options options = RTLUA_OPTIONS_INIT;

	options.event_base = event_base_new();
	options.workers = 2;
	struct rtlua *lua = open_engine(&options);

	calls = 0;
	ck_assert_int_eq(rtlua_register(lua, "app.leave", app_leave), 0);
	ck_assert_int_eq(rtlua_spawn_string(lua,
					    "require('rt').parallel(function() require('app').leave() end)"
					    ":await()",
					    "=host"),
			 0);
	event_base_dispatch(options.event_base);
	ck_assert_int_eq(calls, 1);
	rtlua_close(lua);
	event_base_free(options.event_base);
}
END_TEST

static int within_a_task(void *arg)
{
	struct rtlua *lua = open_engine(NULL);

	(void)arg;
	calls = 0;
	ck_assert_int_eq(rtlua_spawn_string(lua, counting, "=task"), 0);
	while (calls < 3)
		rt_sleep(RT_MS(1));
	rt_sleep(RT_MS(20));
	rtlua_close(lua);
	return 0;
}

START_TEST(in_an_engine_that_has_joined_a_runtime)
{
	ck_assert_int_eq(rt_run(NULL, NULL, within_a_task, NULL, "within"), 0);
	ck_assert_int_eq(calls, 3);
}
END_TEST

START_TEST(closing_with_jobs_that_run)
{
	struct rtlua_options options = RTLUA_OPTIONS_INIT;

	options.event_base = event_base_new();
	struct rtlua *lua = open_engine(&options);

	ck_assert_int_eq(rtlua_spawn_string(lua,
					    "local rt = require 'rt'\n"
					    "for _ = 1, 3 do rt.parallel(function() rt.sleep(60) end) end\n"
					    "kept = rt.sync.channel(1)\n"
					    "kept:send(kept)\n"
					    "rt.parallel(function(ch) return ch end, kept)",
					    "=host"),
			 0);
	event_base_loop(options.event_base, EVLOOP_ONCE);
	rtlua_close(lua);
	event_base_free(options.event_base);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("job");
	TCase *tcase = tcase_create("job");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, job_vms_have_registered_functions);
	tcase_add_test(tcase, memory_of_job_vms_is_limited);
	tcase_add_test(tcase, a_host_runs_the_loop);
	tcase_add_test(tcase, a_host_s_loop_waits_for_the_last_task_anywhere);
	tcase_add_test(tcase, in_an_engine_that_has_joined_a_runtime);
	tcase_add_test(tcase, closing_with_jobs_that_run);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
