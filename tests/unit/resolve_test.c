/* SPDX-License-Identifier: MIT */
/* Name resolution: what comes out, and that nobody else waits for it. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "runtime/lifecycle.h"
#include "sched/pool.h"
#include "support/in_task.h"
#include "support/pair.h"
#include "support/suite.h"

#include <errno.h>
#include <semaphore.h>
#include <string.h>
#include <time.h>

enum { MAX = 8 };

static bool is_loopback(const struct rt_addr *addr)
{
	if (addr->u.any.sa_family == AF_INET)
		return ntohl(addr->u.v4.sin_addr.s_addr) == INADDR_LOOPBACK;
	return IN6_IS_ADDR_LOOPBACK(&addr->u.v6.sin6_addr);
}

/* ---- Results ---- */

START_TEST(numeric_and_empty_hosts_need_no_task)
{
	struct rt_addr addrs[MAX];
	char text[RT_ADDR_TEXT_MAX];

	ck_assert_int_eq(rt_resolve("127.0.0.1:80", addrs, MAX, RT_NOW), 1);
	ck_assert_str_eq(rt_addr_text(addrs, text), "127.0.0.1:80");
	ck_assert_int_eq(rt_resolve("[::1]:65535", addrs, MAX, RT_NOW), 1);
	ck_assert_str_eq(rt_addr_text(addrs, text), "[::1]:65535");
	ck_assert_int_eq(rt_resolve(":0", addrs, MAX, RT_NOW), 1);
	ck_assert_str_eq(rt_addr_text(addrs, text), "0.0.0.0:0");
	ck_assert_int_eq(rt_resolve("localhost:1", addrs, MAX, RT_FOREVER), -EPERM);
}
END_TEST

IN_TASK(texts_that_are_no_addresses)
{
	static const char *const texts[] = {"",           "host",  "host:",    "host:x",
					    "host:70000", "a b:1", "[host]:1", "::1:1"};
	struct rt_addr addrs[MAX];
	char long_name[300];

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		ck_assert_int_eq(rt_resolve(texts[i], addrs, MAX, RT_FOREVER), -EINVAL);
	memset(long_name, 'a', sizeof long_name);
	strcpy(long_name + sizeof long_name - 3, ":1");
	ck_assert_int_eq(rt_resolve(long_name, addrs, MAX, RT_FOREVER), -EINVAL);
	ck_assert_int_eq(rt_resolve(NULL, addrs, MAX, RT_FOREVER), -EINVAL);
	ck_assert_int_eq(rt_resolve("localhost:1", addrs, 0, RT_FOREVER), -EINVAL);
}

IN_TASK(localhost)
{
	struct rt_addr addrs[MAX], first;
	int count = rt_resolve("localhost:1234", addrs, MAX, RT_FOREVER);

	ck_assert_int_ge(count, 1);
	for (int i = 0; i < count; i++) {
		ck_assert(is_loopback(&addrs[i]));
		ck_assert_uint_eq(rt_addr_port(&addrs[i]), 1234);
		for (int j = 0; j < i; j++)
			ck_assert(!rt_addr_equal(&addrs[i], &addrs[j]));
	}
	ck_assert_int_eq(rt_resolve("localhost:1234", &first, 1, RT_FOREVER), 1);
	ck_assert(rt_addr_equal(&first, &addrs[0]));
}

/* Without a name service, or while it does not answer, one cannot tell. */
static bool is_unknown(int err)
{
	return err == -ENOENT || err == -EAGAIN;
}

IN_TASK(a_name_that_does_not_exist)
{
	struct rt_addr addr;
	struct rt_tcp *tcp;
	struct rt_tcp_listener *listener;
	struct rt_udp *udp;

	ck_assert(is_unknown(rt_resolve("nobody.invalid:1", &addr, 1, RT_FOREVER)));
	ck_assert(is_unknown(rt_tcp_connect(&tcp, "nobody.invalid:1", RT_FOREVER)));
	ck_assert_ptr_null(tcp);
	ck_assert(is_unknown(rt_tcp_listen(&listener, "nobody.invalid:1", NULL)));
	ck_assert_ptr_null(listener);
	ck_assert(is_unknown(rt_udp_bind(&udp, "nobody.invalid:1")));
	ck_assert_ptr_null(udp);
}

/* ---- While it takes long: every thread of the pool is busy until the test says so ---- */

struct blocker {
	struct rt_job job;
	bool done;
};

static sem_t begun, may_end;
static struct blocker blockers[POOL_MAX_THREADS];

static void block(struct rt_job *job)
{
	struct timespec until;

	(void)job;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 30;
	sem_post(&begun);
	sem_timedwait(&may_end, &until);
}

static void unblocked(struct rt_job *job)
{
	((struct blocker *)job)->done = true;
}

static void block_pool(void)
{
	struct rt_runtime *runtime = rt_runtime_current();

	sem_init(&begun, 0, 0);
	sem_init(&may_end, 0, 0);
	for (int i = 0; i < POOL_MAX_THREADS; i++) {
		blockers[i] = (struct blocker){{.work = block, .done = unblocked}, false};
		ck_assert_int_eq(runtime->ops->offload(runtime, &blockers[i].job), 0);
	}
	for (int i = 0; i < POOL_MAX_THREADS; i++)
		sem_wait(&begun);
}

static void unblock_pool(void)
{
	for (int i = 0; i < POOL_MAX_THREADS; i++)
		sem_post(&may_end);
}

static int resolve(void *arg)
{
	struct rt_addr addr;

	return rt_resolve("localhost:1", &addr, 1, *(rt_time *)arg);
}

static rt_time for_ever = RT_FOREVER;

static int count_turns(void *arg)
{
	int *turns = arg;

	while (rt_yield() == 0)
		++*turns;
	return 0;
}

IN_TASK(others_run_meanwhile)
{
	int turns = 0;

	block_pool();
	struct rt_task *task = spawn_task(resolve, &for_ever), *counter = spawn_task(count_turns, &turns);

	ck_assert_int_eq(rt_sleep(RT_MS(2)), 0);
	ck_assert_int_gt(turns, 2);
	ck_assert_int_eq(rt_join(task, NULL, RT_NOW), -ETIMEDOUT);
	unblock_pool();
	ck_assert_int_eq(join_task(task), 1);
	rt_cancel(counter);
	join_task(counter);
}

IN_TASK(it_times_out_and_is_cancelled)
{
	rt_time soon = rt_in(RT_MS(2)), now = RT_NOW;

	block_pool();
	ck_assert_int_eq(join_task(spawn_task(resolve, &now)), -ETIMEDOUT);
	ck_assert_int_eq(join_task(spawn_task(resolve, &soon)), -ETIMEDOUT);
	ck_assert_int_ge(rt_now(), soon);
	struct rt_task *task = spawn_task(resolve, &for_ever);

	ck_assert_int_eq(rt_sleep(RT_MS(1)), 0);
	rt_cancel(task);
	ck_assert_int_eq(join_task(task), -ECANCELED);
	struct rt_tcp *tcp;

	ck_assert_int_eq(rt_tcp_connect(&tcp, "localhost:1", rt_in(RT_MS(1))), -ETIMEDOUT);
	ck_assert_ptr_null(tcp);
	/* Those that were abandoned are finished before this one, and freed. */
	unblock_pool();
	ck_assert_int_eq(join_task(spawn_task(resolve, &for_ever)), 1);
}

static int leave_resolving(void *arg)
{
	block_pool();
	rt_detach(spawn_task(resolve, &for_ever));
	rt_yield();
	if (*(bool *)arg)
		unblock_pool();
	return 0;
}

/* The loop's index: whether the pool's threads come back while the runtime ends, or afterwards. */
START_TEST(the_runtime_ends_while_resolving)
{
	bool unblock = _i;

	ck_assert_int_eq(rt_run(&rt_native, NULL, leave_resolving, &unblock, NULL), 0);
	if (!unblock)
		unblock_pool();
}
END_TEST

static int resolve_behind_a_shield(void *arg)
{
	struct rt_shield shield;

	rt_shield_enter(&shield);
	return resolve(arg);
}

static int leave_shielded(void *arg)
{
	rt_detach(spawn_task(resolve_behind_a_shield, &for_ever));
	return leave_resolving(arg);
}

/* Leak checkers see whether the resolution is freed, whose task never comes back from it. */
START_TEST(a_task_is_abandoned_while_resolving)
{
	bool unblock = false;
	rt_time start = rt_now();

	ck_assert_int_eq(rt_run(&rt_native, NULL, leave_shielded, &unblock, NULL), 0);
	ck_assert_int_ge(rt_now() - start, LIFECYCLE_GRACE);
	unblock_pool();
}
END_TEST

/* Abandoned in the middle of getaddrinfo() itself, over and over. */
IN_TASK(abandoned_under_way)
{
	for (int i = 0; i < 200; i++) {
		struct rt_task *task = spawn_task(resolve, &for_ever);

		rt_yield();
		if (i % 3)
			rt_sleep(RT_US(i));
		rt_cancel(task);
		int result = join_task(task);

		ck_assert(result == 1 || result == -ECANCELED);
	}
}

static struct rt_udp *doomed;

static int connect_doomed(void *arg)
{
	(void)arg;
	return rt_udp_connect(doomed, "localhost:1", RT_FOREVER);
}

IN_TASK(a_socket_is_destroyed_while_its_peer_is_resolved)
{
	ck_assert_int_eq(rt_udp_bind(&doomed, "127.0.0.1:0"), 0);
	struct rt_task *task = spawn_task(connect_doomed, NULL);

	rt_yield();
	rt_udp_destroy(doomed);
	ck_assert_int_eq(join_task(task), -EBADF);
}

int main(void)
{
	Suite *suite = suite_create("resolve");
	TCase *tcase = tcase_create("resolve");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, numeric_and_empty_hosts_need_no_task);
	tcase_add_test(tcase, texts_that_are_no_addresses);
	tcase_add_test(tcase, localhost);
	tcase_add_test(tcase, a_name_that_does_not_exist);
	tcase_add_test(tcase, others_run_meanwhile);
	tcase_add_test(tcase, it_times_out_and_is_cancelled);
	tcase_add_loop_test(tcase, the_runtime_ends_while_resolving, 0, 2);
	tcase_add_test(tcase, a_task_is_abandoned_while_resolving);
	tcase_add_test(tcase, abandoned_under_way);
	tcase_add_test(tcase, a_socket_is_destroyed_while_its_peer_is_resolved);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
