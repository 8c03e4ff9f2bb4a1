/* SPDX-License-Identifier: MIT */
/*
 * An operation of fixed cost, as a benchmark, and, as "agree loop", in a loop timed by hand, which
 * prints nanoseconds per operation: see run-agree.sh.
 */
#include <rt/bench.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STEPS = 200, ROUNDS = 50, OPERATIONS = 1600 };

static volatile uint64_t sink;

/* Steps that depend on each other: xorshift. noinline: the same machine code in both loops. */
__attribute__((noinline)) static void work(void)
{
	uint64_t state = 88172645463325252;

	for (int i = 0; i < STEPS; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
	}
	sink = state;
}

RT_BENCH(fixed_cost, bench)
{
	for (uint64_t i = 0; i < bench->n; i++)
		work();
}

static double seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int by_value(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

/* The median of as many rounds as the runner takes samples. */
static void loop(void)
{
	double rounds[ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		double began = seconds();

		for (int i = 0; i < OPERATIONS; i++)
			work();
		rounds[round] = (seconds() - began) * 1e9 / OPERATIONS;
	}
	qsort(rounds, ROUNDS, sizeof *rounds, by_value);
	printf("%.3f\n", (rounds[ROUNDS / 2 - 1] + rounds[ROUNDS / 2]) / 2);
}

RT_BENCH_MALLOC

int main(int argc, char **argv)
{
	if (argc != 2 || strcmp(argv[1], "loop") != 0)
		return rt_bench_main(argc, argv);
	loop();
	return 0;
}
