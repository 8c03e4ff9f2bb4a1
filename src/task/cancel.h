/* SPDX-License-Identifier: MIT */
/* How cancellations and expired deadlines spread over frames, tasks and scopes. */
#ifndef RT_CANCEL_H
#define RT_CANCEL_H

#include "task/frame.h"

RT_PRIVATE_BEGIN

/* A wait of the task finds that it is that late: the deadlines that have passed interrupt whom they concern.
 */
void frames_expire(struct rt_task *task, rt_time now);

RT_PRIVATE_END

#endif
