/* SPDX-License-Identifier: MIT */
/* Scopes and tasks that are no C tasks: as children with records of their own, and as owners that cannot
 * wait. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "task/scope.h"

#include "support/in_task.h"
#include "support/pair.h"
#include "support/suite.h"

#include <errno.h>

/* ---- Children ---- */

struct foreign {
	struct rt_scope_child child;
	int error;
	unsigned failures_before;
};

static struct rt_scope *foreign_scope;

/* Has an error of its own; the first one is known by the scope's failures. */
static int foreign_ended(struct rt_scope_child *child)
{
	struct foreign *foreign = container_of(child, struct foreign, child);

	foreign->failures_before = rt_scope_failures(foreign_scope);
	return foreign->error;
}

static void finish_at_once(struct rt_task *task)
{
	task_finish(task, 0);
}

static void do_nothing(struct rt_task *task)
{
	(void)task;
}

static void no_ids(const struct rt_task *task, uint32_t *id, uint32_t *parent)
{
	(void)task;
	*id = *parent = 0;
}

static const struct task_ops foreign_ops = {.resume = finish_at_once, .ended = do_nothing};

IN_TASK(tasks_of_another_kind_bring_their_own_records)
{
	struct rt_scope scope;
	struct task_home home = {&rt_runtime_current()->executor, &foreign_ops, rt_runtime_current()};
	struct rt_task tasks[2];
	struct foreign records[2] = {{.error = -EIO}, {.error = -EPIPE}};

	foreign_scope = &scope;
	rt_scope_enter(&scope, RT_FOREVER);
	for (int i = 0; i < 2; i++) {
		task_init(&tasks[i], &home);
		records[i].child.ended = foreign_ended;
		scope_adopt(&scope, &tasks[i], &records[i].child);
		task_start(&tasks[i]);
	}
	ck_assert_int_eq(rt_scope_leave(&scope), -EIO);
	ck_assert_uint_eq(records[0].failures_before, 0);
	ck_assert_uint_eq(records[1].failures_before, 1);
	ck_assert_uint_eq(rt_scope_failures(&scope), 2);
}

/* ---- Owners ---- */

static int refuse_to_park(struct rt_task *task)
{
	(void)task;
	return -ENOTSUP;
}

static int sleeps(void *arg)
{
	*(int *)arg = rt_sleep(RT_FOREVER);
	return 0;
}

static struct rt_scope owned;
static int left, slept;

static void own_scope(struct rt_task *task)
{
	rt_scope_enter(&owned, RT_FOREVER);
	ck_assert_ptr_nonnull(rt_scope_spawn(&owned, sleeps, &slept));
	left = rt_scope_leave(&owned);
	ck_assert_ptr_null(task->frame);
	task_finish(task, 0);
}

IN_TASK(an_owner_that_cannot_wait_lets_its_tasks_go)
{
	static const struct task_ops ops = {
		.resume = own_scope, .park = refuse_to_park, .ended = do_nothing, .ids = no_ids};
	struct rt_task task;

	task_init(&task, &(struct task_home){&rt_runtime_current()->executor, &ops, rt_runtime_current()});
	task_start(&task);
	ck_assert_int_eq(rt_yield(), 0);
	ck_assert_int_eq(left, -ENOTSUP);
	ck_assert_int_eq(rt_scope_leave(&owned), -EPERM);
	while (slept == 0)
		ck_assert_int_eq(rt_yield(), 0);
	ck_assert_int_eq(slept, -ECANCELED);
}

/* ---- Joining who waits for the scope ---- */

static int join_owner(void *owner)
{
	return rt_join(owner, NULL, rt_in(RT_S(30))) == -EDEADLK ? 0 : -EIO;
}

static int join_owner_from_deeper(void *owner)
{
	struct rt_scope scope;

	rt_scope_enter(&scope, RT_FOREVER);
	rt_scope_spawn(&scope, join_owner, owner);
	return rt_scope_leave(&scope);
}

IN_TASK(nobody_joins_the_owner_of_a_scope_around)
{
	struct rt_scope scope;

	rt_scope_enter(&scope, RT_FOREVER);
	rt_scope_spawn(&scope, join_owner, rt_task_current());
	rt_scope_spawn(&scope, join_owner_from_deeper, rt_task_current());
	ck_assert_int_eq(rt_scope_leave(&scope), 0);
}

int main(void)
{
	Suite *suite = suite_create("scope children");
	TCase *tcase = tcase_create("scope children");

	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, tasks_of_another_kind_bring_their_own_records);
	tcase_add_test(tcase, an_owner_that_cannot_wait_lets_its_tasks_go);
	tcase_add_test(tcase, nobody_joins_the_owner_of_a_scope_around);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
