/* SPDX-License-Identifier: MIT */
/* Reading the command line; see options.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void options_print_help(const char *program)
{
	printf("usage: %s [run] [options] [script [args]]\n"
	       "       %s test [options] [paths]\n"
	       "       %s bench [options] [files and folders]\n"
	       "Runs a Lua script in which everything can wait without blocking, or tests, or benchmarks\n"
	       "(test --help, bench --help).\n"
	       "\n"
	       "  -e CODE           run CODE\n"
	       "  -l NAME           require NAME\n"
	       "  -j CMD            control the JIT compiler: on, off, or a jit.* module\n"
	       "  -O[LEVEL|FLAG]    control its optimizations\n"
	       "  -v                print the version\n"
	       "  -                 read the script from standard input\n"
	       "  --                end of the options\n"
	       "  --runtime=NAME    the runtime:",
	       program, program, program);
	for (unsigned i = 0; rt_runtime_name(i); i++)
		printf(" %s", rt_runtime_name(i));
	printf("\n"
	       "  --workers=N       how many threads it uses\n"
	       "  --watchdog[=S]    report a task that has not given way for S seconds (1)\n"
	       "  --strict          name the tasks that main leaves behind; they make the exit code 1\n"
	       "  --help            this text\n"
	       "\n"
	       "SIGQUIT (Ctrl-\\) prints what every task is doing. SIGINT (Ctrl-C) cancels the script, a "
	       "second\n"
	       "one kills it.\n");
}

static int complain(const char *program, const char *what, const char *argument)
{
	fprintf(stderr, "%s: %s '%s'\ntry '%s --help'\n", program, what, argument, program);
	return -EINVAL;
}

static int set_workers(struct options *options, const char *program, const char *text)
{
	char *end;

	errno = 0;
	long workers = strtol(text, &end, 10);

	if (errno || end == text || *end || workers < 1 || workers > RT_WORKERS_MAX) {
		char what[64];

		snprintf(what, sizeof what, "--workers takes a number from 1 to %d, not", RT_WORKERS_MAX);
		return complain(program, what, text);
	}
	options->workers = (unsigned)workers;
	return 0;
}

static int set_runtime(struct options *options, const char *program, const char *name)
{
	options->runtime = rt_runtime_find(name);
	return options->runtime ? 0 : complain(program, "unknown runtime", name);
}

static int set_watchdog(struct options *options, const char *program, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds >= 0.001 && seconds <= 86400))
		return complain(program, "--watchdog takes a number of seconds from 0.001 to 86400, not",
				text);
	options->watchdog = (rt_time)(seconds * 1e9);
	return 0;
}

static int read_long(struct options *options, const char *program, const char *argument)
{
	static const char runtime[] = "--runtime=", workers[] = "--workers=", watchdog[] = "--watchdog=";

	if (strcmp(argument, "--help") == 0) {
		options->help = true;
		return 0;
	}
	if (strcmp(argument, "--version") == 0) {
		options->version = true;
		return 0;
	}
	if (strcmp(argument, "--strict") == 0) {
		options->strict = true;
		return 0;
	}
	if (strcmp(argument, "--watchdog") == 0)
		return set_watchdog(options, program, "1");
	if (strncmp(argument, watchdog, sizeof watchdog - 1) == 0)
		return set_watchdog(options, program, argument + sizeof watchdog - 1);
	if (strncmp(argument, runtime, sizeof runtime - 1) == 0)
		return set_runtime(options, program, argument + sizeof runtime - 1);
	if (strncmp(argument, workers, sizeof workers - 1) == 0)
		return set_workers(options, program, argument + sizeof workers - 1);
	return complain(program, "unknown option", argument);
}

/* Returns how many arguments it took, or -EINVAL. */
static int read_short(struct options *options, int argc, char **argv, int i)
{
	const char *argument = argv[i];
	char kind = argument[1];

	if (kind == 'v' && !argument[2]) {
		options->version = true;
		return 1;
	}
	if (kind == 'i' && !argument[2]) {
		options->interactive = true;
		return 1;
	}
	if (!strchr("eljO", kind))
		return complain(argv[0], "unknown option", argument);
	struct step *step = &options->steps[options->step_count++];

	step->kind = kind;
	step->text = argument + 2;
	if (argument[2] || kind == 'O')
		return 1;
	if (i + 1 >= argc)
		return complain(argv[0], "argument missing for", argument);
	step->text = argv[i + 1];
	return 2;
}

int options_parse(struct options *options, int argc, char **argv)
{
	int i = argc > 1 && strcmp(argv[1], "run") == 0 ? 2 : 1;

	*options = (struct options){.steps = calloc((size_t)argc + 1, sizeof *options->steps)};
	if (!options->steps)
		return -ENOMEM;
	while (i < argc && argv[i][0] == '-' && argv[i][1]) {
		int taken = 1;

		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (argv[i][1] == '-')
			taken = read_long(options, argv[0], argv[i]) < 0 ? -EINVAL : 1;
		else
			taken = read_short(options, argc, argv, i);
		if (taken < 0)
			return taken;
		i += taken;
	}
	options->script = i;
	return 0;
}

void options_finish(struct options *options)
{
	free(options->steps);
}
