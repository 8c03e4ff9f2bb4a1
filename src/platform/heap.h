/* SPDX-License-Identifier: MIT */
/*
 * Memory for an interpreter: small objects in slabs by size, without a header for each; the rest by
 * malloc() or, from 64 KiB on, in mappings of their own. A slab that becomes empty gives its pages
 * back. Made for what LuaJIT does: it tells the size of what it frees, and most of it is small, of
 * few sizes, and in great numbers. A heap belongs to one thread at a time.
 * (The idea is that of Bonwick, The Slab Allocator, 1994.)
 *
 *	region (1 MiB): slab │ slab │ slab │ ...
 *	slab (16 KiB):  head │ object │ object │ free ─► free │ never used ...
 */
#ifndef RT_HEAP_H
#define RT_HEAP_H

#include <stddef.h>

RT_PRIVATE_BEGIN

struct heap;

/* NULL: no memory. */
struct heap *heap_create(void);

/* Frees all of it at once. NULL is fine. */
void heap_destroy(struct heap *heap);

/* As lua_Alloc. */
void *heap_allocate(void *heap, void *object, size_t old_size, size_t new_size);

/* For tests: how many slabs hold objects, and the address space of all, in bytes. */
struct heap_stats {
	size_t slabs;
	size_t mapped;
};
void heap_stats(const struct heap *heap, struct heap_stats *stats);

RT_PRIVATE_END

#endif
