/* SPDX-License-Identifier: MIT */
/*
 * The main function of an exploring test: its scenarios hold under all seeds, and each planted fault is
 * found. Included after the planted sources (plant.awk), with the scenarios in an array called cases.
 *
 * EXPLORE_RUNS=N: so many seeds. EXPLORE_SEED=N: only this seed. EXPLORE_FAULT=name: only with this fault, or
 * none.
 */
#ifndef RT_TESTS_EXPLORE_SUITE_H
#define RT_TESTS_EXPLORE_SUITE_H

#include "support/explore.h"

#include <strings.h>

static const unsigned case_count = sizeof cases / sizeof *cases;

enum { EXPLORE_DEFAULT_RUNS = 20000, EXPLORE_REPLAYS = 5 };

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

/* Gives the first seed that fails, or 0. */
static uint64_t explore_case_fails(const struct explore_case *each, int count)
{
	uint64_t only = number_from("EXPLORE_SEED", 0);

	count = (int)number_from("EXPLORE_RUNS", (uint64_t)count);
	return explore_runs(each->run, each->steps, only ? only : 1, only ? 1 : (unsigned)count);
}

START_TEST(all_schedules_hold)
{
	const struct explore_case *each = &cases[_i];
	uint64_t seed;

	explore_open();
	seed = explore_case_fails(each, scaled(EXPLORE_DEFAULT_RUNS, 10));
	if (seed)
		ck_abort_msg("%s: seed %llu: %s", each->name, (unsigned long long)seed, explore.failure);
	explore_close();
}
END_TEST

static void check_replays(const struct explore_case *each, uint64_t seed)
{
	char failure[sizeof explore.failure];

	memcpy(failure, explore.failure, sizeof failure);
	for (int i = 0; i < EXPLORE_REPLAYS; i++) {
		ck_assert(explore_run(each->run, seed));
		ck_assert_str_eq(explore.failure, failure);
	}
}

START_TEST(planted_fault_is_found)
{
	const char *only = getenv("EXPLORE_FAULT"), *meaning = fault_meanings[_i];

	if (only && (strncasecmp(only, meaning, strlen(only)) != 0 || meaning[strlen(only)] != ':'))
		return;
	fault = _i;
	explore_open();
	for (unsigned i = 0; i < case_count; i++) {
		uint64_t seed = explore_case_fails(&cases[i], EXPLORE_DEFAULT_RUNS);

		if (seed) {
			printf("fault %s\n\tfound by %s, seed %llu: %s\n", meaning, cases[i].name,
			       (unsigned long long)seed, explore.failure);
			fflush(stdout);
			check_replays(&cases[i], seed);
			explore_close();
			return;
		}
	}
	ck_abort_msg("not found: %s", meaning);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("explore");
	TCase *tcase = tcase_create("explore");
	const char *only = getenv("EXPLORE_FAULT");

	tcase_set_timeout(tcase, 60);
	if (!only || strcmp(only, fault_meanings[NO_FAULT]) == 0)
		tcase_add_loop_test(tcase, all_schedules_hold, 0, (int)case_count);
	tcase_add_loop_test(tcase, planted_fault_is_found, NO_FAULT + 1, FAULTS);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}

#endif
