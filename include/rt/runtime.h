/* SPDX-License-Identifier: MIT */
/*
 * Runtimes: how a program starts one, and what one has to provide.
 *
 * The first half is for programs: rt_main(), RT_MAIN and rt_run(). The second
 * half is the contract between the library and a scheduler: anyone can fill in a
 * struct rt_runtime_ops and run every program of this library on it.
 */
#ifndef RT_RUNTIME_H
#define RT_RUNTIME_H

#include <rt/task.h>

#include <pthread.h>

RT_BEGIN_DECLS

struct event_base;
struct rt_runtime;
struct rt_runtime_ops;

typedef int rt_main_fn(int argc, char **argv);

/*
 * The default runtime: a loop on the thread that starts it, and more of them on threads of their own for what
 * should run in parallel; tasks as well, in turn, if options ask for several workers. What has been placed on
 * a thread stays there. And a thread pool for blocking work.
 */
RT_API extern const struct rt_runtime_ops rt_native;

/*
 * Several threads that share all tasks: what is ready runs on whichever has time first, so a task may go on
 * on another thread after each wait. What tasks have in common they must guard as
 * threads do. Not with a host's event_base.
 */
RT_API extern const struct rt_runtime_ops rt_stealing;

enum { RT_WORKERS_MAX = 256, RT_BLOCKING_THREADS_MAX = 1024 };

enum rt_clock {
	RT_CLOCK_REAL,
	/*
	 * Time stands still as long as anything can run, then goes on at once to the next deadline: a day of
	 * sleeping passes in no time, and every wait ends exactly at its deadline. It starts at the real
	 * time. Blocking work is waited for. While a task waits for a descriptor, time goes on only after the
	 * descriptors have been silent for a real millisecond. Not with a host's event_base.
	 */
	RT_CLOCK_VIRTUAL,
};

struct rt_runtime_options {
	size_t stack_size; /* of C tasks, in bytes; 0: 64 KiB */
	/*
	 * Threads, of which the one that starts the runtime is the first; at most RT_WORKERS_MAX. 0: what
	 * suits the runtime, mostly one for each processor. Those that nothing runs on are not started.
	 */
	unsigned workers;
	struct event_base *event_base; /* NULL: a loop of its own */
	/*
	 * Nanoseconds: a task that has not given way for so long is reported on stderr, by name,
	 * once, while it still runs. Takes a thread and SIGURG. 0: no.
	 */
	rt_time watchdog;
	enum rt_clock clock;
	/*
	 * Of the order in which ready tasks run; 0: in the order in which they became ready. With a seed,
	 * tasks also give way at operations that need not wait, at random. With a virtual clock, and as
	 * long as neither descriptors nor other threads have a say, the same seed gives the same schedule.
	 */
	uint64_t seed;
	/*
	 * How many threads there may be for blocking work (rt/blocking.h) besides; at most
	 * RT_BLOCKING_THREADS_MAX. 0: 64. They start when they are needed, and end when they are idle for
	 * long.
	 */
	unsigned blocking_threads;
};

/*
 * Defines main(): runs fn as the first task and exits with its result. A
 * negative result is taken for -errno: it is printed and the exit code is 1. When
 * no task can ever go on, "deadlock" and what each of them waits for are printed; the
 * exit code is 1. SIGQUIT prints what every task is doing.
 *
 *	RT_MAIN(async_main)             on rt_native
 *	RT_MAIN(async_main, rt_stealing)
 */
#define RT_MAIN(...) RT_MAIN_(__VA_ARGS__, rt_native, )
#define RT_MAIN_(fn, ops, ...)                                                                               \
	int main(int argc, char **argv)                                                                      \
	{                                                                                                    \
		return rt_main(argc, argv, (fn), #fn, &ops);                                                 \
	}
RT_API int rt_main(int argc, char **argv, rt_main_fn *fn, const char *name, const struct rt_runtime_ops *ops);

/*
 * Runs fn(arg) as the first task of a new runtime on this thread, until it and
 * what it left behind have ended; tasks that are left over are cancelled.
 * options may be NULL. Returns fn's result, or -EBUSY when a runtime is already
 * running on this thread, -EDEADLK when every task waits for something that
 * nothing can bring about, -EINVAL for too many threads, -ENOTSUP for an option that the runtime
 * does not have, -ENOMEM.
 */
RT_API int rt_run(const struct rt_runtime_ops *ops, const struct rt_runtime_options *options, rt_task_fn *fn,
		  void *arg, const char *name);

/*
 * Makes a runtime known by its name, for rtlua --runtime=NAME. The table must
 * outlive the process's use of it. Returns 0, -EEXIST, -ENOSPC. Any thread.
 */
RT_API int rt_runtime_register(const struct rt_runtime_ops *ops);

/* The runtime of that name, or NULL. The index-th name, or NULL past the end. Any thread. */
RT_API const struct rt_runtime_ops *rt_runtime_find(const char *name);
RT_API const char *rt_runtime_name(unsigned index);

/* ------------------------------------------------------------------------ */
/* The contract with a scheduler. */

/* Something to run, once, on a worker's own stack. It may be gone, or scheduled again, when run() returns. */
struct rt_runnable {
	struct rt_runnable *next; /* the executor's, while it is scheduled */
	void (*run)(struct rt_runnable *runnable);
};

/* Decides where and when a runnable runs. A runtime is one, so are its workers, so is a strand. */
struct rt_executor {
	/*
	 * Takes a runnable that is not scheduled. Never runs it right away. With one worker, what one thread
	 * schedules runs in that order. Once it is taken, the runtime may end at any moment. Any thread,
	 * locked or not.
	 */
	void (*schedule)(struct rt_executor *executor, struct rt_runnable *runnable);
};

/*
 * The only upcall: whoever waits is woken once, with a result that means
 * something to the pair (0 or -errno). The links belong to what it waits on. Call it on a
 * thread of the runtime, with the runtime locked.
 */
struct rt_waiter {
	struct rt_waiter *next;
	struct rt_waiter *prev;
	void (*wake)(struct rt_waiter *waiter, int result);
};

enum {
	RT_READ = 1,
	RT_WRITE = 2,
	/* The peer has sent all it will. Never cleared: a short read proves nothing any more. */
	RT_CLOSED = 4,
	/* The library's: the last read was short, a successful send makes it final. */
	RT_DRAINED = 8,
	/* The library's: nobody waits for it any more. */
	RT_FINISHED = 16,
	/* The library's: watch() has succeeded, and unwatch() is due. A runtime's destroy() clears it. */
	RT_REGISTERED = 32,
	/* The bits from here on count events, so that no one of them can be overlooked. */
	RT_EVENT = 64,
};

enum { RT_WATCH_WORDS = 16 };

/*
 * Readiness of one descriptor, for its whole life. The library tries an
 * operation first; on EAGAIN it clears the bit in ready, sets reader or writer
 * and suspends. The runtime calls rt_watch_ready() when the descriptor becomes ready, never from
 * inside of watch(). That may be at each edge, or as long as the bit is not set and the
 * descriptor is ready; nobody depends on news of a bit that is set. An error and a hang-up make
 * both directions ready.
 */
struct rt_watch {
	int fd;
	uint32_t ready;
	struct rt_waiter *reader;
	struct rt_waiter *writer;
	uint64_t registration[RT_WATCH_WORDS]; /* the runtime's own, from watch() to unwatch() */
};

/*
 * Tells that a watched descriptor has become ready, for RT_READ, RT_WRITE or both; RT_CLOSED
 * comes with RT_READ. Wakes those that wait for it. On a thread of the runtime, not locked.
 */
RT_API void rt_watch_ready(struct rt_watch *watch, unsigned events);

/*
 * Fires once, not before its deadline: waiter.wake(&waiter, -ETIMEDOUT), locked, with slot 0 by then. On
 * one worker, earlier deadlines fire first. The links of the waiter, and slot, are the runtime's while it
 * is armed.
 */
struct rt_timer {
	struct rt_waiter waiter;
	rt_time deadline;
	uint16_t slot; /* 0: not armed */
	uint16_t home; /* the runtime's own: where it has armed it */
};

/*
 * Blocking work: work(job) on a pool thread, then done(job) on a thread of the runtime, not locked. The
 * links are the runtime's from offload() until done(), or until it has been recalled.
 */
struct rt_job {
	struct rt_job *next;
	struct rt_job **link;
	void (*work)(struct rt_job *job);
	void (*done)(struct rt_job *job);
};

/* The first member of every runtime's own struct; the library sets and uses it. */
struct rt_runtime {
	struct rt_executor executor;
	/*
	 * Set by create(), or before the second thread starts: several threads run this. Then whatever
	 * tasks wait for, and the members from here on, are under the lock; a runtime of
	 * one thread pays for none.
	 */
	bool shared;
	unsigned workers; /* how many threads there are at most; set by create(), 0 counts as 1 */
	pthread_mutex_t lock;
	const struct rt_runtime_ops *ops;
	struct rt_task *tasks; /* C tasks, all of them */
	void *task_groups; /* others, for lists */
	void *strands; /* that have ended while they were scheduled */
	uint32_t last_task_id;
	size_t task_count; /* tasks that have not ended, of every kind */
	void *drains; /* who wait for the end of tasks; or NULL */
	size_t watching; /* directions of descriptors that a task waits for */
	unsigned users; /* who has opened it or joined in */
	size_t stack_size;
	void *stacks; /* the library's cache of C stacks */
	void *homes; /* what its C tasks have in common, on each executor */
	void *watchdog; /* or NULL */
	rt_time drain_end; /* with drains and a virtual clock: the real time when run() gives up */
	unsigned jobs_dropped; /* calls of rt_blocking() that the end has kept from beginning */
	unsigned jobs_left; /* that are under way, and nobody waits for them any more */
};

/*
 * What a runtime provides. Functions return 0 or -errno. The library calls create(), destroy() and run() on
 * the thread that starts the runtime, the others on any thread of the runtime unless they say "any thread".
 */
struct rt_runtime_ops {
	const char *name;

	/*
	 * Makes a runtime for this thread; the library fills in the members of
	 * struct rt_runtime, but for shared and workers. Options that it cannot have give -ENOTSUP: a host's
	 * event_base; a virtual clock without advance() never gets here. It may have fewer workers than asked
	 * for, and no watchdog, stack size or seed concerns it.
	 *
	 * destroy() is called with no task left that will run, and with no runtime on this thread any more.
	 * What is still scheduled is dropped; descriptors that are still watched lose RT_REGISTERED; a job
	 * that is under way is waited for, or done() on its own thread later, each exactly once, and those
	 * that have not begun need not be worked.
	 */
	int (*create)(struct rt_runtime **runtime, const struct rt_runtime_options *options);
	void (*destroy)(struct rt_runtime *runtime);

	/*
	 * Runs what is scheduled and waits for readiness and timers until *done, which is set in what it
	 * runs or wakes. Tasks that are always ready must not keep it from timers, descriptors and other
	 * threads for more than a bounded number of runnables. Returns -EDEADLK when nothing is scheduled,
	 * armed before RT_FOREVER, offloaded or watched (runtime->watching). It may be called again,
	 * after either: what is scheduled and armed is kept.
	 */
	int (*run)(struct rt_runtime *runtime, const bool *done);

	/* See struct rt_executor. Any thread. */
	void (*schedule)(struct rt_executor *runtime, struct rt_runnable *runnable);

	/*
	 * Where something new is to run: a task, or, with spread, something that should run in
	 * parallel to its spawner if that is possible: one of a few executors, say one for each worker, that
	 * last as long as the runtime. On a thread of the runtime. May be NULL: it is the runtime.
	 */
	struct rt_executor *(*place)(struct rt_runtime *runtime, bool spread);

	/*
	 * Does blocking work elsewhere; done() is never called from inside. -EAGAIN when there is no thread
	 * to do it. On any thread of the runtime, not locked.
	 */
	int (*offload)(struct rt_runtime *runtime, struct rt_job *job);

	/*
	 * Takes back a job that has been offloaded and is not done(): true if it had not begun, and then
	 * it is neither worked nor done(). On any thread of the runtime, locked. May be NULL: what has been
	 * offloaded cannot be taken back.
	 */
	bool (*recall)(struct rt_runtime *runtime, struct rt_job *job);

	/*
	 * Starts and stops following a descriptor's readiness: once per descriptor. After unwatch() nobody is
	 * woken, no thread is in rt_watch_ready() for it, and neither the watch nor the descriptor's number
	 * is known any more.
	 */
	int (*watch)(struct rt_runtime *runtime, struct rt_watch *watch);
	void (*unwatch)(struct rt_runtime *runtime, struct rt_watch *watch);

	/* Starts and stops a timer, locked. disarm() of a timer that is not armed does nothing. */
	int (*arm)(struct rt_runtime *runtime, struct rt_timer *timer);
	void (*disarm)(struct rt_runtime *runtime, struct rt_timer *timer);

	/*
	 * Brings all threads but the calling one to rest, waiting for limit nanoseconds: 0, or -EBUSY if
	 * some task has not given way by then. resume() lets them go on. Whenever nobody is in run(),
	 * all must be at rest, but for those that -EBUSY speaks of. NULL where there is one thread.
	 */
	int (*pause)(struct rt_runtime *runtime, rt_time limit);
	void (*resume)(struct rt_runtime *runtime);

	/*
	 * Moves the virtual clock on to a time, from deadline to deadline, each time once nothing
	 * is left to run, or a bounded number of turns later; wakes the waiter with 0 when it has got
	 * there. A waiter of NULL calls that off. -EINVAL without a virtual clock, -EBUSY when it is
	 * being moved already. Locked. May be NULL: there are no virtual clocks.
	 */
	int (*advance)(struct rt_runtime *runtime, rt_time until, struct rt_waiter *waiter);
};

/* The runtime running on this thread, or NULL. */
RT_API struct rt_runtime *rt_runtime_current(void);

/*
 * The lock of what tasks wait for. It is held for a moment only: between the two calls nothing
 * suspends, runs a task or calls code of the program.
 */
static inline void rt_runtime_lock(struct rt_runtime *runtime)
{
	if (__builtin_expect(runtime->shared, 0))
		pthread_mutex_lock(&runtime->lock);
}

static inline void rt_runtime_unlock(struct rt_runtime *runtime)
{
	if (__builtin_expect(runtime->shared, 0))
		pthread_mutex_unlock(&runtime->lock);
}

/*
 * For a runtime with threads of its own: the calling thread is one from now on, and may run runnables and
 * call the library; and it is none any more. The thread that starts the runtime is one already. 0 or
 * -errno.
 */
RT_API int rt_worker_enter(struct rt_runtime *runtime);
RT_API void rt_worker_leave(struct rt_runtime *runtime);

RT_END_DECLS
#endif
