/* SPDX-License-Identifier: MIT */
/* A run of benchmarks: what is reported, compared and saved, whoever runs their bodies. */
#ifndef RT_BENCH_SUITE_H
#define RT_BENCH_SUITE_H

#include "bench/measure.h"
#include "bench/settings.h"

RT_PRIVATE_BEGIN

struct suite;

/*
 * Starts with the settings, which must outlast it; reads what is compared with. Returns
 * 0, or -errno after a message on stderr. Does not suspend.
 */
int suite_open(struct suite **suite, const struct bench_settings *settings);

/* Before the first result: a benchmark of this name will be run, which makes its column wide enough. */
void suite_expect(struct suite *suite, const char *name);

/* Reports a benchmark that has been measured, or has failed. Does not suspend. */
void suite_result(struct suite *suite, const char *name, const char *runtime, struct measure *measure);
void suite_failure(struct suite *suite, const char *name, const char *runtime, const char *message);

/*
 * Ends the report, saves the results, frees the suite. Returns the exit code: 0, or 1
 * after failures and when no benchmark was run. Does not suspend.
 */
int suite_close(struct suite *suite);

RT_PRIVATE_END

#endif
