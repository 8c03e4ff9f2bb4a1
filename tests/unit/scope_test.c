/* SPDX-License-Identifier: MIT */
/* Scopes: nothing outlives them, errors pass up, cancellation and deadlines pass down. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/pair.h"
#include "support/suite.h"

#include <errno.h>
#include <string.h>

static int running; /* tasks that have begun and not ended */

static struct rt_task *spawn_in(struct rt_scope *scope, rt_task_fn *fn, void *arg)
{
	struct rt_task *task = rt_scope_spawn(scope, fn, arg);

	ck_assert_ptr_nonnull(task);
	return task;
}

static int leave(struct rt_scope *scope)
{
	int err = rt_scope_leave(scope);

	ck_assert_int_eq(running, 0);
	return err;
}

/* ---- Tasks of a scope ---- */

static int sleeps(void *arg)
{
	(void)arg;
	running++;
	int err = rt_sleep(RT_FOREVER);

	running--;
	return err;
}

static int gives(void *arg)
{
	running++;
	rt_yield();
	running--;
	return *(int *)arg;
}

/* Waits in its cleanup too. */
static int cleanups;

static int cleans_up(void *arg)
{
	struct rt_shield shield;

	(void)arg;
	running++;
	int err = rt_sleep(RT_FOREVER);

	rt_shield_enter(&shield);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(rt_yield(), 0);
	ck_assert_int_eq(rt_sleep(RT_US(10)), 0);
	rt_shield_leave(&shield);
	cleanups++;
	running--;
	return err;
}

static int is_stubborn(void *arg)
{
	(void)arg;
	running++;
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(rt_sleep(RT_FOREVER), -ECANCELED);
	running--;
	return 0;
}

/* ---- Life ---- */

IN_TASK(a_scope_without_tasks)
{
	struct rt_scope scope;

	rt_scope_enter(&scope, RT_FOREVER);
	ck_assert_int_eq(rt_yield(), 0);
	ck_assert_int_eq(leave(&scope), 0);
	ck_assert_uint_eq(rt_scope_failures(&scope), 0);
}

IN_TASK(leaving_waits_for_all)
{
	struct rt_scope scope;
	int results[] = {0, 7, INT32_MAX};

	rt_scope_enter(&scope, RT_FOREVER);
	for (int i = 0; i < 3; i++)
		spawn_in(&scope, gives, &results[i]);
	rt_yield();
	ck_assert_int_eq(running, 3);
	ck_assert_int_eq(leave(&scope), 0);
}

static int owns_too_little(void *arg)
{
	return rt_scope_leave(arg);
}

IN_TASK(misuse)
{
	struct rt_scope scope;

	rt_scope_enter(&scope, RT_FOREVER);
	ck_assert_int_eq(join_task(spawn_task(owns_too_little, &scope)), -EPERM);
	struct rt_task *task = rt_scope_spawn(&scope, sleeps, NULL);

	ck_assert_str_eq(rt_task_name(task), "sleeps");
	ck_assert_ptr_nonnull(strstr(rt_task_site(task), "scope_test.c:"));
	ck_assert_int_eq(rt_join(task, NULL, RT_FOREVER), -EINVAL);
	rt_detach(task);
	rt_detach(task);
	/* Its memory is not to be had yet. */
	ck_assert_ptr_ne(spawn_in(&scope, sleeps, NULL), task);
	rt_scope_cancel(&scope);
	ck_assert_int_eq(leave(&scope), 0);
	ck_assert_int_eq(rt_scope_leave(&scope), -EPERM);
	rt_scope_cancel(&scope);
	errno = 0;
	ck_assert_ptr_null(rt_scope_spawn(&scope, sleeps, NULL));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(rt_scope_spawn(NULL, sleeps, NULL));
}

START_TEST(outside_of_a_task)
{
	struct rt_scope scope;

	rt_scope_enter(&scope, RT_NOW);
	ck_assert_ptr_null(rt_scope_spawn(&scope, sleeps, NULL));
	rt_scope_cancel(&scope);
	ck_assert_int_eq(rt_scope_leave(&scope), -EPERM);
}
END_TEST

static int spawns_two(void *arg)
{
	static int zero;

	spawn_in(arg, gives, &zero);
	rt_yield();
	spawn_in(arg, gives, &zero);
	return 0;
}

static int spawns_from_elsewhere(void *arg)
{
	for (int i = 0; i < 3; i++) {
		spawn_in(arg, spawns_two, arg);
		rt_yield();
	}
	return 0;
}

IN_TASK(any_task_spawns_into_an_open_scope)
{
	struct rt_scope scope;

	rt_scope_enter(&scope, RT_FOREVER);
	struct rt_task *task = spawn_task(spawns_from_elsewhere, &scope);

	spawn_in(&scope, spawns_two, &scope);
	rt_yield();
	ck_assert_int_eq(leave(&scope), 0);
	ck_assert_int_eq(join_task(task), 0);
}

static int ends_and_spawns_last(void *arg)
{
	static int zero;

	/* Its scope's owner is woken by the end of this one, and must wait for the other. */
	spawn_in(arg, gives, &zero);
	return 0;
}

IN_TASK(the_last_task_spawns_another)
{
	struct rt_scope scope;

	rt_scope_enter(&scope, RT_FOREVER);
	spawn_in(&scope, ends_and_spawns_last, &scope);
	ck_assert_int_eq(leave(&scope), 0);
}

static int opens_and_ends(void *arg)
{
	rt_scope_enter(arg, RT_FOREVER);
	spawn_in(arg, cleans_up, NULL);
	rt_yield();
	return 0;
}

static bool has_ended;

static int tells_and_ends(void *arg)
{
	(void)arg;
	has_ended = true;
	return 0;
}

static int takes_its_time(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++)
		rt_yield();
	has_ended = true;
	return 0;
}

static int spawns_after_the_end(void *arg)
{
	while (!has_ended)
		rt_yield();
	has_ended = false;
	spawn_in(arg, takes_its_time, NULL);
	return 0;
}

/* Between the end of the last one, which wakes the owner, and the owner's turn. */
IN_TASK(a_task_comes_when_the_last_has_gone)
{
	struct rt_scope scope;

	rt_scope_enter(&scope, RT_FOREVER);
	spawn_in(&scope, tells_and_ends, NULL);
	struct rt_task *late = spawn_task(spawns_after_the_end, &scope);

	ck_assert_int_eq(leave(&scope), 0);
	ck_assert(has_ended);
	ck_assert_int_eq(join_task(late), 0);
}

/* A defect of the program; nothing dangles. */
IN_TASK(an_owner_that_ends_without_leaving)
{
	struct rt_scope scope;

	cleanups = 0;
	ck_assert_int_eq(join_task(spawn_task(opens_and_ends, &scope)), 0);
	errno = 0;
	ck_assert_ptr_null(rt_scope_spawn(&scope, sleeps, NULL));
	ck_assert_int_eq(errno, EINVAL);
	for (rt_time end = rt_in(RT_S(20)); running > 0 && rt_now() < end;)
		rt_yield();
	ck_assert_int_eq(cleanups, 1);
}

/* ---- Errors ---- */

static int fails(void *arg)
{
	running++;
	rt_yield();
	running--;
	return *(int *)arg;
}

IN_TASK(one_of_a_thousand_fails)
{
	struct rt_scope scope;
	int error = -EIO, count = scaled(1000, 10);

	cleanups = 0;
	rt_scope_enter(&scope, RT_FOREVER);
	for (int i = 0; i < count; i++) {
		if (i == count / 2)
			spawn_in(&scope, fails, &error);
		else
			spawn_in(&scope, cleans_up, NULL);
	}
	ck_assert_int_eq(rt_sleep(RT_FOREVER), -ECANCELED);
	ck_assert_int_eq(rt_scope_leave(&scope), -EIO);
	ck_assert_int_eq(running, 0);
	ck_assert_int_eq(cleanups, count - 1);
	ck_assert_uint_eq(rt_scope_failures(&scope), 1);
	ck_assert_int_eq(rt_yield(), 0);
}

static int fails_when_cancelled(void *arg)
{
	ck_assert_int_eq(rt_sleep(RT_FOREVER), -ECANCELED);
	return *(int *)arg;
}

IN_TASK(the_first_error_in_time_counts)
{
	struct rt_scope scope;
	int first = -EIO, second = -EPIPE;

	rt_scope_enter(&scope, RT_FOREVER);
	spawn_in(&scope, fails_when_cancelled, &second);
	spawn_in(&scope, fails_when_cancelled, &second);
	spawn_in(&scope, fails, &first);
	ck_assert_int_eq(leave(&scope), -EIO);
	ck_assert_uint_eq(rt_scope_failures(&scope), 3);
}

IN_TASK(an_error_counts_more_than_a_deadline)
{
	struct rt_scope scope;
	int error = -EIO;

	rt_scope_enter(&scope, rt_in(RT_MS(1)));
	spawn_in(&scope, fails_when_cancelled, &error);
	ck_assert_int_eq(leave(&scope), -EIO);
}

static int gives_at_once(void *arg)
{
	return *(int *)arg;
}

IN_TASK(cancelled_is_an_error_only_of_who_was_not)
{
	struct rt_scope scope;
	int error = -ECANCELED;

	rt_scope_enter(&scope, RT_FOREVER);
	rt_cancel(spawn_in(&scope, sleeps, NULL));
	ck_assert_int_eq(rt_sleep(RT_US(10)), 0);
	ck_assert_int_eq(leave(&scope), 0);
	rt_scope_enter(&scope, RT_FOREVER);
	spawn_in(&scope, gives_at_once, &error);
	ck_assert_int_eq(leave(&scope), -ECANCELED);
	ck_assert_uint_eq(rt_scope_failures(&scope), 1);
}

/* ---- Cancellation ---- */

IN_TASK(cancelling_a_scope)
{
	struct rt_scope scope;

	rt_scope_enter(&scope, RT_FOREVER);
	for (int i = 0; i < 3; i++)
		spawn_in(&scope, sleeps, NULL);
	spawn_in(&scope, is_stubborn, NULL);
	rt_yield();
	rt_scope_cancel(&scope);
	ck_assert_int_eq(rt_yield(), -ECANCELED);
	ck_assert(!rt_task_cancelled(rt_task_current()));
	ck_assert(rt_task_cancelled(spawn_in(&scope, is_stubborn, NULL)));
	ck_assert_int_eq(leave(&scope), 0);
	ck_assert_int_eq(rt_yield(), 0);
}

static int leaves(void *arg)
{
	struct rt_scope scope;
	rt_task_fn *fn = *(rt_task_fn **)arg;

	rt_scope_enter(&scope, RT_FOREVER);
	spawn_in(&scope, fn, NULL);
	spawn_in(&scope, fn, NULL);
	int err = leave(&scope);

	ck_assert_int_eq(rt_yield(), -ECANCELED);
	return err;
}

IN_TASK(the_owner_is_cancelled_while_leaving)
{
	rt_task_fn *const fns[] = {sleeps, cleans_up, is_stubborn};

	for (size_t i = 0; i < sizeof fns / sizeof *fns; i++) {
		struct rt_task *task = spawn_task(leaves, (void *)&fns[i]);

		rt_yield();
		rt_yield();
		ck_assert_int_eq(running, 2);
		rt_cancel(task);
		ck_assert_int_eq(join_task(task), -ECANCELED);
	}
}

static int enters_cancelled(void *arg)
{
	struct rt_scope scope;

	(void)arg;
	rt_scope_enter(&scope, RT_FOREVER);
	ck_assert(rt_task_cancelled(spawn_in(&scope, is_stubborn, NULL)));
	return leave(&scope);
}

IN_TASK(a_scope_of_a_cancelled_task)
{
	struct rt_task *task = spawn_task(enters_cancelled, NULL);

	rt_cancel(task);
	ck_assert_int_eq(join_task(task), -ECANCELED);
}

/* The owner is shielded; the scope around the shield is not. */
static int shields_a_scope(void *arg)
{
	struct rt_scope outer, inner;
	struct rt_shield shield, innermost;
	int zero = 0;

	(void)arg;
	rt_scope_enter(&outer, RT_FOREVER);
	spawn_in(&outer, sleeps, NULL);
	rt_shield_enter(&shield);
	rt_scope_enter(&inner, RT_FOREVER);
	struct rt_task *sheltered = spawn_in(&inner, gives, &zero);

	rt_shield_enter(&innermost);
	rt_cancel(rt_task_current());
	ck_assert(!rt_task_cancelled(sheltered));
	rt_shield_leave(&innermost);
	ck_assert_int_eq(rt_scope_leave(&inner), 0);
	rt_shield_leave(&shield);
	return leave(&outer);
}

IN_TASK(a_shield_protects_the_scopes_in_it)
{
	ck_assert_int_eq(join_task(spawn_task(shields_a_scope, NULL)), -ECANCELED);
}

/* ---- Nesting ---- */

static int nests(void *arg)
{
	int *depth = arg;
	struct rt_scope scope;

	if (*depth == 0)
		return sleeps(NULL);
	--*depth;
	rt_scope_enter(&scope, RT_FOREVER);
	spawn_in(&scope, nests, arg);
	return rt_scope_leave(&scope);
}

/* Deeper than a stack would bear recursion. */
IN_TASK(cancellation_passes_down_all_scopes)
{
	struct rt_scope scope;
	int depth = scaled(2000, 10);

	rt_scope_enter(&scope, RT_FOREVER);
	spawn_in(&scope, nests, &depth);
	while (running == 0)
		ck_assert_int_eq(rt_yield(), 0);
	rt_scope_cancel(&scope);
	ck_assert_int_eq(leave(&scope), 0);
}

static int fails_at_depth(void *arg)
{
	int *depth = arg;
	struct rt_scope scope;

	if (--*depth == 0)
		return -EIO;
	rt_scope_enter(&scope, RT_FOREVER);
	spawn_in(&scope, fails_at_depth, arg);
	spawn_in(&scope, sleeps, NULL);
	return rt_scope_leave(&scope);
}

IN_TASK(an_error_passes_up_all_scopes)
{
	struct rt_scope scope;
	int depth = 20;

	rt_scope_enter(&scope, RT_FOREVER);
	spawn_in(&scope, fails_at_depth, &depth);
	spawn_in(&scope, sleeps, NULL);
	ck_assert_int_eq(leave(&scope), -EIO);
	ck_assert_uint_eq(rt_scope_failures(&scope), 1);
}

IN_TASK(an_inner_scope_fails_alone)
{
	struct rt_scope outer, inner;
	int error = -EIO, zero = 0;

	rt_scope_enter(&outer, RT_FOREVER);
	struct rt_task *task = spawn_in(&outer, gives, &zero);

	rt_scope_enter(&inner, RT_FOREVER);
	spawn_in(&inner, gives_at_once, &error);
	ck_assert_int_eq(rt_sleep(RT_FOREVER), -ECANCELED);
	ck_assert(!rt_task_cancelled(task));
	ck_assert_int_eq(rt_scope_leave(&inner), -EIO);
	ck_assert_int_eq(rt_yield(), 0);
	ck_assert_int_eq(leave(&outer), 0);
}

/* At once, though their owner does not notice. */
IN_TASK(an_outer_scope_fails)
{
	struct rt_scope outer, middle, sheltered;
	struct rt_shield shield;
	int error = -EIO, zero = 0;

	rt_scope_enter(&outer, RT_FOREVER);
	spawn_in(&outer, fails, &error);
	rt_scope_enter(&middle, RT_FOREVER);
	struct rt_task *task = spawn_in(&middle, is_stubborn, NULL);

	rt_shield_enter(&shield);
	rt_scope_enter(&sheltered, RT_FOREVER);
	while (rt_scope_failures(&outer) == 0)
		ck_assert_int_eq(rt_yield(), 0);
	ck_assert(rt_task_cancelled(task));
	ck_assert(!rt_task_cancelled(spawn_in(&sheltered, gives, &zero)));
	ck_assert_int_eq(rt_scope_leave(&sheltered), 0);
	rt_shield_leave(&shield);
	ck_assert_int_eq(rt_scope_leave(&middle), -ECANCELED);
	ck_assert_int_eq(leave(&outer), -EIO);
	ck_assert_int_eq(rt_yield(), 0);
}

IN_TASK(an_inner_scope_that_was_not_left)
{
	struct rt_scope outer, inner;

	rt_scope_enter(&outer, RT_FOREVER);
	rt_scope_enter(&inner, RT_FOREVER);
	spawn_in(&inner, sleeps, NULL);
	ck_assert_int_eq(rt_scope_leave(&outer), 0);
	ck_assert_int_eq(leave(&inner), 0);
}

int main(void)
{
	Suite *suite = suite_create("scope");
	TCase *tcase = tcase_create("scope");

	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, a_scope_without_tasks);
	tcase_add_test(tcase, leaving_waits_for_all);
	tcase_add_test(tcase, misuse);
	tcase_add_test(tcase, outside_of_a_task);
	tcase_add_test(tcase, any_task_spawns_into_an_open_scope);
	tcase_add_test(tcase, the_last_task_spawns_another);
	tcase_add_test(tcase, a_task_comes_when_the_last_has_gone);
	tcase_add_test(tcase, an_owner_that_ends_without_leaving);
	tcase_add_test(tcase, one_of_a_thousand_fails);
	tcase_add_test(tcase, the_first_error_in_time_counts);
	tcase_add_test(tcase, an_error_counts_more_than_a_deadline);
	tcase_add_test(tcase, cancelled_is_an_error_only_of_who_was_not);
	tcase_add_test(tcase, cancelling_a_scope);
	tcase_add_test(tcase, the_owner_is_cancelled_while_leaving);
	tcase_add_test(tcase, a_scope_of_a_cancelled_task);
	tcase_add_test(tcase, a_shield_protects_the_scopes_in_it);
	tcase_add_test(tcase, cancellation_passes_down_all_scopes);
	tcase_add_test(tcase, an_error_passes_up_all_scopes);
	tcase_add_test(tcase, an_inner_scope_fails_alone);
	tcase_add_test(tcase, an_outer_scope_fails);
	tcase_add_test(tcase, an_inner_scope_that_was_not_left);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
