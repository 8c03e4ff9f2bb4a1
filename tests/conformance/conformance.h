/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the conformance suite share. Every test runs on every registered runtime, with 1, 2
 * and 8 workers: ON_EVERY(name) { the body, as the main task }. With several workers, tasks and upcalls may
 * run at the same time: what they share is atomic.
 */
#ifndef RT_CONFORMANCE_H
#define RT_CONFORMANCE_H

#include <check.h>
#include <rt.h>
#include <stdatomic.h>

/* How long anything may take that should take no time, on a slow machine. */
#define PATIENCE RT_S(30)

/* A runtime, with a number of workers. */
struct setting {
	const struct rt_runtime_ops *ops;
	unsigned workers;
};

/* How many there are, and which one a loop test's index stands for. */
int setting_count(void);
struct setting setting_at(int index);

/* The running test's. */
extern struct rt_runtime *runtime;
extern const struct rt_runtime_ops *ops;

/* rt_run() in that setting. */
int run_in(struct setting setting, rt_task_fn *fn, const char *name);

/* Whether things have an order: there is just one worker. */
bool is_ordered(void);

#define ON_EVERY(name)                                                                                       \
	static void name##_body(void);                                                                       \
	static int name##_task(void *arg)                                                                    \
	{                                                                                                    \
		(void)arg;                                                                                   \
		runtime = rt_runtime_current();                                                              \
		ops = runtime->ops;                                                                          \
		name##_body();                                                                               \
		return 0;                                                                                    \
	}                                                                                                    \
	START_TEST(name)                                                                                     \
	{                                                                                                    \
		ck_assert_int_eq(run_in(setting_at(_i), name##_task, #name), 0);                             \
	}                                                                                                    \
	END_TEST                                                                                             \
	static void name##_body(void)

/* A test that calls run_in() itself, in setting. */
#define IN_EVERY(name)                                                                                       \
	static void name##_body(struct setting setting);                                                     \
	START_TEST(name)                                                                                     \
	{                                                                                                    \
		name##_body(setting_at(_i));                                                                 \
	}                                                                                                    \
	END_TEST                                                                                             \
	static void name##_body(struct setting setting)

#define ADD(tcase, name) tcase_add_loop_test(tcase, name, 0, setting_count())

/* Waits until count has reached wanted, and checks that it is not more. Suspends. */
void await_count(atomic_int *count, int wanted);

/* rt_spawn() that cannot fail; joins, and gives the result. */
struct rt_task *start(rt_task_fn *fn, void *arg);
int finish(struct rt_task *task);

/* The cases, one for each file. */
void add_schedule(Suite *suite);
void add_timer(Suite *suite);
void add_watch(Suite *suite);
void add_offload(Suite *suite);
void add_run(Suite *suite);
void add_task(Suite *suite);
void add_sync(Suite *suite);
void add_net(Suite *suite);

TCase *new_case(Suite *suite, const char *name);

#endif
