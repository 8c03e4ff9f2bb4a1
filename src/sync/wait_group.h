/* SPDX-License-Identifier: MIT */
/* Wait groups inside, and their case for those who wait in another way. */
#ifndef RT_SYNC_WAIT_GROUP_H
#define RT_SYNC_WAIT_GROUP_H

#include "sync/sync_wait.h"

#include <rt/sync.h>

RT_PRIVATE_BEGIN

struct rt_wait_group {
	int count; /* of what is under way */
	struct rt_waiter *waiters;
};

/* To wait until nothing is under way. 0, or -EINVAL. */
int wait_group_wait_case(struct sync_case *sync_case, struct rt_wait_group *group);

RT_PRIVATE_END

#endif
