/* SPDX-License-Identifier: MIT */
/* Shields against cancellation and deadlines from outside; see rt/scope.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "task/frame.h"

#include <rt/scope.h>

void rt_shield_enter(struct rt_shield *shield)
{
	frame_enter(&shield->frame, FRAME_SHIELD, RT_FOREVER);
}

void rt_shield_leave(struct rt_shield *shield)
{
	frame_leave(&shield->frame);
}
