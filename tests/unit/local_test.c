/* SPDX-License-Identifier: MIT */
/* Task-local values: who sees them, and when they are destroyed. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/pair.h"
#include "support/suite.h"
#include "task/task.h"

#include <errno.h>

static int destroyed;

static void note(void *value)
{
	destroyed++;
	*(bool *)value = true;
}

static const struct rt_local plain = RT_LOCAL_INIT(NULL), noted = RT_LOCAL_INIT(note);

static void set(const struct rt_local *key, void *value)
{
	ck_assert_int_eq(rt_local_set(key, value), 0);
	ck_assert_ptr_eq(rt_local_get(key), value);
}

/* ---- One task ---- */

IN_TASK(a_task_has_what_it_has_set)
{
	int values[2];

	ck_assert_ptr_null(rt_local_get(&plain));
	set(&plain, &values[0]);
	ck_assert_ptr_null(rt_local_get(&noted));
	set(&plain, &values[1]);
	set(&plain, NULL);
	set(&plain, &values[0]);
	ck_assert_int_eq(rt_yield(), 0);
	ck_assert_ptr_eq(rt_local_get(&plain), &values[0]);
}

IN_TASK(a_value_that_is_replaced_is_destroyed)
{
	static bool gone[2];

	set(&noted, &gone[0]);
	set(&plain, gone);
	set(&noted, &gone[0]);
	ck_assert(!gone[0]);
	set(&noted, &gone[1]);
	ck_assert(gone[0] && !gone[1]);
	set(&noted, NULL);
	ck_assert(gone[1]);
	set(&noted, NULL);
	ck_assert_int_eq(destroyed, 2);
}

IN_TASK(misuse)
{
	ck_assert_int_eq(rt_local_set(NULL, NULL), -EINVAL);
	ck_assert_ptr_null(rt_local_get(NULL));
}

START_TEST(outside_of_a_task)
{
	ck_assert_int_eq(rt_local_set(&plain, &destroyed), -EPERM);
	ck_assert_ptr_null(rt_local_get(&plain));
}
END_TEST

/* ---- Kin ---- */

static int sees(void *arg)
{
	ck_assert_ptr_eq(rt_local_get(&noted), arg);
	return 0;
}

static int changes(void *arg)
{
	sees(arg);
	set(&noted, NULL);
	rt_yield();
	ck_assert_ptr_null(rt_local_get(&noted));
	set(&noted, arg);
	set(&noted, NULL);
	return 0;
}

IN_TASK(a_new_task_has_its_spawners_values)
{
	static bool gone[2];
	struct rt_scope scope;

	set(&noted, &gone[0]);
	struct rt_task *first = spawn_task(sees, &gone[0]);

	set(&noted, &gone[1]);
	ck_assert(!gone[0]);
	ck_assert_int_eq(join_task(first), 0);
	ck_assert(gone[0]);
	rt_scope_enter(&scope, RT_FOREVER);
	ck_assert_ptr_nonnull(rt_scope_spawn(&scope, sees, &gone[1]));
	ck_assert_int_eq(rt_scope_leave(&scope), 0);
	ck_assert(!gone[1]);
}

static int spawns_successors(void *arg)
{
	int *left = arg;

	ck_assert_ptr_nonnull(rt_local_get(&noted));
	if (--*left > 0)
		rt_detach(spawn_task(spawns_successors, arg));
	return 0;
}

IN_TASK(a_value_lives_as_long_as_the_last_task_that_has_it)
{
	static bool gone;
	int left = 10;

	set(&noted, &gone);
	rt_detach(spawn_task(spawns_successors, &left));
	set(&noted, NULL);
	while (left > 0) {
		ck_assert(!gone);
		rt_yield();
	}
	ck_assert(gone);
	ck_assert_int_eq(destroyed, 1);
}

IN_TASK(a_change_is_the_tasks_own)
{
	static bool gone[2];

	set(&noted, &gone[0]);
	struct rt_task *task = spawn_task(changes, &gone[0]);

	rt_yield();
	ck_assert_ptr_eq(rt_local_get(&noted), &gone[0]);
	ck_assert_int_eq(destroyed, 0);
	rt_detach(task);
}

/* ---- The end ---- */

static int sets_and_ends(void *arg)
{
	set(&noted, arg);
	return 0;
}

static int sets_and_hangs(void *arg)
{
	struct rt_shield shield;

	set(&noted, arg);
	rt_shield_enter(&shield);
	return rt_sleep(RT_FOREVER);
}

static int leave_one_behind(void *arg)
{
	rt_detach(spawn_task(sets_and_hangs, arg));
	return rt_yield();
}

IN_TASK(the_end_of_a_task_destroys_its_values)
{
	static bool gone;

	struct rt_task *task = spawn_task(sets_and_ends, &gone);

	rt_yield();
	ck_assert(gone);
	ck_assert_int_eq(join_task(task), 0);
	ck_assert_int_eq(destroyed, 1);
}

START_TEST(a_task_that_is_abandoned_leaves_nothing)
{
	static bool gone;

	ck_assert_int_eq(rt_run(&rt_native, NULL, leave_one_behind, &gone, NULL), 0);
	ck_assert(gone);
}
END_TEST

static void set_another(void *value)
{
	(void)value;
	if (rt_task_current())
		rt_local_set(&plain, &destroyed);
}

static int sets_in_destructor(void *arg)
{
	static const struct rt_local setting = RT_LOCAL_INIT(set_another);

	set(&setting, arg);
	set(&setting, NULL);
	ck_assert_ptr_eq(rt_local_get(&plain), &destroyed);
	set(&plain, NULL);
	set(&setting, arg);
	return 0;
}

IN_TASK(a_destructor_sets_a_value)
{
	int value;

	ck_assert_int_eq(join_task(spawn_task(sets_in_destructor, &value)), 0);
}

/* ---- Tasks of another kind ---- */

static int foreign_set;
static void *foreign_get;

static void try_to_set(struct rt_task *task)
{
	foreign_set = rt_local_set(&plain, &foreign_set);
	foreign_get = rt_local_get(&plain);
	task_finish(task, 0);
}

static void do_nothing(struct rt_task *task)
{
	(void)task;
}

IN_TASK(only_c_tasks_have_them)
{
	static const struct task_ops ops = {.resume = try_to_set, .ended = do_nothing};
	struct rt_task task;

	set(&plain, &destroyed);
	task_init(&task, &(struct task_home){&rt_runtime_current()->executor, &ops, rt_runtime_current()});
	task_start(&task);
	rt_yield();
	ck_assert_int_eq(foreign_set, -ENOTSUP);
	ck_assert_ptr_null(foreign_get);
}

int main(void)
{
	Suite *suite = suite_create("local");
	TCase *tcase = tcase_create("local");

	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, a_task_has_what_it_has_set);
	tcase_add_test(tcase, a_value_that_is_replaced_is_destroyed);
	tcase_add_test(tcase, misuse);
	tcase_add_test(tcase, outside_of_a_task);
	tcase_add_test(tcase, a_new_task_has_its_spawners_values);
	tcase_add_test(tcase, a_value_lives_as_long_as_the_last_task_that_has_it);
	tcase_add_test(tcase, a_change_is_the_tasks_own);
	tcase_add_test(tcase, the_end_of_a_task_destroys_its_values);
	tcase_add_test(tcase, a_task_that_is_abandoned_leaves_nothing);
	tcase_add_test(tcase, a_destructor_sets_a_value);
	tcase_add_test(tcase, only_c_tasks_have_them);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
