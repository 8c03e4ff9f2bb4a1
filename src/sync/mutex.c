/* SPDX-License-Identifier: MIT */
/* Mutexes; see rt/sync.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sync/mutex.h"

#include <errno.h>
#include <stdlib.h>

static void on_holder_end(struct rt_waiter *waiter, int result)
{
	struct rt_mutex *mutex = container_of(waiter, struct rt_mutex, holder_end);

	(void)result;
	sync_complete_all(&mutex->waiters, -EOWNERDEAD);
}

int rt_mutex_create(struct rt_mutex **mutex)
{
	if (!mutex)
		return -EINVAL;
	*mutex = calloc(1, sizeof **mutex);
	if (!*mutex)
		return -ENOMEM;
	(*mutex)->holder_end.wake = on_holder_end;
	return 0;
}

/* The holder has ended, or was freed with its runtime: it may only be compared with. */
static bool orphaned(const struct rt_mutex *mutex)
{
	return mutex->holder && !mutex->holder_end.next;
}

static void take(struct rt_mutex *mutex, struct rt_task *task)
{
	mutex->holder = task;
	ring_push(&task->joiners, &mutex->holder_end);
}

static void leave(struct rt_mutex *mutex)
{
	ring_remove(&mutex->holder->joiners, &mutex->holder_end);
	mutex->holder = NULL;
}

void rt_mutex_destroy(struct rt_mutex *mutex)
{
	if (!mutex)
		return;
	struct rt_runtime *runtime = self_lock();

	if (mutex->holder && !orphaned(mutex))
		leave(mutex);
	sync_complete_all(&mutex->waiters, -EPIPE);
	self_unlock(runtime);
	free(mutex);
}

static int try_lock(struct rt_mutex *mutex, struct rt_task *task)
{
	if (orphaned(mutex))
		return -EOWNERDEAD;
	if (mutex->holder)
		return mutex->holder == task ? -EDEADLK : -EAGAIN;
	take(mutex, task);
	return 0;
}

int rt_mutex_try_lock(struct rt_mutex *mutex)
{
	struct rt_task *task = self_get()->task;

	if (!mutex || !task)
		return mutex ? -EPERM : -EINVAL;
	struct rt_runtime *runtime = self_lock();
	int err = try_lock(mutex, task);

	self_unlock(runtime);
	return err;
}

static int unlock(struct rt_mutex *mutex, struct rt_task *task)
{
	if (!task || mutex->holder != task || orphaned(mutex))
		return -EPERM;
	leave(mutex);
	if (mutex->waiters) {
		struct sync_case *next = sync_first(mutex->waiters);

		take(mutex, next->wait->task);
		sync_complete(next, 0);
	}
	return 0;
}

int rt_mutex_unlock(struct rt_mutex *mutex)
{
	if (!mutex)
		return -EINVAL;
	struct rt_runtime *runtime = self_lock();
	int err = unlock(mutex, self_get()->task);

	self_unlock(runtime);
	return err;
}

static int try_lock_case(struct sync_case *sync_case)
{
	return try_lock(sync_case->source, self_get()->task);
}

int mutex_lock_case(struct sync_case *sync_case, struct rt_mutex *mutex)
{
	static const struct sync_kind locking = {{.what = "lock", .detach = sync_detach}, try_lock_case};

	if (!mutex)
		return -EINVAL;
	sync_case->kind = &locking;
	sync_case->source = mutex;
	sync_case->queue = &mutex->waiters;
	return 0;
}

int rt_mutex_lock(struct rt_mutex *mutex, rt_time deadline)
{
	struct sync_case lock;
	int err = mutex_lock_case(&lock, mutex);

	return err < 0 ? err : sync_wait_for(&lock, deadline);
}
