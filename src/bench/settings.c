/* SPDX-License-Identifier: MIT */
/* Reading the command line of benchmarks; see settings.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "bench/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct option {
	const char *name; /* with "=" if it takes a value */
	const char *value;
	const char *help;
	int (*set)(struct bench_settings *settings, const char *value);
};

static int complain(const char *what, const char *argument)
{
	fprintf(stderr, "bench: %s '%s'; try --help\n", what, argument);
	return -EINVAL;
}

static int add_runtime(struct bench_settings *settings, const char *name)
{
	const struct rt_runtime_ops *ops = rt_runtime_find(name);

	if (!ops)
		return complain("unknown runtime", name);
	if (settings->runtime_count == BENCH_RUNTIMES_MAX)
		return complain("too many runtimes:", name);
	settings->runtimes[settings->runtime_count++] = ops;
	return 0;
}

static int set_runtime(struct bench_settings *settings, const char *value)
{
	settings->runtime_count = 0;
	for (;;) {
		char name[64];
		size_t length = strcspn(value, ",");

		snprintf(name, sizeof name, "%.*s", (int)length, value);
		int err = add_runtime(settings, name);

		if (err < 0 || !value[length])
			return err;
		value += length + 1;
	}
}

static int set_time(struct bench_settings *settings, const char *value)
{
	char *end;
	double seconds = strtod(value, &end);

	if (end == value || *end || !(seconds >= 1e-6 && seconds <= 86400))
		return complain("--time takes a number of seconds from 0.000001 to 86400, not", value);
	settings->seconds = seconds;
	return 0;
}

static int set_samples(struct bench_settings *settings, const char *value)
{
	char *end;

	errno = 0;
	long samples = strtol(value, &end, 10);

	if (errno || end == value || *end || samples < 1 || samples > BENCH_SAMPLES_MAX)
		return complain("--samples takes a number from 1 to 10000, not", value);
	settings->samples = (unsigned)samples;
	return 0;
}

static int set_filter(struct bench_settings *settings, const char *value)
{
	settings->filter = value;
	return 0;
}

static int check_name(const char *name)
{
	if (name[0] && name[0] != '.' && !strchr(name, '/'))
		return 0;
	return complain("saved results need a name without a slash or a leading dot, not", name);
}

static int set_save(struct bench_settings *settings, const char *value)
{
	settings->save = value;
	return check_name(value);
}

static int set_compare(struct bench_settings *settings, const char *value)
{
	settings->compare = value;
	return check_name(value);
}

static int set_folder(struct bench_settings *settings, const char *value)
{
	settings->folder = value;
	return value[0] ? 0 : complain("--folder takes a folder, not", value);
}

static int set_json(struct bench_settings *settings, const char *value)
{
	(void)value;
	settings->json = true;
	return 0;
}

static int set_help(struct bench_settings *settings, const char *value)
{
	(void)value;
	settings->help = true;
	return 0;
}

static const struct option options[] = {
	{"--runtime=", "NAME[,NAME]", "the runtimes, side by side:", set_runtime},
	{"--filter=", "TEXT", "only the benchmarks with TEXT in their names", set_filter},
	{"--time=", "S", "seconds for the samples of each benchmark (1)", set_time},
	{"--samples=", "N", "how many samples (50)", set_samples},
	{"--save=", "NAME", "keep the samples under this name", set_save},
	{"--compare=", "NAME", "say what has become faster or slower since that --save", set_compare},
	{"--folder=", "FOLDER", "where these are (.rtbench)", set_folder},
	{"--json", "", "print a JSON array, one benchmark in a line", set_json},
	{"--help", "", "this text", set_help},
};

enum { OPTIONS = sizeof options / sizeof *options };

static void print_help(const char *usage)
{
	enum { VALUE_COLUMN = 22 };

	printf("usage: %s\n"
	       "Runs benchmarks and prints the median cost of an operation, its 95 %% confidence interval\n"
	       "(percentile bootstrap), and the 99th percentile of the samples. --compare tells changes by\n"
	       "the Mann-Whitney U test.\n"
	       "\n",
	       usage);
	for (int i = 0; i < OPTIONS; i++) {
		printf("  %s%-*s  %s", options[i].name, VALUE_COLUMN - (int)strlen(options[i].name),
		       options[i].value, options[i].help);
		for (unsigned k = 0; i == 0 && rt_runtime_name(k); k++)
			printf(" %s", rt_runtime_name(k));
		printf("\n");
	}
}

/* The value follows the "=", or is the next argument. Returns how many arguments it took, or -EINVAL. */
static int read_option(struct bench_settings *settings, char **argv)
{
	for (const struct option *option = options; option < options + OPTIONS; option++) {
		size_t length = strlen(option->name);
		bool takes_value = option->name[length - 1] == '=';
		bool whole = strncmp(argv[0], option->name, length) == 0;
		int err;

		if (!takes_value && whole && !argv[0][length])
			return option->set(settings, NULL) < 0 ? -EINVAL : 1;
		if (takes_value && whole)
			return option->set(settings, argv[0] + length) < 0 ? -EINVAL : 1;
		if (!takes_value || strlen(argv[0]) != length - 1 ||
		    strncmp(argv[0], option->name, length - 1) != 0)
			continue;
		if (!argv[1])
			return complain("value missing for", argv[0]);
		err = option->set(settings, argv[1]);
		return err < 0 ? err : 2;
	}
	return complain("unknown option", argv[0]);
}

int bench_settings_parse(struct bench_settings *settings, int argc, char **argv, const char *usage)
{
	int i = 1;

	*settings = (struct bench_settings){
		.runtimes = {&rt_native},
		.runtime_count = 1,
		.seconds = 1,
		.samples = 50,
		.folder = ".rtbench",
	};
	while (i < argc && argv[i][0] == '-' && argv[i][1]) {
		if (strcmp(argv[i], "--") == 0)
			return i + 1;
		int taken = read_option(settings, argv + i);

		if (taken < 0)
			return taken;
		i += taken;
	}
	if (settings->help)
		print_help(usage);
	return i;
}

bool bench_settings_select(const struct bench_settings *settings, const char *name)
{
	return !settings->filter || strstr(name, settings->filter);
}
