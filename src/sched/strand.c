/* SPDX-License-Identifier: MIT */
/* Strands; see strand.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/strand.h"

#include "base/list.h"
#include "task/self.h"

#include <stdlib.h>

static void schedule_self(struct strand *strand)
{
	strand->scheduled = true;
	strand->parent->schedule(strand->parent, &strand->runnable);
}

static void schedule(struct rt_executor *executor, struct rt_runnable *runnable)
{
	struct strand *strand = container_of(executor, struct strand, executor);

	queue_push(&strand->queue, runnable);
	if (!strand->scheduled)
		schedule_self(strand);
}

static void free_retired(struct strand *strand)
{
	void **link = strand->retired;

	while (*link != strand)
		link = &((struct strand *)*link)->next;
	*link = strand->next;
	free(strand);
}

static void run(struct rt_runnable *runnable)
{
	struct strand *strand = container_of(runnable, struct strand, runnable);

	if (strand->retired) {
		free_retired(strand);
		return;
	}
	int batch = strand->queue.seeded ? 1 : STRAND_BATCH;

	for (int i = 0; i < batch; i++) {
		struct rt_runnable *next = queue_next(&strand->queue);

		if (!next)
			break;
		next->run(next);
	}
	strand->scheduled = false;
	if (strand->queue.head)
		schedule_self(strand);
}

void strand_init(struct strand *strand, struct rt_executor *parent)
{
	*strand = (struct strand){
		.executor.schedule = schedule,
		.runnable.run = run,
		.parent = parent,
		.queue.seeded = self_get()->seeded,
	};
}

void strand_retire(struct strand *strand, void **retired)
{
	if (!strand || !strand->scheduled) {
		free(strand);
		return;
	}
	strand->next = *retired;
	strand->retired = retired;
	*retired = strand;
}

void strands_free(void *retired)
{
	while (retired) {
		struct strand *strand = retired;

		retired = strand->next;
		free(strand);
	}
}
