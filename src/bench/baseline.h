/* SPDX-License-Identifier: MIT */
/* Samples that were saved, to compare with: a text file, a line for each benchmark. */
#ifndef RT_BENCH_BASELINE_H
#define RT_BENCH_BASELINE_H

#include <stddef.h>

RT_PRIVATE_BEGIN

struct baseline_entry {
	char *name, *runtime;
	double *samples; /* sorted */
	size_t count;
};

struct baseline {
	struct baseline_entry *entries;
	size_t count;
};

/* Copies name, runtime and samples. Returns 0 or -ENOMEM. Does not suspend. */
int baseline_add(struct baseline *baseline, const char *name, const char *runtime, const double *samples,
		 size_t count);

/* The entry of that name on that runtime, or NULL. Does not suspend. */
const struct baseline_entry *baseline_find(const struct baseline *baseline, const char *name,
					   const char *runtime);

/* Reads folder/name. Returns 0, -errno, -EBADMSG for a file of another kind. Does not suspend. */
int baseline_load(struct baseline *baseline, const char *folder, const char *name);

/* Writes folder/name, all of it or nothing, and makes the folder. Returns 0 or -errno. Does not suspend. */
int baseline_store(const struct baseline *baseline, const char *folder, const char *name);

/* Frees the entries. Does not suspend. */
void baseline_finish(struct baseline *baseline);

RT_PRIVATE_END

#endif
