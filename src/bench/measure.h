/* SPDX-License-Identifier: MIT */
/*
 * Measuring one benchmark, whoever runs its body, in C or in Lua:
 *
 *	while (measure_next(&measure, &bench))
 *		... run the body with bench.n ...
 *		measure_add(&measure, &bench);
 *
 * First it finds an n for which the body takes the time of a sample, then counts what
 * is allocated, warms up, and takes the samples.
 */
#ifndef RT_BENCH_MEASURE_H
#define RT_BENCH_MEASURE_H

#include <rt/bench.h>

RT_PRIVATE_BEGIN

enum measure_phase { MEASURE_CALIBRATING, MEASURE_COUNTING, MEASURE_WARMING, MEASURE_SAMPLING, MEASURE_DONE };

struct measure {
	enum measure_phase phase;
	uint64_t n; /* operations in a sample */
	rt_time sample_time; /* that a sample should take */
	rt_time time; /* for all of them */
	rt_time spent; /* in this phase, measured or not */
	rt_time began; /* the run */
	double *samples; /* nanoseconds per operation */
	size_t count, wanted;
	uint64_t bytes; /* per operation, or 0 */
	double calls, allocated; /* per operation; negative: not counted */
};

/* seconds is for all samples together. Returns 0 or -ENOMEM. Does not suspend. */
int measure_init(struct measure *measure, double seconds, unsigned samples);
void measure_finish(struct measure *measure);

/* Sets up bench for the next run of the body. False: it has been measured. Does not suspend. */
bool measure_next(struct measure *measure, struct rt_bench *bench);

/* Takes what the run has found: elapsed, bytes, and, if memory is counted, allocations. Does not suspend. */
void measure_add(struct measure *measure, const struct rt_bench *bench, bool memory);

RT_PRIVATE_END

#endif
