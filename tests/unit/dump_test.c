/* SPDX-License-Identifier: MIT */
/* Lists of tasks: who is in them, in which order, and what each waits for. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/named_waits.h"
#include "support/suite.h"
#include "task/task.h"

#include <errno.h>
#include <fcntl.h>

/* ---- The tree ---- */

IN_TASK(main_alone)
{
	ck_assert_int_eq(list(), 1);
	const struct record *record = &records[0];

	ck_assert_uint_eq(record->info.id, 1);
	ck_assert_uint_eq(record->info.parent, 0);
	ck_assert_uint_eq(record->info.depth, 0);
	ck_assert_str_eq(record->name, "main_alone");
	ck_assert_str_eq(record->site, "?");
	ck_assert_str_eq(record->info.status, "running");
	ck_assert_ptr_null(record->info.waits_for);
	ck_assert_str_eq(record->info.detail, "");
}

/* Spawns two, "a1" and "a2" for "a", and waits for *arg. */
static int has_children(void *arg)
{
	char name[] = {rt_task_name(rt_task_current())[0], '1', '\0'};
	struct rt_task *first = spawn_named(sleeps, NULL, name);

	name[1] = '2';
	struct rt_task *second = spawn_named(sleeps, NULL, name);
	int err = rt_event_wait(arg, RT_FOREVER);

	rt_detach(first);
	rt_detach(second);
	return err;
}

static void expect_order(const char *const *names, const unsigned *depths, int count)
{
	ck_assert_int_eq(list(), count);
	for (int i = 0; i < count; i++) {
		ck_assert_str_eq(records[i].name, names[i]);
		ck_assert_uint_eq(records[i].info.depth, depths[i]);
	}
}

IN_TASK(children_follow_their_parents_in_order)
{
	static const char *const all[] = {
		"children_follow_their_parents_i", "a", "a1", "a2", "b", "b1", "b2"};
	static const unsigned depths[] = {0, 1, 2, 2, 1, 2, 2};
	static const char *const left[] = {"children_follow_their_parents_i", "b", "b1", "b2", "a1", "a2"};
	static const unsigned depths_left[] = {0, 1, 2, 2, 0, 0};
	struct rt_event *end;

	ck_assert_int_eq(rt_event_create(&end), 0);
	struct rt_task *a = spawn_named(has_children, end, "a"), *b = spawn_named(has_children, end, "b");

	settle();
	expect_order(all, depths, 7);
	ck_assert_uint_eq(find("a")->info.parent, 1);
	ck_assert_uint_eq(find("a1")->info.parent, find("a")->info.id);
	ck_assert_uint_eq(find("b2")->info.parent, find("b")->info.id);
	/* Whose parent has ended stands at the top. */
	stop(a);
	expect_order(left, depths_left, 6);
	ck_assert_uint_eq(find("a2")->info.parent, 0);
	rt_event_set(end);
	ck_assert_int_eq(join_task(b), 0);
	rt_event_destroy(end);
}

static int chain_left;

static int spawns_next(void *arg)
{
	if (--chain_left > 0)
		rt_detach(spawn_named(spawns_next, arg, "link"));
	return rt_sleep(RT_S(1000));
}

static unsigned chain_seen;

static void expect_deeper(const struct rt_task_info *info, void *arg)
{
	(void)arg;
	ck_assert_uint_eq(info->depth, chain_seen);
	ck_assert_uint_eq(info->id, chain_seen + 1);
	ck_assert_uint_eq(info->parent, chain_seen++);
}

IN_TASK(thousands_in_a_chain)
{
	int count = scaled(5000, 10);

	chain_left = count;
	rt_detach(spawn_named(spawns_next, NULL, "link"));
	while (chain_left > 0)
		rt_yield();
	ck_assert_int_eq(rt_task_list(expect_deeper, NULL), count + 1);
	FILE *file = fopen("/dev/null", "w");

	rt_task_dump(file);
	fclose(file);
}

IN_TASK(numbers_come_again)
{
	enum { CHAIN = 6 };

	rt_runtime_current()->last_task_id = UINT32_MAX - 3;
	chain_left = CHAIN;
	rt_detach(spawn_named(spawns_next, NULL, "link"));
	settle();
	ck_assert_int_eq(list(), CHAIN + 1);
	for (int i = 0; i < record_count; i++)
		ck_assert_uint_ne(records[i].info.id, 0);
}

/* Two that are each other's parents: the first one's has ended, and the second has got its number. */
static int parent_of_itself(void *arg)
{
	uint32_t id, parent;

	rt_task_current()->home->ops->ids(rt_task_current(), &id, &parent);
	rt_runtime_current()->last_task_id = parent - 1;
	rt_detach(spawn_named(sleeps, NULL, "second"));
	return rt_event_wait(arg, RT_FOREVER);
}

static int spawns_and_ends(void *arg)
{
	rt_detach(spawn_named(parent_of_itself, arg, "first"));
	return 0;
}

IN_TASK(a_circle_of_parents_is_listed)
{
	struct rt_event *end;

	ck_assert_int_eq(rt_event_create(&end), 0);
	join_task(spawn_named(spawns_and_ends, end, "gone"));
	settle();
	ck_assert_int_eq(list(), 3);
	ck_assert_uint_eq(find("second")->info.parent, 0);
	ck_assert_uint_eq(find("first")->info.parent, find("second")->info.id);
	rt_event_set(end);
	settle();
	rt_event_destroy(end);
}

/* ---- States and waits ---- */

IN_TASK(a_task_that_has_not_started)
{
	struct rt_task *task = spawn_named(sleeps, NULL, "new");

	list();
	ck_assert_str_eq(find("new")->info.status, "runnable");
	ck_assert_ptr_null(find("new")->info.waits_for);
	expect_match(find("new")->site, "listing\\.h:[0-9]+$");
	stop(task);
}

static int yields(void *arg)
{
	while (!*(bool *)arg)
		rt_yield();
	return 0;
}

IN_TASK(who_gives_way_is_runnable)
{
	bool end = false;
	struct rt_task *task = spawn_named(yields, &end, "yields");

	settle();
	list();
	ck_assert_str_eq(find("yields")->info.status, "runnable");
	ck_assert_ptr_null(find("yields")->info.waits_for);
	end = true;
	join_task(task);
}

static void expect_wait(rt_task_fn *fn, const struct wait *wait, const char *deadline)
{
	struct rt_task *task = spawn_named(fn, (void *)wait, "waits");
	char pattern[160];

	settle();
	list();
	snprintf(pattern, sizeof pattern, "^%s%s%s$", wait->detail, *wait->detail && *deadline ? ", " : "",
		 deadline);
	ck_assert_str_eq(find("waits")->info.status, "waiting");
	ck_assert_str_eq(find("waits")->waits_for, wait->what);
	expect_match(find("waits")->info.detail, pattern);
	stop(task);
}

IN_TASK(each_wait_says_what_for)
{
	open_sources();
	for (int i = 0; i < WAITS; i++) {
		expect_wait(wait_for_ever, &waits[i], "");
		expect_wait(wait_until, &waits[i], "(500\\.000|49[0-9]\\.[0-9]{3}) s left");
	}
	close_sources();
}

static int write_to_full_pipe(void *arg)
{
	int *ends = arg;
	char block[4096] = {0};

	while (write(ends[1], block, sizeof block) > 0)
		;
	return rt_wait_fd(ends[1], RT_WRITE, RT_FOREVER);
}

IN_TASK(the_descriptor_is_named)
{
	int ends[2];
	char detail[32];

	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	struct rt_task *task = spawn_named(write_to_full_pipe, ends, "writes");

	settle();
	list();
	snprintf(detail, sizeof detail, "descriptor %d", ends[1]);
	ck_assert_str_eq(find("writes")->waits_for, "writable");
	ck_assert_str_eq(find("writes")->info.detail, detail);
	stop(task);
	close(ends[0]);
	close(ends[1]);
}

static int sleeps_until(void *arg)
{
	return rt_sleep_until(*(rt_time *)arg);
}

IN_TASK(a_deadline_that_has_passed_is_not_negative)
{
	rt_time deadline = rt_in(RT_MS(20));
	struct rt_task *task = spawn_named(sleeps_until, &deadline, "late");

	settle();
	while (rt_now() < deadline + RT_MS(5))
		;
	list();
	ck_assert_str_eq(find("late")->info.status, "waiting");
	ck_assert_str_eq(find("late")->info.detail, "0.000 s left");
	join_task(task);
}

/* ---- Other kinds of tasks ---- */

static int groups_asked;

static struct rt_task *none(struct task_group *group, struct rt_task *task)
{
	(void)group;
	ck_assert_ptr_null(task);
	groups_asked++;
	return NULL;
}

static int ask_groups(void)
{
	groups_asked = 0;
	list();
	return groups_asked;
}

IN_TASK(groups_come_and_go)
{
	struct rt_runtime *runtime = rt_runtime_current();

	for (int first = 0; first < 3; first++) {
		struct task_group groups[3] = {{NULL, none}, {NULL, none}, {NULL, none}};
		struct task_group stranger = {NULL, none};

		for (int i = 0; i < 3; i++)
			task_groups_add(runtime, &groups[i]);
		ck_assert_int_eq(ask_groups(), 3);
		task_groups_remove(runtime, &stranger);
		for (int i = 0; i < 3; i++) {
			task_groups_remove(runtime, &groups[(first + i) % 3]);
			ck_assert_int_eq(ask_groups(), 2 - i);
		}
		task_groups_remove(runtime, &stranger);
	}
}

/* ---- Errors ---- */

IN_TASK(a_visitor_is_needed)
{
	ck_assert_int_eq(rt_task_list(NULL, NULL), -EINVAL);
}

START_TEST(without_a_runtime)
{
	ck_assert_int_eq(rt_task_list(note, records), -EPERM);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dump");
	TCase *tcase = tcase_create("dump");

	tcase_add_test(tcase, main_alone);
	tcase_add_test(tcase, children_follow_their_parents_in_order);
	tcase_add_test(tcase, thousands_in_a_chain);
	tcase_add_test(tcase, numbers_come_again);
	tcase_add_test(tcase, a_circle_of_parents_is_listed);
	tcase_add_test(tcase, a_task_that_has_not_started);
	tcase_add_test(tcase, who_gives_way_is_runnable);
	tcase_add_test(tcase, each_wait_says_what_for);
	tcase_add_test(tcase, the_descriptor_is_named);
	tcase_add_test(tcase, a_deadline_that_has_passed_is_not_negative);
	tcase_add_test(tcase, groups_come_and_go);
	tcase_add_test(tcase, a_visitor_is_needed);
	tcase_add_test(tcase, without_a_runtime);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
