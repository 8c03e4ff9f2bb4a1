/* SPDX-License-Identifier: MIT */
/* Events; see rt/sync.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sync/event.h"

#include "base/fault.h"

#include <errno.h>
#include <stdlib.h>

int rt_event_create(struct rt_event **event)
{
	if (!event)
		return -EINVAL;
	*event = calloc(1, sizeof **event);
	return *event ? 0 : -ENOMEM;
}

void rt_event_destroy(struct rt_event *event)
{
	if (!event)
		return;
	struct rt_runtime *runtime = self_lock();

	sync_complete_all(&event->waiters, -EPIPE);
	self_unlock(runtime);
	free(event);
}

int rt_event_set(struct rt_event *event)
{
	if (!event)
		return -EINVAL;
	struct rt_runtime *runtime = self_lock();

	event->set = true;
	if (FAULT(event_one) && event->waiters)
		sync_complete(sync_first(event->waiters), 0);
	else
		sync_complete_all(&event->waiters, 0);
	self_unlock(runtime);
	return 0;
}

int rt_event_clear(struct rt_event *event)
{
	if (!event)
		return -EINVAL;
	struct rt_runtime *runtime = self_lock();

	event->set = false;
	self_unlock(runtime);
	return 0;
}

bool rt_event_is_set(const struct rt_event *event)
{
	if (!event)
		return false;
	struct rt_runtime *runtime = self_lock();
	bool set = event->set;

	self_unlock(runtime);
	return set;
}

static int try_wait_case(struct sync_case *sync_case)
{
	const struct rt_event *event = sync_case->source;

	return event->set ? 0 : -EAGAIN;
}

int event_wait_case(struct sync_case *sync_case, struct rt_event *event)
{
	static const struct sync_kind waiting = {{.what = "event", .detach = sync_detach}, try_wait_case};

	if (!event)
		return -EINVAL;
	sync_case->kind = &waiting;
	sync_case->source = event;
	sync_case->queue = &event->waiters;
	return 0;
}

int rt_event_wait(struct rt_event *event, rt_time deadline)
{
	struct sync_case wait;
	int err = event_wait_case(&wait, event);

	return err < 0 ? err : sync_wait_for(&wait, deadline);
}
