/* SPDX-License-Identifier: MIT */
/* A run of benchmarks: what is reported, compared and saved, whoever runs their bodies. */
#ifndef RT_BENCH_SESSION_H
#define RT_BENCH_SESSION_H

#include "bench/measure.h"
#include "bench/settings.h"

RT_PRIVATE_BEGIN

struct session;

/*
 * Starts with the settings, which must outlast it; reads what is compared with. Returns
 * 0, or -errno after a message on stderr. Does not suspend.
 */
int session_open(struct session **session, const struct bench_settings *settings);

/* Before the first result: a benchmark of this name will be run, which makes its column wide enough. */
void session_expect(struct session *session, const char *name);

/* Reports a benchmark that has been measured, or has failed. Does not suspend. */
void session_result(struct session *session, const char *name, const char *runtime, struct measure *measure);
void session_failure(struct session *session, const char *name, const char *runtime, const char *message);

/*
 * Ends the report, saves the results, frees the session. Returns the exit code: 0, or 1
 * after failures and when no benchmark was run. Does not suspend.
 */
int session_close(struct session *session);

RT_PRIVATE_END

#endif
