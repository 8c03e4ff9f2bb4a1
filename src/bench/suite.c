/* SPDX-License-Identifier: MIT */
/* A run of benchmarks; see suite.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "bench/suite.h"

#include "base/error.h"
#include "bench/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_WIDTH_MIN = 20, NAME_WIDTH_MAX = 48 };

struct suite {
	const struct bench_settings *settings;
	struct report report;
	struct baseline before, now;
	bool begun, failed;
};

static int load(struct suite *suite)
{
	const struct bench_settings *settings = suite->settings;
	int err = settings->compare ? baseline_load(&suite->before, settings->folder, settings->compare) : 0;

	if (err < 0)
		fprintf(stderr, "bench: cannot read %s/%s: %s\n", settings->folder, settings->compare,
			err == -EBADMSG ? "not a file of saved results" : error_text(err));
	return err;
}

static void destroy(struct suite *suite)
{
	baseline_finish(&suite->before);
	baseline_finish(&suite->now);
	free(suite);
}

int suite_open(struct suite **suite, const struct bench_settings *settings)
{
	struct suite *opened = calloc(1, sizeof *opened);

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
	*suite = opened;
	return 0;
}

void suite_expect(struct suite *suite, const char *name)
{
	size_t length = strlen(name);

	if (length > NAME_WIDTH_MAX)
		length = NAME_WIDTH_MAX;
	if ((int)length > suite->report.name_width)
		suite->report.name_width = (int)length;
}

static void begin(struct suite *suite)
{
	if (!suite->begun)
		report_begin(&suite->report);
	suite->begun = true;
}

void suite_failure(struct suite *suite, const char *name, const char *runtime, const char *message)
{
	begin(suite);
	suite->failed = true;
	report_failure(&suite->report, name, runtime, message);
}

void suite_result(struct suite *suite, const char *name, const char *runtime, struct measure *measure)
{
	struct result result = {
		.name = name,
		.runtime = runtime,
		.measure = measure,
		.stats = stats_of(measure->samples, measure->count),
		.before = baseline_find(&suite->before, name, runtime),
	};

	begin(suite);
	report_result(&suite->report, &result);
	if (baseline_add(&suite->now, name, runtime, measure->samples, measure->count) < 0)
		suite->failed = true;
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

static void compare_runtimes(const struct suite *suite)
{
	if (!suite->report.runtimes || suite->report.json)
		return;
	puts("\nside by side, and as a ratio to the first:");
	for (size_t i = 0; i < suite->now.count; i++) {
		if (is_first(&suite->now.entries[i], &suite->now))
			print_side_by_side(&suite->now.entries[i], &suite->now, &suite->report);
	}
}

static void save(struct suite *suite)
{
	const struct bench_settings *settings = suite->settings;
	int err = settings->save ? baseline_store(&suite->now, settings->folder, settings->save) : 0;

	if (err == 0)
		return;
	fprintf(stderr, "bench: cannot write %s/%s: %s\n", settings->folder, settings->save, error_text(err));
	suite->failed = true;
}

int suite_close(struct suite *suite)
{
	if (!suite->begun) {
		fprintf(stderr, "bench: there is no benchmark to run\n");
		suite->failed = true;
	}
	begin(suite);
	report_end(&suite->report);
	compare_runtimes(suite);
	if (suite->now.count > 0)
		save(suite);
	bool failed = suite->failed;

	destroy(suite);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
