/* SPDX-License-Identifier: MIT */
/*
 * The memory of a VM: small objects in slabs by size, without a header for each; the rest by
 * malloc(). A slab that becomes empty gives its pages back. Made for what LuaJIT asks for: it
 * tells the size of what it frees, and most of it is small, of few sizes, and in great numbers.
 * (The idea is that of Bonwick, The Slab Allocator, 1994.)
 *
 *	region (1 MiB): slab │ slab │ slab │ ...
 *	slab (16 KiB):  head │ object │ object │ free ─► free │ never used ...
 */
#ifndef RT_LUA_HEAP_H
#define RT_LUA_HEAP_H

#include <stddef.h>

struct heap;

/* NULL: no memory. */
struct heap *heap_create(void);

/* Frees all of it at once. NULL is fine. */
void heap_destroy(struct heap *heap);

/* As lua_Alloc. */
void *heap_allocate(void *heap, void *object, size_t old_size, size_t new_size);

/* For tests: bytes of the slabs that are in use, and how many of these there are. */
struct heap_stats {
	size_t slabs;
	size_t mapped;
};
void heap_stats(const struct heap *heap, struct heap_stats *stats);

#endif
