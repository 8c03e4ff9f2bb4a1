/* SPDX-License-Identifier: MIT */
/* The end of an engine: what becomes of tasks in C, and of what is still to run. */
#include "support/run_suite.h"

#include <rtlua.h>

#include <check.h>
#include <errno.h>
#include <semaphore.h>
#include <string.h>

static int noted[4], note_count;

static struct rtlua *open_engine(void)
{
	struct rtlua *lua;

	ck_assert_int_eq(rtlua_open(&lua, NULL), 0);
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

/* Ends when it is cancelled, and says so. */
static int wait_long(void *arg)
{
	(void)arg;
	int err = rt_sleep(RT_S(60));

	noted[note_count++] = err;
	return 0;
}

static int app_start(lua_State *L)
{
	(void)L;
	rt_detach(rt_spawn(wait_long, NULL));
	return 0;
}

START_TEST(c_tasks_are_cancelled_at_the_end)
{
	struct rtlua *lua = open_engine();

	ck_assert_int_eq(rtlua_register(lua, "app.start", app_start), 0);
	ck_assert_int_eq(run(lua, "require('app').start() require('rt').yield()"), 0);
	ck_assert_int_eq(note_count, 1);
	ck_assert_int_eq(noted[0], -ECANCELED);
	spawn(lua, "require('app').start()");
	ck_assert_int_eq(run(lua, "require('rt').yield()"), 0);
	ck_assert_int_eq(note_count, 2);
	rtlua_close(lua);
}
END_TEST

START_TEST(c_tasks_stay_while_another_engine_runs)
{
	struct rtlua *first = open_engine(), *second = open_engine();

	rt_detach(rt_spawn(wait_long, NULL));
	rtlua_close(first);
	ck_assert_int_eq(note_count, 0);
	rtlua_close(second);
	ck_assert_int_eq(note_count, 1);
}
END_TEST

static int engines_with_tasks_that_are_to_run(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++) {
		struct rtlua *lua = open_engine();

		spawn(lua, "ran()");
		rtlua_close(lua);
	}
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(rt_yield(), 0);
	return 0;
}

START_TEST(closed_in_a_c_task_before_anything_ran)
{
	ck_assert_int_eq(rt_run(NULL, NULL, engines_with_tasks_that_are_to_run, NULL, "test"), 0);
}
END_TEST

/* ---- A blocking call from Lua that is under way ---- */

static sem_t begun, may_end, written;

static int write_late(void *arg)
{
	sem_post(&begun);
	sem_wait(&may_end);
	memset(arg, 1, 1024);
	sem_post(&written);
	return 3;
}

static int app_block(lua_State *L)
{
	char here[1024] = {0};

	lua_pushinteger(L, rt_blocking(write_late, here, RT_FOREVER));
	return 1;
}

static int app_await(lua_State *L)
{
	(void)L;
	sem_wait(&begun);
	return 0;
}

static int app_release(lua_State *L)
{
	(void)L;
	sem_post(&may_end);
	return 0;
}

static struct rtlua *open_blocking(void)
{
	struct rtlua *lua = open_engine();

	sem_init(&begun, 0, 0);
	sem_init(&may_end, 0, 0);
	sem_init(&written, 0, 0);
	ck_assert_int_eq(rtlua_register(lua, "app.block", app_block), 0);
	ck_assert_int_eq(rtlua_register(lua, "app.await", app_await), 0);
	ck_assert_int_eq(rtlua_register(lua, "app.release", app_release), 0);
	return lua;
}

START_TEST(lua_tasks_block)
{
	struct rtlua *lua = open_blocking();
	int err = run(lua, "local rt, app = require 'rt', require 'app'"
			   " local task = rt.spawn(app.block) rt.yield() app.await() app.release()"
			   " assert(task:await() == 3)");

	ck_assert_msg(err == 0, "%s", err ? lua_tostring(rtlua_state(lua), -1) : "");
	rtlua_close(lua);
}
END_TEST

/* What it writes to is on a stack of the engine, which is gone. */
START_TEST(a_blocking_call_outlasts_the_engine)
{
	struct rtlua *lua = open_blocking();

	ck_assert_int_eq(run(lua, "require('rt').spawn(require('app').block)"
				  " require('rt').yield() require('app').await()"),
			 0);
	rtlua_close(lua);
	sem_post(&may_end);
	sem_wait(&written);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("end");
	TCase *tc = tcase_create("end");

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, c_tasks_are_cancelled_at_the_end);
	tcase_add_test(tc, c_tasks_stay_while_another_engine_runs);
	tcase_add_test(tc, closed_in_a_c_task_before_anything_ran);
	tcase_add_test(tc, lua_tasks_block);
	tcase_add_test(tc, a_blocking_call_outlasts_the_engine);
	return run_suite(suite);
}
