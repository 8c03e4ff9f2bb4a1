/* SPDX-License-Identifier: MIT */
/* How the results of benchmarks are printed on stdout: a table for people, or JSON. */
#ifndef RT_BENCH_REPORT_H
#define RT_BENCH_REPORT_H

#include "bench/baseline.h"
#include "bench/measure.h"
#include "bench/stats.h"

RT_PRIVATE_BEGIN

struct result {
	const char *name, *runtime;
	const struct measure *measure;
	struct stats stats;
	/* What it is compared with; NULL: nothing. */
	const struct baseline_entry *before;
};

struct report {
	bool json;
	bool runtimes; /* there are several */
	int name_width;
	size_t printed;
};

/* Each function prints its part. None suspends. */
void report_begin(struct report *report);
void report_result(struct report *report, const struct result *result);
void report_failure(struct report *report, const char *name, const char *runtime, const char *message);
void report_end(struct report *report);

/*
 * The median's change, as a fraction, and the p of the Mann-Whitney U test. "slower" and
 * "faster" take a p below 0.01 and a change of at least 1 %, otherwise it is "no change".
 */
const char *report_verdict(const struct result *result, double *change, double *p);

/* A time with four digits and its unit, "142.3 ns"; text has at least REPORT_TIME_MAX bytes. */
enum { REPORT_TIME_MAX = 32 };
const char *report_time(double ns, char *text);

RT_PRIVATE_END

#endif
