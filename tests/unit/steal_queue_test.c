/* SPDX-License-Identifier: MIT */
/* The run queue that others steal from, at its real size: order, overflow, halves. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sched/steal_queue.h"
#include "support/suite.h"

#include "sched/lifo_slot.h"

enum { SIZE = STEAL_QUEUE_SIZE, HALF = SIZE / 2 };

static struct steal_queue queue, other;
static struct inject overflow;
static struct rt_runnable items[2 * SIZE];

static void setup(void)
{
	steal_queue_init(&queue);
	steal_queue_init(&other);
	inject_init(&overflow);
}

static void teardown(void)
{
	inject_destroy(&overflow);
}

static void push(struct steal_queue *to, unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++)
		steal_queue_push(to, &items[i], &overflow);
}

static void check_pops(struct steal_queue *from, unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++)
		ck_assert_ptr_eq(steal_queue_pop(from), &items[i]);
}

START_TEST(pops_in_order)
{
	ck_assert_ptr_null(steal_queue_pop(&queue));
	for (unsigned round = 0; round < 5; round++) {
		push(&queue, 0, SIZE - 1);
		ck_assert_uint_eq(steal_queue_count(&queue), SIZE - 1);
		check_pops(&queue, 0, SIZE - 1);
		ck_assert_ptr_null(steal_queue_pop(&queue));
		ck_assert_uint_eq(steal_queue_count(&queue), 0);
	}
	ck_assert_uint_eq(inject_count(&overflow), 0);
}
END_TEST

START_TEST(overflows_by_half)
{
	push(&queue, 0, SIZE);
	ck_assert_uint_eq(inject_count(&overflow), 0);
	push(&queue, SIZE, 1);
	ck_assert_uint_eq(inject_count(&overflow), HALF + 1);
	ck_assert_uint_eq(steal_queue_count(&queue), HALF);
	for (unsigned i = 0; i < HALF; i++)
		ck_assert_ptr_eq(inject_pop(&overflow), &items[i]);
	ck_assert_ptr_eq(inject_pop(&overflow), &items[SIZE]);
	ck_assert_ptr_null(inject_pop(&overflow));
	check_pops(&queue, HALF, HALF);
}
END_TEST

START_TEST(steals_the_older_half)
{
	push(&queue, 0, 7);
	ck_assert_ptr_eq(steal_queue_steal(&queue, &other), &items[3]);
	check_pops(&other, 0, 3);
	check_pops(&queue, 4, 3);
	ck_assert_ptr_null(steal_queue_steal(&queue, &other));
	push(&queue, 0, 1);
	ck_assert_ptr_eq(steal_queue_steal(&queue, &other), &items[0]);
	ck_assert_uint_eq(steal_queue_count(&queue) + steal_queue_count(&other), 0);
}
END_TEST

START_TEST(steals_while_there_is_room)
{
	push(&queue, 0, SIZE);
	push(&other, SIZE, HALF + 1);
	ck_assert_ptr_null(steal_queue_steal(&queue, &other));
	check_pops(&other, SIZE, 1);
	ck_assert_ptr_eq(steal_queue_steal(&queue, &other), &items[HALF - 1]);
	ck_assert_uint_eq(steal_queue_count(&other), SIZE - 1);
	check_pops(&other, SIZE + 1, HALF);
	check_pops(&other, 0, HALF - 1);
	check_pops(&queue, HALF, HALF);
}
END_TEST

START_TEST(slot_holds_the_last)
{
	struct lifo_slot slot = {NULL};

	ck_assert_ptr_null(lifo_slot_take(&slot));
	ck_assert_ptr_null(lifo_slot_swap(&slot, &items[0]));
	ck_assert(!lifo_slot_empty(&slot));
	ck_assert_ptr_eq(lifo_slot_swap(&slot, &items[1]), &items[0]);
	ck_assert_ptr_eq(lifo_slot_take(&slot), &items[1]);
	ck_assert(lifo_slot_empty(&slot));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("steal_queue");
	TCase *tcase = tcase_create("steal_queue");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, pops_in_order);
	tcase_add_test(tcase, overflows_by_half);
	tcase_add_test(tcase, steals_the_older_half);
	tcase_add_test(tcase, steals_while_there_is_room);
	tcase_add_test(tcase, slot_holds_the_last);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
