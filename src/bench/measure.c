/* SPDX-License-Identifier: MIT */
/* Measuring one benchmark; see measure.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "bench/measure.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum {
	GROWTH_MAX = 100, /* of n from run to run: the first ones are slow, and so misleading */
	COUNTED_MAX = 1000, /* operations whose allocations are counted, garbage not being collected */
	SAMPLES_MIN = 5,
	OVERTIME = 2, /* how many times the time it may take before fewer samples have to do */
};

/* For a body that does nothing, or ignores n. */
static const uint64_t n_max = UINT64_C(10000000000);

int measure_init(struct measure *measure, double seconds, unsigned samples)
{
	*measure = (struct measure){
		.n = 1,
		.time = (rt_time)(seconds * 1e9),
		.wanted = samples,
		.samples = calloc(samples, sizeof *measure->samples),
		.calls = -1,
		.allocated = -1,
	};
	measure->sample_time = measure->time / samples;
	return measure->samples ? 0 : -ENOMEM;
}

void measure_finish(struct measure *measure)
{
	free(measure->samples);
}

/* Real time, while the benchmark's timer may stand still. */
static rt_time clock_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return RT_S(time.tv_sec) + time.tv_nsec;
}

bool measure_next(struct measure *measure, struct rt_bench *bench)
{
	*bench = (struct rt_bench){.n = measure->n};
	if (measure->phase == MEASURE_COUNTING && bench->n > COUNTED_MAX)
		bench->n = COUNTED_MAX;
	measure->began = clock_now();
	return measure->phase != MEASURE_DONE;
}

static void enter(struct measure *measure, enum measure_phase phase)
{
	measure->phase = phase;
	measure->spent = 0;
}

static double ratio(rt_time wanted, rt_time had)
{
	return (double)wanted / (double)(had > 0 ? had : 1);
}

/*
 * From what was measured to the time of a sample; but no run may take longer than all
 * samples together, even if most of it is not measured.
 */
static void calibrate(struct measure *measure, rt_time elapsed, rt_time took)
{
	double factor = ratio(measure->sample_time, elapsed), most = ratio(measure->time, took);
	bool near = elapsed >= measure->sample_time / 2 || measure->n >= n_max || most < 2;

	if (factor > most)
		factor = most > 1 ? most : 1;
	if (factor > GROWTH_MAX)
		factor = GROWTH_MAX;
	uint64_t n = (uint64_t)((double)measure->n * factor + 0.5);

	if (!near && n <= measure->n)
		n = measure->n + 1;
	measure->n = n < 1 ? 1 : n > n_max ? n_max : n;
	if (near)
		enter(measure, MEASURE_COUNTING);
}

static void count(struct measure *measure, const struct rt_bench *bench, bool memory)
{
	if (memory) {
		measure->calls = (double)bench->calls / (double)bench->n;
		measure->allocated = (double)bench->allocated / (double)bench->n;
	}
	measure->bytes = bench->bytes;
	enter(measure, MEASURE_WARMING);
}

static void sample(struct measure *measure, const struct rt_bench *bench)
{
	measure->samples[measure->count++] = (double)bench->elapsed / (double)bench->n;
	bool overtime = measure->spent > OVERTIME * measure->time && measure->count >= SAMPLES_MIN;

	if (measure->count == measure->wanted || overtime)
		enter(measure, MEASURE_DONE);
}

void measure_add(struct measure *measure, const struct rt_bench *bench, bool memory)
{
	rt_time took = clock_now() - measure->began;

	if (took < bench->elapsed)
		took = bench->elapsed;
	measure->spent += took;
	switch (measure->phase) {
	case MEASURE_CALIBRATING:
		calibrate(measure, bench->elapsed, took);
		break;
	case MEASURE_COUNTING:
		count(measure, bench, memory);
		break;
	case MEASURE_WARMING:
		/* A tenth; one run at least. */
		if (measure->spent >= measure->time / 10 || took == 0)
			enter(measure, MEASURE_SAMPLING);
		break;
	case MEASURE_SAMPLING:
		sample(measure, bench);
		break;
	case MEASURE_DONE:
		break;
	}
}
