/* SPDX-License-Identifier: MIT */
/* Signals of a program that is a runtime's own: SIGQUIT prints the tasks, SIGINT cancels the main task. */
#ifndef RT_SIGNALS_H
#define RT_SIGNALS_H

#include <rt/runtime.h>

RT_PRIVATE_BEGIN

/*
 * From now on SIGQUIT prints the tree of tasks to stderr and, unless main is NULL, the first
 * SIGINT cancels main and the next one kills. Both take effect when the loop comes round. For one
 * runtime of the process at a time. Returns 0, -EBUSY, or what watching a descriptor gave.
 */
int signals_open(struct rt_runtime *runtime, struct rt_task *main);

/* Whether SIGINT has cancelled the runtime's main task. */
bool signals_interrupted(const struct rt_runtime *runtime);

/* Back to what was before; main may have ended. Harmless when they are not open for this runtime. */
void signals_close(struct rt_runtime *runtime);

RT_PRIVATE_END

#endif
