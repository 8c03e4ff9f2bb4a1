/* SPDX-License-Identifier: MIT */
/* Select; see rt/sync.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sync/select.h"

#include "sync/chan.h"
#include "sync/event.h"

#include <errno.h>
#include <stdlib.h>

/* So many cases find room on the stack. */
enum { CASES_FEW = 16 };

static int try_end_case(struct sync_case *sync_case)
{
	const struct rt_task *target = sync_case->source;

	return task_has_ended(target) ? 0 : -EAGAIN;
}

int task_end_case(struct sync_case *sync_case, struct rt_task *target, const struct rt_task *task)
{
	static const struct sync_kind ending = {{.what = "join", .detach = sync_detach}, try_end_case};

	if (!target || target == task)
		return target ? -EDEADLK : -EINVAL;
	sync_case->kind = &ending;
	sync_case->source = target;
	sync_case->queue = &target->joiners;
	return 0;
}

static int convert(struct sync_case *to, const struct rt_select_case *from, const struct rt_task *task)
{
	switch (from->what) {
	case RT_SELECT_SEND:
		return chan_send_case(to, from->chan, from->from);
	case RT_SELECT_RECV:
		return chan_recv_case(to, from->chan, from->to);
	case RT_SELECT_TASK:
		return task_end_case(to, from->task, task);
	case RT_SELECT_EVENT:
		return event_wait_case(to, from->event);
	}
	return -EINVAL;
}

static int select_with(struct sync_case *converted, struct rt_select_case *cases, unsigned count,
		       rt_time deadline)
{
	const struct rt_task *task = self_get()->task;
	struct sync_wait wait;

	for (unsigned i = 0; i < count; i++) {
		int err = convert(&converted[i], &cases[i], task);

		if (err < 0)
			return err;
	}
	int result = sync_suspend(&wait, converted, count, deadline);

	if (wait.result == WAIT_PENDING)
		return result;
	cases[wait.chosen].result = result;
	return (int)wait.chosen;
}

int rt_select(struct rt_select_case *cases, unsigned count, rt_time deadline)
{
	struct sync_case few[CASES_FEW];

	if (count == 0 ? deadline == RT_FOREVER : !cases || count > INT32_MAX)
		return -EINVAL;
	if (!self_get()->task)
		return -EPERM;
	if (count <= CASES_FEW)
		return select_with(few, cases, count, deadline);
	struct sync_case *many = calloc(count, sizeof *many);

	if (!many)
		return -ENOMEM;
	int index = select_with(many, cases, count, deadline);

	free(many);
	return index;
}
