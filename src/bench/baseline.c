/* SPDX-License-Identifier: MIT */
/* Samples that were saved; see baseline.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "bench/baseline.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char heading[] = "rtbench 1\n";

static void finish_entry(struct baseline_entry *entry)
{
	free(entry->name);
	free(entry->runtime);
	free(entry->samples);
}

int baseline_add(struct baseline *baseline, const char *name, const char *runtime, const double *samples,
		 size_t count)
{
	struct baseline_entry *grown =
		realloc(baseline->entries, (baseline->count + 1) * sizeof *baseline->entries);

	if (!grown)
		return -ENOMEM;
	baseline->entries = grown;
	struct baseline_entry *entry = &grown[baseline->count];

	*entry = (struct baseline_entry){strdup(name), strdup(runtime), malloc(count * sizeof *samples),
					 count};
	if (!entry->name || !entry->runtime || !entry->samples) {
		finish_entry(entry);
		return -ENOMEM;
	}
	memcpy(entry->samples, samples, count * sizeof *samples);
	baseline->count++;
	return 0;
}

const struct baseline_entry *baseline_find(const struct baseline *baseline, const char *name,
					   const char *runtime)
{
	for (size_t i = 0; i < baseline->count; i++) {
		const struct baseline_entry *entry = &baseline->entries[i];

		if (strcmp(entry->name, name) == 0 && strcmp(entry->runtime, runtime) == 0)
			return entry;
	}
	return NULL;
}

/* ---- A line: runtime, samples, name, between tabs ---- */

/* Names are any text: what would end the field or the line is written as a blank. */
static void write_name(FILE *file, const char *name)
{
	for (; *name; name++)
		fputc(*name == '\t' || *name == '\n' ? ' ' : *name, file);
}

static void write_entry(FILE *file, const struct baseline_entry *entry)
{
	fprintf(file, "%s\t", entry->runtime);
	for (size_t i = 0; i < entry->count; i++)
		fprintf(file, "%s%.17g", i > 0 ? " " : "", entry->samples[i]);
	fputc('\t', file);
	write_name(file, entry->name);
	fputc('\n', file);
}

/* The samples in text, into its own memory: a number takes more room there than as a double. */
static int read_samples(char *text, double **samples, size_t *count)
{
	size_t capacity = strlen(text) / 2 + 1;
	char *end;

	*count = 0;
	*samples = malloc(capacity * sizeof **samples);
	if (!*samples)
		return -ENOMEM;
	for (; *text; text = end) {
		double sample = strtod(text, &end);

		if (end == text || (*end && *end != ' ') || !(sample >= 0) || *count == capacity)
			return -EBADMSG;
		if (*count > 0 && sample < (*samples)[*count - 1])
			return -EBADMSG;
		(*samples)[(*count)++] = sample;
	}
	return *count > 0 ? 0 : -EBADMSG;
}

static int read_entry(struct baseline *baseline, char *line)
{
	char *samples_text = strchr(line, '\t'), *name = samples_text ? strchr(samples_text + 1, '\t') : NULL;
	double *samples;
	size_t count;

	if (!name)
		return -EBADMSG;
	*samples_text++ = *name++ = '\0';
	name[strcspn(name, "\n")] = '\0';
	int err = read_samples(samples_text, &samples, &count);

	if (err == 0)
		err = baseline_add(baseline, name, line, samples, count);
	free(samples);
	return err;
}

/* ---- The file ---- */

static int read_all(struct baseline *baseline, FILE *file)
{
	char *line = NULL;
	size_t room = 0;
	int err = getline(&line, &room, file) > 0 && strcmp(line, heading) == 0 ? 0 : -EBADMSG;

	while (err == 0 && getline(&line, &room, file) > 0)
		err = read_entry(baseline, line);
	free(line);
	return err;
}

static int path_of(char *path, const char *folder, const char *name, const char *ending)
{
	int length = snprintf(path, PATH_MAX, "%s/%s%s", folder, name, ending);

	return length < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int baseline_load(struct baseline *baseline, const char *folder, const char *name)
{
	char path[PATH_MAX];
	int err = path_of(path, folder, name, "");

	if (err < 0)
		return err;
	FILE *file = fopen(path, "r");

	if (!file)
		return -errno;
	err = read_all(baseline, file);
	fclose(file);
	return err;
}

static int write_all(const struct baseline *baseline, const char *path)
{
	FILE *file = fopen(path, "w");

	if (!file)
		return -errno;
	fputs(heading, file);
	for (size_t i = 0; i < baseline->count; i++)
		write_entry(file, &baseline->entries[i]);
	bool failed = ferror(file);

	return fclose(file) != 0 || failed ? -EIO : 0;
}

int baseline_store(const struct baseline *baseline, const char *folder, const char *name)
{
	char path[PATH_MAX], part[PATH_MAX];
	int err = path_of(part, folder, name, ".part");

	if (err < 0)
		return err;
	path_of(path, folder, name, "");
	if (mkdir(folder, 0777) < 0 && errno != EEXIST)
		return -errno;
	err = write_all(baseline, part);
	if (err == 0 && rename(part, path) < 0)
		err = -errno;
	if (err < 0)
		unlink(part);
	return err;
}

void baseline_finish(struct baseline *baseline)
{
	for (size_t i = 0; i < baseline->count; i++)
		finish_entry(&baseline->entries[i]);
	free(baseline->entries);
	*baseline = (struct baseline){0};
}
