/* SPDX-License-Identifier: MIT */
/*
 * Async benchmarks: the body of RT_BENCH runs as a task, bench->n times over.
 *
 *	RT_BENCH(spawn_and_join, bench)
 *	{
 *		for (uint64_t i = 0; i < bench->n; i++)
 *			rt_join(rt_spawn(nothing, NULL), NULL, RT_FOREVER);
 *	}
 *
 *	RT_BENCH_MAIN
 *
 * RT_BENCH_MAIN is the program's main(): it runs the benchmarks of all its files and
 * prints what an operation costs; --help tells its options. rtlua bench has the same
 * ones, and prints the same, for benchmarks in Lua.
 *
 * n is chosen so that a sample takes long enough for the clock. What is reported is
 * the median of the samples, with its 95 % confidence interval (percentile bootstrap).
 */
#ifndef RT_BENCH_H
#define RT_BENCH_H

#include <rt/runtime.h>

RT_BEGIN_DECLS

/* What a benchmark is told, and tells. Only n is for programs. */
struct rt_bench {
	uint64_t n; /* how many operations to do */
	uint64_t bytes; /* that each of them handles */
	rt_time elapsed;
	rt_time began; /* 0: the timer stands still */
	uint64_t calls, allocated; /* of malloc(), up to stop and while the timer runs */
};

/* Each operation handles so many bytes: the throughput is reported too. Does not suspend. */
RT_API void rt_bench_bytes(struct rt_bench *bench, uint64_t bytes);

/*
 * Stops and starts the timer, and the counters of memory, around what is not to be
 * measured. It runs when the body begins. Doing either twice is as good as once. Does not suspend.
 */
RT_API void rt_bench_stop(struct rt_bench *bench);
RT_API void rt_bench_start(struct rt_bench *bench);

typedef void rt_bench_fn(struct rt_bench *bench);

/* A benchmark; made by RT_BENCH. */
struct rt_bench_entry {
	const char *name;
	rt_bench_fn *fn;
	struct rt_bench_entry *next;
};

#define RT_BENCH(name, bench)                                                                                \
	static rt_bench_fn name##_bench;                                                                     \
	__attribute__((constructor)) static void name##_register(void)                                       \
	{                                                                                                    \
		static struct rt_bench_entry entry = {#name, name##_bench, NULL};                            \
                                                                                                             \
		rt_bench_register(&entry);                                                                   \
	}                                                                                                    \
	static void name##_bench(struct rt_bench *bench)

/* Behind RT_BENCH: entry is the library's from then on. Does not suspend. */
RT_API void rt_bench_register(struct rt_bench_entry *entry);

/*
 * Runs the benchmarks that are registered, as the options in argv say, and prints
 * the report. Returns the exit code: 0, 1 if a benchmark failed, 2 for options that
 * there are not. Not in a task. Does not suspend.
 */
RT_API int rt_bench_main(int argc, char **argv);

#define RT_BENCH_MAIN                                                                                        \
	RT_BENCH_MALLOC                                                                                      \
	int main(int argc, char **argv)                                                                      \
	{                                                                                                    \
		return rt_bench_main(argc, argv);                                                            \
	}

/* What malloc() and its kin have been asked for. Exact as long as one thread does. */
struct rt_bench_memory {
	uint64_t calls, bytes; /* no calls: the program does not count */
};
RT_API extern struct rt_bench_memory rt_bench_memory;

/* A sanitizer has its own malloc(). */
#ifdef RT_BENCH_NO_MALLOC
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RT_BENCH_NO_MALLOC
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define RT_BENCH_NO_MALLOC
#endif
#endif

/*
 * The program's own malloc(), calloc() and realloc(), which count and call those of the
 * C library. Only with glibc, linked dynamically; define RT_BENCH_NO_MALLOC to go without.
 */
#if defined(__GLIBC__) && !defined(RT_BENCH_NO_MALLOC)
#define RT_BENCH_MALLOC                                                                                      \
	extern void *__libc_malloc(size_t size);                                                             \
	extern void *__libc_calloc(size_t count, size_t size);                                               \
	extern void *__libc_realloc(void *memory, size_t size);                                              \
	static void rt_bench_count_(size_t size)                                                             \
	{                                                                                                    \
		rt_bench_memory.calls++;                                                                     \
		rt_bench_memory.bytes += size;                                                               \
	}                                                                                                    \
	void *malloc(size_t size)                                                                            \
	{                                                                                                    \
		rt_bench_count_(size);                                                                       \
		return __libc_malloc(size);                                                                  \
	}                                                                                                    \
	void *calloc(size_t count, size_t size)                                                              \
	{                                                                                                    \
		rt_bench_count_(count *size);                                                                \
		return __libc_calloc(count, size);                                                           \
	}                                                                                                    \
	void *realloc(void *memory, size_t size)                                                             \
	{                                                                                                    \
		rt_bench_count_(size);                                                                       \
		return __libc_realloc(memory, size);                                                         \
	}
#else
#define RT_BENCH_MALLOC
#endif

RT_END_DECLS
#endif
