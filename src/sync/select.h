/* SPDX-License-Identifier: MIT */
/* The cases of a select, for those who wait in another way. */
#ifndef RT_SYNC_SELECT_H
#define RT_SYNC_SELECT_H

#include "sync/sync_wait.h"

#include <rt/sync.h>

RT_PRIVATE_BEGIN

/* To wait for the end of target. 0, or -EINVAL, -EDEADLK for task, which is to wait. */
int task_end_case(struct sync_case *sync_case, struct rt_task *target, const struct rt_task *task);

RT_PRIVATE_END

#endif
