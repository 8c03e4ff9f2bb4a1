/* SPDX-License-Identifier: MIT */
/* The command line of rtlua bench and of programs with RT_BENCH_MAIN. */
#ifndef RT_BENCH_SETTINGS_H
#define RT_BENCH_SETTINGS_H

#include <rt/runtime.h>

RT_PRIVATE_BEGIN

enum { BENCH_RUNTIMES_MAX = 8, BENCH_SAMPLES_MAX = 10000 };

struct bench_settings {
	const struct rt_runtime_ops *runtimes[BENCH_RUNTIMES_MAX]; /* at least one */
	unsigned runtime_count;
	double seconds; /* for the samples of one benchmark */
	unsigned samples;
	const char *filter; /* what names must contain; NULL: anything */
	const char *save, *compare; /* names of results in the folder; or NULL */
	const char *folder;
	bool json;
	bool help; /* has been printed */
};

/*
 * Reads argv[1...]; usage stands for the program and its operands in the help text.
 * Returns the index of the first operand, -EINVAL after a message on stderr. The
 * strings are argv's. Does not suspend.
 */
int bench_settings_parse(struct bench_settings *settings, int argc, char **argv, const char *usage);

/* Whether the benchmark is to be run. Does not suspend. */
bool bench_settings_select(const struct bench_settings *settings, const char *name);

RT_PRIVATE_END

#endif
