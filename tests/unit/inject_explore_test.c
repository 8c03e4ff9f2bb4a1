/* SPDX-License-Identifier: MIT */
/*
 * The injection queue, under explored schedules: what is pushed comes out once, in order, and is counted.
 *
 * FAULT push_unlocked: pushing takes no lock
 * - pthread_mutex_lock(&inject->lock);
 * - if (inject->head)
 * - inject->tail->next = first;
 * - else
 * - inject->head = first;
 * + if (inject->head)
 * + inject->tail->next = first;
 * + else
 * + inject->head = first;
 *
 * FAULT batch_is_cut: only the first of a batch becomes the tail
 * - inject->tail = last;
 * + inject->tail = first;
 *
 * FAULT batch_counts_one: a batch counts as one
 * - inject_count(inject) + count
 * + inject_count(inject) + 1
 *
 * FAULT link_is_kept: the last one keeps the link that it had
 * - last->next = NULL;
 * + ;
 *
 * FAULT empty_by_chance: that it was not empty a moment ago is taken for granted
 * - if (first) {
 * - inject->head = first->next;
 * - set_count(inject, inject_count(inject) - 1);
 * - }
 * + set_count(inject, atomic_load_explicit(&inject->count, memory_order_relaxed) - 1);
 * + inject->head = first ? first->next : NULL;
 *
 * FAULT pop_uncounted: what is popped is counted on
 * - set_count(inject, inject_count(inject) - 1);
 * + ;;
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "support/explore_atomic.h"

#include "unit/inject_explore_test.inc"

enum { PUSHERS = 2, POPPERS = 2, EACH = 6 };

struct item {
	struct rt_runnable runnable;
	unsigned pusher, number;
	unsigned taken;
};

static struct inject inject;
static struct item items[PUSHERS][EACH], stale;
static unsigned pushers[PUSHERS] = {0, 1};

/* One by one, or several at once. */
static void push(void *arg)
{
	struct item *mine = items[*(unsigned *)arg];

	for (unsigned i = 0; i < EACH;) {
		unsigned count = 1 + explore_random(EACH - i);

		for (unsigned j = 1; j < count; j++)
			mine[i + j - 1].runnable.next = &mine[i + j].runnable;
		if (count == 1)
			inject_push(&inject, &mine[i].runnable);
		else
			inject_push_batch(&inject, &mine[i].runnable, &mine[i + count - 1].runnable, count);
		i += count;
	}
}

/* What one pusher pushed comes in its order. */
static bool take(unsigned *next)
{
	struct item *item = (struct item *)inject_pop(&inject);

	if (!item)
		return false;
	explore_check(item != &stale);
	explore_check(item->taken++ == 0);
	explore_check(item->number >= next[item->pusher]);
	next[item->pusher] = item->number + 1;
	return true;
}

static void pop(void *arg)
{
	unsigned next[PUSHERS] = {0};

	(void)arg;
	for (unsigned i = 0; i < EACH; i++)
		take(next);
}

static unsigned count_left(void)
{
	unsigned left = 0;

	for (unsigned i = 0; i < PUSHERS; i++)
		for (unsigned j = 0; j < EACH; j++)
			left += items[i][j].taken == 0;
	return left;
}

static void prepare(void)
{
	inject_init(&inject);
	memset(items, 0, sizeof items);
	for (unsigned i = 0; i < PUSHERS; i++)
		for (unsigned j = 0; j < EACH; j++)
			items[i][j] = (struct item){{&stale.runnable, NULL}, i, j, 0};
}

static void nothing_is_lost(void)
{
	unsigned next[PUSHERS] = {0};

	prepare();
	for (unsigned i = 0; i < PUSHERS; i++)
		explore_spawn(push, &pushers[i]);
	for (unsigned i = 0; i < POPPERS; i++)
		explore_spawn(pop, NULL);
	if (explore_join()) {
		explore_check(inject_count(&inject) == count_left());
		while (!explore.failed && take(next))
			;
		explore_check(count_left() == 0);
		explore_check(inject_count(&inject) == 0);
	}
	inject_destroy(&inject);
}

static const struct explore_case cases[] = {{"nothing_is_lost", nothing_is_lost, 300}};

#include "support/explore_suite.h"
