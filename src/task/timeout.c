/* SPDX-License-Identifier: MIT */
/* Timeouts over everything that a task awaits; see rt/time.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "task/frame.h"

#include <errno.h>

void rt_timeout_enter(struct rt_timeout *timeout, rt_time deadline)
{
	frame_enter(&timeout->frame, FRAME_TIMEOUT, deadline);
}

int rt_timeout_leave(struct rt_timeout *timeout)
{
	return frame_leave(&timeout->frame) ? -ETIMEDOUT : 0;
}
