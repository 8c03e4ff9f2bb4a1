/* SPDX-License-Identifier: MIT */
/* Printing the results of benchmarks; see report.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "bench/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BAR_WIDTH = 12, BAR_LEVELS = 8 };

const char *report_verdict(const struct result *result, double *change, double *p)
{
	const struct baseline_entry *before = result->before;
	double median = stats_quantile(before->samples, before->count, 0.5);

	*change = median > 0 ? result->stats.p50 / median - 1 : 0;
	*p = stats_mann_whitney(result->measure->samples, result->measure->count, before->samples,
				before->count);
	if (*p >= 0.01 || fabs(*change) < 0.01)
		return "no change";
	return *change < 0 ? "faster" : "slower";
}

/* ---- Numbers with units ---- */

struct unit {
	double size;
	const char *name;
};

static const struct unit times[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}, {0, NULL}};
static const struct unit rates[] = {{1e9, "GB/s"}, {1e6, "MB/s"}, {1e3, "kB/s"}, {1, "B/s"}, {0, NULL}};

/* The largest that the value has one of; the smallest if there is none. */
static const struct unit *unit_for(const struct unit *units, double value)
{
	while (units[1].name && value < units->size)
		units++;
	return units;
}

/* As many decimals as make four digits. */
static int decimals(double value)
{
	return value < 9.9995 ? 3 : value < 99.995 ? 2 : value < 999.95 ? 1 : 0;
}

static const char *with_unit(const struct unit *units, double value, char *text)
{
	const struct unit *unit = unit_for(units, value);
	double scaled = value / unit->size;

	snprintf(text, REPORT_TIME_MAX, "%.*f %s", decimals(scaled), scaled, unit->name);
	return text;
}

const char *report_time(double ns, char *text)
{
	return with_unit(times, ns, text);
}

/* In the unit of the median that it stands next to. */
static const char *interval(const struct stats *stats, char *text)
{
	double size = unit_for(times, stats->p50)->size;
	int digits = decimals(stats->p50 / size);

	snprintf(text, (size_t)2 * REPORT_TIME_MAX, "[%.*f, %.*f]", digits, stats->low / size, digits,
		 stats->high / size);
	return text;
}

static const char *count_or_dash(double value, char *text)
{
	if (value < 0)
		return "-";
	snprintf(text, REPORT_TIME_MAX, "%.*f", value > 0 && value < 100 ? 2 : 0, value);
	return text;
}

static double bytes_per_second(const struct result *result)
{
	return result->stats.p50 > 0 ? (double)result->measure->bytes * 1e9 / result->stats.p50 : 0;
}

/* ---- The distribution: how many samples are how slow, from the fastest to the slowest ---- */

static bool knows_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (int i = 0; i < 3; i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return strstr(value, "UTF-8") || strstr(value, "utf8");
	}
	return false;
}

static void count_samples(const struct result *result, size_t *counts)
{
	const struct stats *stats = &result->stats;
	double width = (stats->max - stats->min) / BAR_WIDTH;

	for (size_t i = 0; i < result->measure->count; i++) {
		double at = width > 0 ? (result->measure->samples[i] - stats->min) / width : 0;

		counts[at < BAR_WIDTH ? (int)at : BAR_WIDTH - 1]++;
	}
}

static void print_bar(const struct result *result)
{
	static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char *const letters[] = {" ", ".", ":", "-", "=", "+", "*", "#", "@"};
	const char *const *levels = knows_utf8() ? blocks : letters;
	size_t counts[BAR_WIDTH] = {0}, most = 1;

	count_samples(result, counts);
	for (int i = 0; i < BAR_WIDTH; i++)
		most = counts[i] > most ? counts[i] : most;
	putchar('|');
	for (int i = 0; i < BAR_WIDTH; i++)
		fputs(levels[(counts[i] * BAR_LEVELS + most - 1) / most], stdout);
	putchar('|');
}

/* ---- The table ---- */

static void print_heading(const struct report *report)
{
	printf("%-*s  ", report->name_width, "benchmark");
	if (report->runtimes)
		printf("%-10s  ", "runtime");
	printf("%10s  %-20s  %10s  %9s  %9s  %10s  %s\n", "median", "95 % interval", "p99", "allocs/op",
	       "bytes/op", "throughput", "fastest to slowest");
}

static void print_name(const struct report *report, const char *name, const char *runtime)
{
	printf("%-*s  ", report->name_width, name);
	if (report->runtimes)
		printf("%-10s  ", runtime);
}

static void print_comparison(const struct result *result)
{
	char text[REPORT_TIME_MAX];
	double change, p;

	if (!result->before)
		return;
	const char *verdict = report_verdict(result, &change, &p);
	const struct baseline_entry *before = result->before;

	printf("    %s: %+.1f %% from %s (p = %.2g, Mann-Whitney U)\n", verdict, change * 100,
	       report_time(stats_quantile(before->samples, before->count, 0.5), text), p);
}

static void print_row(const struct report *report, const struct result *result)
{
	const struct stats *stats = &result->stats;
	const struct measure *measure = result->measure;
	char median[REPORT_TIME_MAX], range[2 * REPORT_TIME_MAX], p99[REPORT_TIME_MAX],
		calls[REPORT_TIME_MAX], bytes[REPORT_TIME_MAX], rate[REPORT_TIME_MAX];

	print_name(report, result->name, result->runtime);
	printf("%10s  %-20s  %10s  %9s  %9s  %10s  ", report_time(stats->p50, median), interval(stats, range),
	       report_time(stats->p99, p99), count_or_dash(measure->calls, calls),
	       count_or_dash(measure->allocated, bytes),
	       measure->bytes ? with_unit(rates, bytes_per_second(result), rate) : "-");
	print_bar(result);
	putchar('\n');
	print_comparison(result);
}

/* ---- JSON ---- */

static void print_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void begin_object(struct report *report, const char *name, const char *runtime)
{
	fputs(report->printed++ > 0 ? ",\n{\"name\":" : "\n{\"name\":", stdout);
	print_string(name);
	fputs(",\"runtime\":", stdout);
	print_string(runtime);
}

static void print_field(const char *name, double value)
{
	printf(",\"%s\":%.10g", name, value);
}

static void print_json_memory(const struct measure *measure)
{
	if (measure->calls >= 0)
		print_field("allocations_per_op", measure->calls);
	if (measure->allocated >= 0)
		print_field("allocated_bytes_per_op", measure->allocated);
}

static void print_json_comparison(const struct result *result)
{
	double change, p;

	if (!result->before)
		return;
	const char *verdict = report_verdict(result, &change, &p);

	printf(",\"comparison\":{\"verdict\":\"%s\",\"test\":\"Mann-Whitney "
	       "U\",\"p\":%.10g,\"change\":%.10g}",
	       verdict, p, change);
}

static void print_object(struct report *report, const struct result *result)
{
	const struct stats *stats = &result->stats;
	const struct measure *measure = result->measure;

	begin_object(report, result->name, result->runtime);
	printf(",\"unit\":\"ns\",\"n\":%" PRIu64, measure->n);
	print_field("p50", stats->p50);
	print_field("p50_low", stats->low);
	print_field("p50_high", stats->high);
	print_field("p99", stats->p99);
	print_field("mean", stats->mean);
	print_field("min", stats->min);
	print_field("max", stats->max);
	print_json_memory(measure);
	if (measure->bytes)
		print_field("bytes_per_second", bytes_per_second(result));
	print_json_comparison(result);
	fputs(",\"samples\":[", stdout);
	for (size_t i = 0; i < measure->count; i++)
		printf("%s%.10g", i > 0 ? "," : "", measure->samples[i]);
	fputs("]}", stdout);
}

/* ---- Either ---- */

void report_begin(struct report *report)
{
	if (report->json)
		putchar('[');
	else
		print_heading(report);
	fflush(stdout);
}

void report_result(struct report *report, const struct result *result)
{
	if (report->json)
		print_object(report, result);
	else
		print_row(report, result);
	fflush(stdout);
}

void report_failure(struct report *report, const char *name, const char *runtime, const char *message)
{
	if (report->json) {
		begin_object(report, name, runtime);
		fputs(",\"error\":", stdout);
		print_string(message);
		putchar('}');
	} else {
		print_name(report, name, runtime);
		puts("FAILED");
	}
	fflush(stdout);
	fprintf(stderr, "bench: %s: %s\n", name, message);
}

void report_end(struct report *report)
{
	if (report->json)
		puts("\n]");
	fflush(stdout);
}
