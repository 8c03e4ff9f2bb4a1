/* SPDX-License-Identifier: MIT */
/* Wait groups; see rt/sync.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sync/wait_group.h"

#include <errno.h>
#include <stdlib.h>

int rt_wait_group_create(struct rt_wait_group **group)
{
	if (!group)
		return -EINVAL;
	*group = calloc(1, sizeof **group);
	return *group ? 0 : -ENOMEM;
}

void rt_wait_group_destroy(struct rt_wait_group *group)
{
	if (!group)
		return;
	struct rt_runtime *runtime = self_lock();

	sync_complete_all(&group->waiters, -EPIPE);
	self_unlock(runtime);
	free(group);
}

static int add(struct rt_wait_group *group, int count)
{
	int sum;

	/* The count is never negative: only a positive one can make it overflow. */
	if (__builtin_add_overflow(group->count, count, &sum))
		return -EOVERFLOW;
	if (sum < 0)
		return -EINVAL;
	group->count = sum;
	if (sum == 0)
		sync_complete_all(&group->waiters, 0);
	return 0;
}

int rt_wait_group_add(struct rt_wait_group *group, int count)
{
	if (!group)
		return -EINVAL;
	struct rt_runtime *runtime = self_lock();
	int err = add(group, count);

	self_unlock(runtime);
	return err;
}

int rt_wait_group_done(struct rt_wait_group *group)
{
	return rt_wait_group_add(group, -1);
}

static int try_wait_case(struct sync_case *sync_case)
{
	const struct rt_wait_group *group = sync_case->source;

	return group->count == 0 ? 0 : -EAGAIN;
}

int wait_group_wait_case(struct sync_case *sync_case, struct rt_wait_group *group)
{
	static const struct sync_kind waiting = {{.what = "wait group", .detach = sync_detach},
						 try_wait_case};

	if (!group)
		return -EINVAL;
	sync_case->kind = &waiting;
	sync_case->source = group;
	sync_case->queue = &group->waiters;
	return 0;
}

int rt_wait_group_wait(struct rt_wait_group *group, rt_time deadline)
{
	struct sync_case wait;
	int err = wait_group_wait_case(&wait, group);

	return err < 0 ? err : sync_wait_for(&wait, deadline);
}
