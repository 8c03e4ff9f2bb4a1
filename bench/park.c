/* SPDX-License-Identifier: MIT */
/* Many C tasks that wait at once: what one costs. park [TASKS]; see run-park.sh. */
#include <rt.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t parked;

static int park(void *arg)
{
	(void)arg;
	parked++;
	rt_sleep(RT_S(1000000));
	return 0;
}

/* The kilobytes of a line of /proc/self/status, such as "VmRSS:". */
static double kilobytes(const char *key)
{
	char line[256];
	double kb = 0;
	FILE *file = fopen("/proc/self/status", "r");

	while (file && fgets(line, sizeof line, file)) {
		if (strncmp(line, key, strlen(key)) == 0)
			kb = strtod(line + strlen(key), NULL);
	}
	if (file)
		fclose(file);
	return kb;
}

static void print(const char *key, double value)
{
	printf("%s=%.1f\n", key, value);
}

/* Spawns the tasks and lets them run until they wait. Returns 0 or -errno. */
static int park_all(struct rt_task **tasks, size_t count)
{
	rt_time began = rt_now(), spawned;

	parked = 0;
	for (size_t i = 0; i < count; i++) {
		tasks[i] = rt_spawn(park, NULL);
		if (!tasks[i])
			return -errno;
	}
	spawned = rt_now();
	while (parked < count)
		rt_yield();
	print("spawn_ns", (double)(spawned - began) / (double)count);
	print("start_ns", (double)(rt_now() - spawned) / (double)count);
	return 0;
}

static void unpark_all(struct rt_task **tasks, size_t count)
{
	rt_time began = rt_now();

	for (size_t i = 0; i < count; i++)
		rt_cancel(tasks[i]);
	for (size_t i = 0; i < count; i++)
		rt_join(tasks[i], NULL, RT_FOREVER);
	print("cancel_join_ns", (double)(rt_now() - began) / (double)count);
}

static int async_main(int argc, char **argv)
{
	size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
	struct rt_task **tasks = malloc((count + 1) * sizeof *tasks);
	double rss, tables;
	int err;

	if (!tasks)
		return -ENOMEM;
	memset(tasks, 1, (count + 1) * sizeof *tasks); /* their pages are not the tasks' */
	rss = kilobytes("VmRSS:");
	tables = kilobytes("VmPTE:");
	err = park_all(tasks, count);
	if (err < 0)
		return err;
	print("tasks", (double)count);
	print("bytes", (kilobytes("VmRSS:") - rss) * 1024 / (double)count);
	print("page_table_bytes", (kilobytes("VmPTE:") - tables) * 1024 / (double)count);
	unpark_all(tasks, count);
	free(tasks);
	return 0;
}

RT_MAIN(async_main)
