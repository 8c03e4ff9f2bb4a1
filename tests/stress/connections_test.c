/* SPDX-License-Identifier: MIT */
/* Many connections, opened and closed over and over: nothing stays behind. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/pair.h"
#include "support/suite.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { CONNECTIONS = 10000, ROUNDS = 10 };

static struct rt_tcp_listener *listener;
static struct rt_tcp *clients[CONNECTIONS];
static int count, served;

static int descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int found = 0;

	ck_assert_ptr_nonnull(folder);
	while (readdir(folder))
		found++;
	closedir(folder);
	return found;
}

static size_t resident(void)
{
	unsigned long size = 0, pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%lu %lu", &size, &pages), 2);
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static int echo(void *arg)
{
	char buf[64];
	ssize_t got;

	while ((got = rt_tcp_read(arg, buf, sizeof buf, RT_FOREVER)) > 0)
		if (rt_tcp_write(arg, buf, (size_t)got, NULL, RT_FOREVER) < 0)
			break;
	rt_tcp_destroy(arg);
	served++;
	return 0;
}

static int serve(void *arg)
{
	struct rt_tcp *tcp;

	(void)arg;
	while (rt_tcp_accept(listener, &tcp, NULL, RT_FOREVER) == 0)
		rt_detach(spawn_task(echo, tcp));
	return 0;
}

static void expect(bool holds, const char *what)
{
	if (!holds)
		ck_abort_msg("%s", what);
}

/* Resets: a client's end of 100,000 connections would use up the ports in TIME_WAIT. */
static void round_trip(const struct rt_addr *addr)
{
	char buf[8];

	served = 0;
	for (int i = 0; i < count; i++)
		expect(rt_tcp_connect_addr(&clients[i], addr, RT_FOREVER) == 0, "connects");
	for (int i = 0; i < count; i++)
		expect(rt_tcp_write(clients[i], "ping", 4, NULL, RT_FOREVER) == 4, "writes");
	for (int i = 0; i < count; i++)
		expect(rt_tcp_read_exactly(clients[i], buf, 4, NULL, RT_FOREVER) == 4, "reads");
	for (int i = 0; i < count; i++)
		reset_end(clients[i]);
	while (served < count)
		expect(rt_sleep(RT_MS(1)) == 0, "sleeps");
}

static void allow_descriptors(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	count = scaled(CONNECTIONS, 20);
	/* Two ends each. */
	if (limit.rlim_cur < 2 * (rlim_t)count + 100)
		count = (int)(limit.rlim_cur - 100) / 2;
}

IN_TASK(descriptors_and_memory_return_to_the_start)
{
	allow_descriptors();
	listener = listen_on("127.0.0.1:0");
	struct rt_addr addr = addr_of(listener);
	struct rt_task *server = spawn_task(serve, NULL);
	int before = descriptors();
	size_t memory = 0;

	for (int i = 0; i < ROUNDS; i++) {
		round_trip(&addr);
		ck_assert_int_eq(descriptors(), before);
		/* What is kept for the next round is there after the second. */
		if (i == 1)
			memory = resident();
	}
	printf("%d times %d connections, %zu KiB resident\n", ROUNDS, count, resident() >> 10);
	/* A mebibyte more: of a few connections, a twentieth is little next to what the C library touches. */
	if (!SANITIZED && !RUNNING_ON_VALGRIND)
		ck_assert_uint_le(resident(), memory + memory / 20 + (1 << 20));
	rt_tcp_listener_destroy(listener);
	join_task(server);
}

int main(void)
{
	Suite *suite = suite_create("connections");
	TCase *tcase = tcase_create("connections");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, descriptors_and_memory_return_to_the_start);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
