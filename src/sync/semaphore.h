/* SPDX-License-Identifier: MIT */
/* Semaphores inside, and their case for those who wait in another way. */
#ifndef RT_SYNC_SEMAPHORE_H
#define RT_SYNC_SEMAPHORE_H

#include "sync/sync_wait.h"

#include <rt/sync.h>

RT_PRIVATE_BEGIN

/* Somebody waits only while no permit is free. */
struct rt_semaphore {
	size_t permits; /* free ones */
	size_t most;
	struct rt_waiter *waiters;
};

/* To acquire a permit. 0, or -EINVAL. */
int semaphore_acquire_case(struct sync_case *sync_case, struct rt_semaphore *semaphore);

RT_PRIVATE_END

#endif
