/* SPDX-License-Identifier: MIT */
/* Slabs: sizes, contents, reuse, and memory that is given back. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "platform/heap.h"
#include "support/suite.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Bounds of sizes; those of the heap's kinds lie in between. */
enum { OBJECTS = 2000, SMALL = 600, LARGE = 3000, LARGEST = 200000 };

struct object {
	unsigned char *data;
	size_t size;
	unsigned char mark;
};

static uint32_t state = 1;

static uint32_t chance(uint32_t below)
{
	state = state * 1664525 + 1013904223;
	return (state >> 8) % below;
}

static void mark(struct object *object)
{
	object->mark = (unsigned char)chance(256);
	memset(object->data, object->mark, object->size);
}

static void check(const struct object *object, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (object->data[i] != object->mark)
			ck_abort_msg("byte %zu of %zu has changed", i, object->size);
	}
}

static void *get(struct heap *heap, size_t size)
{
	void *data = heap_allocate(heap, NULL, 0, size);

	ck_assert_ptr_nonnull(data);
	ck_assert_uint_eq((uintptr_t)data % 8, 0);
	return data;
}

static void put(struct heap *heap, void *data, size_t size)
{
	ck_assert_ptr_null(heap_allocate(heap, data, size, 0));
}

static size_t slabs(const struct heap *heap)
{
	struct heap_stats stats;

	heap_stats(heap, &stats);
	return stats.slabs;
}

/* Small sizes mostly, as an interpreter's are; all are marked, so that overlaps show. */
START_TEST(objects_keep_their_contents)
{
	static struct object objects[OBJECTS];
	struct heap *heap = heap_create();

	memset(objects, 0, sizeof objects);
	for (int i = 0; i < 40 * OBJECTS; i++) {
		struct object *object = &objects[chance(OBJECTS)];
		size_t size = 1 + chance(chance(200) == 0 ? LARGEST : chance(4) == 0 ? LARGE : SMALL);

		check(object, object->size);
		if (object->data && chance(3) == 0) {
			put(heap, object->data, object->size);
			*object = (struct object){0};
			continue;
		}
		size_t kept = size < object->size ? size : object->size;

		object->data = heap_allocate(heap, object->data, object->size, size);
		ck_assert_ptr_nonnull(object->data);
		check(object, kept);
		object->size = size;
		mark(object);
	}
	for (int i = 0; i < OBJECTS; i++)
		put(heap, objects[i].data, objects[i].size);
	heap_destroy(heap);
}
END_TEST

START_TEST(freed_objects_are_reused_first)
{
	struct heap *heap = heap_create();
	void *a = get(heap, 48), *b = get(heap, 48), *c;

	put(heap, a, 48);
	c = get(heap, 41);
	if (!RUNNING_ON_VALGRIND)
		ck_assert_ptr_eq(c, a);
	put(heap, b, 48);
	put(heap, c, 41);
	heap_destroy(heap);
}
END_TEST

static bool resident(void *address)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char in;

	ck_assert_int_eq(mincore((void *)((uintptr_t)address & ~(page - 1)), page, &in), 0);
	return in & 1;
}

/* A whole burst goes: but for one slab, which is kept, its pages are the system's again. */
START_TEST(empty_slabs_are_given_back)
{
	enum { COUNT = 100000, SIZE = 96 };
	static void *objects[COUNT];
	struct heap *heap = heap_create();
	struct heap_stats before, after;
	size_t still = 0;

	for (int i = 0; i < COUNT; i++)
		objects[i] = memset(get(heap, SIZE), 1, SIZE);
	heap_stats(heap, &before);
	for (int i = 0; i < COUNT; i++)
		put(heap, objects[i], SIZE);
	if (!RUNNING_ON_VALGRIND) {
		ck_assert_uint_ge(before.slabs, COUNT / 170);
		ck_assert_uint_eq(slabs(heap), 1);
		for (int i = 0; i < COUNT; i++)
			still += resident(objects[i]);
		/* The first page of each slab, of four. */
		ck_assert_uint_lt(still, COUNT / 3);
	}
	for (int i = 0; i < COUNT; i++)
		objects[i] = memset(get(heap, SIZE), 2, SIZE);
	heap_stats(heap, &after);
	ck_assert_uint_eq(after.mapped, before.mapped);
	for (int i = 0; i < COUNT; i++)
		put(heap, objects[i], SIZE);
	heap_destroy(heap);
}
END_TEST

/* What fills a slab exactly, and one that comes and goes at its end. */
START_TEST(a_slab_that_was_full_has_room_again)
{
	struct heap *heap = heap_create();
	void *objects[1000];
	int count = 0;

	do
		objects[count++] = get(heap, 512);
	while (count < 1000 && slabs(heap) < 3);
	for (int i = 0; i < 100; i++) {
		put(heap, objects[i % count], 512);
		objects[i % count] = get(heap, 512);
	}
	ck_assert_uint_le(slabs(heap), 3);
	for (int i = count; i-- > 0;)
		put(heap, objects[i], 512);
	ck_assert_uint_le(slabs(heap), 1);
	heap_destroy(heap);
}
END_TEST

START_TEST(nothing_comes_of_nothing)
{
	struct heap *heap = heap_create();

	ck_assert_ptr_null(heap_allocate(heap, NULL, 0, 0));
	ck_assert_ptr_null(heap_allocate(heap, NULL, 0, SIZE_MAX / 2));
	heap_destroy(heap);
	heap_destroy(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("heap");
	TCase *tcase = tcase_create("heap");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, objects_keep_their_contents);
	tcase_add_test(tcase, freed_objects_are_reused_first);
	tcase_add_test(tcase, empty_slabs_are_given_back);
	tcase_add_test(tcase, a_slab_that_was_full_has_room_again);
	tcase_add_test(tcase, nothing_comes_of_nothing);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
