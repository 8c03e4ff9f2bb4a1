/* SPDX-License-Identifier: MIT */
/* The engine in C programs: through its public header alone. */
#include "support/run_suite.h"

#include <rtlua.h>

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int noted[64], note_count;

/* app.note(number) */
static int app_note(lua_State *L)
{
	ck_assert_int_lt(note_count, 64);
	noted[note_count++] = (int)luaL_checkinteger(L, 1);
	return 0;
}

/* How many are in app.fetch() at once. */
static int fetching, most_fetching;

/* app.fetch(ms) -> ms: waits in C. */
static int app_fetch(lua_State *L)
{
	lua_Integer ms = luaL_checkinteger(L, 1);

	if (++fetching > most_fetching)
		most_fetching = fetching;
	int err = rt_sleep(RT_MS(ms));

	fetching--;
	if (err < 0)
		return rtlua_raise(L, err);
	lua_pushinteger(L, ms);
	return 1;
}

static int descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	ck_assert_ptr_nonnull(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static struct rtlua *open_engine(struct event_base *base)
{
	struct rtlua_options options = RTLUA_OPTIONS_INIT;
	struct rtlua *lua;

	note_count = 0;
	options.event_base = base;
	options.name = "host";
	ck_assert_int_eq(rtlua_open(&lua, &options), 0);
	ck_assert_int_eq(rtlua_register(lua, "app.note", app_note), 0);
	ck_assert_int_eq(rtlua_register(lua, "app.fetch", app_fetch), 0);
	return lua;
}

static void spawn(struct rtlua *lua, const char *code)
{
	ck_assert_int_eq(rtlua_spawn_string(lua, code, "=test"), 0);
}

static int run(struct rtlua *lua, const char *code)
{
	ck_assert_int_eq(luaL_loadbuffer(rtlua_state(lua), code, strlen(code), "=main"), 0);
	return rtlua_run(lua, 0);
}

/* ---- A loop of its own ---- */

START_TEST(run_gives_the_exit_code)
{
	struct rtlua *lua = open_engine(NULL);
	int top = lua_gettop(rtlua_state(lua));

	ck_assert_int_eq(run(lua, "require('app').note(7)"), 0);
	ck_assert_int_eq(noted[0], 7);
	ck_assert_int_eq(run(lua, "error('expected')"), 1);
	ck_assert_int_eq(run(lua, "error({})"), 1);
	ck_assert_int_eq(lua_gettop(rtlua_state(lua)), top);
	rtlua_close(lua);
}
END_TEST

START_TEST(run_passes_arguments)
{
	struct rtlua *lua = open_engine(NULL);
	lua_State *L = rtlua_state(lua);

	lua_pushliteral(L, "below");
	luaL_loadstring(L, "local a, b = ... require('app').note(a) require('app').note(b) return 1, 2, 3");
	lua_pushinteger(L, 1);
	lua_pushinteger(L, 2);
	ck_assert_int_eq(rtlua_run(lua, 2), 0);
	ck_assert_int_eq(note_count, 2);
	ck_assert_int_eq(noted[1], 2);
	ck_assert_int_eq(lua_gettop(L), 1);
	ck_assert_str_eq(lua_tostring(L, 1), "below");
	rtlua_close(lua);
}
END_TEST

START_TEST(run_takes_no_options)
{
	struct rtlua *lua;

	ck_assert_int_eq(rtlua_open(&lua, NULL), 0);
	ck_assert_int_eq(run(lua, "assert(require('rt').sleep(0.001) > 0)"), 0);
	rtlua_close(lua);
}
END_TEST

START_TEST(run_again_and_again)
{
	struct rtlua *lua = open_engine(NULL);

	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(run(lua, "local rt = require 'rt' rt.spawn(rt.sleep, 60) rt.sleep(0.001)"),
				 0);
	rtlua_close(lua);
}
END_TEST

START_TEST(failed_tasks_are_counted)
{
	struct rtlua *lua = open_engine(NULL);

	ck_assert_uint_eq(rtlua_failures(lua), 0);
	ck_assert_int_eq(run(lua, "require('rt').spawn(error, 'expected') require('rt').sleep(0.01)"), 1);
	ck_assert_uint_eq(rtlua_failures(lua), 1);
	rtlua_close(lua);
}
END_TEST

START_TEST(deadlock_ends_the_run)
{
	struct rtlua *lua = open_engine(NULL);

	ck_assert_int_eq(run(lua, "require('rt').sleep(math.huge)"), 1);
	ck_assert_int_eq(run(lua, "require('rt').sleep(0.001)"), 0);
	rtlua_close(lua);
}
END_TEST

START_TEST(c_functions_wait_at_once)
{
	struct rtlua *lua = open_engine(NULL);
	rt_time before = rt_now();

	ck_assert_int_eq(run(lua, "local rt, app, tasks = require 'rt', require 'app', {}\n"
				  "for i = 1, 20 do tasks[i] = rt.spawn(app.fetch, 100) end\n"
				  "for i = 1, 20 do assert(tasks[i]:await() == 100) end\n"
				  "table.sort({3, 1, 2}, function(a, b) app.fetch(1) return a < b end)\n"
				  "assert(coroutine.wrap(function() return app.fetch(2) end)() == 2)"),
			 0);
	ck_assert_int_ge(rt_now() - before, RT_MS(100));
	ck_assert_int_eq(most_fetching, 20);
	rtlua_close(lua);
}
END_TEST

START_TEST(c_functions_are_cancelled)
{
	struct rtlua *lua = open_engine(NULL);

	ck_assert_int_eq(run(lua, "local rt, app = require 'rt', require 'app'\n"
				  "local task = rt.spawn(app.fetch, 60000)\n"
				  "rt.yield() task:cancel()\n"
				  "local ok, err = task:join()\n"
				  "assert(not ok and err == rt.cancelled, err)\n"
				  "assert(select(2, rt.timeout(0.01, app.fetch, 60000)) == 'timeout')"),
			 0);
	rtlua_close(lua);
}
END_TEST

/* ---- A host's loop ---- */

static int ticks;

static void tick(evutil_socket_t fd, short events, void *arg)
{
	(void)fd, (void)events;
	if (++ticks == 10)
		event_del(*(struct event **)arg);
}

START_TEST(the_host_ticks_while_scripts_wait)
{
	struct event_base *base = event_base_new();
	struct timeval period = {.tv_usec = 2000};
	struct event *timer = event_new(base, -1, EV_PERSIST, tick, &timer);
	struct rtlua *lua = open_engine(base);

	ticks = 0;
	event_add(timer, &period);
	spawn(lua, "local rt, app = require 'rt', require 'app' rt.sleep(0.01) app.note(1)");
	spawn(lua, "local rt, app = require 'rt', require 'app' app.fetch(5) app.note(2)");
	spawn(lua, "local listener = require('rt').net.tcp.listen('127.0.0.1:0')\n"
		   "address = listener:local_addr()\n"
		   "local conn = listener:accept()\n"
		   "require('app').note(#conn:read_all())\n"
		   "conn:close() listener:close()");
	spawn(lua, "local conn = require('rt').net.tcp.connect(address) conn:write('four') conn:close()");
	ck_assert_int_eq(note_count, 0);
	/* Ends by itself: neither host nor engine have anything left to do. */
	ck_assert_int_ge(event_base_dispatch(base), 0);
	ck_assert_int_eq(note_count, 3);
	ck_assert_int_eq(ticks, 10);
	spawn(lua, "require('app').note(9)");
	event_base_dispatch(base);
	ck_assert_int_eq(noted[3], 9);
	rtlua_close(lua);
	event_free(timer);
	event_base_free(base);
}
END_TEST

START_TEST(run_is_refused_in_a_hosts_loop)
{
	struct event_base *base = event_base_new();
	struct rtlua *lua = open_engine(base);

	luaL_loadstring(rtlua_state(lua), "require('app').note(1)");
	lua_pushinteger(rtlua_state(lua), 1);
	ck_assert_int_eq(rtlua_run(lua, 1), -EBUSY);
	ck_assert_int_eq(lua_gettop(rtlua_state(lua)), 0);
	ck_assert_int_eq(note_count, 0);
	rtlua_close(lua);
	event_base_free(base);
}
END_TEST

START_TEST(failures_are_reported_in_a_hosts_loop)
{
	struct event_base *base = event_base_new();
	struct rtlua *lua = open_engine(base);

	spawn(lua, "error('expected')");
	spawn(lua, "require('rt').sleep(0.3)");
	event_base_dispatch(base);
	ck_assert_uint_eq(rtlua_failures(lua), 1);
	rtlua_close(lua);
	event_base_free(base);
}
END_TEST

START_TEST(a_base_that_is_left_in_the_middle)
{
	struct event_base *base = event_base_new();
	struct rtlua *lua = open_engine(base);

	spawn(lua, "local app = require 'app' app.note(1) pcall(require('rt').sleep, 60) app.note(2)");
	for (int i = 0; i < 10; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(note_count, 1);
	rtlua_close(lua);
	ck_assert_int_eq(note_count, 2);
	/* Nothing of the engine is left in the host's base. */
	ck_assert_int_eq(event_base_dispatch(base), 1);
	event_base_free(base);
}
END_TEST

/* ---- Spawning and registering ---- */

START_TEST(code_that_does_not_compile)
{
	struct rtlua *lua = open_engine(NULL);

	ck_assert_int_eq(rtlua_spawn_string(lua, "x = = 1", "=broken"), -EINVAL);
	ck_assert_str_eq(rtlua_error(lua), "broken:1: unexpected symbol near '='");
	ck_assert_int_eq(rtlua_spawn_file(lua, "no-such-file.lua"), -ENOENT);
	ck_assert_ptr_nonnull(strstr(rtlua_error(lua), "no-such-file.lua"));
	ck_assert_int_eq(lua_gettop(rtlua_state(lua)), 0);
	ck_assert_int_eq(rtlua_spawn_string(lua, "x = = 2", NULL), -EINVAL);
	ck_assert_ptr_nonnull(strstr(rtlua_error(lua), "unexpected symbol"));
	rtlua_close(lua);
}
END_TEST

START_TEST(files_are_spawned)
{
	char path[] = "/tmp/engine-test-XXXXXX";
	int fd = mkstemp(path);
	struct event_base *base = event_base_new();
	struct rtlua *lua = open_engine(base);

	ck_assert_int_ge(fd, 0);
	dprintf(fd, "#!/usr/bin/env rtlua\nrequire('rt').sleep(0.001) require('app').note(5)\n");
	ck_assert_int_eq(rtlua_spawn_file(lua, path), 0);
	event_base_dispatch(base);
	ck_assert_int_eq(noted[0], 5);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	dprintf(fd, "x = = 1\n");
	ck_assert_int_eq(rtlua_spawn_file(lua, path), -EINVAL);
	ck_assert_ptr_nonnull(strstr(rtlua_error(lua), ":1: unexpected symbol"));
	close(fd);
	unlink(path);
	rtlua_close(lua);
	event_base_free(base);
}
END_TEST

START_TEST(functions_are_spawned_with_arguments)
{
	struct event_base *base = event_base_new();
	struct rtlua *lua = open_engine(base);
	lua_State *L = rtlua_state(lua);

	lua_pushliteral(L, "below");
	luaL_loadstring(L, "for i = 1, select('#', ...) do require('app').note((select(i, ...))) end");
	for (int i = 1; i <= 3; i++)
		lua_pushinteger(L, i);
	ck_assert_int_eq(rtlua_spawn(lua, 3), 0);
	ck_assert_int_eq(lua_gettop(L), 1);
	event_base_dispatch(base);
	ck_assert_int_eq(note_count, 3);
	ck_assert_int_eq(noted[2], 3);
	rtlua_close(lua);
	event_base_free(base);
}
END_TEST

START_TEST(names_that_cannot_be_registered)
{
	static const char *const bad[] = {"", "name", ".name", "module.", ".", NULL};
	struct rtlua *lua = open_engine(NULL);

	for (int i = 0; bad[i]; i++)
		ck_assert_int_eq(rtlua_register(lua, bad[i], app_note), -EINVAL);
	ck_assert_int_eq(rtlua_register(lua, NULL, app_note), -EINVAL);
	ck_assert_int_eq(rtlua_register(lua, "app.nothing", NULL), -EINVAL);
	ck_assert_int_eq(rtlua_register(lua, "app.note", app_fetch), -EEXIST);
	ck_assert_int_eq(rtlua_register(lua, "string.rep", app_fetch), -EEXIST);
	ck_assert_int_eq(lua_gettop(rtlua_state(lua)), 0);
	rtlua_close(lua);
}
END_TEST

START_TEST(modules_in_modules)
{
	struct rtlua *lua = open_engine(NULL);

	ck_assert_int_eq(rtlua_register(lua, "app.deep.note", app_note), 0);
	ck_assert_int_eq(rtlua_register(lua, "string.note", app_note), 0);
	ck_assert_int_eq(run(lua, "require('app.deep').note(1) string.note(2) require('app').note(3)"), 0);
	ck_assert_int_eq(note_count, 3);
	rtlua_close(lua);
}
END_TEST

/* ---- Opening and closing ---- */

START_TEST(closing_nothing)
{
	rtlua_close(NULL);
}
END_TEST

START_TEST(closing_with_tasks_that_wait)
{
	struct rtlua *lua = open_engine(NULL);

	ck_assert_int_eq(run(lua, "require('app').note(0)"), 0);
	spawn(lua, "local rt, app = require 'rt', require 'app'\n"
		   "for i = 1, 20 do\n"
		   "  rt.spawn(function() pcall(rt.sleep, 60) app.note(i) end)\n"
		   "  rt.spawn(function() table.sort({1, 2}, function() rt.sleep(60) end) end)\n"
		   "  rt.spawn(function() coroutine.wrap(function() app.fetch(60000) end)() end)\n"
		   "  rt.spawn(function() rt.net.udp.bind('127.0.0.1:0'):recv() end)\n"
		   "end\n");
	rtlua_close(lua);
	ck_assert_int_eq(note_count, 21);
}
END_TEST

START_TEST(closing_with_a_task_that_ignores_it)
{
	struct rtlua *lua = open_engine(NULL);
	rt_time before = rt_now();

	spawn(lua, "while true do pcall(require('rt').sleep, 1) end");
	spawn(lua, "while true do pcall(table.sort, {1, 2}, function() require('rt').sleep(1) end) end");
	rtlua_close(lua);
	ck_assert_int_ge(rt_now() - before, RT_S(1));
	ck_assert_int_lt(rt_now() - before, RT_S(20));
}
END_TEST

START_TEST(opened_and_closed_a_hundred_times)
{
	int before = 0;

	for (int i = 0; i < 100; i++) {
		struct rtlua *lua = open_engine(NULL);

		ck_assert_int_eq(run(lua,
				     "local rt = require 'rt'\n"
				     "local s = rt.net.udp.bind('127.0.0.1:0')\n"
				     "rt.spawn(s.recv, s) rt.net.resolve('localhost', 80) rt.sleep(0.001)"),
				 0);
		rtlua_close(lua);
		if (i == 9)
			before = descriptors();
	}
	ck_assert_int_eq(descriptors(), before);
}
END_TEST

START_TEST(opened_and_closed_a_hundred_times_in_a_hosts_loop)
{
	struct event_base *base = event_base_new();
	int before = 0;

	for (int i = 0; i < 100; i++) {
		struct rtlua *lua = open_engine(base);

		spawn(lua, "local s = require('rt').net.udp.bind('127.0.0.1:0')\n"
			   "require('rt').timeout(0.001, s.recv, s) require('app').note(1)");
		while (note_count == 0)
			event_base_loop(base, EVLOOP_ONCE);
		rtlua_close(lua);
		if (i == 9)
			before = descriptors();
	}
	ck_assert_int_eq(descriptors(), before);
	event_base_free(base);
}
END_TEST

START_TEST(two_engines_on_a_thread)
{
	struct rtlua *first = open_engine(NULL), *second = open_engine(NULL);

	ck_assert_int_eq(run(first, "x = 1 require('app').note(1) require('rt').sleep(0.001)"), 0);
	ck_assert_int_eq(run(second, "assert(x == nil) require('app').note(2) require('rt').sleep(0.001)"),
			 0);
	ck_assert_int_eq(run(first, "assert(x == 1) require('app').note(3)"), 0);
	ck_assert_int_eq(note_count, 3);
	rtlua_close(first);
	ck_assert_int_eq(run(second, "require('rt').sleep(0.001) require('app').note(4)"), 0);
	ck_assert_int_eq(note_count, 4);
	rtlua_close(second);
	ck_assert_ptr_null(rt_runtime_current());
}
END_TEST

START_TEST(two_engines_in_a_hosts_loop)
{
	struct event_base *base = event_base_new();
	struct rtlua *first = open_engine(base), *second = open_engine(base);

	for (int i = 0; i < 3; i++) {
		spawn(first, "require('rt').sleep(0.002) require('app').note(1)");
		spawn(second, "require('rt').sleep(0.001) require('app').note(2)");
	}
	event_base_dispatch(base);
	ck_assert_int_eq(note_count, 6);
	rtlua_close(second);
	rtlua_close(first);
	event_base_free(base);
}
END_TEST

static int engine_in_a_task(void *arg)
{
	struct rtlua *lua = open_engine(NULL);

	(void)arg;
	luaL_loadstring(rtlua_state(lua), "require('app').note(1)");
	ck_assert_int_eq(rtlua_run(lua, 0), -EBUSY);
	for (int i = 1; i <= 3; i++)
		spawn(lua,
		      "local rt, app = require 'rt', require 'app' rt.sleep(0.001) app.fetch(1) app.note(2)");
	while (note_count < 3)
		ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	spawn(lua, "require('rt').sleep(60)");
	rt_yield();
	rtlua_close(lua);
	return 0;
}

static int async_main(int argc, char **argv)
{
	(void)argc, (void)argv;
	struct rt_task *other = rt_spawn(engine_in_a_task, NULL);
	int result = 1;

	ck_assert_int_eq(rt_join(other, &result, RT_FOREVER), 0);
	ck_assert_int_eq(engine_in_a_task(NULL), 0);
	return result;
}

START_TEST(an_engine_in_a_c_task)
{
	char *argv[] = {(char *)"test", NULL};

	ck_assert_int_eq(rt_main(1, argv, async_main, "async_main", NULL), 0);
}
END_TEST

START_TEST(a_lua_state_of_the_hosts)
{
	lua_State *L = luaL_newstate();

	luaL_openlibs(L);
	lua_pushcfunction(L, luaopen_rt);
	ck_assert_int_eq(lua_pcall(L, 0, 1, 0), 0);
	ck_assert(lua_istable(L, -1));
	ck_assert_int_eq(
		luaL_dostring(L,
			      "return require('rt').main(function() return require('rt').sleep(0.001) end)"),
		0);
	ck_assert_int_eq(lua_type(L, -1), LUA_TNUMBER);
	lua_close(L);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine");
	TCase *tc = tcase_create("engine");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, run_gives_the_exit_code);
	tcase_add_test(tc, run_passes_arguments);
	tcase_add_test(tc, run_takes_no_options);
	tcase_add_test(tc, run_again_and_again);
	tcase_add_test(tc, failed_tasks_are_counted);
	tcase_add_test(tc, deadlock_ends_the_run);
	tcase_add_test(tc, c_functions_wait_at_once);
	tcase_add_test(tc, c_functions_are_cancelled);
	tcase_add_test(tc, the_host_ticks_while_scripts_wait);
	tcase_add_test(tc, run_is_refused_in_a_hosts_loop);
	tcase_add_test(tc, failures_are_reported_in_a_hosts_loop);
	tcase_add_test(tc, a_base_that_is_left_in_the_middle);
	tcase_add_test(tc, code_that_does_not_compile);
	tcase_add_test(tc, files_are_spawned);
	tcase_add_test(tc, functions_are_spawned_with_arguments);
	tcase_add_test(tc, names_that_cannot_be_registered);
	tcase_add_test(tc, modules_in_modules);
	tcase_add_test(tc, closing_nothing);
	tcase_add_test(tc, closing_with_tasks_that_wait);
	tcase_add_test(tc, closing_with_a_task_that_ignores_it);
	tcase_add_test(tc, opened_and_closed_a_hundred_times);
	tcase_add_test(tc, opened_and_closed_a_hundred_times_in_a_hosts_loop);
	tcase_add_test(tc, two_engines_on_a_thread);
	tcase_add_test(tc, two_engines_in_a_hosts_loop);
	tcase_add_test(tc, an_engine_in_a_c_task);
	tcase_add_test(tc, a_lua_state_of_the_hosts);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
