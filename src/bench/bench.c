/* SPDX-License-Identifier: MIT */
/* Benchmarks in C: their timer and their main(); see rt/bench.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <rt/bench.h>

#include "base/error.h"
#include "bench/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Appended to, so that they run in the order of the file. */
static struct rt_bench_entry *first, **last = &first;

struct rt_bench_memory rt_bench_memory;

void rt_bench_register(struct rt_bench_entry *entry)
{
	*last = entry;
	last = &entry->next;
}

void rt_bench_bytes(struct rt_bench *bench, uint64_t bytes)
{
	bench->bytes = bytes;
}

/* Not rt_now(), which may be virtual. */
static rt_time clock_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return RT_S(time.tv_sec) + time.tv_nsec;
}

/* The clock is read last when the timer starts, and first when it stops. */
void rt_bench_start(struct rt_bench *bench)
{
	if (bench->began)
		return;
	bench->calls -= rt_bench_memory.calls;
	bench->allocated -= rt_bench_memory.bytes;
	bench->began = clock_now();
}

void rt_bench_stop(struct rt_bench *bench)
{
	if (!bench->began)
		return;
	bench->elapsed += clock_now() - bench->began;
	bench->began = 0;
	bench->calls += rt_bench_memory.calls;
	bench->allocated += rt_bench_memory.bytes;
}

/* ---- Running ---- */

struct job {
	const struct rt_bench_entry *entry;
	struct measure measure;
};

static int measure(void *arg)
{
	struct job *job = arg;
	struct rt_bench bench;
	bool memory = rt_bench_memory.calls > 0;

	while (measure_next(&job->measure, &bench)) {
		rt_bench_start(&bench);
		job->entry->fn(&bench);
		rt_bench_stop(&bench);
		measure_add(&job->measure, &bench, memory);
	}
	return 0;
}

static void run(struct session *session, const struct bench_settings *settings,
		const struct rt_bench_entry *entry, const struct rt_runtime_ops *ops)
{
	struct job job = {.entry = entry};
	int err = measure_init(&job.measure, settings->seconds, settings->samples);

	if (err == 0)
		err = rt_run(ops, NULL, measure, &job, entry->name);
	if (err == 0)
		session_result(session, entry->name, ops->name, &job.measure);
	else
		session_failure(session, entry->name, ops->name,
				err == -EDEADLK ? "deadlock: nothing can wake any task" : error_text(err));
	measure_finish(&job.measure);
}

static void run_all(struct session *session, const struct bench_settings *settings)
{
	for (const struct rt_bench_entry *entry = first; entry; entry = entry->next) {
		if (bench_settings_select(settings, entry->name))
			session_expect(session, entry->name);
	}
	for (unsigned i = 0; i < settings->runtime_count; i++) {
		for (const struct rt_bench_entry *entry = first; entry; entry = entry->next) {
			if (bench_settings_select(settings, entry->name))
				run(session, settings, entry, settings->runtimes[i]);
		}
	}
}

static int complain(const char *argument)
{
	fprintf(stderr, "bench: unexpected argument '%s'; try --help\n", argument);
	return -EINVAL;
}

int rt_bench_main(int argc, char **argv)
{
	enum { USAGE = 2 };
	struct bench_settings settings;
	struct session *session;
	char usage[256];

	snprintf(usage, sizeof usage, "%s [options]", argc > 0 ? argv[0] : "bench");
	int operand = bench_settings_parse(&settings, argc, argv, usage);

	if (operand >= 0 && operand < argc)
		operand = complain(argv[operand]);
	if (operand < 0)
		return USAGE;
	if (settings.help)
		return EXIT_SUCCESS;
	if (session_open(&session, &settings) < 0)
		return USAGE;
	run_all(session, &settings);
	return session_close(session);
}
