/* SPDX-License-Identifier: MIT */
/* Moving a virtual clock by hand, for waits of any kind of task. */
#ifndef RT_ADVANCE_H
#define RT_ADVANCE_H

#include "task/task.h"

RT_PRIVATE_BEGIN

/*
 * Publishes task's waiter on the end of moving the clock on. Returns 0, or what rt_clock_advance() gives
 * for that duration. Does not suspend.
 */
int advance_await(struct rt_task *task, rt_time duration);

RT_PRIVATE_END

#endif
