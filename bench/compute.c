/* SPDX-License-Identifier: MIT */
/*
 * Two CPU-bound tasks next to each other, as a multiple of the speed of one after the other: compute RUNTIME
 * WORKERS [ROUNDS]. Prints the ratio of each round, and how many CPUs the two had meanwhile: less than 2
 * means that others were busy. See run-cores.sh.
 */
#include <rt.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { DEFAULT_ROUNDS = 7 };

static uint64_t steps; /* of a job */

static uint64_t compute(uint64_t count)
{
	volatile uint64_t state = 1;

	for (uint64_t i = 0; i < count; i++)
		state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return state;
}

static int job(void *arg)
{
	(void)arg;
	compute(steps);
	return 0;
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* So many steps take about 100 ms. */
static void calibrate(void)
{
	enum { SAMPLE = 1000000 };
	rt_time began = rt_now();

	compute(SAMPLE);
	rt_time took = rt_now() - began;

	steps = SAMPLE * (uint64_t)RT_MS(100) / (uint64_t)(took > 0 ? took : 1);
}

static rt_time one_after_the_other(void)
{
	rt_time began = rt_now();

	rt_join(rt_spawn(job, NULL), NULL, RT_FOREVER);
	rt_join(rt_spawn(job, NULL), NULL, RT_FOREVER);
	return rt_now() - began;
}

static rt_time both(void)
{
	rt_time began = rt_now();
	struct rt_task *one = rt_spawn(job, NULL), *other = rt_spawn(job, NULL);

	rt_join(one, NULL, RT_FOREVER);
	rt_join(other, NULL, RT_FOREVER);
	return rt_now() - began;
}

static int measure(void *arg)
{
	int rounds = *(int *)arg;

	calibrate();
	both(); /* starts the threads */
	for (int i = 0; i < rounds; i++) {
		double serial = (double)one_after_the_other(), cpu = cpu_seconds(), together = (double)both();

		cpu = cpu_seconds() - cpu;
		printf("ratio=%.3f\ncpus=%.2f\n", serial / together, cpu * 1e9 / together);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct rt_runtime_ops *ops = argc > 2 ? rt_runtime_find(argv[1]) : NULL;
	int rounds = argc > 3 ? atoi(argv[3]) : DEFAULT_ROUNDS;

	if (!ops) {
		fprintf(stderr, "usage: compute RUNTIME WORKERS [ROUNDS]\n");
		return 2;
	}
	struct rt_runtime_options options = {.workers = (unsigned)atoi(argv[2])};
	int err = rt_run(ops, &options, measure, &rounds, "compute");

	if (err < 0)
		fprintf(stderr, "compute: %s\n", strerror(-err));
	return err < 0;
}
