/* SPDX-License-Identifier: MIT */
/* The command line of rtlua. */
#ifndef RT_CLI_OPTIONS_H
#define RT_CLI_OPTIONS_H

#include <rtlua.h>

/* What precedes the script: -e, -l, -j, -O, in their order. */
struct step {
	char kind; /* the option's letter */
	const char *text;
};

struct options {
	const struct rt_runtime_ops *runtime; /* NULL: the default */
	unsigned workers;
	rt_time watchdog; /* 0: none */
	bool strict;
	struct step *steps;
	int step_count;
	bool version, help, interactive;
	int script; /* index in argv; argc: none */
};

/* Returns 0, or -EINVAL after a message on stderr. The steps are allocated. */
int options_parse(struct options *options, int argc, char **argv);
void options_finish(struct options *options);

void options_print_help(const char *program);

#endif
