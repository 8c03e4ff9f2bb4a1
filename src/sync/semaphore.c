/* SPDX-License-Identifier: MIT */
/* Semaphores; see rt/sync.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sync/semaphore.h"

#include "base/fault.h"

#include <errno.h>
#include <stdlib.h>

int rt_semaphore_create(struct rt_semaphore **semaphore, size_t permits)
{
	if (!semaphore)
		return -EINVAL;
	*semaphore = NULL;
	if (permits == 0)
		return -EINVAL;
	*semaphore = calloc(1, sizeof **semaphore);
	if (!*semaphore)
		return -ENOMEM;
	(*semaphore)->permits = (*semaphore)->most = permits;
	return 0;
}

void rt_semaphore_destroy(struct rt_semaphore *semaphore)
{
	if (!semaphore)
		return;
	struct rt_runtime *runtime = self_lock();

	sync_complete_all(&semaphore->waiters, -EPIPE);
	self_unlock(runtime);
	free(semaphore);
}

static int try_acquire(struct rt_semaphore *semaphore)
{
	if (semaphore->permits == 0)
		return -EAGAIN;
	semaphore->permits--;
	return 0;
}

int rt_semaphore_try_acquire(struct rt_semaphore *semaphore)
{
	if (!semaphore)
		return -EINVAL;
	struct rt_runtime *runtime = self_lock();
	int err = try_acquire(semaphore);

	self_unlock(runtime);
	return err;
}

static int release(struct rt_semaphore *semaphore)
{
	if (semaphore->permits == semaphore->most)
		return -EOVERFLOW;
	if (FAULT(permit_lost) && semaphore->waiters)
		return 0;
	if (semaphore->waiters)
		sync_complete(sync_first(semaphore->waiters), 0);
	else
		semaphore->permits++;
	if (FAULT(permit_doubled) && semaphore->permits < semaphore->most)
		semaphore->permits++;
	return 0;
}

int rt_semaphore_release(struct rt_semaphore *semaphore)
{
	if (!semaphore)
		return -EINVAL;
	struct rt_runtime *runtime = self_lock();
	int err = release(semaphore);

	self_unlock(runtime);
	return err;
}

size_t rt_semaphore_permits(const struct rt_semaphore *semaphore)
{
	if (!semaphore)
		return 0;
	struct rt_runtime *runtime = self_lock();
	size_t permits = semaphore->permits;

	self_unlock(runtime);
	return permits;
}

static int try_acquire_case(struct sync_case *sync_case)
{
	return try_acquire(sync_case->source);
}

int semaphore_acquire_case(struct sync_case *sync_case, struct rt_semaphore *semaphore)
{
	static const struct sync_kind acquiring = {{.what = "acquire", .detach = sync_detach},
						   try_acquire_case};

	if (!semaphore)
		return -EINVAL;
	sync_case->kind = &acquiring;
	sync_case->source = semaphore;
	sync_case->queue = &semaphore->waiters;
	return 0;
}

int rt_semaphore_acquire(struct rt_semaphore *semaphore, rt_time deadline)
{
	struct sync_case acquire;
	int err = semaphore_acquire_case(&acquire, semaphore);

	return err < 0 ? err : sync_wait_for(&acquire, deadline);
}
