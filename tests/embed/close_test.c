/* SPDX-License-Identifier: MIT */
/* Closing one of several engines on a thread, and closing in a callback of the host's loop. */
#include "support/child.h"
#include "support/run_suite.h"

#include <rtlua.h>

#include <event2/event.h>
#include <stdatomic.h>
#include <string.h>

enum { STARTED, TICKS, CANCELLED_TICKS, CLEANED, NOTES };

/* How often Lua has noted each, on any thread. */
static atomic_int notes[NOTES];
static int warnings;

/* app.note(number) -> how often */
static int app_note(lua_State *L)
{
	lua_pushinteger(L, atomic_fetch_add(&notes[luaL_checkinteger(L, 1)], 1) + 1);
	return 1;
}

/* app.noted(number) -> how often */
static int app_noted(lua_State *L)
{
	lua_pushinteger(L, notes[luaL_checkinteger(L, 1)]);
	return 1;
}

static struct rtlua *open_with(const struct rtlua_options *options)
{
	struct rtlua *lua;

	ck_assert_int_eq(rtlua_open(&lua, options), 0);
	ck_assert_int_eq(rtlua_register(lua, "app.note", app_note), 0);
	ck_assert_int_eq(rtlua_register(lua, "app.noted", app_noted), 0);
	return lua;
}

static struct rtlua *open_engine(struct event_base *base)
{
	struct rtlua_options options = RTLUA_OPTIONS_INIT;

	options.event_base = base;
	return open_with(&options);
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

/* Has a task come and go all the time: 1 for each that could wait, 2 for each that could not. */
static const char ticker[] =
	"local rt, app = require 'rt', require 'app'\n"
	"while true do\n"
	"  rt.spawn(function() app.note(pcall(rt.sleep, 0.001) and 1 or 2) end):await()\n"
	"end";

/* When it is cancelled: until the ticker has gone on for a while. */
static const char cleaner[] = "local rt, app = require 'rt', require 'app'\n"
			      "pcall(rt.sleep, 1000)\n"
			      "rt.task.shield(function()\n"
			      "  local before = app.noted(1)\n"
			      "  while app.noted(1) < before + 3 do rt.sleep(0.001) end\n"
			      "end)\n"
			      "app.note(3)";

/* More ticks than in a few milliseconds, fewer than in the time that tasks have to end. */
enum { MANY_TICKS = 200 };

/* ---- Another engine ---- */

START_TEST(the_tasks_of_another_engine_go_on)
{
	struct rtlua *first = open_engine(NULL), *second = open_engine(NULL);

	spawn(first, cleaner);
	spawn(second, ticker);
	rtlua_close(first);
	ck_assert_int_eq(notes[CLEANED], 1);
	ck_assert_int_eq(notes[CANCELLED_TICKS], 0);
	/* And nobody has waited for them. */
	ck_assert_int_lt(notes[TICKS], MANY_TICKS);
	ck_assert_int_eq(run(second, "local app, ticks = require 'app', require('app').noted(1)\n"
				     "while app.noted(1) < ticks + 3 do require('rt').sleep(0.001) end"),
			 0);
	rtlua_close(second);
}
END_TEST

START_TEST(main_ends_and_the_tasks_of_another_engine_go_on)
{
	struct rtlua_options options = RTLUA_OPTIONS_INIT;

	options.strict = true;
	struct rtlua *first = open_with(&options), *second = open_engine(NULL);

	spawn(second, ticker);
	ck_assert_int_eq(run(first, "require('rt').sleep(0.001)"), 0);
	ck_assert_int_eq(notes[CANCELLED_TICKS], 0);
	rtlua_close(second);
	rtlua_close(first);
}
END_TEST

/* Not taken for the one that had ignored it before. */
START_TEST(each_main_has_an_end_of_its_own)
{
	struct rtlua *lua = open_engine(NULL);

	ck_assert_int_eq(run(lua, "local rt = require 'rt'\n"
				  "rt.spawn(function()\n"
				  "  rt.task.shield(function() while not going do rt.sleep(0.001) end end)\n"
				  "  gone = true\n"
				  "end)\n"
				  "rt.yield()"),
			 0);
	ck_assert_int_eq(run(lua, "local rt, app = require 'rt', require 'app'\n"
				  "going = true\n"
				  "while not gone do rt.sleep(0.001) end\n"
				  "rt.spawn(function() app.note(pcall(rt.sleep, 1000) and 1 or 3) end)\n"
				  "rt.yield()"),
			 0);
	ck_assert_int_eq(notes[CLEANED], 1);
	rtlua_close(lua);
}
END_TEST

START_TEST(tasks_in_job_vms_end_with_their_engine)
{
	struct rtlua_options options = RTLUA_OPTIONS_INIT;

	options.workers = 2;
	struct rtlua *first = open_with(&options), *second = open_engine(NULL);

	spawn(second, ticker);
	spawn(first, "local app = require 'app' app.note(0)\n"
		     "require('rt').parallel(function()\n"
		     "  local rt, app = require 'rt', require 'app'\n"
		     "  app.note(0)\n"
		     "  pcall(rt.sleep, 1000)\n"
		     "  rt.task.shield(function() rt.sleep(0.01) end)\n"
		     "  app.note(3)\n"
		     "end)");
	ck_assert_int_eq(run(second, "while require('app').noted(0) < 2 do require('rt').sleep(0.001) end"),
			 0);
	rtlua_close(first);
	ck_assert_int_eq(notes[CLEANED], 1);
	rtlua_close(second);
}
END_TEST

/* ---- A callback of the host's loop ---- */

struct closing {
	struct event_base *base;
	struct rtlua *lua;
};

static void close_in_callback(evutil_socket_t fd, short what, void *arg)
{
	struct closing *closing = arg;

	(void)fd, (void)what;
	rtlua_close(closing->lua);
	event_base_loopbreak(closing->base);
}

static void count_warning(int severity, const char *message)
{
	(void)severity, (void)message;
	warnings++;
}

/* With a turn of the loop before, so that the tasks wait. */
static void run_and_close(struct event_base *base, struct rtlua *lua)
{
	struct closing closing = {base, lua};

	event_set_log_callback(count_warning);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(event_base_once(base, -1, EV_TIMEOUT, close_in_callback, &closing, NULL), 0);
	event_base_dispatch(base);
	ck_assert_int_eq(warnings, 0);
}

START_TEST(in_a_callback_cancelled_tasks_run)
{
	enum { COUNT = 1000 };
	struct event_base *base = event_base_new();
	struct rtlua *closed = open_engine(base), *other = open_engine(base);

	for (int i = 0; i < COUNT; i++)
		spawn(closed, "local rt, app = require 'rt', require 'app'\n"
			      "pcall(rt.sleep, 1000)\n"
			      "rt.task.shield(function() rt.yield() rt.sleep(0.001) end)\n"
			      "app.note(3)");
	spawn(other, ticker);
	run_and_close(base, closed);
	ck_assert_int_eq(notes[CLEANED], COUNT);
	ck_assert_int_eq(notes[CANCELLED_TICKS], 0);
	int ticks = notes[TICKS];

	while (notes[TICKS] < ticks + 3)
		event_base_loop(base, EVLOOP_ONCE);
	rtlua_close(other);
	event_base_free(base);
}
END_TEST

/* What ends on other threads is heard of. */
START_TEST(in_a_callback_jobs_end)
{
	struct rtlua_options options = RTLUA_OPTIONS_INIT;

	options.event_base = event_base_new();
	options.workers = 3;
	struct rtlua *lua = open_with(&options);

	spawn(lua, "local rt = require 'rt'\n"
		   "for i = 1, 8 do\n"
		   "  rt.spawn(function()\n"
		   "    local job = rt.parallel(function()\n"
		   "      local rt, app = require 'rt', require 'app'\n"
		   "      app.note(0)\n"
		   "      rt.sleep(1000)\n"
		   "    end)\n"
		   "    rt.task.shield(job.join, job)\n"
		   "    require('app').note(3)\n"
		   "  end)\n"
		   "end\n"
		   "while require('app').noted(0) < 8 do rt.sleep(0.001) end");
	while (notes[STARTED] < 8)
		event_base_loop(options.event_base, EVLOOP_ONCE);
	run_and_close(options.event_base, lua);
	ck_assert_int_eq(notes[CLEANED], 8);
	event_base_free(options.event_base);
}
END_TEST

static struct rtlua *inner;

static void close_inner(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
	rtlua_close(inner);
	inner = NULL;
}

/* The loop that one waits in calls the host back, which closes another one. */
START_TEST(one_is_closed_while_another_is)
{
	struct event_base *base = event_base_new();
	struct rtlua_options options = RTLUA_OPTIONS_INIT;

	options.event_base = base;
	options.workers = 2;
	struct rtlua *outer = open_with(&options);

	inner = open_with(&options);
	spawn(inner, "local rt, app = require 'rt', require 'app'\n"
		     "pcall(rt.sleep, 1000) rt.task.shield(rt.sleep, 0.002) app.note(3)");
	spawn(outer, "local rt, app = require 'rt', require 'app'\n"
		     "pcall(rt.sleep, 1000)\n"
		     "rt.task.shield(function() while app.noted(3) == 0 do rt.sleep(0.001) end end)\n"
		     "app.note(3)");
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(event_base_once(base, -1, EV_TIMEOUT, close_inner, NULL, NULL), 0);
	rtlua_close(outer);
	ck_assert_ptr_null(inner);
	ck_assert_int_eq(notes[CLEANED], 2);
	event_base_free(base);
}
END_TEST

static int close_with(const char *code)
{
	struct event_base *base = event_base_new();
	struct rtlua *lua = open_engine(base);

	spawn(lua, code);
	run_and_close(base, lua);
	event_base_free(base);
	return notes[CLEANED];
}

static int close_with_one_that_reads(void)
{
	return close_with("local rt = require 'rt'\n"
			  "local socket = rt.net.udp.bind('127.0.0.1:0')\n"
			  "pcall(rt.sleep, 1000) rt.task.shield(socket.recv, socket) require('app').note(3)");
}

static int close_with_one_that_stays(void)
{
	return close_with(
		"local rt = require 'rt'\n"
		"pcall(rt.sleep, 1000) rt.task.shield(function() while true do rt.yield() end end)");
}

START_TEST(in_a_callback_time_is_over_as_well)
{
	static const char text[] = "rtlua: the task spawned at ? ignores its cancellation and is abandoned\n";

	expect_exit(close_with_one_that_reads, 0, text);
	expect_exit(close_with_one_that_stays, 0, text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("close");
	TCase *tc = tcase_create("close");

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_tasks_of_another_engine_go_on);
	tcase_add_test(tc, main_ends_and_the_tasks_of_another_engine_go_on);
	tcase_add_test(tc, each_main_has_an_end_of_its_own);
	tcase_add_test(tc, tasks_in_job_vms_end_with_their_engine);
	tcase_add_test(tc, in_a_callback_cancelled_tasks_run);
	tcase_add_test(tc, in_a_callback_jobs_end);
	tcase_add_test(tc, one_is_closed_while_another_is);
	tcase_add_test(tc, in_a_callback_time_is_over_as_well);
	return run_suite(suite);
}
