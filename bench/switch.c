/* SPDX-License-Identifier: MIT */
/* What a switch between C tasks and a short-lived one cost. switch [SCALE]; see run-switch.sh. */
#include <rt.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { MANY = 10000, YIELDS = 4000000, SPAWNS = 1000000 };

static size_t turns;

static int yield_often(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < turns; i++)
		rt_yield();
	return 0;
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static void print(const char *key, rt_time time, size_t times)
{
	printf("%s=%.2f\n", key, (double)time / (double)times);
}

/* Nanoseconds in which count tasks yield `turns` times each. -errno when they cannot be spawned. */
static rt_time time_yields(struct rt_task **tasks, size_t count)
{
	rt_time began;

	for (size_t i = 0; i < count; i++) {
		tasks[i] = rt_spawn(yield_often, NULL);
		if (!tasks[i])
			return -errno;
	}
	rt_yield(); /* they have all run once: their stacks are there */
	began = rt_now();
	for (size_t i = 0; i < count; i++)
		rt_join(tasks[i], NULL, RT_FOREVER);
	return rt_now() - began;
}

static int measure_yields(const char *key, size_t count, double scale)
{
	static struct rt_task *tasks[MANY];
	rt_time time;

	turns = (size_t)(scale * YIELDS) / count + 1;
	time = time_yields(tasks, count);
	if (time < 0)
		return (int)time;
	print(key, time, turns * count);
	return 0;
}

static int measure_spawns(double scale)
{
	size_t count = (size_t)(scale * SPAWNS) + 1;
	rt_time began = rt_now();

	for (size_t i = 0; i < count; i++) {
		int err = rt_join(rt_spawn(nothing, NULL), NULL, RT_FOREVER);

		if (err < 0)
			return err;
	}
	print("spawn_join_ns", rt_now() - began, count);
	return 0;
}

static int async_main(int argc, char **argv)
{
	double scale = argc > 1 ? strtod(argv[1], NULL) : 1;
	int err = measure_yields("yield_2_ns", 2, scale);

	if (err == 0)
		err = measure_yields("yield_10000_ns", MANY, scale);
	return err == 0 ? measure_spawns(scale) : err;
}

RT_MAIN(async_main)
