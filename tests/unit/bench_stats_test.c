/* SPDX-License-Identifier: MIT */
/* The statistics of benchmarks on samples whose figures are known. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "bench/stats.h"
#include "support/suite.h"

static void near(double actual, double expected, double tolerance)
{
	ck_assert_double_ge(actual, expected - tolerance);
	ck_assert_double_le(actual, expected + tolerance);
}

START_TEST(figures_of_unsorted_samples)
{
	double samples[] = {4, 1, 3, 2, 10};
	struct stats stats = stats_of(samples, 5);

	near(stats.min, 1, 0);
	near(stats.max, 10, 0);
	near(stats.mean, 4, 1e-12);
	near(stats.p50, 3, 0);
	near(stats.p99, 4 + 0.96 * 6, 1e-12);
	near(samples[0], 1, 0);
	near(samples[4], 10, 0);
}
END_TEST

START_TEST(quantiles_lie_between_samples)
{
	const double sorted[] = {1, 2, 4, 8};

	near(stats_quantile(sorted, 4, 0), 1, 0);
	near(stats_quantile(sorted, 4, 0.5), 3, 0);
	near(stats_quantile(sorted, 4, 0.25), 1.75, 1e-12);
	near(stats_quantile(sorted, 4, 1), 8, 0);
	near(stats_quantile(sorted, 1, 0.99), 1, 0);
}
END_TEST

START_TEST(one_sample_is_its_own_interval)
{
	double sample = 7;
	struct stats stats = stats_of(&sample, 1);

	near(stats.p50, 7, 0);
	near(stats.low, 7, 0);
	near(stats.high, 7, 0);
	near(stats.p99, 7, 0);
}
END_TEST

/*
 * Of 1 to 99 the exact interval of order statistics is the 40th to the 60th: 50 -/+ 1.96 * sqrt(99) / 2.
 * The bootstrap's must be close to it.
 */
START_TEST(the_interval_is_that_of_order_statistics)
{
	double samples[99];

	for (int i = 0; i < 99; i++)
		samples[i] = (i * 37) % 99 + 1;
	struct stats stats = stats_of(samples, 99);

	near(stats.p50, 50, 0);
	near(stats.low, 40, 2);
	near(stats.high, 60, 2);
	struct stats again = stats_of(samples, 99);

	near(again.low, stats.low, 0);
	near(again.high, stats.high, 0);
}
END_TEST

/* The median of an even number of samples lies between two, in resamples as well. */
START_TEST(the_interval_of_two_samples)
{
	double samples[] = {3, 1};
	struct stats stats = stats_of(samples, 2);

	near(stats.p50, 2, 0);
	near(stats.low, 1, 0);
	near(stats.high, 3, 0);
}
END_TEST

/* By hand: U = 0, mean 12.5, sigma sqrt(25 * 11 / 12), z = 12 / 4.787 = 2.507. */
START_TEST(groups_apart)
{
	const double a[] = {1, 2, 3, 4, 5}, b[] = {6, 7, 8, 9, 10};

	near(stats_mann_whitney(a, 5, b, 5), 0.012186, 1e-5);
	near(stats_mann_whitney(b, 5, a, 5), 0.012186, 1e-5);
}
END_TEST

/*
 * By hand: ranks 1, 2.5 and 2.5, 4 of {1, 2} and {2, 3}; U = 0.5, mean 2,
 * sigma sqrt(4 / 12 * (5 - 6 / 12)) = 1.2247, z = 1 / 1.2247 = 0.8165.
 */
START_TEST(ties_share_their_ranks)
{
	const double a[] = {1, 2}, b[] = {2, 3};

	near(stats_mann_whitney(a, 2, b, 2), 0.414216, 1e-5);
}
END_TEST

/* U = 23 of 42, no ties: sigma 7, z = (2 - 0.5) / 7 = 0.2143. */
START_TEST(groups_mixed)
{
	const double a[] = {1, 4, 5, 9, 12, 20}, b[] = {2, 3, 6, 7, 8, 10, 11};

	near(stats_mann_whitney(a, 6, b, 7), 0.8303, 1e-3);
}
END_TEST

START_TEST(equal_groups_do_not_differ)
{
	const double same[] = {5, 5, 5, 5}, spread[] = {1, 2, 3, 4};

	near(stats_mann_whitney(same, 4, same, 4), 1, 0);
	near(stats_mann_whitney(spread, 4, spread, 4), 1, 0);
	near(stats_mann_whitney(same, 1, same, 1), 1, 0);
}
END_TEST

int main(void)
{
	TCase *figures = tcase_create("figures"), *differences = tcase_create("differences");
	Suite *suite = suite_create("bench_stats");

	tcase_add_test(figures, figures_of_unsorted_samples);
	tcase_add_test(figures, quantiles_lie_between_samples);
	tcase_add_test(figures, one_sample_is_its_own_interval);
	tcase_add_test(figures, the_interval_is_that_of_order_statistics);
	tcase_add_test(figures, the_interval_of_two_samples);
	suite_add_tcase(suite, figures);
	tcase_add_test(differences, groups_apart);
	tcase_add_test(differences, ties_share_their_ranks);
	tcase_add_test(differences, groups_mixed);
	tcase_add_test(differences, equal_groups_do_not_differ);
	suite_add_tcase(suite, differences);
	return run_suite(suite);
}
