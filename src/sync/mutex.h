/* SPDX-License-Identifier: MIT */
/* Mutexes inside, and their case for those who wait in another way. */
#ifndef RT_SYNC_MUTEX_H
#define RT_SYNC_MUTEX_H

#include "sync/sync_wait.h"

#include <rt/sync.h>

RT_PRIVATE_BEGIN

struct rt_mutex {
	struct rt_task *holder; /* NULL: nobody holds it */
	struct rt_waiter holder_end; /* among the holder's joiners, until it unlocks or ends */
	struct rt_waiter *waiters;
};

/* To lock. 0, or -EINVAL. */
int mutex_lock_case(struct sync_case *sync_case, struct rt_mutex *mutex);

RT_PRIVATE_END

#endif
