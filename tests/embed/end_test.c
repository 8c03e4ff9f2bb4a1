/* SPDX-License-Identifier: MIT */
/* The end of an engine: what becomes of tasks in C, and of what is still to run. */
#include <rtlua.h>

#include <check.h>
#include <errno.h>
#include <stdlib.h>

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
	rt_time before = rt_now();

	ck_assert_int_eq(rtlua_register(lua, "app.start", app_start), 0);
	ck_assert_int_eq(run(lua, "require('app').start() require('rt').yield()"), 0);
	ck_assert_int_eq(note_count, 1);
	ck_assert_int_eq(noted[0], -ECANCELED);
	spawn(lua, "require('app').start()");
	ck_assert_int_eq(run(lua, "require('rt').yield()"), 0);
	ck_assert_int_eq(note_count, 2);
	rtlua_close(lua);
	ck_assert_int_lt(rt_now() - before, RT_S(30));
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

int main(void)
{
	Suite *suite = suite_create("end");
	TCase *tc = tcase_create("end");
	SRunner *runner = srunner_create(suite);

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, c_tasks_are_cancelled_at_the_end);
	tcase_add_test(tc, c_tasks_stay_while_another_engine_runs);
	tcase_add_test(tc, closed_in_a_c_task_before_anything_ran);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
