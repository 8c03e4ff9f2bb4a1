/* SPDX-License-Identifier: MIT */
/* Starting and ending a runtime on this thread, for those who run more than one C task in it. */
#ifndef RT_LIFECYCLE_H
#define RT_LIFECYCLE_H

#include <rt/runtime.h>

RT_PRIVATE_BEGIN

/* How long tasks that were cancelled at the end have to do so. */
#define LIFECYCLE_GRACE RT_S(2)

/*
 * Makes a runtime and binds it to this thread. ops NULL: native; options may be
 * NULL. Returns 0, -EBUSY when there is one already, -ENOTSUP when it has no virtual
 * clocks, or create()'s error.
 */
int runtime_open(const struct rt_runtime_ops *ops, const struct rt_runtime_options *options,
		 struct rt_runtime **runtime);

struct task_family;

/*
 * Runs until no task of the family is left, or none at all where family is NULL, or grace has passed, by its
 * own clock or the real one; these tasks should have been cancelled before. Others go on meanwhile.
 * Returns whether it has seen their end.
 */
bool runtime_drain(struct rt_runtime *runtime, const struct task_family *family, rt_time grace);

/* How many tasks of the family, or of the runtime where family is NULL, have not ended. Not locked. */
size_t runtime_task_count(struct rt_runtime *runtime, const struct task_family *family);

/*
 * How long run(), which is over, waits until the others rest: as the grace of a drain has it; otherwise not
 * for long, those that do not give way have theirs before them.
 */
rt_time runtime_rest_limit(const struct rt_runtime *runtime);

/* Joins the runtime that runs on this thread: it lasts until everybody has closed it. */
void runtime_join(struct rt_runtime *runtime);

/* The last one unbinds and destroys it; C tasks that are left are freed without running. */
void runtime_close(struct rt_runtime *runtime);

RT_PRIVATE_END

#endif
