/* SPDX-License-Identifier: MIT */
/* What rt_task_list() tells, kept to be looked at, and tasks to be told of. */
#ifndef RT_TESTS_LISTING_H
#define RT_TESTS_LISTING_H

#include "support/pair.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

enum { RECORDS = 64 };

static struct record {
	struct rt_task_info info;
	char name[32], site[64], waits_for[16];
} records[RECORDS];

static int record_count;

static inline void note(const struct rt_task_info *info, void *arg)
{
	struct record *record = &records[record_count++];

	ck_assert_ptr_eq(arg, records);
	ck_assert_int_le(record_count, RECORDS);
	record->info = *info;
	snprintf(record->name, sizeof record->name, "%s", info->name);
	snprintf(record->site, sizeof record->site, "%s", info->site);
	snprintf(record->waits_for, sizeof record->waits_for, "%s", info->waits_for ? info->waits_for : "");
}

static inline int list(void)
{
	record_count = 0;
	ck_assert_int_eq(rt_task_list(note, records), record_count);
	return record_count;
}

/* Of the list made last. */
static inline const struct record *find(const char *name)
{
	for (int i = 0; i < record_count; i++) {
		if (strcmp(records[i].name, name) == 0)
			return &records[i];
	}
	ck_abort_msg("no task is called %s", name);
	return NULL;
}

static inline void expect_match(const char *text, const char *pattern)
{
	regex_t regex;

	ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB | REG_NEWLINE), 0);
	ck_assert_msg(regexec(&regex, text, 0, NULL, 0) == 0, "'%s' does not match '%s'", text, pattern);
	regfree(&regex);
}

static inline struct rt_task *spawn_named(rt_task_fn *fn, void *arg, const char *name)
{
	struct rt_task *task = rt_spawn_named(fn, arg, name, RT_SITE);

	ck_assert_ptr_nonnull(task);
	return task;
}

/* Everybody who can has come as far as to wait. */
static inline void settle(void)
{
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(rt_yield(), 0);
}

static inline void stop(struct rt_task *task)
{
	rt_cancel(task);
	ck_assert_int_eq(rt_join(task, NULL, RT_FOREVER), 0);
}

static inline int sleeps(void *arg)
{
	(void)arg;
	return rt_sleep(RT_S(1000));
}

#endif
