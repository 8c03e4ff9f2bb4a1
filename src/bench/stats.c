/* SPDX-License-Identifier: MIT */
/* The statistics of benchmarks; see stats.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "bench/stats.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum { RESAMPLES = 2000 };

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

double stats_quantile(const double *sorted, size_t count, double q)
{
	double at = q * (double)(count - 1);
	size_t below = (size_t)at;
	double part = at - (double)below;

	if (below + 1 >= count)
		return sorted[count - 1];
	return sorted[below] + part * (sorted[below + 1] - sorted[below]);
}

/* ---- Bootstrap ---- */

/* xorshift64 (G. Marsaglia, 2003). */
static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* The sample that is the rank-th of a resample, which says how often each sample is in it. */
static double ranked(const double *sorted, const uint32_t *times, size_t rank)
{
	size_t i = 0;

	for (size_t seen = times[0]; seen <= rank; seen += times[i])
		i++;
	return sorted[i];
}

static double resampled_median(const double *sorted, size_t count, uint32_t *times, uint64_t *random)
{
	for (size_t i = 0; i < count; i++)
		times[i] = 0;
	for (size_t i = 0; i < count; i++)
		times[random_next(random) % count]++;
	return (ranked(sorted, times, (count - 1) / 2) + ranked(sorted, times, count / 2)) / 2;
}

static void find_interval(const double *sorted, size_t count, struct stats *stats)
{
	uint64_t random = 0x9e3779b97f4a7c15;
	double *medians = malloc(RESAMPLES * sizeof *medians);
	uint32_t *times = malloc(count * sizeof *times);

	stats->low = sorted[0];
	stats->high = sorted[count - 1];
	if (medians && times) {
		for (int i = 0; i < RESAMPLES; i++)
			medians[i] = resampled_median(sorted, count, times, &random);
		qsort(medians, RESAMPLES, sizeof *medians, compare);
		stats->low = stats_quantile(medians, RESAMPLES, 0.025);
		stats->high = stats_quantile(medians, RESAMPLES, 0.975);
	}
	free(medians);
	free(times);
}

struct stats stats_of(double *samples, size_t count)
{
	struct stats stats = {0};

	qsort(samples, count, sizeof *samples, compare);
	for (size_t i = 0; i < count; i++)
		stats.mean += samples[i] / (double)count;
	stats.min = samples[0];
	stats.max = samples[count - 1];
	stats.p50 = stats_quantile(samples, count, 0.5);
	stats.p99 = stats_quantile(samples, count, 0.99);
	find_interval(samples, count, &stats);
	return stats;
}

/* ---- Mann-Whitney U ---- */

/* Goes through both groups in order, a run of equal samples at a time. */
struct merge {
	const double *a, *b;
	size_t a_left, b_left;
};

static size_t take_equal(const double **samples, size_t *left, double value)
{
	size_t taken = 0;

	while (*left > 0 && **samples == value) {
		++*samples;
		--*left;
		taken++;
	}
	return taken;
}

static double lowest(const struct merge *merge)
{
	if (merge->a_left == 0 || (merge->b_left > 0 && *merge->b < *merge->a))
		return *merge->b;
	return *merge->a;
}

double stats_mann_whitney(const double *a, size_t a_count, const double *b, size_t b_count)
{
	struct merge merge = {a, b, a_count, b_count};
	double na = (double)a_count, nb = (double)b_count, n = na + nb;
	double rank = 0, rank_sum = 0, ties = 0;

	while (merge.a_left + merge.b_left > 0) {
		double value = lowest(&merge);
		size_t from_a = take_equal(&merge.a, &merge.a_left, value);
		double equal = (double)(from_a + take_equal(&merge.b, &merge.b_left, value));

		/* Equal samples share the mean of their ranks. */
		rank_sum += (double)from_a * (rank + (equal + 1) / 2);
		rank += equal;
		ties += equal * equal * equal - equal;
	}
	double u = rank_sum - na * (na + 1) / 2;
	double sigma = sqrt(na * nb / 12 * (n + 1 - ties / (n * (n - 1))));
	double distance = fabs(u - na * nb / 2) - 0.5;

	return sigma > 0 && distance > 0 ? erfc(distance / sigma / sqrt(2)) : 1;
}
