/* SPDX-License-Identifier: MIT */
/* Slabs; see heap.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "platform/heap.h"

#include "platform/sanitizer.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	GRAIN = 8,
	SMALL = 512, /* the largest object in a slab, in bytes */
	CLASSES = SMALL / GRAIN + 1, /* class n has objects of n grains; 0 is not used */
	SLAB = 16 << 10,
	REGION = 1 << 20,
	PAGE = 4096, /* at least one of them is kept of an empty slab: its head */
};

/* From here on objects are mapped: they grow without leaving holes. */
#ifndef SANITIZER_THREAD
enum { LARGE = 64 << 10 };
#else
/*
 * And a lua_State must be: ThreadSanitizer's malloc() puts objects of different sizes multiples of 4 GiB
 * apart, and compiled code of LuaJIT, which looks at 32 bits of the difference, takes what no table has (it
 * is in the lua_State) for a part of a table.
 */
enum { LARGE = 4 << 10 };
#endif

/* Where an object of some size is: in a slab, malloc()ed, or mapped. */
enum kind { SMALL_KIND, MEDIUM_KIND, LARGE_KIND };

/* A freed object. */
struct cell {
	struct cell *next;
};

/* At the beginning of a slab. */
struct slab {
	struct cell *free; /* objects that were freed */
	char *unused; /* from here on no object has ever been, up to end */
	char *end; /* where no further object fits */
	struct slab *next, *prev; /* of its class, if it has room; or next: of the empty ones */
	unsigned used; /* objects */
	unsigned size; /* of each, in bytes */
};

struct region {
	struct region *next;
	void *mapping; /* REGION bytes and what it takes to align them */
};

struct heap {
	struct slab *with_room[CLASSES];
	struct slab *empty;
	char *fresh, *fresh_end; /* slabs of the last region that have never been used: untouched */
	struct region *regions;
	size_t slabs; /* in use */
	size_t mapped;
};

/* ---- Slabs ---- */

static struct slab *slab_of(void *object)
{
	return (struct slab *)((uintptr_t)object & ~((uintptr_t)SLAB - 1));
}

static bool add_region(struct heap *heap)
{
	size_t size = REGION + SLAB;
	struct region *region = malloc(sizeof *region);
	char *mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!region || mapping == MAP_FAILED) {
		if (mapping != MAP_FAILED)
			munmap(mapping, size);
		free(region);
		return false;
	}
	*region = (struct region){heap->regions, mapping};
	heap->regions = region;
	heap->mapped += size;
	heap->fresh = (char *)slab_of(mapping + SLAB - 1);
	heap->fresh_end = heap->fresh + REGION;
	return true;
}

static struct slab *take_slab(struct heap *heap)
{
	struct slab *slab = heap->empty;

	if (slab) {
		heap->empty = slab->next;
		return slab;
	}
	if (heap->fresh == heap->fresh_end && !add_region(heap))
		return NULL;
	slab = (struct slab *)heap->fresh;
	heap->fresh += SLAB;
	return slab;
}

static void link_slab(struct heap *heap, struct slab *slab)
{
	struct slab **head = &heap->with_room[slab->size / GRAIN];

	slab->next = *head;
	slab->prev = NULL;
	if (*head)
		(*head)->prev = slab;
	*head = slab;
}

static void unlink_slab(struct heap *heap, struct slab *slab)
{
	if (slab->prev)
		slab->prev->next = slab->next;
	else
		heap->with_room[slab->size / GRAIN] = slab->next;
	if (slab->next)
		slab->next->prev = slab->prev;
}

static struct slab *new_slab(struct heap *heap, unsigned size)
{
	struct slab *slab = take_slab(heap);

	if (!slab)
		return NULL;
	char *first = (char *)(slab + 1);

	heap->slabs++;
	slab->free = NULL;
	slab->unused = first;
	slab->end = first + ((char *)slab + SLAB - first) / size * size;
	slab->used = 0;
	slab->size = size;
	link_slab(heap, slab);
	return slab;
}

/* The page of the head stays: it links the empty ones. */
static void give_back(struct heap *heap, struct slab *slab)
{
	unlink_slab(heap, slab);
	madvise((char *)slab + PAGE, SLAB - PAGE, MADV_DONTNEED);
	slab->next = heap->empty;
	heap->empty = slab;
	heap->slabs--;
}

static bool is_full(const struct slab *slab)
{
	return !slab->free && slab->unused == slab->end;
}

/* ---- Objects ---- */

static void *allocate_small(struct heap *heap, size_t size)
{
	unsigned grains = (unsigned)((size + GRAIN - 1) / GRAIN);
	struct slab *slab = heap->with_room[grains];
	void *object;

	if (!slab && !(slab = new_slab(heap, grains * GRAIN)))
		return NULL;
	if (slab->free) {
		object = slab->free;
		slab->free = slab->free->next;
	} else {
		object = slab->unused;
		slab->unused += slab->size;
	}
	slab->used++;
	if (is_full(slab))
		unlink_slab(heap, slab);
	return object;
}

/* A class keeps one slab with room, so that an object that comes and goes costs no system call. */
static void free_small(struct heap *heap, void *object)
{
	struct slab *slab = slab_of(object);
	struct cell *cell = object;

	if (is_full(slab))
		link_slab(heap, slab);
	cell->next = slab->free;
	slab->free = cell;
	if (--slab->used == 0 && (slab->next || slab->prev))
		give_back(heap, slab);
}

static void *map(size_t size)
{
	void *object = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return object == MAP_FAILED ? NULL : object;
}

static void *remap(void *object, size_t old_size, size_t new_size)
{
	void *moved = mremap(object, old_size, new_size, MREMAP_MAYMOVE);

	return moved == MAP_FAILED ? NULL : moved;
}

static enum kind kind_of(size_t size)
{
	return size <= SMALL ? SMALL_KIND : size < LARGE ? MEDIUM_KIND : LARGE_KIND;
}

static void *allocate(struct heap *heap, size_t size)
{
	switch (kind_of(size)) {
	case SMALL_KIND:
		return allocate_small(heap, size);
	case MEDIUM_KIND:
		return malloc(size);
	default:
		return map(size);
	}
}

static void release(struct heap *heap, void *object, size_t size)
{
	switch (kind_of(size)) {
	case SMALL_KIND:
		free_small(heap, object);
		break;
	case MEDIUM_KIND:
		free(object);
		break;
	default:
		munmap(object, size);
	}
}

static void *resize(struct heap *heap, void *object, size_t old_size, size_t new_size)
{
	enum kind kind = kind_of(old_size);

	if (kind == kind_of(new_size) && kind != SMALL_KIND)
		return kind == MEDIUM_KIND ? realloc(object, new_size) : remap(object, old_size, new_size);
	void *moved = allocate(heap, new_size);

	if (!moved)
		return NULL;
	memcpy(moved, object, old_size < new_size ? old_size : new_size);
	release(heap, object, old_size);
	return moved;
}

void *heap_allocate(void *heap, void *object, size_t old_size, size_t new_size)
{
	if (!object)
		return new_size > 0 ? allocate(heap, new_size) : NULL;
	if (new_size > 0)
		return resize(heap, object, old_size, new_size);
	release(heap, object, old_size);
	return NULL;
}

struct heap *heap_create(void)
{
	return calloc(1, sizeof(struct heap));
}

void heap_destroy(struct heap *heap)
{
	if (!heap)
		return;
	for (struct region *next, *region = heap->regions; region; region = next) {
		next = region->next;
		munmap(region->mapping, REGION + SLAB);
		free(region);
	}
	free(heap);
}

void heap_stats(const struct heap *heap, struct heap_stats *stats)
{
	*stats = (struct heap_stats){.slabs = heap->slabs, .mapped = heap->mapped};
}
