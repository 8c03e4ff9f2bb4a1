/* SPDX-License-Identifier: MIT */
/* Events inside, and their case for those who wait in another way. */
#ifndef RT_SYNC_EVENT_H
#define RT_SYNC_EVENT_H

#include "sync/sync_wait.h"

#include <rt/sync.h>

RT_PRIVATE_BEGIN

struct rt_event {
	bool set;
	struct rt_waiter *waiters;
};

/* To wait until it is set. 0, or -EINVAL. */
int event_wait_case(struct sync_case *sync_case, struct rt_event *event);

RT_PRIVATE_END

#endif
