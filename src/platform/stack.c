/* SPDX-License-Identifier: MIT */
/* Stacks for fibers: guarded, carved from large mappings, recycled. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "platform/stack.h"
#include "platform/sanitizer.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* Large enough that a mapping costs little per stack, small enough for a tight RLIMIT_AS. */
#define CHUNK ((size_t)8 << 20)
#define SMALLEST ((size_t)16 << 10)

struct stack_pool {
	char **idle; /* bases, newest last; room for every stack, so that release cannot fail */
	size_t idle_count;
	size_t cold; /* so many of the oldest have given their pages back */
	size_t keep;
	size_t usable;
	size_t count; /* stacks that exist, in use or idle */
	size_t capacity; /* of idle */
	size_t page;
	size_t guard_size;
	size_t stride; /* guard and stack */
	size_t chunk; /* bytes of a mapping */
	char *next; /* not yet carved, up to end */
	char *end;
	char **chunks; /* with unmap each stack is its own mapping, and this stays empty */
	size_t chunk_count;
	size_t mapped;
	enum stack_guard guard;
	bool unmap;
};

static char *map(size_t size)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	/* A touched stack must cost a page, not a huge one. Before Linux 6.7 MAP_STACK does not see to it. */
	madvise(memory, size, MADV_NOHUGEPAGE);
	return memory;
}

/*
 * Emulators accept any advice: whether it was taken shows in a call that would read
 * there. This one needs no descriptor, and valgrind does not read along.
 */
static bool guards(const char *memory)
{
	return nanosleep((const struct timespec *)memory, NULL) < 0 && errno == EFAULT;
}

static bool supported(size_t page)
{
	char *memory = map(page);
	bool works = memory && madvise(memory, page, MADV_GUARD_INSTALL) == 0 && guards(memory);

	if (memory)
		munmap(memory, page);
	return works;
}

/* Settles which guard to use. */
static int probe(enum stack_guard *guard, size_t page)
{
	if (*guard == STACK_GUARD_MPROTECT)
		return 0;
	if (supported(page))
		*guard = STACK_GUARD_MADVISE;
	else if (*guard == STACK_GUARD_PROBE)
		*guard = STACK_GUARD_MPROTECT;
	else
		return -ENOTSUP;
	return 0;
}

int stack_pool_create(struct stack_pool **result, const struct stack_pool_options *options)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = (options->size + page - 1) & ~(page - 1);
	size_t guard_size = options->guard_size ? (options->guard_size + page - 1) & ~(page - 1) : page;
	enum stack_guard guard = options->guard;
	struct stack_pool *pool;
	int error;

	if (options->size < SMALLEST + guard_size - page || options->size > PTRDIFF_MAX)
		return -EINVAL;
	if (size < 2 * page)
		size = 2 * page;
	error = probe(&guard, page);
	if (error)
		return error;
	pool = calloc(1, sizeof *pool);
	if (!pool)
		return -ENOMEM;
	pool->page = page;
	pool->stride = size;
	pool->guard_size = guard_size;
	pool->usable = size - guard_size;
	pool->chunk = options->unmap || size > CHUNK ? size : CHUNK / size * size;
	pool->keep = options->keep;
	pool->unmap = options->unmap;
	pool->guard = guard;
	*result = pool;
	return 0;
}

void stack_pool_destroy(struct stack_pool *pool)
{
	size_t i;

	if (!pool)
		return;
	for (i = 0; pool->count == pool->idle_count && i < pool->chunk_count; i++)
		munmap(pool->chunks[i], pool->chunk);
	for (i = 0; pool->unmap && i < pool->idle_count; i++)
		munmap(pool->idle[i] - pool->guard_size, pool->stride);
	if (pool->unmap && pool->next != pool->end)
		munmap(pool->next, pool->stride);
	free(pool->chunks);
	free(pool->idle);
	free(pool);
}

/* Remembers a mapping for destroy. */
static int record(struct stack_pool *pool, char *chunk)
{
	char **chunks = realloc(pool->chunks, (pool->chunk_count + 1) * sizeof *chunks);

	if (!chunks)
		return -ENOMEM;
	chunks[pool->chunk_count++] = chunk;
	pool->chunks = chunks;
	return 0;
}

static int extend(struct stack_pool *pool)
{
	char *chunk;

	if (pool->next != pool->end)
		return 0;
	chunk = map(pool->chunk);
	if (!chunk)
		return -ENOMEM;
	if (!pool->unmap && record(pool, chunk)) {
		munmap(chunk, pool->chunk);
		return -ENOMEM;
	}
	pool->next = chunk;
	pool->end = chunk + pool->chunk;
	pool->mapped += pool->chunk;
	return 0;
}

/* Makes room for one more stack to be idle some day. */
static int reserve(struct stack_pool *pool)
{
	size_t capacity = pool->capacity ? 2 * pool->capacity : 16;
	char **idle;

	if (pool->count < pool->capacity)
		return 0;
	idle = realloc(pool->idle, capacity * sizeof *idle);
	if (!idle)
		return -ENOMEM;
	pool->idle = idle;
	pool->capacity = capacity;
	return 0;
}

static int protect(const struct stack_pool *pool, char *guard)
{
	int failed = pool->guard == STACK_GUARD_MADVISE ? madvise(guard, pool->guard_size, MADV_GUARD_INSTALL)
							: mprotect(guard, pool->guard_size, PROT_NONE);

	return failed ? -ENOMEM : 0;
}

static int carve(struct stack_pool *pool, struct stack *stack)
{
	int error = extend(pool);

	if (!error)
		error = reserve(pool);
	if (!error)
		error = protect(pool, pool->next);
	if (error)
		return error;
	*stack = (struct stack){pool->next + pool->guard_size, pool->usable, pool->guard_size};
	pool->next += pool->stride;
	pool->count++;
	return 0;
}

int stack_acquire(struct stack_pool *pool, struct stack *stack)
{
	if (!pool->idle_count)
		return carve(pool, stack);
	*stack = (struct stack){pool->idle[--pool->idle_count], pool->usable, pool->guard_size};
	if (pool->cold > pool->idle_count)
		pool->cold = pool->idle_count;
	return 0;
}

/*
 * Frames that never returned left their red zones behind. Clears them down to the
 * lowest touched page only: the shadow of 64 MiB takes milliseconds.
 */
static void unpoison(const struct stack_pool *pool, char *base)
{
#ifdef SANITIZER_ADDRESS
	unsigned char touched[1024];
	size_t left = pool->usable / pool->page, window, i = 0;

	for (window = 0; i == window && left; left -= i, base += i * pool->page) {
		window = left < sizeof touched ? left : sizeof touched;
		if (mincore(base, window * pool->page, touched))
			break;
		for (i = 0; i < window && !(touched[i] & 1); i++)
			;
	}
	ASAN_UNPOISON_MEMORY_REGION(base, left * pool->page);
#endif
	(void)pool;
	(void)base;
}

static bool unmap(struct stack_pool *pool, char *base)
{
	/* Fails when it would split a merged mapping and vm.max_map_count is reached. */
	if (munmap(base - pool->guard_size, pool->stride))
		return false;
	pool->mapped -= pool->stride;
	pool->count--;
	return true;
}

void stack_release(struct stack_pool *pool, struct stack *stack)
{
	char *base = stack->base;

	*stack = (struct stack){0};
	unpoison(pool, base);
	if (pool->unmap && pool->idle_count >= pool->keep && unmap(pool, base))
		return;
	pool->idle[pool->idle_count++] = base;
	/* The oldest is the least likely to be in a cache. The guard below base keeps out of this. */
	if (pool->idle_count - pool->cold > pool->keep)
		madvise(pool->idle[pool->cold++], pool->usable, MADV_DONTNEED);
}

bool stack_guard_hit(const struct stack *stack, const void *address)
{
	uintptr_t base = (uintptr_t)stack->base;

	return (uintptr_t)address < base && (uintptr_t)address >= base - stack->guard;
}

void stack_pool_stats(const struct stack_pool *pool, struct stack_stats *stats)
{
	*stats = (struct stack_stats){
		.in_use = pool->count - pool->idle_count,
		.idle = pool->idle_count,
		.mapped = pool->mapped,
		.guard = pool->guard,
	};
}
