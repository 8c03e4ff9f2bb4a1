/* SPDX-License-Identifier: MIT */
/* Drawing from the runnables that are ready; see queue.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/queue.h"

#include "base/fault.h"
#include "task/self.h"

static unsigned count_drawable(const struct queue *queue)
{
	unsigned count = 0;

	for (const struct rt_runnable *each = queue->head; each && count < QUEUE_DRAW_MAX; each = each->next)
		count++;
	return count;
}

struct rt_runnable *queue_draw(struct queue *queue)
{
	unsigned count = count_drawable(queue);

	if (count < 2)
		return queue_pop(queue);
	struct rt_runnable **link = &queue->head, *before = NULL;

	for (unsigned skip = self_choose(count); skip > 0; skip--) {
		before = *link;
		link = &before->next;
	}
	struct rt_runnable *drawn = *link;

	*(FAULT(queue_skip) ? &queue->head : link) = drawn->next;
	if (queue->tail == drawn && !FAULT(queue_tail))
		queue->tail = before;
	return drawn;
}
