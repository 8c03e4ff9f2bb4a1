/* SPDX-License-Identifier: MIT */
/* A run of benchmarks; see session.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "bench/session.h"

#include "base/error.h"
#include "bench/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_WIDTH_MIN = 20, NAME_WIDTH_MAX = 48 };

struct session {
	const struct bench_settings *settings;
	struct report report;
	struct baseline before, now;
	bool begun, failed;
};

static int load(struct session *session)
{
	const struct bench_settings *settings = session->settings;
	int err =
		settings->compare ? baseline_load(&session->before, settings->folder, settings->compare) : 0;

	if (err < 0)
		fprintf(stderr, "bench: cannot read %s/%s: %s\n", settings->folder, settings->compare,
			err == -EBADMSG ? "not a file of saved results" : error_text(err));
	return err;
}

static void destroy(struct session *session)
{
	baseline_finish(&session->before);
	baseline_finish(&session->now);
	free(session);
}

int session_open(struct session **session, const struct bench_settings *settings)
{
	struct session *opened = calloc(1, sizeof *opened);

	if (!opened)
		return -ENOMEM;
	opened->settings = settings;
	opened->report.json = settings->json;
	opened->report.runtimes = settings->runtime_count > 1;
	opened->report.name_width = NAME_WIDTH_MIN;
	int err = load(opened);

	if (err < 0) {
		destroy(opened);
		return err;
	}
	*session = opened;
	return 0;
}

void session_expect(struct session *session, const char *name)
{
	size_t length = strlen(name);

	if (length > NAME_WIDTH_MAX)
		length = NAME_WIDTH_MAX;
	if ((int)length > session->report.name_width)
		session->report.name_width = (int)length;
}

static void begin(struct session *session)
{
	if (!session->begun)
		report_begin(&session->report);
	session->begun = true;
}

void session_failure(struct session *session, const char *name, const char *runtime, const char *message)
{
	begin(session);
	session->failed = true;
	report_failure(&session->report, name, runtime, message);
}

void session_result(struct session *session, const char *name, const char *runtime, struct measure *measure)
{
	struct result result = {
		.name = name,
		.runtime = runtime,
		.measure = measure,
		.stats = stats_of(measure->samples, measure->count),
		.before = baseline_find(&session->before, name, runtime),
	};

	begin(session);
	report_result(&session->report, &result);
	if (baseline_add(&session->now, name, runtime, measure->samples, measure->count) < 0)
		session->failed = true;
}

/* ---- Runtimes side by side, as ratios to the first one ---- */

static void print_side_by_side(const struct baseline_entry *entry, const struct baseline *all,
			       const struct report *report)
{
	double first = stats_quantile(entry->samples, entry->count, 0.5);
	char text[REPORT_TIME_MAX];

	printf("%-*s", report->name_width, entry->name);
	for (const struct baseline_entry *at = entry; at < all->entries + all->count; at++) {
		if (strcmp(at->name, entry->name) != 0)
			continue;
		double median = stats_quantile(at->samples, at->count, 0.5);

		printf("  %s %s (%.2f)", at->runtime, report_time(median, text),
		       first > 0 ? median / first : 1);
	}
	putchar('\n');
}

static bool is_first(const struct baseline_entry *entry, const struct baseline *all)
{
	for (const struct baseline_entry *at = all->entries; at < entry; at++) {
		if (strcmp(at->name, entry->name) == 0)
			return false;
	}
	return true;
}

static void compare_runtimes(const struct session *session)
{
	if (!session->report.runtimes || session->report.json)
		return;
	puts("\nside by side, and as a ratio to the first:");
	for (size_t i = 0; i < session->now.count; i++) {
		if (is_first(&session->now.entries[i], &session->now))
			print_side_by_side(&session->now.entries[i], &session->now, &session->report);
	}
}

static void save(struct session *session)
{
	const struct bench_settings *settings = session->settings;
	int err = settings->save ? baseline_store(&session->now, settings->folder, settings->save) : 0;

	if (err == 0)
		return;
	fprintf(stderr, "bench: cannot write %s/%s: %s\n", settings->folder, settings->save, error_text(err));
	session->failed = true;
}

int session_close(struct session *session)
{
	if (!session->begun) {
		fprintf(stderr, "bench: there is no benchmark to run\n");
		session->failed = true;
	}
	begin(session);
	report_end(&session->report);
	compare_runtimes(session);
	if (session->now.count > 0)
		save(session);
	bool failed = session->failed;

	destroy(session);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
