/* SPDX-License-Identifier: MIT */
/* The deadlines of scopes: whoever notices one, it ends the scope, its tasks and the waits of its owner. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/pair.h"
#include "support/suite.h"

#include <errno.h>

static rt_time never(void)
{
	return rt_in(RT_S(1000));
}

static void be_busy_until(rt_time deadline)
{
	while (rt_now() < deadline)
		;
}

struct child {
	bool ended;
	int err;
};

static int sleeps(void *arg)
{
	struct child *child = arg;

	child->err = rt_sleep(RT_FOREVER);
	child->ended = true;
	return child->err;
}

static void spawn_sleeper(struct rt_scope *scope, struct child *child)
{
	*child = (struct child){0};
	ck_assert_ptr_nonnull(rt_scope_spawn(scope, sleeps, child));
}

static void expect_cancelled(const struct child *child)
{
	ck_assert(child->ended);
	ck_assert_int_eq(child->err, -ECANCELED);
}

/* ---- Who notices ---- */

IN_TASK(the_owner_in_a_wait)
{
	struct rt_scope scope;
	struct child child;

	rt_scope_enter(&scope, rt_in(RT_MS(1)));
	spawn_sleeper(&scope, &child);
	ck_assert_int_eq(rt_sleep(RT_FOREVER), -ECANCELED);
	ck_assert_int_eq(rt_scope_leave(&scope), -ETIMEDOUT);
	expect_cancelled(&child);
	ck_assert_int_eq(rt_yield(), 0);
}

IN_TASK(the_owner_leaving)
{
	struct rt_scope scope;
	struct child child;

	rt_scope_enter(&scope, rt_in(RT_MS(1)));
	spawn_sleeper(&scope, &child);
	ck_assert_int_eq(rt_scope_leave(&scope), -ETIMEDOUT);
	expect_cancelled(&child);
}

static int waits_shielded(void *arg)
{
	struct rt_shield shield;

	rt_shield_enter(&shield);
	int err = rt_join(arg, NULL, RT_FOREVER);

	rt_shield_leave(&shield);
	return err;
}

static int sleep_past(void *arg)
{
	return rt_sleep_until(*(rt_time *)arg + RT_MS(1));
}

IN_TASK(the_owner_leaving_waits_for_a_shielded_task)
{
	struct rt_scope scope;
	rt_time deadline = rt_in(RT_MS(1));
	struct rt_task *outsider = spawn_task(sleep_past, &deadline);
	struct child child;

	rt_scope_enter(&scope, deadline);
	spawn_sleeper(&scope, &child);
	ck_assert_ptr_nonnull(rt_scope_spawn(&scope, waits_shielded, outsider));
	ck_assert_int_eq(rt_scope_leave(&scope), -ETIMEDOUT);
	ck_assert_int_ge(rt_now(), deadline + RT_MS(1));
	expect_cancelled(&child);
	ck_assert_uint_eq(rt_scope_failures(&scope), 0);
}

/* The owner waits behind a shield for what only the tasks' end brings about. */
IN_TASK(a_task_of_the_scope_while_the_owner_is_shielded)
{
	struct rt_scope scope;
	struct rt_shield shield;
	struct child children[2];

	rt_scope_enter(&scope, rt_in(RT_MS(1)));
	for (int i = 0; i < 2; i++)
		spawn_sleeper(&scope, &children[i]);
	rt_shield_enter(&shield);
	while (!children[0].ended || !children[1].ended)
		ck_assert_int_eq(rt_yield(), 0);
	rt_shield_leave(&shield);
	expect_cancelled(&children[0]);
	expect_cancelled(&children[1]);
	ck_assert_int_eq(rt_yield(), -ECANCELED);
	ck_assert_int_eq(rt_scope_leave(&scope), -ETIMEDOUT);
}

static int yields(void *arg)
{
	struct child *child = arg;

	while ((child->err = rt_yield()) == 0)
		;
	child->ended = true;
	return child->err;
}

/* Once more with more time, where the deadline has passed before the task was in its first turn. */
IN_TASK(a_task_of_the_scope_in_a_turn)
{
	int err;

	for (rt_time time = RT_MS(1); time > 0; time = err < 0 ? 2 * time : 0) {
		struct rt_scope scope;
		struct child child = {0};
		rt_time deadline = rt_in(time);

		rt_scope_enter(&scope, deadline);
		ck_assert_ptr_nonnull(rt_scope_spawn(&scope, yields, &child));
		err = rt_yield();
		be_busy_until(deadline);
		ck_assert_int_eq(rt_scope_leave(&scope), -ETIMEDOUT);
		expect_cancelled(&child);
	}
}

IN_TASK(nobody)
{
	struct rt_scope scope;
	rt_time deadline = rt_in(RT_US(10));

	rt_scope_enter(&scope, deadline);
	be_busy_until(deadline);
	ck_assert_int_eq(rt_scope_leave(&scope), 0);
}

/* ---- Nested ---- */

IN_TASK(an_outer_timeout_expires)
{
	struct rt_timeout timeout;
	struct rt_scope scope;
	struct child child;

	rt_timeout_enter(&timeout, rt_in(RT_MS(1)));
	rt_scope_enter(&scope, never());
	spawn_sleeper(&scope, &child);
	ck_assert_int_eq(rt_scope_leave(&scope), -ECANCELED);
	expect_cancelled(&child);
	ck_assert_int_eq(rt_timeout_leave(&timeout), -ETIMEDOUT);
}

IN_TASK(an_outer_timeout_expires_where_a_task_waits)
{
	struct rt_timeout timeout;
	struct rt_scope scope;
	struct rt_shield shield;
	struct child child;

	rt_timeout_enter(&timeout, rt_in(RT_MS(1)));
	rt_scope_enter(&scope, never());
	spawn_sleeper(&scope, &child);
	rt_shield_enter(&shield);
	while (!child.ended)
		ck_assert_int_eq(rt_yield(), 0);
	rt_shield_leave(&shield);
	ck_assert_int_eq(rt_scope_leave(&scope), -ECANCELED);
	ck_assert_int_eq(rt_yield(), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&timeout), -ETIMEDOUT);
}

IN_TASK(equal_deadlines)
{
	struct rt_timeout timeout;
	struct rt_scope outer, inner;
	rt_time deadline = rt_in(RT_MS(1));
	struct child child;

	rt_timeout_enter(&timeout, deadline);
	rt_scope_enter(&outer, deadline);
	rt_scope_enter(&inner, deadline);
	spawn_sleeper(&inner, &child);
	ck_assert_int_eq(rt_scope_leave(&inner), -ETIMEDOUT);
	ck_assert_int_eq(rt_scope_leave(&outer), -ETIMEDOUT);
	ck_assert_int_eq(rt_timeout_leave(&timeout), -ETIMEDOUT);
}

IN_TASK(a_timeout_inside_expires_alone)
{
	struct rt_timeout timeout;
	struct rt_scope scope;
	struct child child;

	rt_scope_enter(&scope, never());
	spawn_sleeper(&scope, &child);
	rt_timeout_enter(&timeout, rt_in(RT_MS(1)));
	ck_assert_int_eq(rt_sleep(RT_FOREVER), -ECANCELED);
	ck_assert_int_eq(rt_timeout_leave(&timeout), -ETIMEDOUT);
	ck_assert(!child.ended);
	ck_assert_int_eq(rt_yield(), 0);
	rt_scope_cancel(&scope);
	ck_assert_int_eq(rt_scope_leave(&scope), 0);
	expect_cancelled(&child);
}

IN_TASK(a_scope_behind_a_shield_has_its_own_deadline)
{
	struct rt_timeout timeout;
	struct rt_scope scope;
	struct rt_shield shield;
	rt_time late = rt_in(RT_MS(3));
	struct child child;

	rt_timeout_enter(&timeout, RT_NOW);
	rt_shield_enter(&shield);
	rt_scope_enter(&scope, late);
	spawn_sleeper(&scope, &child);
	ck_assert_int_eq(rt_scope_leave(&scope), -ETIMEDOUT);
	ck_assert_int_ge(rt_now(), late);
	rt_shield_leave(&shield);
	ck_assert_int_eq(rt_timeout_leave(&timeout), 0);
}

/* ---- In depth: the innermost task notices, the scope far outside is the one that has expired ---- */

enum { DEPTH = 10 };

struct level {
	struct child *child;
	int depth, left;
};

static int opens_another(void *arg)
{
	struct level *level = arg, next = {level->child, level->depth - 1, 0};
	struct rt_scope scope;
	struct rt_shield shield;

	if (level->depth == 0)
		return sleeps(level->child);
	rt_scope_enter(&scope, never());
	ck_assert_ptr_nonnull(rt_scope_spawn(&scope, opens_another, &next));
	/* Only the innermost one waits where it sees the deadline. */
	rt_shield_enter(&shield);
	while (!level->child->ended)
		ck_assert_int_eq(rt_yield(), 0);
	rt_shield_leave(&shield);
	ck_assert(rt_task_cancelled(rt_task_current()));
	level->left = rt_scope_leave(&scope);
	return level->left;
}

/* Shielded, until somebody else has noticed. */
static int looks_on(void *arg)
{
	const struct child *child = arg;
	struct rt_shield shield;

	rt_shield_enter(&shield);
	while (!child->ended)
		ck_assert_int_eq(rt_yield(), 0);
	rt_shield_leave(&shield);
	return rt_yield();
}

IN_TASK(a_deadline_passes_up_to_its_scope)
{
	struct child child = {0};
	struct level level = {&child, DEPTH, 0};
	struct rt_scope scope;

	rt_scope_enter(&scope, rt_in(RT_MS(2)));
	ck_assert_ptr_nonnull(rt_scope_spawn(&scope, opens_another, &level));
	struct rt_task *sibling = rt_scope_spawn(&scope, looks_on, &child);

	ck_assert_int_eq(looks_on(&child), -ECANCELED);
	ck_assert(rt_task_cancelled(sibling));
	ck_assert_int_eq(rt_scope_leave(&scope), -ETIMEDOUT);
	expect_cancelled(&child);
	ck_assert_int_eq(level.left, -ECANCELED);
	ck_assert_uint_eq(rt_scope_failures(&scope), 0);
}

int main(void)
{
	Suite *suite = suite_create("scope deadlines");
	TCase *tcase = tcase_create("scope deadlines");

	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, the_owner_in_a_wait);
	tcase_add_test(tcase, the_owner_leaving);
	tcase_add_test(tcase, the_owner_leaving_waits_for_a_shielded_task);
	tcase_add_test(tcase, a_task_of_the_scope_while_the_owner_is_shielded);
	tcase_add_test(tcase, a_task_of_the_scope_in_a_turn);
	tcase_add_test(tcase, nobody);
	tcase_add_test(tcase, an_outer_timeout_expires);
	tcase_add_test(tcase, an_outer_timeout_expires_where_a_task_waits);
	tcase_add_test(tcase, equal_deadlines);
	tcase_add_test(tcase, a_timeout_inside_expires_alone);
	tcase_add_test(tcase, a_scope_behind_a_shield_has_its_own_deadline);
	tcase_add_test(tcase, a_deadline_passes_up_to_its_scope);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
