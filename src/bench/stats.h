/* SPDX-License-Identifier: MIT */
/* The statistics of benchmarks: what samples say about one program, and about two. */
#ifndef RT_BENCH_STATS_H
#define RT_BENCH_STATS_H

#include <stddef.h>

RT_PRIVATE_BEGIN

struct stats {
	double min, max, mean;
	double p50, p99; /* between two samples linearly */
	/*
	 * The 95 % confidence interval of the median, by percentile bootstrap (B. Efron, 1979)
	 * with a fixed seed: the same samples give the same interval.
	 */
	double low, high;
};

/* Sorts the samples, of which there is at least one. Does not suspend. */
struct stats stats_of(double *samples, size_t count);

/* The quantile of sorted samples: 0.5 is the median. Does not suspend. */
double stats_quantile(const double *sorted, size_t count, double q);

/*
 * How likely it is that samples of one distribution differ as much as these two groups:
 * the two-sided p of the Mann-Whitney U test, by its normal approximation, with the
 * corrections for ties and continuity. Both sorted, neither empty. Does not suspend.
 */
double stats_mann_whitney(const double *a, size_t a_count, const double *b, size_t b_count);

RT_PRIVATE_END

#endif
