/* SPDX-License-Identifier: MIT */
/* Finding *_bench.lua; see bench_files.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/bench_files.h"

#include <errno.h>
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int by_name(const FTSENT **left, const FTSENT **right)
{
	return strcmp((*left)->fts_name, (*right)->fts_name);
}

/* The paths themselves need no particular name. */
static bool is_benchmark(const FTSENT *entry)
{
	static const char ending[] = "_bench.lua";
	size_t length = sizeof ending - 1;

	return entry->fts_level == FTS_ROOTLEVEL ||
	       (entry->fts_namelen >= length &&
		strcmp(entry->fts_name + entry->fts_namelen - length, ending) == 0);
}

/* Returns 0 or -errno. */
static int visit_entry(FTS *tree, FTSENT *entry, void (*visit)(const char *path, void *arg), void *arg)
{
	switch (entry->fts_info) {
	case FTS_D:
		if (entry->fts_level > FTS_ROOTLEVEL && entry->fts_name[0] == '.')
			fts_set(tree, entry, FTS_SKIP);
		return 0;
	case FTS_F:
		if (is_benchmark(entry))
			visit(entry->fts_path, arg);
		return 0;
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		fprintf(stderr, "bench: cannot read %s: %s\n", entry->fts_path, strerror(entry->fts_errno));
		return -entry->fts_errno;
	default:
		return 0;
	}
}

static int visit_path(char *path, void (*visit)(const char *path, void *arg), void *arg)
{
	char *const paths[] = {path, NULL};
	FTS *tree = fts_open(paths, FTS_COMFOLLOW | FTS_LOGICAL | FTS_NOCHDIR, by_name);
	FTSENT *entry;
	int err = 0;

	if (!tree)
		return -errno;
	while (err == 0 && (entry = fts_read(tree)))
		err = visit_entry(tree, entry, visit, arg);
	fts_close(tree);
	return err;
}

/* One after the other: fts would sort them as well. */
int bench_files_visit(char *const *paths, void (*visit)(const char *path, void *arg), void *arg)
{
	int err = 0;

	for (; *paths && err == 0; paths++)
		err = visit_path(*paths, visit, arg);
	return err;
}
